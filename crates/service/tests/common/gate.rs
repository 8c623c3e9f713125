//! An engine that holds chosen calls back until the test lets them go on. As with the embedded one, a commit that was
//! asked for is done, also when who asked is gone.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Committed, Engine, Entry, MemoryEngine, Pending};
use tokio::sync::Semaphore;

pub struct Gate {
    engine: Arc<MemoryEngine>,
    /// Commits that delete a row of this space wait.
    held_space: Mutex<Option<u8>>,
    /// Whether all commits wait.
    holds_all: AtomicBool,
    commits: Arc<Semaphore>,
    /// Whether the answer to the next commit waits, though it is done.
    holds_answer: AtomicBool,
    done: Arc<AtomicUsize>,
    /// Whether reads of blobs wait.
    holds_blobs: AtomicBool,
    blobs: Semaphore,
    waiting: AtomicUsize,
}

impl Gate {
    pub fn new() -> Gate {
        Gate {
            engine: Arc::default(),
            held_space: Mutex::new(None),
            holds_all: AtomicBool::new(false),
            commits: Arc::new(Semaphore::new(0)),
            holds_answer: AtomicBool::new(false),
            done: Arc::default(),
            holds_blobs: AtomicBool::new(false),
            blobs: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub fn hold_deletes_of(&self, space: u8) {
        *self.held_space.lock().unwrap() = Some(space);
    }

    /// Every commit waits from now on, or none does.
    pub fn hold_commits(&self, hold: bool) {
        self.holds_all.store(hold, Ordering::SeqCst);
    }

    pub fn let_commits_go(&self, count: usize) {
        self.commits.add_permits(count);
    }

    pub fn hold_next_answer(&self) {
        self.holds_answer.store(true, Ordering::SeqCst);
    }

    /// Returns when one more commit than these has been done.
    pub async fn until_done_after(&self, count: usize) {
        while self.done() <= count {
            tokio::task::yield_now().await;
        }
    }

    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
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
        let held = self.holds_all.load(Ordering::SeqCst)
            || batch.deletes.iter().any(|row| row.first().copied() == space);
        let late = self.holds_answer.swap(false, Ordering::SeqCst);
        self.waiting
            .fetch_add(usize::from(held) + usize::from(late), Ordering::SeqCst);
        let (engine, commits, count) = (
            Arc::clone(&self.engine),
            Arc::clone(&self.commits),
            Arc::clone(&self.done),
        );
        let done = tokio::spawn(async move {
            if held {
                commits.acquire().await.unwrap().forget();
            }
            let committed = engine.commit(batch).await;
            count.fetch_add(1, Ordering::SeqCst);
            if late {
                commits.acquire().await.unwrap().forget();
            }
            committed
        });
        Box::pin(async move { done.await.unwrap() })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        Box::pin(async move {
            if self.holds_blobs.load(Ordering::SeqCst) {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                self.blobs.acquire().await.unwrap().forget();
            }
            self.engine.blob(id, range).await
        })
    }
}
