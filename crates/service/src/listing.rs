//! Listing objects and versions, with prefix, delimiter and pages, as S3 lists them.

use serde::{Deserialize, de::DeserializeOwned};
use tidelock_core::{
    Address, Content, Time, Version, VersionId, Versioning,
    limits::{LIST_PAGE_MAX, SCAN_PAGE_ROWS, SCAN_PAGE_ROWS_MIN},
};

use crate::{
    Error, Service,
    rows::{self, LockFile},
};

/// Which objects to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that agree up to this text after the prefix are shown as one.
    pub delimiter: Option<String>,
    /// Only what comes after this key or common prefix.
    pub after: String,
    /// At most this many keys and common prefixes together.
    pub limit: usize,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its ETag without quotes.
    pub etag: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, or the lock taken.
    pub written: Time,
    /// What the writer said about the bytes; `None` for a lock file.
    pub content: Option<Content>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The objects, by key.
    pub entries: Vec<Listed>,
    /// The common prefixes, by name.
    pub prefixes: Vec<String>,
    /// Where the next page starts after, when there is more.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Clone, Debug, Default)]
pub struct VersionQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that agree up to this text after the prefix are shown as one.
    pub delimiter: Option<String>,
    /// Only what comes after this key…
    pub key_marker: String,
    /// …or after this version of it.
    pub version_marker: Option<VersionId>,
    /// At most this many versions and common prefixes together.
    pub limit: usize,
}

/// One version of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionListed {
    /// Its key.
    pub key: String,
    /// The version, which may be a delete marker.
    pub version: Version,
    /// Whether it is the current one.
    pub is_latest: bool,
}

/// One page of versions.
#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    /// The versions, by key and then newest first.
    pub entries: Vec<VersionListed>,
    /// The common prefixes, by name.
    pub prefixes: Vec<String>,
    /// Key (or common prefix) and version after which the next page starts, when there is more.
    pub next: Option<(String, Option<VersionId>)>,
}

/// What a key is shown as.
enum Shown {
    Itself,
    Under(String),
}

fn shown(key: &str, prefix: &str, delimiter: Option<&str>) -> Shown {
    let rest = key.get(prefix.len()..).unwrap_or_default();
    let cut = delimiter
        .filter(|delimiter| !delimiter.is_empty())
        .and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)));
    cut.map_or(Shown::Itself, |(at, delimiter)| {
        Shown::Under(key[..prefix.len() + at + delimiter.len()].to_owned())
    })
}

/// Whether `after` is itself a common prefix of this listing, so that everything under it has been shown.
fn is_common_prefix(after: &str, prefix: &str, delimiter: Option<&str>) -> bool {
    after.starts_with(prefix)
        && matches!(shown(after, prefix, delimiter), Shown::Under(common) if common == after)
}

/// What a listing reads of a [`rows::ObjectRow`]: of a record the current version alone, and of that what `V` has. The rest is
/// most of a row, and a page has a thousand.
#[derive(Deserialize)]
enum Row<V> {
    Record(Current<V>),
    LockFile(LockFile),
}

/// See above.
#[derive(Deserialize)]
struct Current<V> {
    head: Option<V>,
}

/// What a listing of objects reads of a [`Version`].
#[derive(Deserialize)]
struct Outline {
    written: Time,
    body: Option<BodyOutline>,
}

/// See above.
#[derive(Deserialize)]
struct BodyOutline {
    size: u64,
    etag: String,
    #[serde(default)]
    content: Content,
}

/// A walk over the object rows of one bucket, page by page.
struct Walk<'a> {
    service: &'a Service,
    start: Vec<u8>,
    end: Vec<u8>,
    page: std::vec::IntoIter<(Vec<u8>, tidelock_engine::Entry)>,
    exhausted: bool,
    rows: usize,
}

impl Walk<'_> {
    async fn next<V: DeserializeOwned>(&mut self) -> Result<Option<(String, Row<V>)>, Error> {
        loop {
            if let Some((row, entry)) = self.page.next() {
                self.start = [row.as_slice(), &[0]].concat();
                let key = rows::tail(&row, 2)?.to_owned();
                return Ok(Some((key, rows::decode(&row, &entry.value)?)));
            }
            if self.exhausted || self.start >= self.end {
                return Ok(None);
            }
            let page = self
                .service
                .engine
                .scan(self.start.clone()..self.end.clone(), self.rows)
                .await?;
            self.exhausted = page.len() < self.rows;
            self.page = page.into_iter();
        }
    }

    /// Goes on after everything that starts with `prefix`.
    fn skip(&mut self, bucket: &str, prefix: &str) {
        self.start = rows::after_prefix(&rows::object(bucket, prefix));
        self.page = Vec::new().into_iter();
        self.exhausted = false;
    }
}

impl Service {
    fn walk<'a>(&'a self, bucket: &str, prefix: &str, after: &str, rows: usize) -> Walk<'a> {
        let mut range = rows::prefixed(rows::object(bucket, prefix));
        if !after.is_empty() {
            range.start = range
                .start
                .max([rows::object(bucket, after).as_slice(), &[0]].concat());
        }
        let rows = rows.clamp(SCAN_PAGE_ROWS_MIN, SCAN_PAGE_ROWS);
        Walk {
            service: self,
            start: range.start,
            end: range.end,
            page: Vec::new().into_iter(),
            exhausted: false,
            rows,
        }
    }

    /// Lists the objects of a bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn list(&self, bucket: &str, query: &ListQuery) -> Result<Page, Error> {
        self.open_bucket(bucket).await?;
        let limit = query.limit.min(LIST_PAGE_MAX);
        let delimiter = query.delimiter.as_deref();
        let mut page = Page::default();
        if limit == 0 {
            return Ok(page);
        }
        let mut walk = self.walk(bucket, &query.prefix, &query.after, limit + 1);
        if is_common_prefix(&query.after, &query.prefix, delimiter) {
            walk.skip(bucket, &query.after);
        }
        let mut last = String::new();
        while let Some((key, row)) = walk.next().await? {
            let Some(listed) = listed(key, row) else { continue };
            if page.entries.len() + page.prefixes.len() == limit {
                page.next = Some(last);
                break;
            }
            match shown(&listed.key, &query.prefix, delimiter) {
                Shown::Itself => {
                    last.clone_from(&listed.key);
                    page.entries.push(listed);
                }
                Shown::Under(common) => {
                    walk.skip(bucket, &common);
                    last.clone_from(&common);
                    page.prefixes.push(common);
                }
            }
        }
        Ok(page)
    }

    /// Lists the versions of a bucket's objects.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn list_versions(&self, bucket: &str, query: &VersionQuery) -> Result<VersionPage, Error> {
        let (open, _) = self.open_bucket(bucket).await?;
        // Without versioning only the current version is shown, however long its history: it is not looked through.
        let has_older = open.versioning != Versioning::Unversioned;
        let limit = query.limit.min(LIST_PAGE_MAX);
        let delimiter = query.delimiter.as_deref();
        let mut page = VersionPage::default();
        if limit == 0 {
            return Ok(page);
        }
        if let Some(marker) = query.version_marker.as_ref().filter(|_| has_older) {
            self.rest_of_key(bucket, query, marker, limit, &mut page).await?;
        }
        let mut walk = self.walk(bucket, &query.prefix, &query.key_marker, limit + 1);
        if is_common_prefix(&query.key_marker, &query.prefix, delimiter) {
            walk.skip(bucket, &query.key_marker);
        }
        while page.next.is_none()
            && let Some((key, row)) = walk.next().await?
        {
            let Row::Record(Current::<Version> { head: Some(head) }) = row else {
                continue;
            };
            if let Shown::Under(common) = shown(&key, &query.prefix, delimiter) {
                walk.skip(bucket, &common);
                if page.is_full(limit) {
                    page.end();
                } else {
                    page.prefixes.push(common);
                }
                continue;
            }
            let address = Address::new(bucket, &key).map_err(|why| Error::corrupt(key.as_bytes(), why))?;
            if has_older {
                self.add_versions(&address, &head, u64::MAX, limit, &mut page)
                    .await?;
            } else {
                let seq = head.seq;
                page.add(&address, [head], seq, limit);
            }
        }
        Ok(page)
    }

    /// The versions of the marked key that are older than the marked one.
    async fn rest_of_key(
        &self,
        bucket: &str,
        query: &VersionQuery,
        marker: &VersionId,
        limit: usize,
        page: &mut VersionPage,
    ) -> Result<(), Error> {
        let Ok(address) = Address::new(bucket, &query.key_marker) else {
            return Ok(());
        };
        let key = query.key_marker.as_str();
        let is_shown = key.starts_with(&query.prefix)
            && matches!(
                shown(key, &query.prefix, query.delimiter.as_deref()),
                Shown::Itself
            );
        if address.locked_by_file().is_some() || !is_shown {
            return Ok(());
        }
        let (record, _) = self.load(&address).await?;
        let head_seq = record
            .head
            .as_ref()
            .filter(|head| head.id == *marker)
            .map(|head| head.seq);
        let older_seq = if marker.is_null() {
            record.older_null
        } else {
            marker.seq()
        };
        match (record.head, head_seq.or(older_seq)) {
            (Some(head), Some(before)) => self.add_versions(&address, &head, before, limit, page).await,
            _ => Ok(()),
        }
    }

    /// Adds the versions of one key that are older than `before`, as far as the page has room.
    async fn add_versions(
        &self,
        address: &Address,
        head: &Version,
        before: u64,
        limit: usize,
        page: &mut VersionPage,
    ) -> Result<(), Error> {
        let mut versions = Vec::new();
        if head.seq < before {
            versions.push(head.clone());
        }
        if head.seq > 1 {
            let before = before.min(head.seq);
            versions.extend(self.older_versions(address, before, limit + 1, false).await?);
        }
        page.add(address, versions, head.seq, limit);
        Ok(())
    }
}

impl VersionPage {
    /// Adds versions of one key, whose current one has the number `head`, as far as there is room.
    fn add(
        &mut self,
        address: &Address,
        versions: impl IntoIterator<Item = Version>,
        head: u64,
        limit: usize,
    ) {
        for version in versions {
            if self.is_full(limit) {
                self.end();
                return;
            }
            self.entries.push(VersionListed {
                key: address.key().to_owned(),
                is_latest: version.seq == head,
                version,
            });
        }
    }

    fn is_full(&self, limit: usize) -> bool {
        self.entries.len() + self.prefixes.len() >= limit
    }

    /// Closes the page after what was added last.
    fn end(&mut self) {
        let entry = self
            .entries
            .last()
            .map(|last| (last.key.clone(), Some(last.version.id.clone())));
        let prefix = self.prefixes.last().map(|last| (last.clone(), None));
        self.next = entry
            .into_iter()
            .chain(prefix)
            .max_by(|one, other| one.0.cmp(&other.0));
    }
}

/// What a listing shows of a row; nothing when the address has no visible body.
fn listed(key: String, row: Row<Outline>) -> Option<Listed> {
    match row {
        Row::LockFile(file) => Some(Listed {
            key,
            etag: file.etag,
            size: file.size,
            written: file.since,
            content: None,
        }),
        Row::Record(Current { head }) => {
            let Outline { written, body } = head?;
            let body = body?;
            Some(Listed {
                key,
                etag: body.etag,
                size: body.size,
                written,
                content: Some(body.content),
            })
        }
    }
}
