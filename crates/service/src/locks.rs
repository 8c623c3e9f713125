//! Taking, giving back and looking at the lock of an address.

use std::time::Duration;

use md5::{Digest, Md5};
use tidelock_core::{
    Address, Caller, Command, Facet, Lock, LockId, LockInfo, Record, Ticket, Time,
    decide::{Acquire, Acquired, Release, Released},
    limits::HOLD_MS_MAX,
};
use tokio::{sync::Notify, time};

use crate::{
    Error, Grant, Plans, Service, Stale, rows,
    rows::LockFile,
    turn::TURNS,
    waiting::{Bell, Request},
};

/// What Terraform calls the operation that only reads.
const PLAN: &str = "OperationTypePlan";

/// Somebody wants the lock, through one door.
#[derive(Clone, Debug)]
pub struct LockRequest {
    /// The lock's ID.
    pub id: LockId,
    /// The lock info, as the client wrote it.
    pub info: String,
    /// The door's form.
    pub facet: Facet,
    /// Who asks.
    pub caller: Caller,
}

/// How a request for the lock ended.
#[derive(Debug)]
pub enum Locking {
    /// The lock is the caller's, as soon as the answer has reached it.
    Granted(Box<Grant>),
    /// Another ID holds it.
    Refused {
        /// The lock that stands in the way.
        held: Box<Lock>,
    },
}

impl Service {
    /// Takes the lock of an address through one door. A caller that has been refused before is held until the lock is
    /// its own, as long as the rules allow. Through a table the bucket need not exist here, because a table may lock a
    /// state that is kept elsewhere.
    ///
    /// Drop the future when the client is gone: it will not be granted anything, and what it was granted is taken back.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::LockFile`] for the address of a lock file, [`Error::Occupied`] where a plain item
    /// has the lock's key, [`Error::TooManyFacets`] where the lock has as many forms as may be.
    pub async fn acquire(&self, address: &Address, wanted: &LockRequest) -> Result<Locking, Error> {
        if address.locked_by_file().is_some() {
            return Err(Error::LockFile(address.clone()));
        }
        let request = Request::new(self, address, &wanted.id);
        loop {
            let ticket = Some(request.ticket).filter(|_| !self.waiting.is_stopping());
            let tried = self.try_acquire(address, wanted, ticket, &request.bell).await?;
            let Some((acquired, next_end)) = tried else {
                // Nobody listens, so what it may have been handed is taken back; and should somebody do so: asking again is
                // right.
                return Err(Error::Busy(address.to_string()));
            };
            match acquired {
                Acquired::Granted { .. } => {
                    let now = self.now();
                    self.sightings.follow(&wanted.caller, now);
                    self.looks.shown(&wanted.caller, address, Some(&wanted.id), now);
                    return Ok(Locking::Granted(Box::new(request.granted())));
                }
                Acquired::Refused { held } => {
                    request.refused();
                    return Ok(Locking::Refused { held });
                }
                Acquired::TooManyFacets => {
                    request.refused();
                    return Err(Error::TooManyFacets(address.clone()));
                }
                Acquired::Waits { until, .. } => {
                    let until = next_end.map_or(until, |end| end.min(until));
                    self.wait(&request.bell.wake, until).await;
                    if self.waiting.is_stopping()
                        && let Some(held) = self.give_up(address, &request).await?
                    {
                        request.refused();
                        return Ok(Locking::Refused { held });
                    }
                }
            }
        }
    }

    /// Waits until it is woken, or until `until`.
    async fn wait(&self, wake: &Notify, until: Time) {
        let ms = until.since(self.now()).clamp(1, HOLD_MS_MAX);
        let pause = Duration::from_millis(ms.unsigned_abs());
        // Either way the record tells what has come of it.
        let _ = time::timeout(pause, wake.notified()).await;
    }

    /// The lock that still stands in the way of a request which waits no more. This only reads: when the server stops,
    /// thousands ask at once, and their places in line are in the records already.
    async fn give_up(&self, address: &Address, request: &Request) -> Result<Option<Box<Lock>>, Error> {
        // A grant that comes after the look finds the request gone, and is taken back.
        request.leave();
        let (record, _) = self.load(address).await?;
        let others = record
            .locks
            .first()
            .filter(|_| record.lock(&request.id).is_none());
        Ok(others.cloned().map(Box::new))
    }

    /// One try, and when the lease that stands in the way ends, if one does. `None` when the client has asked again.
    async fn try_acquire(
        &self,
        address: &Address,
        wanted: &LockRequest,
        ticket: Option<Ticket>,
        bell: &Bell,
    ) -> Result<Option<(Acquired, Option<Time>)>, Error> {
        let _one_at_a_time = self.in_turn.wait(address).await;
        if bell.is_given_up() {
            return Ok(None);
        }
        let shared = self.is_shared(&wanted.info);
        let mut occupied = false;
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            if occupied {
                turn.pass_over_hidden(self).await?;
            }
            match &wanted.facet {
                Facet::File | Facet::Http => drop(self.guard_bucket(&mut turn).await?),
                Facet::Table { table, row } if !is_shown(&turn.record, &wanted.facet) => {
                    // Who cannot be shown must not wait in line.
                    let vacant = self.vacant(&rows::item(table, row)).await?;
                    vacant.ok_or(Error::Occupied)?;
                }
                Facet::Table { .. } | Facet::Operator => {}
            }
            let leases = self.leases(&turn.record.locks).await?;
            let mut over = self.stale(&turn.record);
            over.retain(|id| !leases.alive.contains(id));
            over.extend(leases.ended);
            turn.batch.checks.extend(leases.checks);
            let command = Acquire {
                id: wanted.id.clone(),
                info: wanted.info.clone(),
                facet: wanted.facet.clone(),
                caller: wanted.caller.clone(),
                shared,
                ticket,
                over,
            };
            let acquired = turn.decide(&command, self);
            occupied = !turn.show_facets(self).await?;
            if !occupied && turn.commit(self).await? {
                return Ok(Some((acquired, leases.next_end)));
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Whether a lock with this info suffers others beside it.
    fn is_shared(&self, info: &str) -> bool {
        let is_plan = || LockInfo::parse(info.as_bytes()).is_ok_and(|(info, _)| info.operation == PLAN);
        self.settings.plans == Plans::Shared && is_plan()
    }

    /// The locks that the operator's rule removes because their holder was not seen for too long.
    fn stale(&self, record: &Record) -> Vec<LockId> {
        if self.settings.stale == Stale::Report {
            return Vec::new();
        }
        let stale = record.locks.iter().filter(|lock| self.is_stale(lock));
        stale.map(|lock| lock.id.clone()).collect()
    }

    /// Whether the holder of a lock has not been seen for longer than the settings call usual. What a former server
    /// has seen it kept in memory, so that nobody is called silent before this one has listened for long enough.
    #[must_use]
    pub fn is_stale(&self, lock: &Lock) -> bool {
        let silent_since = lock.seen.max(self.started);
        !lock.is_freeze() && self.now().since(silent_since) >= self.settings.stale_after_ms
    }

    /// Gives the lock back through one door. Where the request names none, the lock is meant that its caller has just
    /// looked at, whoever holds it by now.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn release(&self, address: &Address, request: &Release) -> Result<Released, Error> {
        let mut request = request.clone();
        if request.id.is_none() && request.facet != Facet::Http {
            request.id = self.take_look(address, &request.caller);
        }
        self.change_lock(address, &request).await
    }

    pub(crate) async fn change_lock<C: Command>(
        &self,
        address: &Address,
        command: &C,
    ) -> Result<C::Outcome, Error> {
        let _one_at_a_time = self.in_turn.wait(address).await;
        let mut occupied = false;
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            if occupied {
                turn.pass_over_hidden(self).await?;
            }
            let outcome = turn.decide(command, self);
            occupied = !turn.show_facets(self).await?;
            if !occupied && turn.commit(self).await? {
                return Ok(outcome);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// The lock as this caller sees it through a door: one that is held, its own first, or for a moment the last one.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn look(
        &self,
        address: &Address,
        caller: &Caller,
        facet: &Facet,
    ) -> Result<Option<Lock>, Error> {
        let (record, _) = self.load(address).await?;
        let now = self.now();
        let lock = record.seen_by(caller, facet, now);
        self.looks.shown(caller, address, lock.map(|lock| &lock.id), now);
        Ok(lock.cloned())
    }

    /// The lock that this caller has just been shown or granted, which its next delete is about; asked once.
    #[must_use]
    pub fn take_look(&self, address: &Address, caller: &Caller) -> Option<LockId> {
        self.looks.take(caller, address, self.now())
    }

    /// The lock that this caller means when it names none.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn held(
        &self,
        address: &Address,
        caller: &Caller,
        facet: &Facet,
    ) -> Result<Option<Lock>, Error> {
        let (record, _) = self.load(address).await?;
        Ok(record.meant_by(caller, facet).cloned())
    }

    /// Whether a lock that ended lately was ended by the call that its client's SDK names so.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn was_released_by(&self, address: &Address, invocation: &str) -> Result<bool, Error> {
        let (record, _) = self.load(address).await?;
        let mut ended = record.ended.iter();
        Ok(ended.any(|ended| ended.invocation.as_deref() == Some(invocation)))
    }
}

/// Whether some lock is shown through this facet already.
fn is_shown(record: &Record, facet: &Facet) -> bool {
    record.locks.iter().any(|lock| lock.has(facet))
}

/// What a listing shows of the lock file with this content.
pub(crate) fn lock_file(info: &str, since: Time) -> LockFile {
    LockFile {
        size: info.len() as u64,
        etag: hex::encode(Md5::digest(info)),
        since,
    }
}
