//! Access control lists: the owner's full control, and the log delivery's right to write. Policies say everything else, so that
//! nothing else is accepted; and nothing at all where the bucket's owner owns every object.

use http::{HeaderMap, Response, StatusCode};
use tidelock_service::Bucket;

use super::{
    bucket::{blocks, is_owner_enforced},
    error::{Code, Error, Result},
    headers::text,
    request::{Request, canonical_id, document, empty, tell_owner},
    xml::{Document, Element},
};
use crate::DoorBody;

const CANONICAL_USER: &str =
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"";
const GROUP: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// The canned list by which access logs may be delivered, and the name under which a bucket keeps that it has it.
const LOG_DELIVERY_WRITE: &str = "log-delivery-write";
pub(crate) const DOCUMENT: &str = "acl";

fn not_supported() -> Error {
    Error::new(Code::AccessControlListNotSupported)
}

/// What GetBucketAcl answers.
pub(crate) fn of_bucket(bucket: &Bucket) -> Response<DoorBody> {
    let mut xml = owners(&bucket.owner);
    if bucket.documents.contains_key(DOCUMENT) {
        for permission in ["WRITE", "READ_ACP"] {
            xml.open("Grant")
                .open_with("Grantee", GROUP)
                .text("URI", LOG_DELIVERY)
                .close()
                .text("Permission", permission)
                .close();
        }
    }
    document(xml)
}

/// The owner's grant, and room for more behind it.
fn owners(account: &str) -> Document {
    let mut xml = Document::new("AccessControlPolicy");
    tell_owner(&mut xml, "Owner", account);
    xml.open("AccessControlList").open("Grant");
    xml.open_with("Grantee", CANONICAL_USER)
        .text("ID", canonical_id(account))
        .text("DisplayName", account)
        .close();
    xml.text("Permission", "FULL_CONTROL").close();
    xml
}

/// The canned list that the headers name, `private` where they name none.
///
/// # Errors
/// `AccessControlListNotSupported` for grants to anyone else, `AccessDenied` for public ones where those are blocked.
fn canned<'a>(headers: &'a HeaderMap, bucket: Option<&Bucket>) -> Result<&'a str> {
    let grants = headers
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-grant-"));
    match text(headers, "x-amz-acl")?.unwrap_or("private") {
        _ if grants => Err(not_supported()),
        known @ ("private"
        | "bucket-owner-read"
        | "bucket-owner-full-control"
        | "aws-exec-read"
        | LOG_DELIVERY_WRITE) => Ok(known),
        "public-read" | "public-read-write" | "authenticated-read" => {
            let blocked = bucket.is_some_and(|bucket| blocks(bucket, "BlockPublicAcls"));
            Err(match blocked {
                true => Error::new(Code::AccessDenied),
                false => not_supported(),
            })
        }
        other => Err(Error::argument("", "x-amz-acl", other)),
    }
}

/// Whether the headers of a CreateBucket make a list that lets logs be delivered.
///
/// # Errors
/// As [`canned`]; `InvalidBucketAclWithObjectOwnership` for a list where there is to be none.
pub(crate) fn of_new_bucket(headers: &HeaderMap, owner_enforced: bool) -> Result<bool> {
    match canned(headers, None)? {
        "private" => Ok(false),
        _ if owner_enforced => Err(Error::new(Code::InvalidBucketAclWithObjectOwnership)),
        other => Ok(other == LOG_DELIVERY_WRITE),
    }
}

/// Checks the access control headers of a new object.
///
/// # Errors
/// As [`canned`]; `AccessControlListNotSupported` where the bucket's owner owns everything.
pub(crate) fn check_object(headers: &HeaderMap, bucket: &Bucket) -> Result<()> {
    let canned = canned(headers, Some(bucket))?;
    let says = headers.contains_key("x-amz-acl") && canned != "bucket-owner-full-control";
    match says && is_owner_enforced(bucket) {
        true => Err(not_supported()),
        false => Ok(()),
    }
}

/// PutBucketAcl.
///
/// # Errors
/// As [`check_object`], and `MalformedXML`.
pub(crate) async fn put_bucket(request: &Request<'_>, body: &[u8]) -> Result<()> {
    let bucket = request.open_bucket().await?;
    if is_owner_enforced(&bucket) {
        return Err(not_supported());
    }
    let delivers = match body {
        [] => canned(request.headers, Some(&bucket))? == LOG_DELIVERY_WRITE,
        list => grants(&bucket.owner, list)?,
    };
    let change = |bucket: &mut Bucket| match delivers {
        true => drop(
            bucket
                .documents
                .insert(DOCUMENT.to_owned(), LOG_DELIVERY_WRITE.to_owned()),
        ),
        false => drop(bucket.documents.remove(DOCUMENT)),
    };
    request.service.change_bucket(&bucket.name, change).await?;
    Ok(())
}

/// Whether a document grants something to the log delivery beside what the owner has.
///
/// # Errors
/// `AccessControlListNotSupported` for a grant to anyone else, `MalformedXML`.
fn grants(account: &str, body: &[u8]) -> Result<bool> {
    let malformed = || Error::new(Code::MalformedXML);
    let policy = Element::parse(body, "AccessControlPolicy")?;
    let list = policy.child("AccessControlList").ok_or_else(malformed)?;
    let owner = canonical_id(account);
    let mut delivers = false;
    for grant in list.all("Grant") {
        let grantee = grant.child("Grantee").ok_or_else(malformed)?;
        match (grantee.child_text("ID"), grantee.child_text("URI")) {
            (Some(id), None) if id == owner => {}
            (None, Some(LOG_DELIVERY)) => delivers = true,
            _ => return Err(not_supported()),
        }
    }
    Ok(delivers)
}

/// GetObjectAcl.
///
/// # Errors
/// In S3's words.
pub(crate) async fn of_object(request: &Request<'_>) -> Result<Response<DoorBody>> {
    find(request).await?;
    Ok(document(owners(&request.open_bucket().await?.owner)))
}

/// PutObjectAcl.
///
/// # Errors
/// In S3's words.
pub(crate) async fn put_object(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    find(request).await?;
    let bucket = request.open_bucket().await?;
    check_object(request.headers, &bucket)?;
    let delivers = !body.is_empty() && grants(&bucket.owner, body)?;
    match delivers {
        true => Err(not_supported()),
        false => Ok(empty(StatusCode::OK)),
    }
}

async fn find(request: &Request<'_>) -> Result<()> {
    let id = request.version_id()?;
    request.service.find(&request.address()?, id.as_ref()).await?;
    Ok(())
}
