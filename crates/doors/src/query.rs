//! AWS's query protocol, which STS and IAM speak: a form in, XML out.
//!
//! Source: "Making query requests", IAM and STS API references; the answers as both references show them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use percent_encoding::percent_decode;
use quick_xml::escape::escape;
use tidelock_core::limits::FORM_FIELDS_MAX;

use crate::{
    DoorBody,
    aws_common::{error::AwsError, request_id::RequestIds},
    full,
};

/// Whether a request is a form, as an unsigned request of a query service is.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    parts.uri.path() == "/" && kind.starts_with("application/x-www-form-urlencoded")
}

/// The fields of a request, decoded. Secrets may be among them (tokens), so it has no `Debug`.
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// The fields of the body and then of the query, of which the first of a name counts.
    ///
    /// # Errors
    /// `MalformedQueryString` for more fields than may be, and for what is not UTF-8.
    pub(crate) fn read(query: &str, body: &Bytes) -> Result<Form, AwsError> {
        let mut fields = Vec::new();
        let pairs = [body, query.as_bytes()]
            .into_iter()
            .flat_map(|text| text.split(|byte| *byte == b'&'));
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            if fields.len() == FORM_FIELDS_MAX {
                return Err(malformed("has too many fields"));
            }
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut next = || decoded(parts.next().unwrap_or_default());
            fields.push((next()?, next()?));
        }
        Ok(Form { fields })
    }

    /// A field that has a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// A field, even if it is empty: clients empty a description with it.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A field that an operation cannot do without.
    ///
    /// # Errors
    /// `ValidationError`, in the words of AWS.
    pub(crate) fn need(&self, name: &str) -> Result<&str, AwsError> {
        self.get(name).ok_or_else(|| {
            let mut member = name.to_owned();
            member.get_mut(..1).map(str::make_ascii_lowercase);
            invalid(format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// The members of a list, `name.member.1` and on.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..=self.fields.len())
            .map_while(|number| self.given(&format!("{name}.member.{number}")))
            .collect()
    }

    /// The members of a list of pairs, such as `Tags.member.1.Key` and `Tags.member.1.Value`.
    pub(crate) fn pairs(&self, name: &str, key: &str, value: &str) -> Vec<(&str, &str)> {
        (1..=self.fields.len())
            .map_while(|number| {
                let of = |part| self.given(&format!("{name}.member.{number}.{part}"));
                Some((of(key)?, of(value).unwrap_or_default()))
            })
            .collect()
    }
}

fn decoded(text: &[u8]) -> Result<String, AwsError> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let text = percent_decode(&spaced).decode_utf8();
    Ok(text.map_err(|_| malformed("is not UTF-8"))?.into_owned())
}

fn malformed(how: &str) -> AwsError {
    let message = format!("The query string {how}");
    AwsError::new(StatusCode::BAD_REQUEST, "MalformedQueryString", message)
}

/// What does not have the form that the API reference states.
pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(StatusCode::BAD_REQUEST, "ValidationError", message)
}

/// An operation that the service does not have, or not here.
pub(crate) fn no_such_action(form: &Form) -> AwsError {
    let of = |name| form.get(name).unwrap_or_default();
    let message = format!(
        "Could not find operation {} for version {}",
        of("Action"),
        of("Version")
    );
    AwsError::new(StatusCode::BAD_REQUEST, "InvalidAction", message)
}

/// XML, element by element.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with a text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        // What XML cannot hold at all, escaped or not.
        let text = text.replace(|c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r'), "\u{fffd}");
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(&text)));
    }

    /// An element with a text, if there is one.
    pub(crate) fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// An element with others in it.
    pub(crate) fn node(&mut self, name: &str, inner: impl FnOnce(&mut Xml)) {
        self.0.push_str(&format!("<{name}>"));
        inner(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// A list of elements called `member`.
    pub(crate) fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        member: impl Fn(&mut Xml, T),
    ) {
        self.node(name, |xml| {
            for item in items {
                xml.node("member", |xml| member(xml, item));
            }
        });
    }
}

/// The answer to an operation that was done: `ACTIONResponse` with what `result` holds, if the operation has a result.
pub(crate) fn done(
    namespace: &str,
    action: &str,
    result: Option<&Xml>,
    ids: &RequestIds,
) -> Response<DoorBody> {
    let result = result.map_or_else(String::new, |result| {
        format!("<{action}Result>{}</{action}Result>", result.0)
    });
    let xml = format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </{action}Response>",
        ids.request_id
    );
    answer(StatusCode::OK, xml)
}

/// The answer to an operation that was not done.
pub(crate) fn refused(namespace: &str, error: &AwsError, ids: &RequestIds) -> Response<DoorBody> {
    let fault = match error.status.is_server_error() {
        true => "Receiver",
        false => "Sender",
    };
    let mut xml = Xml::default();
    xml.leaf("Type", fault);
    xml.leaf("Code", error.code);
    xml.leaf("Message", &error.message);
    let xml = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error>{}</Error><RequestId>{}</RequestId></ErrorResponse>",
        xml.0, ids.request_id
    );
    answer(error.status, xml)
}

fn answer(status: StatusCode, xml: String) -> Response<DoorBody> {
    let mut response = Response::new(full(xml));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn form(body: &'static str) -> Form {
        Form::read("x=y&Action=Other", &Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn forms_are_decoded_and_the_body_comes_before_the_query() {
        let form = form("Action=GetUser&a=a%20b+c&empty=");
        assert_eq!(form.get("Action"), Some("GetUser"));
        assert_eq!(form.get("a"), Some("a b c"));
        assert_eq!(form.get("x"), Some("y"));
        assert_eq!((form.get("empty"), form.given("empty")), (None, Some("")));
        assert_eq!(form.get("b"), None);
    }

    #[test]
    fn lists_end_at_the_first_number_that_is_missing() {
        let form = form(
            "L.member.1=a&L.member.2=b&L.member.4=d&T.member.1.Key=k&T.member.1.Value=v&T.member.2.Key=e",
        );
        assert_eq!(form.list("L"), ["a", "b"]);
        assert_eq!(form.pairs("T", "Key", "Value"), [("k", "v"), ("e", "")]);
    }

    #[test]
    fn what_is_not_a_form_is_refused() {
        assert!(Form::read("", &Bytes::from_static(b"a=%ff")).is_err());
        let many = "a=b&".repeat(FORM_FIELDS_MAX + 1);
        assert!(Form::read("", &Bytes::from(many)).is_err());
    }

    #[test]
    fn what_people_write_stays_text() {
        let mut xml = Xml::default();
        xml.members("List", ["<&>\0"], |xml, text| xml.leaf("Name", text));
        assert_eq!(
            xml.0,
            "<List><member><Name>&lt;&amp;&gt;\u{fffd}</Name></member></List>"
        );
    }
}
