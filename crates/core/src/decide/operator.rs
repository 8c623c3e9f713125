//! How operators end a lock by hand: that of somebody else, or a freeze.

use super::{Command, Release, Released};
use crate::{Caller, Facet, Lock, LockId, Record, Time};

/// Frees the lock of somebody else, whom it fences.
#[derive(Clone, Debug)]
pub struct Unlock {
    /// The lock's ID.
    pub id: LockId,
    /// Who frees it.
    pub caller: Caller,
}

/// Why a lock was not freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFreed {
    /// That ID does not hold; who does, if anyone.
    NotHeld(Option<Box<Lock>>),
    /// It is a freeze, which is thawed.
    Frozen(Box<Lock>),
}

impl Command for Unlock {
    /// The lock that was freed.
    type Outcome = Result<Box<Lock>, NotFreed>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        let Some(lock) = record.lock(&self.id).cloned().map(Box::new) else {
            return Err(NotFreed::NotHeld(record.locks.first().cloned().map(Box::new)));
        };
        if lock.is_freeze() {
            return Err(NotFreed::Frozen(lock));
        }
        free(record, &self.id, &self.caller, now);
        Ok(lock)
    }
}

/// Ends a freeze.
#[derive(Clone, Debug)]
pub struct Thaw {
    /// Who thaws.
    pub caller: Caller,
}

impl Command for Thaw {
    /// The freeze that has ended; else the lock that is held and is none, if one is.
    type Outcome = Result<Box<Lock>, Option<Box<Lock>>>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        let held = record.locks.first().cloned().map(Box::new);
        let freeze = held.filter(|lock| lock.is_freeze());
        let Some(freeze) = freeze else {
            return Err(record.locks.first().cloned().map(Box::new));
        };
        free(record, &freeze.id, &self.caller, now);
        Ok(freeze)
    }
}

/// Releases a lock that is held, by an operator's hand.
fn free(record: &mut Record, id: &LockId, caller: &Caller, now: Time) {
    let release = Release {
        id: Some(id.clone()),
        facet: Facet::Operator,
        caller: caller.clone(),
        invocation: None,
        may_force: true,
    };
    let released = release.apply(record, now);
    debug_assert_eq!(released, Released::Free);
}
