//! `KEY.tflock`: the lock of `KEY`, shown as the file that `use_lockfile = true` expects (DESIGN 4.2 to 4.5).
//!
//! Source of what clients do: `internal/backend/remote-state/s3/client.go` of Terraform and OpenTofu. Taking the lock is
//! a conditional PUT; any PUT takes it here, because an unconditional one could only be meant to break it.

use bytes::Bytes;
use http::{Response, StatusCode};
use md5::{Digest, Md5};
use tidelock_core::{
    Address, Body, Content, Facet, Lock, LockInfo, Stored, Version, VersionId,
    decide::{Precondition, Release, Released},
    diff::visible,
};
use tidelock_service::{Error as ServiceError, LockRequest, Locking, described};

use super::{
    access,
    delete::check,
    error::{Code, Error, Result},
    request::{Request, empty, quoted, set},
};
use crate::{DoorBody, audit::Touched, aws_common::payload, caller::invocation, untold::Untold};

/// Takes the lock. The same ID again succeeds again: the first answer may have been lost.
///
/// # Errors
/// `PreconditionFailed` naming the holder; `InvalidRequest` for what is not a lock info.
pub(crate) async fn put(
    request: &Request<'_>,
    state: &Address,
    body: &payload::Body,
) -> Result<Response<DoorBody>> {
    let not_a_lock = |why: &dyn std::fmt::Display| {
        let message =
            format!("{state}.tflock is the lock file of {state} and takes Terraform's lock info only: {why}");
        Error::because(Code::InvalidRequest, message)
    };
    let (_, id) = LockInfo::parse(&body.bytes).map_err(|why| not_a_lock(&why))?;
    let info = String::from_utf8(body.bytes.to_vec()).map_err(|why| not_a_lock(&why))?;
    let wanted = LockRequest {
        id,
        info,
        facet: Facet::File,
        caller: request.caller.clone(),
    };
    match request.service.acquire(state, &wanted).await? {
        Locking::Granted(grant) => {
            let mut response = empty(StatusCode::OK);
            response.extensions_mut().insert(Untold::new(*grant));
            response.extensions_mut().insert(Touched::lock(&wanted.id));
            set(&mut response, "etag", &quoted(&hex::encode(body.md5)));
            if let Some(checksum) = &body.checksum {
                set(
                    &mut response,
                    checksum.algorithm().header(),
                    &checksum.to_base64(),
                );
            }
            Ok(response)
        }
        Locking::Refused { held } => Err(refused(state, &held)),
    }
}

fn refused(state: &Address, held: &Lock) -> Error {
    let (by, id) = (described(held), &held.id);
    let message = match held.is_freeze() {
        true => format!("{state} is frozen by {by}. An operator thaws it: tidelock thaw {state}"),
        false => format!(
            "At least one of the pre-conditions you specified did not hold: {state} is locked by {by}. Wait for it \
             (-lock-timeout), or if its holder is gone for good, terraform force-unlock {id}"
        ),
    };
    Error::because(Code::PreconditionFailed, visible(&message)).with("Condition", "If-None-Match")
}

fn of_another(state: &Address, held: &Lock) -> Error {
    let message = format!(
        "The lock of {state} is held by {}; to end it for them takes s3:DeleteObject on its lock file or \
         tidelock:ForceUnlock on the state",
        described(held)
    );
    Error::because(Code::AccessDenied, visible(&message))
}

/// The lock as a version of an object, and its bytes: the info as it was written through this door.
///
/// # Errors
/// `NoSuchKey` when there is no lock; `NoSuchVersion` for any version but `null`.
pub(crate) async fn find(
    request: &Request<'_>,
    file: &Address,
    state: &Address,
    id: Option<&VersionId>,
) -> Result<(Version, Bytes)> {
    request.access.bucket(state.bucket()).await?;
    let none_but_null = id.filter(|id| !id.is_null());
    let absent = || match id {
        Some(id) => ServiceError::NoSuchVersion {
            address: file.clone(),
            version: id.to_string(),
        },
        None => ServiceError::NoSuchKey {
            address: file.clone(),
            marker: None,
        },
    };
    match request.service.look(state, request.caller, &Facet::File).await? {
        Some(lock) if none_but_null.is_none() => Ok(view(&lock)),
        _ => Err(absent().into()),
    }
}

fn view(lock: &Lock) -> (Version, Bytes) {
    let info = Bytes::from(lock.info(&Facet::File).to_owned());
    let md5 = hex::encode(Md5::digest(&info));
    let body = Body {
        stored: Stored::default(),
        size: info.len() as u64,
        etag: md5.clone(),
        md5,
        state: None,
        content: Content {
            headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            ..Content::default()
        },
        part_sizes: Vec::new(),
        upload: None,
    };
    let version = Version {
        id: VersionId::null(),
        seq: 0,
        written: lock.since,
        body: Some(body),
        writer: None,
        hidden: None,
        place: None,
    };
    (version, info)
}

/// Gives the lock back. S3's DELETE carries no lock ID, so that whatever is held is meant, unless a condition says more
/// or the call repeats one that was done.
///
/// # Errors
/// `AccessDenied` for a lock that is another's to give back; `PreconditionFailed`, and `NoSuchKey` for a condition on what
/// is not held; when the bucket does not exist or the
/// engine fails.
pub(crate) async fn delete(
    request: &Request<'_>,
    file: &Address,
    state: &Address,
    id: Option<&VersionId>,
    precondition: &Precondition,
) -> Result<()> {
    request.access.bucket(state.bucket()).await?;
    if !id.is_none_or(VersionId::is_null) {
        return Ok(());
    }
    let mut release = Release {
        id: None,
        facet: Facet::File,
        caller: request.caller.clone(),
        invocation: invocation(request.headers),
        may_force: access::may_force(request, state),
    };
    if *precondition != Precondition::default() {
        let held = request.service.held(state, request.caller, &Facet::File).await?;
        let held = held.ok_or_else(|| ServiceError::NoSuchKey {
            address: file.clone(),
            marker: None,
        })?;
        check(precondition, &view(&held).0)?;
        release.id = Some(held.id);
    }
    match request.service.release(state, &release).await? {
        Released::Refused { held } if held.is_freeze() => Err(refused(state, &held)),
        Released::Refused { held } if release.id.as_ref().is_none_or(|id| *id == held.id) => {
            Err(of_another(state, &held))
        }
        Released::Refused { .. } => Err(Error::precondition("If-Match")),
        Released::Free | Released::FacetOff | Released::NotHeld => Ok(()),
    }
}
