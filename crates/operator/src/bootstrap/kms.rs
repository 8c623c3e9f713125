//! The KMS key that is wanted: its ARN, and that it can be used.

use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value, json};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;

use super::Error;
use crate::aws::{Access, Answer, Why, code_of_json};

/// The ARN of a key that is named by ID, alias or ARN. S3 looks an alias up in the account of whoever asks, so that the ARN
/// is what belongs into a bucket's settings. Where the key may not be described, it is taken as it was named.
pub(super) async fn arn(access: &Access, key: &str) -> Result<String, Error> {
    let refused = |why: String| Error::Key {
        key: key.to_owned(),
        why,
    };
    let settings = &access.settings;
    let told = settings.endpoint("kms");
    let endpoint = told.unwrap_or_else(|| settings.endpoint_of_aws("kms"));
    let request = Request::post(format!("{}/", endpoint.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "TrentService.DescribeKey")
        .body(Bytes::from(json!({ "KeyId": key }).to_string()));
    let request = request.map_err(|why| refused(why.to_string()))?;
    let code = |answer: &Answer| code_of_json(&answer.body).0;
    let answer = access
        .call("kms", &request, CLIENT_DOCUMENT_BYTES_MAX, code)
        .await;
    let answer = answer.map_err(|none| refused(Why::unanswered(none, "KMS", &endpoint).to_string()))?;
    if !answer.status.is_success() {
        return match code(&answer).as_str() {
            "AccessDeniedException" => Ok(key.to_owned()),
            _ => Err(refused(Why::of_json(answer.status, &answer.body).to_string())),
        };
    }
    let found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let found = &found["KeyMetadata"];
    match (found["KeyState"].as_str(), found["Arn"].as_str()) {
        (Some("Enabled") | None, Some(arn)) => Ok(arn.to_owned()),
        (Some(state), Some(_)) => Err(refused(format!("it is {state}; new states could not be written"))),
        (_, None) => Err(refused("KMS did not describe it as AWS does".to_owned())),
    }
}
