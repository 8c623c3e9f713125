//! Buckets: their life, their versioning, and the parts of their configuration.

use http::{Response, StatusCode};
use tidelock_core::{
    Versioning,
    limits::{BUCKET_DOCUMENT_BYTES_MAX, BUCKET_TAGS_MAX},
};
use tidelock_service::Bucket;

use super::{
    acl,
    error::{Code, Error, Result},
    headers::check_acl,
    request::{Request, document, empty, set, text_document},
    subresource::{Set, Subresource, Unset},
    tagging,
    xml::{Document, Element},
};
use crate::DoorBody;
use crate::aws_common::time::iso_millis;

/// The region whose buckets have no location constraint.
const FIRST_REGION: &str = "us-east-1";

/// ListBuckets.
///
/// # Errors
/// `InvalidArgument` for a page size that is none.
pub(crate) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let prefix = request.query.filled("prefix").unwrap_or_default();
    let after = request.query.filled("continuation-token").unwrap_or_default();
    let limit = request.query.count("max-buckets")?.unwrap_or(usize::MAX);
    let mut buckets: Vec<Bucket> = request.service.buckets().await?;
    buckets.retain(|bucket| bucket.name.starts_with(prefix) && bucket.name.as_str() > after);
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let mut xml = Document::new("ListAllMyBucketsResult");
    request.owner("Owner", &mut xml);
    xml.open("Buckets");
    for bucket in &buckets {
        xml.open("Bucket")
            .text("Name", &bucket.name)
            .text("CreationDate", iso_millis(bucket.created))
            .text("BucketRegion", &request.identity.region)
            .close();
    }
    xml.close();
    let last = buckets.last().filter(|_| more);
    xml.maybe("ContinuationToken", last.map(|bucket| &bucket.name));
    xml.maybe("Prefix", request.query.filled("prefix"));
    Ok(document(xml))
}

/// CreateBucket.
///
/// # Errors
/// `BucketAlreadyOwnedByYou`, `InvalidBucketName`, `MalformedXML`; `NotImplemented` with Object Lock.
pub(crate) async fn create(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let name = request.bucket()?;
    check_acl(request.headers)?;
    if request
        .header("x-amz-bucket-object-lock-enabled")?
        .is_some_and(|on| on.eq_ignore_ascii_case("true"))
    {
        return Err(Error::not_implemented("Object Lock"));
    }
    if !body.is_empty() {
        // The constraint names a region; a bucket here is in every one.
        Element::parse(body, "CreateBucketConfiguration")?;
    }
    let ownership = request
        .header("x-amz-object-ownership")?
        .map(ownership)
        .transpose()?;
    request.service.create_bucket(name).await?;
    if let Some(document) = ownership {
        keep(request, "ownershipControls", document).await?;
    }
    let mut response = empty(StatusCode::OK);
    set(&mut response, "location", &format!("/{name}"));
    Ok(response)
}

fn ownership(header: &str) -> Result<String> {
    if !OWNERSHIPS.contains(&header) {
        return Err(Error::argument(
            "Invalid x-amz-object-ownership header",
            "x-amz-object-ownership",
            header,
        ));
    }
    let mut xml = Document::new("OwnershipControls");
    xml.open("Rule").text("ObjectOwnership", header);
    Ok(xml.finish())
}

/// HeadBucket.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn head(request: &Request<'_>) -> Result<Response<DoorBody>> {
    request.service.bucket(request.bucket()?).await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "x-amz-access-point-alias", "false");
    Ok(response)
}

/// DeleteBucket.
///
/// # Errors
/// `NoSuchBucket`, `BucketNotEmpty`.
pub(crate) async fn delete(request: &Request<'_>) -> Result<Response<DoorBody>> {
    request.service.delete_bucket(request.bucket()?).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// GetBucketLocation. A bucket is in whichever region the client believes it is.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn location(request: &Request<'_>) -> Result<Response<DoorBody>> {
    request.service.bucket(request.bucket()?).await?;
    let region = &request.identity.region;
    let region = if region == FIRST_REGION { "" } else { region };
    Ok(document(Document::text_root("LocationConstraint", region)))
}

/// GetBucketVersioning.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn versioning(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let bucket = request.service.bucket(request.bucket()?).await?;
    let status = match bucket.versioning {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mut xml = Document::new("VersioningConfiguration");
    xml.maybe("Status", status);
    Ok(document(xml))
}

/// PutBucketVersioning.
///
/// # Errors
/// `MalformedXML`, `NoSuchBucket`; `NotImplemented` with MFA delete.
pub(crate) async fn set_versioning(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let configuration = Element::parse(body, "VersioningConfiguration")?;
    if configuration.child_text("MfaDelete") == Some("Enabled") {
        return Err(Error::not_implemented("MFA delete"));
    }
    let versioning = match configuration.child_text("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(Error::new(Code::MalformedXML)),
        None => return Err(Error::new(Code::IllegalVersioningConfigurationException)),
    };
    let change = |bucket: &mut Bucket| bucket.versioning = versioning;
    request.service.change_bucket(request.bucket()?, change).await?;
    Ok(empty(StatusCode::OK))
}

/// Reads a part of the configuration.
///
/// # Errors
/// `NoSuchBucket`, or the part's own error when it was never set.
pub(crate) async fn get_part(request: &Request<'_>, part: &Subresource) -> Result<Response<DoorBody>> {
    let bucket = request.service.bucket(request.bucket()?).await?;
    if let Some(kept) = bucket.documents.get(part.query) {
        return Ok(text_document(kept.clone()));
    }
    match part.unset {
        Unset::Error(code) => Err(Error::new(code).with("BucketName", bucket.name)),
        Unset::Document(root, None) => Ok(document(Document::new(root))),
        Unset::Document(root, Some((name, value))) => {
            let mut xml = Document::new(root);
            xml.text(name, value);
            Ok(document(xml))
        }
        Unset::List(_) if request.query.has("id") => Err(Error::new(Code::NoSuchConfiguration)),
        Unset::List(root) => {
            let mut xml = Document::new(root);
            xml.text("IsTruncated", "false");
            Ok(document(xml))
        }
        Unset::Acl => Ok(acl::owners(request)),
    }
}

/// Writes a part of the configuration, where that asks nothing of the server.
///
/// # Errors
/// `NotImplemented` for what would have to be enforced; `MalformedXML`, `NoSuchBucket`.
pub(crate) async fn put_part(
    request: &Request<'_>,
    part: &Subresource,
    body: &[u8],
) -> Result<Response<DoorBody>> {
    request.service.bucket(request.bucket()?).await?;
    match part.set {
        Set::Acl => acl::check(request, body)?,
        Set::Empty(root) if Element::parse(body, root)?.children.is_empty() => {}
        Set::Empty(_) | Set::Refuse => return Err(Error::not_implemented(part.put)),
        Set::Keep(root) => {
            let element = Element::parse(body, root)?;
            check_part(part, &element)?;
            keep(request, part.query, element.render()).await?;
        }
    }
    let status = match part.query {
        // S3 itself is not of one mind here.
        "tagging" => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    Ok(empty(status))
}

/// Removes a part of the configuration; succeeds when there is none.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn delete_part(request: &Request<'_>, part: &Subresource) -> Result<Response<DoorBody>> {
    let remove = |bucket: &mut Bucket| drop(bucket.documents.remove(part.query));
    request.service.change_bucket(request.bucket()?, remove).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn keep(request: &Request<'_>, name: &str, document: String) -> Result<()> {
    if document.len() > BUCKET_DOCUMENT_BYTES_MAX {
        return Err(Error::new(Code::MalformedXML));
    }
    let change = |bucket: &mut Bucket| drop(bucket.documents.insert(name.to_owned(), document.clone()));
    request.service.change_bucket(request.bucket()?, change).await?;
    Ok(())
}

const PUBLIC_ACCESS_BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

const OWNERSHIPS: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

/// Checks a document that is to be kept.
fn check_part(part: &Subresource, element: &Element) -> Result<()> {
    let malformed = || Error::new(Code::MalformedXML);
    match part.query {
        "tagging" => tagging::of_document(element, BUCKET_TAGS_MAX).map(drop),
        "ownershipControls" => {
            let rule = element
                .child("Rule")
                .and_then(|rule| rule.child_text("ObjectOwnership"));
            rule.filter(|rule| OWNERSHIPS.contains(rule))
                .map(drop)
                .ok_or_else(malformed)
        }
        "encryption" => {
            let known = |rule: &Element| {
                let default = rule.child("ApplyServerSideEncryptionByDefault");
                let algorithm = default.and_then(|default| default.child_text("SSEAlgorithm"));
                matches!(algorithm, Some("AES256" | "aws:kms" | "aws:kms:dsse"))
            };
            let rules: Vec<&Element> = element.all("Rule").collect();
            match !rules.is_empty() && rules.into_iter().all(known) {
                true => Ok(()),
                false => Err(malformed()),
            }
        }
        "publicAccessBlock" => {
            let known = |flag: &Element| {
                PUBLIC_ACCESS_BLOCKS.contains(&flag.name.as_str()) && matches!(flag.text(), "true" | "false")
            };
            match !element.children.is_empty() && element.children.iter().all(known) {
                true => Ok(()),
                false => Err(malformed()),
            }
        }
        _ => Ok(()),
    }
}
