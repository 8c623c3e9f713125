//! `tidelock find`: in which states a resource is, looked up across all of them.

use std::io::Write;

use hyper::Method;
use serde::Serialize;
use tidelock_core::diff::visible;
use tidelock_service::{FindPage, Found, Unread};

use crate::{
    admin::{self, Admin},
    args,
    exit::{Failure, Status},
    progress::Progress,
};

/// All that was found, as `--json` prints it.
#[derive(Default, Serialize)]
struct Findings {
    found: Vec<Found>,
    unread: Vec<Unread>,
    checked: u64,
}

pub(crate) fn run(arguments: args::Find, out: &mut dyn Write) -> Result<(), Failure> {
    let json = arguments.json;
    let named = arguments
        .resource
        .iter()
        .chain(&arguments.id)
        .map(|name| visible(name));
    let named = named.collect::<Vec<_>>().join(" with id ");
    let findings = search(arguments)?;
    if json {
        super::print_json(&findings, out)?;
    } else {
        print(&findings, out)?;
    }
    if findings.found.is_empty() {
        let message = match findings.checked {
            0 => "there is no state to look at: none is stored, or none begins with --prefix".to_owned(),
            1 => format!("no {named} in the one state that was looked at"),
            checked => format!("no {named} in any of {checked} states"),
        };
        return Err(Failure::new(Status::Refused, message));
    }
    Ok(())
}

/// Has the server look through the states, a page at a time.
fn search(arguments: args::Find) -> Result<Findings, Failure> {
    let admin = Admin::of(arguments.server)?;
    let mut progress = Progress::start();
    let (mut findings, mut after) = (Findings::default(), String::new());
    loop {
        let mut pairs = vec![("after", after.as_str())];
        pairs.extend(arguments.prefix.as_deref().map(|prefix| ("prefix", prefix)));
        pairs.extend(
            arguments
                .resource
                .as_deref()
                .map(|resource| ("resource", resource)),
        );
        pairs.extend(arguments.id.as_deref().map(|id| ("id", id)));
        let page: FindPage = admin.ask(Method::GET, &admin::with_query("/admin/find", &pairs), None)?;
        findings.found.extend(page.found);
        findings.unread.extend(page.unread);
        findings.checked += page.checked;
        // A server that does not come closer to the end is not to be listened to for ever.
        match page.next.filter(|next| *next > after) {
            Some(next) => after = next,
            None => return Ok(findings),
        }
        let (found, checked) = (findings.found.len(), findings.checked);
        progress.show(|| {
            format!(
                "{checked} states looked at, {found} found, now {}",
                visible(&after)
            )
        });
    }
}

fn print(findings: &Findings, out: &mut dyn Write) -> Result<(), Failure> {
    let mut address = "";
    for found in &findings.found {
        if found.address != address {
            address = &found.address;
            writeln!(
                out,
                "{}  (version {}, serial {})",
                visible(address),
                found.version,
                found.serial
            )?;
        }
        write!(out, "  {}", found.resource)?;
        match &found.id {
            Some(id) => writeln!(out, "  id {}", visible(id))?,
            None => writeln!(out)?,
        }
    }
    for unread in &findings.unread {
        writeln!(
            out,
            "{}  not looked into: {}",
            visible(&unread.address),
            visible(&unread.why)
        )?;
    }
    if !findings.found.is_empty() {
        let (found, checked) = (findings.found.len(), findings.checked);
        writeln!(out, "\nfound: {found}, states looked at: {checked}")?;
    }
    Ok(())
}
