//! Locks as they lie in a bucket and in a table, and freeing one that is still the one that was looked at.

use std::collections::BTreeMap;

use tidelock_core::{LockInfo, address::LOCK_FILE_SUFFIX};

use super::{DIGEST_SUFFIX, Error, INFO, Layout};
use crate::{
    archive::md5_of,
    dynamodb::{self, Condition, Item},
};

/// In which form a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Facet {
    /// A lock file beside the state (`use_lockfile`).
    File,
    /// An item of the table (`dynamodb_table`).
    Table,
}

/// A lock on a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The key of the state.
    pub key: String,
    /// Its form.
    pub facet: Facet,
    /// What its holder wrote, byte for byte.
    pub info: String,
    /// The same, read; `None` where it is not as Terraform writes it.
    pub parsed: Option<LockInfo>,
    /// Since when, in milliseconds since 1970: as the bucket says of the file, as the holder says in the item.
    pub since_ms: Option<i64>,
    /// The ETag of the file.
    pub(super) etag: String,
}

impl Lock {
    pub(super) fn new(key: &str, facet: Facet, info: String, since_ms: Option<i64>, etag: String) -> Lock {
        let parsed = LockInfo::parse(info.as_bytes()).ok().map(|(info, _)| info);
        let created = || parsed.as_ref()?.created.parse::<jiff::Timestamp>().ok();
        Lock {
            since_ms: since_ms.or_else(|| created().map(jiff::Timestamp::as_millisecond)),
            key: key.to_owned(),
            facet,
            info,
            parsed,
            etag,
        }
    }

    /// Its ID, where the info has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.parsed.as_ref().map(|info| info.id.as_str())
    }

    /// What it is called: its ID, else `md5:` and the MD5 of what is there instead.
    #[must_use]
    pub fn name(&self) -> String {
        let of_bytes = || format!("md5:{}", md5_of(self.info.as_bytes()));
        self.id().map_or_else(of_bytes, str::to_owned)
    }
}

impl Layout {
    /// The locks on a state, in each form: one ID in both where Terraform took both.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn locks_of(&self, key: &str) -> Result<Vec<Lock>, Error> {
        let mut found: Vec<Lock> = self.lock_file(key).await?.into_iter().collect();
        if let Some(table) = &self.table {
            let item = self.dynamodb.get_item(table, &self.item_name(key)).await?;
            found.extend(item.and_then(|item| self.lock_of_item(&item)));
        }
        Ok(found)
    }

    /// The lock in the file beside a state.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn lock_file(&self, key: &str) -> Result<Option<Lock>, Error> {
        let file = format!("{key}{LOCK_FILE_SUFFIX}");
        let object = match self.read(&file, None).await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let since = object.written_ms();
        let info = String::from_utf8_lossy(&object.bytes).into_owned();
        Ok(Some(Lock::new(key, Facet::File, info, since, object.etag)))
    }

    /// The lock that an item of the table stands for; `None` where it is none, or of another bucket.
    #[must_use]
    pub fn lock_of_item(&self, item: &Item) -> Option<Lock> {
        let name = dynamodb::text(item, dynamodb::LOCK_ID)?;
        let key = name.strip_prefix(&self.bucket)?.strip_prefix('/')?;
        let info = dynamodb::text(item, INFO);
        if info.is_none() && key.ends_with(DIGEST_SUFFIX) {
            return None;
        }
        let info = info.unwrap_or_default().to_owned();
        Some(Lock::new(key, Facet::Table, info, None, String::new()))
    }

    /// Frees a lock, if it is still there as it was when it was looked at; whether it was.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn free(&self, lock: &Lock) -> Result<bool, Error> {
        match lock.facet {
            Facet::File => self.free_file(lock).await,
            Facet::Table => self.free_item(lock).await,
        }
    }

    async fn free_file(&self, lock: &Lock) -> Result<bool, Error> {
        // Read once more, since not every store knows a conditional deletion.
        let now = self.lock_file(&lock.key).await?;
        if now.is_none_or(|now| now.info != lock.info) {
            return Ok(false);
        }
        let file = format!("{}{LOCK_FILE_SUFFIX}", lock.key);
        match self.s3.delete_object_if(&self.bucket, &file, &lock.etag).await {
            Ok(()) => Ok(true),
            // Such a store has no better way than Terraform's own: to look, and then to delete.
            Err(error) if error.code() == Some("NotImplemented") => {
                self.s3.delete_object(&self.bucket, &file, None).await?;
                Ok(true)
            }
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "NoSuchKey" | "404")) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn free_item(&self, lock: &Lock) -> Result<bool, Error> {
        let Some(table) = &self.table else {
            return Ok(false);
        };
        // An item that somebody has made by hand locks too, without any info.
        let expression = match lock.info.is_empty() {
            true => "attribute_not_exists(Info) OR Info = :info",
            false => "Info = :info",
        };
        let condition = Condition {
            expression,
            values: BTreeMap::from([(":info", lock.info.clone())]),
        };
        let name = self.item_name(&lock.key);
        match self.dynamodb.delete_item(table, &name, Some(&condition)).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
