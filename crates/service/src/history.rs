//! What was ever written to an address: its versions in pages, and one of them by the name that people give it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Body, Caller, LockId, Time, Version, VersionId, WriterLock,
    diff::Counts,
    limits::{HISTORY_PAGE_MAX, SCAN_PAGE_ROWS_MIN},
};

use crate::{Error, Service, packing::Changed, rows, turn::TURNS};

/// One version of a history, as the admin door shows it. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number at its address.
    pub version: u64,
    /// Its ID in S3's terms.
    pub id: VersionId,
    /// When it was written.
    pub written_ms: Time,
    /// The state's serial, where the body is one.
    pub serial: Option<u64>,
    /// The state's lineage.
    pub lineage: Option<String>,
    /// The client that wrote the state.
    pub terraform_version: Option<String>,
    /// Length in bytes; none of a delete marker.
    pub size: Option<u64>,
    /// MD5 of the bytes, in hexadecimal.
    pub md5: Option<String>,
    /// What it takes on disk, in bytes.
    pub stored_bytes: Option<u64>,
    /// Whether it is stored by itself or as its difference from another one.
    pub form: Option<Form>,
    /// Whether the state is encrypted, so that only its header can be read.
    pub encrypted: bool,
    /// Who wrote it.
    pub writer: Option<Caller>,
    /// The lock it was written under.
    pub lock: Option<EntryLock>,
    /// How many resource instances differ from the version before; none until they have been counted.
    pub changes: Option<Counts>,
    /// Whether it is what a reader gets now.
    pub current: bool,
    /// Whether it is a delete marker.
    pub deleted: bool,
    /// Since when S3 does not show it any more.
    pub hidden_ms: Option<Time>,
}

/// How a body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// By itself.
    Whole,
    /// As its difference from another version.
    Delta,
}

/// The lock that a version was written under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryLock {
    /// Its ID.
    pub id: LockId,
    /// What for, in Terraform's words; empty when its holder did not say.
    pub operation: String,
    /// Who, in Terraform's words; empty when its holder did not say.
    pub who: String,
    /// The fence it was granted under.
    pub fence: u64,
}

/// One page of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The address.
    pub address: String,
    /// The server's time, which ages are counted by.
    pub now_ms: Time,
    /// The versions, newest first.
    pub versions: Vec<Entry>,
    /// The version that the next page is to begin before, when there is more.
    pub next: Option<u64>,
}

/// What a listing needs of a [`Changed`], which may name thousands of resources.
#[derive(Deserialize)]
struct Counted {
    is_known: bool,
    resources: Counts,
}

/// The name of the version that is the newest in S3's view.
const CURRENT: &str = "current";

impl Service {
    /// A page of the versions of an address that are older than `before`, newest first: all that are kept, whether S3 shows
    /// them or not.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, Error> {
        let limit = limit.clamp(1, HISTORY_PAGE_MAX);
        let (head, mut versions) = self.versions_before(address, before, limit + 1).await?;
        let more = versions.len() > limit;
        versions.truncate(limit);
        let next = versions.last().filter(|_| more).map(|last| last.seq);
        let mut counts = self.counts(address, &versions).await?;
        let entries = versions.into_iter().map(|version| Entry {
            changes: counts.remove(&version.seq),
            ..Entry::of(version, head)
        });
        Ok(HistoryPage {
            address: address.to_string(),
            now_ms: self.now(),
            versions: entries.collect(),
            next,
        })
    }

    /// What has been counted of these versions, by their numbers; they are in order, newest first.
    async fn counts(&self, address: &Address, versions: &[Version]) -> Result<BTreeMap<u64, Counts>, Error> {
        let mut counts = BTreeMap::new();
        for versions in versions.chunks(SCAN_PAGE_ROWS_MIN) {
            let (Some(newest), Some(oldest)) = (versions.first(), versions.last()) else {
                break;
            };
            let end = [rows::changed(address, oldest.seq).as_slice(), &[0]].concat();
            let range = rows::changed(address, newest.seq)..end;
            // Between two that are kept there is none, so these are all.
            for (row, entry) in self.engine.scan(range, versions.len()).await? {
                let counted: Counted = rows::decode(&row, &entry.value)?;
                if counted.is_known {
                    counts.insert(rows::seq(&row)?, counted.resources);
                }
            }
        }
        Ok(counts)
    }

    /// What is shown of one version.
    pub(crate) async fn entry(
        &self,
        address: &Address,
        version: Version,
        head: Option<u64>,
    ) -> Result<Entry, Error> {
        let changed = self.changed(address, &version).await?;
        Ok(Entry {
            changes: changed.map(|changed| changed.resources),
            ..Entry::of(version, head)
        })
    }

    /// What a version changed, if that has been counted and could be. Of what cannot be read now because of its KMS key,
    /// nothing is told either.
    pub(crate) async fn changed(
        &self,
        address: &Address,
        version: &Version,
    ) -> Result<Option<Changed>, Error> {
        if let Some(body) = &version.body
            && let Err(Error::Kms(_)) = self.check_readable(body).await
        {
            return Ok(None);
        }
        let row = rows::changed(address, version.seq);
        let Some(entry) = self.engine.get(&row).await? else {
            return Ok(None);
        };
        let changed: Changed = rows::decode(&row, &entry.value)?;
        Ok(Some(changed).filter(|changed| changed.is_known))
    }

    /// The number of the current version, and at most so many versions that are older than `before`, newest first.
    pub(crate) async fn versions_before(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Option<u64>, Vec<Version>), Error> {
        let before = before.unwrap_or(u64::MAX);
        // Between the two looks a version may move from one place to the other; then both are taken again.
        for _ in TURNS {
            let (record, found_at) = self.load(address).await?;
            let mut versions = self.older_versions(address, before, limit, true).await?;
            if self.load(address).await?.1 != found_at {
                continue;
            }
            let head = record.head.as_ref().map(|head| head.seq);
            versions.extend(record.head.filter(|head| head.seq < before));
            // What was newer than the current version may have been deleted by its ID.
            versions.sort_by_key(|version| std::cmp::Reverse(version.seq));
            versions.truncate(limit);
            return Ok((head, versions));
        }
        Err(Error::Busy(address.to_string()))
    }

    /// A version by the name that people give it: its number, its ID in S3's terms, or `current`.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`], [`Error::NoSuchKey`] when nothing is current, [`Error::LockFile`].
    pub async fn version_named(&self, address: &Address, name: &str) -> Result<(Version, Entry), Error> {
        let (record, _) = self.load(address).await?;
        let (head, older_null) = (record.head, record.older_null);
        let current = head.as_ref().map(|head| head.seq);
        let missing = || Error::NoSuchVersion {
            address: address.clone(),
            version: name.to_owned(),
        };
        if name == CURRENT {
            let found = head.ok_or_else(|| Error::NoSuchKey {
                address: address.clone(),
                marker: None,
            })?;
            let entry = self.entry(address, found.clone(), current).await?;
            return Ok((found, entry));
        }
        // An ID may consist of digits alone, and is longer than any number.
        let id = VersionId::from(name);
        let is_number = id.seq().is_none() && name.bytes().all(|byte| byte.is_ascii_digit());
        let seq = match head.filter(|head| head.id == id) {
            Some(head) => Some(head.seq),
            None if is_number => name.parse().ok(),
            None if id.is_null() => older_null,
            None => id.seq(),
        };
        let found = self.version(address, seq.ok_or_else(missing)?).await;
        match found {
            Ok(found) if is_number || found.id == id => {
                let entry = self.entry(address, found.clone(), current).await?;
                Ok((found, entry))
            }
            Ok(_) | Err(Error::NoSuchVersion { .. }) => Err(missing()),
            Err(error) => Err(error),
        }
    }
}

impl Entry {
    /// What the version itself says; `head` is the number of the current one.
    pub(crate) fn of(version: Version, head: Option<u64>) -> Entry {
        let body = version.body.as_ref();
        let state = body.and_then(|body| body.state.as_ref());
        let form = |body: &Body| match body.stored.base {
            Some(_) => Form::Delta,
            None => Form::Whole,
        };
        let (writer, lock) = version.writer.map(|writer| (writer.caller, writer.lock)).unzip();
        Entry {
            version: version.seq,
            written_ms: version.written,
            serial: state.map(|state| state.serial),
            lineage: state.map(|state| state.lineage.clone()),
            terraform_version: state.and_then(|state| state.terraform_version.clone()),
            size: body.map(|body| body.size),
            md5: body.map(|body| body.md5.clone()),
            stored_bytes: body.map(|body| body.stored.bytes()),
            form: body.map(form),
            encrypted: state.is_some_and(|state| state.encrypted),
            writer,
            lock: lock.flatten().map(EntryLock::from),
            changes: None,
            current: head == Some(version.seq),
            deleted: body.is_none(),
            hidden_ms: version.hidden,
            id: version.id,
        }
    }
}

impl From<WriterLock> for EntryLock {
    fn from(lock: WriterLock) -> EntryLock {
        EntryLock {
            id: lock.id,
            operation: lock.operation,
            who: lock.who,
            fence: lock.fence,
        }
    }
}
