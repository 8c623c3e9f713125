//! The one thread that writes the log: whatever came while the last piece was written goes into the next.

use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tidelock_core::limits::{AUDIT_PIECE_ENTRIES_MAX, AUDIT_RETRY_MS, AUDIT_SYNC_MS};
use tidelock_doors::audit::{AuditError, Entry, Mark};
use tidelock_service::World;
use tokio::sync::oneshot;

use super::{
    Shared, chain,
    open::{self, End, note_of},
    segments::Segments,
};
use crate::world::Machine;

/// What a line takes as a rule, so that a piece is rarely moved to a larger place while it grows.
const LINE_BYTES_USUAL: usize = 1_024;

/// What the writer is told.
pub(super) enum Job {
    /// An entry, and whom to tell when it is written.
    Write(Box<Entry>, oneshot::Sender<Result<(), AuditError>>),
    /// To end.
    Stop,
}

/// The log's end, and what has not got there yet.
pub(super) struct Writer {
    segments: Segments,
    shared: Arc<Shared>,
    last: Mark,
    /// The size at which a segment is closed.
    segment_bytes: u64,
    /// The segment that is written to, by its first entry; `None` for one that is still to be made.
    segment: Option<u64>,
    file: Option<File>,
    /// The bytes of the segment that are whole lines.
    len: u64,
    /// Since when something is written and not synced.
    unsynced: Option<Instant>,
    /// What could not be written.
    kept: Vec<Entry>,
    failing_since: Option<Instant>,
}

impl Writer {
    /// A writer that goes on at `end`.
    pub(super) fn new(segments: Segments, shared: Arc<Shared>, end: End, segment_bytes: u64) -> Writer {
        Writer {
            segments,
            shared,
            last: end.last,
            segment_bytes,
            segment: end.segment.map(|(first, _)| first),
            file: None,
            len: end.segment.map_or(0, |(_, len)| len),
            unsynced: None,
            kept: end.notes,
            failing_since: None,
        }
    }

    /// Writes what there is to say of the end, and no more.
    pub(super) fn write_and_sync(mut self) -> io::Result<()> {
        self.write()?;
        self.sync_now()
    }

    /// Writes until it is told to stop.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut going = true;
        while going {
            let first = self.next(jobs);
            going = !matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut told = Vec::new();
            for job in first
                .into_iter()
                .chain(jobs.try_iter().take(AUDIT_PIECE_ENTRIES_MAX))
            {
                match job {
                    Job::Write(entry, tell) => {
                        self.kept.push(*entry);
                        told.push(tell);
                    }
                    Job::Stop => going = false,
                }
            }
            let written = self.write().map_err(|why| self.fail(&why));
            for tell in told {
                // Who has gone away needs not be told.
                let _ = tell.send(written.clone());
            }
            if written.is_ok() && (!going || self.is_sync_due()) {
                self.sync();
            }
        }
        if !self.kept.is_empty() {
            tracing::error!(
                entries = self.kept.len(),
                "entries of the audit log are lost: it cannot be written"
            );
        }
    }

    /// The next job; none where there is something else to do first.
    fn next(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        let wait = match (self.failing_since, self.kept.is_empty(), self.unsynced) {
            (Some(_), _, _) => Duration::from_millis(AUDIT_RETRY_MS),
            (None, false, _) => Duration::ZERO,
            (None, true, Some(since)) => sync_pause().saturating_sub(since.elapsed()),
            (None, true, None) => return jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        jobs.recv_timeout(wait)
    }

    /// Who has failed once has to show more than that it can write.
    fn is_sync_due(&self) -> bool {
        self.failing_since.is_some() || self.unsynced.is_some_and(|since| since.elapsed() >= sync_pause())
    }

    /// Writes what there is.
    fn write(&mut self) -> io::Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        if self.len >= self.segment_bytes {
            self.sync_now()?;
            self.begin_segment();
        }
        let mut last = self.last.clone();
        let mut lines = Vec::with_capacity(self.kept.len() * LINE_BYTES_USUAL);
        for entry in &mut self.kept {
            if entry.time_ms == 0 {
                entry.time_ms = Machine.now().0;
            }
            chain::seal(entry, &mut last, &mut lines);
        }
        self.file()?.write_all(&lines)?;
        self.len += lines.len() as u64;
        self.last = last;
        self.kept.clear();
        self.unsynced.get_or_insert_with(Instant::now);
        self.shared.head.send_replace(self.last.seq);
        Ok(())
    }

    fn begin_segment(&mut self) {
        (self.segment, self.file, self.len) = (None, None, 0);
    }

    /// The segment to write to; a new one is named by the entry that comes next.
    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let mut file = self.open()?;
            let len = file.metadata()?.len();
            if len < self.len {
                // Somebody has cut it off. What is gone stays to be seen, and the log goes on elsewhere.
                self.begin_segment();
                file = self.open()?;
            } else if len > self.len {
                // What a failed write has left must not stay before the next line.
                file.set_len(self.len)?;
            }
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("no segment"))
    }

    fn open(&mut self) -> io::Result<File> {
        self.segments
            .append(*self.segment.get_or_insert(self.last.seq + 1))
    }

    fn sync(&mut self) {
        match self.sync_now() {
            Ok(()) => self.recover(),
            Err(why) => drop(self.fail(&why)),
        }
    }

    /// Puts on disk what is written, and writes down how far that is.
    fn sync_now(&mut self) -> io::Result<()> {
        if self.unsynced.is_some() {
            self.file()?.sync_data()?;
            open::set_head(&self.segments, &self.last)?;
            self.unsynced = None;
        }
        Ok(())
    }

    /// Nothing is done any more until it can be written again.
    fn fail(&mut self, why: &io::Error) -> AuditError {
        let error = AuditError(format!("cannot be written: {why}"));
        if self.failing_since.is_none() {
            self.failing_since = Some(Instant::now());
            tracing::error!(%why, "the audit log cannot be written: every request is refused until it can be");
        }
        self.shared.close(&error);
        // Whatever is wrong with it, it is opened anew.
        self.file = None;
        error
    }

    /// It can be written again.
    fn recover(&mut self) {
        let Some(since) = self.failing_since.take() else {
            return;
        };
        let refused = self.shared.open();
        let for_s = since.elapsed().as_secs();
        tracing::warn!(for_s, refused, "the audit log can be written again");
        let note =
            format!("could not be written for {for_s} s; {refused} requests were refused and left no entry");
        self.kept.push(note_of("AuditResumed", note));
    }
}

fn sync_pause() -> Duration {
    Duration::from_millis(AUDIT_SYNC_MS)
}
