//! A copy of the whole database as of one moment, made beside the writer and the readers.
//!
//! `VACUUM INTO` reads in one transaction, which in WAL mode keeps no commit waiting; meanwhile the log grows by what is
//! committed. What it writes is the smallest database of the same content, without what was deleted.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::ErrorCode;
use tokio::{sync::Semaphore, task};

use super::{closed, directory::DirectoryLock, fault::nothing_happened, schema};
use crate::EngineError;

const FILE: &str = "tidelock.snapshot";

/// What SQLite may keep beside a file that it writes.
const COMPANIONS: [&str; 2] = [FILE, "tidelock.snapshot-journal"];

/// How often the copying looks whether it is still wanted, in steps of SQLite's machine: a row takes a handful.
const STEPS_BETWEEN_LOOKS: i32 = 100;

/// Makes copies, one at a time.
#[derive(Debug)]
pub(super) struct Snapshots {
    dir: PathBuf,
    database: PathBuf,
    turn: Arc<Semaphore>,
    closing: Arc<AtomicBool>,
    /// A copy may outlive the engine when its caller went away: the directory stays held until it is done.
    lock: Arc<DirectoryLock>,
}

/// Ends a copy whose caller has gone away.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Snapshots {
    /// For the database of a directory that is held; removes what a crash has left of an earlier copy.
    pub(super) fn new(dir: &Path, database: PathBuf, lock: Arc<DirectoryLock>) -> io::Result<Snapshots> {
        remove(dir)?;
        Ok(Snapshots {
            dir: dir.to_owned(),
            database,
            turn: Arc::new(Semaphore::new(1)),
            closing: Arc::default(),
            lock,
        })
    }

    /// The copy, as a file that no longer has a name.
    pub(super) async fn take(&self) -> Result<File, EngineError> {
        if self.turn.is_closed() {
            return Err(closed());
        }
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| {
            EngineError::Unavailable("another copy is being made; wait for it to end".to_owned())
        })?;
        // Whoever waits for the copy has the turn until it is told, also when the copying is done before that.
        let turn = Arc::new(turn);
        let held = Arc::clone(&turn);
        let wanted = Wanted(Arc::new(AtomicBool::new(true)));
        let (is_wanted, closing) = (Arc::clone(&wanted.0), Arc::clone(&self.closing));
        let stop = move || !is_wanted.load(Ordering::Relaxed) || closing.load(Ordering::Relaxed);
        let (dir, database, lock) = (self.dir.clone(), self.database.clone(), Arc::clone(&self.lock));
        let copied = task::spawn_blocking(move || {
            let copied = copy(&dir, &database, stop);
            drop((held, lock));
            copied
        });
        let copied = copied.await;
        drop((wanted, turn));
        copied.unwrap_or_else(|error| {
            let why = format!("a copy did not finish: {error}");
            Err(EngineError::Unavailable(why))
        })
    }

    /// Breaks off the copy under way and refuses every later one.
    pub(super) async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let last = self.turn.acquire().await;
        self.turn.close();
        drop(last);
    }
}

fn copy(
    dir: &Path,
    database: &Path,
    stop: impl FnMut() -> bool + Send + 'static,
) -> Result<File, EngineError> {
    let path = dir.join(FILE);
    let copied = write(&path, database, stop);
    // Whoever has the file open reads on, and a crash leaves nothing behind.
    remove(dir).map_err(|fault| unavailable("remove the name of", &path, &fault))?;
    copied
}

fn write(
    path: &Path,
    database: &Path,
    stop: impl FnMut() -> bool + Send + 'static,
) -> Result<File, EngineError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    // SQLite takes an empty file for a new one, and its mode stays.
    let file = options
        .open(path)
        .map_err(|fault| unavailable("make", path, &fault))?;
    let name = path.to_str().ok_or_else(|| {
        EngineError::Unavailable(format!(
            "the name of the data directory is not UTF-8: {}",
            path.display()
        ))
    })?;
    let mut connection = schema::connect(database).map_err(|error| nothing_happened(&error))?;
    connection
        .progress_handler(STEPS_BETWEEN_LOOKS, Some(stop))
        .map_err(|error| nothing_happened(&error))?;
    match connection.execute("VACUUM INTO ?1", [name]) {
        Ok(_) => Ok(file),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Err(closed()),
        Err(error) => Err(nothing_happened(&error)),
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    for name in COMPANIONS {
        match fs::remove_file(dir.join(name)) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    Ok(())
}

fn unavailable(doing: &str, path: &Path, fault: &io::Error) -> EngineError {
    EngineError::Unavailable(format!("cannot {doing} {}: {fault}", path.display()))
}
