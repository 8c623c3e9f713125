//! `tidelock audit verify`: whether all that was ever written to the log is there, as it was written.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use hyper::Method;
use tidelock_core::diff::visible;
use tidelock_doors::audit::{Mark, Verified};

use super::trouble;
use crate::{
    admin::{self, Admin},
    args,
    audit_log::{segments::Segments, verify},
    config,
    exit::Failure,
    progress::Progress,
};

pub(super) fn run(arguments: args::AuditVerify, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let from = arguments.from;
    let verified = match arguments.offline {
        true => {
            let data = config::data_directory(arguments.server.place).map_err(trouble)?;
            let segments = Segments::of(&data);
            all(from, |from| {
                verify::verify(&segments, from, None).map_err(|why| trouble(why.into()))
            })
        }
        false => {
            let admin = Admin::of(arguments.server).map_err(trouble)?;
            all(from, |from| ask(&admin, from))
        }
    }?;
    match arguments.json {
        true => super::super::print_json(&verified, out)?,
        false => print(&verified, out)?,
    }
    Ok(ExitCode::from(u8::from(verified.broken.is_some())))
}

fn ask(admin: &Admin, from: Option<&Mark>) -> Result<Verified, Failure> {
    let from = from.map(Mark::to_string);
    let pairs: Vec<_> = from.iter().map(|from| ("from", from.as_str())).collect();
    let path = admin::with_query("/admin/audit/verify", &pairs);
    admin.ask(Method::GET, &path, None).map_err(trouble)
}

/// Goes over it page by page.
fn all(
    from: Option<Mark>,
    mut page: impl FnMut(Option<&Mark>) -> Result<Verified, Failure>,
) -> Result<Verified, Failure> {
    let (mut progress, mut all) = (Progress::start(), Verified::default());
    let mut from = from;
    loop {
        let found = page(from.as_ref())?;
        let is_further = found.last > from;
        all.checked += found.checked;
        all.first = all.first.or(found.first);
        all.last = found.last.or(all.last);
        all.broken = found.broken;
        progress.show(|| format!("{} entries", all.checked));
        if !found.more || !is_further {
            return Ok(all);
        }
        from.clone_from(&all.last);
    }
}

fn print(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    match (&verified.first, &verified.last) {
        (Some(first), Some(last)) => {
            writeln!(
                out,
                "entries {} to {}: all there, in order, as they were written",
                first.seq, last.seq
            )?;
        }
        _ => writeln!(out, "no entries")?,
    }
    if let Some(broken) = &verified.broken {
        return writeln!(out, "broken: {}", visible(broken));
    }
    if let Some(first) = verified.first.as_ref().filter(|first| first.seq > 1) {
        writeln!(
            out,
            "begins at entry {}; what came before it was not looked at",
            first.seq
        )?;
    }
    match &verified.last {
        Some(last) => writeln!(out, "head: {last}"),
        None => Ok(()),
    }
}
