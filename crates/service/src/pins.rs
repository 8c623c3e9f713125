//! Reads in several requests see one version (DESIGN 4.5): a HEAD, and the ranged GETs that follow it.
//!
//! Terraform learns the length of a state from HEAD and then fetches it in ranges, without naming a version. When
//! somebody writes in between, it would put two states together. So the version of a caller's HEAD is remembered for a
//! moment, and its ranged GETs read that one. It is a courtesy and no promise: it is kept in memory only, and a version
//! that is gone meanwhile is not missed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tidelock_core::{
    Address, Caller, Time, Version,
    limits::{PIN_MS, PIN_TOTAL_MS, PINS_MAX},
};

use crate::{Error, Service};

/// The versions that callers are in the middle of reading.
#[derive(Default)]
pub(crate) struct Pins(Mutex<HashMap<(Caller, Address), Pin>>);

struct Pin {
    version: Version,
    begun: Time,
    used: Time,
}

impl Pins {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<(Caller, Address), Pin>) -> R) -> R {
        // No call below panics half-way, so a poisoned map is still a whole one.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, address: &Address, caller: &Caller, version: &Version, now: Time) {
        self.with(|pins| {
            // Without room for the new one, the old one must not outlive it.
            pins.remove(&(caller.clone(), address.clone()));
            if pins.len() >= PINS_MAX {
                pins.retain(|_, pin| now.since(pin.used) < PIN_MS);
            }
            if pins.len() < PINS_MAX {
                let pin = Pin {
                    version: version.clone(),
                    begun: now,
                    used: now,
                };
                pins.insert((caller.clone(), address.clone()), pin);
            }
        });
    }

    fn get(&self, address: &Address, caller: &Caller, now: Time) -> Option<Version> {
        self.with(|pins| {
            let reader = (caller.clone(), address.clone());
            let pin = pins.get_mut(&reader)?;
            let fresh = (0..PIN_MS).contains(&now.since(pin.used))
                && (0..PIN_TOTAL_MS).contains(&now.since(pin.begun));
            if !fresh {
                pins.remove(&reader);
                return None;
            }
            pin.used = now;
            Some(pin.version.clone())
        })
    }

    /// Forgets what a caller was reading, because it has written and must see that.
    pub(crate) fn forget(&self, address: &Address, caller: &Caller) {
        self.with(|pins| pins.remove(&(caller.clone(), address.clone())));
    }
}

impl Service {
    /// The current version, which the ranged reads of this caller will see for the next moments.
    ///
    /// # Errors
    /// As [`Service::find`].
    pub async fn find_and_pin(&self, address: &Address, caller: &Caller) -> Result<Version, Error> {
        let version = self.find(address, None).await?;
        self.pins.put(address, caller, &version, self.now());
        Ok(version)
    }

    /// The version that this caller is in the middle of reading, or else the current one.
    ///
    /// # Errors
    /// As [`Service::find`].
    pub async fn find_pinned(&self, address: &Address, caller: &Caller) -> Result<Version, Error> {
        if let Some(pinned) = self.pins.get(address, caller, self.now()) {
            self.open_bucket(address.bucket()).await?;
            // By its number: under the ID `null` there may be another version by now, while a state is still in the history.
            match self.version(address, pinned.seq).await {
                Ok(found) => return Ok(found),
                Err(Error::NoSuchVersion { .. }) => self.pins.forget(address, caller),
                Err(other) => return Err(other),
            }
        }
        self.find(address, None).await
    }
}
