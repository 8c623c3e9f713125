//! `tidelock unlock`, `allow`, `freeze`, `thaw`: an operator's hand on one lock.

use std::{env, fs, io::Write, os::unix::fs::MetadataExt};

use hyper::Method;
use serde_json::{Value, json};
use tidelock_core::diff::visible;

use super::locks;
use crate::{
    admin::{self, Admin},
    args,
    ask::confirm,
    duration::written,
    exit::Failure,
    shell,
};

/// Shows what is known of the holder, asks, and frees.
pub(crate) fn unlock(
    arguments: args::Unlock,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let (address, id) = (&arguments.address, &arguments.id);
    let status = locks::status(&admin, address)?;
    if let Some(lock) = status.locks.iter().find(|lock| lock.id.as_str() == id) {
        writeln!(err, "{}", visible(address))?;
        locks::print_lock(&status, lock, err)?;
        if !lock.doors.iter().any(|door| door == "operator") {
            confirm(
                "free this lock and refuse what its holder still writes",
                arguments.force,
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
    if arguments.json {
        return super::print_json(&freed, out);
    }
    writeln!(
        out,
        "Freed. Its former holder is refused until it takes the lock again."
    )?;
    Ok(())
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
    writeln!(out, "\n  {} thaw {}", shell::own_name(), shell::quoted(address))?;
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
