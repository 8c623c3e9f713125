//! STS and IAM, which take forms, and KMS, which takes JSON: each is asked a question or two.

use bytes::Bytes;
use http::{Request, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;

use crate::{
    aws::{Access, Answer, Element, Why},
    layout::Layout,
};

/// The endpoint of a service beside S3; `None` where S3 is elsewhere and this one would be AWS's own, which knows nothing of
/// that other place's keys.
fn endpoint(layout: &Layout, service: &str) -> Option<String> {
    let settings = &layout.access.settings;
    let told = settings.endpoint(service);
    let is_elsewhere = settings.endpoint("s3").is_some();
    match told {
        Some(told) => Some(told.trim_end_matches('/').to_owned()),
        None if is_elsewhere => None,
        None => Some(settings.endpoint_of_aws(service)),
    }
}

/// The answer of STS or IAM; an error is its code and sentence, or why there is none.
pub(super) async fn form(
    layout: &Layout,
    service: &'static str,
    fields: &[(String, String)],
) -> Result<Element, String> {
    let endpoint = endpoint(layout, service).ok_or_else(|| format!("no endpoint is named for {service}"))?;
    let pair =
        |(name, value): &(String, String)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
    let request = Request::post(format!("{endpoint}/"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .map_err(|why| why.to_string())?;
    let answer = ask(&layout.access, service, &request).await?;
    let root = Element::parse(&answer.body);
    if answer.status.is_success() {
        return root.ok_or_else(|| format!("{service} did not answer as AWS does"));
    }
    let root = root.unwrap_or_default();
    let error = root
        .child("Error")
        .or_else(|| root.child("Errors")?.child("Error"))
        .unwrap_or(&root);
    let (code, message) = (error.text_of("Code"), error.text_of("Message"));
    let status = answer.status.as_str().to_owned();
    Err(format!(
        "{}: {}",
        code.unwrap_or(&status),
        message.unwrap_or("no message")
    ))
}

/// What KMS says of the state of a key, such as `Enabled`.
pub(super) async fn kms_key_state(layout: &Layout, key: &str) -> Result<String, String> {
    let endpoint = endpoint(layout, "kms").ok_or("no endpoint is named for kms")?;
    let request = Request::post(format!("{endpoint}/"))
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "TrentService.DescribeKey")
        .body(Bytes::from(json!({ "KeyId": key }).to_string()))
        .map_err(|why| why.to_string())?;
    let answer = ask(&layout.access, "kms", &request).await?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let state = body["KeyMetadata"]["KeyState"].as_str();
    state
        .map(str::to_owned)
        .ok_or_else(|| Why::of_json(answer.status, &answer.body).to_string())
}

async fn ask(access: &Access, service: &'static str, request: &Request<Bytes>) -> Result<Answer, String> {
    let answer = access
        .call(service, request, CLIENT_DOCUMENT_BYTES_MAX, |_| String::new())
        .await;
    answer.map_err(|why| why.to_string())
}
