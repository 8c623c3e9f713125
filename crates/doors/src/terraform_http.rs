//! The door of `backend "http"`: `/state/BUCKET/KEY` with LOCK, UNLOCK, GET, POST and DELETE.
//!
//! Source: `internal/backend/remote-state/http/client.go` of Terraform. Terraform shows its user only the status of
//! a refusal, but waiters read the holder's lock info out of the body of a 423.

mod access;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Response, StatusCode, header, request::Parts};
use http_body::Body;
use percent_encoding::percent_decode_str;
use tidelock_core::{
    Address, Caller, Content, Facet, Lock, LockId, LockInfo,
    decide::{Claim, Precondition, Release, Released, Why},
    diff::visible,
    limits::{LOCK_INFO_BYTES_MAX, OBJECT_BYTES_MAX},
    outputs_only,
};
use tidelock_service::{Error, LockRequest, Locking, NewBody, Service, described};

use crate::{
    DoorBody, Trace,
    access::Access,
    audit::Touched,
    aws_common::{
        error::AwsError,
        payload::{self, PayloadError, Rules},
        sigv4::PayloadForm,
    },
    full, status,
    untold::Untold,
};
use access::Permit;

const PREFIX: &str = "/state/";

/// Whether a path is one of this door.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Why a request was refused, in the few words HTTP has for it.
enum Refusal {
    Plain {
        status: StatusCode,
        message: String,
    },
    /// 423 with the holder's lock info, which a waiter needs to go on waiting.
    Held(Box<Lock>),
}

impl Refusal {
    fn plain(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal::Plain {
            status,
            message: message.into(),
        }
    }
}

impl From<AwsError> for Refusal {
    fn from(error: AwsError) -> Refusal {
        Refusal::Plain {
            status: error.status,
            message: error.message,
        }
    }
}

impl From<PayloadError> for Refusal {
    fn from(error: PayloadError) -> Refusal {
        error.s3().into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match &error {
            Error::State { why, .. } if let Why::Locked(held) = why.as_ref() => Refusal::Held(held.clone()),
            Error::NoSuchBucket(bucket) => {
                let message =
                    format!("The bucket {bucket} does not exist. Create it first: aws s3 mb s3://{bucket}");
                // 404 would say that there is no state yet, and Terraform would plan to create everything anew.
                Refusal::plain(StatusCode::BAD_REQUEST, message)
            }
            _ => Refusal::plain(status::of(&error), error.to_string()),
        }
    }
}

/// Answers who has not shown a good key.
pub(crate) fn unauthorized() -> Response<DoorBody> {
    let message = "Set username to an access key id and password to its secret (see `tidelock env`).\n";
    let mut response = Response::new(full(message));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let challenge = header::HeaderValue::from_static("Basic realm=\"tidelock\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response.extensions_mut().insert(Trace {
        door: "http",
        code: "Unauthorized".to_owned(),
        ..Trace::default()
    });
    response
}

/// Refuses while nothing can be done.
pub(crate) fn unavailable(why: AwsError) -> Response<DoorBody> {
    refuse(why.into())
}

/// What a state takes.
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "LOCK", "UNLOCK"];

/// Answers a request of a known caller.
pub(crate) async fn handle(
    service: &Arc<Service>,
    access: Access,
    parts: Parts,
    body: impl Body<Data = Bytes>,
) -> Response<DoorBody> {
    let caller = access.caller();
    let answer = async {
        let (method, address) = (parts.method.as_str(), address(parts.uri.path())?);
        if !METHODS.contains(&method) {
            let message = "A state takes GET, POST, PUT, DELETE, LOCK and UNLOCK.";
            return Err(Refusal::plain(StatusCode::METHOD_NOT_ALLOWED, message));
        }
        let permit = access::authorize(&access, method, &address).await?;
        match method {
            "LOCK" => lock(service, &address, caller, &parts, body).await,
            "UNLOCK" => unlock(service, &address, caller, &permit, &parts, body).await,
            "POST" | "PUT" => write(service, &address, &access, &parts, body).await,
            "DELETE" => delete(service, &address, caller).await,
            _ => read(service, &access, &address, permit.outputs_only).await,
        }
    };
    let mut response = answer.await.unwrap_or_else(refuse);
    let code = if response.status().is_success() {
        String::new()
    } else {
        response.status().as_str().to_owned()
    };
    response.extensions_mut().insert(Trace {
        caller: caller.principal.clone(),
        door: "http",
        operation: parts.method.to_string(),
        address: percent_decode_str(parts.uri.path().trim_start_matches(PREFIX))
            .decode_utf8_lossy()
            .into_owned(),
        code,
    });
    response
}

fn refuse(refusal: Refusal) -> Response<DoorBody> {
    let (status, kind, body) = match refusal {
        Refusal::Plain { status, message } => (status, "text/plain; charset=utf-8", message + "\n"),
        Refusal::Held(lock) => (
            StatusCode::LOCKED,
            "application/json",
            lock.info(&Facet::Http).to_owned(),
        ),
    };
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

fn address(path: &str) -> Result<Address, Refusal> {
    let bad = |message: String| Refusal::plain(StatusCode::BAD_REQUEST, message);
    let text = path
        .strip_prefix(PREFIX)
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "States are at /state/BUCKET/KEY."))?;
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| bad("The path is not UTF-8.".to_owned()))?;
    let address =
        Address::parse(&text).map_err(|why| bad(format!("{why}; states are at /state/BUCKET/KEY.")))?;
    match address.locked_by_file() {
        Some(_) => Err(bad(format!(
            "{address} is the name of a lock file, not of a state."
        ))),
        None => Ok(address),
    }
}

async fn text(parts: &Parts, body: impl Body<Data = Bytes>) -> Result<Bytes, Refusal> {
    Ok(payload::collect(&parts.headers, body, LOCK_INFO_BYTES_MAX as u64)
        .await?
        .0)
}

async fn lock(
    service: &Arc<Service>,
    address: &Address,
    caller: &Caller,
    parts: &Parts,
    body: impl Body<Data = Bytes>,
) -> Result<Response<DoorBody>, Refusal> {
    let info = text(parts, body).await?;
    let bad = |why: String| Refusal::plain(StatusCode::BAD_REQUEST, why);
    let (_, id) = LockInfo::parse(&info).map_err(|why| bad(why.to_string()))?;
    let info = String::from_utf8(info.to_vec()).map_err(|why| bad(why.to_string()))?;
    let wanted = LockRequest {
        id,
        info,
        facet: Facet::Http,
        caller: caller.clone(),
    };
    match service.acquire(address, &wanted).await? {
        Locking::Granted(grant) => {
            let mut response = Response::new(full(""));
            response.extensions_mut().insert(Untold::new(*grant));
            response.extensions_mut().insert(Touched::lock(&wanted.id));
            Ok(response)
        }
        Locking::Refused { held } => Err(Refusal::Held(held)),
    }
}

async fn unlock(
    service: &Arc<Service>,
    address: &Address,
    caller: &Caller,
    permit: &Permit,
    parts: &Parts,
    body: impl Body<Data = Bytes>,
) -> Result<Response<DoorBody>, Refusal> {
    let info = text(parts, body).await?;
    // Terraform's `force-unlock` sends nothing, and means whatever is held.
    let id = match info.iter().all(u8::is_ascii_whitespace) {
        true => None,
        false => {
            let parsed = LockInfo::parse(&info);
            Some(
                parsed
                    .map_err(|why| Refusal::plain(StatusCode::BAD_REQUEST, why.to_string()))?
                    .1,
            )
        }
    };
    let release = Release {
        id,
        facet: Facet::Http,
        caller: caller.clone(),
        invocation: None,
        may_force: permit.may_force,
    };
    let is_meant = |held: &Lock| release.id.as_ref().is_none_or(|id| *id == held.id);
    match service.release(address, &release).await? {
        Released::Free | Released::FacetOff | Released::NotHeld => Ok(Response::new(full(""))),
        Released::Refused { held } if is_meant(&held) && !held.is_freeze() => Err(of_another(address, &held)),
        Released::Refused { held } => Err(Refusal::Held(held)),
    }
}

fn of_another(address: &Address, held: &Lock) -> Refusal {
    let message = format!(
        "The lock of {address} is held by {}; to end it for them takes tidelock:ForceUnlock on the state or \
         s3:DeleteObject on its lock file",
        described(held)
    );
    Refusal::plain(StatusCode::FORBIDDEN, visible(&message))
}

/// The state, or its outputs and nothing else: for `terraform_remote_state`.
async fn read(
    service: &Arc<Service>,
    access: &Access,
    address: &Address,
    outputs_only: bool,
) -> Result<Response<DoorBody>, Refusal> {
    let version = service.find(address, None).await?;
    let gone = || Refusal::plain(StatusCode::NOT_FOUND, format!("{address} has no state."));
    let body = version.body.as_ref().ok_or_else(gone)?;
    access.may_open(address, body).await??;
    let mut response = Response::new(match outputs_only {
        true => full(outputs(
            address,
            &service.read_all(address, version.seq, body).await?,
        )?),
        false => crate::stream(service.reading(address, version.seq, body, 0..body.size)).await?,
    });
    response.extensions_mut().insert(Touched::version(&version));
    let headers = response.headers_mut();
    let kind = header::HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    if !outputs_only {
        headers.insert(header::CONTENT_LENGTH, body.size.into());
        let md5 = STANDARD.encode(hex::decode(&body.md5).unwrap_or_default());
        crate::set(headers, "content-md5", &md5);
    }
    Ok(response)
}

fn outputs(address: &Address, state: &[u8]) -> Result<Vec<u8>, Refusal> {
    outputs_only(state).ok_or_else(|| {
        let message = format!("{address} is no plain state, so its outputs cannot be told from the rest.");
        Refusal::plain(StatusCode::FORBIDDEN, message)
    })
}

async fn write(
    service: &Arc<Service>,
    address: &Address,
    access: &Access,
    parts: &Parts,
    body: impl Body<Data = Bytes>,
) -> Result<Response<DoorBody>, Refusal> {
    let lock_id = lock_id(parts.uri.query().unwrap_or_default())?;
    let rules = Rules {
        max_bytes: OBJECT_BYTES_MAX,
        checksum_is_of_body: false,
    };
    let body = payload::read(&parts.headers, PayloadForm::Unsigned, body, rules).await?;
    let mut content = Content::default();
    content
        .headers
        .insert("content-type".to_owned(), "application/json".to_owned());
    let bucket = service.bucket(address.bucket()).await?;
    access.may_seal(&bucket, address, &mut content).await??;
    let new = NewBody {
        bytes: body.bytes,
        md5: body.md5,
        content,
        precondition: Precondition::default(),
        claim: Claim::Lock(lock_id),
        restores: false,
    };
    let version = service.put(address, new, access.caller()).await?;
    let mut response = Response::new(full(""));
    response.extensions_mut().insert(Touched::version(&version));
    Ok(response)
}

fn lock_id(query: &str) -> Result<Option<LockId>, Refusal> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("ID="))
        .filter(|value| !value.is_empty());
    let Some(value) = value else { return Ok(None) };
    let decoded = percent_decode_str(value).decode_utf8_lossy();
    let id = LockId::try_from(decoded.as_ref());
    id.map(Some)
        .map_err(|why| Refusal::plain(StatusCode::BAD_REQUEST, why.to_string()))
}

async fn delete(
    service: &Arc<Service>,
    address: &Address,
    caller: &Caller,
) -> Result<Response<DoorBody>, Refusal> {
    service.delete(address, Precondition::default(), caller).await?;
    Ok(Response::new(full("")))
}
