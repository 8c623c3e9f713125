//! One request as the operations see it, and the small answers that many of them give.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tidelock_core::{Address, Caller, VersionId, address::check_bucket};
use tidelock_service::Service;

use super::{
    error::{Code, Error, Result},
    headers::text,
    target::{Query, Target},
    xml::Document,
};
use crate::{
    DoorBody,
    aws_common::{payload::sha256, sigv4::Identity},
    full,
};

/// One request, routed and verified, without its body.
pub(crate) struct Request<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) caller: &'a Caller,
    pub(crate) identity: &'a Identity,
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

    /// Refuses a request that expects the bucket to belong to somebody else.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(crate) fn check_owner(&self) -> Result<()> {
        for name in [
            "x-amz-expected-bucket-owner",
            "x-amz-source-expected-bucket-owner",
        ] {
            if self
                .header(name)?
                .is_some_and(|owner| owner != self.identity.account_id)
            {
                return Err(Error::new(Code::AccessDenied));
            }
        }
        Ok(())
    }

    /// The canonical user id of the account, in S3's form: 64 hexadecimal digits.
    pub(crate) fn owner_id(&self) -> String {
        hex::encode(sha256(self.identity.account_id.as_bytes()))
    }

    /// Writes the owner into a document, as the element `name`.
    pub(crate) fn owner(&self, name: &'static str, document: &mut Document) {
        document
            .open(name)
            .text("ID", self.owner_id())
            .text("DisplayName", &self.identity.account_id)
            .close();
    }
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
