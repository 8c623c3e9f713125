//! Roles: `AssumeRole` with another key, `AssumeRoleWithWebIdentity` with a token that a CI system or Kubernetes wrote.

use std::{fs, time::SystemTime};

use bytes::Bytes;
use http::{Request, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;
use zeroize::Zeroizing;

use super::{
    credentials::Credentials,
    identity::{NoKey, Search},
    sign::Signer,
    xml::Element,
};

const VERSION: &str = "2011-06-15";

/// A role to assume, with what `AssumeRole` takes beside its ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The session's name; `tidelock` when absent.
    pub session_name: Option<String>,
    /// What the role's trust policy asks for beside the key.
    pub external_id: Option<String>,
    /// How long, in seconds.
    pub duration_seconds: Option<String>,
    /// A policy, as JSON, that the session is kept within.
    pub policy: Option<String>,
    /// ARNs of managed policies, likewise.
    pub policy_arns: Vec<String>,
    /// Tags of the session.
    pub tags: Vec<(String, String)>,
    /// Those of them that stay when another role is assumed.
    pub transitive_tag_keys: Vec<String>,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

/// A role that is assumed with a token instead of a key.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    /// The role.
    pub role: Role,
    /// Where the token is.
    pub token: Token,
}

/// Where a token is.
#[derive(Clone)]
pub enum Token {
    /// In a file, which is read whenever the role is assumed: its writer renews it.
    File(String),
    /// Here.
    Text(Zeroizing<String>),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::File(path) => f.debug_tuple("File").field(path).finish(),
            Token::Text(_) => f.debug_tuple("Text").finish_non_exhaustive(),
        }
    }
}

impl Role {
    pub(super) fn new(arn: &str, session: Option<&str>) -> Role {
        Role {
            arn: arn.to_owned(),
            session_name: session.map(str::to_owned),
            ..Role::default()
        }
    }

    fn form(&self, action: &str) -> Vec<(String, Zeroizing<String>)> {
        let mut form: Vec<(String, &str)> = vec![
            ("Action".to_owned(), action),
            ("Version".to_owned(), VERSION),
            ("RoleArn".to_owned(), &self.arn),
            (
                "RoleSessionName".to_owned(),
                self.session_name.as_deref().unwrap_or("tidelock"),
            ),
        ];
        for (name, value) in [
            ("ExternalId", &self.external_id),
            ("DurationSeconds", &self.duration_seconds),
            ("Policy", &self.policy),
            ("SourceIdentity", &self.source_identity),
        ] {
            form.extend(value.as_deref().map(|value| (name.to_owned(), value)));
        }
        for (at, arn) in (1..).zip(&self.policy_arns) {
            form.push((format!("PolicyArns.member.{at}.arn"), arn));
        }
        for (at, (key, value)) in (1..).zip(&self.tags) {
            form.push((format!("Tags.member.{at}.Key"), key));
            form.push((format!("Tags.member.{at}.Value"), value));
        }
        for (at, key) in (1..).zip(&self.transitive_tag_keys) {
            form.push((format!("TransitiveTagKeys.member.{at}"), key));
        }
        let owned = |(name, value): (String, &str)| (name, Zeroizing::new(value.to_owned()));
        form.into_iter().map(owned).collect()
    }
}

/// Assumes the role with the key of somebody who may.
pub(super) async fn with_key(
    search: Search<'_>,
    role: &Role,
    key: &Credentials,
) -> Result<Credentials, NoKey> {
    let mut request = request(search, &role.form("AssumeRole"));
    let signer = Signer {
        service: "sts",
        region: search.settings.region.clone(),
    };
    signer.sign(&mut request, key, 0).map_err(NoKey)?;
    ask(search, request, &role.arn).await
}

/// Assumes the role with a token.
pub(super) async fn with_web_identity(
    search: Search<'_>,
    role: &Role,
    token: &Token,
) -> Result<Credentials, NoKey> {
    let token = match token {
        Token::Text(token) => token.clone(),
        Token::File(file) => {
            let path = search.settings.environment.path(file);
            let token = fs::read_to_string(&path).map(Zeroizing::new);
            token.map_err(|why| NoKey(format!("cannot read the token {}: {why}", path.display())))?
        }
    };
    let mut form = role.form("AssumeRoleWithWebIdentity");
    form.push((
        "WebIdentityToken".to_owned(),
        Zeroizing::new(token.trim().to_owned()),
    ));
    ask(search, request(search, &form), &role.arn).await
}

fn request(search: Search<'_>, form: &[(String, Zeroizing<String>)]) -> Request<Bytes> {
    let pair = |(name, value): &(String, Zeroizing<String>)| {
        format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
    };
    let body = form.iter().map(pair).collect::<Vec<_>>().join("&");
    let endpoint = search.settings.endpoint_or_aws("sts");
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = http::Method::POST;
    if let Ok(uri) = format!("{endpoint}/").parse::<http::Uri>() {
        let host = uri.authority().and_then(|host| host.as_str().parse().ok());
        request
            .headers_mut()
            .extend(host.map(|host| (header::HOST, host)));
        *request.uri_mut() = uri;
    }
    let kind = header::HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    request
}

async fn ask(search: Search<'_>, request: Request<Bytes>, arn: &str) -> Result<Credentials, NoKey> {
    let failed = |why: &str| NoKey(format!("the role {arn} cannot be assumed: {why}"));
    let answer = search.http.send(request, CLIENT_DOCUMENT_BYTES_MAX).await;
    let answer = answer.map_err(|why| failed(&why.to_string()))?;
    let root = Element::parse(&answer.body).ok_or_else(|| failed("STS did not answer as AWS describes"))?;
    if !answer.status.is_success() {
        let error = root.child("Error").unwrap_or(&root);
        let (code, message) = (error.text_of("Code"), error.text_of("Message"));
        return Err(failed(&format!(
            "{}: {}",
            code.unwrap_or("?"),
            message.unwrap_or("no message")
        )));
    }
    let result = root.children.iter().find(|child| child.name.ends_with("Result"));
    let issued = result.and_then(|result| result.child("Credentials"));
    let key = issued.and_then(|issued| {
        let key = Credentials::lasting(issued.text_of("AccessKeyId")?, issued.text_of("SecretAccessKey")?);
        let key = key.with_token(issued.text_of("SessionToken"));
        Some(key.until(issued.text_of("Expiration")?))
    });
    let key = key.ok_or_else(|| failed("STS answered without a key"))?;
    match key.holds_at(SystemTime::now()) {
        true => Ok(key),
        false => Err(failed(
            "the session ends before it begins; is this machine's clock right?",
        )),
    }
}
