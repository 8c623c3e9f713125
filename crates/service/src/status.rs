//! What is known about the lock of an address, for operators to look at.

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Allowance, Caller, Facet, Fenced, Lock, LockId, LockInfo, Release, Time, Waiter,
    limits::LOCKS_SHOWN_MAX,
};

use crate::{Error, Service, rows};

/// All that is known about the lock of an address, as the admin door shows it. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The address.
    pub address: String,
    /// The server's time, which ages are counted by.
    pub now_ms: Time,
    /// How many locks were ever granted here.
    pub fence: u64,
    /// The current state, if there is one.
    pub state: Option<StateStatus>,
    /// The locks that are held: none, one, or several plans.
    pub locks: Vec<LockStatus>,
    /// Who was refused lately, first refused first; those with `held` are asking this very moment.
    pub waiters: Vec<WaiterStatus>,
    /// Whose lock was ended by someone else, and who is refused until it takes the lock again.
    pub fenced: Vec<FencedStatus>,
    /// What an operator permits, as long as it holds.
    pub allowed: Option<AllowedStatus>,
    /// The last lock that ended.
    pub last_release: Option<ReleaseStatus>,
}

/// The current state of an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateStatus {
    /// Its serial.
    pub serial: u64,
    /// Its lineage.
    pub lineage: String,
    /// Its size in bytes.
    pub size: u64,
    /// The MD5 of its bytes, in hexadecimal.
    pub md5: String,
    /// When it was written.
    pub written_ms: Time,
}

/// A lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LockStatus {
    /// The ID.
    pub id: LockId,
    /// What for, in Terraform's words; empty when the holder did not say.
    pub operation: String,
    /// Who, in Terraform's words; empty when the holder did not say.
    pub who: String,
    /// The lock info as the holder wrote it.
    pub info: String,
    /// Who holds it.
    pub holder: Caller,
    /// When it was granted.
    pub since_ms: Time,
    /// When its holder was last heard of.
    pub seen_ms: Time,
    /// The fence it was granted under.
    pub fence: u64,
    /// The doors it is held through: `file`, `table`, `http`, `operator`.
    pub doors: Vec<String>,
    /// Whether other plans may hold the lock beside it.
    pub shared: bool,
    /// Whether its holder has not been heard of for longer than usual.
    pub stale: bool,
    /// Whether its holder's run is over, so that whoever asks next gets the lock.
    pub ended: bool,
    /// When its holder's run is over unless it is renewed, where it has one.
    pub lease_until_ms: Option<Time>,
}

/// Someone who was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaiterStatus {
    /// The ID of the lock it wants.
    pub id: LockId,
    /// What for.
    pub operation: String,
    /// Who.
    pub who: String,
    /// Who asks.
    pub caller: Caller,
    /// When it was first refused.
    pub first_ms: Time,
    /// When it last asked.
    pub last_ms: Time,
    /// Whether it asks this very moment, and will get the lock in its turn.
    pub held: bool,
}

/// A caller that is refused until it takes the lock again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FencedStatus {
    /// The ID of the lock it had.
    pub id: LockId,
    /// The former holder.
    pub caller: Caller,
    /// The fence it held it under.
    pub fence: u64,
    /// When its lock was ended.
    pub at_ms: Time,
    /// Who ended it.
    pub by: Caller,
}

/// A permission for one write that does not advance the state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowedStatus {
    /// Whether the serial may fall or stay.
    pub rewind: bool,
    /// Whether another lineage may take over.
    pub relineage: bool,
    /// Until when.
    pub until_ms: Time,
    /// Who permits it.
    pub by: Caller,
}

/// The end of a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseStatus {
    /// The lock's ID.
    pub id: LockId,
    /// What it was for.
    pub operation: String,
    /// Who had it.
    pub who: String,
    /// When it ended.
    pub at_ms: Time,
    /// Who ended it.
    pub by: Caller,
    /// Whether that was someone other than its holder.
    pub forced: bool,
}

impl Service {
    /// What is known about the lock of an address.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn status(&self, address: &Address) -> Result<Status, Error> {
        let (record, _) = self.load(address).await?;
        let now = self.now();
        let mut locks = Vec::with_capacity(record.locks.len());
        for lock in &record.locks {
            locks.push(self.lock_status(lock).await?);
        }
        let body = record
            .visible()
            .and_then(|head| Some((head, head.body.as_ref()?)));
        let state = body.and_then(|(head, body)| {
            let header = body.state.as_ref()?;
            Some(StateStatus {
                serial: header.serial,
                lineage: header.lineage.clone(),
                size: body.size,
                md5: body.md5.clone(),
                written_ms: head.written,
            })
        });
        let waiting = record.waiters.iter().filter(|waiter| waiter.waits(now));
        Ok(Status {
            address: address.to_string(),
            now_ms: now,
            fence: record.fence,
            state,
            locks,
            waiters: waiting.map(waiter_status).collect(),
            fenced: record.fenced.into_iter().map(fenced_status).collect(),
            allowed: record
                .allowed
                .filter(|allowed| now < allowed.until)
                .map(allowed_status),
            last_release: record.last_release.map(release_status),
        })
    }

    pub(crate) async fn lock_status(&self, lock: &Lock) -> Result<LockStatus, Error> {
        let leases = self.leases(std::slice::from_ref(lock)).await?;
        let (operation, who) = said(lock.info(&Facet::File));
        let door = |facet: &Facet| match facet {
            Facet::File => "file".to_owned(),
            Facet::Table { .. } => "table".to_owned(),
            Facet::Http => "http".to_owned(),
            Facet::Operator => "operator".to_owned(),
        };
        Ok(LockStatus {
            id: lock.id.clone(),
            operation,
            who,
            info: lock.info(&Facet::File).to_owned(),
            holder: lock.holder.clone(),
            since_ms: lock.since,
            seen_ms: lock.seen,
            fence: lock.fence,
            doors: lock.facets.iter().map(|form| door(&form.facet)).collect(),
            shared: lock.shared,
            stale: leases.alive.is_empty() && self.is_stale(lock),
            ended: !leases.ended.is_empty(),
            lease_until_ms: leases.next_end,
        })
    }

    /// The addresses with a lock whose names begin with `prefix`, in order; and whether there are more.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn locks(&self, prefix: &str) -> Result<(Vec<Status>, bool), Error> {
        let range = rows::locked_under(prefix);
        let mut marks = self.engine.scan(range, LOCKS_SHOWN_MAX + 1).await?;
        let more = marks.len() > LOCKS_SHOWN_MAX;
        marks.truncate(LOCKS_SHOWN_MAX);
        let mut found = Vec::with_capacity(marks.len());
        for (row, _) in marks {
            let address = rows::address(&row)?;
            let status = self.status(&address).await?;
            // It may have been released since.
            if !status.locks.is_empty() {
                found.push(status);
            }
        }
        Ok((found, more))
    }
}

/// What for and who, as a lock info says.
fn said(info: &str) -> (String, String) {
    let parsed = LockInfo::parse(info.as_bytes());
    parsed.map_or_else(|_| Default::default(), |(info, _)| (info.operation, info.who))
}

fn waiter_status(waiter: &Waiter) -> WaiterStatus {
    let (operation, who) = said(&waiter.info);
    WaiterStatus {
        id: waiter.id.clone(),
        operation,
        who,
        caller: waiter.caller.clone(),
        first_ms: waiter.first,
        last_ms: waiter.last,
        held: waiter.hold.is_some(),
    }
}

fn fenced_status(fenced: Fenced) -> FencedStatus {
    FencedStatus {
        id: fenced.id,
        caller: fenced.caller,
        fence: fenced.fence,
        at_ms: fenced.at,
        by: fenced.by,
    }
}

pub(crate) fn allowed_status(allowed: Allowance) -> AllowedStatus {
    AllowedStatus {
        rewind: allowed.rewind,
        relineage: allowed.relineage,
        until_ms: allowed.until,
        by: allowed.by,
    }
}

fn release_status(release: Release) -> ReleaseStatus {
    let (operation, who) = said(release.lock.info(&Facet::File));
    ReleaseStatus {
        id: release.lock.id,
        operation,
        who,
        at_ms: release.at,
        by: release.by,
        forced: release.forced,
    }
}
