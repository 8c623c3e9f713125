//! `tidelock history`: the versions of a state, newest first, one line for what one lock wrote.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
    io::Write,
    iter,
};

use serde::{Serialize, Serializer};
use tidelock_core::{Time, diff::visible};
use tidelock_operator::layout;
use tidelock_service::{Entry as ServerEntry, World as _};

use super::{
    style,
    versions::{self, Entry, Name, Place, Server, Source, Stock},
};
use crate::{
    args,
    duration::written,
    exit::{Failure, Status},
    pager, progress,
    world::Machine,
};

/// Versions asked for at a time.
const PAGE: u64 = 200;

/// Room for `apply`, `rollback to 1234`; some reasons of Terraform's are sentences.
const OPERATION_CHARS: usize = 16;

/// Room for `+5000 ~12 -0`.
const COUNTS_CHARS: usize = 12;

/// Room for a version's number.
const NUMBER_CHARS: usize = 7;

/// What is shown of a version ID at least: of random ones so much is each one's own among a hundred thousand.
const ID_CHARS_MIN: usize = 12;

pub(crate) fn run(arguments: args::History, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::find(arguments.address.as_deref(), arguments.configuration, err)?;
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let mut walk = Walk::begin(&place, limit)?;
    if walk.is_empty()? {
        return Err(nothing(&place));
    }
    if arguments.json {
        return print_json(&place, walk, limit, out);
    }
    pager::paged(out, |out| print(&place, &mut walk, limit, arguments.steps, out))
}

fn nothing(place: &Place) -> Failure {
    let mut message = format!(
        "nothing that was ever written to {} is kept; is it the right address?",
        visible(&place.address)
    );
    let neighbours = match &place.source {
        Source::Server(server) => server.neighbours().unwrap_or_default(),
        Source::Stock(_) => Vec::new(),
    };
    for (number, neighbour) in neighbours.iter().enumerate() {
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

/// All that was asked for, in one object, which is written as it is read.
#[derive(Serialize)]
struct Listing<'a> {
    address: &'a str,
    now_ms: Time,
    versions: Versions<'a>,
}

struct Versions<'a> {
    walk: RefCell<Walk<'a>>,
    limit: usize,
    /// Why it ended before its end.
    failure: RefCell<Option<Failure>>,
}

impl Serialize for Versions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let next = || match self.walk.borrow_mut().next_line(true) {
            Ok(line) => line.map(|(entry, _)| entry),
            Err(failure) => {
                self.failure.replace(Some(failure));
                None
            }
        };
        serializer.collect_seq(iter::from_fn(next).take(self.limit))
    }
}

fn print_json(place: &Place, walk: Walk<'_>, limit: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let listing = Listing {
        address: &place.address,
        now_ms: walk.now,
        versions: Versions {
            walk: RefCell::new(walk),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            failure: RefCell::new(None),
        },
    };
    let written = serde_json::to_writer_pretty(&mut *out, &listing).map_err(std::io::Error::from);
    if let Some(failure) = listing.versions.failure.take() {
        return Err(failure);
    }
    written?;
    writeln!(out)?;
    Ok(())
}

fn print(
    place: &Place,
    walk: &mut Walk<'_>,
    limit: u64,
    steps: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let chars = walk.name_chars()?;
    writeln!(out, "{}\n", style::styled(style::BOLD, &visible(&place.address)))?;
    writeln!(
        out,
        "{:>chars$}  {:<12}  {:<20}  {:<OPERATION_CHARS$} {:>6}  {:<COUNTS_CHARS$}  {:>9}  WHO",
        "VERSION", "WHEN", "", "FOR", "SERIAL", "CHANGED", "SIZE"
    )?;
    let (mut lines, mut newest, mut is_deleted) = (0, Vec::new(), false);
    while lines < limit
        && let Some((entry, count)) = walk.next_line(steps)?
    {
        lines += 1;
        print_line(walk.now, &entry, chars, count, out)?;
        is_deleted |= lines == 1 && entry.deleted;
        if newest.len() < 2 {
            newest.push(short_name(&entry.version, chars));
        }
    }
    let next = match newest.as_slice() {
        [_, old] if is_deleted => place.command("rollback", &[old]),
        [new, old] => place.command("diff", &[old, new]),
        [only] => place.command("show", &[only]),
        _ => return Ok(()),
    };
    writeln!(out, "\nnext: {next}")?;
    Ok(())
}

fn print_line(
    now: Time,
    entry: &Entry,
    chars: usize,
    count: u64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
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
        "{:>chars$}  {:<12}  {:<20}  {:<OPERATION_CHARS$} {serial:>6}  {changed}  {size:>9}  {}{notes}",
        short_name(&entry.version, chars),
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

/// The number, or as much of the ID as names it.
fn short_name(version: &Name, chars: usize) -> String {
    match version {
        Name::Number(_) => version.to_string(),
        Name::Id(id) => id.chars().take(chars).collect(),
    }
}

/// The versions of a state one by one, loaded as they are needed.
struct Walk<'a> {
    now: Time,
    steps: Steps<'a>,
}

enum Steps<'a> {
    Server(Pages<'a>),
    Stock(&'a Stock, Box<layout::Walk<'a>>),
}

impl<'a> Walk<'a> {
    fn begin(place: &'a Place, limit: u64) -> Result<Walk<'a>, Failure> {
        match &place.source {
            Source::Server(server) => {
                let page = server.page(None, limit.clamp(1, PAGE))?;
                let pages = Pages {
                    server,
                    loaded: page.versions.into(),
                    next: page.next,
                };
                Ok(Walk {
                    now: page.now_ms,
                    steps: Steps::Server(pages),
                })
            }
            Source::Stock(stock) => Ok(Walk {
                now: Machine.now(),
                steps: Steps::Stock(stock, Box::new(stock.found.layout.versions(&stock.key))),
            }),
        }
    }

    fn is_empty(&mut self) -> Result<bool, Failure> {
        match &mut self.steps {
            Steps::Server(pages) => Ok(pages.loaded.is_empty()),
            Steps::Stock(stock, walk) => Ok(stock.wait(walk.peek())?.is_none()),
        }
    }

    /// How much of a name is shown: of an ID, what tells it from all others that have been listed.
    fn name_chars(&mut self) -> Result<usize, Failure> {
        match &mut self.steps {
            Steps::Server(_) => Ok(NUMBER_CHARS),
            Steps::Stock(stock, walk) => {
                let ids: BTreeSet<&str> = stock.wait(walk.next_ids())?.collect();
                let neighbours = ids.iter().zip(ids.iter().skip(1));
                let alike = neighbours.map(|(one, other)| {
                    let both = one.chars().zip(other.chars());
                    both.take_while(|(one, other)| one == other).count() + 1
                });
                Ok(alike.max().unwrap_or(0).max(ID_CHARS_MIN))
            }
        }
    }

    /// The next version, and how many versions of the same lock it stands for.
    fn next_line(&mut self, steps: bool) -> Result<Option<(Entry, u64)>, Failure> {
        match &mut self.steps {
            Steps::Server(pages) => pages.next_line(steps),
            Steps::Stock(stock, walk) => {
                let line = stock.wait(walk.next_line(steps))?;
                Ok(line.map(|line| {
                    let steps = line.steps;
                    (line.into(), steps)
                }))
            }
        }
    }
}

/// The history at a server, in pages.
struct Pages<'a> {
    server: &'a Server,
    loaded: VecDeque<ServerEntry>,
    /// Before which version the next page begins.
    next: Option<u64>,
}

impl Pages<'_> {
    /// Makes sure that a version is loaded, if there is one more.
    fn load(&mut self) -> Result<(), Failure> {
        while self.loaded.is_empty()
            && let Some(before) = self.next
        {
            let page = self.server.page(Some(before), PAGE)?;
            self.loaded = page.versions.into();
            // A server that sends one page again and again is not to be listened to for ever.
            self.next = page.next.filter(|next| *next < before);
        }
        Ok(())
    }

    fn next_line(&mut self, steps: bool) -> Result<Option<(Entry, u64)>, Failure> {
        self.load()?;
        let Some(entry) = self.loaded.pop_front() else {
            return Ok(None);
        };
        let mut count = 1;
        if steps {
            return Ok(Some((entry.into(), count)));
        }
        loop {
            self.load()?;
            match self.loaded.front() {
                Some(older) if is_step_of(older, &entry) => self.loaded.pop_front(),
                _ => return Ok(Some((entry.into(), count))),
            };
            count += 1;
        }
    }
}

/// Whether a version was only written on the way to another.
fn is_step_of(older: &ServerEntry, entry: &ServerEntry) -> bool {
    let (one, other) = (&older.lock, &entry.lock);
    let both = one.as_ref().zip(other.as_ref());
    both.is_some_and(|(one, other)| one.id == other.id && one.fence == other.fence)
        && !older.deleted
        && !entry.deleted
}
