//! One request as the operations see it, and the small answers that many of them give.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tidelock_core::{Address, Caller, VersionId, address::check_bucket};
use tidelock_service::{Bucket, Error as ServiceError, Service};

use super::{
    error::{Code, Error, Result},
    headers::text,
    target::{Query, Target},
    xml::Document,
};
use crate::{
    DoorBody,
    access::{Access, Owner},
    aws_common::{payload::sha256, sigv4::Identity},
    full,
};

/// One request, routed and verified, without its body.
pub(crate) struct Request<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) caller: &'a Caller,
    pub(crate) identity: &'a Identity,
    /// What the caller may do.
    pub(crate) access: &'a Access,
    /// Whose the bucket is, and what its policy says.
    pub(crate) owner: Owner,
    /// Whether the caller may read the outputs of the state and nothing else of it.
    pub(crate) outputs_only: bool,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) head: bool,
}

impl Request<'_> {
    /// The bucket's name.
    ///
    /// # Errors
    /// `InvalidBucketName`.
    pub(crate) fn bucket(&self) -> Result<&str> {
        let name = self.target.bucket.as_deref().unwrap_or_default();
        check_bucket(name)?;
        Ok(name)
    }

    /// The object's address.
    ///
    /// # Errors
    /// `InvalidBucketName`, `KeyTooLongError`, `InvalidArgument`.
    pub(crate) fn address(&self) -> Result<Address> {
        let key = self.target.key.as_deref().unwrap_or_default();
        Ok(Address::new(self.bucket()?, key)?)
    }

    /// The version that the query names.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty one, in S3's words.
    pub(crate) fn version_id(&self) -> Result<Option<VersionId>> {
        match self.query.get("versionId") {
            Some("") => Err(Error::argument(
                "Version id cannot be the empty string",
                "versionId",
                "",
            )),
            id => Ok(id.map(VersionId::from)),
        }
    }

    /// The text of a header.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not UTF-8.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>> {
        text(self.headers, name)
    }

    /// The bucket as it is now.
    ///
    /// # Errors
    /// `InvalidBucketName`, `NoSuchBucket`.
    pub(crate) async fn open_bucket(&self) -> Result<Bucket> {
        Ok(self.service.bucket(self.bucket()?).await?)
    }

    /// Refuses a request that expects the bucket to belong to somebody else.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(crate) async fn check_owner(&self) -> Result<()> {
        let name = self.target.bucket.as_deref().unwrap_or_default();
        self.check_owner_of(name, "x-amz-expected-bucket-owner").await
    }

    /// Refuses a request whose header `expectation` says that another account owns this bucket. One that does not exist is
    /// for the operation to miss.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(crate) async fn check_owner_of(&self, bucket: &str, expectation: &str) -> Result<()> {
        let Some(expected) = self.header(expectation)? else {
            return Ok(());
        };
        match self.service.bucket(bucket).await {
            Ok(bucket) if bucket.owner != expected => Err(Error::new(Code::AccessDenied)),
            Ok(_) | Err(ServiceError::NoSuchBucket(_)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// The canonical user id of an account, in S3's form: 64 hexadecimal digits.
pub(crate) fn canonical_id(account: &str) -> String {
    hex::encode(sha256(account.as_bytes()))
}

/// Writes an account into a document, as the element `name`.
pub(crate) fn tell_owner(document: &mut Document, name: &'static str, account: &str) {
    document
        .open(name)
        .text("ID", canonical_id(account))
        .text("DisplayName", account)
        .close();
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<DoorBody> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

/// An answer that is a document.
pub(crate) fn document(document: Document) -> Response<DoorBody> {
    text_document(document.finish())
}

/// As [`document`], for one that is written already.
pub(crate) fn text_document(text: String) -> Response<DoorBody> {
    let mut response = Response::new(full(text));
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}

/// Adds a header. What was stored came in as a header, so that it can go out as one.
pub(crate) fn set(response: &mut Response<DoorBody>, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
        response.headers_mut().insert(name, value);
    }
}

/// An ETag as it stands in headers and documents.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
