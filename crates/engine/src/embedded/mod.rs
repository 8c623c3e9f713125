//! The engine in one SQLite file: records and blobs of one machine, durable when acknowledged.
//!
//! One thread writes, in groups (`writer`); a few connections read beside it (`reader`). `tidelock.db` is an ordinary
//! SQLite database that `sqlite3` can look into; `schema` says what is in it, `directory` guards the place.
//!
//! Invariant: nothing in this process opens `tidelock.db` but SQLite. POSIX drops all of a process's locks on a file
//! when any of its descriptors on that file is closed.

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tidelock_core::limits::EMBEDDED_QUEUE_BATCHES_MAX;
use tokio::sync::{mpsc, oneshot};

use crate::{Batch, BlobId, Committed, Engine, EngineError, Entry, Pending};

mod directory;
mod fault;
mod query;
mod reader;
mod schema;
mod snapshot;
mod writer;

use directory::DirectoryLock;
use reader::Readers;
use snapshot::Snapshots;
use writer::{Job, Writer};

/// Records and blobs in `DIR/tidelock.db`; holds the directory for itself as long as it lives.
#[derive(Debug)]
pub struct EmbeddedEngine {
    /// `None` once closed.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// `None` once somebody waits for it to end.
    writer: Mutex<Option<JoinHandle<Writer>>>,
    readers: Readers,
    snapshots: Snapshots,
}

impl EmbeddedEngine {
    /// Opens the store in `dir`, and makes both when they are not there.
    ///
    /// Blocks on the disk. Nothing needs repair after a crash: SQLite takes up what was acknowledged from its log.
    pub fn open(dir: &Path) -> Result<EmbeddedEngine, OpenError> {
        directory::create(dir)?;
        let lock = Arc::new(DirectoryLock::take(dir)?);
        let path = directory::create_database_file(dir)?;
        let connection = schema::open(&path)?;
        let snapshots = Snapshots::new(dir, path.clone(), Arc::clone(&lock));
        let snapshots = snapshots.map_err(|source| OpenError::Io {
            doing: "remove what a crash has left of a copy in",
            path: dir.to_owned(),
            source,
        })?;
        let writer = Writer::new(connection, Arc::clone(&lock)).map_err(|source| OpenError::Database {
            path: path.clone(),
            source,
        })?;
        let (sender, queue) = mpsc::channel(EMBEDDED_QUEUE_BATCHES_MAX);
        let writer = thread::Builder::new()
            .name("engine-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| OpenError::Io {
                doing: "start the writer of",
                path: path.clone(),
                source,
            })?;
        Ok(EmbeddedEngine {
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            readers: Readers::new(path, lock),
            snapshots,
        })
    }

    /// Looks at every page, for a file that comes from elsewhere: whether SQLite finds it whole, and nothing in it that
    /// would run by itself.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] with the first thing that is wrong.
    pub async fn check(&self) -> Result<(), EngineError> {
        self.readers.run(|connection| query::check(connection)).await
    }

    /// Finishes every commit accepted so far, folds the log into the database file, and from then on
    /// answers [`EngineError::Unavailable`]. The directory stays held until the engine is dropped.
    pub async fn close(&self) {
        held(&self.queue).take();
        let writer = held(&self.writer).take();
        let stopped = tokio::task::spawn_blocking(|| writer.and_then(|thread| thread.join().ok())).await;
        self.readers.close().await;
        self.snapshots.close().await;
        // The last connection to go folds the log in, so the writer's goes after the readers'.
        let _ = tokio::task::spawn_blocking(|| drop(stopped)).await;
    }
}

impl Drop for EmbeddedEngine {
    fn drop(&mut self) {
        held(&self.queue).take();
        // Waited for, so that whoever drops the engine may open the directory again at once.
        if let Some(writer) = held(&self.writer).take() {
            let _ = writer.join();
        }
    }
}

impl Engine for EmbeddedEngine {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        Box::pin(
            self.readers
                .run_here(move |connection| Ok(query::get(connection, key)?)),
        )
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        Box::pin(
            self.readers
                .run(move |connection| Ok(query::scan(connection, &range, limit)?)),
        )
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        Box::pin(
            self.readers
                .run(move |connection| Ok(query::scan_back(connection, &range, limit)?)),
        )
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let died = "its writer died; restart the server";
            // Given back before the wait: the writer ends when nobody can send, and this caller may never look again.
            let queue = held(&self.queue).clone().ok_or_else(closed)?;
            let sent = queue.send(Job { batch, answer }).await;
            drop(queue);
            sent.map_err(|_| EngineError::Unavailable(died.to_owned()))?;
            answered
                .await
                .unwrap_or_else(|_| Err(EngineError::Uncertain(died.to_owned())))
        })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        Box::pin(
            self.readers
                .run(move |connection| query::blob(connection, &id, range)),
        )
    }

    fn snapshot(&self) -> Pending<'_, File> {
        Box::pin(self.snapshots.take())
    }
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine, nearly always another process, has the directory.
    #[error(
        "the data directory {} is in use by {}{}: stop that server, or choose another directory",
        dir.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")),
        since.map_or_else(String::new, |since| format!(" since {since:.0}")),
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, when it has said so.
        pid: Option<u32>,
        /// When it took the directory.
        since: Option<jiff::Timestamp>,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, to be followed by the path.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot open {}: {source}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A database of another program.
    #[error("{} was not made by tidelock: move it away, or choose another directory", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// Written by a newer release.
    #[error(
        "{} has format {found}, this release reads up to format {}: run the newer release that wrote it",
        path.display(),
        schema::FORMAT
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// Written by a release before the first one.
    #[error(
        "{} has format {found} of a development release, this release reads format {}: pull its states with that one \
         (terraform state pull), and push them to a new data directory",
        path.display(),
        schema::FORMAT
    )]
    Older {
        /// The database file.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// A setting that durability rests on did not take.
    #[error("{}: SQLite does not accept {setting} on this file system: choose a directory on a local disk", path.display())]
    NotDurable {
        /// The database file.
        path: PathBuf,
        /// The setting.
        setting: &'static str,
    },
}

fn closed() -> EngineError {
    EngineError::Unavailable("it is shutting down".to_owned())
}

/// Locks, whether or not somebody panicked before: every value kept here is whole at every moment.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
