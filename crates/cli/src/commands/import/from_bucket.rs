//! Versions out of a bucket: those of every object that is a state.

use std::collections::HashMap;

use bytes::Bytes;
use tidelock_core::{Address, StateHeader, diff::visible, limits::OBJECT_BYTES_MAX};
use tidelock_operator::{
    archive::{Entry, marks, md5_of},
    s3::{Client, ListedVersion, Object},
};

use super::{Import, Journey, place};
use crate::exit::{Failure, Status};

/// S3 tells the time of a version by whole seconds, and so may tell one that is before that of the version before.
const S3_CLOCK_MS: i64 = 1_000;

/// The bucket, and what the keys in it begin with.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl Import {
    pub(super) async fn take_bucket(&mut self, source: &Source) -> Result<(), Failure> {
        let mut objects = source.objects().await?;
        let mut keys: Vec<String> = objects.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let Some(listed) = objects.remove(&key) else {
                continue;
            };
            let address = Address::new(&source.bucket, &key);
            let address =
                address.map_err(|why| Failure::new(Status::Failed, format!("{}: {why}", visible(&key))))?;
            let mut journey = self.journey(&address).await?;
            if source.is_state(&listed, &journey).await? {
                let taken = self.take_in_object(source, &listed, &mut journey).await;
                self.settle(&journey, taken)?;
            }
        }
        if self.done.states == 0 && self.done.refused.is_empty() {
            let message = format!("s3://{}/{} holds no states", source.bucket, source.prefix);
            return Err(Failure::new(Status::Refused, visible(&message)));
        }
        Ok(())
    }

    async fn take_in_object(
        &mut self,
        source: &Source,
        listed: &[ListedVersion],
        journey: &mut Journey,
    ) -> Result<(), Failure> {
        let entries = source.entries(listed, journey).await?;
        let from = self.resume(&entries, journey);
        // When something was deleted is told once it is known when the next version was written: an export deletes later
        // than that.
        let mut deleted: Option<Entry> = None;
        for (listed, entry) in listed.iter().zip(entries).skip(from) {
            if entry.deleted {
                deleted = Some(entry);
                continue;
            }
            let object = source.get(listed).await?;
            let (mut entry, bytes) = described(entry, &object);
            if StateHeader::parse(&bytes).is_err() {
                continue;
            }
            if let Some(mut deleted) = deleted.take() {
                deleted.written_ms = deleted.written_ms.min(entry.written_ms);
                self.delete(journey, deleted).await?;
            }
            let before = journey.before_ms();
            if (0..S3_CLOCK_MS).contains(&before.saturating_sub(entry.written_ms)) {
                entry.written_ms = before;
            }
            self.put(journey, &entry, bytes).await?;
        }
        match deleted {
            Some(deleted) => self.delete(journey, deleted).await,
            None => Ok(()),
        }
    }

    async fn delete(&mut self, journey: &mut Journey, mut deleted: Entry) -> Result<(), Failure> {
        deleted.written_ms = deleted.written_ms.max(journey.before_ms());
        self.put(journey, &deleted, Bytes::new()).await
    }
}

impl Journey {
    /// When the version before was written.
    fn before_ms(&self) -> i64 {
        self.before.as_ref().map_or(i64::MIN, |before| before.written_ms)
    }
}

impl Source {
    /// The versions of every object, oldest first.
    async fn objects(&self) -> Result<HashMap<String, Vec<ListedVersion>>, Failure> {
        let (mut found, mut after) = (HashMap::<String, Vec<ListedVersion>>::new(), None);
        loop {
            let page = self
                .client
                .list_object_versions(&self.bucket, &self.prefix, after.as_ref())
                .await?;
            for listed in page.items {
                // Locks are not states, and nothing larger can be one here.
                let is_fit = listed.size.is_none_or(|size| size <= OBJECT_BYTES_MAX)
                    && !listed.key.ends_with(".tflock");
                if is_fit {
                    found.entry(listed.key.clone()).or_default().push(listed);
                }
            }
            after = page.next;
            if after.is_none() {
                found.values_mut().for_each(|versions| versions.reverse());
                return Ok(found);
            }
        }
    }

    /// Whether the newest version of an object is a state: then the others are looked at too.
    async fn is_state(&self, listed: &[ListedVersion], journey: &Journey) -> Result<bool, Failure> {
        let Some(newest) = listed.iter().rfind(|listed| !listed.is_delete_marker()) else {
            return Ok(false);
        };
        if journey.known.contains(&place(&entry(newest))) {
            return Ok(true);
        }
        let object = self.get(newest).await?;
        Ok(StateHeader::parse(&object.bytes).is_ok())
    }

    /// What is known of the versions. Where the server has some of them, each has to be told from the others.
    async fn entries(&self, listed: &[ListedVersion], journey: &Journey) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::with_capacity(listed.len());
        for listed in listed {
            let mut entry = entry(listed);
            let is_told = journey.known.is_empty() || journey.known.contains(&place(&entry));
            if !is_told && !entry.deleted {
                let (key, version) = (&listed.key, Some(listed.version.as_str()));
                let head = self.client.head_object(&self.bucket, key, version).await?;
                marks::read(&head, &mut entry);
                entry.md5 = marks::md5(&head).map(str::to_owned).or(entry.md5);
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn get(&self, listed: &ListedVersion) -> Result<Object, Failure> {
        let version = Some(listed.version.as_str());
        Ok(self.client.get_object(&self.bucket, &listed.key, version).await?)
    }
}

/// What a listing tells. The ETag is the MD5, unless the object came in parts or a KMS key encrypts it.
fn entry(listed: &ListedVersion) -> Entry {
    let is_md5 = listed.etag.len() == 32;
    Entry {
        version: 0,
        id: None,
        written_ms: listed.written_ms,
        deleted: listed.is_delete_marker(),
        serial: None,
        lineage: None,
        terraform_version: None,
        size: listed.size,
        md5: (is_md5 && !listed.is_delete_marker()).then(|| listed.etag.clone()),
        writer: None,
        lock: None,
    }
}

/// All that is known once the object is there.
fn described(mut entry: Entry, object: &Object) -> (Entry, Bytes) {
    marks::read(object, &mut entry);
    entry.md5 = Some(md5_of(&object.bytes));
    (entry, object.bytes.clone())
}
