//! `tidelock audit`: who asked for what, and what became of it.

mod verify;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tidelock_core::{Time, diff::visible, limits::AUDIT_LINE_BYTES_MAX};
use tidelock_doors::audit::{Entry, Filter, Wanted};
use tokio::runtime;

use super::{trouble, versions};
use crate::{
    admin::{self, Admin, AdminError},
    args::{self, AuditCommand},
    audit_log::{reader::Reader, segments::Segments},
    config,
    exit::Failure,
};

/// How many of the newest are shown when nobody says.
const NEWEST: u64 = 50;

/// Room for `dynamodb BatchWriteItem`, `s3 CompleteMultipartUpload`.
const OPERATION_CHARS: usize = 26;
/// Room for `assumed-role/deploy/job-17`.
const WHO_CHARS: usize = 28;

pub(crate) fn run(arguments: args::Audit, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    match arguments.command {
        Some(AuditCommand::Verify(arguments)) => verify::run(arguments, out),
        None => list(arguments.list, out).map(|()| ExitCode::SUCCESS),
    }
}

/// A line of the log.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    seq: u64,
    #[serde(flatten)]
    entry: Entry,
    /// Where it is, when it cannot be read.
    #[serde(default)]
    unreadable: Option<String>,
}

fn list(arguments: args::AuditList, out: &mut dyn Write) -> Result<(), Failure> {
    let is_from = arguments.since.is_some() || arguments.after.is_some();
    let limit = arguments.limit.unwrap_or(if is_from { u64::MAX } else { NEWEST });
    let wanted = Wanted {
        after: arguments.after.unwrap_or_default(),
        since_ms: arguments.since.map(|since| since.0),
        last: (!is_from).then(|| usize::try_from(limit).unwrap_or(usize::MAX)),
        follow: arguments.follow,
        filter: Filter {
            address: arguments.address,
            principal: arguments.principal,
            action: arguments.action,
            request_id: arguments.request,
            denied: arguments.denied,
        },
    };
    let left = match is_from || !arguments.follow {
        true => limit,
        // The limit was about those that are there.
        false => u64::MAX,
    };
    let mut printer = Printer {
        out,
        json: arguments.json,
        rest: BytesMut::new(),
        last: wanted.after,
        left,
        is_headed: false,
    };
    match arguments.offline {
        true => {
            let data = config::data_directory(arguments.server.place)?;
            from_files(Segments::of(&data), wanted, &mut printer)
        }
        false => from_server(&Admin::of(arguments.server)?, wanted, &mut printer),
    }
}

fn from_files(segments: Segments, wanted: Wanted, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let mut reader = Reader::new(segments, wanted)?;
    loop {
        let piece = reader.next()?;
        printer.take(&piece.lines)?;
        if piece.is_end || printer.left == 0 {
            return Ok(());
        }
    }
}

fn from_server(admin: &Admin, mut wanted: Wanted, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let waiting = runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let path = path(&wanted);
        let taken = waiting.block_on(admin.download(&path, |piece: Bytes, _| {
            printer.take(&piece)?;
            match printer.left {
                0 => Err(io::ErrorKind::Interrupted.into()),
                _ => Ok(()),
            }
        }));
        match taken {
            Err(AdminError::NotTaken(_)) if printer.left == 0 => return Ok(()),
            taken => taken?,
        }
        if !wanted.follow {
            return Ok(());
        }
        // The server ends an answer now and then; what comes next is asked for.
        wanted.last = None;
        wanted.since_ms = None;
        wanted.after = printer.last;
    }
}

/// The path and query that say what is wanted.
fn path(wanted: &Wanted) -> String {
    let numbers = [
        ("after", (wanted.after > 0).then(|| wanted.after.to_string())),
        ("since_ms", wanted.since_ms.map(|since| since.max(0).to_string())),
        ("last", wanted.last.map(|last| last.to_string())),
    ];
    let filter = &wanted.filter;
    let texts = [
        ("address", &filter.address),
        ("principal", &filter.principal),
        ("action", &filter.action),
        ("request", &filter.request_id),
    ];
    let flags = [("denied", filter.denied), ("follow", wanted.follow)];
    let mut pairs = Vec::new();
    pairs.extend(
        numbers
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
    );
    pairs.extend(
        texts
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
    );
    pairs.extend(
        flags
            .iter()
            .filter_map(|(name, is)| is.then_some((*name, "true"))),
    );
    admin::with_query("/admin/audit", &pairs)
}

/// What comes in pieces, printed line by line.
struct Printer<'a> {
    out: &'a mut dyn Write,
    json: bool,
    /// A line of which the end has not come.
    rest: BytesMut,
    /// The last entry that was printed.
    last: u64,
    /// How many more may be printed.
    left: u64,
    is_headed: bool,
}

impl Printer<'_> {
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(piece);
        while self.left > 0
            && let Some(end) = self.rest.iter().position(|byte| *byte == b'\n')
        {
            let line = self.rest.split_to(end + 1);
            // An empty one says only that the server is there.
            if end > 0 {
                self.line(&line[..end])?;
            }
        }
        if self.rest.len() > AUDIT_LINE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an entry that is too long",
            ));
        }
        self.out.flush()
    }

    fn line(&mut self, text: &[u8]) -> io::Result<()> {
        let line: Line = serde_json::from_slice(text)?;
        self.last = self.last.max(line.seq);
        self.left -= 1;
        if self.json {
            self.out.write_all(text)?;
            return writeln!(self.out);
        }
        if !self.is_headed {
            self.is_headed = true;
            writeln!(
                self.out,
                "{:>7}  {:<20}  {:<OPERATION_CHARS$}  {:>6}  {:<WHO_CHARS$}  {:<15}  ABOUT",
                "ENTRY", "WHEN", "WHAT", "STATUS", "WHO", "FROM"
            )?;
        }
        match line.unreadable {
            Some(place) => writeln!(self.out, "{:>7}  cannot be read: {}", "?", visible(&place)),
            None => self.print(line.seq, &line.entry),
        }
    }

    fn print(&mut self, seq: u64, entry: &Entry) -> io::Result<()> {
        let status = match entry.status {
            0 => "-".to_owned(),
            status => status.to_string(),
        };
        let operation = visible(&format!("{} {}", entry.door, entry.operation));
        let source = if entry.source.is_empty() {
            "-"
        } else {
            &entry.source
        };
        let text = format!(
            "{seq:>7}  {:<20}  {:<OPERATION_CHARS$}  {status:>6}  {:<WHO_CHARS$}  {:<15}  {}",
            versions::clock(Time(entry.time_ms)),
            versions::cut(&operation, OPERATION_CHARS),
            versions::cut(&who(entry), WHO_CHARS),
            visible(source),
            about(entry),
        );
        writeln!(self.out, "{}", text.trim_end())
    }
}

/// The user or role, else whose key it was said to be.
fn who(entry: &Entry) -> String {
    let principal = entry.principal.splitn(6, ':').nth(5).unwrap_or(&entry.principal);
    match (principal, entry.access_key_id.as_str()) {
        ("", "") if entry.door == "server" => "the server".to_owned(),
        ("", "") => "-".to_owned(),
        ("", claimed) => format!("? {}", visible(claimed)),
        (principal, _) => visible(principal),
    }
}

/// What it was about, and what else there is to say.
fn about(entry: &Entry) -> String {
    let mut words = Vec::new();
    words.extend(
        [&entry.table, &entry.address]
            .into_iter()
            .filter(|name| !name.is_empty())
            .cloned(),
    );
    words.extend(entry.serial.map(|serial| format!("serial {serial}")));
    words.extend((!entry.version.is_empty()).then(|| format!("version {}", entry.version)));
    words.extend((!entry.lock.is_empty()).then(|| format!("lock {}", entry.lock)));
    words.extend((!entry.parts.is_empty()).then(|| format!("{} parts", entry.parts.len())));
    words.extend((!entry.code.is_empty()).then(|| entry.code.clone()));
    words.extend((!entry.note.is_empty()).then(|| entry.note.clone()));
    visible(&words.join("  "))
}
