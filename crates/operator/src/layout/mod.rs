//! Terraform's layout of states in any S3 bucket and DynamoDB table: the state's object, the lock file beside it, the table's
//! item that locks it, and the item with its digest.
//!
//! Source: `internal/backend/remote-state/s3/client.go` of Terraform.

mod blame;
mod lock;
mod rollback;
mod take;
mod united;
mod versions;

use std::sync::Arc;

use crate::{
    aws::{Access, SettingsError},
    backend::Encryption,
    dynamodb::{self, Item},
    s3,
};

pub use blame::Blame;
pub use lock::{Facet, Lock};
pub use rollback::{Done, Plan, RollbackError, Step};
pub use take::{Held, TakeError, Want};
pub use united::{Freed, Locks, United};
pub use versions::{Line, Named, Version, Walk};

/// What the item with the digest is called after: the state's own item name and this.
pub const DIGEST_SUFFIX: &str = "-md5";

/// The attribute with the digest.
const DIGEST: &str = "Digest";

/// The attribute with the lock's info.
const INFO: &str = "Info";

/// A bucket with states, and perhaps the table that locks them.
#[derive(Debug)]
pub struct Layout {
    /// How its services are reached.
    pub access: Arc<Access>,
    /// The service of the bucket.
    pub s3: s3::Client,
    /// The service of the table.
    pub dynamodb: dynamodb::Client,
    /// The bucket.
    pub bucket: String,
    /// The table (`dynamodb_table`).
    pub table: Option<String>,
    /// How Terraform has the objects of its states encrypted; as the bucket does by itself unless a backend block says more.
    pub encryption: Encryption,
}

/// Why something in a bucket or a table could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to S3.
    #[error(transparent)]
    S3(#[from] s3::Error),
    /// A call to DynamoDB.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
    /// A lock of ours that could not be released.
    #[error(
        "{first}the lock {id} on {address} at {endpoint} may be left: {why}; if it is, free it: `tidelock unlock {address} {id}`"
    )]
    LockStays {
        /// The state.
        address: String,
        /// In which store.
        endpoint: String,
        /// The lock's ID.
        id: String,
        /// What failed before, as the beginning of a sentence; empty where nothing did.
        first: String,
        /// Why.
        why: Box<Error>,
    },
}

impl Error {
    /// Whether it says something of one object alone: that its bytes are closed to whoever asks, as with another team's key, or
    /// that what was listed is gone.
    pub(crate) fn is_of_one_object(&self) -> bool {
        let codes = ["AccessDenied", "InvalidRequest", "NoSuchVersion", "NoSuchKey"];
        match self {
            Error::S3(error) => {
                error.call == "GetObject" && error.code().is_some_and(|code| codes.contains(&code))
            }
            Error::DynamoDb(_) | Error::LockStays { .. } => false,
        }
    }
}

impl Layout {
    /// Connects with the first call.
    ///
    /// # Errors
    /// When an endpoint is no URL.
    pub fn new(access: Arc<Access>, bucket: String, table: Option<String>) -> Result<Layout, SettingsError> {
        Ok(Layout {
            s3: s3::Client::with(access.clone())?,
            dynamodb: dynamodb::Client::with(access.clone())?,
            access,
            bucket,
            table,
            encryption: Encryption::default(),
        })
    }

    /// The same under a name that outlasts this process: a store that judges writes by who makes them, as Tidelock does, takes
    /// a later process of this name for the holder of its locks.
    ///
    /// # Errors
    /// None where this one was made without.
    pub fn as_run(self, name: &str) -> Result<Layout, SettingsError> {
        let encryption = self.encryption;
        let layout = Layout::new(self.access.as_run(name), self.bucket, self.table)?;
        Ok(Layout { encryption, ..layout })
    }

    /// A state, a lock file, or a version of one, read as Terraform reads it.
    ///
    /// # Errors
    /// [`s3::Error`]; `NoSuchKey` and `NoSuchVersion` among them.
    pub async fn read(&self, key: &str, version: Option<&str>) -> Result<s3::Object, s3::Error> {
        let get = |headers| self.s3.get_object_with(&self.bucket, key, version, headers);
        match get(self.encryption.headers_of_get()).await {
            Err(error) if self.is_without_key(&error) => get(Vec::new()).await,
            answer => answer,
        }
    }

    /// The same without its bytes; a missing one is the code `404`.
    ///
    /// # Errors
    /// [`s3::Error`].
    pub async fn head(&self, key: &str, version: Option<&str>) -> Result<s3::Object, s3::Error> {
        let head = |headers| self.s3.head_object_with(&self.bucket, key, version, headers);
        match head(self.encryption.headers_of_get()).await {
            Err(error) if self.is_without_key(&error) => head(Vec::new()).await,
            answer => answer,
        }
    }

    /// Whether it may be an object that was written without the key of the block, as all are from before the block had one.
    fn is_without_key(&self, error: &s3::Error) -> bool {
        self.encryption.is_by_customer() && error.is_bad_request()
    }

    /// What the table calls a state.
    #[must_use]
    pub fn item_name(&self, key: &str) -> String {
        format!("{}/{key}", self.bucket)
    }

    /// The digest of a state that the table has: the MD5 in hexadecimal digits.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn digest(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(table) = &self.table else {
            return Ok(None);
        };
        let name = self.item_name(key) + DIGEST_SUFFIX;
        let item = self.dynamodb.get_item(table, &name).await?;
        let digest = item.as_ref().and_then(|item| dynamodb::text(item, DIGEST));
        Ok(digest.filter(|digest| !digest.is_empty()).map(str::to_owned))
    }

    /// Puts the digest of a state into the table, or takes it out; without a table there is nothing to do.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_digest(&self, key: &str, md5: Option<&str>) -> Result<(), Error> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let name = self.item_name(key) + DIGEST_SUFFIX;
        match md5 {
            None => self.dynamodb.delete_item(table, &name, None).await?,
            Some(md5) => {
                let mut item = Item::new();
                item.insert(dynamodb::LOCK_ID.to_owned(), dynamodb::string(&name));
                item.insert(DIGEST.to_owned(), dynamodb::string(md5));
                self.dynamodb.put_item(table, &item, None).await?;
            }
        }
        Ok(())
    }
}
