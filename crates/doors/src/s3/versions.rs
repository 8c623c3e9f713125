//! ListObjectVersions.

use http::Response;
use tidelock_core::VersionId;
use tidelock_service::{VersionListed, VersionPage, VersionQuery};

use super::{
    checksums,
    error::{Error, Result},
    headers::class_of,
    list::{Encoding, common_prefixes, page_size},
    request::{Request, document, quoted, tell_owner},
    xml::Document,
};
use crate::DoorBody;
use crate::aws_common::time::iso_millis;

/// ListObjectVersions.
///
/// # Errors
/// In S3's words.
pub(crate) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let query = read(request)?;
    let encoding = Encoding::of(request)?;
    let bucket = request.bucket()?;
    let owner = request.open_bucket().await?.owner;
    let page = request.service.list_versions(bucket, &query).await?;
    let mut xml = Document::new("ListVersionsResult");
    xml.text("Name", bucket)
        .text("Prefix", encoding.apply(&query.prefix))
        .text("KeyMarker", encoding.apply(&query.key_marker))
        .text(
            "VersionIdMarker",
            query.version_marker.as_ref().map_or("", VersionId::as_str),
        );
    tell_next(&mut xml, &page, encoding);
    xml.text("MaxKeys", query.limit.to_string())
        .maybe(
            "Delimiter",
            query.delimiter.as_ref().map(|text| encoding.apply(text)),
        )
        .text("IsTruncated", page.next.is_some().to_string());
    encoding.tell(&mut xml);
    for entry in &page.entries {
        tell_version(&owner, &mut xml, entry, encoding);
    }
    common_prefixes(&mut xml, &page.prefixes, encoding);
    Ok(document(xml))
}

fn read(request: &Request<'_>) -> Result<VersionQuery> {
    let query = &request.query;
    let key_marker = query.get("key-marker").unwrap_or_default();
    let version_marker = query.filled("version-id-marker");
    if query.get("version-id-marker") == Some("") && query.has("key-marker") && !key_marker.is_empty() {
        return Err(Error::argument(
            "A version-id marker cannot be empty.",
            "version-id-marker",
            "",
        ));
    }
    if version_marker.is_some() && key_marker.is_empty() {
        return Err(Error::argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            version_marker.unwrap_or_default(),
        ));
    }
    Ok(VersionQuery {
        prefix: query.get("prefix").unwrap_or_default().to_owned(),
        delimiter: query.filled("delimiter").map(str::to_owned),
        key_marker: key_marker.to_owned(),
        version_marker: version_marker.map(VersionId::from),
        limit: page_size(request, "max-keys")?,
    })
}

fn tell_next(xml: &mut Document, page: &VersionPage, encoding: Encoding) {
    if let Some((key, version)) = &page.next {
        xml.text("NextKeyMarker", encoding.apply(key))
            .maybe("NextVersionIdMarker", version.as_ref().map(VersionId::as_str));
    }
}

fn tell_version(owner: &str, xml: &mut Document, entry: &VersionListed, encoding: Encoding) {
    let version = &entry.version;
    let element = match &version.body {
        Some(_) => "Version",
        None => "DeleteMarker",
    };
    xml.open(element)
        .text("Key", encoding.apply(&entry.key))
        .text("VersionId", version.id.as_str())
        .text("IsLatest", entry.is_latest.to_string())
        .text("LastModified", iso_millis(version.written));
    if let Some(body) = &version.body {
        xml.text("ETag", quoted(&body.etag));
        checksums::tell_algorithm(xml, &body.content);
        xml.text("Size", body.size.to_string())
            .text("StorageClass", class_of(&body.content));
    }
    tell_owner(xml, "Owner", owner);
    xml.close();
}
