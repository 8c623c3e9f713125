//! An engine that dies at a chosen commit, before it or after it, and a store that outlives it.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Committed, Engine, EngineError, Entry, MemoryEngine, Pending};

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The commit of this number is lost.
    Before(usize),
    /// It is done, and nobody learns of it.
    After(usize),
}

pub struct Faulty {
    store: Arc<MemoryEngine>,
    death: Option<Death>,
    commits: AtomicUsize,
}

impl Faulty {
    /// A process over `store` that dies as told.
    pub fn over(store: &Arc<MemoryEngine>, death: Option<Death>) -> Arc<Faulty> {
        Arc::new(Faulty {
            store: Arc::clone(store),
            death,
            commits: AtomicUsize::new(0),
        })
    }

    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn is_dead(&self) -> bool {
        let commits = self.commits();
        self.death
            .is_some_and(|(Death::Before(at) | Death::After(at))| commits >= at)
    }

    fn dead<T>() -> Result<T, EngineError> {
        Err(EngineError::Uncertain("the process died".to_owned()))
    }
}

impl Engine for Faulty {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        match self.is_dead() {
            true => Box::pin(async { Faulty::dead() }),
            false => self.store.get(key),
        }
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        match self.is_dead() {
            true => Box::pin(async { Faulty::dead() }),
            false => self.store.scan(range, limit),
        }
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        match self.is_dead() {
            true => Box::pin(async { Faulty::dead() }),
            false => self.store.scan_back(range, limit),
        }
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        Box::pin(async move {
            if self.is_dead() {
                return Faulty::dead();
            }
            let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
            if self.death == Some(Death::Before(number)) {
                return Faulty::dead();
            }
            let done = self.store.commit(batch).await;
            match self.death == Some(Death::After(number)) {
                true => Faulty::dead(),
                false => done,
            }
        })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        match self.is_dead() {
            true => Box::pin(async { Faulty::dead() }),
            false => self.store.blob(id, range),
        }
    }
}
