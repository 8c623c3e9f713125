//! A client of S3: one method a call, for AWS's own S3 and whoever else speaks it.
//!
//! Requests are repeated with growing pauses when the server is overloaded or the connection breaks, and signed at the
//! time that the server's clock shows. Errors are sentences that name what the call was about.

mod answers;
mod bucket;
mod endpoint;
mod error;
mod lifecycle;
mod probe;
mod request;
mod settings;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use md5::{Digest, Md5};
use tidelock_core::limits::{CLIENT_DOCUMENT_BYTES_MAX, OBJECT_BYTES_MAX};

pub use answers::{Listed, ListedVersion, Object, Page, Put, VersionMarker, Versioning};
pub use error::{Error, Subject};
pub use lifecycle::{Lifecycle, Rule};
pub(crate) use probe::Probe;
pub use settings::{Encryption, PublicAccessBlock};

use crate::aws::{Access, Settings, SettingsError, Why};
use endpoint::Endpoint;
use request::Call;

/// AWS's name for it.
const SERVICE: &str = "S3";

/// A client of one S3 endpoint. Cheap to use from many tasks at once.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    access: Arc<Access>,
}

impl Client {
    /// A client of the endpoint that the settings name; connects with the first call.
    ///
    /// # Errors
    /// When the endpoint is no URL, or the certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Client, SettingsError> {
        Client::with(Access::new(settings)?)
    }

    /// A client that shares connections and key with others.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn with(access: Arc<Access>) -> Result<Client, SettingsError> {
        let endpoint = Endpoint::of(&access.settings)?;
        Ok(Client { endpoint, access })
    }

    /// `https://HOST[:PORT]` of the server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.url()
    }

    /// A page of the versions and delete markers below `prefix`, by key, the newest of each first.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn list_object_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&VersionMarker>,
    ) -> Result<Page<ListedVersion, VersionMarker>, Error> {
        let mut query = vec![("encoding-type", "url"), ("prefix", prefix), ("versions", "")];
        if let Some(marker) = after {
            query.push(("key-marker", &marker.key));
            query.extend(
                marker
                    .version
                    .as_deref()
                    .map(|version| ("version-id-marker", version)),
            );
        }
        let call = Call::of_bucket("ListObjectVersions", Method::GET, bucket).query(query);
        let answer = self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        answers::versions(&answer.body).ok_or_else(|| self.foreign(&call, "its listing cannot be read"))
    }

    /// A page of the current objects below `prefix`, by key; `after` is the token of the page before.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Page<Listed, String>, Error> {
        let mut query = vec![("encoding-type", "url"), ("list-type", "2"), ("prefix", prefix)];
        query.extend(after.map(|token| ("continuation-token", token)));
        let call = Call::of_bucket("ListObjectsV2", Method::GET, bucket).query(query);
        let answer = self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        let page = answers::objects(&answer.body);
        let page = page.ok_or_else(|| self.foreign(&call, "its listing cannot be read"))?;
        match after.is_some() && page.next.as_deref() == after {
            true => Err(self.foreign(&call, "its listing does not go on")),
            false => Ok(page),
        }
    }

    /// An object with its bytes, at most [`OBJECT_BYTES_MAX`]; the current version where none is named.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchKey` and `NoSuchVersion` among them.
    pub async fn get_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Object, Error> {
        self.get_object_with(bucket, key, version, Vec::new()).await
    }

    /// The same with headers of one's own, such as `range`.
    ///
    /// # Errors
    /// As [`Client::get_object`].
    pub async fn get_object_with(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Object, Error> {
        let mut call = Call::of_object("GetObject", Method::GET, bucket, key, version);
        call.headers = headers;
        Ok(Object::of(self.send(&call, OBJECT_BYTES_MAX).await?))
    }

    /// The same without its bytes; a missing one is the code `404`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn head_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Object, Error> {
        self.head_object_with(bucket, key, version, Vec::new()).await
    }

    /// The same with headers of one's own.
    ///
    /// # Errors
    /// As [`Client::head_object`].
    pub async fn head_object_with(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Object, Error> {
        let mut call = Call::of_object("HeadObject", Method::HEAD, bucket, key, version);
        call.headers = headers;
        Ok(Object::of(self.send(&call, 0).await?))
    }

    /// Writes an object. A try whose answer was lost is repeated, so that a versioned bucket may keep the bytes twice.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        headers: &[(&'static str, String)],
    ) -> Result<Put, Error> {
        let md5 = STANDARD.encode(Md5::digest(&bytes));
        let mut call = Call::of_object("PutObject", Method::PUT, bucket, key, None);
        call.headers = headers.to_vec();
        call.headers.push(("content-md5", md5));
        call.body = bytes;
        let answer = self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        Ok(Put::of(&answer.headers))
    }

    /// Deletes a version for good, or, where none is named, the object: a versioned bucket then shows a delete marker.
    ///
    /// # Errors
    /// [`Error`]; what is not there is deleted already.
    pub async fn delete_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<(), Error> {
        let call = Call::of_object("DeleteObject", Method::DELETE, bucket, key, version);
        self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        Ok(())
    }

    /// Whether the bucket keeps old versions.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_versioning(&self, bucket: &str) -> Result<Versioning, Error> {
        let call =
            Call::of_bucket("GetBucketVersioning", Method::GET, bucket).query(vec![("versioning", "")]);
        let answer = self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        answers::versioning(&answer.body).ok_or_else(|| self.foreign(&call, "its versioning cannot be read"))
    }

    /// Deletes the object if it is still the one with this ETag, in a bucket of a store that knows conditional deletes; one
    /// that does not know them deletes whatever is there.
    ///
    /// # Errors
    /// [`Error`]; `PreconditionFailed` among them.
    pub async fn delete_object_if(&self, bucket: &str, key: &str, etag: &str) -> Result<(), Error> {
        let mut call = Call::of_object("DeleteObject", Method::DELETE, bucket, key, None);
        call.headers.push(("if-match", format!("\"{etag}\"")));
        self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        Ok(())
    }

    fn foreign(&self, call: &Call<'_>, why: &str) -> Error {
        let (endpoint, service, why) = (self.endpoint(), SERVICE, why.to_owned());
        call.error(Why::Foreign {
            endpoint,
            service,
            why,
        })
    }
}
