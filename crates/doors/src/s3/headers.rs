//! What a writer says about an object in headers: description, user metadata, tags, encryption, storage class.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};
use tidelock_core::{Content, limits::METADATA_BYTES_MAX};

use super::{
    acl,
    encryption::{encrypt_by_default, encryption},
    error::{Code, Error, Result},
    object_lock,
    request::Request,
    tagging::tags_of_header,
};
use crate::aws_common::payload::stored_content_encoding;

/// The header that makes a PUT a copy.
pub(crate) const COPY_SOURCE: &str = "x-amz-copy-source";

const META: &str = "x-amz-meta-";
const STORAGE_CLASS: &str = "x-amz-storage-class";

/// Headers that are kept as they came and given back.
const DESCRIPTION: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
];

/// The text of a header.
///
/// # Errors
/// `InvalidArgument` when it is not UTF-8.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    headers.get(name).map(|value| utf8(name, value)).transpose()
}

fn utf8<'a>(name: &str, value: &'a http::HeaderValue) -> Result<&'a str> {
    std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::argument(format!("The value of {name} is not UTF-8"), name, ""))
}

/// Everything that a PUT, a CreateMultipartUpload or a replacing copy says about the object, and what its bucket says of all.
///
/// # Errors
/// In S3's words when a header cannot be what it is, or asks for what is not there.
pub(crate) async fn content(request: &Request<'_>) -> Result<Content> {
    let bucket = request.open_bucket().await?;
    acl::check_object(request.headers, &bucket)?;
    let mut content = said(request.headers)?;
    content.protection = object_lock::protection(request.headers, &bucket, request.service.now())?;
    encrypt_by_default(&bucket, &mut content);
    Ok(content)
}

fn said(headers: &HeaderMap) -> Result<Content> {
    let mut kept = described(headers)?;
    kept.extend(encryption(headers)?);
    if let Some(class) = storage_class(headers)? {
        kept.insert(STORAGE_CLASS.to_owned(), class);
    }
    let tags = text(headers, "x-amz-tagging")?.map(tags_of_header).transpose()?;
    Ok(Content {
        headers: kept,
        tags: tags.unwrap_or_default(),
        ..Content::default()
    })
}

/// The description and the user metadata.
///
/// # Errors
/// `MetadataTooLarge`; `InvalidArgument` for what is not UTF-8.
pub(crate) fn described(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    let mut kept = BTreeMap::new();
    for name in DESCRIPTION {
        if let Some(value) = text(headers, name)? {
            kept.insert(name.to_owned(), value.to_owned());
        }
    }
    kept.entry("content-type".to_owned())
        .or_insert_with(|| "binary/octet-stream".to_owned());
    if let Some(coding) = stored_content_encoding(headers) {
        kept.insert("content-encoding".to_owned(), coding);
    }
    let mut size = 0;
    for name in headers.keys().map(HeaderName::as_str) {
        let Some(short) = name.strip_prefix(META) else {
            continue;
        };
        let values: Result<Vec<_>> = headers
            .get_all(name)
            .iter()
            .map(|value| utf8(name, value))
            .collect();
        let value = values?.join(",");
        size += short.len() + value.len();
        kept.insert(name.to_owned(), value);
    }
    if size > METADATA_BYTES_MAX {
        return Err(Error::new(Code::MetadataTooLarge)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
    }
    Ok(kept)
}

/// Whether a kept header is part of the description that a copy may replace.
pub(crate) fn is_description(name: &str) -> bool {
    name.starts_with(META) || name == "content-encoding" || DESCRIPTION.contains(&name)
}

/// The storage class, unless it is the usual one.
pub(crate) fn storage_class(headers: &HeaderMap) -> Result<Option<String>> {
    match text(headers, STORAGE_CLASS)? {
        None | Some("STANDARD") => Ok(None),
        Some(
            class @ ("REDUCED_REDUNDANCY"
            | "STANDARD_IA"
            | "ONEZONE_IA"
            | "INTELLIGENT_TIERING"
            | "GLACIER"
            | "DEEP_ARCHIVE"
            | "GLACIER_IR"),
        ) => Ok(Some(class.to_owned())),
        Some(other) => Err(Error::new(Code::InvalidStorageClass).with("StorageClassRequested", other)),
    }
}

/// The storage class of a stored object.
pub(crate) fn class_of(content: &Content) -> &str {
    content
        .headers
        .get(STORAGE_CLASS)
        .map_or("STANDARD", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn refused(pairs: &[(&'static str, &str)]) -> &'static str {
        said(&headers(pairs)).unwrap_err().code
    }

    #[test]
    fn what_is_said_is_kept() {
        let content = said(&headers(&[
            ("content-type", "application/json"),
            ("content-encoding", "aws-chunked, gzip"),
            ("x-amz-meta-who", "änn"),
            ("x-amz-meta-twice", "a"),
            ("x-amz-meta-twice", "b"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-tagging", "a=b%20c&d="),
            ("x-amz-server-side-encryption", "AES256"),
        ]))
        .unwrap();
        let get = |name: &str| content.headers.get(name).map(String::as_str);
        assert_eq!(get("content-encoding"), Some("gzip"));
        assert_eq!(get("x-amz-meta-who"), Some("änn"));
        assert_eq!(get("x-amz-meta-twice"), Some("a,b"));
        assert_eq!(get(STORAGE_CLASS), Some("STANDARD_IA"));
        assert_eq!(get("x-amz-server-side-encryption"), Some("AES256"));
        assert_eq!(content.tags["a"], "b c");
        assert_eq!(content.tags["d"], "");
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert_eq!(refused(&[("x-amz-storage-class", "COLD")]), "InvalidStorageClass");
        assert_eq!(
            refused(&[("x-amz-meta-a", &"x".repeat(2_048))]),
            "MetadataTooLarge"
        );
        assert_eq!(refused(&[("x-amz-tagging", "a=1&a=2")]), "InvalidTag");
        assert_eq!(refused(&[("x-amz-tagging", "aws:a=1")]), "InvalidTag");
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert_eq!(refused(&[("x-amz-tagging", &many.join("&"))]), "BadRequest");
    }
}
