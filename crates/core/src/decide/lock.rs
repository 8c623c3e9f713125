//! Taking and giving back the lock (DESIGN 4.2 and 4.3).

use super::Command;
use crate::{Caller, Facet, FacetForm, Lock, LockId, Record, Time, limits::RELEASE_REPEAT_MS};

/// Wants the lock, through one door.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// The lock's ID.
    pub id: LockId,
    /// The lock info, as the client wrote it.
    pub info: String,
    /// The door's form.
    pub facet: Facet,
    /// Who asks.
    pub caller: Caller,
}

/// How an acquire ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The lock is this caller's. The same answer for the first grant, for another facet of the same lock and for a
    /// repetition of either, because the first answer may have been lost.
    Granted {
        /// The fence of the grant.
        fence: u64,
    },
    /// Another ID holds it.
    Refused {
        /// The lock that stands in the way.
        held: Box<Lock>,
    },
}

impl Command for Acquire {
    type Outcome = Acquired;

    fn apply(&self, record: &mut Record, now: Time) -> Acquired {
        let form = FacetForm {
            facet: self.facet.clone(),
            info: self.info.clone(),
        };
        match &mut record.lock {
            Some(held) if held.id == self.id => {
                held.gone.retain(|old| old.facet != self.facet);
                if !held.facets.iter().any(|old| old.facet == self.facet) {
                    held.facets.push(form);
                }
                Acquired::Granted { fence: held.fence }
            }
            Some(held) => {
                let held = Box::new(held.clone());
                record.remember_refusal(&self.id, &self.caller, now);
                Acquired::Refused { held }
            }
            None => {
                record.fence += 1;
                record.refusals.retain(|old| old.id != self.id);
                record.lock = Some(Lock {
                    id: self.id.clone(),
                    holder: self.caller.clone(),
                    since: now,
                    fence: record.fence,
                    facets: vec![form],
                    gone: Vec::new(),
                    gone_at: Time::default(),
                });
                Acquired::Granted { fence: record.fence }
            }
        }
    }
}

/// Gives the lock back, through one door.
#[derive(Clone, Debug)]
pub struct Release {
    /// The lock's ID; `None` where the door cannot carry one, and whatever is held is meant.
    pub id: Option<LockId>,
    /// The facet to take off.
    pub facet: Facet,
    /// What the client's SDK names this call by, the same in every retry of it: where the door carries no lock ID, only
    /// this tells a retry after a lost answer from the wish to break the lock that somebody else has taken since.
    pub invocation: Option<String>,
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// The lock is free, as far as this ID is concerned.
    Free,
    /// The facet is off; the lock is still held through others.
    FacetOff,
    /// The lock was not held, and the last one to end was another's.
    NotHeld,
    /// Another ID holds it: nothing was changed.
    Refused {
        /// The lock that is held.
        held: Box<Lock>,
    },
}

impl Command for Release {
    type Outcome = Released;

    fn apply(&self, record: &mut Record, now: Time) -> Released {
        let repeats = |last: &crate::Release| self.invocation.is_some() && last.invocation == self.invocation;
        if record.last_release.as_ref().is_some_and(repeats) {
            return Released::Free;
        }
        let meant = |id: &LockId| self.id.as_ref().is_none_or(|meant| meant == id);
        let Some(mut lock) = record.lock.take() else {
            let was = record
                .last_release
                .as_ref()
                .is_some_and(|last| meant(&last.lock.id));
            return if was { Released::Free } else { Released::NotHeld };
        };
        if !meant(&lock.id) {
            let held = Box::new(lock.clone());
            record.lock = Some(lock);
            return Released::Refused { held };
        }
        let off = lock.gone.iter().any(|form| form.facet == self.facet);
        if off && now.since(lock.gone_at) < RELEASE_REPEAT_MS {
            // The repetition of a release whose answer was lost: the other facets are still wanted.
            record.lock = Some(lock);
            return Released::FacetOff;
        }
        match lock.facets.iter().position(|form| form.facet == self.facet) {
            Some(at) if lock.facets.len() > 1 => {
                let form = lock.facets.remove(at);
                lock.gone.push(form);
                lock.gone_at = now;
                record.lock = Some(lock);
                Released::FacetOff
            }
            // The last facet, or a facet that was never taken or is long off: the right ID through another door frees
            // everything.
            _ => {
                record.last_release = Some(crate::Release {
                    lock,
                    at: now,
                    invocation: self.invocation.clone(),
                });
                Released::Free
            }
        }
    }
}
