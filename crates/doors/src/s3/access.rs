//! Which actions on which resources an operation of S3 is, and the condition keys that it brings.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" in the Service Authorization Reference, and "Required
//! permissions for Amazon S3 API operations" in the user guide.

use http::HeaderMap;
use tidelock_core::{Address, VersionId};
use tidelock_service::Error as ServiceError;

use super::{
    copy::Source,
    error::{Code, Error, Result},
    headers::COPY_SOURCE,
    request::Request,
    route::Operation as Op,
    subresource::Subresource,
};
use crate::{
    access::{Access, Ask, Denied, Owner, bucket_arn, bucket_owner, object_arn},
    aws_common::error::AuthError,
};

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        Error::because(Code::AccessDenied, denied.to_string())
    }
}

/// What an action is on.
#[derive(Clone, Copy)]
enum On {
    /// The account: all its buckets.
    Account,
    Bucket,
    Object,
}

/// Refuses a request whose caller may not do what it asks for.
///
/// # Errors
/// `AccessDenied`; `ExpiredToken` for a session that has ended and holds no lock.
pub(super) async fn authorize(request: &mut Request<'_>, operation: Op) -> Result<()> {
    finishes(request, operation).await?;
    if may_read_outputs_only(request, operation)? {
        request.outputs_only = true;
        let outputs = Ask::on_state("tidelock:ReadOutputs", &request.address()?, &request.owner);
        return Ok(request.access.may(&outputs)?);
    }
    if is_policy(operation) && request.access.is_operator() {
        // Nobody could take back a policy that denies everybody.
        request.owner = Owner::account(request.owner.account.clone());
    }
    let request = &*request;
    match operation {
        // Each key is asked for by itself.
        Op::DeleteObjects => return is_there(request, operation),
        Op::CopyObject | Op::UploadPartCopy => may_read_source(request).await?,
        _ => {}
    }
    if let Some(state) = locked_by(request)? {
        may_lock_file(request, operation, &state)?;
        return is_there(request, operation);
    }
    let versioned = request.query.has("versionId");
    for (action, on) in actions(operation, versioned) {
        request.access.may(&ask(request, action, on))?;
    }
    for action in by_headers(operation, request.headers) {
        let on = if request.target.key.is_some() {
            On::Object
        } else {
            On::Bucket
        };
        request.access.may(&ask(request, action, on))?;
    }
    is_there(request, operation)
}

/// Refuses what is about a bucket that is not there, before the body is waited for: it was judged as one of the caller's own,
/// and by the time the body has come it may be another's.
///
/// # Errors
/// `NoSuchBucket`, `InvalidBucketName`.
fn is_there(request: &Request<'_>, operation: Op) -> Result<()> {
    let makes_do = matches!(operation, Op::ListBuckets | Op::CreateBucket | Op::Unserved(_));
    match request.owner.absent && !makes_do {
        true => Err(ServiceError::NoSuchBucket(request.bucket()?.to_owned()).into()),
        false => Ok(()),
    }
}

/// Who may not list the bucket does not learn that a key is not there, as on AWS.
pub(super) fn without_absence(request: &Request<'_>, operation: Op, error: Error) -> Error {
    let reads = matches!(
        operation,
        Op::GetObject | Op::HeadObject | Op::GetObjectAttributes | Op::GetObjectTagging | Op::GetObjectAcl
    );
    let absent = [Code::NoSuchKey.name(), Code::NoSuchVersion.name()].contains(&error.code);
    let is_lock = matches!(locked_by(request), Ok(Some(_)));
    let key = request.target.key.clone().unwrap_or_default();
    let list = ask(request, "s3:ListBucket", On::Bucket).with("s3:prefix", key);
    if !reads || !absent || is_lock || request.access.allows(std::slice::from_ref(&list)) {
        return error;
    }
    request.access.may(&list).err().map_or(error, Error::from)
}

/// Condition keys out of the signature and the headers: `x-amz-acl` is `s3:x-amz-acl`. What is secret stays out.
pub(super) fn add_keys(access: &mut Access, headers: &HeaderMap, signature_age_ms: i64) {
    access.add("s3:signatureversion", "AWS4-HMAC-SHA256");
    access.add("s3:signatureAge", &signature_age_ms.max(0).to_string());
    let signed_by = match headers.contains_key(http::header::AUTHORIZATION) {
        true => "REST-HEADER",
        false => "REST-QUERY-STRING",
    };
    access.add("s3:authType", signed_by);
    for (name, value) in headers {
        let name = name.as_str();
        let secret = name.contains("token") || name.ends_with("customer-key");
        if let Ok(value) = value.to_str()
            && name.starts_with("x-amz-")
            && !secret
        {
            let key = match name.strip_prefix("x-amz-object-lock-") {
                Some(lock) => format!("s3:object-lock-{lock}"),
                None => format!("s3:{name}"),
            };
            access.add(&key, value);
        }
    }
    for (key, name) in [("s3:if-match", "if-match"), ("s3:if-none-match", "if-none-match")] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            access.add(key, value);
        }
    }
}

/// Whether an operation is about the bucket's policy.
fn is_policy(operation: Op) -> bool {
    match operation {
        Op::GetSubresource(part) | Op::PutSubresource(part) | Op::DeleteSubresource(part) => {
            part.query == "policy"
        }
        _ => false,
    }
}

/// Whether the caller is allowed the outputs of the state alone.
fn may_read_outputs_only(request: &Request<'_>, operation: Op) -> Result<bool> {
    if !matches!(operation, Op::GetObject | Op::HeadObject) || request.query.has("versionId") {
        return Ok(false);
    }
    let whole = ask(request, "s3:GetObject", On::Object);
    let is_settled = request.access.allows(std::slice::from_ref(&whole)) || request.access.is_denied(&whole);
    if is_settled || locked_by(request)?.is_some() {
        return Ok(false);
    }
    let outputs = Ask::on_state("tidelock:ReadOutputs", &request.address()?, &request.owner);
    Ok(request.access.allows(&[outputs]))
}

/// Refuses the deletion of one key of several, of this version if one is named. Who names an ETag has to be a reader too, as by
/// header.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn may_delete(
    request: &Request<'_>,
    address: &Address,
    version: Option<&VersionId>,
    names_etag: bool,
) -> Result<()> {
    let arn = object_arn(address.bucket(), address.key());
    if let Some(state) = address.locked_by_file() {
        return may_release(request, &arn, &state);
    }
    let by_itself = actions(Op::DeleteObject, version.is_some());
    let reads = names_etag.then_some("s3:GetObject");
    for action in by_itself
        .into_iter()
        .map(|(action, _)| action)
        .chain(by_headers(Op::DeleteObject, request.headers))
        .chain(reads)
    {
        let mut ask = Ask::new(action, arn.clone(), &request.owner);
        if let Some(version) = version {
            ask = ask.with("s3:VersionId", version.as_str());
        }
        request.access.may(&ask)?;
    }
    Ok(())
}

/// Refuses tags for a bucket in the making, which only the request's body tells of.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn may_tag_bucket(request: &Request<'_>) -> Result<()> {
    Ok(request.access.may(&ask(request, "s3:TagResource", On::Bucket))?)
}

/// Whether the caller may end a lock that is another's.
pub(super) fn may_force(request: &Request<'_>, state: &Address) -> bool {
    let file = object_arn(state.bucket(), &format!("{}.tflock", state.key()));
    request.access.allows(&[
        Ask::new("s3:DeleteObject", file, &request.owner),
        Ask::on_state("tidelock:ForceUnlock", state, &request.owner),
    ])
}

/// Refuses a session that has ended everything but what its lock is for: reading and writing the state, and giving
/// the lock back.
async fn finishes(request: &Request<'_>, operation: Op) -> Result<()> {
    if !request.access.is_expired() {
        return Ok(());
    }
    let address = match operation {
        Op::GetObject
        | Op::HeadObject
        | Op::PutObject
        | Op::DeleteObject
        | Op::CreateMultipartUpload
        | Op::UploadPart
        | Op::CompleteMultipartUpload
        | Op::AbortMultipartUpload => {
            let address = request.address()?;
            Some(address.locked_by_file().unwrap_or(address))
        }
        _ => None,
    };
    match request.access.is_over(address.as_ref()).await? {
        true => Err(Error::from(&AuthError::ExpiredToken(String::new()))),
        false => Ok(()),
    }
}

/// The state whose lock file the request is about.
fn locked_by(request: &Request<'_>) -> Result<Option<Address>> {
    match &request.target.key {
        Some(key) if key.ends_with(".tflock") => Ok(request.address()?.locked_by_file()),
        _ => Ok(None),
    }
}

/// A lock file is asked for as the object that it looks like, or as the lock that it is.
fn may_lock_file(request: &Request<'_>, operation: Op, state: &Address) -> Result<()> {
    let versioned = request.query.has("versionId");
    for (action, on) in actions(operation, versioned) {
        let file = ask(request, action, on);
        match operation {
            Op::DeleteObject => {
                may_release(request, &file.resource, state)?;
            }
            _ => {
                let lock = Ask::on_state("tidelock:Lock", state, &request.owner);
                request.access.may_any(&[file, lock])?;
            }
        }
    }
    Ok(())
}

fn may_release(request: &Request<'_>, file: &str, state: &Address) -> Result<()> {
    let owner = &request.owner;
    let own = [
        Ask::new("s3:DeleteObject", file, owner),
        Ask::on_state("tidelock:Lock", state, owner),
    ];
    let force = Ask::on_state("tidelock:ForceUnlock", state, owner);
    Ok(request.access.may_release(&own, force)?)
}

/// Copying reads the source.
async fn may_read_source(request: &Request<'_>) -> Result<()> {
    let source = request.header(COPY_SOURCE)?.unwrap_or_default();
    let Source { address, id } = Source::read(source)?;
    let owner = bucket_owner(request.access, address.bucket()).await?;
    let action = match id {
        Some(_) => "s3:GetObjectVersion",
        None => "s3:GetObject",
    };
    let arn = object_arn(address.bucket(), address.key());
    request.access.may(&Ask::new(action, arn, &owner))?;
    match owner.absent {
        true => Err(ServiceError::NoSuchBucket(address.bucket().to_owned()).into()),
        false => Ok(()),
    }
}

fn ask<'a>(request: &'a Request<'_>, action: &'static str, on: On) -> Ask<'a> {
    let bucket = request.target.bucket.as_deref().unwrap_or_default();
    let key = request.target.key.as_deref().unwrap_or_default();
    let resource = match on {
        On::Account => "*".to_owned(),
        On::Bucket => bucket_arn(bucket),
        On::Object => object_arn(bucket, key),
    };
    with_query(request, Ask::new(action, resource, &request.owner))
}

/// Condition keys out of the query.
fn with_query<'a>(request: &Request<'_>, mut ask: Ask<'a>) -> Ask<'a> {
    let lists = matches!(
        &*ask.action,
        "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads"
    );
    if lists && request.target.key.is_none() {
        for (key, parameter) in [
            ("s3:prefix", "prefix"),
            ("s3:delimiter", "delimiter"),
            ("s3:max-keys", "max-keys"),
        ] {
            if let Some(value) = request.query.get(parameter) {
                ask = ask.with(key, value);
            }
        }
    }
    if let Some(id) = request.query.get("versionId") {
        ask = ask.with("s3:VersionId", id);
    }
    ask
}

/// What an operation needs, whatever its headers say.
fn actions(operation: Op, versioned: bool) -> Vec<(&'static str, On)> {
    let object = |plain, of_version| vec![(if versioned { of_version } else { plain }, On::Object)];
    match operation {
        Op::ListBuckets => vec![("s3:ListAllMyBuckets", On::Account)],
        Op::CreateBucket => vec![("s3:CreateBucket", On::Bucket)],
        Op::DeleteBucket => vec![("s3:DeleteBucket", On::Bucket)],
        Op::HeadBucket | Op::ListObjects | Op::ListObjectsV2 => vec![("s3:ListBucket", On::Bucket)],
        Op::ListObjectVersions => vec![("s3:ListBucketVersions", On::Bucket)],
        Op::ListMultipartUploads => vec![("s3:ListBucketMultipartUploads", On::Bucket)],
        Op::GetBucketLocation => vec![("s3:GetBucketLocation", On::Bucket)],
        Op::GetBucketVersioning => vec![("s3:GetBucketVersioning", On::Bucket)],
        Op::PutBucketVersioning => vec![("s3:PutBucketVersioning", On::Bucket)],
        Op::GetSubresource(part) => vec![(of_subresource(part).0, On::Bucket)],
        Op::PutSubresource(part) => vec![(of_subresource(part).1, On::Bucket)],
        Op::DeleteSubresource(part) => vec![(of_subresource(part).2, On::Bucket)],
        Op::PutObject
        | Op::CopyObject
        | Op::CreateMultipartUpload
        | Op::UploadPart
        | Op::UploadPartCopy
        | Op::CompleteMultipartUpload => vec![("s3:PutObject", On::Object)],
        Op::GetObject | Op::HeadObject => object("s3:GetObject", "s3:GetObjectVersion"),
        Op::GetObjectAttributes => {
            let mut both = object("s3:GetObject", "s3:GetObjectVersion");
            both.extend(object("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"));
            both
        }
        Op::DeleteObject | Op::DeleteObjects => object("s3:DeleteObject", "s3:DeleteObjectVersion"),
        Op::GetObjectTagging => object("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        Op::PutObjectTagging => object("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
        Op::DeleteObjectTagging => object("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        Op::GetObjectAcl => object("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
        Op::PutObjectAcl => object("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
        Op::GetObjectLegalHold => vec![("s3:GetObjectLegalHold", On::Object)],
        Op::GetObjectRetention => vec![("s3:GetObjectRetention", On::Object)],
        Op::PutObjectLegalHold => vec![("s3:PutObjectLegalHold", On::Object)],
        Op::PutObjectRetention => vec![("s3:PutObjectRetention", On::Object)],
        Op::ListParts => vec![("s3:ListMultipartUploadParts", On::Object)],
        Op::AbortMultipartUpload => vec![("s3:AbortMultipartUpload", On::Object)],
        // Answered with what it is: not implemented, for whoever has a key.
        Op::Unserved(_) => Vec::new(),
    }
}

/// What headers ask for beside the operation itself.
fn by_headers(operation: Op, headers: &HeaderMap) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    let has = |name: &str| headers.contains_key(name);
    let has_acl = has("x-amz-acl")
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("x-amz-grant-"));
    match operation {
        Op::PutObject | Op::CopyObject | Op::CreateMultipartUpload => {
            let wants = [
                (has_acl, "s3:PutObjectAcl"),
                (has("x-amz-tagging"), "s3:PutObjectTagging"),
                (
                    has("x-amz-object-lock-mode") || has("x-amz-object-lock-retain-until-date"),
                    "s3:PutObjectRetention",
                ),
                (has("x-amz-object-lock-legal-hold"), "s3:PutObjectLegalHold"),
            ];
            wanted.extend(
                wants
                    .into_iter()
                    .filter_map(|(asked, action)| asked.then_some(action)),
            );
        }
        Op::CreateBucket => {
            let wants = [
                (has_acl, "s3:PutBucketAcl"),
                (has("x-amz-object-ownership"), "s3:PutBucketOwnershipControls"),
                (
                    has("x-amz-bucket-object-lock-enabled"),
                    "s3:PutBucketObjectLockConfiguration",
                ),
            ];
            wanted.extend(
                wants
                    .into_iter()
                    .filter_map(|(asked, action)| asked.then_some(action)),
            );
        }
        _ => {}
    }
    // Whether an ETag is that of the object is something that only its readers know.
    let names_etag = headers
        .get(http::header::IF_MATCH)
        .is_some_and(|etag| etag != "*");
    let writes = matches!(
        operation,
        Op::PutObject | Op::CopyObject | Op::CompleteMultipartUpload | Op::DeleteObject
    );
    if names_etag && writes {
        wanted.push("s3:GetObject");
    }
    let bypasses = headers
        .get("x-amz-bypass-governance-retention")
        .is_some_and(|on| on.as_bytes().eq_ignore_ascii_case(b"true"));
    if bypasses {
        wanted.push("s3:BypassGovernanceRetention");
    }
    wanted
}

/// The actions of reading, writing and removing a part of a bucket's configuration.
#[rustfmt::skip]
fn of_subresource(part: &Subresource) -> (&'static str, &'static str, &'static str) {
    let same = |get, put| (get, put, put);
    match part.query {
        "accelerate" => same("s3:GetAccelerateConfiguration", "s3:PutAccelerateConfiguration"),
        "acl" => same("s3:GetBucketAcl", "s3:PutBucketAcl"),
        "cors" => same("s3:GetBucketCORS", "s3:PutBucketCORS"),
        "encryption" => same("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
        "lifecycle" => same("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
        "logging" => same("s3:GetBucketLogging", "s3:PutBucketLogging"),
        "notification" => same("s3:GetBucketNotification", "s3:PutBucketNotification"),
        "object-lock" => same("s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
        "ownershipControls" => same("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
        "policyStatus" => same("s3:GetBucketPolicyStatus", "s3:GetBucketPolicyStatus"),
        "policy" => ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        "publicAccessBlock" => same("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        "replication" => same("s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"),
        "requestPayment" => same("s3:GetBucketRequestPayment", "s3:PutBucketRequestPayment"),
        "tagging" => same("s3:GetBucketTagging", "s3:PutBucketTagging"),
        "website" => ("s3:GetBucketWebsite", "s3:PutBucketWebsite", "s3:DeleteBucketWebsite"),
        "analytics" => same("s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"),
        "intelligent-tiering" => same("s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"),
        "inventory" => same("s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration"),
        "metrics" => same("s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration"),
        // A test holds that every part is listed above; one that is not is nobody's.
        _ => same("s3:*", "s3:*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::subresource::SUBRESOURCES;

    #[test]
    fn every_part_of_a_buckets_configuration_has_its_actions() {
        for part in SUBRESOURCES {
            let (get, put, delete) = of_subresource(part);
            for action in [get, put, delete] {
                assert!(!action.contains('*'), "{}: {action}", part.query);
            }
        }
    }
}
