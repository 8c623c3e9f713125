//! Beginning, renewing and ending a run: `PUT` and `DELETE /admin/runs/ID`.

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tidelock_service::RunError;

use super::{Refusal, json, request::Request};
use crate::DoorBody;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    lease_ms: u64,
}

pub(super) async fn begin_or_renew(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Begin { lease_ms } = request.json()?;
    let run = request
        .service
        .begin_or_renew(&request.name, lease_ms, &request.caller)
        .await?;
    Ok(json(&json!({ "id": request.name, "until_ms": run.until })))
}

pub(super) async fn end(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    request.service.end_run(&request.name, &request.caller).await?;
    Ok(json(&json!({ "id": request.name })))
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Refusal {
        let status = match error {
            RunError::Id | RunError::Lease => StatusCode::BAD_REQUEST,
            RunError::OfAnother { .. } => StatusCode::FORBIDDEN,
            RunError::Ended => StatusCode::CONFLICT,
            RunError::Service(error) => return error.into(),
        };
        Refusal::new(status, error.to_string())
    }
}
