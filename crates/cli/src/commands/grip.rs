//! `tidelock unlock`, `allow`, `freeze`, `thaw`: an operator's hand on one lock.

use std::{env, fs, io::Write, os::unix::fs::MetadataExt};

use hyper::Method;
use serde_json::{Value, json};
use tidelock_core::diff::visible;
use tidelock_operator::layout::{Freed, United};

use super::{held::Held, locks};
use crate::{
    admin::{self, Admin},
    args,
    ask::confirm,
    duration::written,
    exit::{Failure, Status},
    shell,
    stock::{Found, Means, means, wait},
    target,
};

/// Shows what is known of the holder, asks, and frees.
pub(crate) fn unlock(
    arguments: args::Unlock,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let (address, id) = match arguments.words.as_slice() {
        [address, id] => (Some(address.as_str()), id.as_str()),
        words => (None, words.first().map_or("", String::as_str)),
    };
    let again = arguments.configuration.again();
    let asking = Asking {
        yes: arguments.yes,
        json: arguments.json,
        again: &again,
    };
    match means(address, arguments.configuration, err)? {
        Means::Server(configuration) => {
            let (admin, address) = match address {
                Some(address) => (Admin::of(configuration.server)?, address.to_owned()),
                None => {
                    let target = target::find(None, *configuration, err)?;
                    (target.admin, target.address.to_string())
                }
            };
            unlock_on_server(&admin, &address, id, &asking, out, err)
        }
        Means::Stock(found) => unlock_in_stock(&found, id, &asking, out, err),
    }
}

/// How an unlock is asked for and answered.
struct Asking<'a> {
    yes: bool,
    json: bool,
    /// What the next command has to repeat.
    again: &'a str,
}

fn unlock_on_server(
    admin: &Admin,
    address: &str,
    id: &str,
    asking: &Asking<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let status = locks::status(admin, address)?;
    if let Some(lock) = status.locks.iter().find(|lock| lock.id.as_str() == id) {
        writeln!(err, "{}", visible(address))?;
        locks::print_lock(&status, lock, err)?;
        if !lock.doors.iter().any(|door| door == "operator") {
            confirm(
                "free this lock and refuse what its holder still writes",
                asking.yes,
                err,
            )?;
        }
    }
    // What is not held, or frozen, the server refuses in its own words.
    let freed: Value = admin.ask(
        Method::POST,
        &admin::path("unlock", address),
        Some(&json!({ "id": id })),
    )?;
    if asking.json {
        return super::print_json(&freed, out);
    }
    writeln!(
        out,
        "Freed. Its former holder is refused until it takes the lock again."
    )?;
    Ok(())
}

fn unlock_in_stock(
    found: &Found,
    id: &str,
    asking: &Asking<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let Some(key) = found.key.as_deref().filter(|key| !key.is_empty()) else {
        let message = "no state is named: BUCKET/KEY before the ID, or --key";
        return Err(Failure::new(Status::Usage, message));
    };
    locks::note_table(found, err)?;
    let (layout, address) = (&found.layout, found.layout.item_name(key));
    let there = wait(async { Ok(layout.held(key).await?) })?;
    let Some(lock) = there.iter().find(|lock| lock.id == id) else {
        return Err(not_held(&address, id, &there, asking.again));
    };
    let held = Held::of_stock(&layout.bucket, lock);
    writeln!(err, "{}", visible(&address))?;
    locks::stock::print_lock(&held, lock, locks::stock::now_ms(found), err)?;
    writeln!(
        err,
        "\nNobody refuses what its holder still writes, if it is at work after all."
    )?;
    confirm("free this lock", asking.yes, err)?;
    let freed = wait(async { Ok(layout.free_id(key, id).await?) })?;
    if asking.json {
        let freed = (freed == Freed::Now).then_some(held);
        return super::print_json(&json!({ "freed": freed }), out);
    }
    match freed {
        Freed::Now => writeln!(out, "Freed.")?,
        Freed::Before => writeln!(out, "Its holder has freed it meanwhile.")?,
    }
    Ok(())
}

fn not_held(address: &str, id: &str, there: &[United], again: &str) -> Failure {
    let (address, id) = (visible(address), visible(id));
    let Some(other) = there.first() else {
        return Failure::new(Status::Refused, format!("{address} is not locked"));
    };
    let message = format!(
        "{address} is not locked by {id}, but by {}; to see who that is: {} locks{again} {}",
        visible(&other.id),
        shell::own_name(),
        shell::quoted(&address),
    );
    Failure::new(Status::Refused, message)
}

pub(crate) fn allow(arguments: args::Allow, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let for_ms = u64::try_from(arguments.lasts.as_millis()).unwrap_or(u64::MAX);
    let wanted = json!({
        "rewind": arguments.rewind,
        "relineage": arguments.relineage,
        "for_ms": for_ms,
    });
    let allowed: Value = admin.ask(
        Method::POST,
        &admin::path("allow", &arguments.address),
        Some(&wanted),
    )?;
    if arguments.json {
        return super::print_json(&allowed, out);
    }
    let what = match (arguments.rewind, arguments.relineage) {
        (true, true) => "go back or bring another lineage",
        (true, false) => "go back",
        (false, _) => "bring another lineage",
    };
    let lasts = written(i64::try_from(for_ms).unwrap_or(i64::MAX));
    writeln!(
        out,
        "The next write to {} may {what}, once, within {lasts}. Then, where its configuration is:",
        visible(&arguments.address)
    )?;
    writeln!(out, "\n  terraform state push -force old.tfstate")?;
    note_missing(&admin, &arguments.address, out)
}

pub(crate) fn freeze(arguments: args::Freeze, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let wanted = json!({ "reason": arguments.reason, "who": who() });
    let address = &arguments.address;
    let frozen: Value = admin.ask(Method::POST, &admin::path("freeze", address), Some(&wanted))?;
    if arguments.json {
        return super::print_json(&frozen, out);
    }
    writeln!(out, "{} is frozen. To thaw it:", visible(address))?;
    let (own, again) = (shell::own_name(), &admin.again);
    writeln!(out, "\n  {own} thaw {}{}", shell::quoted(address), visible(again))?;
    note_missing(&admin, address, out)
}

/// A slip of the pen in an address succeeds like any other.
fn note_missing(admin: &Admin, address: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if locks::status(admin, address)?.state.is_none() {
        writeln!(
            out,
            "\nnote: there is no state at this address yet; is it the right one?"
        )?;
    }
    Ok(())
}

pub(crate) fn thaw(arguments: args::Address, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let thawed: Value = admin.ask(Method::POST, &admin::path("thaw", &arguments.address), None)?;
    if arguments.json {
        return super::print_json(&thawed, out);
    }
    writeln!(out, "{} is thawed.", visible(&arguments.address))?;
    Ok(())
}

/// `USER@HOST`, as Terraform writes it into its locks; empty when there is no telling, and the server takes the key's owner.
pub(crate) fn who() -> String {
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| env::var(name).ok());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    match (user.or_else(account), host.as_deref().map(str::trim)) {
        (Some(user), Some(host)) => format!("{user}@{host}"),
        (Some(user), None) => user,
        (None, _) => String::new(),
    }
}

/// The name of this process's account, where no variable tells, as in a container or under cron.
fn account() -> Option<String> {
    let id = fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}
