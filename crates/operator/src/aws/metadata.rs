//! The key of the machine itself: of a container (ECS, EKS Pod Identity) or of an EC2 instance (IMDSv2).

use std::{fs, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;
use tokio::time;

use super::{
    credentials::Credentials,
    identity::{NoKey, Search, issued},
};

/// Where ECS's agent answers, and EC2's metadata. Both are link-local.
const ECS: &str = "http://169.254.170.2";
const EC2: &str = "http://169.254.169.254";

/// Off AWS nobody answers at that address; it is not waited for longer than AWS's clients do.
const INSTANCE_WAIT: Duration = Duration::from_secs(1);

/// Whatever this machine has.
pub(super) async fn of_machine(search: Search<'_>) -> Result<Option<Credentials>, NoKey> {
    match of_container(search).await? {
        Some(key) => Ok(Some(key)),
        None => of_instance(search).await,
    }
}

/// The key that the container's agent gives, where the variables name one.
pub(super) async fn of_container(search: Search<'_>) -> Result<Option<Credentials>, NoKey> {
    let get = |name| search.settings.environment.get(name);
    let relative = get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{ECS}{path}"));
    let Some(url) = relative.or_else(|| get("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned)) else {
        return Ok(None);
    };
    let failed = |why: String| NoKey(format!("the container's agent at {url}: {why}"));
    let token = match get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(fs::read_to_string(file).map_err(|why| failed(format!("{file}: {why}")))?),
        None => get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let mut request = Request::get(&url)
        .body(Bytes::new())
        .map_err(|why| failed(why.to_string()))?;
    if !is_safe(request.uri()) {
        return Err(failed(
            "a key is asked for over TLS or on this machine only".to_owned(),
        ));
    }
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(token.trim()).map_err(|why| failed(why.to_string()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let answer = search.http.send(request, CLIENT_DOCUMENT_BYTES_MAX).await;
    let answer = answer.map_err(|why| failed(why.to_string()))?;
    match answer.status.is_success() {
        true => issued("the container's agent", &answer.body).map(Some),
        false => Err(failed(answer.status.to_string())),
    }
}

/// The key of the instance's role; `None` off EC2.
pub(super) async fn of_instance(search: Search<'_>) -> Result<Option<Credentials>, NoKey> {
    let environment = &search.settings.environment;
    if environment.is_true("AWS_EC2_METADATA_DISABLED") {
        return Ok(None);
    }
    let base = environment
        .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .unwrap_or(EC2);
    let ask = async |method: Method, path: &str, (name, value): (&'static str, &[u8])| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/latest/{path}", base.trim_end_matches('/')));
        let request = request.header(name, value).body(Bytes::new()).ok()?;
        let answer = time::timeout(
            INSTANCE_WAIT,
            search.http.send(request, CLIENT_DOCUMENT_BYTES_MAX),
        )
        .await;
        answer
            .ok()?
            .ok()
            .filter(|answer| answer.status.is_success())
            .map(|answer| answer.body)
    };
    let lifetime: (_, &[u8]) = ("x-aws-ec2-metadata-token-ttl-seconds", b"300");
    let Some(token) = ask(Method::PUT, "api/token", lifetime).await else {
        return Ok(None);
    };
    let token: (_, &[u8]) = ("x-aws-ec2-metadata-token", &token);
    let roles = "meta-data/iam/security-credentials/";
    let Some(name) = ask(Method::GET, roles, token).await else {
        return Ok(None);
    };
    let name = String::from_utf8_lossy(&name);
    let path = format!("{roles}{}", name.lines().next().unwrap_or_default());
    match ask(Method::GET, &path, token).await {
        Some(text) => issued("the instance's metadata", &text).map(Some),
        None => Ok(None),
    }
}

/// Whether a secret may come back over this connection: encrypted, or from this host.
fn is_safe(uri: &http::Uri) -> bool {
    let is_local = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "169.254.170.2",
        "169.254.170.23",
        "[fd00:ec2::23]",
    ];
    uri.scheme_str() == Some("https") || uri.host().is_some_and(|host| is_local.contains(&host))
}
