//! `PUT /admin/import/ADDRESS`: a version that was written elsewhere, with what is known of it in the query.
//!
//! `written_ms` always; `md5` with a body, or `deleted=true` without one. `number`, and JSON objects of the form that
//! `/admin/history` shows: `writer`, `lock`. What stands before it in its history: `follows_written_ms` and, unless
//! that was a deletion, `follows_md5`.

use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use tidelock_core::{Caller, LockId, Time, Writer, WriterLock, decide::Fingerprint};
use tidelock_service::{Foreign, ImportError};

use super::{Refusal, json, request::Request};
use crate::DoorBody;

pub(super) async fn import(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let address = request.address()?;
    let number = request.number("number")?.unwrap_or_default();
    let written = request
        .number("written_ms")?
        .ok_or_else(|| bad("it needs written_ms"))?;
    let deleted = request.parameter("deleted")?.as_deref() == Some("true");
    let md5 = request.parameter("md5")?;
    let (bytes, md5) = match (deleted, md5) {
        (true, None) if request.body.is_empty() => (None, String::new()),
        (false, Some(md5)) => (Some(request.body.clone()), md5),
        _ => return Err(bad("it needs a body and its md5, or deleted=true and neither")),
    };
    let follows = request.number("follows_written_ms")?.map(time).transpose()?;
    let follows_md5 = request.parameter("follows_md5")?;
    let foreign = Foreign {
        bytes,
        md5,
        written: time(written)?,
        number,
        writer: writer(request)?,
        follows: follows.map(|written| Fingerprint {
            written,
            md5: follows_md5,
        }),
    };
    let version = request.service.import(&address, foreign).await?;
    let number = version.as_ref().map(|version| version.seq);
    Ok(json(&json!({ "imported": version.is_some(), "version": number })))
}

fn writer(request: &Request<'_>) -> Result<Option<Writer>, Refusal> {
    let lock = object::<WriterLock>(request, "lock")?;
    if let Some(lock) = &lock {
        LockId::try_from(lock.id.as_str()).map_err(|why| bad(&why.to_string()))?;
    }
    let caller = object::<Caller>(request, "writer")?;
    Ok(caller.map(|caller| Writer { caller, lock }))
}

fn object<T: DeserializeOwned>(request: &Request<'_>, name: &str) -> Result<Option<T>, Refusal> {
    let text = request.parameter(name)?;
    let value = text.map(|text| serde_json::from_str(&text)).transpose();
    value.map_err(|why| bad(&format!("{name}: {why}")))
}

fn time(ms: u64) -> Result<Time, Refusal> {
    i64::try_from(ms)
        .map(Time)
        .map_err(|_| bad("a time is out of range"))
}

fn bad(why: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("the import is no good: {why}"))
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Refusal {
        let status = match error {
            ImportError::NoState(_) | ImportError::Damaged { .. } | ImportError::Ahead { .. } => {
                StatusCode::BAD_REQUEST
            }
            ImportError::Locked { .. } | ImportError::Newer { .. } | ImportError::Apart { .. } => {
                StatusCode::CONFLICT
            }
            ImportError::Service(error) => return error.into(),
        };
        Refusal::new(status, error.to_string())
    }
}
