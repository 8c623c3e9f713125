//! DeleteObject and DeleteObjects: with a version ID for good, without one as the bucket's versioning says.

use http::{Response, StatusCode};
use tidelock_core::{
    Address, Version, VersionId,
    decide::{Deleted, Precondition},
    limits::DELETE_KEYS_MAX,
};

use super::{
    access,
    conditions::{self, unquoted},
    error::{Code, Error, Result},
    lock_file, object_lock,
    request::{Request, document, empty, set},
    xml::{Document, Element},
};
use crate::{DoorBody, audit::Touched, aws_common::payload};

/// DeleteObject.
///
/// # Errors
/// In S3's words.
pub(crate) async fn object(request: &Request<'_>) -> Result<Response<DoorBody>> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if request.headers.contains_key(name) {
            return Err(Error::new(Code::NotImplemented).with("Header", name));
        }
    }
    let address = request.address()?;
    let id = request.version_id()?;
    let precondition = conditions::for_write(request.headers)?;
    let deleted = one(request, &address, id.as_ref(), precondition).await?;
    let mut response = empty(StatusCode::NO_CONTENT);
    let version = deleted.version.as_ref();
    if let Some(version) = version {
        response.extensions_mut().insert(Touched::version(version));
    }
    if version.is_some_and(|version| version.body.is_none()) {
        set(&mut response, "x-amz-delete-marker", "true");
    }
    if let Some(id) = id.as_ref().or(version.map(|version| &version.id)) {
        set(&mut response, "x-amz-version-id", id.as_str());
    }
    Ok(response)
}

/// One of several, each of which the caller must be allowed.
async fn one_of_batch(
    request: &Request<'_>,
    address: &Address,
    entry: &Entry,
    precondition: Precondition,
) -> Result<Deleted> {
    let names_etag = entry.etag.as_ref().is_some_and(|etag| etag != "*");
    access::may_delete(request, address, entry.id.as_ref(), names_etag)?;
    one(request, address, entry.id.as_ref(), precondition).await
}

async fn one(
    request: &Request<'_>,
    address: &Address,
    id: Option<&VersionId>,
    precondition: Precondition,
) -> Result<Deleted> {
    if let Some(state) = address.locked_by_file() {
        lock_file::delete(request, address, &state, id, &precondition).await?;
        return Ok(Deleted::default());
    }
    let service = request.service;
    let Some(id) = id else {
        return Ok(service.delete(address, precondition, request.caller).await?);
    };
    if precondition != Precondition::default() {
        check(&precondition, &service.find(address, Some(id)).await?)?;
    }
    Ok(match object_lock::bypasses(request)? {
        false => service.delete_version(address, id, request.caller).await?,
        true => {
            service
                .delete_governed_version(address, id, request.caller)
                .await?
        }
    })
}

/// Holds a condition against the version that is there.
///
/// # Errors
/// `PreconditionFailed`.
pub(crate) fn check(precondition: &Precondition, found: &Version) -> Result<()> {
    let etag = found.body.as_ref().map(|body| body.etag.as_str());
    let holds = |etags: &Vec<String>| etags.iter().any(|one| one == "*" || Some(one.as_str()) == etag);
    if precondition.absent || !precondition.etags.as_ref().is_none_or(holds) {
        return Err(Error::precondition("If-Match"));
    }
    Ok(())
}

/// One entry of a batch.
struct Entry {
    key: String,
    id: Option<VersionId>,
    etag: Option<String>,
}

/// DeleteObjects. Each key is deleted by itself; what fails is reported beside what did not.
///
/// # Errors
/// `MalformedXML`, `NoSuchBucket`, or `InvalidRequest` when nothing vouches for the body.
pub(crate) async fn batch(request: &Request<'_>, body: &payload::Body) -> Result<Response<DoorBody>> {
    if body.checksum.is_none() && !request.headers.contains_key("content-md5") {
        return Err(Error::because(
            Code::InvalidRequest,
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ));
    }
    let bucket = request.bucket()?;
    request.service.bucket(bucket).await?;
    let list = Element::parse(&body.bytes, "Delete")?;
    let quiet = list.child_text("Quiet") == Some("true");
    let entries: Vec<Entry> = list.all("Object").map(entry).collect::<Result<_>>()?;
    if entries.is_empty() || entries.len() > DELETE_KEYS_MAX {
        return Err(Error::new(Code::MalformedXML));
    }
    let mut xml = Document::new("DeleteResult");
    for entry in &entries {
        let precondition = Precondition {
            absent: false,
            etags: entry.etag.clone().map(|etag| vec![etag]),
        };
        let outcome = match Address::new(bucket, &entry.key) {
            Ok(address) => one_of_batch(request, &address, entry, precondition).await,
            Err(why) => Err(why.into()),
        };
        request.access.touches(touched(bucket, entry, &outcome));
        report(&mut xml, entry, outcome, quiet);
    }
    Ok(document(xml))
}

/// What the audit log says of one of a batch.
fn touched(bucket: &str, entry: &Entry, outcome: &Result<Deleted>) -> Touched {
    let made = outcome.as_ref().ok().and_then(|deleted| deleted.version.as_ref());
    let version = entry.id.as_ref().or(made.map(|version| &version.id));
    Touched {
        version: version.map(VersionId::to_string).unwrap_or_default(),
        code: outcome.as_ref().err().map_or("", |error| error.code).to_owned(),
        ..Touched::at(format!("{bucket}/{}", entry.key))
    }
}

fn entry(object: &Element) -> Result<Entry> {
    for name in ["LastModifiedTime", "Size"] {
        if object.child(name).is_some() {
            return Err(Error::not_implemented(&format!("DeleteObjects with {name}")));
        }
    }
    let key = object
        .child("Key")
        .ok_or_else(|| Error::new(Code::MalformedXML))?;
    Ok(Entry {
        key: key.raw_text().to_owned(),
        id: object
            .child_text("VersionId")
            .filter(|id| !id.is_empty())
            .map(VersionId::from),
        etag: object.child_text("ETag").map(|etag| unquoted(etag).to_owned()),
    })
}

fn report(xml: &mut Document, entry: &Entry, outcome: Result<Deleted>, quiet: bool) {
    let id = entry.id.as_ref().map(VersionId::as_str);
    match outcome {
        Ok(_) if quiet => {}
        Ok(deleted) => {
            xml.open("Deleted").text("Key", &entry.key).maybe("VersionId", id);
            if let Some(marker) = deleted.version.filter(|version| version.body.is_none()) {
                xml.text("DeleteMarker", "true")
                    .text("DeleteMarkerVersionId", marker.id.as_str());
            }
            xml.close();
        }
        Err(error) => {
            xml.open("Error")
                .text("Key", &entry.key)
                .maybe("VersionId", id)
                .text("Code", error.code)
                .text("Message", error.message())
                .close();
        }
    }
}
