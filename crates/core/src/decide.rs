//! The one place where anything about an address is decided.
//!
//! A command is judged against the record and the time alone. The service loads the record, calls [`decide`],
//! commits what comes back under the condition that the record has not changed, and on a conflict starts again;
//! so whatever holds for every sequence of calls here holds for every interleaving of requests.

mod guard;
mod import;
mod lock;
mod object;
mod operator;

pub use guard::{Allow, Claim, Discard, Kept, Why};
pub use import::{Fingerprint, Import, NotImported};
pub use lock::{Acquire, Acquired, Freeze, Release, Released, TakeBack};
pub use object::{
    Change, ChangeHead, Delete, DeleteVersion, Deleted, Effects, Expire, Lapse, NotRestored, Precondition,
    Refused, Restore, Write, Written,
};
pub use operator::{NotFreed, Thaw, Unlock};

use crate::{Record, Time};

/// Something that a caller wants of an address.
pub trait Command {
    /// What it is told.
    type Outcome;

    /// Judges the command and changes the record accordingly.
    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome;
}

/// Judges `command` at the time `now`: the record as it is to be from here on, and what the caller is told.
pub fn decide<C: Command>(record: &Record, command: &C, now: Time) -> (Record, C::Outcome) {
    let mut next = record.clone();
    let outcome = command.apply(&mut next, now);
    (next, outcome)
}
