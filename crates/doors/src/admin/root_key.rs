//! Root keys: `GET /admin/root-key` lists them, `POST /admin/root-key/rotate` begins a rotation, `GET /admin/root-key/rotation` tells
//! how far it is.

use http::{Response, StatusCode};
use tidelock_service::RotationError;

use super::{Refusal, json, request::Request};
use crate::DoorBody;

pub(super) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    Ok(json(&request.service.root_keys().await?))
}

/// What one of them is asked for by its name.
pub(super) fn show(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    match request.name.as_str() {
        "rotation" => Ok(json(&request.service.rotation())),
        name => Err(unknown(name)),
    }
}

pub(super) async fn change(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    match request.name.as_str() {
        "rotate" => Ok(json(&request.service.rotate().await?)),
        name => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Refusal {
    let message = format!("there is nothing called {name:?} about root keys");
    Refusal::new(StatusCode::NOT_FOUND, message)
}

impl From<RotationError> for Refusal {
    fn from(error: RotationError) -> Refusal {
        let status = match error {
            RotationError::Running | RotationError::NotOurs(_) | RotationError::Store(_) => {
                StatusCode::CONFLICT
            }
            RotationError::Service(error) => return error.into(),
        };
        Refusal::new(status, error.to_string())
    }
}
