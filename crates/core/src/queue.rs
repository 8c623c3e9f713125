//! The queue of an address: who waits for its lock, whose request is held, and who is next (DESIGN 4.2).
//!
//! A record never shows a lock free while a held request could have it: whatever frees a lock hands it over in the
//! same decision. So there is no moment in which a newcomer could overtake.

use serde::{Deserialize, Serialize};

use crate::{
    Caller, Facet, FacetForm, Lock, LockId, Record, Ticket, Time,
    limits::{
        FENCED_MAX, HOLD_MS_AT_BACK, HOLD_MS_MAX, HOLD_MS_STEP, SHARED_LOCKS_MAX, WAITER_ASLEEP_MS,
        WAITER_FORGET_MS, WAITERS_MAX,
    },
};

/// A request that is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// The request.
    pub ticket: Ticket,
    /// Since when it is held.
    pub since: Time,
}

/// A caller whose lock ID has been refused; one that came back is waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waiter {
    /// The ID that was refused.
    pub id: LockId,
    /// The lock info it came with.
    pub info: String,
    /// The door it asks through.
    pub facet: Facet,
    /// Who asks.
    pub caller: Caller,
    /// Whether it would share the lock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// When it was first refused: its place in line.
    pub first: Time,
    /// When it was last here.
    pub last: Time,
    /// Whether it has come back, as stock clients do that were told to wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub returned: bool,
    /// Its request, while that is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

impl Waiter {
    /// Whether it can be expected to want the lock still: its request is held, or it is between two tries.
    #[must_use]
    pub fn waits(&self, now: Time) -> bool {
        self.hold.is_some() || (self.returned && now.since(self.last) < WAITER_ASLEEP_MS)
    }

    /// When its held request must be answered. Stock clients cannot cancel a request, so at the back of the line it is
    /// held no longer than they have waited already. Further to the front it is, so that someone is there to take over;
    /// the further, the longer, because those who came at the same time would else all sleep at the same time.
    pub(crate) fn held_until(&self, since: Time, held_ahead: usize) -> Time {
        let waited = since.since(self.first).clamp(0, HOLD_MS_AT_BACK);
        let ahead = i64::try_from(held_ahead).unwrap_or(i64::MAX);
        let in_front = HOLD_MS_MAX.saturating_sub(ahead.saturating_mul(HOLD_MS_STEP));
        since.plus_ms(in_front.max(waited))
    }
}

impl Record {
    /// Marks the waiters whose request is not held any more, because its connection is gone or the server was restarted.
    pub fn let_go(&mut self, is_held: impl Fn(Ticket) -> bool) {
        for waiter in &mut self.waiters {
            waiter.hold.take_if(|hold| !is_held(hold.ticket));
        }
    }

    /// Whether the lock could be granted now to `caller`, in the place `line` of the queue.
    pub(crate) fn admits(
        &self,
        caller: &Caller,
        facet: &Facet,
        shared: bool,
        line: usize,
        now: Time,
    ) -> bool {
        if self.locks.is_empty() {
            return true;
        }
        // Requests of the file and table doors carry no ID, so that two locks of one caller could not be told apart.
        let apart =
            |lock: &Lock| *facet == Facet::Http || !lock.is_known_by_caller() || !caller.is(&lock.holder);
        let ahead = &self.waiters[..line];
        shared
            && self.locks.len() < SHARED_LOCKS_MAX
            && self.locks.iter().all(|lock| lock.shared && apart(lock))
            && !ahead.iter().any(|waiter| !waiter.shared && waiter.waits(now))
    }

    /// Grants what can be granted to held requests, in the order of the line.
    pub(crate) fn hand_over(&mut self, now: Time) {
        let mut line = 0;
        while let Some(waiter) = self.waiters.get(line) {
            let Some(hold) = &waiter.hold else {
                line += 1;
                continue;
            };
            if self.admits(&waiter.caller, &waiter.facet, waiter.shared, line, now) {
                let ticket = hold.ticket;
                let waiter = self.waiters.remove(line);
                let form = FacetForm {
                    facet: waiter.facet,
                    info: waiter.info,
                };
                self.grant(waiter.id, form, waiter.caller, waiter.shared, Some(ticket), now);
            } else if waiter.shared {
                line += 1;
            } else {
                return;
            }
        }
    }

    /// Makes `caller` a holder.
    pub(crate) fn grant(
        &mut self,
        id: LockId,
        form: FacetForm,
        caller: Caller,
        shared: bool,
        ticket: Option<Ticket>,
        now: Time,
    ) {
        self.fence += 1;
        self.waiters.retain(|waiter| waiter.id != id);
        self.ended.retain(|ended| ended.id != id);
        // A freeze gives nobody the right to write, and a plan writes nothing.
        if !shared && form.facet != Facet::Operator {
            self.fenced.retain(|fenced| !caller.is(&fenced.caller));
            self.refused.retain(|refused| !caller.is(refused));
        }
        self.locks.push(Lock {
            id,
            holder: caller,
            since: now,
            seen: now,
            fence: self.fence,
            shared,
            ticket,
            facets: vec![form],
            gone: Vec::new(),
            gone_at: Time::default(),
        });
    }

    /// Fences the holder of a lock that somebody else has ended.
    pub(crate) fn fence_off(&mut self, lock: &Lock, by: &Caller, now: Time) {
        // Who holds by ID is fenced by the ID alone; who only made a plan writes nothing.
        if lock.shared || lock.is_freeze() || !lock.is_known_by_caller() {
            return;
        }
        self.fenced.retain(|fenced| fenced.caller != lock.holder);
        if self.fenced.len() == FENCED_MAX {
            self.fenced.remove(0);
        }
        self.fenced.push(crate::Fenced {
            caller: lock.holder.clone(),
            id: lock.id.clone(),
            fence: lock.fence,
            at: now,
            by: by.clone(),
            lapsed: false,
        });
    }

    /// Adds a waiter at the end of the line, or where it was before, and forgets who does not come any more.
    pub(crate) fn line_up(&mut self, waiter: Waiter, now: Time) {
        self.waiters
            .retain(|old| old.hold.is_some() || now.since(old.last) < WAITER_FORGET_MS);
        if self.waiters.len() == WAITERS_MAX {
            let asleep = self
                .waiters
                .iter()
                .enumerate()
                .filter(|(_, old)| old.hold.is_none());
            let Some((longest, _)) = asleep.min_by_key(|(_, old)| old.last) else {
                return;
            };
            self.waiters.remove(longest);
        }
        let line = self.waiters.partition_point(|old| old.first <= waiter.first);
        self.waiters.insert(line, waiter);
    }
}
