//! `tidelock locks`: who holds what, who waits for it, and the next command.

pub(crate) mod reap;
pub(crate) mod stock;

use std::io::{self, Write};

use hyper::Method;
use serde::{Deserialize, Serialize};
use tidelock_core::{Caller, Time, diff::visible};
use tidelock_service::{LockStatus, Status, WaiterStatus};

use crate::{
    admin::{self, Admin},
    args::{self, LocksCommand},
    duration::written,
    exit::Failure,
    shell,
    stock::{Found, Means, means},
    target,
};

/// What the door answers when no address is named.
#[derive(Deserialize, Serialize)]
struct Listing {
    locks: Vec<Status>,
    more: bool,
}

/// Asks and prints.
pub(crate) fn run(arguments: args::Locks, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let args::ListLocks {
        configuration,
        address,
        json,
    } = match arguments.command {
        Some(LocksCommand::Reap(arguments)) => return reap::run(arguments, out, err),
        None => arguments.list,
    };
    let (again, is_one) = (
        configuration.again(),
        address.is_some() || configuration.layout.key.is_some(),
    );
    match means(address.as_deref(), configuration, err)? {
        Means::Server(configuration) => on_server(*configuration, address.as_deref(), json, out),
        Means::Stock(found) => {
            note_table(&found, err)?;
            match found.key.as_deref().filter(|_| is_one) {
                Some(key) => stock::one(&found, key, &again, json, out),
                None => stock::all(&found, &again, json, out),
            }
        }
    }
}

/// Half of the locks may be in a table that nobody has named.
pub(crate) fn note_table(found: &Found, err: &mut dyn Write) -> io::Result<()> {
    if found.layout.table.is_none() && found.backend.is_none() {
        writeln!(
            err,
            "note: only lock files are looked at; --table names the lock table, if there is one"
        )?;
    }
    Ok(())
}

fn on_server(
    configuration: args::Configuration,
    address: Option<&str>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let admin = match address {
        Some(_) => Admin::of(configuration.server)?,
        None => target::server(configuration)?,
    };
    if let Some(address) = address {
        let status = status(&admin, address)?;
        if json {
            return super::print_json(&status, out);
        }
        return Ok(print_one(&status, &admin.again, out)?);
    }
    let listing: Listing = admin.ask(Method::GET, "/admin/locks", None)?;
    if json {
        return super::print_json(&listing, out);
    }
    if listing.locks.is_empty() {
        writeln!(out, "Nothing is locked.")?;
    }
    for (at, status) in listing.locks.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        print(status, &admin.again, out)?;
    }
    if listing.more {
        let (own, again) = (shell::own_name(), visible(&admin.again));
        writeln!(out, "\nand more; name one: {own} locks ADDRESS{again}")?;
    }
    Ok(())
}

/// What the server knows about the lock of an address.
pub(crate) fn status(admin: &Admin, address: &str) -> Result<Status, Failure> {
    admin.ask(Method::GET, &admin::path("locks", address), None)
}

/// A state that was asked for by name, locked or not.
fn print_one(status: &Status, again: &str, out: &mut dyn Write) -> io::Result<()> {
    if !status.locks.is_empty() {
        return print(status, again, out);
    }
    writeln!(out, "{} is not locked.", visible(&status.address))?;
    if let Some(last) = &status.last_release {
        let forced = if last.forced {
            format!("by force, by {}", caller_in_run(&last.by))
        } else {
            "by its holder".to_owned()
        };
        let what = said(&last.who, &last.operation, &last.by);
        let ago = ago(status, last.at_ms);
        line(
            out,
            "last",
            &format!("{what}, lock {}, ended {ago} {forced}", visible(last.id.as_str())),
        )?;
    }
    print_rest(status, out)?;
    if status.state.is_none() && status.fence == 0 {
        // A slip of the pen in an address is no error: a table may lock what is kept elsewhere.
        writeln!(
            out,
            "\nnote: there is no state at this address, and it was never locked; is it the right one?"
        )?;
    }
    Ok(())
}

fn print(status: &Status, again: &str, out: &mut dyn Write) -> io::Result<()> {
    let serial = status
        .state
        .as_ref()
        .map(|state| format!("serial {}", state.serial));
    let serial = serial.unwrap_or_else(|| "no state yet".to_owned());
    writeln!(out, "{}  ({serial})", visible(&status.address))?;
    for lock in &status.locks {
        print_lock(status, lock, out)?;
    }
    for (at, waiter) in status.waiters.iter().enumerate() {
        let label = if at == 0 { "waiting" } else { "" };
        line(out, label, &format!("{}. {}", at + 1, waits(status, waiter)))?;
    }
    print_rest(status, out)?;
    for lock in &status.locks {
        let (own, address) = (shell::own_name(), shell::quoted(&status.address));
        let (label, next) = match is_freeze(lock) {
            true => ("next", format!("{own} thaw {address}{again}")),
            false => {
                let id = shell::quoted(lock.id.as_str());
                let label = if lock.stale { "next" } else { "if gone" };
                (label, format!("{own} unlock {address} {id}{again}"))
            }
        };
        line(out, label, &visible(&next))?;
    }
    Ok(())
}

/// What is known of a lock and its holder.
pub(crate) fn print_lock(status: &Status, lock: &LockStatus, out: &mut dyn Write) -> io::Result<()> {
    let label = if is_freeze(lock) { "frozen by" } else { "held by" };
    line(out, label, &said(&lock.who, &lock.operation, &lock.holder))?;
    let since = written(status.now_ms.since(lock.since_ms));
    let means: Vec<_> = lock.doors.iter().filter_map(|door| taken_with(door)).collect();
    let means = match means.is_empty() {
        true => String::new(),
        false => format!(", with {}", means.join(" and ")),
    };
    let shared = if lock.shared {
        ", shared with other plans"
    } else {
        ""
    };
    line(out, "", &format!("for {since}{means}{shared}"))?;
    line(
        out,
        "",
        &format!("lock {}, fence {}", visible(lock.id.as_str()), lock.fence),
    )?;
    line(out, "", &caller(&lock.holder))?;
    if is_freeze(lock) {
        let info: serde_json::Value = serde_json::from_str(&lock.info).unwrap_or_default();
        return line(out, "reason", &visible(info["Info"].as_str().unwrap_or_default()));
    }
    if let Some(token) = &lock.holder.run_token {
        match job(token) {
            Some(job) => line(out, "job", &visible(job))?,
            None => line(out, "run", &run_words(token))?,
        }
    }
    let seen = ago(status, lock.seen_ms);
    let seen = if lock.stale {
        format!("{seen}: STALE, it may be gone")
    } else {
        seen
    };
    line(out, "last seen", &seen)?;
    match lock.lease_until_ms {
        _ if lock.ended => line(out, "lease", "its run is over; whoever asks next gets the lock"),
        Some(until) => line(
            out,
            "lease",
            &format!(
                "{} more, unless it is renewed",
                written(until.since(status.now_ms))
            ),
        ),
        None => Ok(()),
    }
}

/// Whom the server refuses, and what it would let through.
fn print_rest(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    for fenced in &status.fenced {
        let (who, ago) = (caller_in_run(&fenced.caller), ago(status, fenced.at_ms));
        let id = visible(fenced.id.as_str());
        line(
            out,
            "fenced",
            &format!(
                "{who}: its lock {id} was ended {ago} by {}",
                caller_in_run(&fenced.by)
            ),
        )?;
    }
    if let Some(allowed) = &status.allowed {
        let what = match (allowed.rewind, allowed.relineage) {
            (true, true) => "rewind, relineage",
            (true, false) => "rewind",
            (false, _) => "relineage",
        };
        let rest = written(allowed.until_ms.since(status.now_ms));
        line(
            out,
            "allowed",
            &format!("{what}, once, for {rest} more; by {}", caller_in_run(&allowed.by)),
        )?;
    }
    Ok(())
}

fn waits(status: &Status, waiter: &WaiterStatus) -> String {
    let since = written(status.now_ms.since(waiter.first_ms));
    let now = if waiter.held {
        "in line now"
    } else {
        "between two tries"
    };
    format!(
        "{}, for {since}, {now}",
        said(&waiter.who, &waiter.operation, &waiter.caller)
    )
}

/// `WHO, OPERATION`, as far as the client has said.
fn said(who: &str, operation: &str, caller: &Caller) -> String {
    let who = if who.is_empty() { &caller.principal } else { who };
    match operation {
        "" => visible(who),
        _ => format!("{}, {}", visible(who), visible(operation)),
    }
}

/// Which key, from where.
pub(crate) fn caller(caller: &Caller) -> String {
    let (key, source) = (visible(&caller.access_key_id), visible(&caller.source));
    format!("access key {key} at {source}")
}

/// The same and the CI job's link, else what the run says of itself: two runs may share key and address.
fn caller_in_run(by: &Caller) -> String {
    let run = by.run_token.as_deref();
    match run.map(|token| job(token).map_or_else(|| run_words(token), visible)) {
        Some(run) => format!("{} ({run})", caller(by)),
        None => caller(by),
    }
}

/// The link to the CI job.
fn job(token: &str) -> Option<&str> {
    token
        .split(' ')
        .find(|word| word.starts_with("https://") || word.starts_with("http://"))
}

/// What a run says of itself, without the second spelling of its ID, for clients that know no other variable.
pub(crate) fn run_words(token: &str) -> String {
    let is_named = token.split(' ').any(|word| word.starts_with("tidelock-run/"));
    let is_double = |word: &&str| is_named && word.starts_with("app/tidelock-run-");
    let words: Vec<_> = token.split(' ').filter(|word| !is_double(word)).collect();
    visible(&words.join(" "))
}

/// How the lock was taken, in the words of the backend block; operators have none.
fn taken_with(door: &str) -> Option<&'static str> {
    match door {
        "file" => Some("a lock file"),
        "table" => Some("a lock table"),
        "http" => Some("backend \"http\""),
        _ => None,
    }
}

fn ago(status: &Status, time: Time) -> String {
    format!("{} ago", written(status.now_ms.since(time)))
}

pub(crate) fn is_freeze(lock: &LockStatus) -> bool {
    lock.doors.iter().any(|door| door == "operator")
}

fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {label:<10} {text}")
}
