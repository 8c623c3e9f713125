//! Rollback in any bucket: no server does it in one step, so it is done under both locks, and every end is told.

use std::io::Write;

use tidelock_core::{Time, diff::visible};
use tidelock_operator::layout::{Facet, Lock, Plan, RollbackError, Step, Want};
use tidelock_service::World as _;

use super::{Outcome, RolledBack, question};
use crate::{
    ask::confirm,
    commands::{
        grip,
        locks::note_table,
        style,
        versions::{self, Entry, Name, Place, Stock},
    },
    exit::{Failure, Status},
    progress::Progress,
    signals::Signals,
    world::{Machine, uuid},
};

/// A rollback that is asked for.
pub(super) struct Asked<'a> {
    pub(super) place: &'a Place,
    pub(super) stock: &'a Stock,
    pub(super) entry: &'a Entry,
    pub(super) yes: bool,
}

/// Shows what will be different from now, asks, and does it; with what is to be told of a lock that stays.
pub(super) fn run(asked: &Asked<'_>, err: &mut dyn Write) -> Result<(Outcome, Option<String>), Failure> {
    let (stock, entry) = (asked.stock, asked.entry);
    note_table(&stock.found, err)?;
    let locks = stock.wait(stock.found.layout.locks_of(&stock.key))?;
    if !locks.is_empty() {
        return Err(locked(asked, &locks));
    }
    let plan = look(asked)?;
    match &plan.step {
        Step::Nothing => {
            return match asked.place.current()? {
                Some(current) => Ok((Outcome::nothing(&current), None)),
                None => Err(fault(asked, RollbackError::Overtaken)),
            };
        }
        Step::Digest => {
            writeln!(
                err,
                "The state has what version {} had in it, but the table has the digest of another one.",
                entry.version
            )?;
            let what = format!("correct the digest of {}", visible(&asked.place.address));
            confirm(&what, asked.yes, err)?;
        }
        Step::Write { .. } => {
            print(&plan, entry, err)?;
            confirm(&question(asked.place, entry), asked.yes, err)?;
        }
    }
    let want = Want {
        id: uuid(),
        operation: format!("rollback to {}", entry.version),
        who: grip::who(),
        info: String::new(),
        created: jiff::Timestamp::now().to_string(),
    };
    let applied = stock.wait(async {
        // Every call has its time; whoever ends it between two of them leaves a lock behind.
        let _signals = Signals::listen()?;
        Ok::<_, Failure>(stock.found.layout.apply_rollback(&plan, &want).await)
    })?;
    let done = applied.map_err(|why| fault(asked, why))?;
    let stays = done.still_locked.map(|why| {
        let next = asked.place.command("unlock", &[&want.id]);
        let address = visible(&asked.place.address);
        format!(
            "{address} is rolled back, and still locked: {}; to free it: {next}",
            visible(&why)
        )
    });
    let outcome = Outcome {
        is_done: true,
        now: RolledBack {
            serial: done.serial,
            version: Name::Id(done.version.clone()),
            id: done.version,
        },
    };
    Ok((outcome, stays))
}

fn look(asked: &Asked<'_>) -> Result<Plan, Failure> {
    let (stock, id) = (asked.stock, &asked.entry.id);
    let mut progress = Progress::start();
    let looking = |seen| progress.show(|| format!("{seen} versions looked at for the highest serial"));
    let plan = stock.wait(async {
        let planned = stock.found.layout.plan_rollback(&stock.key, id, looking).await;
        Ok::<_, Failure>(planned)
    })?;
    plan.map_err(|why| fault(asked, why))
}

fn print(plan: &Plan, entry: &Entry, err: &mut dyn Write) -> Result<(), Failure> {
    let Step::Write { serial, diff, .. } = &plan.step else {
        return Ok(());
    };
    let current = plan.current.as_ref();
    match (current, diff) {
        (None, _) => writeln!(
            err,
            "There is no state there now; version {} will be it, with serial {serial}.",
            entry.version
        )?,
        (Some(current), Some(diff)) => {
            let mut diff = (**diff).clone();
            diff.new.serial = *serial;
            let now = current.version.as_deref().unwrap_or("null");
            writeln!(err, "{:<10} {} -> {}", "version", visible(now), entry.version)?;
            write!(err, "{}", style::signs(&diff.to_string()))?;
        }
        (Some(_), None) => writeln!(err, "What will be different cannot be shown.")?,
    }
    if plan.unread > 0 {
        writeln!(
            err,
            "{} versions cannot be read; if the serial of one is above {serial}, a plan saved then may fit again.",
            plan.unread
        )?;
    }
    Ok(())
}

fn fault(asked: &Asked<'_>, why: RollbackError) -> Failure {
    let address = visible(&asked.place.address);
    match why {
        RollbackError::Locked(locks) => locked(asked, &locks),
        RollbackError::InDoubt { ref lock, .. } => {
            let look = asked.place.command("history", &["--limit", "1"]);
            let next = asked.place.command("unlock", &[lock]);
            let why = visible(&why.to_string());
            let message = format!("{address}: {why}\nlook whether it is there: {look}\nthen free it: {next}");
            Failure::new(Status::Failed, message)
        }
        RollbackError::StaleDigest(_) | RollbackError::Call(_) => {
            Failure::new(Status::Failed, visible(&format!("{address}: {why}")))
        }
        RollbackError::NoState => Failure::new(Status::Usage, format!("{address}: {why}")),
        RollbackError::Gone
        | RollbackError::Sealed
        | RollbackError::OtherLineage { .. }
        | RollbackError::NotKept
        | RollbackError::Overtaken => {
            let message = format!("{address}: {why}; nothing was changed");
            Failure::new(Status::Refused, visible(&message))
        }
    }
}

fn locked(asked: &Asked<'_>, locks: &[Lock]) -> Failure {
    let address = visible(&asked.place.address);
    let Some(lock) = locks.first() else {
        let message = format!("{address} was locked a moment ago; nothing was changed. Try again");
        return Failure::new(Status::Refused, message);
    };
    let form = match lock.facet {
        Facet::File => "by its lock file",
        Facet::Table => "in the table",
    };
    let (who, operation) = match &lock.parsed {
        Some(info) => (info.who.as_str(), info.operation.as_str()),
        None => ("somebody whose lock cannot be read", "-"),
    };
    let since = lock.since_ms.map_or_else(String::new, |since| {
        let since = Time(since);
        let ago = versions::ago(Machine.now(), since);
        format!(" since {} ({ago})", versions::clock(since))
    });
    let next = asked.place.command("unlock", &[&lock.name()]);
    let message = format!(
        "{address} is locked {form} by {who}{since}, {operation}; nothing was changed. Wait, or if its holder is gone for \
         good: {next}"
    );
    Failure::new(Status::Refused, visible(&message))
}
