//! Which state writes are refused, and what becomes of them (DESIGN 4.4).

use super::Command;
use crate::{
    Allowance, Body, Caller, Fenced, Lock, LockId, Quarantined, Record, StateHeader, Time,
    limits::{FENCED_MAX, QUARANTINE_BYTES_MAX, QUARANTINE_MAX},
};

/// How a request shows that it holds the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Not at all, as on S3: the caller tells.
    #[default]
    Caller,
    /// By the lock's ID, as over http, where a request without one is a write without a lock.
    Lock(Option<LockId>),
}

impl Claim {
    /// Whether nothing but the caller tells one run from the next.
    fn is_by_caller(&self) -> bool {
        !matches!(self, Claim::Lock(Some(_)))
    }
}

/// Why a state is not written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Someone else holds the lock, or others hold it too.
    Locked(Box<Lock>),
    /// The caller's lock was ended by someone else, and it has not taken it again.
    Fenced(Box<Fenced>),
    /// The lock that the request names is not held by anyone.
    NotHeld(LockId),
    /// An earlier write of the caller was refused, and it has not taken the lock since.
    AfterRefusal,
    /// The serial does not grow.
    Rewind {
        /// That of the current state.
        head: u64,
        /// That of the refused one.
        new: u64,
    },
    /// The state is of another history.
    Relineage {
        /// That of the current state.
        head: String,
        /// That of the refused one.
        new: String,
    },
}

/// A refused state write that is kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number at this address.
    pub id: u64,
    /// Whether the same body was there already.
    pub known: bool,
    /// Those that had to give way.
    pub dropped: Vec<u64>,
}

impl Record {
    /// Whether `caller` may change the state.
    pub(super) fn may_write(&self, caller: &Caller, claim: &Claim) -> Result<(), Why> {
        let fenced = self
            .fenced
            .iter()
            .find(|fenced| self.counts(&fenced.caller, caller));
        if let Some(fenced) = fenced.filter(|_| claim.is_by_caller()) {
            return Err(Why::Fenced(Box::new(fenced.clone())));
        }
        let Some(first) = self.locks.first() else {
            return match claim {
                Claim::Lock(Some(id)) => Err(Why::NotHeld(id.clone())),
                Claim::Lock(None) | Claim::Caller => Ok(()),
            };
        };
        let is_mine = |lock: &Lock| match claim {
            Claim::Caller => caller.is(&lock.holder),
            Claim::Lock(id) => Some(&lock.id) == id.as_ref(),
        };
        let others = self.locks.iter().find(|lock| lock.is_freeze() || !is_mine(lock));
        match others {
            Some(other) => Err(Why::Locked(Box::new(other.clone()))),
            // Two locks that are both the caller's are two runs all the same.
            None if self.locks.len() > 1 => Err(Why::Locked(Box::new(first.clone()))),
            None => Ok(()),
        }
    }

    /// Whether a body with this header and MD5 may follow the current state. Uses an operator's permission up.
    pub(super) fn may_follow(&mut self, new: &StateHeader, md5: &str, now: Time) -> Result<(), Why> {
        let body = self.visible().and_then(|head| head.body.as_ref());
        let Some((head, head_md5)) = body.and_then(|body| Some((body.state.as_ref()?, &body.md5))) else {
            return Ok(());
        };
        // An empty state may give way to any other: that is how Terraform migrates workspaces, each of which it begins
        // with an empty state of a lineage that it makes up and drops again. Nothing is lost.
        if head_md5 == md5 || (head.empty && head.lineage != new.lineage) {
            return Ok(());
        }
        let allowed = |what: fn(&Allowance) -> bool| self.permission(now).is_some_and(what);
        let (allowed, why) = if head.lineage != new.lineage {
            let (head, new) = (head.lineage.clone(), new.lineage.clone());
            (allowed(|allowed| allowed.relineage), Why::Relineage { head, new })
        } else if new.serial <= head.serial {
            let (head, new) = (head.serial, new.serial);
            (allowed(|allowed| allowed.rewind), Why::Rewind { head, new })
        } else {
            return Ok(());
        };
        if !allowed {
            return Err(why);
        }
        self.allowed = None;
        Ok(())
    }

    /// Whether `caller` may go on although an earlier write of it was refused. Terraform counts its serial on after a refused
    /// save and saves once more at its end, so that what was made from an older state would come to look as if it advanced.
    pub(super) fn may_go_on(&mut self, caller: &Caller, claim: &Claim, permitted: bool) -> Result<(), Why> {
        if permitted {
            self.refused.retain(|refused| !caller.is(refused));
        }
        match claim.is_by_caller() && self.has_refused(caller) {
            true => Err(Why::AfterRefusal),
            false => Ok(()),
        }
    }

    fn has_refused(&self, caller: &Caller) -> bool {
        self.refused.iter().any(|refused| self.counts(refused, caller))
    }

    /// Whether what is remembered of `earlier` counts for `caller`. Where only its session says that it may be the same one, and
    /// says as much of who holds the lock, it is that one.
    fn counts(&self, earlier: &Caller, caller: &Caller) -> bool {
        let holds = |lock: &Lock| lock.holder != *earlier && caller.is(&lock.holder);
        earlier == caller || (caller.succeeds(earlier) && !self.locks.iter().any(holds))
    }

    /// What an operator permits now.
    pub(super) fn permission(&self, now: Time) -> Option<&Allowance> {
        self.allowed.as_ref().filter(|allowed| now < allowed.until)
    }

    /// Remembers whose write was refused, where nothing but the caller tells one run from the next.
    pub(super) fn remember_refusal(&mut self, caller: &Caller, claim: &Claim) {
        if !claim.is_by_caller() || self.has_refused(caller) {
            return;
        }
        if self.refused.len() == FENCED_MAX {
            self.refused.remove(0);
        }
        self.refused.push(caller.clone());
    }

    /// Keeps a refused body aside.
    pub(super) fn quarantine(&mut self, body: &Body) -> Kept {
        if let Some(old) = self.quarantined.iter().find(|old| old.md5 == body.md5) {
            return Kept {
                id: old.id,
                known: true,
                dropped: Vec::new(),
            };
        }
        let (md5, size) = (body.md5.clone(), body.size);
        let dropped = self.make_room_for(size);
        let id = self.take_seq();
        self.quarantined.push(Quarantined { id, md5, size });
        Kept {
            id,
            known: false,
            dropped,
        }
    }

    /// Has the oldest refused writes give way to one of so many bytes.
    fn make_room_for(&mut self, size: u64) -> Vec<u64> {
        let mut bytes = self.quarantined.iter().map(|kept| kept.size).sum::<u64>() + size;
        let mut count = self.quarantined.len() + 1;
        let gives_way = |old: &&Quarantined| {
            let too_many = count > QUARANTINE_MAX || bytes > QUARANTINE_BYTES_MAX;
            count -= 1;
            bytes -= old.size;
            too_many
        };
        let over = self.quarantined.iter().take_while(gives_way).count();
        let dropped = self.quarantined.drain(..over);
        dropped.map(|old| old.id).collect()
    }

    /// Remembers that a holder is alive, and that it knows what it holds: it writes. From then on its present session holds.
    pub(super) fn saw(&mut self, caller: &Caller, now: Time) {
        let mine = self.locks.iter().find(|lock| caller.is(&lock.holder));
        if let Some(former) = mine.map(|lock| lock.holder.clone()) {
            self.goes_on_as(&former, caller);
        }
        for lock in self.locks.iter_mut().filter(|lock| lock.holder == *caller) {
            lock.seen = now;
            lock.ticket = None;
        }
    }

    /// A holder has taken its next session: whatever is remembered of it is remembered of that one.
    pub(super) fn goes_on_as(&mut self, former: &Caller, caller: &Caller) {
        let holders = self.locks.iter_mut().map(|lock| &mut lock.holder);
        let fenced = self.fenced.iter_mut().map(|fenced| &mut fenced.caller);
        for known in holders.chain(fenced).chain(&mut self.refused) {
            if known == former {
                known.clone_from(caller);
            }
        }
    }
}

/// An operator permits one write that does not advance the state.
#[derive(Clone, Debug)]
pub struct Allow(pub Allowance);

impl Command for Allow {
    type Outcome = ();

    fn apply(&self, record: &mut Record, _now: Time) {
        record.allowed = Some(self.0.clone());
    }
}

/// An operator is done with a refused write.
#[derive(Clone, Debug)]
pub struct Discard {
    /// Its number.
    pub id: u64,
}

impl Command for Discard {
    /// Whether there was one.
    type Outcome = bool;

    fn apply(&self, record: &mut Record, _now: Time) -> bool {
        let before = record.quarantined.len();
        record.quarantined.retain(|kept| kept.id != self.id);
        record.quarantined.len() < before
    }
}
