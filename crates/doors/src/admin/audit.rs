//! The audit log for operators: `/admin/audit`, and `/admin/audit/verify`.

use std::sync::Arc;

use futures_util::StreamExt;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tidelock_service::{EngineError, Error};

use super::{Refusal, json, request::Request};
use crate::{
    DoorBody,
    audit::{Audit, Filter, Mark, Wanted},
    body::BodyError,
};

/// `GET /admin/audit`: one entry a line, oldest first, each a JSON object. `after=SEQ`, `since_ms=T`, `last=N` and `follow=true`
/// say which and whether to go on; `address`, `principal`, `action`, `request` and `denied=true` let through what they name.
/// Empty lines show that the answer is alive.
pub(super) fn read(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let wanted = wanted(request)?;
    let pieces = log(request)?.read(wanted).map(|piece| match piece {
        Ok(bytes) => Ok(Frame::data(bytes)),
        Err(why) => Err(BodyError(Error::Engine(EngineError::Unavailable(
            why.to_string(),
        )))),
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn wanted(request: &Request<'_>) -> Result<Wanted, Refusal> {
    let number = |name| {
        Ok::<_, Refusal>(
            request
                .number(name)?
                .map(|number| usize::try_from(number).unwrap_or(usize::MAX)),
        )
    };
    let since_ms = request.number("since_ms")?;
    Ok(Wanted {
        after: request.number("after")?.unwrap_or_default(),
        since_ms: since_ms.map(|since| i64::try_from(since).unwrap_or(i64::MAX)),
        last: number("last")?,
        follow: request.is_true("follow")?,
        filter: Filter {
            address: request.parameter("address")?,
            principal: request.parameter("principal")?,
            action: request.parameter("action")?,
            request_id: request.parameter("request")?,
            denied: request.is_true("denied")?,
        },
    })
}

/// `GET /admin/audit/verify?from=SEQ:HASH`
pub(super) async fn one(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    if request.name != "verify" {
        let message = format!("there is no GET /admin/audit/{}", request.name);
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    }
    let from = request.parameter("from")?;
    let bad = || {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "from is to be SEQ:HASH, as verify prints it",
        )
    };
    let from = from
        .map(|from| from.parse::<Mark>().map_err(|_| bad()))
        .transpose()?;
    let verified = log(request)?.verify(from).await;
    let verified =
        verified.map_err(|why| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))?;
    Ok(json(&verified))
}

pub(super) fn log<'a>(request: &Request<'a>) -> Result<&'a Arc<dyn Audit>, Refusal> {
    let none = || Refusal::new(StatusCode::NOT_FOUND, "this server keeps no audit log");
    request.log.ok_or_else(none)
}
