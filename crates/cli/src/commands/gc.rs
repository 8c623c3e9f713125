//! `tidelock gc`: what retention no longer keeps ends now, and what is not packed yet is packed.

use std::io::Write;

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::diff::visible;

use super::count;
use crate::{
    admin::Admin,
    args,
    ask::confirm,
    exit::{Failure, Status},
    progress::{Progress, bytes},
};

/// What was done to some states, or would be.
#[derive(Default, Deserialize, Serialize)]
struct Swept {
    states: u64,
    dropped: u64,
    bytes: u64,
    packed: u64,
    #[serde(skip_serializing)]
    next: Option<String>,
}

pub(crate) fn run(arguments: args::Gc, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let prefix = arguments.prefix.unwrap_or_default();
    let plan = sweep(&admin, &prefix, true)?;
    if plan.states == 0 && !prefix.is_empty() {
        let message = format!("no state's address begins with {}", visible(&prefix));
        return Err(Failure::new(Status::Refused, message));
    }
    if arguments.dry_run {
        return match arguments.json {
            true => super::print_json(&plan, out),
            false => Ok(writeln!(out, "Would drop {}", told(&plan))?),
        };
    }
    if plan.dropped > 0 {
        writeln!(err, "To drop for good: {}", told(&plan))?;
        let what = format!("drop {} for good", count(plan.dropped, "version"));
        confirm(&what, arguments.force, err)?;
    }
    let done = sweep(&admin, &prefix, false)?;
    if arguments.json {
        return super::print_json(&done, out);
    }
    let packed = count(done.packed, "version");
    writeln!(out, "Dropped {}; packed {packed}", told(&done))?;
    Ok(())
}

/// Does it, or looks what there would be to do, a page at a time.
fn sweep(admin: &Admin, prefix: &str, dry_run: bool) -> Result<Swept, Failure> {
    let mut progress = Progress::start();
    let (mut sum, mut after) = (Swept::default(), String::new());
    loop {
        let wanted = json!({ "prefix": prefix, "after": after, "dry_run": dry_run });
        let page: Swept = admin.ask(Method::POST, "/admin/gc", Some(&wanted))?;
        sum.states += page.states;
        sum.dropped += page.dropped;
        sum.bytes += page.bytes;
        sum.packed += page.packed;
        match page.next {
            Some(next) => after = next,
            None => return Ok(sum),
        }
        progress.show(|| format!("{}; now {}", told(&sum), visible(&after)));
    }
}

fn told(page: &Swept) -> String {
    let (dropped, states) = (page.dropped, page.states);
    let (versions, state) = (count(dropped, "version"), count(states, "state"));
    format!("{versions} ({}) of {state}", bytes(page.bytes))
}
