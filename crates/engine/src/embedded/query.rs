//! The statements: what is read and what is written, on whichever connection is given.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{fault::Fault, schema::BLOB_CHUNK_BYTES};
use crate::{Batch, BlobId, Entry, Revision};

pub(super) fn get(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached("SELECT value, revision FROM record WHERE key = ?1")?
        .query_row([key], |row| entry(row, 0))
        .optional()
}

pub(super) fn scan(
    connection: &Connection,
    range: &Range<Vec<u8>>,
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, Entry)>> {
    let sql = "SELECT key, value, revision FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
    rows(connection, sql, range, limit)
}

pub(super) fn scan_back(
    connection: &Connection,
    range: &Range<Vec<u8>>,
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, Entry)>> {
    let sql =
        "SELECT key, value, revision FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3";
    rows(connection, sql, range, limit)
}

fn rows(
    connection: &Connection,
    sql: &str,
    range: &Range<Vec<u8>>,
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, Entry)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(sql)?
        .query_map(params![range.start, range.end, limit], |row| {
            Ok((row.get(0)?, entry(row, 1)?))
        })?
        .collect()
}

fn entry(row: &Row<'_>, first: usize) -> rusqlite::Result<Entry> {
    Ok(Entry {
        value: Bytes::from(row.get::<_, Vec<u8>>(first)?),
        revision: row.get(first + 1)?,
    })
}

/// Reads only the chunks that the range touches.
pub(super) fn blob(
    connection: &mut Connection,
    id: &BlobId,
    range: Range<u64>,
) -> Result<Option<Bytes>, Fault> {
    // One snapshot for both statements: the blob may be dropped between them.
    let snapshot = connection.transaction()?;
    let Some(size) = blob_bytes(&snapshot, id)? else {
        return Ok(None);
    };
    let end = range.end.min(size);
    if range.start >= end {
        return Ok(Some(Bytes::new()));
    }
    let chunk = BLOB_CHUNK_BYTES as u64;
    let (first, last) = (range.start / chunk, (end - 1) / chunk);
    let sql = "SELECT data FROM blob_chunk WHERE id = ?1 AND n BETWEEN ?2 AND ?3 ORDER BY n";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query(params![id, first, last])?;
    let mut bytes = Vec::with_capacity(in_memory(end - range.start)?);
    for n in first..=last {
        let offset = n * chunk;
        let part = in_memory(range.start.saturating_sub(offset))?..in_memory((end - offset).min(chunk))?;
        let row = rows.next()?.ok_or_else(|| damaged(id, "has lost a chunk"))?;
        let data: Option<&[u8]> = row.get_ref(0)?.as_blob().ok().and_then(|data| data.get(part));
        bytes.extend_from_slice(data.ok_or_else(|| damaged(id, "has a chunk that is too short"))?);
    }
    Ok(Some(Bytes::from(bytes)))
}

fn blob_bytes(connection: &Connection, id: &BlobId) -> Result<Option<u64>, Fault> {
    let sql = "SELECT n, length(data), (SELECT count(*) FROM blob_chunk WHERE id = ?1)
        FROM blob_chunk WHERE id = ?1 ORDER BY n DESC LIMIT 1";
    let last = connection
        .prepare_cached(sql)?
        .query_row([id], |row| {
            Ok((
                row.get::<_, u64>(0)?,
                row.get::<_, u64>(1)?,
                row.get::<_, u64>(2)?,
            ))
        })
        .optional()?;
    match last {
        None => Ok(None),
        // Numbered from 0 without a gap, or some are lost.
        Some((n, length, count)) if count == n + 1 => Ok(Some(n * BLOB_CHUNK_BYTES as u64 + length)),
        Some(_) => Err(damaged(id, "has lost a chunk")),
    }
}

fn in_memory(bytes: u64) -> Result<usize, Fault> {
    usize::try_from(bytes)
        .map_err(|_| Fault::Damaged(format!("a blob of {bytes} bytes does not fit into memory")))
}

fn damaged(id: &BlobId, what: &str) -> Fault {
    Fault::Damaged(format!("blob {:032x} {what}", u128::from_be_bytes(*id)))
}

/// Whether every check of the batch holds.
pub(super) fn holds(connection: &Connection, batch: &Batch) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT revision FROM record WHERE key = ?1")?;
    for (key, expect) in &batch.checks {
        let revision = statement.query_row([key], |row| row.get(0)).optional()?;
        if !expect.is_met_by(revision) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes what the batch says, without looking at its checks.
pub(super) fn apply(connection: &Connection, batch: &Batch, revision: Revision) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT INTO record (key, value, revision) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision",
    )?;
    for (key, value) in &batch.puts {
        put.execute(params![key, &value[..], revision])?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM record WHERE key = ?1")?;
    for key in &batch.deletes {
        delete.execute([key])?;
    }
    let mut put_chunk =
        connection.prepare_cached("INSERT INTO blob_chunk (id, n, data) VALUES (?1, ?2, ?3)")?;
    for (id, bytes) in &batch.put_blobs {
        // An empty blob has no chunk of its own accord.
        let chunks = bytes
            .chunks(BLOB_CHUNK_BYTES)
            .chain(bytes.is_empty().then_some(&[][..]));
        for (n, data) in chunks.enumerate() {
            put_chunk.execute(params![id, n, data])?;
        }
    }
    let mut drop_blob = connection.prepare_cached("DELETE FROM blob_chunk WHERE id = ?1")?;
    for id in &batch.drop_blobs {
        drop_blob.execute([id])?;
    }
    Ok(())
}

/// Whether the file is whole, and has tables and indexes only.
pub(super) fn check(connection: &Connection) -> Result<(), Fault> {
    let sql = "SELECT type || ' ' || name FROM sqlite_schema WHERE type NOT IN ('table', 'index')";
    let foreign: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    if let Some(foreign) = foreign {
        return Err(Fault::Damaged(format!(
            "it holds the {foreign}, which is not ours"
        )));
    }
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(Fault::Damaged(found)),
    }
}

pub(super) fn last_revision(connection: &Connection) -> rusqlite::Result<Revision> {
    connection.query_row("SELECT value FROM meta WHERE name = 'last_revision'", [], |row| {
        row.get(0)
    })
}

pub(super) fn set_last_revision(connection: &Connection, revision: Revision) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'last_revision'")?;
    statement.execute([revision]).map(|_| ())
}
