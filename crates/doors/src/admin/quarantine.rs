//! Refused state writes: `/admin/quarantine`, `adopt`, `discard`.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tidelock_service::RefusedWrite;

use super::{Refusal, json, request::Request};
use crate::{DoorBody, body};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adopt {
    id: u64,
    /// The MD5 of the state that it was compared with, in hexadecimal; empty for none.
    #[serde(default)]
    over_md5: Option<String>,
    /// The person, `user@host`; the key's owner where it does not say.
    #[serde(default)]
    who: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    id: u64,
}

/// `GET /admin/quarantine/ADDRESS`, and with `?id=N` the bytes of one
pub(super) async fn show(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let address = request.address()?;
    let Some(id) = request.parameter("id")? else {
        let kept = request.service.refused_writes(&address).await?;
        let kept: Vec<_> = kept.iter().map(entry).collect();
        return Ok(json(&json!({ "refused": kept })));
    };
    let bad = |_| Refusal::new(StatusCode::BAD_REQUEST, "the id of a refused write is a number");
    let kept = request
        .service
        .refused_write(&address, id.parse().map_err(bad)?)
        .await?;
    request.access.may_open(&address, &kept.body).await??;
    let reading = request
        .service
        .reading(&address, kept.id, &kept.body, 0..kept.body.size);
    let bytes = body::stream(reading).await?;
    let mut response = Response::new(bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(kept.body.size));
    Ok(response)
}

fn entry(kept: &RefusedWrite) -> serde_json::Value {
    let state = kept.body.state.as_ref();
    json!({
        "id": kept.id,
        "at_ms": kept.at,
        "caller": kept.caller,
        "reason": kept.reason,
        "serial": state.map(|state| state.serial),
        "lineage": state.map(|state| &state.lineage),
        "size": kept.body.size,
        "md5": kept.body.md5,
    })
}

pub(super) async fn adopt(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Adopt { id, over_md5, who } = request.json()?;
    let address = request.address()?;
    let kept = request.service.refused_write(&address, id).await?;
    request.access.may_restore(&address, &kept.body).await??;
    let (over, by) = (over_md5.as_deref(), request.by(&who));
    let version = request.service.adopt(&address, id, over, by).await?;
    let state = version.body.as_ref().and_then(|body| body.state.as_ref());
    Ok(json(
        &json!({ "serial": state.map(|state| state.serial), "version": version.id }),
    ))
}

pub(super) async fn discard(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Discard { id } = request.json()?;
    request.service.discard(&request.address()?, id).await?;
    Ok(json(&json!({ "id": id })))
}
