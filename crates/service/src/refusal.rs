//! Why a state was not written, in one sentence that its user can act on, and the body that is kept aside.
//!
//! Terraform shows the message of a refused PutObject word for word, so this is what people read in the log of a failed
//! apply: who holds what, since when, and the next command.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Body, Caller, Facet, Lock, LockInfo, Time,
    decide::{Kept, Why},
    diff::visible,
};

use crate::{Error, Service, rows, turn::Turn};

/// A refused state write that is kept aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedWrite {
    /// Its number at the address.
    pub id: u64,
    /// When it was refused.
    pub at: Time,
    /// Who wrote.
    pub caller: Caller,
    /// Why it was refused, as the writer was told.
    pub reason: String,
    /// The body.
    pub body: Body,
}

/// The reason and the next step, for the user of a refused write or deletion.
pub(crate) fn sentence(address: &Address, why: &Why, kept: Option<u64>) -> String {
    let (reason, next) = (reason(address, why), next_step(address, why));
    let kept = kept.map(|id| {
        format!(" The refused state is kept: see what it would change with tidelock rescue diff {address} {id}, before anything else.")
    });
    // Addresses, lock infos and lineages are texts of strangers.
    visible(&format!("{reason}.{} {next}", kept.unwrap_or_default()))
}

fn reason(address: &Address, why: &Why) -> String {
    match why {
        Why::Locked(held) if held.is_freeze() => format!("{address} is frozen by {}", described(held)),
        Why::Locked(held) => format!(
            "{address} is locked by {}, and only its holder may write it",
            described(held)
        ),
        Why::Fenced(fenced) if fenced.lapsed => format!(
            "The lock {} of {address} under which this was written was over (the lease of its run had ended, or its holder \
             was not seen for too long) when {} took it over at {}, and others may have changed the state since",
            fenced.id,
            caller(&fenced.by),
            time(fenced.at)
        ),
        Why::Fenced(fenced) => format!(
            "The lock {} of {address} under which this was written was ended by {} at {}, and others may have changed the \
             state since",
            fenced.id,
            caller(&fenced.by),
            time(fenced.at)
        ),
        Why::NotHeld(id) => format!(
            "The lock {id} of {address} under which this was written is not held any more, and others may have changed the \
             state since"
        ),
        Why::AfterRefusal => format!(
            "A write of this caller to {address} was refused before, and it has not taken the lock since: this may be made \
             from what was refused"
        ),
        Why::Rewind { head, new } => format!(
            "Serial {new} does not follow serial {head} of the current state of {address}: this was made from an older state \
             and would undo what was written since"
        ),
        Why::Relineage { head, new } => format!(
            "This state is of another lineage ({new}) than the current state of {address} ({head}), which it would replace"
        ),
    }
}

fn next_step(address: &Address, why: &Why) -> String {
    match why {
        Why::Locked(held) if held.is_freeze() => {
            format!("Nobody writes it until an operator thaws it: tidelock thaw {address}")
        }
        Why::Locked(held) => format!(
            "Wait for the holder (-lock-timeout); if it is gone for good: terraform force-unlock {}",
            held.id
        ),
        Why::Fenced(_) | Why::NotHeld(_) => {
            "Then run it again from the start: it must take the lock anew".to_owned()
        }
        Why::AfterRefusal => format!(
            "Then run it again from the start: it must take the lock. Where it takes none, an operator permits it: tidelock \
             allow {address} --rewind"
        ),
        Why::Rewind { .. } => format!(
            "Then run it again from the start; if it is meant to go back, an operator permits it once: tidelock allow \
             {address} --rewind"
        ),
        Why::Relineage { .. } => {
            format!("If that is meant, an operator permits it once: tidelock allow {address} --relineage")
        }
    }
}

/// Who asked, as far as is known.
fn caller(caller: &Caller) -> String {
    format!("{} at {}{}", caller.principal, caller.source, run(caller))
}

/// The run of a caller, to follow its address.
fn run(caller: &Caller) -> String {
    let token = caller.run_token.as_ref();
    token.map_or_else(String::new, |token| format!(", run {token}"))
}

/// Who holds a lock, what for, and since when; of a freeze the reason too.
#[must_use]
pub fn described(lock: &Lock) -> String {
    let info = LockInfo::parse(lock.info(&Facet::File).as_bytes());
    let (who, what) = match info {
        Ok((info, _)) => (info.who, info.operation),
        Err(_) => (String::new(), String::new()),
    };
    let who = if who.is_empty() {
        lock.holder.principal.clone()
    } else {
        who
    };
    let what = if what.is_empty() {
        String::new()
    } else {
        format!("{what}, ")
    };
    let reason = match lock.is_freeze() {
        true => freeze_reason(lock),
        false => String::new(),
    };
    let Caller {
        access_key_id,
        source,
        ..
    } = &lock.holder;
    let run = run(&lock.holder);
    visible(&format!(
        "{who} ({what}lock {}, access key {access_key_id} at {source}{run}) since {}{reason}",
        lock.id,
        time(lock.since)
    ))
}

/// Why operators froze a state, in parentheses.
fn freeze_reason(freeze: &Lock) -> String {
    let info = freeze.info(&Facet::File);
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    match info["Info"].as_str() {
        None | Some("") => String::new(),
        Some(reason) => format!(" ({reason})"),
    }
}

pub(crate) fn time(time: Time) -> String {
    let seconds = Timestamp::from_second(time.0.div_euclid(1_000));
    seconds.map_or_else(|_| format!("{} ms", time.0), |time| time.to_string())
}

impl Service {
    /// Adds to the turn what keeps a refused body aside.
    pub(crate) async fn keep_aside(
        &self,
        turn: &mut Turn,
        refused: (&Kept, &Why),
        body: &Body,
        blob: bytes::Bytes,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (kept, why) = refused;
        if kept.known {
            return Ok(());
        }
        let entry = RefusedWrite {
            id: kept.id,
            at: self.now(),
            caller: caller.clone(),
            reason: sentence(&turn.address, why, None),
            body: body.clone(),
        };
        let row = rows::quarantined(&turn.address, kept.id);
        turn.batch.puts.push((row, rows::encode(&entry)));
        turn.batch.put_blobs.push((body.stored.blob.0, blob));
        for &dropped in &kept.dropped {
            tracing::warn!(address = %turn.address, number = dropped, "the oldest refused write gives way to a new one");
            self.drop_refused(turn, dropped).await?;
        }
        Ok(())
    }

    /// Adds to the turn what removes a refused body for good.
    pub(crate) async fn drop_refused(&self, turn: &mut Turn, id: u64) -> Result<(), Error> {
        let row = rows::quarantined(&turn.address, id);
        if let Some(entry) = self.engine.get(&row).await? {
            let old: RefusedWrite = rows::decode(&row, &entry.value)?;
            turn.batch.drop_blobs.push(old.body.stored.blob.0);
            turn.batch.deletes.push(row);
        }
        Ok(())
    }

    /// The refused state writes of an address, oldest first.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn refused_writes(&self, address: &Address) -> Result<Vec<RefusedWrite>, Error> {
        let (record, _) = self.load(address).await?;
        let mut found = Vec::with_capacity(record.quarantined.len());
        for kept in &record.quarantined {
            let row = rows::quarantined(address, kept.id);
            if let Some(entry) = self.engine.get(&row).await? {
                found.push(rows::decode(&row, &entry.value)?);
            }
        }
        Ok(found)
    }
}
