//! Buckets: a name, a versioning, and the documents that the doors keep with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Time, Versioning,
    address::check_bucket,
    iam::DEFAULT_ACCOUNT,
    lifecycle::Lifecycle,
    limits::{BUCKETS_MAX, SCAN_PAGE_ROWS},
    object_lock::ObjectLock,
};
use tidelock_engine::{Batch, Expect, Revision};

use crate::{
    DefaultKey, Error, Logging, Service,
    rows::{self, ObjectRow},
    to_the_end,
    turn::TURNS,
};

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name, which no other account's bucket has.
    pub name: String,
    /// The account that it belongs to.
    #[serde(default = "default_account")]
    pub owner: String,
    /// When it was made.
    pub created: Time,
    /// Its versioning.
    pub versioning: Versioning,
    /// Its Object Lock, once it has it. Such a bucket stays versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// When its objects end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Where its access log goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Texts that a door keeps with the bucket, by the door's own names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, String>,
    /// The KMS key of bodies whose writers name none, when the bucket has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_key: Option<DefaultKey>,
    /// Set while the bucket is looked through before its deletion: from then on it takes no writes, so that nothing
    /// can slip in between the look and the deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closing: bool,
}

/// Whose it is where nobody has written that down.
fn default_account() -> String {
    DEFAULT_ACCOUNT.to_owned()
}

impl Service {
    /// Makes a bucket that belongs to the account `owner`.
    ///
    /// # Errors
    /// [`Error::BucketExists`], also where another account's has left history; [`Error::NoSuchBucket`] for a name that S3 would not
    /// take; [`Error::TooManyBuckets`].
    pub async fn create_bucket(&self, name: &str, owner: &str) -> Result<Bucket, Error> {
        self.create_bucket_with(name, owner, |_| {}).await
    }

    /// The same, with something of its configuration from the beginning.
    ///
    /// # Errors
    /// As [`Service::create_bucket`].
    pub async fn create_bucket_with(
        &self,
        name: &str,
        owner: &str,
        configure: impl FnOnce(&mut Bucket) + Send,
    ) -> Result<Bucket, Error> {
        check_bucket(name).map_err(|_| Error::NoSuchBucket(name.to_owned()))?;
        let mut bucket = Bucket {
            name: name.to_owned(),
            owner: owner.to_owned(),
            created: self.now(),
            versioning: Versioning::Unversioned,
            object_lock: None,
            lifecycle: None,
            logging: None,
            documents: BTreeMap::new(),
            default_key: None,
            closing: false,
        };
        configure(&mut bucket);
        // Who has a bucket reads the history below its name.
        let former = self.former_owner(name).await?;
        if former.is_some_and(|former| former != owner) {
            return Err(Error::BucketExists(name.to_owned()));
        }
        let row = rows::bucket(name);
        let known = self.engine.scan(rows::space(b'b'), BUCKETS_MAX).await?;
        if known.len() == BUCKETS_MAX && !known.iter().any(|(other, _)| *other == row) {
            return Err(Error::TooManyBuckets);
        }
        let batch = Batch {
            checks: vec![(row.clone(), Expect::Absent)],
            puts: vec![(row, rows::encode(&bucket))],
            deletes: vec![rows::former_bucket(name)],
            ..Batch::default()
        };
        if self.commit(batch).await? {
            Ok(bucket)
        } else {
            Err(Error::BucketExists(name.to_owned()))
        }
    }

    /// A bucket by its name.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        Ok(self.open_bucket(name).await?.0)
    }

    /// A bucket that takes writes, and the revision that a write must name to be sure that it still does.
    pub(crate) async fn open_bucket(&self, name: &str) -> Result<(Bucket, Revision), Error> {
        let row = rows::bucket(name);
        let entry = self
            .engine
            .get(&row)
            .await?
            .ok_or_else(|| Error::NoSuchBucket(name.to_owned()))?;
        let bucket: Bucket = rows::decode(&row, &entry.value)?;
        if bucket.closing {
            Err(Error::NoSuchBucket(name.to_owned()))
        } else {
            Ok((bucket, entry.revision))
        }
    }

    /// Every bucket, by name.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        let mut buckets = self.all_buckets().await?;
        buckets.retain(|bucket| !bucket.closing);
        Ok(buckets)
    }

    async fn all_buckets(&self) -> Result<Vec<Bucket>, Error> {
        let rows = self.engine.scan(rows::space(b'b'), BUCKETS_MAX).await?;
        rows.iter()
            .map(|(row, entry)| rows::decode(row, &entry.value))
            .collect()
    }

    /// Changes a bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn change_bucket(
        &self,
        name: &str,
        change: impl Fn(&mut Bucket) + Send,
    ) -> Result<Bucket, Error> {
        let change = move |bucket: &mut Bucket| {
            change(bucket);
            Ok(())
        };
        self.change_bucket_if(name, change).await
    }

    /// Sets a bucket's versioning.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]; [`Error::StaysVersioned`] for a bucket with Object Lock.
    pub async fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<Bucket, Error> {
        let change = |bucket: &mut Bucket| {
            if bucket.object_lock.is_some() && versioning != Versioning::Enabled {
                return Err(Error::StaysVersioned(name.to_owned()));
            }
            bucket.versioning = versioning;
            Ok(())
        };
        self.change_bucket_if(name, change).await
    }

    /// Gives a bucket Object Lock, or another default retention.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]; [`Error::NotVersioned`].
    pub async fn set_object_lock(&self, name: &str, lock: ObjectLock) -> Result<Bucket, Error> {
        let change = |bucket: &mut Bucket| {
            if bucket.versioning != Versioning::Enabled {
                return Err(Error::NotVersioned(name.to_owned()));
            }
            bucket.object_lock = Some(lock);
            Ok(())
        };
        self.change_bucket_if(name, change).await
    }

    async fn change_bucket_if(
        &self,
        name: &str,
        change: impl Fn(&mut Bucket) -> Result<(), Error> + Send,
    ) -> Result<Bucket, Error> {
        for _ in TURNS {
            let (mut bucket, revision) = self.open_bucket(name).await?;
            change(&mut bucket)?;
            if self.put_bucket(&bucket, revision).await? {
                return Ok(bucket);
            }
        }
        Err(Error::Busy(name.to_owned()))
    }

    async fn put_bucket(&self, bucket: &Bucket, revision: Revision) -> Result<bool, Error> {
        let row = rows::bucket(&bucket.name);
        let batch = Batch {
            checks: vec![(row.clone(), Expect::At(revision))],
            puts: vec![(row, rows::encode(bucket))],
            ..Batch::default()
        };
        self.commit(batch).await
    }

    /// Deletes an empty bucket, with the uploads that were never completed.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        self.open_bucket(name).await?;
        // A closed bucket takes no writes: one that is in use is not to be closed because of somebody's slip.
        if !self.is_empty(name).await? {
            return Err(Error::BucketNotEmpty(name.to_owned()));
        }
        let (service, name) = (self.clone(), name.to_owned());
        to_the_end(async move { service.close_bucket(&name).await }).await
    }

    async fn close_bucket(&self, name: &str) -> Result<(), Error> {
        let closed = self.change_bucket(name, |bucket| bucket.closing = true).await?;
        let empty = self.is_empty(name).await;
        if !matches!(empty, Ok(true)) {
            self.reopen(closed).await?;
            return Err(empty
                .err()
                .unwrap_or_else(|| Error::BucketNotEmpty(name.to_owned())));
        }
        self.drop_uploads(name).await?;
        let owner = (rows::former_bucket(name), rows::encode(&closed.owner));
        self.commit(Batch {
            puts: self
                .has_history(name)
                .await?
                .then_some(owner)
                .into_iter()
                .collect(),
            deletes: vec![rows::bucket(name)],
            ..Batch::default()
        })
        .await?;
        Ok(())
    }

    /// Whose the history is that a deleted bucket of this name has left; `None` where there is none.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn former_owner(&self, name: &str) -> Result<Option<String>, Error> {
        if !self.has_history(name).await? {
            return Ok(None);
        }
        let row = rows::former_bucket(name);
        match self.engine.get(&row).await? {
            Some(entry) => rows::decode(&row, &entry.value).map(Some),
            None => Ok(Some(default_account())),
        }
    }

    /// Whether versions or refused writes are kept below this name.
    async fn has_history(&self, name: &str) -> Result<bool, Error> {
        for space in [b'v', b'q'] {
            let range = rows::under(space, &format!("{name}/"));
            if !self.engine.scan(range, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn reopen(&self, mut bucket: Bucket) -> Result<(), Error> {
        bucket.closing = false;
        let put = (rows::bucket(&bucket.name), rows::encode(&bucket));
        self.commit(Batch {
            puts: vec![put],
            ..Batch::default()
        })
        .await?;
        Ok(())
    }

    /// Whether the bucket shows neither object nor version nor lock. Records that only keep a fence do not count.
    async fn is_empty(&self, name: &str) -> Result<bool, Error> {
        let mut range = rows::prefixed(rows::object(name, ""));
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
            for (row, entry) in &page {
                match rows::decode(row, &entry.value)? {
                    ObjectRow::Record(record) if record.head.is_none() && record.locks.is_empty() => {}
                    ObjectRow::Record(_) | ObjectRow::LockFile(_) => return Ok(false),
                }
            }
            let Some((last, _)) = page.last().filter(|_| page.len() == SCAN_PAGE_ROWS) else {
                return Ok(true);
            };
            range.start = [last.as_slice(), &[0]].concat();
        }
    }

    /// A bucket that was being looked through when the server died is simply open again: nothing was deleted yet.
    pub(crate) async fn recover_buckets(&self) -> Result<(), Error> {
        for bucket in self.all_buckets().await? {
            if bucket.closing {
                self.reopen(bucket).await?;
            }
        }
        Ok(())
    }
}
