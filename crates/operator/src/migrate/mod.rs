//! From the lock table (`dynamodb_table`) to lock files (`use_lockfile`) and back, directory by directory, so that a state
//! is at no time without a lock that all its clients take.
//!
//! Who locks in the table alone does not exclude who locks by a file alone. So every directory goes through locking by both:
//! phase 1 adds the second lock, phase 2 looks whether it is in use everywhere, phase 3 takes the first one away. The way
//! back is the same with the two exchanged, from phase 3 to phase 1.

mod directories;
mod edits;
mod evidence;
mod steps;

use std::path::PathBuf;

pub use directories::{Directory, Stand, Survey, Target, survey};
pub use edits::{Edit, EditError, Plan, Planned, plan};
pub use evidence::Evidence;
pub use steps::{Leftover, StepError, Steps, check, leftover};

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Phase 1: `use_lockfile` beside `dynamodb_table`.
    AddLockFile,
    /// Phase 3: `dynamodb_table` goes.
    DropTable,
    /// Phase 3 of the way back: this `dynamodb_table` beside `use_lockfile`.
    AddTable(String),
    /// Phase 1 of the way back: `use_lockfile` goes.
    DropLockFile,
}

impl Step {
    /// Whether a lock goes, so that all must be on both before.
    #[must_use]
    pub fn drops(&self) -> bool {
        matches!(self, Step::DropTable | Step::DropLockFile)
    }
}

/// Why no directory was found, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A directory or file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than is searched.
    #[error("there are more than {max} {what} below {}; take a part of it at a time", path.display())]
    TooMany {
        /// Below which path.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How many are looked at.
        max: usize,
    },
    /// A name that cannot be written into a configuration as it is.
    #[error("'{}' is no name of a DynamoDB table", tidelock_core::diff::visible(.0))]
    TableName(String),
}

#[cfg(test)]
mod tests;
