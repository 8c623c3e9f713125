//! The doors: protocol adapters over one service, all on one port.
//!
//! A request is told apart by what its client could not help sending: the operation header of the JSON services,
//! then the service in the scope of its signature, then HTTP basic authentication, which only `backend "http"` and
//! operators use; these two differ by their path. Whatever is left is S3's. No door answers before it knows who asks.

mod access;
mod admin;
pub mod audit;
pub mod aws_common;
mod body;
mod caller;
pub mod dynamodb;
mod iam;
mod kms;
mod log;
mod peer;
mod query;
#[cfg(test)]
#[path = "tests/reference.rs"]
mod reference;
mod s3;
mod status;
mod sts;
mod terraform_http;
#[cfg(test)]
#[path = "tests/unauthorised/mod.rs"]
mod unauthorised;
mod untold;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use percent_encoding::percent_decode_str;
use tidelock_core::{
    Caller, Time,
    limits::{
        BODY_BUDGET_MIB, IAM_REQUEST_BYTES_MAX, JSON_BODY_BYTES_MAX, LOCK_INFO_BYTES_MAX, OBJECT_BYTES_MAX,
        SMALL_BODY_BYTES_MAX, UNPROVEN_BODY_BUDGET_MIB,
    },
};
use tidelock_service::{Credential, Service};
use tokio::sync::{Semaphore, SemaphorePermit};

use access::{Access, Policies};
use audit::{Asked, Audit};
use aws_common::{
    authorization::{self, stated_credential},
    error::{AuthError, AwsError},
    keys::Keyring,
    payload,
    request_id::{RANDOM_BYTES, RequestIds},
    sigv4::{Claim, Verified},
    time::http_date,
};
pub use body::{BodyError, DoorBody};
pub(crate) use body::{full, stream};
pub use log::Trace;
pub use peer::Peer;
pub use s3::block_public_access;
use untold::Untold;

/// Every door over one service.
pub struct Doors {
    service: Arc<Service>,
    keyring: Arc<Keyring>,
    hosts: Vec<String>,
    audit: Option<Arc<dyn Audit>>,
    policies: Arc<Policies>,
    /// Memory for bodies of which nothing is proven yet, in MiB.
    unproven: Semaphore,
}

/// What goes with a request on its way to a door.
#[derive(Clone, Copy)]
struct Way<'a> {
    asked: &'a Asked,
    ids: &'a RequestIds,
    now: Time,
}

/// Who asks through which protocol, before the signature is looked at.
enum Door {
    DynamoDb(String),
    Kms(String),
    Sts,
    Iam,
    TerraformHttp,
    Admin,
    OtherJson,
    OtherService(String),
    S3,
}

impl Doors {
    /// Doors to `service` for the keys of `keyring`.
    #[must_use]
    pub fn new(service: Arc<Service>, keyring: Arc<Keyring>) -> Doors {
        Doors {
            service,
            keyring,
            hosts: Vec::new(),
            audit: None,
            policies: Arc::default(),
            unproven: Semaphore::new(UNPROVEN_BODY_BUDGET_MIB),
        }
    }

    /// The same, known by the names `hosts` too: below them, as below `localhost` and `s3.…`, a further label is a bucket.
    #[must_use]
    pub fn with_hosts(mut self, hosts: Vec<String>) -> Doors {
        self.hosts = hosts;
        self
    }

    /// The same, with a log in which every request leaves an entry before it is answered.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<dyn Audit>) -> Doors {
        self.audit = Some(audit);
        self
    }

    /// Answers one request, and writes one line about it to the log.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<DoorBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send,
    {
        let started = std::time::Instant::now();
        let line = log::Line::of(&request, peer);
        let ids = self.request_ids();
        let (parts, body) = request.into_parts();
        let now = self.service.now();
        let stated = stated_credential(&parts);
        let door = door(&parts, stated.as_ref());
        let mut asked = Asked::of(&parts, peer, &ids, &self.service, self.audit.as_ref());
        asked.through(&door, stated);
        let mut response = match asked.ready() {
            Ok(()) => {
                let way = Way {
                    asked: &asked,
                    ids: &ids,
                    now,
                };
                let mut response = self.answer(&door, parts, body, way).await;
                let kept = asked.answered(&mut response).await;
                kept.err().map_or(response, |why| {
                    let may_be = format!("{why}; what was asked may have been done: ask again");
                    door.unavailable(&may_be, &ids)
                })
            }
            Err(why) => {
                asked.leaves_nothing();
                door.unavailable(&format!("{why}; nothing is done until it can be"), &ids)
            }
        };
        let grant = response.extensions_mut().remove().and_then(Untold::tell);
        if let Some(grant) = grant {
            response.extensions_mut().insert(grant);
        }
        let headers = response.headers_mut();
        set(headers, "x-amzn-requestid", &ids.request_id);
        set(headers, header::DATE.as_str(), &http_date(now));
        set(headers, header::SERVER.as_str(), "Tidelock");
        line.write(&response, &ids.request_id, started.elapsed());
        response
    }

    async fn answer(
        &self,
        door: &Door,
        parts: Parts,
        body: impl Body<Data = Bytes>,
        way: Way<'_>,
    ) -> Response<DoorBody> {
        match door {
            Door::DynamoDb(operation) => self.dynamodb(operation, parts, body, way).await,
            Door::Kms(operation) => self.kms(operation, parts, body, way).await,
            Door::Sts => self.sts(parts, body, way).await,
            Door::Iam => self.iam(parts, body, way).await,
            Door::TerraformHttp => self.terraform_http(parts, body, way).await,
            Door::Admin => self.admin(parts, body, way).await,
            Door::OtherJson => dynamodb::unknown_operation(),
            Door::OtherService(service) => sts::not_served(service, way.ids),
            Door::S3 => self.s3(parts, body, way).await,
        }
    }

    async fn s3(&self, parts: Parts, body: impl Body<Data = Bytes>, way: Way<'_>) -> Response<DoorBody> {
        let Way { asked, ids, now } = way;
        let door = s3::Door {
            service: &self.service,
            hosts: &self.hosts,
            ids,
        };
        let claim = Claim::read(&parts, &self.keyring, "s3", now);
        match claim.and_then(|claim| claim.verify(None)) {
            Ok(verified) => {
                let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
                let is_lock = path.ends_with(".tflock");
                let _room = self.room(&parts.headers, body_bytes_max(is_lock)).await;
                let access = self.access(&verified, &parts.headers, asked);
                self.service.saw(access.caller());
                door.handle(verified, access, parts, body).await
            }
            Err(error) => door.refuse(&error, &parts),
        }
    }

    async fn sts(&self, parts: Parts, body: impl Body<Data = Bytes>, way: Way<'_>) -> Response<DoorBody> {
        let Way { asked, ids, now } = way;
        let claim = match Claim::read(&parts, &self.keyring, "sts", now) {
            Ok(claim) => Some(claim),
            Err(AuthError::MissingAuthentication) => None,
            Err(error) => return sts::refuse(&error, ids),
        };
        let collected = payload::collect(&parts.headers, body, sts::BODY_BYTES_MAX).await;
        // A body that cannot be had cannot be the one that was signed.
        let (bytes, sha256) = collected.unwrap_or_default();
        let verified = match claim.map(|claim| claim.verify(Some(sha256))).transpose() {
            Ok(verified) => verified,
            Err(error) => return sts::refuse(&error, ids),
        };
        let form = match sts::form(parts.uri.query().unwrap_or_default(), &bytes) {
            Ok(form) => form,
            Err(error) => return sts::refused(&error, ids),
        };
        match verified {
            _ if sts::is_web(&form) => {
                let access = |credential: Credential| {
                    let caller = caller::of(&credential, &parts.headers, asked.peer);
                    asked.is_by(&caller);
                    self.access_of(caller, Arc::new(credential), "", &parts.headers, asked)
                };
                sts::handle_web(&self.service, &form, access, ids).await
            }
            Some(verified) => {
                let access = self.access(&verified, &parts.headers, asked);
                sts::handle(&self.service, access, &form, ids).await
            }
            None => sts::refuse(&AuthError::MissingAuthentication, ids),
        }
    }

    async fn iam(&self, parts: Parts, body: impl Body<Data = Bytes>, way: Way<'_>) -> Response<DoorBody> {
        let Way { asked, ids, now } = way;
        let claim = match Claim::read(&parts, &self.keyring, "iam", now) {
            Ok(claim) => claim,
            Err(error) => return iam::refuse(&error, ids),
        };
        let _room = self.unproven_room(&parts.headers, IAM_REQUEST_BYTES_MAX).await;
        let collected = payload::collect(&parts.headers, body, IAM_REQUEST_BYTES_MAX).await;
        // A body that cannot be had cannot be the one that was signed.
        let (form, sha256) = collected.unwrap_or_default();
        match claim.verify(Some(sha256)) {
            Ok(verified) => {
                let access = self.access(&verified, &parts.headers, asked);
                let query = parts.uri.query().unwrap_or_default();
                iam::handle(&self.service, access, query, &form, ids).await
            }
            Err(error) => iam::refuse(&error, ids),
        }
    }

    async fn dynamodb(
        &self,
        operation: &str,
        parts: Parts,
        body: impl Body<Data = Bytes>,
        way: Way<'_>,
    ) -> Response<DoorBody> {
        let signed = self.signed_json("dynamodb", JSON_BODY_BYTES_MAX, &parts, body, way.now);
        match signed.await {
            Ok((verified, bytes, room)) => {
                // Whoever waits for a lock must not keep others from sending.
                let _room = room.filter(|_| bytes.len() as u64 > SMALL_BODY_BYTES_MAX);
                let access = self.access(&verified, &parts.headers, way.asked);
                self.service.saw(access.caller());
                let invocation = caller::invocation(&parts.headers);
                dynamodb::handle(&self.service, access, operation, invocation, bytes).await
            }
            Err(error) => dynamodb::refuse(&error),
        }
    }

    async fn kms(
        &self,
        operation: &str,
        parts: Parts,
        body: impl Body<Data = Bytes>,
        way: Way<'_>,
    ) -> Response<DoorBody> {
        let signed = self.signed_json("kms", kms::BODY_BYTES_MAX, &parts, body, way.now);
        match signed.await {
            Ok((verified, bytes, _room)) => {
                let access = self.access(&verified, &parts.headers, way.asked);
                kms::handle(&self.service, access, operation, bytes).await
            }
            Err(error) => kms::refuse(&error),
        }
    }

    /// A request of a JSON protocol whose signature is good, with its body and the room that this takes.
    async fn signed_json(
        &self,
        service: &'static str,
        bytes_max: u64,
        parts: &Parts,
        body: impl Body<Data = Bytes>,
        now: Time,
    ) -> Result<(Verified, Bytes, Option<SemaphorePermit<'_>>), AwsError> {
        let claim = Claim::read(parts, &self.keyring, service, now).map_err(|error| error.json())?;
        let room = self.unproven_room(&parts.headers, bytes_max).await;
        let collected = payload::collect(&parts.headers, body, bytes_max).await;
        let (bytes, sha256) = collected.map_err(|error| error.json())?;
        let verified = claim.verify(Some(sha256)).map_err(|error| error.json())?;
        Ok((verified, bytes, room))
    }

    async fn terraform_http(
        &self,
        parts: Parts,
        body: impl Body<Data = Bytes>,
        way: Way<'_>,
    ) -> Response<DoorBody> {
        let Some(access) = self.basic_access(&parts.headers, way.asked, way.now) else {
            return terraform_http::unauthorized();
        };
        self.service.saw(access.caller());
        let is_lock = matches!(parts.method.as_str(), "LOCK" | "UNLOCK");
        let _room = self.room(&parts.headers, body_bytes_max(is_lock)).await;
        terraform_http::handle(&self.service, access, parts, body).await
    }

    async fn admin(&self, parts: Parts, body: impl Body<Data = Bytes>, way: Way<'_>) -> Response<DoorBody> {
        let Some(access) = self.basic_access(&parts.headers, way.asked, way.now) else {
            return admin::unauthorized();
        };
        let bytes_max = admin::body_bytes_max(parts.uri.path());
        let _room = self.room(&parts.headers, bytes_max).await;
        admin::handle(&self.service, self.audit.as_ref(), access, parts, body).await
    }

    /// What the sender of a signed request may do.
    fn access(&self, verified: &Verified, headers: &HeaderMap, asked: &Asked) -> Access {
        let (identity, credential) = (&verified.identity, Arc::clone(&verified.credential));
        let caller = caller::of(&credential, headers, asked.peer);
        asked.is_by(&caller);
        self.access_of(caller, credential, &identity.region, headers, asked)
    }

    /// What the sender of a request with basic authentication may do, when its secret is right.
    fn basic_access(&self, headers: &HeaderMap, asked: &Asked, now: Time) -> Option<Access> {
        let (caller, credential) = caller::of_basic(&self.keyring, headers, asked.peer, now)?;
        asked.is_by(&caller);
        Some(self.access_of(caller, credential, "", headers, asked))
    }

    fn access_of(
        &self,
        caller: Caller,
        credential: Arc<Credential>,
        region: &str,
        headers: &HeaderMap,
        asked: &Asked,
    ) -> Access {
        let mut facts = access::facts(headers, asked.peer, region, self.service.now());
        if let Some(session) = &credential.session {
            facts.add(&session.context);
        }
        let doors = (&self.service, &self.policies);
        Access::new(doors, credential, caller, region, facts).noting(asked.notes())
    }

    /// Waits until there is memory for the body that the headers declare.
    async fn room(&self, headers: &HeaderMap, max_bytes: u64) -> Option<SemaphorePermit<'_>> {
        self.service.room(room_mib(headers, max_bytes)).await
    }

    /// The same, for a body that comes before its signature can be verified.
    async fn unproven_room(&self, headers: &HeaderMap, max_bytes: u64) -> Option<SemaphorePermit<'_>> {
        self.unproven
            .acquire_many(room_mib(headers, max_bytes))
            .await
            .ok()
    }

    fn request_ids(&self) -> RequestIds {
        let mut random = [0; RANDOM_BYTES];
        for piece in random.chunks_mut(16) {
            piece.copy_from_slice(&self.service.random()[..piece.len()]);
        }
        RequestIds::from_random(random)
    }
}

impl Door {
    fn name(&self) -> &'static str {
        match self {
            Door::DynamoDb(_) | Door::OtherJson => "dynamodb",
            Door::Kms(_) => "kms",
            Door::Sts | Door::OtherService(_) => "sts",
            Door::Iam => "iam",
            Door::TerraformHttp => "http",
            Door::Admin => "admin",
            Door::S3 => "s3",
        }
    }

    /// Answers who asks while nothing can be kept of it.
    fn unavailable(&self, why: &str, ids: &RequestIds) -> Response<DoorBody> {
        let error = |code| AwsError::new(StatusCode::SERVICE_UNAVAILABLE, code, why);
        match self {
            Door::DynamoDb(_) | Door::OtherJson => dynamodb::refuse(&error("ServiceUnavailableException")),
            Door::Kms(_) => kms::refuse(&error("DependencyTimeoutException")),
            Door::Sts | Door::OtherService(_) => sts::refused(&error("ServiceUnavailable"), ids),
            Door::Iam => iam::refused(&error("ServiceUnavailable"), ids),
            Door::TerraformHttp => terraform_http::unavailable(error("ServiceUnavailable")),
            Door::Admin => admin::unavailable(why),
            Door::S3 => s3::unavailable(&error("ServiceUnavailable"), ids),
        }
    }
}

fn door(parts: &Parts, stated: Option<&authorization::Credential>) -> Door {
    if let Some(target) = parts.headers.get("x-amz-target") {
        let target = target.to_str().unwrap_or_default();
        if let Some(operation) = target.strip_prefix("TrentService.") {
            return Door::Kms(operation.to_owned());
        }
        return match target.strip_prefix("DynamoDB_20120810.") {
            Some(operation) => Door::DynamoDb(operation.to_owned()),
            None => Door::OtherJson,
        };
    }
    match stated.map(|credential| credential.service.as_str()) {
        Some("s3") => return Door::S3,
        Some("sts") => return Door::Sts,
        Some("iam") => return Door::Iam,
        Some("dynamodb") => return Door::OtherJson,
        Some(other) => return Door::OtherService(other.to_owned()),
        None => {}
    }
    let (path, basic) = (parts.uri.path(), caller::basic(&parts.headers).is_some());
    let unsigned = basic || !parts.headers.contains_key(header::AUTHORIZATION);
    if unsigned && admin::is_path(path) {
        return Door::Admin;
    }
    if basic || (unsigned && terraform_http::is_path(path)) {
        return Door::TerraformHttp;
    }
    if query::is_form(parts) {
        Door::Sts
    } else {
        Door::S3
    }
}

/// The largest body of a request that may carry a state, or only a lock info.
fn body_bytes_max(is_lock: bool) -> u64 {
    if is_lock {
        LOCK_INFO_BYTES_MAX as u64
    } else {
        OBJECT_BYTES_MAX
    }
}

/// How much memory a body may take, in MiB: what the headers declare, and the most there can be where they do not.
/// Small ones are bounded by the number of connections, and may be held for as long as their sender waits for a lock.
fn room_mib(headers: &HeaderMap, max_bytes: u64) -> u32 {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let bytes = match headers.contains_key(header::TRANSFER_ENCODING) {
        true => max_bytes,
        false => declared.unwrap_or(0).min(max_bytes),
    };
    if bytes <= SMALL_BODY_BYTES_MAX {
        return 0;
    }
    let mib = u32::try_from(bytes.div_ceil(1_024 * 1_024)).unwrap_or(u32::MAX);
    mib.min(BODY_BUDGET_MIB as u32)
}

/// Sets a header to a value that is known to be one.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_no_stated_length_takes_the_room_of_the_largest() {
        let mut headers = HeaderMap::new();
        assert_eq!(room_mib(&headers, JSON_BODY_BYTES_MAX), 0);
        headers.insert(header::CONTENT_LENGTH, 1_500_000.into());
        assert_eq!(room_mib(&headers, JSON_BODY_BYTES_MAX), 2);
        headers.insert(header::CONTENT_LENGTH, u64::MAX.into());
        assert_eq!(room_mib(&headers, JSON_BODY_BYTES_MAX), 16);
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(
            header::TRANSFER_ENCODING,
            header::HeaderValue::from_static("chunked"),
        );
        assert_eq!(room_mib(&headers, JSON_BODY_BYTES_MAX), 16);
        assert_eq!(
            room_mib(&headers, body_bytes_max(true)),
            0,
            "a lock that waits takes no room"
        );
    }
}
