//! PutObject, and what an answer to a write says of the version that was written.

use http::{Response, StatusCode};
use tidelock_core::decide::Claim;
use tidelock_core::{Version, Versioning, limits::PART_NUMBER_MAX};
use tidelock_service::NewBody;

use super::{
    checksums, conditions,
    encryption::{seal_under, shown_encryption},
    error::{Code, Error, Result},
    headers::content,
    lock_file,
    request::{Request, document, empty, quoted, set},
    xml::Document,
};
use crate::{DoorBody, audit::Touched, aws_common::payload};

/// PutObject.
///
/// # Errors
/// In S3's words.
pub(crate) async fn put(request: &Request<'_>, body: payload::Body) -> Result<Response<DoorBody>> {
    let address = request.address()?;
    if let Some(state) = address.locked_by_file() {
        return lock_file::put(request, &state, &body).await;
    }
    if request.headers.contains_key("x-amz-write-offset-bytes") {
        return Err(Error::new(Code::NotImplemented).with("Header", "x-amz-write-offset-bytes"));
    }
    let mut content = content(request).await?;
    content
        .headers
        .extend(body.checksum.iter().flat_map(checksums::kept));
    seal_under(request, &mut content).await?;
    let new = NewBody {
        bytes: body.bytes,
        md5: body.md5,
        content,
        precondition: conditions::for_write(request.headers)?,
        claim: Claim::Caller,
        restores: false,
    };
    let version = request.service.put(&address, new, request.caller).await?;
    let mut response = empty(StatusCode::OK);
    if let Some(body) = &version.body {
        set(&mut response, "etag", &quoted(&body.etag));
    }
    describe_written(request, &mut response, &version).await?;
    if let Some(checksum) = &body.checksum {
        for (name, value) in checksums::kept(checksum) {
            set(&mut response, &name, &value);
        }
    }
    Ok(response)
}

/// The answer to a write whose document ends with the ETag and the checksums of what was written.
///
/// # Errors
/// When the bucket cannot be read.
pub(crate) async fn written(
    request: &Request<'_>,
    mut xml: Document,
    version: &Version,
) -> Result<Response<DoorBody>> {
    if let Some(body) = &version.body {
        xml.text("ETag", quoted(&body.etag));
        checksums::tell(&mut xml, &body.content);
    }
    let mut response = document(xml);
    describe_written(request, &mut response, version).await?;
    Ok(response)
}

/// Puts version and encryption of what was written on the answer.
async fn describe_written(
    request: &Request<'_>,
    response: &mut Response<DoorBody>,
    version: &Version,
) -> Result<()> {
    let encryption = version.body.iter().flat_map(shown_encryption);
    for (name, value) in encryption {
        set(response, name, value);
    }
    describe_version(request, response, version).await
}

/// Puts the version's ID on the answer, unless the bucket never had versions.
///
/// # Errors
/// When the bucket cannot be read.
pub(crate) async fn describe_version(
    request: &Request<'_>,
    response: &mut Response<DoorBody>,
    version: &Version,
) -> Result<()> {
    response.extensions_mut().insert(Touched::version(version));
    if !version.id.is_null() || versioned(request).await? {
        set(response, "x-amz-version-id", version.id.as_str());
    }
    Ok(())
}

async fn versioned(request: &Request<'_>) -> Result<bool> {
    let bucket = request.access.bucket(request.bucket()?).await?;
    Ok(bucket.versioning != Versioning::Unversioned)
}

/// The part number that the query names.
///
/// # Errors
/// `InvalidArgument` when it is not one.
pub(crate) fn part_number(request: &Request<'_>) -> Result<Option<u32>> {
    let Some(text) = request.query.get("partNumber") else {
        return Ok(None);
    };
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=PART_NUMBER_MAX).contains(number));
    number.map(Some).ok_or_else(|| {
        let message = format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive");
        Error::argument(message, "partNumber", text)
    })
}
