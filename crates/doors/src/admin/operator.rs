//! Locks under an operator's hand: `/admin/locks`, `unlock`, `allow`, `freeze`, `thaw`.

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tidelock_core::LockId;
use tidelock_service::OperatorError;

use super::{Refusal, access, json, request::Request};
use crate::DoorBody;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlock {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    #[serde(default)]
    rewind: bool,
    #[serde(default)]
    relineage: bool,
    for_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Freeze {
    reason: String,
    #[serde(default)]
    who: String,
}

/// `GET /admin/locks?prefix=P`
pub(super) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let prefix = request.parameter("prefix")?.unwrap_or_default();
    let (mut locks, more) = request.service.locks(&prefix).await?;
    access::keep(request, "tidelock:ListLocks", |lock| &lock.address, &mut locks).await?;
    Ok(json(&json!({ "locks": locks, "more": more })))
}

/// `GET /admin/locks/ADDRESS`
pub(super) async fn show(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    Ok(json(&request.service.status(&request.address()?).await?))
}

pub(super) async fn unlock(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Unlock { id } = request.json()?;
    let id = LockId::try_from(id.as_str());
    let id = id.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why.to_string()))?;
    let (address, caller) = (request.address()?, &request.caller);
    let freed = request.service.unlock(&address, &id, caller).await?;
    Ok(json(&json!({ "freed": freed })))
}

pub(super) async fn allow(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let wanted: Allow = request.json()?;
    let (address, caller) = (request.address()?, &request.caller);
    let allowed = request
        .service
        .allow(&address, wanted.rewind, wanted.relineage, wanted.for_ms, caller)
        .await?;
    Ok(json(&json!({ "allowed": allowed })))
}

pub(super) async fn freeze(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Freeze { reason, who } = request.json()?;
    let (address, caller) = (request.address()?, &request.caller);
    let who = if who.is_empty() { &caller.principal } else { &who };
    let frozen = request.service.freeze(&address, who, &reason, caller).await?;
    Ok(json(&json!({ "frozen": frozen })))
}

pub(super) async fn thaw(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let thawed = request.service.thaw(&request.address()?, &request.caller).await?;
    Ok(json(&json!({ "thawed": thawed })))
}

impl From<OperatorError> for Refusal {
    fn from(error: OperatorError) -> Refusal {
        let status = match error {
            OperatorError::NotHeld { held: None, .. } | OperatorError::NoSuchWrite { .. } => {
                StatusCode::NOT_FOUND
            }
            OperatorError::NotHeld { .. }
            | OperatorError::Frozen { .. }
            | OperatorError::NotFrozen { .. }
            | OperatorError::Locked { .. }
            | OperatorError::Overtaken(_)
            | OperatorError::OtherLineage { .. }
            | OperatorError::Sealed { .. } => StatusCode::CONFLICT,
            OperatorError::BackupUnderWay { .. } => StatusCode::SERVICE_UNAVAILABLE,
            OperatorError::Senseless(_) => StatusCode::BAD_REQUEST,
            OperatorError::Service(error) => return error.into(),
        };
        Refusal::new(status, error.to_string())
    }
}
