//! The KMS door: keys, aliases, key policies and small ciphertexts as `TrentService` has them, JSON 1.1 on the wire.
//!
//! A request is read strictly (`request`), and the policies are asked about the keys that it names (`access`) before anything is
//! done. Source: AWS Key Management Service API reference, version 2014-11-01.

mod access;
mod aliases;
mod crypto;
mod error;
mod keys;
mod policies;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value as Json, json};
use tidelock_core::kms::{KmsError, KmsKey};
use tidelock_service::Service;

use crate::{DoorBody, Trace, access::Access, aws_common::error::AwsError, full};
use error::{Error, Result};
use request::Request;

/// Longest body: a policy or a plaintext in JSON's longest form, and an encryption context.
pub(crate) const BODY_BYTES_MAX: u64 = 512 * 1_024;

/// Every operation of this door.
pub(crate) const OPERATIONS: [&str; 29] = [
    "CreateKey",
    "DescribeKey",
    "ListKeys",
    "UpdateKeyDescription",
    "EnableKey",
    "DisableKey",
    "EnableKeyRotation",
    "DisableKeyRotation",
    "GetKeyRotationStatus",
    "RotateKeyOnDemand",
    "ListKeyRotations",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
    "CreateAlias",
    "UpdateAlias",
    "DeleteAlias",
    "ListAliases",
    "GetKeyPolicy",
    "PutKeyPolicy",
    "ListKeyPolicies",
    "TagResource",
    "UntagResource",
    "ListResourceTags",
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateRandom",
];

/// Operations that AWS has and this door does not.
const NOT_HERE: [&str; 25] = [
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "CreateGrant",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "GetKeyLastUsage",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListGrants",
    "ListRetirableGrants",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "UpdateCustomKeyStore",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
];

/// One request, as the operations see it.
pub(crate) struct Asked<'a> {
    service: &'a Service,
    access: &'a Access,
    request: &'a Request,
}

impl Asked<'_> {
    /// The key that a field names by its ID or ARN.
    async fn key(&self, field: &str) -> Result<Arc<KmsKey>> {
        let kms = self.service.kms().await?;
        let key = access::strict(&kms, self.access.account(), self.request.key(field)?)?;
        Ok(Arc::clone(key))
    }
}

/// Answers one authenticated request; `operation` is what follows `TrentService.` in `X-Amz-Target`.
pub(crate) async fn handle(
    service: &Service,
    access: Access,
    operation: &str,
    body: Bytes,
) -> Response<DoorBody> {
    let request = Request::parse(&body);
    let key = request
        .as_ref()
        .ok()
        .and_then(|request| request.key("KeyId").ok());
    let mut trace = Trace {
        door: "kms",
        operation: operation.to_owned(),
        address: key.unwrap_or("-").to_owned(),
        caller: access.caller().principal.clone(),
        ..Trace::default()
    };
    let answered = match &request {
        _ if NOT_HERE.contains(&operation) => {
            let message = format!("Tidelock does not implement {operation}; nothing was changed");
            Err(KmsError::Unsupported(message).into())
        }
        _ if !OPERATIONS.contains(&operation) => Err(Error::UnknownOperation),
        Ok(request) => {
            let asked = Asked {
                service,
                access: &access,
                request,
            };
            match asked.may(operation).await {
                Ok(()) => answer(&asked, operation).await,
                Err(error) => Err(error),
            }
        }
        Err(_) => Err(Error::Serialization(
            "The request body is not a JSON object".to_owned(),
        )),
    };
    let (status, body) = match answered {
        Ok(answer) => (StatusCode::OK, Some(answer)),
        Err(error) => {
            error.code().clone_into(&mut trace.code);
            (error.status(), Some(error.body()))
        }
    };
    respond(status, body.filter(|body| !body.is_null()), trace)
}

/// What an operation answers; null for none (a table, and as long as one).
async fn answer(asked: &Asked<'_>, operation: &str) -> Result<Json> {
    match operation {
        "CreateKey" => keys::create(asked).await,
        "DescribeKey" => keys::describe(asked).await,
        "ListKeys" => keys::list(asked).await,
        "UpdateKeyDescription" => keys::update_description(asked).await,
        "EnableKey" => keys::enable(asked).await,
        "DisableKey" => keys::disable(asked).await,
        "EnableKeyRotation" => keys::enable_rotation(asked).await,
        "DisableKeyRotation" => keys::disable_rotation(asked).await,
        "GetKeyRotationStatus" => keys::rotation_status(asked).await,
        "RotateKeyOnDemand" => keys::rotate(asked).await,
        "ListKeyRotations" => keys::list_rotations(asked).await,
        "ScheduleKeyDeletion" => keys::schedule_deletion(asked).await,
        "CancelKeyDeletion" => keys::cancel_deletion(asked).await,
        "CreateAlias" => aliases::create(asked).await,
        "UpdateAlias" => aliases::update(asked).await,
        "DeleteAlias" => aliases::delete(asked).await,
        "ListAliases" => aliases::list(asked).await,
        "GetKeyPolicy" => policies::get(asked).await,
        "PutKeyPolicy" => policies::put(asked).await,
        "ListKeyPolicies" => policies::list(asked).await,
        "TagResource" => keys::tag(asked).await,
        "UntagResource" => keys::untag(asked).await,
        "ListResourceTags" => keys::list_tags(asked).await,
        "Encrypt" => crypto::encrypt(asked).await,
        "Decrypt" => crypto::decrypt(asked).await,
        "ReEncrypt" => crypto::re_encrypt(asked).await,
        "GenerateDataKey" => crypto::data_key(asked, true).await,
        "GenerateDataKeyWithoutPlaintext" => crypto::data_key(asked, false).await,
        "GenerateRandom" => crypto::random(asked),
        _ => Err(Error::UnknownOperation),
    }
}

/// Refuses a request whose signature is not good, or whose body is not the one that was signed.
pub(crate) fn refuse(why: &AwsError) -> Response<DoorBody> {
    let trace = Trace {
        door: "kms",
        code: why.code.to_owned(),
        ..Trace::default()
    };
    let body = json!({ "__type": why.code, "message": why.message });
    respond(why.status, Some(body), trace)
}

fn respond(status: StatusCode, body: Option<Json>, trace: Trace) -> Response<DoorBody> {
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.extensions_mut().insert(trace);
    response
}

/// A time as this protocol has it: seconds, with a fraction.
#[allow(clippy::cast_precision_loss)]
fn seconds(time: tidelock_core::Time) -> Json {
    json!(time.0 as f64 / 1_000.0)
}

/// One page of a list, whose entries have names in ascending order.
fn page<T>(
    request: &Request,
    (default, max): (usize, i64),
    mut all: Vec<(String, T)>,
    list: &str,
    show: impl Fn(T) -> Json,
) -> Result<Json> {
    let (limit, marker) = request.page(default, max)?;
    all.sort_by(|one, other| one.0.cmp(&other.0));
    if let Some(marker) = marker {
        all.retain(|(name, _)| name.as_str() > marker);
    }
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|(name, _)| name.clone());
    let shown: Vec<Json> = all.into_iter().map(|(_, one)| show(one)).collect();
    let mut answer = json!({ list: shown, "Truncated": more });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(answer)
}
