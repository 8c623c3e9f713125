//! What an operator may choose about locks and history.

use serde::Deserialize;
use tidelock_core::limits::STALE_AFTER_MS;

use crate::Retention;

/// Whether plans share the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plans {
    /// A plan excludes everybody, as on AWS.
    Exclusive,
    /// Plans whose callers can be told apart suffer one another.
    #[default]
    Shared,
}

/// What becomes of a lock whose holder has not been seen for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// It is reported, and stays.
    #[default]
    Report,
    /// The next who wants the lock gets it, and the former holder is fenced.
    Remove,
}

/// The settings of a [`crate::Service`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether plans share the lock.
    pub plans: Plans,
    /// How long a holder may be silent before its lock counts as stale, in milliseconds.
    pub stale_after_ms: i64,
    /// What becomes of such a lock.
    pub stale: Stale,
    /// How long old versions are kept.
    pub retention: Retention,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            plans: Plans::default(),
            stale_after_ms: STALE_AFTER_MS,
            stale: Stale::default(),
            retention: Retention::default(),
        }
    }
}
