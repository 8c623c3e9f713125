//! `tidelock rescue`: refused state writes, and how to get at what they knew.

use std::{io::Write, process::ExitCode};

use bytes::Bytes;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidelock_core::{
    Caller, Time,
    diff::{Diff, Sensitive, visible},
};

use super::{grip, locks, trouble, versions};
use crate::{
    admin::{self, Admin},
    args::{Address, Rescue, RescueChange, RescueCommand, RescueDiff, RescueShow, Server},
    ask::confirm,
    duration::written,
    exit::{Failure, Status},
    shell,
};

/// What the door says of a refused write.
#[derive(Deserialize, Serialize)]
struct Refused {
    id: u64,
    at_ms: Time,
    caller: Caller,
    reason: String,
    serial: Option<u64>,
    lineage: Option<String>,
    size: u64,
    md5: String,
}

#[derive(Deserialize, Serialize)]
struct Listing {
    refused: Vec<Refused>,
}

/// A state with refused writes, at its server.
struct Place {
    admin: Admin,
    address: String,
}

pub(crate) fn run(arguments: Rescue, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode, Failure> {
    match arguments.command {
        RescueCommand::List(arguments) => list(arguments, out),
        RescueCommand::Show(arguments) => show(arguments, out),
        RescueCommand::Diff(arguments) => return diff(arguments, out),
        RescueCommand::Adopt(arguments) => adopt(arguments, out, err),
        RescueCommand::Discard(arguments) => discard(arguments, out, err),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: Address, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::find(arguments.server, arguments.address)?;
    let listing = place.listing()?;
    if arguments.json {
        return super::print_json(&listing, out);
    }
    let now = locks::status(&place.admin, &place.address)?.now_ms;
    if listing.refused.is_empty() {
        writeln!(out, "No refused write is kept for {}.", visible(&place.address))?;
        return Ok(());
    }
    writeln!(
        out,
        "{:>4}  {:<10} {:>8} {:>10}  WHO",
        "N", "WHEN", "SERIAL", "BYTES"
    )?;
    for one in &listing.refused {
        let when = format!("{} ago", written(now.since(one.at_ms)));
        let serial = one
            .serial
            .map_or_else(|| "-".to_owned(), |serial| serial.to_string());
        let run = one.caller.run_token.as_deref().map(locks::run_words);
        let run = run.unwrap_or_default();
        let who = format!("{}  {run}", locks::caller(&one.caller));
        let who = who.trim_end();
        writeln!(
            out,
            "{:>4}  {when:<10} {serial:>8} {:>10}  {who}",
            one.id, one.size
        )?;
    }
    writeln!(out, "\nnext: {}", place.command("diff", listing.refused.last()))?;
    Ok(())
}

fn show(arguments: RescueShow, out: &mut dyn Write) -> Result<(), Failure> {
    let (place, one, json) = Place::of(arguments.one.state, arguments.one.number, true)?;
    if arguments.state {
        out.write_all(&place.body(one.id)?)?;
        return Ok(());
    }
    if json {
        return super::print_json(&one, out);
    }
    let now = locks::status(&place.admin, &place.address)?.now_ms;
    let mut line = |label: &str, text: &str| writeln!(out, "{label:<8} {text}");
    line("state", &visible(&place.address))?;
    line("refused", &format!("{} ago", written(now.since(one.at_ms))))?;
    line("writer", &locks::caller(&one.caller))?;
    if let Some(token) = &one.caller.run_token {
        line("run", &locks::run_words(token))?;
    }
    line("why", &visible(&one.reason))?;
    if let (Some(serial), Some(lineage)) = (one.serial, &one.lineage) {
        line("serial", &serial.to_string())?;
        line("lineage", &visible(lineage))?;
    }
    line("size", &format!("{} bytes, MD5 {}", one.size, one.md5))?;
    for next in ["diff", "adopt", "discard"] {
        line(
            if next == "diff" { "next" } else { "" },
            &place.command(next, Some(&one)),
        )?;
    }
    Ok(())
}

/// Compares; the status is that of diff.
fn diff(arguments: RescueDiff, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let sensitive = match arguments.sensitive {
        true => Sensitive::Show,
        false => Sensitive::Hide,
    };
    let (place, one, json) = Place::of(arguments.one.state, arguments.one.number, true).map_err(trouble)?;
    let (current, _) = place.current(&one).map_err(trouble)?;
    let refused = place.body(one.id).map_err(trouble)?;
    let diff = Diff::between(&current, &refused, sensitive);
    let diff = diff.map_err(|why| Failure::new(Status::Usage, why))?;
    if json {
        super::print_json(&diff, out).map_err(trouble)?;
    } else {
        write!(out, "{diff}").map_err(|fault| trouble(fault.into()))?;
    }
    Ok(ExitCode::from(u8::from(!diff.is_empty())))
}

fn adopt(arguments: RescueChange, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (place, one, json) = Place::of(arguments.state, arguments.number, false)?;
    let (current, over_md5) = place.current(&one)?;
    match Diff::between(&current, &place.body(one.id)?, Sensitive::Hide) {
        Ok(diff) => write!(err, "{diff}")?,
        Err(why) => writeln!(err, "{why}")?,
    }
    confirm("make the refused state current", arguments.force, err)?;
    let wanted = json!({ "id": one.id, "over_md5": over_md5, "who": grip::who() });
    let path = admin::path("adopt", &place.address);
    let adopted: Value = place.admin.ask(Method::POST, &path, Some(&wanted))?;
    if json {
        return super::print_json(&adopted, out);
    }
    let serial = &adopted["serial"];
    writeln!(
        out,
        "{} is now at serial {serial}. Run terraform plan before anything else.",
        visible(&place.address)
    )?;
    Ok(())
}

fn discard(arguments: RescueChange, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (place, one, json) = Place::of(arguments.state, arguments.number, false)?;
    confirm(
        &format!(
            "drop the refused write {} of {} for good",
            one.id,
            visible(&place.address)
        ),
        arguments.force,
        err,
    )?;
    let path = admin::path("discard", &place.address);
    let dropped: Value = place
        .admin
        .ask(Method::POST, &path, Some(&json!({ "id": one.id })))?;
    if json {
        return super::print_json(&dropped, out);
    }
    writeln!(out, "Dropped.")?;
    Ok(())
}

impl Place {
    fn find(server: Server, address: String) -> Result<Place, Failure> {
        let admin = Admin::of(server)?;
        Ok(Place { admin, address })
    }

    /// The one refused write that is meant, and whether to print JSON. Without a number that is the newest, where only
    /// looking at it does no harm.
    fn of(state: Address, number: Option<u64>, looks: bool) -> Result<(Place, Refused, bool), Failure> {
        let place = Place::find(state.server, state.address)?;
        let mut refused = place.listing()?.refused;
        let missing = |what: String| {
            Failure::new(
                Status::Refused,
                format!("{what}; see {}", place.command("list", None)),
            )
        };
        let address = visible(&place.address);
        let at = match number {
            Some(number) => refused
                .iter()
                .position(|one| one.id == number)
                .ok_or_else(|| missing(format!("no refused write {number} is kept for {address}")))?,
            None if refused.is_empty() => {
                let message = format!("no refused write is kept for {address}");
                return Err(Failure::new(Status::Refused, message));
            }
            None if looks || refused.len() == 1 => refused.len().saturating_sub(1),
            None => {
                let numbers: Vec<_> = refused.iter().map(|one| one.id.to_string()).collect();
                let message = format!(
                    "there are several refused writes; say which: {}",
                    numbers.join(", ")
                );
                return Err(Failure::new(Status::Usage, message));
            }
        };
        let one = refused.swap_remove(at);
        Ok((place, one, state.json))
    }

    fn listing(&self) -> Result<Listing, Failure> {
        let path = admin::path("quarantine", &self.address);
        self.admin.ask(Method::GET, &path, None)
    }

    fn body(&self, id: u64) -> Result<Bytes, Failure> {
        let path = format!("{}?id={id}", admin::path("quarantine", &self.address));
        self.admin.fetch(Method::GET, &path, None)
    }

    /// The current state and its MD5; where there is none, an empty state of the same history and no MD5.
    fn current(&self, one: &Refused) -> Result<(Bytes, String), Failure> {
        let Some(state) = locks::status(&self.admin, &self.address)?.state else {
            return Ok((versions::nothing(one.lineage.as_deref()), String::new()));
        };
        let path = admin::state_path(&self.address);
        Ok((self.admin.fetch(Method::GET, &path, None)?, state.md5))
    }

    fn command(&self, what: &str, one: Option<&Refused>) -> String {
        let number = one.map(|one| format!(" {}", one.id)).unwrap_or_default();
        let (own, address) = (shell::own_name(), shell::quoted(&self.address));
        visible(&format!(
            "{own} rescue {what} {address}{number}{}",
            self.admin.again
        ))
    }
}
