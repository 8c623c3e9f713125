//! Why a state was left as it is, or a transfer ended: what, where, since when, and what to do.

use std::fmt;

use tidelock_core::diff::visible;

use crate::layout::{self, Lock};

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the states are.
    From,
    /// Where they go.
    To,
}

/// Why a state was not copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has the lock.
    #[error("{address} is locked {side}: {}", told(locks))]
    Locked {
        /// Where.
        side: Side,
        /// The state there.
        address: String,
        /// The locks.
        locks: Vec<Lock>,
    },
    /// The target's object is another one.
    #[error(
        "{0} holds other versions than those of this state at the target; compare the two, then copy it below another bucket, \
         or delete the one that is wrong"
    )]
    Diverged(String),
    /// The target's object was deleted there.
    #[error(
        "{0} was deleted at the target after it had been copied; delete it at the source too, or restore it there"
    )]
    Deleted(String),
    /// The lock table's digest is not that of the state, so that Terraform would not read it either.
    #[error(
        "{address}: the digest in the table, {digest}, is not that of the state, {md5}; `tidelock doctor` says how that is mended"
    )]
    Digest {
        /// The state.
        address: String,
        /// What the table has.
        digest: String,
        /// What the state has.
        md5: String,
    },
    /// No state is that large.
    #[error("{address} has the version {version}, which is larger than any state that can be copied")]
    TooLarge {
        /// The state at the source.
        address: String,
        /// The version.
        version: String,
    },
    /// Somebody wrote without a lock, or past ours.
    #[error(
        "{address} was changed {side} while it was copied, by somebody without the lock; run the same command again"
    )]
    Changed {
        /// Where.
        side: Side,
        /// The state there.
        address: String,
    },
    /// Our lock was freed by somebody.
    #[error("the lock on {address} was freed {side} while the state was copied; run the same command again")]
    LockLost {
        /// Where.
        side: Side,
        /// The state there.
        address: String,
    },
    /// What is read back is not what was written.
    #[error(
        "{address}: the version {version} reads back with the MD5 {found}, and was written with {md5}; delete that version at the \
         target, and run the same command again"
    )]
    Mismatch {
        /// The state.
        address: String,
        /// The version at the target.
        version: String,
        /// What was written.
        md5: String,
        /// What is there.
        found: String,
    },
    /// The target takes no such version.
    #[error("the target does not take a version of this state: {0}")]
    Refused(layout::Error),
    /// The state was there when it was listed.
    #[error("{0} is gone; somebody has deleted it for good since it was listed")]
    Gone(String),
    /// Who watches has said so.
    #[error("stopped before the end; run the same command again to go on")]
    Stopped,
    /// The target has an old version as the current one, and no table whose digest would tell: its lock stays.
    #[error(
        "{why}. Half of the history of {address} is at the target, with an old version as the current one, so it stays locked \
         there: go on with --resume {id}"
    )]
    HalfWay {
        /// The state at the target.
        address: String,
        /// The lock's ID.
        id: String,
        /// Why it went no further.
        why: Box<Error>,
    },
    /// The lock could not be released.
    #[error(
        "the lock {id} on {address} is left {side}: {why}; free it with `tidelock unlock`, or go on with --resume {id}"
    )]
    LockStays {
        /// Where.
        side: Side,
        /// The state there.
        address: String,
        /// Its ID.
        id: String,
        /// Why.
        why: layout::Error,
    },
    /// The target keeps no old versions.
    #[error(
        "the target bucket {0} is not versioned: it would keep only the newest version of each state; `tidelock bootstrap` makes it so"
    )]
    NotVersioned(String),
    /// There is no target bucket.
    #[error(
        "the target has no bucket {0}; `tidelock bootstrap --bucket {0}` with the target's --endpoint and --profile makes it, or \
         name another one"
    )]
    NoBucket(String),
    /// A call failed.
    #[error(transparent)]
    Store(#[from] layout::Error),
}

impl Error {
    /// Whether other states may still be copied.
    #[must_use]
    pub fn is_of_one_state(&self) -> bool {
        match self {
            Error::Locked { .. }
            | Error::Diverged(_)
            | Error::Deleted(_)
            | Error::Digest { .. }
            | Error::TooLarge { .. }
            | Error::Changed { .. }
            | Error::LockLost { .. }
            | Error::Mismatch { .. }
            | Error::Refused(_)
            | Error::Gone(_) => true,
            Error::HalfWay { why, .. } => why.is_of_one_state(),
            Error::Store(why) => why.is_of_one_object(),
            Error::Stopped | Error::LockStays { .. } | Error::NotVersioned(_) | Error::NoBucket(_) => false,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::From => "at the source",
            Side::To => "at the target",
        })
    }
}

/// Who has the locks: each holder once.
fn told(locks: &[Lock]) -> String {
    let mut holders: Vec<String> = Vec::new();
    for lock in locks {
        let told = match &lock.parsed {
            Some(info) if info.operation == super::OPERATION => format!(
                "a migration of {} since {} (ID {id}); if that one is dead, add --resume {id}",
                visible(&info.who),
                visible(&info.created),
                id = visible(&info.id)
            ),
            Some(info) => format!(
                "{} of {} since {} (ID {})",
                visible(&info.operation),
                visible(&info.who),
                visible(&info.created),
                visible(&info.id)
            ),
            None => "by something that is not as Terraform writes it".to_owned(),
        };
        if !holders.contains(&told) {
            holders.push(told);
        }
    }
    match holders.is_empty() {
        true => "by somebody who has gone again; run the same command again".to_owned(),
        false => holders.join("; "),
    }
}
