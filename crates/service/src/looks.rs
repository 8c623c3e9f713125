//! Which lock a caller has looked at, so that what it then deletes is that lock and no other.
//!
//! S3's DELETE of a lock file and Terraform's DeleteItem carry no lock ID. Stock clients read the lock, compare its ID
//! with the one they mean, and delete; when the lock changes hands in between, the delete would hit the next holder's.
//! So the ID that a caller was shown is remembered for a moment, and its delete is about that one. Kept in memory only:
//! who is forgotten deletes whatever is held, as on AWS.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tidelock_core::{
    Address, Caller, LockId, Time,
    limits::{LOOK_MS, LOOKS_MAX},
};

#[derive(Default)]
pub(crate) struct Looks(Mutex<HashMap<(Caller, Address), (LockId, Time)>>);

impl Looks {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<(Caller, Address), (LockId, Time)>) -> R) -> R {
        // No call below panics half-way, so a poisoned map is still a whole one.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The caller has been shown this lock, or that there is none.
    pub(crate) fn shown(&self, caller: &Caller, address: &Address, id: Option<&LockId>, now: Time) {
        let key = (caller.clone(), address.clone());
        self.with(|looks| {
            let Some(id) = id else {
                looks.remove(&key);
                return;
            };
            if looks.len() >= LOOKS_MAX {
                looks.retain(|_, (_, at)| (0..LOOK_MS).contains(&now.since(*at)));
            }
            if looks.len() < LOOKS_MAX || looks.contains_key(&key) {
                looks.insert(key, (id.clone(), now));
            }
        });
    }

    /// The lock that the caller was shown last, for one delete: another one means whatever is held by then.
    pub(crate) fn take(&self, caller: &Caller, address: &Address, now: Time) -> Option<LockId> {
        let key = (caller.clone(), address.clone());
        let (id, at) = self.with(|looks| looks.remove(&key))?;
        (0..LOOK_MS).contains(&now.since(at)).then_some(id)
    }
}
