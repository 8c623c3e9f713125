//! What SQLite's errors mean for the caller of an engine.

use rusqlite::{ErrorCode, ffi};

use crate::EngineError;

/// A read, or a batch before its commit, that failed: nothing has happened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite's own.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What was read cannot be what was written.
    #[error("{0}")]
    Damaged(String),
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> EngineError {
        match fault {
            Fault::Sqlite(error) => nothing_happened(&error),
            Fault::Damaged(what) => EngineError::Corrupt(what),
        }
    }
}

/// The answer when the transaction did not get as far as its commit, or only read.
pub(super) fn nothing_happened(error: &rusqlite::Error) -> EngineError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => EngineError::Corrupt(error.to_string()),
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                EngineError::Corrupt(error.to_string())
            }
            Some(ErrorCode::DiskFull) => {
                EngineError::Unavailable("the disk is full; free some space".to_owned())
            }
            _ => EngineError::Unavailable(error.to_string()),
        },
    }
}

/// Whether the disk failed to sync. What it then holds is unknown, also of what was written earlier, and asking
/// again may well "succeed" because the system has dropped the pages that it could not write.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

pub(super) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
