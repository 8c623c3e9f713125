//! Taking and giving back the lock, and waiting for it (DESIGN 4.2 and 4.3).

use super::Command;
use crate::{
    Caller, Ended, Facet, FacetForm, Hold, Lock, LockId, Record, Ticket, Time, Waiter,
    limits::{ENDED_MAX, RELEASE_REPEAT_MS, WAITER_RETURN_MS_MIN},
};

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
    /// Whether it would share the lock with others who would.
    pub shared: bool,
    /// The request, which may be held; `None` for one that cannot wait.
    pub ticket: Option<Ticket>,
    /// The locks that are held and yet over: a lease ran out, or a holder was not seen for longer than an operator's rule
    /// allows. They end now, and their holders are fenced.
    pub over: Vec<LockId>,
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
    /// Another ID holds it, and the caller is in line: hold its request, and ask again when it is woken or at `until`.
    Waits {
        /// The lock that stands in the way.
        held: Box<Lock>,
        /// When the request must be answered.
        until: Time,
    },
    /// The lock is held under this ID, and through so many doors that it takes no further one: nothing was changed.
    TooManyFacets,
}

impl Command for Acquire {
    type Outcome = Acquired;

    fn apply(&self, record: &mut Record, now: Time) -> Acquired {
        let is_new = record.lock(&self.id).is_none();
        if is_new {
            self.end_what_is_over(record, now);
        }
        // What was just handed over may be this very caller's.
        if let Some(lock) = record.locks.iter_mut().find(|lock| lock.id == self.id) {
            // Whoever names a freeze's ID is shown it, and does not hold it.
            if lock.is_freeze() {
                let held = Box::new(lock.clone());
                return Acquired::Refused { held };
            }
            if !lock.has_room_for(&self.facet) {
                return Acquired::TooManyFacets;
            }
            if is_new {
                // Whichever of its requests it was handed to, nobody has been told yet.
                lock.ticket = self.ticket;
            }
            let former = lock.holder.clone();
            let again = self.take_again(lock, now);
            if self.caller.succeeds(&former) {
                record.goes_on_as(&former, &self.caller);
            }
            return again;
        }
        let line = record.waiters.iter().position(|waiter| waiter.id == self.id);
        let place = line.unwrap_or(record.waiters.len());
        if record.admits(&self.caller, &self.facet, self.shared, place, now) {
            let (id, caller) = (self.id.clone(), self.caller.clone());
            record.grant(id, self.form(), caller, self.shared, self.ticket, now);
            return Acquired::Granted { fence: record.fence };
        }
        let until = match line {
            None => {
                record.line_up(self.first_refusal(now), now);
                None
            }
            Some(line) => self.wait(record, line, now),
        };
        let held = in_the_way(record);
        match until {
            None => Acquired::Refused { held },
            Some(until) => Acquired::Waits { held, until },
        }
    }
}

impl Acquire {
    fn form(&self) -> FacetForm {
        FacetForm {
            facet: self.facet.clone(),
            info: self.info.clone(),
        }
    }

    fn end_what_is_over(&self, record: &mut Record, now: Time) {
        for over in &self.over {
            if let Some(at) = record.locks.iter().position(|lock| lock.id == *over) {
                end(record, at, &self.caller, &self.facet, true, None, now);
                let fenced = record.fenced.last_mut().filter(|fenced| fenced.id == *over);
                if let Some(fenced) = fenced {
                    fenced.lapsed = true;
                }
            }
        }
        record.hand_over(now);
    }

    /// The holder is here again: a retry after a lost answer, another facet of the same lock, or a held request that
    /// was granted it and looks.
    fn take_again(&self, lock: &mut Lock, now: Time) -> Acquired {
        if lock.has(&self.facet) && self.ticket.is_some() && lock.ticket == self.ticket {
            return Acquired::Granted { fence: lock.fence };
        }
        lock.seen = now;
        lock.gone.retain(|old| old.facet != self.facet);
        if !lock.has(&self.facet) {
            lock.facets.push(self.form());
        }
        // Two requests, and either may be the late one of which nobody hears: the other may have been answered.
        lock.ticket = None;
        Acquired::Granted { fence: lock.fence }
    }

    fn first_refusal(&self, now: Time) -> Waiter {
        Waiter {
            id: self.id.clone(),
            info: self.info.clone(),
            facet: self.facet.clone(),
            caller: self.caller.clone(),
            shared: self.shared,
            first: now,
            last: now,
            returned: false,
            hold: None,
        }
    }

    /// The waiter in this place of the line is here again. Until when its request is to be held, if it is.
    fn wait(&self, record: &mut Record, line: usize, now: Time) -> Option<Time> {
        let ahead = record.waiters[..line].iter();
        let held_ahead = ahead.filter(|waiter| waiter.hold.is_some()).count();
        let waiter = &mut record.waiters[line];
        let same = waiter
            .hold
            .as_ref()
            .filter(|hold| Some(hold.ticket) == self.ticket);
        let until = same.map(|hold| waiter.held_until(hold.since, held_ahead));
        if let Some(until) = until.filter(|until| now < *until) {
            // Many may look at once, when a run ends say: they must not all write the record.
            return Some(until);
        }
        waiter.info.clone_from(&self.info);
        waiter.facet = self.facet.clone();
        waiter.caller = self.caller.clone();
        waiter.shared = self.shared;
        waiter.last = now;
        waiter.hold = None;
        // Who is back at once repeats a request whose answer was lost, and has not been told to wait.
        let returns = until.is_none() && now.since(waiter.first) >= WAITER_RETURN_MS_MIN;
        let ticket = self.ticket.filter(|_| returns)?;
        waiter.returned = true;
        let until = waiter.held_until(now, held_ahead);
        waiter.hold = Some(Hold { ticket, since: now });
        Some(until)
    }
}

/// The lock to name to who is refused.
fn in_the_way(record: &Record) -> Box<Lock> {
    let lock = record.locks.first();
    Box::new(lock.cloned().expect("what admits nobody is locked"))
}

/// Gives the lock back, through one door.
#[derive(Clone, Debug)]
pub struct Release {
    /// The lock's ID; `None` where the door cannot carry one, and the caller's own or else whatever is held is meant.
    pub id: Option<LockId>,
    /// The facet to take off.
    pub facet: Facet,
    /// Who asks.
    pub caller: Caller,
    /// What the client's SDK names this call by, the same in every retry of it: where the door carries no lock ID, only
    /// this tells a retry after a lost answer from the wish to break the lock that somebody else has taken since.
    pub invocation: Option<String>,
    /// Whether who asks may end a lock that is another's.
    pub may_force: bool,
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
    /// Another ID holds it, or operators froze it, or it is another's to give back: nothing was changed.
    Refused {
        /// The lock that is held.
        held: Box<Lock>,
    },
}

impl Command for Release {
    type Outcome = Released;

    fn apply(&self, record: &mut Record, now: Time) -> Released {
        let repeats = |ended: &Ended| self.invocation.is_some() && ended.invocation == self.invocation;
        if record.ended.iter().any(repeats) {
            return Released::Free;
        }
        let meant = match &self.id {
            Some(id) => record.lock(id),
            None => record.meant_by(&self.caller, &self.facet),
        };
        let Some(lock) = meant else {
            return self.not_held(record);
        };
        let is_another = !self.caller.is(&lock.holder) && !self.may_force;
        if is_another || (lock.is_freeze() && self.facet != Facet::Operator) {
            let held = Box::new(lock.clone());
            return Released::Refused { held };
        }
        let at = record.locks.iter().position(|held| held.id == lock.id);
        let at = at.expect("the lock was found among the locks");
        let forced = self.is_forced(&record.locks[at]);
        let lock = &mut record.locks[at];
        if !forced {
            lock.seen = now;
            let off = lock.gone.iter().any(|form| form.facet == self.facet);
            if off && now.since(lock.gone_at) < RELEASE_REPEAT_MS {
                // The repetition of a release whose answer was lost: the other facets are still wanted.
                return Released::FacetOff;
            }
            let facet = lock.facets.iter().position(|form| form.facet == self.facet);
            if let Some(facet) = facet.filter(|_| lock.facets.len() > 1) {
                lock.gone.push(lock.facets[facet].clone());
                lock.facets.remove(facet);
                lock.gone_at = now;
                return Released::FacetOff;
            }
        }
        // The last facet, or one that was never taken or is long off, or a force: all of it ends.
        let invocation = self.invocation.clone();
        end(record, at, &self.caller, &self.facet, forced, invocation, now);
        record.hand_over(now);
        Released::Free
    }
}

impl Release {
    /// Whether someone other than the holder asks. Terraform's `force-unlock` over http says nothing at all.
    fn is_forced(&self, lock: &Lock) -> bool {
        let nameless = self.facet == Facet::Http && self.id.is_none();
        !self.caller.is(&lock.holder) || nameless || (self.facet == Facet::Operator && !lock.is_freeze())
    }

    fn not_held(&self, record: &Record) -> Released {
        let ended = |id: &LockId| record.ended.iter().any(|ended| ended.id == *id);
        match (&self.id, record.locks.first()) {
            (Some(id), _) if ended(id) => Released::Free,
            (None, None) if record.last_release.is_some() => Released::Free,
            (_, None) => Released::NotHeld,
            (_, Some(held)) => Released::Refused {
                held: Box::new(held.clone()),
            },
        }
    }
}

/// Ends the lock in this place.
fn end(
    record: &mut Record,
    at: usize,
    by: &Caller,
    facet: &Facet,
    forced: bool,
    invocation: Option<String>,
    now: Time,
) {
    let lock = record.locks.remove(at);
    if forced {
        record.fence_off(&lock, by, now);
    }
    // Releases are retried within a minute; what is older only makes the record longer.
    record
        .ended
        .retain(|ended| now.since(ended.at) < RELEASE_REPEAT_MS);
    if record.ended.len() == ENDED_MAX {
        record.ended.remove(0);
    }
    record.ended.push(Ended {
        id: lock.id.clone(),
        at: now,
        invocation,
    });
    record.last_release = Some(crate::Release {
        lock,
        at: now,
        by: by.clone(),
        facet: facet.clone(),
        forced,
    });
}

/// Takes a grant back whose answer did not reach the caller.
#[derive(Clone, Debug)]
pub struct TakeBack {
    /// The lock's ID.
    pub id: LockId,
    /// The request that was to be answered.
    pub ticket: Ticket,
}

impl Command for TakeBack {
    /// Whether there was such a grant.
    type Outcome = bool;

    fn apply(&self, record: &mut Record, now: Time) -> bool {
        let untold = |lock: &Lock| lock.id == self.id && lock.ticket == Some(self.ticket);
        let Some(at) = record.locks.iter().position(untold) else {
            return false;
        };
        let mut lock = record.locks.remove(at);
        // Whoever was refused because of it looks for it next.
        record.last_release = Some(crate::Release {
            lock: lock.clone(),
            at: now,
            by: lock.holder.clone(),
            facet: lock.facets[0].facet.clone(),
            forced: false,
        });
        let form = lock.facets.swap_remove(0);
        // Should its client live and try again, it has its place in line.
        let waiter = Waiter {
            id: lock.id,
            info: form.info,
            facet: form.facet,
            caller: lock.holder,
            shared: lock.shared,
            first: lock.since,
            last: now,
            returned: false,
            hold: None,
        };
        record.hand_over(now);
        record.line_up(waiter, now);
        true
    }
}

/// Wants nobody to write until it is thawed: a lock that people hold.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// The lock's ID.
    pub id: LockId,
    /// The lock info to show at the doors.
    pub info: String,
    /// Who freezes.
    pub caller: Caller,
}

impl Command for Freeze {
    /// The lock that stands in the way, if one does.
    type Outcome = Result<(), Box<Lock>>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        if let Some(held) = record.locks.first() {
            return Err(Box::new(held.clone()));
        }
        let form = FacetForm {
            facet: Facet::Operator,
            info: self.info.clone(),
        };
        record.grant(self.id.clone(), form, self.caller.clone(), false, None, now);
        Ok(())
    }
}
