//! The rules of Tidelock, and only rules: records, `decide()`, lock info, state header, diff, limits.
//!
//! Nothing here waits, reads a clock, draws a random number or touches a disk: every rule can be checked by
//! calling it. The one entry is [`decide`].

pub mod address;
pub mod archive;
pub mod caller;
pub mod chain;
pub mod decide;
pub mod diff;
pub mod iam;
pub mod jwt;
pub mod kms;
pub mod lifecycle;
pub mod limits;
pub mod lock;
pub mod lock_info;
pub mod object_lock;
pub mod outputs;
pub mod pattern;
pub mod policy;
pub mod queue;
pub mod record;
pub mod state_header;
pub mod time;
pub mod version;

pub use address::{Address, AddressError};
pub use caller::Caller;
pub use decide::{Command, decide};
pub use diff::Diff;
pub use lock::{Ended, Facet, FacetForm, Fenced, Lock, Release, Ticket};
pub use lock_info::{LockId, LockInfo, LockInfoError};
pub use outputs::outputs_only;
pub use pattern::{Pattern, PatternError};
pub use queue::{Hold, Waiter};
pub use record::{Allowance, Quarantined, Record};
pub use state_header::{StateHeader, StateHeaderError};
pub use time::Time;
pub use version::{
    BlobId, Body, Content, SealedKey, Stored, Version, VersionId, Versioning, Writer, WriterLock,
};
