//! Where records and blobs live: one trait of small conditional transactions, and the engines behind it.
//!
//! The trait is a linearizable read and a compare-and-set over ordered keys, and nothing richer, so that an engine
//! can be a map, SQLite, PostgreSQL or DynamoDB. What the values mean is the service's business.
//! Every engine passes the one suite in `tests/engines/conformance/`.

use std::{
    fs::File,
    future::{Future, ready},
    ops::Range,
    pin::Pin,
};

use bytes::Bytes;

mod embedded;
mod memory;

pub use embedded::{EmbeddedEngine, OpenError};
pub use memory::MemoryEngine;

/// What every engine method returns: a future that may move between threads.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// The number of the commit that last wrote a key; grows with every commit, never reused, even after a delete.
pub type Revision = u64;

/// Names one immutable blob. Random: never reused.
pub type BlobId = [u8; 16];

/// A stored value and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes, as they were put.
    pub value: Bytes,
    /// What to name in [`Expect::At`] for a conditional write.
    pub revision: Revision,
}

/// What a batch demands of a key before it may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key's last writer is this commit.
    At(Revision),
    /// The key does not exist.
    Absent,
}

impl Expect {
    /// Whether a key fulfils this whose last writer is `revision`, `None` when there is no such key.
    fn is_met_by(self, revision: Option<Revision>) -> bool {
        match self {
            Expect::At(expected) => revision == Some(expected),
            Expect::Absent => revision.is_none(),
        }
    }
}

/// Everything that must happen together, or not at all.
///
/// Blobs ride in the batch that makes them reachable, so no crash leaves an orphan behind.
/// Within a batch what is put comes before what is removed: a key or blob named in both is gone afterwards.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conditions; the first that fails makes the whole batch a [`Committed::Conflict`].
    pub checks: Vec<(Vec<u8>, Expect)>,
    /// Keys to write, each at most once in a batch.
    pub puts: Vec<(Vec<u8>, Bytes)>,
    /// Keys to remove; removing an absent key is not an error.
    pub deletes: Vec<Vec<u8>>,
    /// Blobs to store; an id that exists already is a fault of the caller: [`EngineError::Unavailable`], nothing applied.
    pub put_blobs: Vec<(BlobId, Bytes)>,
    /// Blobs to remove; removing an absent blob is not an error.
    pub drop_blobs: Vec<BlobId>,
}

impl Batch {
    /// The bytes of its values and blobs.
    fn bytes(&self) -> usize {
        let values = self.puts.iter().map(|(_, value)| value.len());
        values
            .chain(self.put_blobs.iter().map(|(_, blob)| blob.len()))
            .sum()
    }
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Applied, and on disk.
    Done(Revision),
    /// Nothing was applied: a check failed. Read again and decide again.
    Conflict,
}

/// Why an engine could not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The batch may or may not have been applied; reading again tells. (Disk fault or shutdown during the commit.)
    #[error("the store did not confirm the commit, it may have happened: {0}")]
    Uncertain(String),
    /// Nothing happened; trying again may help. (Shutting down, disk full, disk fault before the commit.)
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be what was written; trying again does not help.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

/// Ordered keys with conditional transactions, and immutable blobs.
pub trait Engine: Send + Sync {
    /// The value of a key, as of some moment during the call and not before any commit already acknowledged.
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>>;

    /// Up to `limit` entries with `range.start <= key < range.end`, in byte order; one consistent snapshot.
    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>>;

    /// As [`Engine::scan`], from the end of the range backwards.
    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>>;

    /// Applies the batch atomically; durable when it returns. Linearizable with every other commit and read.
    fn commit(&self, batch: Batch) -> Pending<'_, Committed>;

    /// The bytes `range` of a blob, cut at its end; `None` when there is no such blob.
    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>>;

    /// A copy of everything as of one moment during the call, and not before any commit already acknowledged: what an
    /// [`EmbeddedEngine`] opens under the name `tidelock.db`.
    ///
    /// The file stands at its beginning and has no name, so that it is gone with its handle. Commits and reads go on
    /// meanwhile. One copy is made at a time; who drops the future breaks it off. [`EngineError::Unavailable`] where
    /// an engine makes none, as this does.
    fn snapshot(&self) -> Pending<'_, File> {
        let why = "this engine makes no copies of what it holds";
        Box::pin(ready(Err(EngineError::Unavailable(why.to_owned()))))
    }
}
