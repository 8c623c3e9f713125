//! GetObject, HeadObject and GetObjectAttributes: one version's headers, and its bytes in pieces.

use std::ops::Range;

use bytes::Bytes;
use http::{Response, StatusCode};
use md5::{Digest, Md5};
use tidelock_core::{Address, Body, Version, limits::CONFLICT_RETRIES_MAX, outputs_only};

use super::{
    checksums,
    conditions::ReadConditions,
    encryption::{check_customer_key, may_open},
    error::{Code, Error, Result},
    headers::class_of,
    lock_file,
    object::{describe_version, part_number},
    object_lock, range,
    request::{Request, document, empty, quoted, set},
    xml::Document,
};
use crate::aws_common::time::http_date;
use crate::{DoorBody, full, stream};

/// Where the bytes of a version are.
pub(crate) enum Source {
    /// In the engine.
    Stored,
    /// Here.
    Held(Bytes),
}

/// GetObject and HeadObject.
///
/// # Errors
/// In S3's words.
pub(crate) async fn get(request: &Request<'_>) -> Result<Response<DoorBody>> {
    for _ in 1..CONFLICT_RETRIES_MAX {
        match found(request).await {
            Err(error) if is_overtaken(&error) && request.version_id()?.is_none() => {}
            answer => return answer,
        }
    }
    found(request).await
}

/// Whether what was found was overwritten or deleted before it was read, so that something else is there now.
pub(crate) fn is_overtaken(error: &Error) -> bool {
    error.code == Code::SlowDown.name()
}

/// The answer from what is found now.
async fn found(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let (version, source) = find(request).await?;
    let body = match &version.body {
        Some(body) => body,
        None => return Err(delete_marker(&version)),
    };
    let stored = matches!(source, Source::Stored);
    // A lock file was never encrypted: its readers' SSE-C headers, or their absence, say nothing.
    if stored {
        check_customer_key(request.headers, "x-amz-", &body.content)?;
    }
    ReadConditions::of_get(request.headers)?.check(&body.etag, version.written)?;
    let wanted = wanted(request, body)?;
    let mut response = empty(StatusCode::OK);
    describe(&mut response, &version, body);
    if stored {
        describe_version(request, &mut response, &version).await?;
    }
    show_checksums(request, &mut response, body, wanted.range.is_some())?;
    override_headers(request, &mut response);
    let range = tell_range(&mut response, wanted, body.size);
    set(
        &mut response,
        "content-length",
        &(range.end - range.start).to_string(),
    );
    if !request.head {
        if stored {
            may_open(request, &request.address()?, body).await?;
        }
        *response.body_mut() = bytes_of(request, &version, body, source, range).await?;
    }
    Ok(response)
}

/// Makes the answer a partial one if it is, and says which bytes it has.
fn tell_range(response: &mut Response<DoorBody>, wanted: Wanted, size: u64) -> Range<u64> {
    if let Some(parts) = wanted.parts {
        set(response, "x-amz-mp-parts-count", &parts.to_string());
    }
    let Some(range) = wanted.range else {
        return 0..size;
    };
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let shown = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    set(response, "content-range", &shown);
    range
}

/// The version that a request names, or the lock's view.
async fn find(request: &Request<'_>) -> Result<(Version, Source)> {
    let address = request.address()?;
    let id = request.version_id()?;
    match address.locked_by_file() {
        Some(state) => {
            let (version, bytes) = lock_file::find(request, &address, &state, id.as_ref()).await?;
            Ok((version, Source::Held(bytes)))
        }
        None => {
            let (service, caller) = (request.service, request.caller);
            let version = match (&id, request.head, request.headers.contains_key("range")) {
                (None, true, _) => service.find_and_pin(&address, caller).await?,
                (None, false, true) => service.find_pinned(&address, caller).await?,
                (id, _, _) => service.find(&address, id.as_ref()).await?,
            };
            match request.outputs_only {
                true => outputs(request, &address, version).await,
                false => Ok((version, Source::Stored)),
            }
        }
    }
}

/// The state with its outputs and nothing else, as if it were what is stored: its own size and ETag, so that what HEAD says is
/// what GET brings.
async fn outputs(
    request: &Request<'_>,
    address: &Address,
    mut version: Version,
) -> Result<(Version, Source)> {
    let Some(body) = &mut version.body else {
        return Ok((version, Source::Stored));
    };
    check_customer_key(request.headers, "x-amz-", &body.content)?;
    may_open(request, address, body).await?;
    let bytes = request.service.read_all(address, version.seq, body).await?;
    let outputs = outputs_only(&bytes).ok_or_else(|| {
        let message = format!("{address} is no plain state, so its outputs cannot be told from the rest");
        Error::because(Code::AccessDenied, message)
    })?;
    body.size = outputs.len() as u64;
    body.etag = hex::encode(Md5::digest(&outputs));
    body.part_sizes.clear();
    body.content
        .headers
        .retain(|name, _| !checksums::is_checksum(name));
    Ok((version, Source::Held(outputs.into())))
}

/// A delete marker was named by its ID: S3 allows nothing on it but deletion.
fn delete_marker(version: &Version) -> Error {
    Error::new(Code::MethodNotAllowed)
        .with("Method", "GET")
        .with("ResourceType", "DeleteMarker")
        .with_header("allow", "DELETE")
        .with_header("x-amz-delete-marker", "true")
        .with_header("x-amz-version-id", version.id.as_str())
        .with_header("last-modified", http_date(version.written))
}

struct Wanted {
    /// The bytes of a partial answer.
    range: Option<Range<u64>>,
    /// How many parts there are, when one was asked for.
    parts: Option<usize>,
}

/// What `Range` or `partNumber` ask for.
fn wanted(request: &Request<'_>, body: &Body) -> Result<Wanted> {
    let header = request.header("range")?;
    let Some(number) = part_number(request)? else {
        let range = range::wanted(header, body.size)?;
        return Ok(Wanted { range, parts: None });
    };
    if header.is_some() {
        return Err(Error::because(
            Code::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let sizes = match body.part_sizes.as_slice() {
        [] => std::slice::from_ref(&body.size),
        sizes => sizes,
    };
    let at = number as usize - 1;
    let Some(size) = sizes.get(at) else {
        return Err(Error::new(Code::InvalidPartNumber)
            .with("PartNumberRequested", number.to_string())
            .with("ActualPartCount", sizes.len().to_string()));
    };
    let start: u64 = sizes[..at].iter().sum();
    Ok(Wanted {
        // The only part of an empty object has no bytes to name in a Content-Range.
        range: Some(start..start + size).filter(|range| !range.is_empty()),
        parts: (!body.part_sizes.is_empty()).then_some(sizes.len()),
    })
}

/// Puts on what is known of the version, without the checksums.
fn describe(response: &mut Response<DoorBody>, version: &Version, body: &Body) {
    for (name, value) in &body.content.headers {
        if !checksums::is_checksum(name) {
            set(response, name, value);
        }
    }
    set(response, "etag", &quoted(&body.etag));
    set(response, "last-modified", &http_date(version.written));
    set(response, "accept-ranges", "bytes");
    object_lock::describe(response, &body.content.protection);
    let tags = body.content.tags.len();
    if tags > 0 {
        set(response, "x-amz-tagging-count", &tags.to_string());
    }
}

/// Shows the checksums to who asks for them; never with a part of the bytes, which clients would hold them against.
fn show_checksums(
    request: &Request<'_>,
    response: &mut Response<DoorBody>,
    body: &Body,
    partial: bool,
) -> Result<()> {
    let asked = request.header("x-amz-checksum-mode")?;
    if !partial && asked.is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")) {
        for (name, value) in checksums::shown(&body.content) {
            set(response, name, value);
        }
    }
    Ok(())
}

/// `response-content-type` and its like.
fn override_headers(request: &Request<'_>, response: &mut Response<DoorBody>) {
    for name in [
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    ] {
        if let Some(value) = request.query.filled(&format!("response-{name}")) {
            set(response, name, value);
        }
    }
}

/// The bytes of the answer: read piece by piece, or at hand.
async fn bytes_of(
    request: &Request<'_>,
    version: &Version,
    body: &Body,
    source: Source,
    range: Range<u64>,
) -> Result<DoorBody> {
    match source {
        Source::Stored => {
            let address = request.address()?;
            Ok(stream(request.service.reading(&address, version.seq, body, range)).await?)
        }
        Source::Held(bytes) => {
            let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            Ok(full(bytes.slice(start..end)))
        }
    }
}

/// GetObjectAttributes.
///
/// # Errors
/// In S3's words.
pub(crate) async fn attributes(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let (version, _) = find(request).await?;
    let Some(body) = &version.body else {
        return Err(delete_marker(&version));
    };
    check_customer_key(request.headers, "x-amz-", &body.content)?;
    let wanted = request.header("x-amz-object-attributes")?.unwrap_or_default();
    let wants = |name: &str| wanted.split(',').any(|one| one.trim() == name);
    let mut xml = Document::new("GetObjectAttributesResponse");
    if wants("ETag") {
        xml.text("ETag", &body.etag);
    }
    if wants("Checksum") && checksums::of(&body.content).is_some() {
        xml.open("Checksum");
        checksums::tell(&mut xml, &body.content);
        xml.close();
    }
    if wants("ObjectParts") && !body.part_sizes.is_empty() {
        xml.open("ObjectParts")
            .text("PartsCount", body.part_sizes.len().to_string())
            .close();
    }
    if wants("StorageClass") {
        xml.text("StorageClass", class_of(&body.content));
    }
    if wants("ObjectSize") {
        xml.text("ObjectSize", body.size.to_string());
    }
    let mut response = document(xml);
    set(&mut response, "last-modified", &http_date(version.written));
    describe_version(request, &mut response, &version).await?;
    Ok(response)
}
