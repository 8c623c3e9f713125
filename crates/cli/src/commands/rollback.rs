//! `tidelock rollback`: shows what will be different from now, asks, and has the server write the old content anew.

mod stock;

use std::io::Write;

use bytes::Bytes;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::diff::{Diff, Sensitive, visible};
use tidelock_service::{LockStatus, Status as LockState};

use super::{
    grip, locks, style,
    versions::{self, Entry, Name, Place, Server, Source},
};
use crate::{
    admin, args,
    ask::confirm,
    duration::written,
    exit::{Failure, Status},
    shell,
};

/// What a rollback has come to.
#[derive(Serialize)]
struct RolledBack {
    serial: Option<u64>,
    version: Name,
    id: String,
}

/// The same, as the server says it.
#[derive(Deserialize)]
struct Answer {
    serial: Option<u64>,
    version: u64,
    id: String,
}

/// Versions that are looked through for the highest serial that the plan shows; the server itself knows it of all.
const NEWEST: u64 = 200;

pub(crate) fn run(
    arguments: args::Rollback,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let (address, version) = versions::with_version(arguments.words)?;
    let place = Place::find(address.as_deref(), arguments.configuration, err)?;
    let entry = place.entry(&version)?;
    if entry.deleted {
        let message = format!(
            "version {} deleted the state; there is nothing in it to go back to",
            entry.version
        );
        return Err(Failure::new(Status::Refused, message));
    }
    let server = match &place.source {
        Source::Server(server) => server,
        Source::Stock(stock) => {
            let asked = stock::Asked {
                place: &place,
                stock,
                entry: &entry,
                yes: arguments.yes,
            };
            let (done, stays) = stock::run(&asked, err)?;
            tell(&place, &entry, done, arguments.json, out)?;
            return match stays {
                Some(message) => Err(Failure::new(Status::Failed, message)),
                None => Ok(()),
            };
        }
    };
    refuse_if_locked(server)?;
    let current = place.current()?;
    if let Some(current) = &current
        && is_the_same(&place, server, current, &entry, err)?
    {
        return tell(&place, &entry, Outcome::nothing(current), arguments.json, out);
    }
    if current.is_none() {
        writeln!(
            err,
            "There is no state there now; version {} will be it.",
            entry.version
        )?;
    }
    confirm(&question(&place, &entry), arguments.yes, err)?;
    let over_md5 = current.and_then(|current| current.md5).unwrap_or_default();
    let wanted = json!({ "version": entry.version, "over_md5": over_md5, "who": grip::who() });
    let path = admin::path("rollback", &place.address);
    let done: Answer = server.admin.ask(Method::POST, &path, Some(&wanted))?;
    let done = Outcome {
        is_done: true,
        now: RolledBack {
            serial: done.serial,
            version: Name::Number(done.version),
            id: done.id,
        },
    };
    tell(&place, &entry, done, arguments.json, out)
}

fn question(place: &Place, entry: &Entry) -> String {
    format!(
        "make version {} the current state of {}",
        entry.version,
        visible(&place.address)
    )
}

/// What there is now, and whether that is new.
struct Outcome {
    is_done: bool,
    now: RolledBack,
}

impl Outcome {
    /// The current version stays.
    fn nothing(current: &Entry) -> Outcome {
        Outcome {
            is_done: false,
            now: RolledBack {
                serial: current.serial,
                version: current.version.clone(),
                id: current.id.clone(),
            },
        }
    }
}

fn tell(
    place: &Place,
    entry: &Entry,
    outcome: Outcome,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let now = outcome.now;
    if json {
        return super::print_json(&now, out);
    }
    if outcome.is_done {
        let serial = now
            .serial
            .map_or_else(String::new, |serial| format!(", serial {serial}"));
        let address = visible(&place.address);
        writeln!(
            out,
            "{address} is now at version {}{serial}, with what version {} had in it.",
            now.version, entry.version
        )?;
        writeln!(out, "Run terraform plan before anything else.")?;
    } else if now.version == entry.version {
        writeln!(
            out,
            "Nothing to do: version {} is the current one.",
            entry.version
        )?;
    } else {
        writeln!(
            out,
            "Nothing to do: no resource and no output differs between version {} and now.",
            entry.version
        )?;
    }
    Ok(())
}

/// Shows what will be different from now; whether that is nothing.
fn is_the_same(
    place: &Place,
    server: &Server,
    current: &Entry,
    wanted: &Entry,
    err: &mut dyn Write,
) -> Result<bool, Failure> {
    if current.version == wanted.version {
        return Ok(true);
    }
    let (now, then): (Bytes, Bytes) = (place.body(current)?, place.body(wanted)?);
    match Diff::between(&now, &then, Sensitive::Hide) {
        Ok(diff) if diff.is_empty() => return Ok(true),
        Ok(mut diff) => {
            // The old content comes with a serial above all there were: a copy by S3's means may have gone back before.
            let newest = server.page(None, NEWEST)?.versions;
            let serials = newest.iter().filter(|entry| entry.lineage == wanted.lineage);
            let highest = serials.filter_map(|entry| entry.serial).max().unwrap_or(0);
            let highest = highest.max(diff.old.serial).max(diff.new.serial);
            diff.new.serial = highest.saturating_add(1);
            writeln!(err, "{:<10} {} -> {}", "version", current.version, wanted.version)?;
            write!(err, "{}", style::signs(&diff.to_string()))?;
        }
        Err(why) => writeln!(err, "{why}")?,
    }
    Ok(false)
}

/// The server would refuse it anyway, but only after the question. A freeze is an operator's own.
fn refuse_if_locked(server: &Server) -> Result<(), Failure> {
    let status = locks::status(&server.admin, &server.address)?;
    match status.locks.iter().find(|lock| !locks::is_freeze(lock)) {
        Some(lock) => Err(Failure::new(
            Status::Refused,
            locked(&status, lock, &server.admin.again),
        )),
        None => Ok(()),
    }
}

fn locked(status: &LockState, lock: &LockStatus, again: &str) -> String {
    let who = if lock.who.is_empty() {
        &lock.holder.principal
    } else {
        &lock.who
    };
    let since = format!(
        "since {} ({})",
        versions::clock(lock.since_ms),
        written(status.now_ms.since(lock.since_ms))
    );
    let next = format!(
        "{} unlock {} {}{again}",
        shell::own_name(),
        shell::quoted(&status.address),
        shell::quoted(lock.id.as_str())
    );
    visible(&format!(
        "{} is locked by {who} {since}, {}; nothing was changed. Wait, or if its holder is gone for good: {next}",
        status.address, lock.operation
    ))
}
