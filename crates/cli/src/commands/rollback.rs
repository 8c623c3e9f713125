//! `tidelock rollback`: shows what will be different from now, asks, and has the server write the old content anew.

use std::io::Write;

use bytes::Bytes;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::diff::{Diff, Sensitive, visible};
use tidelock_service::{Entry, LockStatus, Status as LockState};

use super::{
    grip, locks, style,
    versions::{self, Place},
};
use crate::{
    admin, args,
    ask::confirm,
    duration::written,
    exit::{Failure, Status},
    shell,
};

/// What a rollback has come to.
#[derive(Deserialize, Serialize)]
struct RolledBack {
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
    refuse_if_locked(&place)?;
    let current = place.current()?;
    if let Some(current) = &current
        && is_the_same(&place, current, &entry, err)?
    {
        return nothing_to_do(current, &entry, arguments.json, out);
    }
    if current.is_none() {
        writeln!(
            err,
            "There is no state there now; version {} will be it.",
            entry.version
        )?;
    }
    let what = format!(
        "make version {} the current state of {}",
        entry.version,
        visible(&place.address)
    );
    confirm(&what, arguments.force, err)?;
    let over_md5 = current.and_then(|current| current.md5).unwrap_or_default();
    let wanted = json!({ "version": entry.version, "over_md5": over_md5, "who": grip::who() });
    let path = admin::path("rollback", &place.address);
    let done: RolledBack = place.admin.ask(Method::POST, &path, Some(&wanted))?;
    if arguments.json {
        return super::print_json(&done, out);
    }
    let serial = done
        .serial
        .map_or_else(String::new, |serial| format!(", serial {serial}"));
    writeln!(
        out,
        "{} is now at version {}{serial}, with what version {} had in it.",
        visible(&place.address),
        done.version,
        entry.version
    )?;
    writeln!(out, "Run terraform plan before anything else.")?;
    Ok(())
}

/// Shows what will be different from now; whether that is nothing.
fn is_the_same(place: &Place, current: &Entry, wanted: &Entry, err: &mut dyn Write) -> Result<bool, Failure> {
    if current.version == wanted.version {
        return Ok(true);
    }
    let (now, then): (Bytes, Bytes) = (place.body(current)?, place.body(wanted)?);
    match Diff::between(&now, &then, Sensitive::Hide) {
        Ok(diff) if diff.is_empty() => return Ok(true),
        Ok(mut diff) => {
            // The old content comes with a serial above all there were: a copy by S3's means may have gone back before.
            let newest = place.page(None, NEWEST)?.versions;
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

fn nothing_to_do(current: &Entry, wanted: &Entry, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if json {
        let unchanged = RolledBack {
            serial: current.serial,
            version: current.version,
            id: current.id.to_string(),
        };
        return super::print_json(&unchanged, out);
    }
    if current.version == wanted.version {
        writeln!(
            out,
            "Nothing to do: version {} is the current one.",
            wanted.version
        )?;
    } else {
        writeln!(
            out,
            "Nothing to do: no resource and no output differs between version {} and now.",
            wanted.version
        )?;
    }
    Ok(())
}

/// The server would refuse it anyway, but only after the question. A freeze is an operator's own.
fn refuse_if_locked(place: &Place) -> Result<(), Failure> {
    let status = locks::status(&place.admin, &place.address)?;
    match status.locks.iter().find(|lock| !locks::is_freeze(lock)) {
        Some(lock) => Err(Failure::new(Status::Refused, locked(&status, lock))),
        None => Ok(()),
    }
}

fn locked(status: &LockState, lock: &LockStatus) -> String {
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
        "{} unlock {} {}",
        shell::own_name(),
        shell::quoted(&status.address),
        shell::quoted(lock.id.as_str())
    );
    visible(&format!(
        "{} is locked by {who} {since}, {}; nothing was changed. Wait, or if its holder is gone for good: {next}",
        status.address, lock.operation
    ))
}
