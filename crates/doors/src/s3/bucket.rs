//! Buckets: their life, their versioning, and the parts of their configuration.

use http::{Response, StatusCode};
use tidelock_core::{
    Versioning,
    limits::{BUCKET_DOCUMENT_BYTES_MAX, BUCKET_TAGS_MAX},
    object_lock::ObjectLock,
};
use tidelock_service::{Bucket, Error as ServiceError};

use super::{
    access, acl,
    encryption::{self, default_key},
    error::{Code, Error, Result},
    lifecycle, logging, object_lock, policy,
    request::{Request, document, empty, set, tell_owner, text_document},
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
    let account = request.identity.account_id.as_str();
    buckets.retain(|bucket| {
        bucket.owner == account && bucket.name.starts_with(prefix) && bucket.name.as_str() > after
    });
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let mut xml = Document::new("ListAllMyBucketsResult");
    tell_owner(&mut xml, "Owner", account);
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

/// CreateBucket. A new bucket is as S3 makes it: its owner owns every object, and all public access is blocked.
///
/// # Errors
/// `BucketAlreadyExists`, `BucketAlreadyOwnedByYou`, `InvalidBucketName`, `MalformedXML`; `AccessDenied` and `InvalidTag` for
/// its tags.
pub(crate) async fn create(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let name = request.bucket()?;
    let is_locked = request
        .header("x-amz-bucket-object-lock-enabled")?
        .is_some_and(|on| on.eq_ignore_ascii_case("true"));
    let tags = match body.is_empty() {
        true => None,
        false => tags_of_new(request, &Element::parse(body, "CreateBucketConfiguration")?)?,
    };
    let ownership = request
        .header("x-amz-object-ownership")?
        .unwrap_or(OWNER_ENFORCED);
    let controls = ownership_controls(ownership)?;
    let delivers = acl::of_new_bucket(request.headers, ownership == OWNER_ENFORCED)?;
    let account = &request.identity.account_id;
    let configure = |bucket: &mut Bucket| {
        let mut keep = |name: &str, text: String| drop(bucket.documents.insert(name.to_owned(), text));
        keep(OWNERSHIP, controls);
        if delivers {
            keep(acl::DOCUMENT, "log-delivery-write".to_owned());
        }
        if let Some(tags) = tags {
            keep("tagging", tags.finish());
        }
        block_public_access(bucket);
        if is_locked {
            bucket.versioning = Versioning::Enabled;
            bucket.object_lock = Some(ObjectLock::default());
        }
    };
    let created = request.service.create_bucket_with(name, account, configure).await;
    if matches!(created, Err(ServiceError::BucketExists(_))) {
        // There may be none to open: the name is kept for whose history is below it.
        let open = request.open_bucket().await;
        if !open.is_ok_and(|bucket| bucket.owner == *account) {
            return Err(Error::new(Code::BucketAlreadyExists).with("BucketName", name));
        }
    }
    created?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "location", &format!("/{name}"));
    Ok(response)
}

/// The tags that a new bucket is to have. Of the rest that a configuration says, the constraint names a region, and a bucket
/// here is in every one.
fn tags_of_new(request: &Request<'_>, configuration: &Element) -> Result<Option<Document>> {
    let Some(set) = configuration.child("Tags") else {
        return Ok(None);
    };
    access::may_tag_bucket(request)?;
    let tags = tagging::of_set(set, BUCKET_TAGS_MAX)?;
    Ok((!tags.is_empty()).then(|| tagging::shown(&tags)))
}

fn ownership_controls(header: &str) -> Result<String> {
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

/// Keeps everybody else out, as AWS does from a bucket's first moment.
pub fn block_public_access(bucket: &mut Bucket) {
    let mut xml = Document::new("PublicAccessBlockConfiguration");
    for block in PUBLIC_ACCESS_BLOCKS {
        xml.text(block, "true");
    }
    bucket
        .documents
        .insert(PUBLIC_ACCESS_BLOCK.to_owned(), xml.finish());
}

/// A document that the bucket keeps. What is kept was read before, and reads again.
fn kept(bucket: &Bucket, name: &str, root: &str) -> Option<Element> {
    let text = bucket.documents.get(name)?;
    Element::parse(text.as_bytes(), root).ok()
}

/// Whether the bucket's public access block has this element set.
pub(crate) fn blocks(bucket: &Bucket, what: &str) -> bool {
    let block = kept(bucket, PUBLIC_ACCESS_BLOCK, "PublicAccessBlockConfiguration");
    block.is_some_and(|block| block.child_text(what) == Some("true"))
}

/// Whether the bucket's owner owns every object in it, so that there are no access control lists.
pub(crate) fn is_owner_enforced(bucket: &Bucket) -> bool {
    let controls = kept(bucket, OWNERSHIP, "OwnershipControls");
    let rule = controls.as_ref().and_then(|controls| controls.child("Rule"));
    rule.and_then(|rule| rule.child_text("ObjectOwnership")) == Some(OWNER_ENFORCED)
}

/// HeadBucket.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn head(request: &Request<'_>) -> Result<Response<DoorBody>> {
    request.open_bucket().await?;
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
    request.open_bucket().await?;
    let region = &request.identity.region;
    let region = if region == FIRST_REGION { "" } else { region };
    Ok(document(Document::text_root("LocationConstraint", region)))
}

/// GetBucketVersioning.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn versioning(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let bucket = request.open_bucket().await?;
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
/// `MalformedXML`, `NoSuchBucket`; `InvalidBucketState` to suspend it with Object Lock, `NotImplemented` with MFA delete.
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
    request
        .service
        .set_versioning(request.bucket()?, versioning)
        .await?;
    Ok(empty(StatusCode::OK))
}

/// Reads a part of the configuration.
///
/// # Errors
/// `NoSuchBucket`, or the part's own error when it was never set.
pub(crate) async fn get_part(request: &Request<'_>, part: &Subresource) -> Result<Response<DoorBody>> {
    let bucket = request.open_bucket().await?;
    let kept = bucket.documents.get(part.query);
    match (&part.set, kept) {
        (Set::Lifecycle, _) => {
            if let Some(rules) = &bucket.lifecycle {
                return Ok(lifecycle::shown(rules));
            }
        }
        (Set::ObjectLock, _) => {
            if let Some(lock) = bucket.object_lock {
                return Ok(object_lock::shown(lock));
            }
        }
        (Set::Logging, _) => {
            if let Some(logging) = &bucket.logging {
                return Ok(logging::shown(logging));
            }
        }
        (Set::Policy, Some(text)) => return Ok(policy::shown(text)),
        (Set::Keep(_), Some(text)) => return Ok(text_document(text.clone())),
        _ => {}
    }
    unset(request, part, &bucket)
}

/// What a part answers that was never set.
fn unset(request: &Request<'_>, part: &Subresource, bucket: &Bucket) -> Result<Response<DoorBody>> {
    match part.unset {
        Unset::Error(code) => Err(Error::new(code).with("BucketName", &bucket.name)),
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
        Unset::Acl => Ok(acl::of_bucket(bucket)),
        Unset::Encryption => Ok(document(encryption::shown_default())),
        Unset::PolicyStatus => policy::status(bucket),
    }
}

/// Writes a part of the configuration.
///
/// # Errors
/// `NotImplemented` for what is not done here; `MalformedXML`, `NoSuchBucket`, and those of the part.
pub(crate) async fn put_part(
    request: &Request<'_>,
    part: &Subresource,
    body: &[u8],
) -> Result<Response<DoorBody>> {
    request.open_bucket().await?;
    match part.set {
        Set::Acl => acl::put_bucket(request, body).await?,
        Set::Lifecycle => return lifecycle::put(request, body).await,
        Set::Logging => return logging::put(request, body).await,
        Set::ObjectLock => return object_lock::put_configuration(request, body).await,
        Set::Policy => return policy::put(request, body).await,
        Set::Only(root, only) if says_only(&Element::parse(body, root)?, only) => {}
        Set::Only(..) | Set::Refuse => return Err(Error::not_implemented(part.put)),
        Set::Keep(root) => {
            let element = Element::parse(body, root)?;
            check_part(request, part, &element).await?;
            match part.query {
                "encryption" => keep_encryption(request, &element).await?,
                other => keep(request, other, element.render()).await?,
            }
        }
    }
    let status = match part.query {
        // S3 itself is not of one mind here.
        "tagging" => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    Ok(empty(status))
}

/// Whether a document says nothing, or only this.
fn says_only(document: &Element, only: Option<(&str, &str)>) -> bool {
    let is_only = |child: &Element| Some((child.name.as_str(), child.text())) == only;
    document.children.iter().all(is_only)
}

/// Removes a part of the configuration; succeeds when there is none.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn delete_part(request: &Request<'_>, part: &Subresource) -> Result<Response<DoorBody>> {
    let remove = |bucket: &mut Bucket| {
        match part.query {
            "lifecycle" => bucket.lifecycle = None,
            "encryption" => bucket.default_key = None,
            _ => {}
        }
        bucket.documents.remove(part.query);
    };
    request.service.change_bucket(request.bucket()?, remove).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Keeps the default encryption, and the key that it names.
async fn keep_encryption(request: &Request<'_>, element: &Element) -> Result<()> {
    let (document, key) = (element.render(), default_key(element)?);
    let change = |bucket: &mut Bucket| {
        bucket.documents.insert("encryption".to_owned(), document.clone());
        bucket.default_key.clone_from(&key);
    };
    request.service.change_bucket(request.bucket()?, change).await?;
    Ok(())
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

/// The name under which a bucket keeps its public access block.
const PUBLIC_ACCESS_BLOCK: &str = "publicAccessBlock";

/// The name under which a bucket keeps who owns the objects in it.
const OWNERSHIP: &str = "ownershipControls";
const OWNER_ENFORCED: &str = "BucketOwnerEnforced";
const OWNERSHIPS: [&str; 3] = [OWNER_ENFORCED, "BucketOwnerPreferred", "ObjectWriter"];

/// Checks a document that is to be kept.
///
/// # Errors
/// `MalformedXML`, and those of the part.
async fn check_part(request: &Request<'_>, part: &Subresource, element: &Element) -> Result<()> {
    let malformed = || Error::new(Code::MalformedXML);
    match part.query {
        "tagging" => tagging::of_document(element, BUCKET_TAGS_MAX).map(drop),
        OWNERSHIP => {
            let rule = element
                .child("Rule")
                .and_then(|rule| rule.child_text("ObjectOwnership"));
            let rule = rule
                .filter(|rule| OWNERSHIPS.contains(rule))
                .ok_or_else(malformed)?;
            let has_list = request.open_bucket().await?.documents.contains_key(acl::DOCUMENT);
            match has_list && rule == OWNER_ENFORCED {
                true => Err(Error::new(Code::InvalidBucketAclWithObjectOwnership)),
                false => Ok(()),
            }
        }
        "encryption" => default_key(element).map(drop),
        PUBLIC_ACCESS_BLOCK => {
            let known = element.has_only_once(&PUBLIC_ACCESS_BLOCKS)
                && element
                    .children
                    .iter()
                    .all(|flag| matches!(flag.text(), "true" | "false"));
            match known && !element.children.is_empty() {
                true => Ok(()),
                false => Err(malformed()),
            }
        }
        _ => Ok(()),
    }
}
