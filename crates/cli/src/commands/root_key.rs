//! `tidelock root-key`: which root keys there are and what they seal; and a new one in place of the current one.

use std::{
    io::{self, IsTerminal, Write},
    thread,
    time::Duration,
};

use hyper::Method;
use tidelock_core::{Time, diff::visible};
use tidelock_service::{KeyRole, KeysStatus, RotationStatus};

use crate::{
    admin::Admin,
    args::{RootKey, RootKeyCommand, Rotate},
    duration::written,
    exit::{Failure, Status},
    shell,
};

/// How often a rotation that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Shows them, or rotates.
pub(crate) fn run(arguments: RootKey, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    if let Some(RootKeyCommand::Rotate(rotate)) = arguments.command {
        return self::rotate(rotate, out, err);
    }
    let admin = Admin::of(arguments.server)?;
    let status = keys(&admin)?;
    match arguments.json {
        true => super::print_json(&status, out),
        false => Ok(print(&status, &admin.again, out)?),
    }
}

fn keys(admin: &Admin) -> Result<KeysStatus, Failure> {
    admin.ask(Method::GET, "/admin/root-key", None)
}

fn print(status: &KeysStatus, again: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Root keys from {}", visible(&status.source))?;
    for key in &status.keys {
        let role = match key.role {
            KeyRole::Current => "current",
            KeyRole::Former => "former",
            KeyRole::Missing => "MISSING",
        };
        write!(
            out,
            "  {:<16}  {role:<7}  seals {}",
            visible(&key.id),
            bodies(key.bodies)
        )?;
        if let Some(Time(since)) = key.since_ms {
            write!(out, ", since {}", moment(since))?;
        }
        writeln!(out)?;
    }
    if let Some(rotation) = &status.rotation {
        print_rotation(rotation, out)?;
    }
    print_next(status, again, out)
}

/// What is to be done about any of it.
fn print_next(status: &KeysStatus, again: &str, out: &mut dyn Write) -> io::Result<()> {
    if status.keys.iter().any(|key| key.role == KeyRole::Missing) {
        writeln!(
            out,
            "next: put the missing keys back, from a backup, each on a line behind the others in {}; then restart the server",
            visible(&status.source)
        )?;
    }
    let running = status.rotation.as_ref().is_some_and(RotationStatus::is_running);
    let unused = |id: &str| {
        status
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.retired.iter().any(|old| old == id))
    };
    for key in status
        .keys
        .iter()
        .filter(|key| key.role == KeyRole::Former && !running)
    {
        match (key.bodies, unused(&key.id)) {
            (0, true) if !status.ours => writeln!(
                out,
                "next: nothing needs {} any more: take its line out of {}",
                visible(&key.id),
                visible(&status.source)
            )?,
            _ => {
                let (own, again) = (shell::own_name(), visible(again));
                writeln!(out, "next: {own} root-key rotate --wait{again}")?;
            }
        }
    }
    Ok(())
}

fn print_rotation(rotation: &RotationStatus, out: &mut dyn Write) -> io::Result<()> {
    let so_far = format!(
        "{} looked at, {} sealed anew",
        bodies(rotation.checked),
        rotation.wrapped
    );
    match (rotation.ended_ms, &rotation.fault) {
        (None, _) => writeln!(out, "A rotation is going on: {so_far}.")?,
        (Some(_), Some(fault)) => writeln!(out, "The last rotation stopped: {so_far}; {}", visible(fault))?,
        (Some(Time(ended)), None) => {
            let lasted = written(ended.saturating_sub(rotation.began_ms.0));
            writeln!(
                out,
                "The last rotation ended {} after {lasted}: {so_far}.",
                moment(ended)
            )?;
        }
    }
    for failed in &rotation.failed {
        writeln!(out, "  not sealed anew: {}", visible(failed))?;
    }
    Ok(())
}

fn rotate(arguments: Rotate, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let begun: RotationStatus = admin.ask(Method::POST, "/admin/root-key/rotate", None)?;
    if !arguments.wait {
        if arguments.json {
            return super::print_json(&begun, out);
        }
        writeln!(
            out,
            "Begun. What is written from now on is sealed under the new root key; the rest follows: {} root-key{}",
            shell::own_name(),
            visible(&admin.again)
        )?;
        return Ok(());
    }
    let ended = wait(&admin, begun, err)?;
    if arguments.json {
        super::print_json(&ended, out)?;
    } else {
        let status = keys(&admin)?;
        print(&status, &admin.again, out)?;
        if status.ours && ended.fault.is_none() {
            let at = visible(&status.source);
            writeln!(
                out,
                "next: put a copy of {at} where the old key's copy is, and keep that one as long as the backups from its time"
            )?;
        }
    }
    match &ended.fault {
        None if ended.failed.is_empty() => Ok(()),
        None => Err(Failure::new(
            Status::Failed,
            format!(
                "{} could not be sealed anew; the former root keys stay, since these still need them",
                bodies(ended.failed.len() as u64)
            ),
        )),
        Some(fault) => Err(Failure::new(
            Status::Failed,
            format!(
                "the rotation stopped: {}; a restart of the server goes on with it",
                visible(fault)
            ),
        )),
    }
}

/// Looks at the rotation until it has ended; on a terminal, says how far it is.
fn wait(admin: &Admin, begun: RotationStatus, err: &mut dyn Write) -> Result<RotationStatus, Failure> {
    let mut rotation = begun;
    let shows = io::stderr().is_terminal();
    while rotation.is_running() {
        thread::sleep(LOOK);
        let now: Option<RotationStatus> = admin.ask(Method::GET, "/admin/root-key/rotation", None)?;
        rotation = now.ok_or_else(|| {
            let message = "the server was started anew meanwhile and has nothing left to rotate; `tidelock root-key` shows it";
            Failure::new(Status::Failed, message)
        })?;
        if shows {
            let so_far = bodies(rotation.checked);
            write!(err, "\r{so_far} looked at, {} sealed anew ", rotation.wrapped)?;
            err.flush()?;
        }
    }
    if shows {
        writeln!(err)?;
    }
    Ok(rotation)
}

fn bodies(count: u64) -> String {
    match count {
        1 => "1 body".to_owned(),
        _ => format!("{count} bodies"),
    }
}

/// A time for people, as UTC.
fn moment(ms: i64) -> String {
    let time =
        jiff::Timestamp::from_millisecond(ms).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string());
    time.unwrap_or_else(|_| ms.to_string())
}
