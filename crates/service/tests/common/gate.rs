//! An engine that holds chosen calls back until the test lets them go on.

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Committed, Engine, Entry, MemoryEngine, Pending};
use tokio::sync::Semaphore;

pub struct Gate {
    engine: MemoryEngine,
    /// Commits that delete a row of this space wait.
    held_space: Mutex<Option<u8>>,
    commits: Semaphore,
    /// Whether reads of blobs wait.
    holds_blobs: AtomicBool,
    blobs: Semaphore,
    waiting: AtomicUsize,
}

impl Gate {
    pub fn new() -> Gate {
        Gate {
            engine: MemoryEngine::new(),
            held_space: Mutex::new(None),
            commits: Semaphore::new(0),
            holds_blobs: AtomicBool::new(false),
            blobs: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub fn hold_deletes_of(&self, space: u8) {
        *self.held_space.lock().unwrap() = Some(space);
    }

    pub fn let_commits_go(&self, count: usize) {
        self.commits.add_permits(count);
    }

    pub fn hold_blobs(&self) {
        self.holds_blobs.store(true, Ordering::SeqCst);
    }

    pub fn let_blobs_go(&self) {
        self.holds_blobs.store(false, Ordering::SeqCst);
        self.blobs.add_permits(1_000);
    }

    /// Returns when `count` calls have been held back, in all.
    pub async fn until_held(&self, count: usize) {
        while self.waiting.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }

    async fn wait(&self, on: &Semaphore) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        on.acquire().await.unwrap().forget();
    }
}

impl Engine for Gate {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        self.engine.get(key)
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.engine.scan(range, limit)
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.engine.scan_back(range, limit)
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        let space = *self.held_space.lock().unwrap();
        let held = batch.deletes.iter().any(|row| row.first().copied() == space);
        Box::pin(async move {
            if held {
                self.wait(&self.commits).await;
            }
            self.engine.commit(batch).await
        })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        Box::pin(async move {
            if self.holds_blobs.load(Ordering::SeqCst) {
                self.wait(&self.blobs).await;
            }
            self.engine.blob(id, range).await
        })
    }
}
