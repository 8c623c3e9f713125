//! A backup of everything as of one moment: the engine's copy, what is said of it, and one at a time.

use std::{
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidelock_core::{
    Caller, Time,
    archive::{FORMAT, Manifest},
};

use crate::{OperatorError, Service};

/// A backup. The next one may begin when this one is dropped.
#[derive(Debug)]
pub struct Backup {
    /// What it is.
    pub manifest: Manifest,
    /// The store, at its beginning; gone from the disk with this handle.
    pub database: File,
    _turn: Turn,
}

/// Who makes a backup, since when.
type UnderWay = Option<(Caller, Time)>;

/// Which backup is under way: each takes as much of the disk as the store.
#[derive(Debug, Default)]
pub(crate) struct Backups(Arc<Mutex<UnderWay>>);

#[derive(Debug)]
struct Turn(Arc<Mutex<UnderWay>>);

impl Drop for Turn {
    fn drop(&mut self) {
        *slot(&self.0) = None;
    }
}

impl Backups {
    fn begin(&self, caller: &Caller, now: Time) -> Result<Turn, OperatorError> {
        let mut under_way = slot(&self.0);
        if let Some((caller, since)) = &*under_way {
            return Err(OperatorError::BackupUnderWay {
                caller: caller.clone(),
                for_ms: now.since(*since),
            });
        }
        *under_way = Some((caller.clone(), now));
        Ok(Turn(Arc::clone(&self.0)))
    }
}

fn slot(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    /// A copy of everything that was acknowledged before the call, while writers go on.
    ///
    /// # Errors
    /// [`OperatorError::BackupUnderWay`]; when the engine fails or makes no copies.
    pub async fn backup(&self, caller: &Caller) -> Result<Backup, OperatorError> {
        let made_ms = self.now();
        let turn = self.backups.begin(caller, made_ms)?;
        let database = self.engine.snapshot().await.map_err(crate::Error::from)?;
        // After the copy: what was sealed under a key while it was made needs that one too.
        let root_keys = self.needed_keys();
        let manifest = Manifest {
            format: FORMAT,
            tidelock: env!("CARGO_PKG_VERSION").to_owned(),
            made_ms,
            root_keys,
        };
        Ok(Backup {
            manifest,
            database,
            _turn: turn,
        })
    }
}
