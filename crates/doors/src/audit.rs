//! What is kept of every request: who asked for what, what became of it, and which statement decided it.
//!
//! The doors make the entries; where they are kept is the business of whoever implements [`Audit`].

mod asked;
mod entry;
mod filter;
mod mark;
mod notes;

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};

pub(crate) use asked::Asked;
pub use entry::{By, CLIENT_GONE, Decided, Effect, Entry, Touched};
pub use filter::Filter;
pub use mark::{Mark, NoMark};
pub(crate) use notes::Notes;

/// A log of entries that only grows.
pub trait Audit: Send + Sync {
    /// Whether entries can be written. While they cannot, no door does anything.
    ///
    /// # Errors
    /// When the last one could not be written, and still cannot.
    fn ready(&self) -> Result<(), AuditError>;

    /// Puts an entry at the end; that is done whether or not the answer is waited for. The answer comes when it is written.
    fn record(&self, entry: Entry) -> BoxFuture<'static, Result<(), AuditError>>;

    /// The lines that are wanted, oldest first, each a JSON object and a line feed, many of them in a piece.
    fn read(&self, wanted: Wanted) -> BoxStream<'static, Result<Bytes, AuditError>>;

    /// Goes over the chain, or over a part of it.
    fn verify(&self, from: Option<Mark>) -> BoxFuture<'static, Result<Verified, AuditError>>;
}

/// The log cannot be written, or cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log {0}")]
pub struct AuditError(pub String);

/// Which entries, and whether to wait for more.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those behind this number.
    pub after: u64,
    /// Only from this time on, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Only so many of the newest that are there now.
    pub last: Option<usize>,
    /// Go on with those to come.
    pub follow: bool,
    /// Only those that it lets through.
    pub filter: Filter,
}

/// What going over the chain has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verified {
    /// The first entry that there is.
    pub first: Option<Mark>,
    /// The last one that was looked at.
    pub last: Option<Mark>,
    /// How many were looked at.
    pub checked: u64,
    /// The first place at which the chain is broken, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Whether there is more behind `last`.
    pub more: bool,
}
