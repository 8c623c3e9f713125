//! The door of operators: `/admin/…` with HTTP basic authentication, JSON in and out.
//!
//! What `tidelock`'s own commands ask for, and any script may. The first word of the path says what it is about, the
//! rest names one of these: a run's ID, a state's address. A refusal is `{"error": "…"}` with a fitting status.

mod access;
mod audit;
mod backup;
mod explain;
mod history;
mod iam;
mod import;
mod operator;
mod quarantine;
mod request;
mod root_key;
mod runs;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode, header, request::Parts};
use serde::Serialize;
use tidelock_core::limits::{ADMIN_BODY_BYTES_MAX, IAM_REQUEST_BYTES_MAX, OBJECT_BYTES_MAX};
use tidelock_service::{Error, Service};

use crate::{DoorBody, Trace, access::Access, audit::Audit, full, status};
use request::Request;

const PREFIX: &str = "/admin/";

/// Every request, as `GET /admin/locks/…`, and whether it is about nothing but the caller's own.
#[cfg(test)]
pub(crate) fn route_names() -> Vec<(String, bool)> {
    let name = |route: &access::Route| {
        let one = if route.one { "/…" } else { "" };
        let name = format!("{} {PREFIX}{}{one}", route.method, route.what);
        (name, route.on == access::On::Own)
    };
    access::ROUTES.iter().map(name).collect()
}

/// Whether a path is one of this door.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// The one request that carries a state.
const IMPORT: &str = "import";

/// The largest body of a request.
pub(crate) fn body_bytes_max(path: &str) -> u64 {
    let path = path.strip_prefix(PREFIX).unwrap_or_default();
    match path.split_once('/') {
        Some((IMPORT, _)) => OBJECT_BYTES_MAX,
        Some(("iam", _)) => IAM_REQUEST_BYTES_MAX,
        _ => ADMIN_BODY_BYTES_MAX,
    }
}

/// What a request asks for is one line here.
async fn answer(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (method, what, one) = (&request.method, request.what.as_str(), request.names_one());
    match (method, what, one) {
        (&Method::GET, "audit", false) => audit::read(request),
        (&Method::GET, "audit", true) => audit::one(request).await,
        (&Method::GET, "explain", true) => explain::request(request).await,
        (&Method::GET, "explain", false) => explain::one(request).await,
        (&Method::GET, "who-can", false) => explain::who_can(request).await,
        (&Method::GET, "locks", false) => operator::list(request).await,
        (&Method::GET, "locks", true) => operator::show(request).await,
        (&Method::POST, "unlock", true) => operator::unlock(request).await,
        (&Method::POST, "allow", true) => operator::allow(request).await,
        (&Method::POST, "freeze", true) => operator::freeze(request).await,
        (&Method::POST, "thaw", true) => operator::thaw(request).await,
        (&Method::GET, "quarantine", true) => quarantine::show(request).await,
        (&Method::POST, "adopt", true) => quarantine::adopt(request).await,
        (&Method::POST, "discard", true) => quarantine::discard(request).await,
        (&Method::PUT, IMPORT, true) => import::import(request).await,
        (&Method::GET, "history", true) => history::list(request).await,
        (&Method::GET, "version", true) => history::version(request).await,
        (&Method::GET, "body", true) => history::bytes(request).await,
        (&Method::GET, "blame", true) => history::blame(request).await,
        (&Method::GET, "find", false) => history::find(request).await,
        (&Method::GET, "states", false) => history::states(request).await,
        (&Method::POST, "rollback", true) => history::rollback(request).await,
        (&Method::POST, "gc", false) => history::gc(request).await,
        (&Method::GET, "root-key", false) => root_key::list(request).await,
        (&Method::GET, "root-key", true) => root_key::show(request),
        (&Method::POST, "root-key", true) => root_key::change(request).await,
        (&Method::GET, "backup", false) => backup::stream(request).await,
        (&Method::POST, "verify", false) => backup::verify(request).await,
        (&Method::GET, "iam", true) => iam::show(request),
        (&Method::POST, "iam", true) => iam::change(request).await,
        (&Method::PUT, "runs", true) => runs::begin_or_renew(request).await,
        (&Method::DELETE, "runs", true) => runs::end(request).await,
        _ => Err(request.not_there()),
    }
}

/// Answers a request of a known caller.
pub(crate) async fn handle<B>(
    service: &Arc<Service>,
    log: Option<&Arc<dyn Audit>>,
    access: Access,
    parts: Parts,
    body: B,
) -> Response<DoorBody>
where
    B: http_body::Body<Data = Bytes>,
{
    let mut trace = Trace {
        door: "admin",
        caller: access.caller().principal.clone(),
        address: parts.uri.path().to_owned(),
        ..Trace::default()
    };
    let answered = async {
        let request = Request::read(service, log, access, parts, body).await?;
        trace.operation = format!("{} {}", request.method, request.what);
        trace.address.clone_from(&request.name);
        access::authorize(&request).await?;
        answer(&request).await
    };
    let mut response = answered.await.unwrap_or_else(Refusal::answer);
    if !response.status().is_success() {
        trace.code = response.status().as_str().to_owned();
    }
    response.extensions_mut().insert(trace);
    response
}

/// Answers who has not shown a good key.
pub(crate) fn unauthorized() -> Response<DoorBody> {
    let message = "sign in with an access key id and its secret (see `tidelock env`)";
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).answer();
    let challenge = header::HeaderValue::from_static("Basic realm=\"tidelock\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response.extensions_mut().insert(Trace {
        door: "admin",
        code: "401".to_owned(),
        ..Trace::default()
    });
    response
}

/// Refuses while nothing can be done.
pub(crate) fn unavailable(why: &str) -> Response<DoorBody> {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why).answer()
}

/// Why a request was refused: one sentence, and a status.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            message: message.into(),
        }
    }

    fn answer(self) -> Response<DoorBody> {
        let mut response = json(&serde_json::json!({ "error": self.message }));
        *response.status_mut() = self.status;
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::new(status::of(&error), error.to_string())
    }
}

/// An answer of 200 with `value`.
fn json(value: &impl Serialize) -> Response<DoorBody> {
    let text = serde_json::to_vec(value).expect("answers have string keys and no failing Serialize");
    let mut response = Response::new(full(text));
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
