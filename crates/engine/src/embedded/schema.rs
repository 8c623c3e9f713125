//! What is in `tidelock.db`, and how every connection to it is set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tidelock_core::limits::{EMBEDDED_BUSY_MS, EMBEDDED_CACHE_KIB, EMBEDDED_WAL_KEPT_BYTES};

use super::OpenError;

/// Grows with every change that an older release could not read or would write wrongly.
pub(super) const FORMAT: u64 = 2;

/// Size of every chunk of a blob but its last. Part of the format: another size is another format.
pub(super) const BLOB_CHUNK_BYTES: usize = 1024 * 1024;

/// "TIDE" in SQLite's header, where `file` and others look for the owner of a database.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"TIDE");

/// A blob is its chunks, numbered from 0; an empty blob is one empty chunk.
///
/// Records and chunks have row ids: without them every step of a search would read whole values, since SQLite compares
/// whole cells and keeps little of a cell in the tree (a record of 1.5 KB is read in 11 µs so and in 31 µs without).
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT;
    CREATE TABLE blob_chunk (
        id BLOB NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (id, n)
    ) STRICT;
    INSERT INTO meta (name, value) VALUES ('last_revision', 0);
";

/// The writer's connection, with the tables there and known to be ours.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| refused(path, source);
    let mut connection = connect(path).map_err(failed)?;
    prepare_file(&mut connection, path)?;
    let wal: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(failed)?;
    if wal != "wal" {
        return Err(OpenError::NotDurable {
            path: path.to_owned(),
            setting: "journal_mode=WAL",
        });
    }
    // Anything less loses acknowledged commits on power loss.
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(failed)?;
    if synchronous != 2 {
        return Err(OpenError::NotDurable {
            path: path.to_owned(),
            setting: "synchronous=FULL",
        });
    }
    connection
        .pragma_update(None, "journal_size_limit", EMBEDDED_WAL_KEPT_BYTES)
        .map_err(failed)?;
    Ok(connection)
}

/// A connection beside the writer's, which cannot write.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that waits for others and keeps little in memory.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_millis(EMBEDDED_BUSY_MS))?;
    // Negative is SQLite's way of saying KiB; positive would be pages.
    connection.execute_batch(&format!("PRAGMA cache_size = -{EMBEDDED_CACHE_KIB}"))?;
    Ok(connection)
}

fn prepare_file(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| refused(path, source);
    let owner: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(failed)?;
    let is_empty: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if owner == 0 && is_empty {
        return create(connection).map_err(failed);
    }
    if owner != APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    let found = connection
        .query_row("SELECT value FROM meta WHERE name = 'format'", [], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    let path = path.to_owned();
    match found {
        ..FORMAT => Err(OpenError::Older { path, found }),
        FORMAT => Ok(()),
        _ => Err(OpenError::Newer { path, found }),
    }
}

/// All in one transaction: a crash here leaves an empty file, which the next start takes for a new one.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO meta (name, value) VALUES ('format', ?1)", [FORMAT])?;
    transaction.commit()
}

fn refused(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { path },
        _ => OpenError::Database { path, source },
    }
}
