//! Where the log goes on after a stop, a crash, or whatever else has become of its files.
//!
//! What a crash has left behind the last whole line is moved aside, and that is an entry. What is missing of what had been
//! synced is no crash: the log goes on behind it, so that the gap stays to be seen.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
};

use tidelock_doors::audit::{Entry, Mark};
use tidelock_operator::files;

use super::{chain, segments::Segments};

/// The file with the last entry that is known to be on disk, `SEQ:HASH`.
const HEAD: &str = "head";
/// Longest text of it.
const HEAD_BYTES_MAX: u64 = 256;

/// The end of the log.
pub(crate) struct End {
    /// What the next entry follows.
    pub(crate) last: Mark,
    /// The segment it goes into, by its first entry, and its length in bytes; `None` when there is none.
    pub(crate) segment: Option<(u64, u64)>,
    /// What there is to say about how it was found.
    pub(crate) notes: Vec<Entry>,
}

/// The last entry that is known to be on disk.
pub(crate) fn head(segments: &Segments) -> io::Result<Option<Mark>> {
    let text = files::read_text(&segments.path(HEAD), HEAD_BYTES_MAX)?;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("the file {HEAD} is damaged"));
    text.map(|text| text.trim().parse().map_err(|_| bad()))
        .transpose()
}

/// Writes it down.
pub(crate) fn set_head(segments: &Segments, mark: &Mark) -> io::Result<()> {
    let text = format!("{mark}\n");
    files::replace(&segments.path(HEAD), text.as_bytes(), files::SECRET_MODE)
}

/// Finds the end, and mends it.
pub(crate) fn find_end(segments: &Segments) -> io::Result<End> {
    segments.make()?;
    let head = head(segments);
    let mut end = last_line(segments)?;
    let note = |operation: &str, note: String| note_of(operation, note);
    match head {
        Err(why) => end.notes.push(note("AuditHeadLost", why.to_string())),
        Ok(Some(head)) if head.seq > end.last.seq => {
            let missing = format!(
                "entries {} to {} had been on disk and are missing",
                end.last.seq + 1,
                head.seq
            );
            end.notes.push(note("AuditEndMissing", missing));
            end.last = head;
            end.segment = None;
        }
        Ok(_) => {}
    }
    Ok(end)
}

/// An entry about the log itself.
pub(crate) fn note_of(operation: &str, note: String) -> Entry {
    Entry {
        door: "server".to_owned(),
        operation: operation.to_owned(),
        note,
        ..Entry::default()
    }
}

/// The last whole line of all; what stands behind it is moved aside.
fn last_line(segments: &Segments) -> io::Result<End> {
    let mut notes = Vec::new();
    for first in segments.list()?.into_iter().rev() {
        let mut lines = segments.lines(first)?;
        let (len, mut last, mut whole) = (lines.len()?, None, 0);
        lines.backwards(|line, _, to| {
            last = chain::link(line).filter(|link| link.holds).map(|link| link.mark);
            whole = to;
            last.is_some()
        })?;
        let whole = last.as_ref().map_or(0, |_| whole);
        if whole < len {
            let seq = last.as_ref().map_or(first, |last: &Mark| last.seq + 1);
            notes.push(move_aside(segments, first, whole, seq)?);
        }
        if let Some(last) = last {
            return Ok(End {
                last,
                segment: Some((first, whole)),
                notes,
            });
        }
        fs::remove_file(segments.path(&Segments::name(first)))?;
    }
    Ok(End {
        last: Mark::default(),
        segment: None,
        notes,
    })
}

/// Moves what stands behind `whole` bytes of a segment into a file of its own.
fn move_aside(segments: &Segments, first: u64, whole: u64, seq: u64) -> io::Result<Entry> {
    let name = format!("torn-{seq:012}");
    let path = segments.path(&Segments::name(first));
    let mut segment = File::open(&path)?;
    segment.seek(SeekFrom::Start(whole))?;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(files::SECRET_MODE);
    let mut aside = options.open(segments.path(&name))?;
    let bytes = io::copy(&mut segment.take(u64::MAX), &mut aside)?;
    aside.flush()?;
    aside.sync_all()?;
    segments.sync()?;
    let segment = OpenOptions::new().write(true).open(&path)?;
    segment.set_len(whole)?;
    segment.sync_all()?;
    let note = format!("{bytes} bytes behind the last whole entry were moved to {name}");
    Ok(note_of("AuditMended", note))
}
