//! An engine in which something else happens just before a chosen read of a row, or before a commit.

use std::{
    ops::Range,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Committed, Engine, Entry, MemoryEngine, Pending};

/// Stands for a commit; no row is called that.
const COMMIT: &[u8] = b"commit";

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What happens, and before which read of which row.
struct Planned {
    row: Vec<u8>,
    reads: usize,
    event: Event,
}

pub struct Between {
    pub store: Arc<MemoryEngine>,
    planned: Mutex<Option<Planned>>,
    /// Rows that were read in scans.
    pub scanned: AtomicUsize,
}

impl Between {
    pub fn new() -> Arc<Between> {
        Arc::new(Between {
            store: Arc::default(),
            planned: Mutex::default(),
            scanned: AtomicUsize::new(0),
        })
    }

    /// Has this happen before the read of this number, from 1, of the row.
    pub fn before_read(&self, reads: usize, row: &[u8], event: impl Future<Output = ()> + Send + 'static) {
        *self.planned.lock().unwrap() = Some(Planned {
            row: row.to_vec(),
            reads,
            event: Box::pin(event),
        });
    }

    /// Has this happen before the commit of this number, from 1.
    pub fn before_commit(&self, commits: usize, event: impl Future<Output = ()> + Send + 'static) {
        self.before_read(commits, COMMIT, event);
    }

    /// Whether it has happened.
    pub fn is_over(&self) -> bool {
        self.planned.lock().unwrap().is_none()
    }

    fn due(&self, row: &[u8]) -> Option<Event> {
        let mut planned = self.planned.lock().unwrap();
        let next = planned.as_mut().filter(|planned| planned.row == row)?;
        next.reads -= 1;
        match next.reads {
            0 => planned.take().map(|planned| planned.event),
            _ => None,
        }
    }
}

impl Engine for Between {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        Box::pin(async move {
            if let Some(event) = self.due(key) {
                event.await;
            }
            self.store.get(key).await
        })
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        Box::pin(async move {
            let rows = self.store.scan(range, limit).await?;
            self.scanned.fetch_add(rows.len(), Ordering::Relaxed);
            Ok(rows)
        })
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.store.scan_back(range, limit)
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        Box::pin(async move {
            if let Some(event) = self.due(COMMIT) {
                event.await;
            }
            self.store.commit(batch).await
        })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        self.store.blob(id, range)
    }
}
