//! `tidelock blame`: which version, run and person last changed a resource, and which made it.

use std::io::Write;

use tidelock_core::{
    Pattern, Time,
    diff::{Kind, visible},
};
use tidelock_operator::layout;
use tidelock_service::{self as service, World as _};

use super::{
    locks, style,
    versions::{self, Blame, Entry, Name, Place, Server, Source, Stock, Touch},
};
use crate::{
    args,
    exit::{Failure, Status},
    progress::Progress,
    shell,
    world::Machine,
};

/// Instances that are listed; a module may have thousands.
const SHOWN: usize = 20;

pub(crate) fn run(arguments: args::Blame, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (address, resource) = versions::with_resource(arguments.words)?;
    let place = Place::find(address.as_deref(), arguments.configuration, err)?;
    let blame = match &place.source {
        Source::Server(server) => search(server, &resource)?,
        Source::Stock(stock) => look(stock, &resource)?,
    };
    let Some(changed) = &blame.version else {
        let mut message = format!(
            "no version of {} that is kept has changed a resource {}",
            visible(&place.address),
            visible(&resource)
        );
        if let Source::Server(server) = &place.source {
            let (own, again) = (shell::own_name(), &server.admin.again);
            let find = format!("{own} find {}{again}", shell::quoted(&resource));
            message = format!("{message}; to look elsewhere: {}", visible(&find));
        }
        return Err(Failure::new(Status::Refused, message));
    };
    if arguments.json {
        return super::print_json(&blame, out);
    }
    let title = format!("{} in {}", visible(&resource), visible(&place.address));
    writeln!(out, "{}\n", style::styled(style::BOLD, &title))?;
    let is_creation = blame
        .created
        .as_ref()
        .is_some_and(|created| created.version == changed.version);
    let label = match blame.changes.iter().all(|change| change.kind == Kind::Removed) {
        _ if is_creation => "created",
        true => "removed",
        false => "changed",
    };
    print(label, changed, blame.now_ms, out)?;
    let listed = blame
        .changes
        .iter()
        .take(SHOWN)
        .map(|change| format!("{} {}\n", change.kind, change.address));
    for line in listed {
        write!(out, "{:<10} {}", "", style::signs(&line))?;
    }
    if blame.changes.len() > SHOWN {
        writeln!(out, "{:<10} and {} more", "", blame.changes.len() - SHOWN)?;
    }
    match &blame.created {
        _ if is_creation => {}
        Some(created) => print("created", created, blame.now_ms, out)?,
        None => writeln!(out, "{:<10} before the oldest version that is kept", "created")?,
    }
    let (new, old) = (
        changed.version.to_string(),
        blame.against.map(|old| old.to_string()),
    );
    let next = match &old {
        Some(old) => place.command("diff", &[old, &new]),
        None => place.command("show", &[&new]),
    };
    writeln!(out, "\nnext: {next}")?;
    Ok(())
}

/// Has the server look through the history, a page at a time.
fn search(server: &Server, resource: &str) -> Result<Blame, Failure> {
    let mut progress = Progress::start();
    let mut found: service::Blame = server.ask("blame", &[("resource", resource)])?;
    while let Some(before) = found.next {
        progress.show(|| format!("looking at what is older than version {before}"));
        let number = before.to_string();
        let older: service::Blame = server.ask("blame", &[("resource", resource), ("before", &number)])?;
        if found.version.is_none() {
            (found.version, found.against, found.changes) = (older.version, older.against, older.changes);
        }
        found.created = older.created;
        // A server that does not come closer to the end is not to be listened to for ever.
        found.next = older.next.filter(|next| *next < before);
    }
    let touch = |touch: service::Touch| Touch {
        address: touch.address,
        kind: touch.kind,
    };
    Ok(Blame {
        resource: found.resource,
        now_ms: found.now_ms,
        version: found.version.map(Entry::from),
        against: found.against.map(Name::Number),
        changes: found.changes.into_iter().map(touch).collect(),
        created: found.created.map(Entry::from),
    })
}

/// Looks through the versions in the bucket.
fn look(stock: &Stock, resource: &str) -> Result<Blame, Failure> {
    let pattern = Pattern::parse(resource).map_err(|why| Failure::new(Status::Usage, why))?;
    let mut progress = Progress::start();
    let looking = |version: &layout::Version| {
        let at = versions::clock(Time(version.listed.written_ms));
        progress.show(|| format!("looking at what was written before {at}"));
    };
    let found = stock.wait(stock.found.layout.blame(&stock.key, &pattern, looking))?;
    if found.sealed {
        let message = "the state is encrypted: only who has its key can tell what changed in it";
        return Err(Failure::new(Status::Usage, message));
    }
    let touch = |(address, kind)| Touch { address, kind };
    Ok(Blame {
        resource: resource.to_owned(),
        now_ms: Machine.now(),
        version: found.version.map(Entry::from),
        against: found.against.map(Name::Id),
        changes: found.changes.into_iter().map(touch).collect(),
        created: found.created.map(Entry::from),
    })
}

fn print(label: &str, entry: &Entry, now: Time, out: &mut dyn Write) -> Result<(), Failure> {
    let mut line = |label: &str, text: &str| writeln!(out, "{label:<10} {text}");
    line(
        label,
        &format!(
            "version {}, {}, {}",
            entry.version,
            versions::ago(now, entry.written_ms),
            versions::clock(entry.written_ms)
        ),
    )?;
    match versions::operation(entry).as_str() {
        "-" => line("", &format!("by {}", versions::who(entry)))?,
        operation => line("", &format!("by {}, {operation}", versions::who(entry)))?,
    }
    if let Some(writer) = &entry.writer {
        line("", &locks::caller(writer))?;
        if let Some(token) = &writer.run_token {
            line("", &format!("run {}", locks::run_words(token)))?;
        }
    }
    Ok(())
}
