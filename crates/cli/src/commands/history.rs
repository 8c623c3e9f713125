//! `tidelock history`: the versions of a state, newest first, one line for what one lock wrote.

use std::{collections::VecDeque, io::Write};

use serde::Serialize;
use tidelock_core::{Time, diff::visible};
use tidelock_service::Entry;

use super::{
    style,
    versions::{self, Place},
};
use crate::{
    args,
    duration::written,
    exit::{Failure, Status},
    pager, progress,
};

/// Versions asked for at a time.
const PAGE: u64 = 200;

/// Room for `apply`, `rollback to 1234`; some reasons of Terraform's are sentences.
const OPERATION_CHARS: usize = 16;

/// Room for `+5000 ~12 -0`.
const COUNTS_CHARS: usize = 12;

pub(crate) fn run(arguments: args::History, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::find(arguments.address.as_deref(), arguments.configuration, err)?;
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let mut walk = Walk::begin(&place, limit)?;
    if walk.loaded.is_empty() {
        return Err(nothing(&place));
    }
    if arguments.json {
        return print_json(walk, limit, out);
    }
    pager::paged(out, |out| print(&mut walk, limit, arguments.steps, out))
}

fn nothing(place: &Place) -> Failure {
    let mut message = format!(
        "nothing that was ever written to {} is kept; is it the right address?",
        visible(&place.address)
    );
    for (number, neighbour) in place.neighbours().unwrap_or_default().iter().enumerate() {
        let lead = if number == 0 {
            "\nThere are, in that bucket:\n  "
        } else {
            "\n  "
        };
        message.push_str(lead);
        message.push_str(&visible(neighbour));
    }
    Failure::new(Status::Refused, message)
}

/// All that was asked for, in one object.
#[derive(Serialize)]
struct Listing {
    address: String,
    now_ms: Time,
    versions: Vec<Entry>,
}

fn print_json(mut walk: Walk<'_>, limit: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let mut listing = Listing {
        address: walk.place.address.clone(),
        now_ms: walk.now,
        versions: Vec::new(),
    };
    while (listing.versions.len() as u64) < limit
        && let Some(entry) = walk.next()?
    {
        listing.versions.push(entry);
    }
    super::print_json(&listing, out)
}

fn print(walk: &mut Walk<'_>, limit: u64, steps: bool, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(
        out,
        "{}\n",
        style::styled(style::BOLD, &visible(&walk.place.address))
    )?;
    writeln!(
        out,
        "{:>7}  {:<12}  {:<20}  {:<OPERATION_CHARS$} {:>6}  {:<COUNTS_CHARS$}  {:>9}  WHO",
        "VERSION", "WHEN", "", "FOR", "SERIAL", "CHANGED", "SIZE"
    )?;
    let (mut lines, mut newest, mut is_deleted) = (0, Vec::new(), false);
    while lines < limit
        && let Some((entry, count)) = walk.next_line(steps)?
    {
        lines += 1;
        print_line(walk.now, &entry, count, out)?;
        is_deleted |= lines == 1 && entry.deleted;
        if newest.len() < 2 {
            newest.push(entry.version.to_string());
        }
    }
    let next = match newest.as_slice() {
        [_, old] if is_deleted => walk.place.command("rollback", &[old]),
        [new, old] => walk.place.command("diff", &[old, new]),
        [only] => walk.place.command("show", &[only]),
        _ => return Ok(()),
    };
    writeln!(out, "\nnext: {next}")?;
    Ok(())
}

fn print_line(now: Time, entry: &Entry, count: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let serial = entry
        .serial
        .map_or_else(|| "-".to_owned(), |serial| serial.to_string());
    let changed = match &entry.changes {
        Some(changes) => style::counts(changes, COUNTS_CHARS),
        None => format!("{:<COUNTS_CHARS$}", "-"),
    };
    let size = entry.size.map_or_else(|| "-".to_owned(), progress::bytes);
    let mut notes = Vec::new();
    notes.extend(entry.current.then(|| "current".to_owned()));
    notes.extend((count > 1).then(|| format!("{count} steps")));
    notes.extend(entry.encrypted.then(|| "encrypted".to_owned()));
    let hidden = entry.hidden_ms.map(|since| written(now.since(since)));
    notes.extend(hidden.map(|hidden| format!("not in S3 for {hidden}")));
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!("  ({})", notes.join(", ")),
    };
    writeln!(
        out,
        "{:>7}  {:<12}  {:<20}  {:<OPERATION_CHARS$} {serial:>6}  {changed}  {size:>9}  {}{notes}",
        entry.version,
        versions::ago(now, entry.written_ms),
        versions::clock(entry.written_ms),
        versions::cut(&versions::operation(entry), OPERATION_CHARS),
        short(&versions::who(entry)),
    )?;
    Ok(())
}

/// What tells one principal from another in one account.
fn short(who: &str) -> &str {
    match who.starts_with("arn:") {
        true => who.rsplit(':').next().unwrap_or(who),
        false => who,
    }
}

/// The versions of a state one by one, loaded in pages as they are needed.
struct Walk<'a> {
    place: &'a Place,
    now: Time,
    loaded: VecDeque<Entry>,
    /// Before which version the next page begins.
    next: Option<u64>,
}

impl<'a> Walk<'a> {
    fn begin(place: &'a Place, limit: u64) -> Result<Walk<'a>, Failure> {
        let page = place.page(None, limit.clamp(1, PAGE))?;
        Ok(Walk {
            place,
            now: page.now_ms,
            loaded: page.versions.into(),
            next: page.next,
        })
    }

    /// Makes sure that a version is loaded, if there is one more.
    fn load(&mut self) -> Result<(), Failure> {
        while self.loaded.is_empty()
            && let Some(before) = self.next
        {
            let page = self.place.page(Some(before), PAGE)?;
            self.loaded = page.versions.into();
            // A server that sends one page again and again is not to be listened to for ever.
            self.next = page.next.filter(|next| *next < before);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Entry>, Failure> {
        self.load()?;
        Ok(self.loaded.pop_front())
    }

    /// The next version, and how many versions of the same lock it stands for.
    fn next_line(&mut self, steps: bool) -> Result<Option<(Entry, u64)>, Failure> {
        let Some(entry) = self.next()? else {
            return Ok(None);
        };
        let mut count = 1;
        if steps {
            return Ok(Some((entry, count)));
        }
        loop {
            self.load()?;
            match self.loaded.front() {
                Some(older) if is_step_of(older, &entry) => self.loaded.pop_front(),
                _ => return Ok(Some((entry, count))),
            };
            count += 1;
        }
    }
}

/// Whether a version was only written on the way to another.
fn is_step_of(older: &Entry, entry: &Entry) -> bool {
    let (one, other) = (&older.lock, &entry.lock);
    let both = one.as_ref().zip(other.as_ref());
    both.is_some_and(|(one, other)| one.id == other.id && one.fence == other.fence)
        && !older.deleted
        && !entry.deleted
}
