//! Going over the chain: whether every entry that was written is there, as it was written, in its place.

use std::io;

use tidelock_core::limits::AUDIT_VERIFY_SEGMENTS;
use tidelock_doors::audit::{Mark, Verified};

use super::{
    chain::{self, Link},
    open,
    segments::Segments,
};

/// Goes over the chain from the first entry there is, or from one that is known. `until` is the last entry that counts: behind
/// it somebody may be writing.
pub(crate) fn verify(segments: &Segments, from: Option<&Mark>, until: Option<u64>) -> io::Result<Verified> {
    let head = open::head(segments);
    // Whoever knows of no entry knows what the first one follows.
    let from = from.filter(|from| **from != Mark::default());
    let mut walk = Walk {
        verified: Verified::default(),
        from: from.cloned(),
        head: head.as_ref().ok().cloned().flatten(),
    };
    let firsts = segments.list()?;
    let begin = from
        .and_then(|from| firsts.iter().rposition(|first| *first <= from.seq))
        .unwrap_or(0);
    for (count, first) in firsts.iter().skip(begin).enumerate() {
        if count == AUDIT_VERIFY_SEGMENTS && walk.from.is_none() {
            walk.verified.more = true;
            return Ok(walk.verified);
        }
        let is_last = first == firsts.last().unwrap_or(first);
        if !walk.segment(segments, *first, is_last, until)? {
            return Ok(walk.verified);
        }
    }
    match head {
        Err(why) => walk.breaks(why.to_string()),
        Ok(_) => walk.end(),
    }
    Ok(walk.verified)
}

/// How far it has come.
struct Walk {
    verified: Verified,
    /// The entry to begin behind, until it is found.
    from: Option<Mark>,
    head: Option<Mark>,
}

impl Walk {
    /// Goes over a segment; `false` where the chain is broken.
    fn segment(
        &mut self,
        segments: &Segments,
        first: u64,
        is_last: bool,
        until: Option<u64>,
    ) -> io::Result<bool> {
        let (mut lines, mut line) = (segments.lines(first)?, Vec::new());
        let name = Segments::name(first);
        loop {
            let offset = lines.offset;
            let place = || format!("{name} at byte {offset}");
            match lines.next(&mut line) {
                Ok(true) => {}
                Ok(false) => {
                    let torn = lines.len()? - offset;
                    if torn > 0 && !(is_last && until.is_some()) {
                        self.breaks(format!("{}: {torn} bytes that are no entry", place()));
                        return Ok(false);
                    }
                    return Ok(true);
                }
                Err(why) if why.kind() == io::ErrorKind::InvalidData => {
                    self.breaks(format!("{}: {why}", place()));
                    return Ok(false);
                }
                Err(why) => return Err(why),
            }
            if until.is_some_and(|until| chain::seq(&line).is_some_and(|seq| seq > until)) && is_last {
                return Ok(true);
            }
            if let Err(why) = self.line(&line) {
                self.breaks(format!("{}: {why}", place()));
                return Ok(false);
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let link = chain::link(line);
        if let Some(from) = self.from.take() {
            return self.begin(from, link);
        }
        let link = link.ok_or("this is no entry")?;
        let seq = link.mark.seq;
        if !link.holds {
            return Err(format!("entry {seq} was changed after it was written"));
        }
        self.follows(&link)?;
        let head = self.head.as_ref().filter(|head| head.seq == seq);
        if let Some(head) = head.filter(|head| **head != link.mark) {
            return Err(format!(
                "entry {seq} is not the one that was on disk, whose hash was {}",
                head.hash
            ));
        }
        self.go_on(link.mark, true);
        Ok(())
    }

    /// Whether a line is the next one.
    fn follows(&self, link: &Link) -> Result<(), String> {
        let seq = link.mark.seq;
        match &self.verified.last {
            Some(last) if seq > last.seq + 1 => {
                return Err(format!(
                    "entries {} to {} before this are missing",
                    last.seq + 1,
                    seq - 1
                ));
            }
            Some(last) if seq <= last.seq => {
                return Err(format!("entry {seq} comes after entry {}", last.seq));
            }
            Some(last) if link.prev != last.hash => {
                return Err(format!(
                    "entry {seq} does not follow from entry {}: one of them was put in later",
                    last.seq
                ));
            }
            None if seq == 1 && link.prev != Mark::default().hash => {
                return Err("the first entry follows from another one".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks for the entry to begin behind; what is before it is not looked at.
    fn begin(&mut self, from: Mark, link: Option<Link>) -> Result<(), String> {
        let Some(link) = link.filter(|link| link.mark.seq >= from.seq) else {
            self.from = Some(from);
            return Ok(());
        };
        let seq = link.mark.seq;
        if seq > from.seq {
            return Err(format!(
                "entry {} should come before entry {seq} and is missing",
                from.seq
            ));
        }
        if !link.holds || link.mark != from {
            return Err(format!(
                "entry {seq} is another one now: its hash is {}",
                link.mark.hash
            ));
        }
        self.go_on(link.mark, false);
        Ok(())
    }

    fn go_on(&mut self, mark: Mark, counts: bool) {
        self.verified.checked += u64::from(counts);
        self.verified.first.get_or_insert_with(|| mark.clone());
        self.verified.last = Some(mark);
    }

    /// What should be there and is not.
    fn end(&mut self) {
        if let Some(from) = &self.from {
            self.breaks(format!("entry {} is not there", from.seq));
            return;
        }
        let last = self.verified.last.as_ref().map_or(0, |last| last.seq);
        if let Some(head) = self.head.as_ref().filter(|head| head.seq > last) {
            self.breaks(format!(
                "entries {} to {} at the end are missing",
                last + 1,
                head.seq
            ));
        }
    }

    fn breaks(&mut self, why: String) {
        self.verified.broken = Some(why);
    }
}
