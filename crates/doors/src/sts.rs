//! The STS door: who am I. Query protocol: a form in, XML out.
//!
//! Source: AWS Security Token Service API reference, version 2011-06-15.

use http::{Response, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use tidelock_core::Caller;

use crate::{
    DoorBody, Trace,
    aws_common::{
        error::{AuthError, AwsError},
        request_id::RequestIds,
        sigv4::Identity,
    },
    full,
};

/// Longest form: role session policies are the largest field, and at most 2 KB.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1_024;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whether an unsigned request is a form of a query service.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    parts.uri.path() == "/" && kind.starts_with("application/x-www-form-urlencoded")
}

/// Answers a signed request.
pub(crate) fn handle(
    identity: &Identity,
    caller: &Caller,
    query: &str,
    form: &[u8],
    ids: &RequestIds,
) -> Response<DoorBody> {
    let form = String::from_utf8_lossy(form);
    let find = |name: &str| field(&form, name).or_else(|| field(query, name));
    let action = find("Action").unwrap_or_default();
    let mut response = match action.as_str() {
        "GetCallerIdentity" => ok(identity, ids),
        _ => {
            let version = find("Version").unwrap_or_default();
            let message = format!("Could not find operation {action} for version {version}");
            error(
                &AwsError::new(StatusCode::BAD_REQUEST, "InvalidAction", message),
                ids,
            )
        }
    };
    let code = if response.status().is_success() {
        String::new()
    } else {
        "InvalidAction".to_owned()
    };
    response.extensions_mut().insert(Trace {
        door: "sts",
        operation: action,
        address: "-".to_owned(),
        caller: caller.principal.clone(),
        code,
    });
    response
}

/// Refuses a request whose signature is not good.
pub(crate) fn refuse(why: &AuthError, ids: &RequestIds) -> Response<DoorBody> {
    error(&why.query(), ids)
}

/// Answers a request that is signed for a service which is not served here.
pub(crate) fn not_served(service: &str, ids: &RequestIds) -> Response<DoorBody> {
    let message = format!("Tidelock does not serve {service}; it serves s3, dynamodb and sts");
    error(
        &AwsError::new(StatusCode::BAD_REQUEST, "InvalidAction", message),
        ids,
    )
}

/// The first value of a form's field, decoded.
fn field(form: &str, name: &str) -> Option<String> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| decode(key) == name)
        .map(|(_, value)| decode(value))
}

fn ok(identity: &Identity, ids: &RequestIds) -> Response<DoorBody> {
    let xml = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId>\
         <Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        escape(&identity.principal_arn),
        escape(&identity.access_key_id),
        escape(&identity.account_id),
        ids.request_id
    );
    answer(StatusCode::OK, xml)
}

fn error(error: &AwsError, ids: &RequestIds) -> Response<DoorBody> {
    let xml = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{}</RequestId></ErrorResponse>",
        error.code,
        escape(&error.message),
        ids.request_id
    );
    let mut response = answer(error.status, xml);
    response.extensions_mut().insert(Trace {
        door: "sts",
        code: error.code.to_owned(),
        ..Trace::default()
    });
    response
}

fn answer(status: StatusCode, xml: String) -> Response<DoorBody> {
    let mut response = Response::new(full(xml));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml"));
    response
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn forms_are_decoded() {
        let form = "Action=GetCallerIdentity&Version=2011-06-15&x=a%20b+c";
        assert_eq!(field(form, "Action").as_deref(), Some("GetCallerIdentity"));
        assert_eq!(field(form, "x").as_deref(), Some("a b c"));
        assert_eq!(field(form, "y"), None);
    }
}
