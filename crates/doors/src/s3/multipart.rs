//! Multipart uploads: begin, take parts, complete, abort.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use md5::{Digest, Md5};
use tidelock_core::limits::PART_NUMBER_MAX;
use tidelock_service::{Error as ServiceError, NewPart, Part, Upload};

use super::{
    checksums::{self, COMPOSITE, FULL_OBJECT, UploadChecksum},
    conditions::{for_write, unquoted},
    encryption::{check_customer_key, is_encryption, seal_under},
    error::{Code, Error, Result},
    headers::content,
    list::url,
    object::{self, part_number},
    request::{Request, document, empty, quoted, set},
    xml::{Document, Element},
};
use crate::{
    DoorBody,
    aws_common::{
        checksum::{Algorithm, Checksum},
        payload,
    },
};

/// The upload that the query names.
pub(crate) fn upload_id<'a>(request: &'a Request<'_>) -> &'a str {
    request.query.get("uploadId").unwrap_or_default()
}

/// CreateMultipartUpload.
///
/// # Errors
/// In S3's words.
pub(crate) async fn create(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let address = request.address()?;
    let mut content = content(request).await?;
    let checksum = UploadChecksum::read(request.headers)?;
    content
        .headers
        .extend(checksum.into_iter().flat_map(UploadChecksum::kept));
    seal_under(request, &mut content).await?;
    let upload = request
        .service
        .create_upload(&address, content, request.caller)
        .await?;
    let mut xml = Document::new("InitiateMultipartUploadResult");
    xml.text("Bucket", address.bucket())
        .text("Key", address.key())
        .text("UploadId", &upload.id);
    let mut response = document(xml);
    show_encryption(&mut response, &upload);
    if let Some(checksum) = checksum {
        for (name, value) in checksum.kept() {
            set(&mut response, &name, &value);
        }
    }
    Ok(response)
}

fn show_encryption(response: &mut Response<DoorBody>, upload: &Upload) {
    for (name, value) in &upload.content.headers {
        if is_encryption(name) {
            set(response, name, value);
        }
    }
}

/// UploadPart.
///
/// # Errors
/// In S3's words.
pub(crate) async fn put_part(request: &Request<'_>, body: payload::Body) -> Result<Response<DoorBody>> {
    let part = store_part(request, body.bytes, Some(body.md5), body.checksum, None).await?;
    let upload = request
        .service
        .upload(&request.address()?, upload_id(request))
        .await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "etag", &quoted(&part.md5));
    show_encryption(&mut response, &upload);
    for (name, value) in &part.checksums {
        set(&mut response, name, value);
    }
    Ok(response)
}

/// Stores a part, with the checksum that its upload wants. `of` is the version of the same object that it is copied from.
///
/// # Errors
/// `NoSuchUpload`, `InvalidArgument`; `InvalidRequest` when the part is encrypted otherwise than the upload, or brings a
/// checksum of another algorithm.
pub(crate) async fn store_part(
    request: &Request<'_>,
    bytes: Bytes,
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
    of: Option<u64>,
) -> Result<Part> {
    let address = request.address()?;
    let id = upload_id(request);
    let number = part_number(request)?.ok_or_else(|| {
        let message = format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive");
        Error::argument(message, "partNumber", "null")
    })?;
    let upload = request.service.upload(&address, id).await?;
    check_customer_key(request.headers, "x-amz-", &upload.content)?;
    let wanted = UploadChecksum::of(&upload.content).map(|wanted| wanted.algorithm);
    let checksum = match (checksum, wanted) {
        (Some(brought), Some(wanted)) if brought.algorithm() != wanted => {
            return Err(Error::because(
                Code::InvalidRequest,
                format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                    wanted.name().to_lowercase(),
                    brought.algorithm().name().to_lowercase()
                ),
            ));
        }
        (Some(brought), _) => Some(brought),
        (None, wanted) => wanted.map(|wanted| Checksum::of(wanted, &bytes)),
    };
    let checksums = checksum.map(|checksum| (checksum.algorithm().header().to_owned(), checksum.to_base64()));
    let new = NewPart {
        number,
        md5: md5.unwrap_or_else(|| Md5::digest(&bytes).into()),
        bytes,
        checksums: checksums.into_iter().collect(),
        of,
    };
    Ok(request.service.put_part(&address, id, new).await?)
}

/// Writes the checksum of a part into a document.
pub(crate) fn tell_part_checksum(xml: &mut Document, part: &Part) {
    for (name, value) in &part.checksums {
        if let Some(algorithm) = Algorithm::from_header(name) {
            xml.text(&checksums::element(algorithm), value);
        }
    }
}

/// AbortMultipartUpload.
///
/// # Errors
/// `NoSuchUpload`.
pub(crate) async fn abort(request: &Request<'_>) -> Result<Response<DoorBody>> {
    request
        .service
        .abort_upload(&request.address()?, upload_id(request))
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// CompleteMultipartUpload.
///
/// # Errors
/// In S3's words.
pub(crate) async fn complete(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let address = request.address()?;
    let claims = Claims::read(request, body)?;
    let named: Vec<(u32, String)> = claims
        .parts
        .iter()
        .map(|part| (part.number, part.etag.clone()))
        .collect();
    let service = request.service;
    let checksum = match service.upload(&address, upload_id(request)).await {
        Ok(upload) => UploadChecksum::of(&upload.content),
        // It may have been completed already, and this is the repetition.
        Err(ServiceError::NoSuchUpload(_)) => None,
        Err(other) => return Err(other.into()),
    };
    let seal = |bytes: &[u8], parts: &[Part]| claims.seal(checksum, bytes, parts);
    let precondition = for_write(request.headers)?;
    let version = service
        .complete_upload(
            &address,
            upload_id(request),
            &named,
            precondition,
            &seal,
            request.caller,
        )
        .await?;
    let mut xml = Document::new("CompleteMultipartUploadResult");
    let host = request.header("host")?.unwrap_or_default();
    xml.text("Location", format!("http://{host}/{}", url(&address.to_string())))
        .text("Bucket", address.bucket())
        .text("Key", address.key());
    object::written(request, xml, &version).await
}

/// What a completion claims of the upload, and is held to.
#[derive(Debug)]
struct Claims {
    parts: Vec<ClaimedPart>,
    size: Option<u64>,
    whole: Vec<(Algorithm, String)>,
}

/// One part, as a completion names it.
#[derive(Debug, PartialEq, Eq)]
struct ClaimedPart {
    number: u32,
    etag: String,
    checksums: Vec<(Algorithm, String)>,
}

impl Claims {
    fn read(request: &Request<'_>, body: &[u8]) -> Result<Claims> {
        let size = request.header("x-amz-mp-object-size")?;
        let size = size
            .map(|size| {
                size.parse()
                    .map_err(|_| Error::argument("Invalid object size", "x-amz-mp-object-size", size))
            })
            .transpose()?;
        let mut whole = Vec::new();
        for algorithm in Algorithm::ALL {
            if let Some(value) = request.header(algorithm.header())? {
                whole.push((algorithm, value.to_owned()));
            }
        }
        Ok(Claims {
            parts: claimed_parts(body)?,
            size,
            whole,
        })
    }

    /// Holds the claims against the parts and the whole, and makes the checksum that is kept with the object.
    fn seal(&self, upload: Option<UploadChecksum>, bytes: &[u8], parts: &[Part]) -> Sealed {
        self.check_parts(parts)?;
        if self.size.is_some_and(|size| size != bytes.len() as u64) {
            return Err(
                "The provided 'x-amz-mp-object-size' header value does not match what was computed."
                    .to_owned(),
            );
        }
        let claimed = self.whole.first().map(|(algorithm, _)| *algorithm);
        let kept = match upload {
            Some(upload) if !upload.full_object => composite(upload.algorithm, parts),
            _ => upload
                .map(|upload| upload.algorithm)
                .or(claimed)
                .map(|algorithm| {
                    let value = Checksum::of(algorithm, bytes).to_base64();
                    checksums::kept_as(algorithm, value, FULL_OBJECT)
                }),
        };
        let kept: BTreeMap<String, String> = kept.into_iter().flatten().collect();
        for (algorithm, value) in &self.whole {
            if kept.get(algorithm.header()) != Some(value) {
                let name = algorithm.name();
                return Err(format!(
                    "The {name} you specified did not match the calculated checksum."
                ));
            }
        }
        Ok(kept)
    }

    fn check_parts(&self, parts: &[Part]) -> Result<(), String> {
        for (claimed, part) in self.parts.iter().zip(parts) {
            for (algorithm, value) in &claimed.checksums {
                if part
                    .checksums
                    .get(algorithm.header())
                    .is_some_and(|stored| stored != value)
                {
                    let (name, number) = (algorithm.name(), part.number);
                    return Err(format!(
                        "The {name} you specified for part {number} did not match what we received."
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What a completion is sealed with: headers to keep, or why it is refused.
type Sealed = Result<BTreeMap<String, String>, String>;

/// The checksum of the parts' checksums, when every part has one.
fn composite(algorithm: Algorithm, parts: &[Part]) -> Option<[(String, String); 2]> {
    let of_part = |part: &Part| Checksum::from_base64(algorithm, part.checksums.get(algorithm.header())?);
    let sums: Option<Vec<Checksum>> = parts.iter().map(of_part).collect();
    let value = Checksum::composite(&sums?)?;
    Some(checksums::kept_as(algorithm, value, COMPOSITE))
}

fn claimed_parts(body: &[u8]) -> Result<Vec<ClaimedPart>> {
    let malformed = || Error::new(Code::MalformedXML);
    let list = Element::parse(body, "CompleteMultipartUpload")?;
    let parts: Result<Vec<_>> = list
        .all("Part")
        .map(|part| {
            let number = part
                .child_text("PartNumber")
                .and_then(|number| number.parse().ok());
            let etag = part.child_text("ETag").map(unquoted).ok_or_else(malformed)?;
            let checksum = |algorithm| {
                let value = part.child_text(&checksums::element(algorithm))?;
                Some((algorithm, value.to_owned()))
            };
            Ok(ClaimedPart {
                number: number.ok_or_else(malformed)?,
                etag: etag.to_owned(),
                checksums: Algorithm::ALL.into_iter().filter_map(checksum).collect(),
            })
        })
        .collect();
    parts.and_then(|parts| match parts.len() {
        0 => Err(malformed()),
        count if count > PART_NUMBER_MAX as usize => Err(malformed()),
        _ => Ok(parts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_however_their_etags_are_escaped() {
        for etag in ["&#34;abc&#34;", "&quot;abc&quot;", "\"abc\"", "abc", " \"abc\" "] {
            let body = format!(
                "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><ETag>{etag}</ETag>\
                 <ChecksumCRC32>AAAAAA==</ChecksumCRC32><PartNumber>7</PartNumber></Part></CompleteMultipartUpload>"
            );
            let part = ClaimedPart {
                number: 7,
                etag: "abc".to_owned(),
                checksums: vec![(Algorithm::Crc32, "AAAAAA==".to_owned())],
            };
            assert_eq!(claimed_parts(body.as_bytes()).unwrap(), [part], "{etag}");
        }
    }

    #[test]
    fn a_completion_without_parts_is_malformed() {
        for body in [
            "",
            "<CompleteMultipartUpload/>",
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        ] {
            assert_eq!(
                claimed_parts(body.as_bytes()).unwrap_err().code,
                "MalformedXML",
                "{body}"
            );
        }
    }
}
