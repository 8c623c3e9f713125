//! ListParts and ListMultipartUploads.

use http::Response;
use tidelock_service::Upload;

use super::{
    checksums::UploadChecksum,
    error::Result,
    headers::class_of,
    list::{Encoding, common_prefixes, page_size},
    multipart::{tell_part_checksum, upload_id},
    request::{Request, document, quoted, tell_owner},
    xml::Document,
};
use crate::DoorBody;
use crate::aws_common::time::iso_millis;

/// ListParts.
///
/// # Errors
/// `NoSuchUpload`, `InvalidArgument`.
pub(crate) async fn parts(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let address = request.address()?;
    let id = upload_id(request);
    let encoding = Encoding::of(request)?;
    let after = request.query.count("part-number-marker")?.unwrap_or(0);
    let limit = page_size(request, "max-parts")?;
    let upload = request.service.upload(&address, id).await?;
    let marker = u32::try_from(after).unwrap_or(u32::MAX);
    let mut parts = request.service.parts(&address, id, marker, limit + 1).await?;
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    let mut xml = Document::new("ListPartsResult");
    xml.text("Bucket", address.bucket())
        .text("Key", encoding.apply(address.key()))
        .text("UploadId", id);
    let owner = request.open_bucket().await?.owner;
    tell_owner(&mut xml, "Initiator", &owner);
    tell_owner(&mut xml, "Owner", &owner);
    xml.text("StorageClass", class_of(&upload.content))
        .text("PartNumberMarker", after.to_string());
    let last = parts.last().map_or(0, |part| part.number);
    xml.text("NextPartNumberMarker", last.to_string())
        .text("MaxParts", limit.to_string())
        .text("IsTruncated", truncated.to_string());
    tell_checksum(&mut xml, &upload);
    encoding.tell(&mut xml);
    for part in &parts {
        xml.open("Part")
            .text("PartNumber", part.number.to_string())
            .text("LastModified", iso_millis(part.written))
            .text("ETag", quoted(&part.md5))
            .text("Size", part.size.to_string());
        tell_part_checksum(&mut xml, part);
        xml.close();
    }
    Ok(document(xml))
}

fn tell_checksum(xml: &mut Document, upload: &Upload) {
    if let Some(checksum) = UploadChecksum::of(&upload.content) {
        xml.text("ChecksumAlgorithm", checksum.algorithm.name())
            .text("ChecksumType", checksum.kind());
    }
}

/// ListMultipartUploads.
///
/// # Errors
/// In S3's words.
pub(crate) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let bucket = request.bucket()?;
    let query = &request.query;
    let prefix = query.get("prefix").unwrap_or_default();
    let delimiter = query.filled("delimiter");
    let key_marker = query.filled("key-marker");
    // S3 ignores an upload marker that comes without a key.
    let upload_marker = query.filled("upload-id-marker").filter(|_| key_marker.is_some());
    let encoding = Encoding::of(request)?;
    let limit = page_size(request, "max-uploads")?;
    let after = key_marker.map(|key| (key, upload_marker));
    let page = match limit {
        0 => Uploads::default(),
        _ => gather(request, prefix, delimiter, after, limit).await?,
    };
    let owner = request.open_bucket().await?.owner;
    let mut xml = Document::new("ListMultipartUploadsResult");
    xml.text("Bucket", bucket)
        .text("KeyMarker", encoding.apply(key_marker.unwrap_or_default()))
        .text("UploadIdMarker", upload_marker.unwrap_or_default());
    if let Some((key, upload)) = &page.next {
        xml.text("NextKeyMarker", encoding.apply(key))
            .text("NextUploadIdMarker", upload);
    }
    xml.text("Prefix", encoding.apply(prefix))
        .maybe("Delimiter", delimiter.map(|delimiter| encoding.apply(delimiter)))
        .text("MaxUploads", limit.to_string())
        .text("IsTruncated", page.next.is_some().to_string());
    encoding.tell(&mut xml);
    for upload in &page.uploads {
        tell_upload(&owner, &mut xml, upload, encoding);
    }
    common_prefixes(&mut xml, &page.prefixes, encoding);
    Ok(document(xml))
}

fn tell_upload(owner: &str, xml: &mut Document, upload: &Upload, encoding: Encoding) {
    xml.open("Upload")
        .text("Key", encoding.apply(&upload.key))
        .text("UploadId", &upload.id);
    tell_owner(xml, "Initiator", owner);
    tell_owner(xml, "Owner", owner);
    xml.text("StorageClass", class_of(&upload.content))
        .text("Initiated", iso_millis(upload.begun));
    tell_checksum(xml, upload);
    xml.close();
}

/// One page of uploads and of the common prefixes of their keys.
#[derive(Default)]
struct Uploads {
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
    next: Option<(String, String)>,
}

/// Reads uploads until the page is full, with all that agree up to the delimiter as one.
async fn gather(
    request: &Request<'_>,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<(&str, Option<&str>)>,
    limit: usize,
) -> Result<Uploads> {
    let mut found = Uploads::default();
    let marked = after.map_or("", |(key, _)| key);
    let mut marker = after.map(|(key, upload)| (key.to_owned(), upload.map(str::to_owned)));
    loop {
        let from = marker
            .as_ref()
            .map(|(key, upload)| (key.as_str(), upload.as_deref()));
        let page = request
            .service
            .uploads(request.bucket()?, prefix, from, limit)
            .await?;
        for upload in page.uploads {
            marker = Some((upload.key.clone(), Some(upload.id.clone())));
            let common = common_prefix(&upload.key, prefix, delimiter);
            if common
                .as_ref()
                .is_some_and(|common| common == marked || found.prefixes.last() == Some(common))
            {
                continue;
            }
            if found.uploads.len() + found.prefixes.len() == limit {
                found.next = found.last();
                return Ok(found);
            }
            match common {
                Some(common) => found.prefixes.push(common),
                None => found.uploads.push(upload),
            }
        }
        if !page.truncated {
            return Ok(found);
        }
    }
}

impl Uploads {
    /// Key (or common prefix) and upload that were added last.
    fn last(&self) -> Option<(String, String)> {
        let upload = self
            .uploads
            .last()
            .map(|last| (last.key.clone(), last.id.clone()));
        let prefix = self.prefixes.last().map(|last| (last.clone(), String::new()));
        upload.into_iter().chain(prefix).max()
    }
}

fn common_prefix(key: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let delimiter = delimiter?;
    let rest = key.get(prefix.len()..)?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_agree_up_to_the_delimiter_after_the_prefix() {
        assert_eq!(common_prefix("a/b/c", "a/", Some("/")).as_deref(), Some("a/b/"));
        assert_eq!(common_prefix("a/b", "a/", Some("/")), None);
        assert_eq!(common_prefix("a/b", "", None), None);
    }
}
