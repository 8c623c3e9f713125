//! Reading the log while it is written: from where somebody wants it, through their filter, to its end and on.

use std::io;

use bytes::Bytes;
use tidelock_core::limits::{AUDIT_LAST_MAX, AUDIT_READ_BYTES, AUDIT_SCAN_BYTES};
use tidelock_doors::audit::{Entry, Wanted};

use super::{
    chain,
    segments::{Lines, Segments},
};

/// A place in the log from which it is read on.
pub(crate) struct Reader {
    segments: Segments,
    wanted: Wanted,
    /// The segment, and its lines from where to go on.
    at: Option<(u64, Lines)>,
}

/// What a step has read.
pub(crate) struct Piece {
    /// The lines that are wanted.
    pub(crate) lines: Bytes,
    /// Whether that was all there is, for now.
    pub(crate) is_end: bool,
}

impl Reader {
    /// A reader of what is wanted.
    pub(crate) fn new(segments: Segments, wanted: Wanted) -> io::Result<Reader> {
        let mut reader = Reader {
            at: None,
            segments,
            wanted,
        };
        match reader.wanted.last {
            Some(count) => reader.go_to_last(count.min(AUDIT_LAST_MAX))?,
            None => reader.go_to_first()?,
        }
        Ok(reader)
    }

    /// Reads on: until there is enough for a piece, or enough was looked at, or there is no more.
    pub(crate) fn next(&mut self) -> io::Result<Piece> {
        let (mut out, mut scanned, mut line) = (Vec::new(), 0, Vec::new());
        let mut is_end = false;
        while out.len() < AUDIT_READ_BYTES && scanned < AUDIT_SCAN_BYTES {
            // Looked for before the lines: what is in the one is all there before the next begins.
            let next = self.next_segment()?;
            let Some((first, lines)) = &mut self.at else {
                match next {
                    Some(next) => self.at = Some((next, self.segments.lines(next)?)),
                    None => is_end = true,
                }
                if is_end {
                    break;
                }
                continue;
            };
            let mut any = false;
            while out.len() < AUDIT_READ_BYTES && scanned < AUDIT_SCAN_BYTES {
                let offset = lines.offset;
                if !lines.next(&mut line)? {
                    break;
                }
                any = true;
                scanned += line.len();
                take(&self.wanted, &line, *first, offset, &mut out);
            }
            match next {
                _ if any => {}
                Some(next) => self.at = Some((next, self.segments.lines(next)?)),
                None => {
                    is_end = true;
                    break;
                }
            }
        }
        Ok(Piece {
            lines: out.into(),
            is_end,
        })
    }

    fn next_segment(&self) -> io::Result<Option<u64>> {
        let firsts = self.segments.list()?;
        let now = self.at.as_ref().map(|(first, _)| *first);
        Ok(firsts
            .into_iter()
            .find(|first| now.is_none_or(|now| *first > now)))
    }

    /// Goes to the first entry that is not before what is wanted.
    fn go_to_first(&mut self) -> io::Result<()> {
        let (after, since) = (self.wanted.after, self.wanted.since_ms);
        let is_before = |line: &[u8]| match since {
            Some(since) => entry(line).is_some_and(|entry| entry.time_ms < since),
            None => chain::seq(line).is_some_and(|seq| seq <= after),
        };
        let firsts = self.segments.list()?;
        // Of the segments that begin before it, the last has it, or its end is where it would be.
        let mut begun = None;
        let (mut low, mut high) = (0, firsts.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (mut lines, mut line) = (self.segments.lines(firsts[middle])?, Vec::new());
            match lines.next(&mut line)? && is_before(&line) {
                true => {
                    begun = Some(firsts[middle]);
                    low = middle + 1;
                }
                false => high = middle,
            }
        }
        if let Some(first) = begun.or(firsts.first().copied()) {
            let mut lines = self.segments.lines(first)?;
            lines.seek(is_before)?;
            self.at = Some((first, lines));
        }
        Ok(())
    }

    /// Goes to the first of the last `count` entries that are wanted.
    fn go_to_last(&mut self, count: usize) -> io::Result<()> {
        let mut left = count;
        for first in self.segments.list()?.into_iter().rev() {
            let mut lines = self.segments.lines(first)?;
            let (mut start, wanted) = (lines.len()?, &self.wanted);
            let found = left == 0
                || lines.backwards(|line, from, _| {
                    if entry(line).is_some_and(|entry| is_wanted(wanted, line, &entry)) {
                        left -= 1;
                        start = from;
                    }
                    left == 0
                })?;
            if !found {
                start = 0;
            }
            lines.go_to(start)?;
            self.at = Some((first, lines));
            if found {
                break;
            }
        }
        Ok(())
    }
}

/// Adds a line to the piece if it is wanted, or the place of one that cannot be read.
fn take(wanted: &Wanted, line: &[u8], first: u64, offset: u64, out: &mut Vec<u8>) {
    match entry(line) {
        Some(entry) if is_wanted(wanted, line, &entry) => {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        Some(_) => {}
        None => {
            let place = format!("{} at byte {offset}", Segments::name(first));
            out.extend_from_slice(format!("{}\n", serde_json::json!({ "unreadable": place })).as_bytes());
        }
    }
}

fn is_wanted(wanted: &Wanted, line: &[u8], entry: &Entry) -> bool {
    chain::seq(line).is_some_and(|seq| seq > wanted.after)
        && wanted.since_ms.is_none_or(|since| entry.time_ms >= since)
        && wanted.filter.lets_through(entry)
}

fn entry(line: &[u8]) -> Option<Entry> {
    serde_json::from_slice(line).ok()
}
