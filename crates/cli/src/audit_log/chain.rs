//! The chain: every line carries the hash of the line before and its own, so that none can be changed or taken out unseen.
//!
//! A line is `{"seq":N,"prev":"HASH", …the entry…,"hash":"HASH"}`. Its hash is the SHA-256 of [`DOMAIN`] and of all that stands
//! before `,"hash":`, with the number and the hash of the line before among it.

use aws_lc_rs::digest::{Context, SHA256};
use tidelock_core::limits::AUDIT_LINE_BYTES_MAX;
use tidelock_doors::audit::{Entry, Mark};

/// Stands before what is hashed, so that a hash of this log is none of anything else.
const DOMAIN: &[u8] = b"tidelock audit 1\n";

const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;
/// Digits of the largest number.
const SEQ_DIGITS_MAX: usize = 20;

/// Adds the line of an entry that follows `last`, with its line feed, and moves `last` on to it. A line longer than readers take
/// would end the log for them, so such an entry only says how much was decided and touched.
pub(crate) fn seal(entry: &Entry, last: &mut Mark, lines: &mut Vec<u8>) {
    let start = lines.len();
    let mut next = add(entry, last, lines);
    if lines.len() - start > AUDIT_LINE_BYTES_MAX {
        lines.truncate(start);
        next = add(&shortened(entry), last, lines);
    }
    *last = next;
}

fn add(entry: &Entry, last: &Mark, lines: &mut Vec<u8>) -> Mark {
    let (start, seq) = (lines.len(), last.seq + 1);
    lines.extend_from_slice(format!("{{\"seq\":{seq},\"prev\":\"{}\"", last.hash).as_bytes());
    let brace = lines.len();
    serde_json::to_writer(&mut *lines, entry)
        .expect("entries have string keys and no failing Serialize, and memory takes what is written");
    // Its members go on after those; it has always a time, so that there is one.
    lines[brace] = b',';
    lines.pop();
    let hash = hash_of(&lines[start..]);
    for part in [HASH, hash.as_bytes(), END, b"\n"] {
        lines.extend_from_slice(part);
    }
    Mark { seq, hash }
}

fn shortened(entry: &Entry) -> Entry {
    let (decided, parts) = (entry.decided.len(), entry.parts.len());
    Entry {
        decided: Vec::new(),
        parts: Vec::new(),
        note: format!("{decided} decisions about {parts} objects are left out: they are too long for a line"),
        ..entry.clone()
    }
}

/// Where a line stands in the chain, as it says itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) mark: Mark,
    pub(crate) prev: String,
    /// Whether its own hash is that of what it says.
    pub(crate) holds: bool,
}

/// Reads a line, without its line feed; `None` when it is none of this log.
pub(crate) fn link(line: &[u8]) -> Option<Link> {
    let (seq, rest) = seq_and_rest(line)?;
    let (prev, _) = rest.strip_prefix(PREV)?.split_at_checked(DIGITS)?;
    let front = line.strip_suffix(END)?;
    let (front, hash) = front.split_at_checked(front.len().checked_sub(DIGITS)?)?;
    let body = front.strip_suffix(HASH)?;
    let (prev, hash) = (hash_text(prev)?, hash_text(hash)?);
    Some(Link {
        holds: hash_of(body) == hash,
        mark: Mark { seq, hash },
        prev,
    })
}

/// The number of a line.
pub(crate) fn seq(line: &[u8]) -> Option<u64> {
    seq_and_rest(line).map(|(seq, _)| seq)
}

fn seq_and_rest(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(SEQ)?;
    let digits = rest
        .iter()
        .take(SEQ_DIGITS_MAX)
        .take_while(|byte| byte.is_ascii_digit());
    let (seq, rest) = rest.split_at(digits.count());
    Some((std::str::from_utf8(seq).ok()?.parse().ok()?, rest))
}

fn hash_text(digits: &[u8]) -> Option<String> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let is_hash = digits.len() == DIGITS && digits.iter().all(is_digit);
    is_hash.then(|| String::from_utf8_lossy(digits).into_owned())
}

fn hash_of(body: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(body);
    hex::encode(context.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidelock_doors::audit::{Decided, Effect};

    use super::*;

    fn entry(operation: &str) -> Entry {
        Entry {
            operation: operation.to_owned(),
            ..Entry::default()
        }
    }

    fn two() -> Vec<Vec<u8>> {
        let (mut last, mut lines) = (Mark::default(), Vec::new());
        seal(&entry("a"), &mut last, &mut lines);
        seal(&entry("b\n,\"hash\":\"x"), &mut last, &mut lines);
        lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_line_names_its_place_and_follows_from_the_one_before() {
        let lines = two();
        let [first, second] = [&lines[0], &lines[1]].map(|line| link(line).unwrap());
        assert!(first.holds && second.holds && lines[2].is_empty());
        assert_eq!(
            (first.mark.seq, first.prev.as_str()),
            (1, Mark::default().hash.as_str())
        );
        assert_eq!((second.mark.seq, &second.prev), (2, &first.mark.hash));
        let back: Entry = serde_json::from_slice(&lines[1]).unwrap();
        assert_eq!(back.operation, "b\n,\"hash\":\"x");
    }

    #[test]
    fn a_line_is_never_longer_than_readers_take() {
        let decided = Decided {
            action: "s3:DeleteObject".to_owned(),
            resource: "\u{1}".repeat(AUDIT_LINE_BYTES_MAX / 12 + 1),
            effect: Effect::NotAllowed,
            by: Vec::new(),
            missing: String::new(),
        };
        let long = Entry {
            decided: vec![decided.clone(), decided],
            ..entry("DeleteObjects")
        };
        let (mut last, mut lines) = (Mark::default(), Vec::new());
        for entry in [entry("a"), long, entry("b")] {
            seal(&entry, &mut last, &mut lines);
        }
        let lines: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        assert!(lines.iter().all(|line| line.len() <= AUDIT_LINE_BYTES_MAX));
        let links: Vec<_> = lines
            .iter()
            .map(|line| link(&line[..line.len() - 1]).unwrap())
            .collect();
        assert!(links.iter().all(|link| link.holds));
        assert!(links.windows(2).all(|pair| pair[1].prev == pair[0].mark.hash));
        let kept: Entry = serde_json::from_slice(lines[1]).unwrap();
        assert!(kept.note.starts_with("2 decisions"), "{}", kept.note);
    }

    #[test]
    fn a_line_with_any_byte_changed_does_not_hold() {
        let line = two().remove(1);
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            assert!(link(&changed).is_none_or(|link| !link.holds), "byte {at}");
        }
        for cut in 0..line.len() {
            assert!(link(&line[..cut]).is_none_or(|link| !link.holds), "cut at {cut}");
        }
    }
}
