//! The engine in a map: what tests run on, and the reference that the others are compared with.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{Batch, BlobId, Committed, Engine, EngineError, Entry, Expect, Pending, Revision};

/// Keeps everything in memory and nothing on disk.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<Vec<u8>, Entry>,
    blobs: HashMap<BlobId, Bytes>,
    last_revision: Revision,
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> MemoryEngine {
        MemoryEngine::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics half-way, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for MemoryEngine {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        Box::pin(async move { Ok(self.state().records.get(key).cloned()) })
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        Box::pin(async move { Ok(self.state().within(range).take(limit).collect()) })
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        Box::pin(async move { Ok(self.state().within(range).rev().take(limit).collect()) })
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        Box::pin(async move { self.state().commit(batch) })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        Box::pin(ready(Ok(self
            .state()
            .blobs
            .get(&id)
            .map(|blob| cut(blob, range)))))
    }
}

impl State {
    fn within(&self, range: Range<Vec<u8>>) -> impl DoubleEndedIterator<Item = (Vec<u8>, Entry)> {
        // `BTreeMap::range` panics on a range that ends before it starts.
        let range = if range.start < range.end {
            range
        } else {
            Vec::new()..Vec::new()
        };
        self.records
            .range(range)
            .map(|(key, entry)| (key.clone(), entry.clone()))
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, EngineError> {
        if !batch.checks.iter().all(|(key, expect)| self.holds(key, *expect)) {
            return Ok(Committed::Conflict);
        }
        if batch.put_blobs.iter().any(|(id, _)| self.blobs.contains_key(id)) {
            return Err(EngineError::Unavailable(
                "a blob of this id exists already".to_owned(),
            ));
        }
        self.last_revision += 1;
        let revision = self.last_revision;
        // Copied, as to a disk: whoever made the bytes may wait for the last of them to be dropped.
        self.records.extend(batch.puts.into_iter().map(|(key, value)| {
            let value = Bytes::copy_from_slice(&value);
            (key, Entry { value, revision })
        }));
        for key in &batch.deletes {
            self.records.remove(key);
        }
        let blobs = batch
            .put_blobs
            .iter()
            .map(|(id, blob)| (*id, Bytes::copy_from_slice(blob)));
        self.blobs.extend(blobs);
        for id in &batch.drop_blobs {
            self.blobs.remove(id);
        }
        Ok(Committed::Done(revision))
    }

    fn holds(&self, key: &[u8], expect: Expect) -> bool {
        let revision = self.records.get(key).map(|entry| entry.revision);
        expect.is_met_by(revision)
    }
}

fn cut(blob: &Bytes, range: Range<u64>) -> Bytes {
    let within = |offset: u64| usize::try_from(offset).map_or(blob.len(), |offset| offset.min(blob.len()));
    let (start, end) = (within(range.start), within(range.end));
    blob.slice(start..end.max(start))
}
