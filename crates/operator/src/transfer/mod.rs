//! States with all their versions from one store to another, each under its locks on both sides.
//!
//! Versions go in oldest first, each on the condition that the one before is still the current one, so a copy that was
//! interrupted anywhere goes on behind the last one that is there. The lock table's digest is that of the newest version
//! from the beginning on: with a table, Terraform reads nothing half-way.

mod copy;
mod error;
mod listing;
mod place;

use std::ops::ControlFlow;

use serde_json::Value;
use tidelock_core::StateHeader;

pub use error::{Error, Side};
pub use listing::{Body, History};

use crate::{
    aws::SettingsError,
    layout::{self, Held, Layout, TakeError, Want},
    s3::Versioning,
};
use listing::Histories;

/// What the locks of a transfer name as their operation.
pub const OPERATION: &str = "migrate-states";

/// Two stores, and how their locks are taken.
#[derive(Debug)]
pub struct Transfer {
    from: Layout,
    to: Layout,
    /// The locks of this run.
    want: Want,
    /// Whether its ID is that of an earlier run that is dead, whose locks are taken over.
    is_resumed: bool,
}

/// What is to be copied.
#[derive(Clone, Debug)]
pub enum Selection {
    /// One state.
    Key(String),
    /// Every state whose key begins with this.
    Prefix(String),
}

/// How much there is to copy: objects that may be states, until they have been looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// How many.
    pub objects: u64,
    /// Their versions.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What came of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All its versions are there.
    Done {
        /// How many of them were copied now.
        copied: u64,
        /// Their bytes.
        bytes: u64,
        /// How many were there before.
        there: u64,
    },
    /// They are there, and newer ones that were written there since.
    WentOn {
        /// How many.
        there: u64,
    },
    /// It is no state, and stays where it is.
    NoState,
}

/// Told of every version that was copied, with its bytes; whether to go on.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// The states of a selection, one by one.
pub struct States<'a> {
    histories: Histories<'a>,
    only: Option<&'a str>,
}

impl States<'_> {
    /// The next object that may be a state, with what the listing tells of it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn next(&mut self) -> Result<Option<History>, Error> {
        while let Some(history) = self.histories.next().await.map_err(layout::Error::from)? {
            match self.only {
                Some(only) if history.key != only => return Ok(None),
                _ if history.bodies.is_empty() => {}
                _ => return Ok(Some(history)),
            }
        }
        Ok(None)
    }
}

impl Transfer {
    /// From one store to another, with locks of this ID; with `is_resumed` it is that of an earlier run that is dead, and the
    /// locks it has left are taken over.
    ///
    /// # Errors
    /// None where the two were made without.
    pub fn new(from: Layout, to: Layout, want: Want, is_resumed: bool) -> Result<Transfer, SettingsError> {
        let name = format!("tidelock-{OPERATION}-{}", want.id);
        Ok(Transfer {
            from: from.as_run(&name)?,
            to: to.as_run(&name)?,
            want,
            is_resumed,
        })
    }

    /// Where the states are.
    #[must_use]
    pub fn from(&self) -> &Layout {
        &self.from
    }

    /// Where they go.
    #[must_use]
    pub fn to(&self) -> &Layout {
        &self.to
    }

    /// The states of a selection; nothing is held in memory but the page that is being read.
    #[must_use]
    pub fn states<'a>(&'a self, selection: &'a Selection) -> States<'a> {
        let (prefix, only) = match selection {
            Selection::Key(key) => (key, Some(key.as_str())),
            Selection::Prefix(prefix) => (prefix, None),
        };
        States {
            histories: Histories::new(&self.from, prefix),
            only,
        }
    }

    /// Whether the target keeps versions, without which a copy would keep only the newest of each state.
    ///
    /// # Errors
    /// [`Error::NotVersioned`], [`Error::Store`].
    pub async fn check_target(&self) -> Result<(), Error> {
        let bucket = &self.to.bucket;
        match self.to.s3.get_bucket_versioning(bucket).await {
            Ok(Versioning::Enabled) => Ok(()),
            Ok(Versioning::Suspended | Versioning::Never) => Err(Error::NotVersioned(bucket.clone())),
            Err(error) if error.code() == Some("NoSuchBucket") => Err(Error::NoBucket(bucket.clone())),
            Err(error) => Err(layout::Error::from(error).into()),
        }
    }

    /// Copies what is missing of one state, with its lock held on both sides meanwhile.
    ///
    /// # Errors
    /// [`Error`]: of this state alone, or of the whole transfer ([`Error::is_of_one_state`]). What was copied stays, and
    /// the next try goes on behind it.
    pub async fn copy(&self, listed: &History, watch: Watch<'_>) -> Result<Outcome, Error> {
        let key = &listed.key;
        if !self.is_state(listed).await? {
            return Ok(Outcome::NoState);
        }
        let want = self.want(key).await?;
        let from = take(&self.from, Side::From, key, &want).await?;
        let to = match take(&self.to, Side::To, key, &want).await {
            Ok(to) => to,
            Err(error) => {
                return from.release_after(&self.from, Err(error)).await;
            }
        };
        // The target first: if this ends in between, it is the old place that stays locked.
        let outcome = match self.copy_locked(key, &want, watch).await {
            Ok(outcome) => outcome,
            Err(failed @ Error::HalfWay { .. }) => {
                return from.release_after(&self.from, Err(failed)).await;
            }
            failed => {
                let failed = to.release_after(&self.to, failed).await;
                return from.release_after(&self.from, failed).await;
            }
        };
        let freed = release(&self.to, Side::To, key, &want, to).await;
        let freed = release(&self.from, Side::From, key, &want, from).await.and(freed);
        freed.map(|()| outcome)
    }

    /// Whether the newest version is a state: then the others are copied too, whatever they are.
    async fn is_state(&self, listed: &History) -> Result<bool, Error> {
        let Some(newest) = listed.bodies.last() else {
            return Ok(false);
        };
        if newest.size > tidelock_core::limits::OBJECT_BYTES_MAX {
            return Ok(false);
        }
        let found = self.from.read(&listed.key, Some(&newest.version)).await;
        let found = found.map_err(layout::Error::from)?;
        Ok(StateHeader::parse(&found.bytes).is_ok())
    }

    /// The lock to take: that of the dead run where it has left one here, so that it is taken over as it is.
    async fn want(&self, key: &str) -> Result<Want, Error> {
        if !self.is_resumed {
            return Ok(self.want.clone());
        }
        for side in [&self.from, &self.to] {
            let locks = side.locks_of(key).await?;
            let left = locks.iter().filter(|lock| lock.id() == Some(&self.want.id));
            if let Some(want) = left.filter_map(|lock| want_of(&lock.info)).next() {
                return Ok(want);
            }
        }
        Ok(self.want.clone())
    }
}

/// What a transfer has asked for when it took the lock with this info; `None` of others' locks.
fn want_of(info: &str) -> Option<Want> {
    let info: Value = serde_json::from_str(info).ok()?;
    let text = |name: &str| Some(info.get(name)?.as_str()?.to_owned());
    let want = Want {
        id: text("ID")?,
        operation: text("Operation")?,
        who: text("Who")?,
        info: text("Info")?,
        created: text("Created")?,
    };
    (want.operation == OPERATION).then_some(want)
}

async fn take(layout: &Layout, side: Side, key: &str, want: &Want) -> Result<Held, Error> {
    layout.take(key, want).await.map_err(|error| match error {
        TakeError::Locked(locks) => Error::Locked {
            side,
            address: layout.item_name(key),
            locks,
        },
        TakeError::Call(error) => Error::Store(error),
    })
}

async fn release(layout: &Layout, side: Side, key: &str, want: &Want, held: Held) -> Result<(), Error> {
    held.release(layout).await.map_err(|why| Error::LockStays {
        side,
        address: layout.item_name(key),
        id: want.id.clone(),
        why,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_locks_of_a_transfer_are_taken_over() {
        let info = |operation: &str| {
            format!(
                r#"{{"ID":"i","Operation":"{operation}","Info":"to x","Who":"a@b","Version":"1","Created":"c","Path":"p"}}"#
            )
        };
        let want = want_of(&info(OPERATION)).unwrap();
        assert_eq!(
            [want.id, want.operation, want.who, want.info, want.created],
            ["i", OPERATION, "a@b", "to x", "c"]
        );
        for other in [
            info("OperationTypeApply"),
            String::new(),
            "[]".to_owned(),
            "{}".to_owned(),
        ] {
            assert!(want_of(&other).is_none(), "{other}");
        }
    }
}
