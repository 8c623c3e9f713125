//! Bucket policies: held to what AWS holds them to, kept byte for byte, and enforced where every request is authorised.
//!
//! Source: PutBucketPolicy of the Amazon S3 API reference, and answers of S3 itself.

use http::{HeaderValue, Response, StatusCode, header};
use tidelock_core::{
    iam::{DEFAULT_ACCOUNT, Directory},
    limits::BUCKET_POLICY_BYTES_MAX,
    policy::{Kind, Policy},
};
use tidelock_service::Bucket;

use super::{
    bucket::blocks,
    error::{Code, Error, Result},
    request::{Request, document, empty},
    xml::Document,
};
use crate::{DoorBody, full};

/// The name under which a bucket keeps its policy.
const DOCUMENT: &str = "policy";

/// The user that the server's operator is, who is not in the directory.
const OPERATOR: &str = "user/tidelock";

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::because(Code::MalformedPolicy, message)
}

/// PutBucketPolicy.
///
/// # Errors
/// `MalformedPolicy`; `AccessDenied` for a public policy where those are blocked.
pub(crate) async fn put(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let bucket = request.open_bucket().await?;
    if body.len() > BUCKET_POLICY_BYTES_MAX {
        return Err(malformed("Policy exceeds the maximum allowed document size."));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let policy = Policy::parse(text, Kind::Bucket).map_err(|why| malformed(why.to_string()))?;
    if !policy.is_about(&format!("arn:aws:s3:::{}", bucket.name)) {
        return Err(malformed("Policy has invalid resource"));
    }
    // Until the policy is stored, nobody whom it names is deleted.
    let _stays = request.service.hold_directory().await;
    check_principals(&policy, &request.service.directory())?;
    let is_public = policy.is_public();
    let change = |bucket: &mut Bucket| {
        let refused = is_public && blocks(bucket, "BlockPublicPolicy");
        if !refused {
            bucket.documents.insert(DOCUMENT.to_owned(), text.to_owned());
        }
    };
    // The block is looked at in the change itself: it may have been put there at the same moment.
    let changed = request.service.change_bucket(&bucket.name, change).await?;
    if is_public && blocks(&changed, "BlockPublicPolicy") {
        return Err(Error::because(
            Code::AccessDenied,
            format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::{}\" because public \
                 policies are blocked by the BlockPublicPolicy block public access setting.",
                request.caller.principal, bucket.name
            ),
        ));
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What GetBucketPolicy answers.
pub(crate) fn shown(policy: &str) -> Response<DoorBody> {
    let mut response = Response::new(full(policy.to_owned()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// GetBucketPolicyStatus.
///
/// # Errors
/// `NoSuchBucketPolicy`.
pub(crate) fn status(bucket: &Bucket) -> Result<Response<DoorBody>> {
    let text = bucket
        .documents
        .get(DOCUMENT)
        .ok_or_else(|| Error::new(Code::NoSuchBucketPolicy).with("BucketName", &bucket.name))?;
    let policy = Policy::parse(text, Kind::Bucket).map_err(|_| Error::new(Code::InternalError))?;
    let mut xml = Document::new("PolicyStatus");
    xml.text("IsPublic", policy.is_public().to_string());
    Ok(document(xml))
}

/// Users and roles of the accounts that are here must exist. Of other accounts nothing is known.
fn check_principals(policy: &Policy, directory: &Directory) -> Result<()> {
    let exists = |arn: &str| {
        let Some((account, who)) = arn
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.split_once(':'))
        else {
            return true;
        };
        let is_here = directory.account(account).is_some();
        let is_operator = account == DEFAULT_ACCOUNT && who == OPERATOR;
        !is_here || is_operator || directory.user_of(arn).is_some() || directory.role_of(arn).is_some()
    };
    match policy.principals().all(exists) {
        true => Ok(()),
        false => Err(malformed("Invalid principal in policy")),
    }
}
