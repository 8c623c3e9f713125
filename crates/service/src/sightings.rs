//! When holders of locks were last heard of, so that a lock whose holder is gone can be told from one in use.
//!
//! Every request of a holder counts, also those that change nothing, so this is kept in memory; whatever writes a
//! record takes it along. Sessions of one name count as one: who is heard of with the next one is alive.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidelock_core::{Caller, Record, Time, limits::SIGHTINGS_MAX};

use crate::Service;

#[derive(Default)]
pub(crate) struct Sightings(Mutex<HashMap<Caller, Time>>);

impl Sightings {
    fn callers(&self) -> MutexGuard<'_, HashMap<Caller, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes from now on when this caller, a holder, is heard of.
    pub(crate) fn follow(&self, caller: &Caller, now: Time) {
        Sightings::add(&mut self.callers(), caller, now);
    }

    fn add(callers: &mut HashMap<Caller, Time>, caller: &Caller, now: Time) {
        if callers.len() >= SIGHTINGS_MAX {
            // The younger half is the one whose locks are in use.
            let mut times: Vec<Time> = callers.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(SIGHTINGS_MAX / 2);
            let middle = *middle;
            callers.retain(|_, seen| *seen > middle);
        }
        callers.insert(caller.lasting().into_owned(), now);
    }

    /// Takes along when the holders of these locks were heard of, and follows those that a former server granted.
    pub(crate) fn note(&self, record: &mut Record) {
        if record.locks.is_empty() {
            return;
        }
        let mut callers = self.callers();
        for lock in &mut record.locks {
            match callers.get(&*lock.holder.lasting()) {
                Some(seen) => lock.seen = lock.seen.max(*seen),
                None => Sightings::add(&mut callers, &lock.holder, lock.seen),
            }
        }
    }
}

impl Service {
    /// This caller was heard of.
    pub fn saw(&self, caller: &Caller) {
        let now = self.now();
        if let Some(seen) = self.sightings.callers().get_mut(&*caller.lasting()) {
            *seen = now;
        }
    }
}
