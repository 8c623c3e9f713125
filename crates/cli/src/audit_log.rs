//! The audit log in the data directory: one writer, any number of readers, and what is handed on to a collector.
//!
//! An entry is written before its request is answered, and synced within a second. While it cannot be written, nothing is done.

pub(crate) mod chain;
mod collector;
mod open;
pub(crate) mod reader;
pub(crate) mod segments;
#[cfg(test)]
mod tests;
pub(crate) mod verify;
mod writer;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use tidelock_core::limits::{
    AUDIT_COLLECTOR_STOP_MS, AUDIT_FOLLOW_BEAT_MS, AUDIT_FOLLOW_MS, AUDIT_SEGMENT_BYTES,
};
use tidelock_doors::audit::{Audit, AuditError, Entry, Mark, Verified, Wanted};
use tidelock_service::{Happening, Witness};
use tokio::{
    sync::{oneshot, watch},
    task, time,
};

pub(crate) use collector::Collector;
pub(crate) use open::note_of;
use reader::Reader;
use segments::Segments;
use writer::{Job, Writer};

/// The log of a running server.
pub(crate) struct AuditLog {
    segments: Segments,
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    tasks: Mutex<Option<Tasks>>,
}

/// What ends with the log.
struct Tasks {
    writer: JoinHandle<()>,
    collector: Option<oneshot::Receiver<()>>,
}

/// What the writer tells everybody.
struct Shared {
    /// The last entry that is written.
    head: watch::Sender<u64>,
    /// Whether readers are to end.
    closed: watch::Sender<bool>,
    /// Whether there will be no more entries.
    ended: watch::Sender<bool>,
    is_failing: AtomicBool,
    why: Mutex<Option<AuditError>>,
    /// Requests that were refused while nothing could be written.
    refused: AtomicU64,
}

impl AuditLog {
    /// Goes on with the log of a data directory, which no other program has open.
    pub(crate) fn open(data: &Path, collector: Option<Collector>) -> io::Result<AuditLog> {
        AuditLog::with_segments_of(AUDIT_SEGMENT_BYTES, data, collector)
    }

    fn with_segments_of(bytes: u64, data: &Path, collector: Option<Collector>) -> io::Result<AuditLog> {
        let segments = Segments::of(data);
        let end = open::find_end(&segments)?;
        for note in &end.notes {
            tracing::error!(what = note.operation, "audit log: {}", note.note);
        }
        let after = end.last.seq;
        let shared = Arc::new(Shared::at(after));
        let writer = Writer::new(segments.clone(), shared.clone(), end, bytes);
        let (jobs, todo) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&todo))?;
        let collector = collector
            .map(|to| collector::start(to, segments.clone(), after, shared.clone()))
            .transpose()?;
        let log = AuditLog {
            segments,
            jobs,
            shared,
            tasks: Mutex::new(Some(Tasks { writer, collector })),
        };
        drop(log.record(note_of(
            "ServerStarted",
            format!("tidelock {}", env!("CARGO_PKG_VERSION")),
        )));
        Ok(log)
    }

    /// Ends those who follow, so that a stop needs not wait for them.
    pub(crate) fn stop_following(&self) {
        self.shared.closed.send_replace(true);
    }

    /// Writes and syncs what is left.
    pub(crate) async fn close(&self) {
        self.stop_following();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tasks) = tasks else { return };
        drop(self.record(note_of("ServerStopped", String::new())));
        // A writer that is gone has ended already.
        let _ = self.jobs.send(Job::Stop);
        let _ = task::spawn_blocking(move || tasks.writer.join()).await;
        self.shared.ended.send_replace(true);
        if let Some(collector) = tasks.collector {
            // One that takes nothing must not keep the server from stopping; what it has not taken is in the log.
            let _ = time::timeout(Duration::from_millis(AUDIT_COLLECTOR_STOP_MS), collector).await;
        }
    }
}

/// Adds an entry to the log of a data directory that no server has open.
pub(crate) fn append(data: &Path, entry: Entry) -> io::Result<()> {
    let segments = Segments::of(data);
    let mut end = open::find_end(&segments)?;
    end.notes.push(entry);
    let shared = Arc::new(Shared::at(end.last.seq));
    Writer::new(segments, shared, end, AUDIT_SEGMENT_BYTES).write_and_sync()
}

impl Audit for AuditLog {
    fn ready(&self) -> Result<(), AuditError> {
        if !self.shared.is_failing.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        self.shared.why().clone().map_or(Ok(()), Err)
    }

    fn record(&self, entry: Entry) -> BoxFuture<'static, Result<(), AuditError>> {
        let (tell, told) = oneshot::channel();
        let sent = self.jobs.send(Job::Write(Box::new(entry), tell));
        async move {
            let gone = || AuditError("cannot be written: it is closed".to_owned());
            sent.map_err(|_| gone())?;
            told.await.unwrap_or_else(|_| Err(gone()))
        }
        .boxed()
    }

    fn read(&self, wanted: Wanted) -> BoxStream<'static, Result<Bytes, AuditError>> {
        let follow = wanted.follow;
        let following = Following {
            segments: self.segments.clone(),
            head: self.shared.head.subscribe(),
            closed: self.shared.closed.subscribe(),
            ends: follow.then(|| Instant::now() + Duration::from_millis(AUDIT_FOLLOW_MS)),
            next: Next::Begin(wanted),
        };
        stream::unfold(following, Following::step).boxed()
    }

    fn verify(&self, from: Option<Mark>) -> BoxFuture<'static, Result<Verified, AuditError>> {
        let (segments, until) = (self.segments.clone(), *self.shared.head.borrow());
        let verifying = task::spawn_blocking(move || verify::verify(&segments, from.as_ref(), Some(until)));
        verifying
            .map(|done| done.map_err(io::Error::other).flatten().map_err(unread))
            .boxed()
    }
}

impl Witness for AuditLog {
    fn saw(&self, happening: Happening) {
        let entry = Entry {
            address: happening.address.to_string(),
            ..note_of(happening.what, happening.note)
        };
        // It is done; that it cannot be written is known to whoever asks next.
        drop(self.record(entry));
    }
}

fn unread(why: io::Error) -> AuditError {
    AuditError(format!("cannot be read: {why}"))
}

impl Shared {
    fn at(head: u64) -> Shared {
        Shared {
            head: watch::Sender::new(head),
            closed: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            is_failing: AtomicBool::new(false),
            why: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    fn why(&self) -> std::sync::MutexGuard<'_, Option<AuditError>> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing can be written.
    fn close(&self, why: &AuditError) {
        *self.why() = Some(why.clone());
        self.is_failing.store(true, Ordering::Relaxed);
    }

    /// It can again; answers how many were refused meanwhile.
    fn open(&self) -> u64 {
        self.is_failing.store(false, Ordering::Relaxed);
        *self.why() = None;
        self.refused.swap(0, Ordering::Relaxed)
    }
}

/// Somebody who reads, and may wait for more.
struct Following {
    segments: Segments,
    head: watch::Receiver<u64>,
    closed: watch::Receiver<bool>,
    /// When whoever follows has to ask again; `None` for who does not.
    ends: Option<Instant>,
    next: Next,
}

enum Next {
    Begin(Wanted),
    Read(Box<Reader>),
    Wait(Box<Reader>),
    End,
}

impl Following {
    async fn step(mut self) -> Option<(Result<Bytes, AuditError>, Following)> {
        loop {
            let next = std::mem::replace(&mut self.next, Next::End);
            let reader = match next {
                Next::End => return None,
                Next::Wait(reader) => match self.wait().await {
                    Woken::Entry => Next::Read(reader),
                    // A client that is gone is found out by what it does not take.
                    Woken::Pause => {
                        self.next = Next::Wait(reader);
                        return Some((Ok(Bytes::from_static(b"\n")), self));
                    }
                    Woken::End => return None,
                },
                next => next,
            };
            self.head.borrow_and_update();
            let segments = self.segments.clone();
            let read = task::spawn_blocking(move || {
                let mut reader = match reader {
                    Next::Begin(wanted) => Box::new(Reader::new(segments, wanted)?),
                    Next::Read(reader) | Next::Wait(reader) => reader,
                    Next::End => return Err(io::Error::other("nothing to read")),
                };
                reader.next().map(|piece| (piece, reader))
            });
            let (piece, reader) = match read.await.map_err(io::Error::other).flatten() {
                Ok(read) => read,
                Err(why) => return Some((Err(unread(why)), self)),
            };
            self.next = match (piece.is_end, self.ends) {
                (false, _) => Next::Read(reader),
                (true, Some(_)) => Next::Wait(reader),
                (true, None) => Next::End,
            };
            if !piece.lines.is_empty() {
                return Some((Ok(piece.lines), self));
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let ends = self.ends.unwrap_or_else(Instant::now);
        tokio::select! {
            _ = self.closed.wait_for(|closed| *closed) => Woken::End,
            () = time::sleep_until(ends.into()) => Woken::End,
            changed = self.head.changed() => if changed.is_ok() { Woken::Entry } else { Woken::End },
            () = time::sleep(Duration::from_millis(AUDIT_FOLLOW_BEAT_MS)) => Woken::Pause,
        }
    }
}

enum Woken {
    Entry,
    Pause,
    End,
}
