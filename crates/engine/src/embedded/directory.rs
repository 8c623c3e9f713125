//! The data directory: made private to its owner, and held by one process at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::OpenError;

const LOCK_FILE: &str = "tidelock.lock";
const DATABASE_FILE: &str = "tidelock.db";

/// The right to a data directory. The operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread is just starting holds a copy of it until its
        // exec, and with the copy the lock. Unlocking ends it for all copies; where that fails, the close still comes.
        let _ = self.file.unlock();
    }
}

impl DirectoryLock {
    pub(super) fn take(dir: &Path) -> Result<DirectoryLock, OpenError> {
        let path = dir.join(LOCK_FILE);
        let failed = |source| OpenError::Io {
            doing: "lock",
            path: path.clone(),
            source,
        };
        let mut file = private_file(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, file)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        sign(&mut file).map_err(failed)?;
        Ok(DirectoryLock { file })
    }
}

/// Leaves the process id for whoever is refused; the file's time of change says since when.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, file: File) -> OpenError {
    let since = file.metadata().and_then(|meta| meta.modified()).ok();
    let mut text = String::new();
    let pid = file
        .take(32)
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| text.trim().parse().ok());
    OpenError::InUse {
        dir: dir.to_owned(),
        pid,
        since: since.and_then(|time| jiff::Timestamp::try_from(time).ok()),
    }
}

/// Makes the directory, for its owner alone, unless it is there.
pub(super) fn create(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    let failed = |source| OpenError::Io {
        doing: "make the data directory",
        path: dir.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed)?;
    // The new name is on disk only when its parent is.
    let dir = fs::canonicalize(dir).map_err(failed)?;
    dir.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        .map_err(failed)
}

/// Makes the database file, for its owner alone, unless it is there. SQLite gives its log the same mode.
pub(super) fn create_database_file(dir: &Path) -> Result<PathBuf, OpenError> {
    let path = dir.join(DATABASE_FILE);
    match private_file(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(OpenError::Io {
            doing: "open",
            path,
            source,
        }),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
