//! The tags of an object.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use tidelock_core::limits::{OBJECT_TAGS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX};

use super::{
    error::{Code, Error, Result},
    object::describe_version,
    request::{Request, document, empty},
    xml::{Document, Element},
};
use crate::DoorBody;

/// GetObjectTagging.
///
/// # Errors
/// In S3's words.
pub(crate) async fn get(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let id = request.version_id()?;
    let version = request.service.find(&request.address()?, id.as_ref()).await?;
    let Some(body) = &version.body else {
        return Err(Error::new(Code::MethodNotAllowed).with("ResourceType", "DeleteMarker"));
    };
    let mut response = document(shown(&body.content.tags));
    describe_version(request, &mut response, &version).await?;
    Ok(response)
}

/// A `Tagging` document of these tags.
pub(crate) fn shown(tags: &BTreeMap<String, String>) -> Document {
    let mut xml = Document::new("Tagging");
    xml.open("TagSet");
    for (key, value) in tags {
        xml.open("Tag").text("Key", key).text("Value", value).close();
    }
    xml
}

/// PutObjectTagging.
///
/// # Errors
/// In S3's words.
pub(crate) async fn put(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let tags = of_document(&Element::parse(body, "Tagging")?, OBJECT_TAGS_MAX)?;
    set(request, tags, StatusCode::OK).await
}

/// DeleteObjectTagging.
///
/// # Errors
/// In S3's words.
pub(crate) async fn delete(request: &Request<'_>) -> Result<Response<DoorBody>> {
    set(request, BTreeMap::new(), StatusCode::NO_CONTENT).await
}

async fn set(
    request: &Request<'_>,
    tags: BTreeMap<String, String>,
    status: StatusCode,
) -> Result<Response<DoorBody>> {
    let id = request.version_id()?;
    let address = request.address()?;
    let found = request.service.find(&address, id.as_ref()).await?;
    if found.body.is_none() {
        return Err(Error::new(Code::MethodNotAllowed).with("ResourceType", "DeleteMarker"));
    }
    let version = request.service.set_tags(&address, Some(&found.id), tags).await?;
    let mut response = empty(status);
    describe_version(request, &mut response, &version).await?;
    Ok(response)
}

/// The tags of a `Tagging` document.
///
/// # Errors
/// `MalformedXML`, `InvalidTag`, `BadRequest`.
pub(crate) fn of_document(tagging: &Element, max: usize) -> Result<BTreeMap<String, String>> {
    let set = tagging.child("TagSet");
    of_set(set.ok_or_else(|| Error::new(Code::MalformedXML))?, max)
}

/// The tags in an element.
///
/// # Errors
/// As [`of_document`].
pub(crate) fn of_set(set: &Element, max: usize) -> Result<BTreeMap<String, String>> {
    let malformed = || Error::new(Code::MalformedXML);
    let pairs: Result<Vec<_>> = set
        .children
        .iter()
        .map(
            |tag| match (tag.name.as_str(), tag.child("Key"), tag.child("Value")) {
                ("Tag", Some(key), Some(value)) => {
                    Ok((key.raw_text().to_owned(), value.raw_text().to_owned()))
                }
                _ => Err(malformed()),
            },
        )
        .collect();
    tags(pairs?, max)
}

/// Reads `x-amz-tagging`: `a=b&c=d`, percent-encoded.
///
/// # Errors
/// `InvalidArgument`, `InvalidTag`, `BadRequest`.
pub(crate) fn tags_of_header(header: &str) -> Result<BTreeMap<String, String>> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8();
        text.map(|text| text.into_owned()).map_err(|_| {
            Error::argument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
                 name duplicates.",
                "x-amz-tagging",
                header,
            )
        })
    };
    let pairs: Result<Vec<_>> = header
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect();
    tags(pairs?, OBJECT_TAGS_MAX)
}

/// Tags that S3 would take.
///
/// # Errors
/// `InvalidTag` or `BadRequest` in S3's words.
fn tags(pairs: Vec<(String, String)>, max: usize) -> Result<BTreeMap<String, String>> {
    let invalid = |message: &'static str| Error::because(Code::InvalidTag, message);
    if pairs.len() > max {
        return Err(Error::because(
            Code::BadRequest,
            if max == OBJECT_TAGS_MAX {
                "Object tags cannot be greater than 10"
            } else {
                "Bucket tag count cannot be greater than 50"
            },
        ));
    }
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        let reserved = key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX {
            return Err(invalid("The TagKey you have provided is invalid").with("TagKey", key));
        }
        if reserved {
            return Err(invalid("System tags cannot be added/updated by requester").with("TagKey", key));
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX {
            return Err(invalid("The TagValue you have provided is invalid").with("TagKey", key));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key").with("TagKey", key));
        }
    }
    Ok(tags)
}
