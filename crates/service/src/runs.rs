//! Runs: the leases that `tidelock run` takes for a command and renews while it lives.
//!
//! A lock remembers its holder's run token. When that token names a run and the run is over, so is the lock: the next
//! caller takes it, and the holder is fenced. Renewing is one row, however many locks the run holds.

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Caller, Lock, LockId, Time,
    caller::{is_run_id, run_id},
    limits::{
        LEASE_MS_MAX, LEASE_MS_MIN, RUN_ID_CHARS_MAX, RUN_ID_CHARS_MIN, RUN_KEPT_MS, RUN_RETURN_MS,
        RUNS_SWEPT_MAX,
    },
};
use tidelock_engine::{Batch, Entry, Expect};

use crate::{Error, Service, rows, turn::TURNS};

/// A run: one command, or one CI job, that keeps its locks only while it renews its lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The principal that began it, who alone may renew and end it.
    pub principal: String,
    /// The access key that it was begun with.
    pub access_key_id: String,
    /// When it is over unless it is renewed.
    pub until: Time,
    /// How long each renewal lasts, in milliseconds; 0 once the run has been ended.
    pub lease_ms: u64,
}

impl Run {
    /// When it is over unless it is renewed, at a server that began at `started`: while that was down nobody could renew
    /// anything, so that each run has some time to come back.
    fn ends(&self, started: Time) -> Time {
        let returns = self.lease_ms.min(RUN_RETURN_MS);
        self.until.max(started.plus_ms(returns.cast_signed()))
    }

    fn was_ended(&self) -> bool {
        self.lease_ms == 0
    }
}

/// Why a run was not begun, renewed or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ID is not one.
    #[error(
        "a run's ID is {RUN_ID_CHARS_MIN} to {RUN_ID_CHARS_MAX} letters, digits and hyphens, such as a UUID"
    )]
    Id,
    /// The lease is too short or too long.
    #[error("a lease lasts {} seconds to {} hours", LEASE_MS_MIN / 1_000, LEASE_MS_MAX / 3_600_000)]
    Lease,
    /// Somebody else began it.
    #[error("this run belongs to {principal}; take another ID")]
    OfAnother {
        /// Who began it.
        principal: String,
    },
    /// It was ended, and what was ended does not begin again.
    #[error("this run was ended; take another ID")]
    Ended,
    /// The use case could not be carried out.
    #[error(transparent)]
    Service(#[from] Error),
}

/// What the leases of their holders' runs mean for some locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// The locks whose run is over.
    pub ended: Vec<LockId>,
    /// The locks whose run is not over: however silent their holder, it is alive.
    pub alive: Vec<LockId>,
    /// When the first of those runs is over, unless it is renewed.
    pub next_end: Option<Time>,
    /// What makes a commit conflict if one of the ended runs was renewed meanwhile.
    pub checks: Vec<(Vec<u8>, Expect)>,
}

impl Service {
    /// Begins the run `id`, or renews it: from now on it lasts for `lease_ms`. A run whose lease went by unrenewed
    /// goes on, and so do its locks, unless somebody has taken them.
    ///
    /// # Errors
    /// Any [`RunError`].
    pub async fn begin_or_renew(&self, id: &str, lease_ms: u64, caller: &Caller) -> Result<Run, RunError> {
        if !(LEASE_MS_MIN..=LEASE_MS_MAX).contains(&lease_ms) {
            return Err(RunError::Lease);
        }
        for _ in TURNS {
            let (known, expect) = self.own_run(id, caller).await?;
            if known.as_ref().is_some_and(Run::was_ended) {
                return Err(RunError::Ended);
            }
            let now = self.now();
            let run = Run {
                principal: caller.principal.clone(),
                access_key_id: caller.access_key_id.clone(),
                until: now.plus_ms(lease_ms.cast_signed()),
                lease_ms,
            };
            let mut batch = put(id, &run, expect);
            if known.is_none() {
                self.sweep(id, now, &mut batch).await?;
            }
            if self.commit(batch).await? {
                return Ok(run);
            }
        }
        Err(Error::Busy(format!("the run {id}")).into())
    }

    /// Ends the run `id`, and with it the locks that it still holds. Ending what is not there or over already is fine.
    ///
    /// # Errors
    /// Any [`RunError`] but [`RunError::Ended`].
    pub async fn end_run(&self, id: &str, caller: &Caller) -> Result<(), RunError> {
        for _ in TURNS {
            let (known, expect) = self.own_run(id, caller).await?;
            let Some(run) = known.filter(|run| !run.was_ended()) else {
                return Ok(());
            };
            let run = Run {
                until: run.until.min(self.now()),
                lease_ms: 0,
                ..run
            };
            if self.commit(put(id, &run, expect)).await? {
                self.waiting.wake_all();
                return Ok(());
            }
        }
        Err(Error::Busy(format!("the run {id}")).into())
    }

    /// The run `id`, over or not; `None` when there was none, or when it has been over for long.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let row = rows::run(id);
        let entry = self.engine.get(&row).await?;
        entry.map(|entry| rows::decode(&row, &entry.value)).transpose()
    }

    /// Which of `locks` are over because their holder's run is. Locks without a run never are.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn leases(&self, locks: &[Lock]) -> Result<Leases, Error> {
        let mut leases = Leases::default();
        for lock in locks {
            // A freeze lasts until it is thawed, whoever made it.
            let token = lock.holder.run_token.as_deref().filter(|_| !lock.is_freeze());
            let Some(id) = token.and_then(run_id) else {
                continue;
            };
            let row = rows::run(id);
            let (run, expect) = decode(&row, self.engine.get(&row).await?)?;
            let ends = run.map(|run| run.ends(self.started));
            match ends.filter(|ends| *ends > self.now()) {
                Some(ends) => {
                    leases.alive.push(lock.id.clone());
                    leases.next_end = Some(leases.next_end.map_or(ends, |end| end.min(ends)));
                }
                None => {
                    leases.ended.push(lock.id.clone());
                    leases.checks.push((row, expect));
                }
            }
        }
        Ok(leases)
    }

    /// A run that is this caller's or nobody's, and what to demand of its row.
    async fn own_run(&self, id: &str, caller: &Caller) -> Result<(Option<Run>, Expect), RunError> {
        if !is_run_id(id) {
            return Err(RunError::Id);
        }
        let row = rows::run(id);
        let entry = self.engine.get(&row).await.map_err(Error::from)?;
        match decode(&row, entry)? {
            (Some(run), _) if run.principal != caller.principal => Err(RunError::OfAnother {
                principal: run.principal,
            }),
            found => Ok(found),
        }
    }

    /// Removes, in the batch that begins the run `id`, a few of the runs that have been over for long: those behind the
    /// ID and then those at the very beginning, so that random IDs meet all of them and ascending ones the oldest.
    async fn sweep(&self, id: &str, now: Time, batch: &mut Batch) -> Result<(), Error> {
        let (own, all) = (rows::run(id), rows::space(b'r'));
        let mut found = self.engine.scan(own.clone()..all.end, RUNS_SWEPT_MAX).await?;
        let rest = RUNS_SWEPT_MAX - found.len();
        if rest > 0 {
            found.extend(self.engine.scan(all.start..own, rest).await?);
        }
        for (row, entry) in found {
            let run: Run = rows::decode(&row, &entry.value)?;
            if now.since(run.until) > RUN_KEPT_MS {
                batch.checks.push((row.clone(), Expect::At(entry.revision)));
                batch.deletes.push(row);
            }
        }
        Ok(())
    }
}

fn put(id: &str, run: &Run, expect: Expect) -> Batch {
    let row = rows::run(id);
    Batch {
        checks: vec![(row.clone(), expect)],
        puts: vec![(row, rows::encode(run))],
        ..Batch::default()
    }
}

fn decode(row: &[u8], entry: Option<Entry>) -> Result<(Option<Run>, Expect), Error> {
    match entry {
        None => Ok((None, Expect::Absent)),
        Some(entry) => Ok((Some(rows::decode(row, &entry.value)?), Expect::At(entry.revision))),
    }
}
