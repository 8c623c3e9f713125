//! The histories of a bucket's objects, one object after the other, however many there are.

use std::collections::VecDeque;

use tidelock_core::address::LOCK_FILE_SUFFIX;

use crate::{
    layout::Layout,
    s3::{Error, ListedVersion, VersionMarker},
};

/// What a bucket has of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The key.
    pub key: String,
    /// Its versions without delete markers, oldest first.
    pub bodies: Vec<Body>,
    /// Whether a delete marker is the current version.
    pub deleted: bool,
}

/// One version with bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its ID.
    pub version: String,
    /// As [`ListedVersion::etag`].
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
    /// Whether the object was deleted right before.
    pub after_deletion: bool,
}

/// Lists a bucket key by key. Locks are left out: they are not states.
pub(crate) struct Histories<'a> {
    layout: &'a Layout,
    prefix: &'a str,
    /// Listed and not yet handed out, by key, the newest of each first.
    listed: VecDeque<ListedVersion>,
    after: Option<VersionMarker>,
    is_begun: bool,
}

impl<'a> Histories<'a> {
    pub(crate) fn new(layout: &'a Layout, prefix: &'a str) -> Histories<'a> {
        Histories {
            layout,
            prefix,
            listed: VecDeque::new(),
            after: None,
            is_begun: false,
        }
    }

    /// The next object's history; `None` when there is no further one.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub(crate) async fn next(&mut self) -> Result<Option<History>, Error> {
        loop {
            // A key's versions are all there once another key follows, or nothing does.
            while self.listed.back().map(|last| &last.key) == self.listed.front().map(|first| &first.key)
                && self.has_more()
            {
                self.read_page().await?;
            }
            let Some(first) = self.listed.front() else {
                return Ok(None);
            };
            let key = first.key.clone();
            let mut versions = Vec::new();
            while self.listed.front().is_some_and(|next| next.key == key) {
                versions.extend(self.listed.pop_front());
            }
            if !key.ends_with(LOCK_FILE_SUFFIX) {
                return Ok(Some(History::of(key, versions)));
            }
        }
    }

    fn has_more(&self) -> bool {
        !self.is_begun || self.after.is_some()
    }

    async fn read_page(&mut self) -> Result<(), Error> {
        let (s3, bucket) = (&self.layout.s3, &self.layout.bucket);
        let page = s3
            .list_object_versions(bucket, self.prefix, self.after.as_ref())
            .await?;
        let mut items = page.items;
        // Some stores list a page's delete markers behind all of its versions.
        items.sort_by(|one, other| one.key.cmp(&other.key));
        self.listed.extend(items);
        (self.after, self.is_begun) = (page.next, true);
        Ok(())
    }
}

impl History {
    fn of(key: String, newest_first: Vec<ListedVersion>) -> History {
        let (mut bodies, mut deleted) = (Vec::with_capacity(newest_first.len()), false);
        for listed in newest_first.into_iter().rev() {
            let Some(size) = listed.size else {
                deleted = true;
                continue;
            };
            bodies.push(Body {
                version: listed.version,
                etag: listed.etag,
                size,
                written_ms: listed.written_ms,
                after_deletion: std::mem::take(&mut deleted),
            });
        }
        History { key, bodies, deleted }
    }

    /// The history of one object; an empty one where there is no such object.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub(crate) async fn read(layout: &Layout, key: &str) -> Result<History, Error> {
        // The key itself comes before those that only begin with it.
        let first = Histories::new(layout, key).next().await?;
        Ok(first.filter(|first| first.key == key).unwrap_or_else(|| History {
            key: key.to_owned(),
            ..History::default()
        }))
    }

    /// The version that a read without a version finds.
    pub(crate) fn current(&self) -> Option<&Body> {
        self.bodies.last().filter(|_| !self.deleted)
    }

    /// How many bytes its versions have together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bodies.iter().map(|body| body.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(version: &str, size: Option<u64>) -> ListedVersion {
        ListedVersion {
            key: "k".to_owned(),
            version: version.to_owned(),
            current: false,
            written_ms: 0,
            size,
            etag: String::new(),
        }
    }

    fn told(newest_first: Vec<ListedVersion>) -> (Vec<(String, bool)>, bool) {
        let history = History::of("k".to_owned(), newest_first);
        let bodies = history.bodies.into_iter();
        (
            bodies.map(|body| (body.version, body.after_deletion)).collect(),
            history.deleted,
        )
    }

    #[test]
    fn a_deletion_is_told_of_the_version_after_it_and_a_last_one_of_the_whole() {
        let body = |version: &str| listed(version, Some(1));
        let marker = || listed("m", None);
        assert_eq!(told(vec![]), (vec![], false));
        assert_eq!(told(vec![marker()]), (vec![], true));
        let two = || vec![("1".to_owned(), false), ("2".to_owned(), true)];
        let versions = || vec![body("2"), marker(), marker(), body("1")];
        assert_eq!(told(versions()), (two(), false));
        let mut deleted = vec![marker()];
        deleted.extend(versions());
        assert_eq!(told(deleted), (two(), true));
    }
}
