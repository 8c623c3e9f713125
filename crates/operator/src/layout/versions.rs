//! The versions of a state in a bucket, newest first: read as they are asked for, so that a history of any length takes the
//! same memory.
//!
//! S3 says when a version was written, not by whom. Where locks are files in the same bucket, their own versions tell.

mod holders;

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use tidelock_core::{
    LockInfo, StateHeader,
    diff::{Counts, Diff, Sensitive},
    limits::{DIFF_STATE_BYTES_MAX, HISTORY_READS_BYTES_MAX, HISTORY_READS_MAX, HISTORY_READS_MIN},
};

use super::{Error, Layout};
use crate::{
    archive::md5_of,
    s3::{ListedVersion, Object, VersionMarker},
};
use holders::Holders;

/// A state with nothing in it.
const NOTHING: &[u8] = br#"{"version":4,"serial":0,"lineage":""}"#;

/// A version of a state, or a delete marker.
#[derive(Clone, Debug)]
pub struct Version {
    /// As the bucket lists it.
    pub listed: ListedVersion,
    /// The object; `None` of a delete marker, and where it may not be read or is larger than any state that is compared.
    pub object: Option<Object>,
    /// What its bytes say of the state; `None` where they are none.
    pub header: Option<StateHeader>,
    /// The lock file that was there when it was written, where that is beyond doubt.
    pub lock: Option<LockInfo>,
}

/// A version with what it stands for in a listing.
#[derive(Clone, Debug)]
pub struct Line {
    /// The version.
    pub version: Version,
    /// How many versions of one lock it stands for, itself among them.
    pub steps: u64,
    /// How many resource instances differ from the version before those; `None` where that cannot be told.
    pub changes: Option<Counts>,
}

/// Which version a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The version of this ID.
    One(String),
    /// None.
    None,
    /// More than one; these are two of them.
    Several(String, String),
}

/// The name of the newest version.
const CURRENT: &str = "current";

impl Layout {
    /// Which version of a state is meant by an ID, the beginning of one, or `current`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn version_named(&self, key: &str, name: &str) -> Result<Named, Error> {
        let mut listing = Listing::of(self, key.to_owned());
        let mut found = Named::None;
        while let Some(listed) = listing.next().await? {
            if listed.version == name || (name == CURRENT && listed.current) {
                return Ok(Named::One(listed.version));
            }
            if name.is_empty() || !listed.version.starts_with(name) {
                continue;
            }
            found = match found {
                Named::None => Named::One(listed.version),
                Named::One(first) => Named::Several(first, listed.version),
                several => several,
            };
        }
        Ok(found)
    }

    /// The versions of a state, newest first.
    #[must_use]
    pub fn versions(&self, key: &str) -> Walk<'_> {
        Walk {
            layout: self,
            key: key.to_owned(),
            listing: Listing::of(self, key.to_owned()),
            holders: Holders::of(self, key),
            ready: VecDeque::new(),
            reads: HISTORY_READS_MIN,
        }
    }

    /// The version of an ID with what it changed; `None` when there is none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn version(&self, key: &str, id: &str) -> Result<Option<Line>, Error> {
        let mut walk = self.versions(key);
        while walk
            .listing
            .peek()
            .await?
            .is_some_and(|listed| listed.version != id)
        {
            walk.listing.next().await?;
        }
        // It and the one before.
        walk.reads = 2;
        walk.next_line(true).await
    }
}

impl Version {
    /// Whether it says that the state was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.listed.is_delete_marker()
    }

    /// The MD5 of its bytes in hexadecimal digits: computed where they were read, else as the bucket says.
    #[must_use]
    pub fn md5(&self) -> Option<String> {
        let computed = self.object.as_ref().map(|object| md5_of(&object.bytes));
        let etag = &self.listed.etag;
        let is_md5 = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        computed.or_else(|| is_md5.then(|| etag.clone()))
    }

    /// Whether it was only written on the way to another.
    #[must_use]
    pub fn is_step_of(&self, other: &Version) -> bool {
        let both = self.lock.as_ref().zip(other.lock.as_ref());
        both.is_some_and(|(one, other)| one.id == other.id) && !self.is_deleted() && !other.is_deleted()
    }

    /// What differs in it from the version before, or from nothing where there can have been none.
    pub(super) fn differs(&self, before: Option<&Version>) -> Option<Diff> {
        let new = self.object.as_ref().filter(|_| self.header.is_some())?;
        let old = match before {
            None if self.header.as_ref().is_some_and(|header| header.serial <= 1) => NOTHING,
            Some(before) if before.is_deleted() => NOTHING,
            before => &before?.object.as_ref()?.bytes,
        };
        let diff = Diff::between(old, &new.bytes, Sensitive::Hide).ok()?;
        diff.compared.then_some(diff)
    }
}

/// The versions of a state one by one; a few are read at once, ahead of being asked for.
#[derive(Debug)]
pub struct Walk<'a> {
    layout: &'a Layout,
    key: String,
    listing: Listing<'a>,
    holders: Holders<'a>,
    ready: VecDeque<Version>,
    /// How many to read at once the next time.
    reads: usize,
}

impl Walk<'_> {
    /// The next older version.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next(&mut self) -> Result<Option<Version>, Error> {
        self.peek().await?;
        Ok(self.ready.pop_front())
    }

    /// The version that is next.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn peek(&mut self) -> Result<Option<&Version>, Error> {
        if self.ready.is_empty() {
            self.read().await?;
        }
        Ok(self.ready.front())
    }

    /// The next older version and what it changed; those that the same lock wrote before it count as one with it, unless
    /// every step is asked for.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next_line(&mut self, every_step: bool) -> Result<Option<Line>, Error> {
        let Some(version) = self.next().await? else {
            return Ok(None);
        };
        let mut steps = 1;
        while !every_step && self.peek().await?.is_some_and(|older| older.is_step_of(&version)) {
            self.ready.pop_front();
            steps += 1;
        }
        let differs = version.differs(self.peek().await?);
        Ok(Some(Line {
            changes: differs.map(|diff| diff.counts()),
            version,
            steps,
        }))
    }

    /// Version IDs that come next, as far as they have been listed.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next_ids(&mut self) -> Result<impl Iterator<Item = &str>, Error> {
        self.peek().await?;
        let ready = self.ready.iter().map(|version| &version.listed);
        Ok(ready
            .chain(&self.listing.loaded)
            .map(|listed| listed.version.as_str()))
    }

    async fn read(&mut self) -> Result<(), Error> {
        let (mut listed, mut bytes, mut holders) = (Vec::new(), 0, Vec::new());
        while let Some(next) = self.listing.peek().await? {
            bytes += next.size.unwrap_or_default();
            let is_full = listed.len() == self.reads || bytes > HISTORY_READS_BYTES_MAX;
            if is_full && !listed.is_empty() {
                break;
            }
            holders.push(self.holders.at(next.written_ms).await?);
            listed.extend(self.listing.next().await?);
        }
        self.reads = HISTORY_READS_MAX.min(self.reads * 2);
        let (layout, key) = (self.layout, self.key.as_str());
        let objects = listed.iter().map(|listed| layout.object_of(key, listed));
        let (objects, ()) = tokio::try_join!(try_join_all(objects), self.holders.read(layout, &holders))?;
        for ((listed, object), ids) in listed.into_iter().zip(objects).zip(&holders) {
            let header = object
                .as_ref()
                .and_then(|object| StateHeader::parse(&object.bytes).ok());
            self.ready.push_back(Version {
                lock: self.holders.one_of(ids),
                listed,
                object,
                header,
            });
        }
        Ok(())
    }
}

impl Layout {
    /// What is in a version, where that can be read.
    async fn object_of(&self, key: &str, listed: &ListedVersion) -> Result<Option<Object>, Error> {
        let is_small = |size: u64| size <= DIFF_STATE_BYTES_MAX as u64;
        if !listed.size.is_some_and(is_small) {
            return Ok(None);
        }
        match self.read(key, Some(&listed.version)).await {
            Ok(object) => Ok(Some(object)),
            // Moved to an archive, under another key, or gone meanwhile: the others can be read all the same.
            Err(error) if error.code().is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The versions of one key as the bucket lists them.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    layout: &'a Layout,
    key: String,
    loaded: VecDeque<ListedVersion>,
    /// Where the next page begins; `None` when all are loaded.
    next: Option<Option<VersionMarker>>,
}

impl<'a> Listing<'a> {
    pub(super) fn of(layout: &'a Layout, key: String) -> Listing<'a> {
        Listing {
            layout,
            key,
            loaded: VecDeque::new(),
            next: Some(None),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<ListedVersion>, Error> {
        self.peek().await?;
        Ok(self.loaded.pop_front())
    }

    async fn peek(&mut self) -> Result<Option<&ListedVersion>, Error> {
        while self.loaded.is_empty()
            && let Some(after) = self.next.take()
        {
            let (bucket, key) = (&self.layout.bucket, &self.key);
            let listed = self.layout.s3.list_object_versions(bucket, key, after.as_ref());
            let page = listed.await?;
            // Keys that only begin like this one come behind it. A store that sends one page again and again is not to be
            // listened to for ever.
            let is_end = page.items.iter().any(|item| item.key != *key) || page.next == after;
            self.next = page.next.filter(|_| !is_end).map(Some);
            self.loaded
                .extend(page.items.into_iter().filter(|item| item.key == *key));
        }
        Ok(self.loaded.front())
    }
}
