//! CopyObject and UploadPartCopy: find, read, write, under the conditions on both ends.

use bytes::Bytes;
use http::Response;
use percent_encoding::percent_decode_str;
use tidelock_core::decide::Claim;
use tidelock_core::{Address, Body, Content, Version, VersionId, limits::CONFLICT_RETRIES_MAX};
use tidelock_service::NewBody;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    checksums,
    conditions::{ReadConditions, for_write},
    encryption::{check_customer_key, is_encryption, may_open, seal_under},
    error::{Code, Error, Result},
    headers::{self, COPY_SOURCE, class_of, is_description},
    multipart, object, range,
    read::is_overtaken,
    request::{Request, document, quoted, set},
    xml::Document,
};
use crate::aws_common::time::iso_millis;
use crate::{DoorBody, aws_common::checksum::Checksum};

/// The object that is copied.
pub(super) struct Source {
    pub(super) address: Address,
    pub(super) id: Option<VersionId>,
}

impl Source {
    /// Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded.
    pub(super) fn read(header: &str) -> Result<Source> {
        let invalid = || {
            Error::argument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
                COPY_SOURCE,
                header,
            )
        };
        let (path, id) = match header.split_once("?versionId=") {
            Some((path, id)) => (path, Some(VersionId::from(id))),
            None => (header, None),
        };
        let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').ok_or_else(invalid)?;
        if key.is_empty() {
            return Err(invalid());
        }
        Ok(Source {
            address: Address::new(bucket, key)?,
            id,
        })
    }

    /// The version to copy, once every condition on it holds.
    async fn find(&self, request: &Request<'_>) -> Result<(Version, Body)> {
        request
            .check_owner_of(self.address.bucket(), "x-amz-source-expected-bucket-owner")
            .await?;
        let version = request.service.find(&self.address, self.id.as_ref()).await?;
        let Some(body) = version.body.clone() else {
            return Err(Error::because(
                Code::InvalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            ));
        };
        check_customer_key(request.headers, "x-amz-copy-source-", &body.content)?;
        may_open(request, &self.address, &body).await?;
        ReadConditions::of_copy_source(request.headers)?
            .check(&body.etag, version.written)
            .map_err(|_| Error::new(Code::PreconditionFailed))?;
        Ok((version, body))
    }

    /// The version to copy and its bytes, or those of the range, with the room that they take.
    async fn bytes(&self, request: &Request<'_>, range: Option<&str>) -> Result<(Version, Body, Held)> {
        let service = request.service;
        let mut again = 1..CONFLICT_RETRIES_MAX;
        loop {
            let (from, body) = self.find(request).await?;
            let range = match range {
                None => 0..body.size,
                Some(range) => range::of_copy(range, body.size)?,
            };
            let reading = service.reading(&self.address, from.seq, &body, range);
            match reading.to_end().await.map_err(Error::from) {
                Err(error) if is_overtaken(&error) && self.id.is_none() && again.next().is_some() => {}
                bytes => return Ok((from, body, bytes?)),
            }
        }
    }
}

/// Bytes, and the memory that they take.
type Held = (Bytes, Option<OwnedSemaphorePermit>);

/// CopyObject.
///
/// # Errors
/// In S3's words.
pub(crate) async fn object(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let address = request.address()?;
    let source = Source::read(request.header(COPY_SOURCE)?.unwrap_or_default())?;
    let (from, body, (bytes, _room)) = source.bytes(request, None).await?;
    let mut content = content(request, &body).await?;
    if source.address == address && source.id.is_none() && !changes(request, &body, &content)? {
        return Err(Error::because(
            Code::InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    content.headers.extend(checksum(request, &body, &bytes)?);
    seal_under(request, &mut content).await?;
    let new = NewBody {
        bytes,
        md5: md5(&body)?,
        content,
        precondition: for_write(request.headers)?,
        claim: Claim::Caller,
        restores: source.address == address && source.id.is_some(),
    };
    let version = request.service.put(&address, new, request.caller).await?;
    let mut xml = Document::new("CopyObjectResult");
    xml.text("LastModified", iso_millis(version.written));
    let mut response = object::written(request, xml, &version).await?;
    tell_source(&mut response, &from);
    Ok(response)
}

fn tell_source(response: &mut Response<DoorBody>, from: &Version) {
    if !from.id.is_null() {
        set(response, "x-amz-copy-source-version-id", from.id.as_str());
    }
}

/// What the copy says of itself: description and tags of the source unless they are replaced, everything else anew.
async fn content(request: &Request<'_>, source: &Body) -> Result<Content> {
    let mut content = headers::content(request).await?;
    if !replaces(request, "x-amz-metadata-directive")? {
        content.headers.retain(|name, _| !is_description(name));
        let kept = source
            .content
            .headers
            .iter()
            .filter(|(name, _)| is_description(name));
        content
            .headers
            .extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    }
    if !replaces(request, "x-amz-tagging-directive")? {
        content.tags.clone_from(&source.content.tags);
    }
    Ok(content)
}

fn replaces(request: &Request<'_>, directive: &str) -> Result<bool> {
    match request.header(directive)? {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let what = directive.trim_start_matches("x-amz-").replace('-', " ");
            Err(Error::argument(format!("Unknown {what}."), directive, other))
        }
    }
}

/// Whether a copy onto itself changes anything.
fn changes(request: &Request<'_>, source: &Body, content: &Content) -> Result<bool> {
    Ok(replaces(request, "x-amz-metadata-directive")?
        || class_of(content) != class_of(&source.content)
        || request.headers.keys().any(|name| is_encryption(name.as_str())))
}

/// The checksum of the copy: with the algorithm that is asked for, else with that of the source.
fn checksum(request: &Request<'_>, source: &Body, bytes: &Bytes) -> Result<Vec<(String, String)>> {
    let wanted = checksums::wanted(request.headers)?;
    let algorithm = wanted.or(checksums::of(&source.content).map(|(algorithm, _)| algorithm));
    Ok(algorithm.map_or_else(Vec::new, |algorithm| {
        checksums::kept(&Checksum::of(algorithm, bytes)).into()
    }))
}

/// The MD5 of the bytes, which is kept whatever the ETag is.
fn md5(body: &Body) -> Result<[u8; 16]> {
    let mut md5 = [0; 16];
    hex::decode_to_slice(&body.md5, &mut md5).map_err(|_| Error::new(Code::InternalError))?;
    Ok(md5)
}

/// UploadPartCopy.
///
/// # Errors
/// In S3's words.
pub(crate) async fn part(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let source = Source::read(request.header(COPY_SOURCE)?.unwrap_or_default())?;
    let range = request.header("x-amz-copy-source-range")?;
    let (from, _, (bytes, _room)) = source.bytes(request, range).await?;
    let is_own = source.id.is_some() && source.address == request.address()?;
    let of = is_own.then_some(from.seq);
    let part = multipart::store_part(request, bytes, None, None, of).await?;
    let mut xml = Document::new("CopyPartResult");
    xml.text("LastModified", iso_millis(part.written))
        .text("ETag", quoted(&part.md5));
    multipart::tell_part_checksum(&mut xml, &part);
    let mut response = document(xml);
    tell_source(&mut response, &from);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_decoded_once() {
        for (header, address, id) in [
            ("tfstate/a/b", "tfstate/a/b", None),
            ("/tfstate/a%20b//c", "tfstate/a b//c", None),
            ("tfstate/env%3A/x?versionId=v1", "tfstate/env:/x", Some("v1")),
            ("tfstate/a%3FversionId=x", "tfstate/a?versionId=x", None),
            ("%2Ftfstate%2Fa+b", "tfstate/a+b", None),
        ] {
            let source = Source::read(header).unwrap();
            assert_eq!(source.address.to_string(), address, "{header}");
            assert_eq!(source.id.as_ref().map(VersionId::as_str), id, "{header}");
        }
        for header in ["", "tfstate", "tfstate/", "/tfstate", "%ff/a"] {
            assert!(Source::read(header).is_err(), "{header}");
        }
    }
}
