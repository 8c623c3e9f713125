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

/// A role to assume.
pub(super) struct Role {
    arn: String,
    session: String,
    pub(super) external_id: Option<String>,
    pub(super) duration_seconds: Option<String>,
}

impl Role {
    pub(super) fn new(arn: &str, session: Option<&str>) -> Role {
        Role {
            arn: arn.to_owned(),
            session: session.unwrap_or("tidelock").to_owned(),
            external_id: None,
            duration_seconds: None,
        }
    }

    fn form(&self, action: &str) -> Vec<(&'static str, Zeroizing<String>)> {
        let mut form = vec![
            ("Action", action),
            ("Version", VERSION),
            ("RoleArn", &self.arn),
            ("RoleSessionName", &self.session),
        ];
        form.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        form.extend(
            self.duration_seconds
                .as_deref()
                .map(|seconds| ("DurationSeconds", seconds)),
        );
        let owned = |(name, value): (_, &str)| (name, Zeroizing::new(value.to_owned()));
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

/// Assumes the role with the token in a file.
pub(super) async fn with_web_identity(
    search: Search<'_>,
    role: &Role,
    file: &str,
) -> Result<Credentials, NoKey> {
    let path = search.settings.environment.path(file);
    let token = fs::read_to_string(&path).map(Zeroizing::new);
    let token = token.map_err(|why| NoKey(format!("cannot read the token {}: {why}", path.display())))?;
    let mut form = role.form("AssumeRoleWithWebIdentity");
    form.push(("WebIdentityToken", Zeroizing::new(token.trim().to_owned())));
    ask(search, request(search, &form), &role.arn).await
}

fn request(search: Search<'_>, form: &[(&'static str, Zeroizing<String>)]) -> Request<Bytes> {
    let pair = |(name, value): &(_, Zeroizing<String>)| {
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
