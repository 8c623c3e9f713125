//! The one file of the embedded engine: what is in it, how it survives, and how the engine ends.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;
use tidelock_core::limits::{EMBEDDED_QUEUE_BATCHES_MAX, EMBEDDED_WAL_KEPT_BYTES};
use tidelock_engine::{Batch, Committed, EmbeddedEngine, Engine, EngineError};
use tokio::time::timeout;

pub fn open(dir: &Path) -> EmbeddedEngine {
    EmbeddedEngine::open(dir).unwrap()
}

pub fn put(key: &str, value: &str) -> Batch {
    Batch {
        puts: vec![(key.into(), Bytes::from(value.to_owned()))],
        ..Batch::default()
    }
}

/// Opens the database as an operator with `sqlite3` would.
pub fn sqlite(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join("tidelock.db")).unwrap()
}

#[test]
fn the_file_says_with_ordinary_tools_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let blob = Bytes::from(vec![7; 1024 * 1024 + 1]);
    let batch = Batch {
        put_blobs: vec![(*b"0123456789abcdef", blob)],
        ..put("k", "v")
    };
    runtime.block_on(open(dir.path()).commit(batch)).unwrap();
    let database = sqlite(&dir);
    let text = |sql: &str| {
        database
            .query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(
        text("SELECT CAST(key AS TEXT) || '=' || CAST(value AS TEXT) || '@' || revision FROM record"),
        "k=v@1"
    );
    assert_eq!(
        text("SELECT group_concat(name || '=' || value) FROM meta"),
        "format=2,last_revision=1"
    );
    assert_eq!(
        text("SELECT group_concat(n || ':' || length(data)) FROM blob_chunk"),
        "0:1048576,1:1"
    );
    assert_eq!(text("PRAGMA integrity_check"), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_is_queued_and_leaves_one_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(dir.path()));
    let commit = |n: u32| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { (n, engine.commit(put(&format!("{n:03}"), "v")).await) })
    };
    let commits: Vec<_> = (0..200).map(commit).collect();
    // Some are answered before the end, most are not.
    engine.commit(put("b", "v")).await.unwrap();
    engine.close().await;
    assert!(
        !dir.path().join("tidelock.db-wal").exists(),
        "the log is folded into the file"
    );
    let mut acknowledged = vec![];
    for commit in commits {
        match commit.await.unwrap() {
            (n, Ok(Committed::Done(_))) => acknowledged.push(format!("{n:03}").into_bytes()),
            (_, Err(EngineError::Unavailable(_))) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
    drop(engine);
    let found = open(dir.path())
        .scan(Vec::new()..b"a".to_vec(), 999)
        .await
        .unwrap();
    assert_eq!(
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
        acknowledged
    );
}

#[tokio::test]
async fn after_closing_nothing_is_available() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.commit(put("before", "v")).await.unwrap();
    engine.close().await;
    engine.close().await;
    let refused = engine.commit(put("after", "v")).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    assert!(matches!(
        engine.get(b"before").await,
        Err(EngineError::Unavailable(_))
    ));
    drop(engine);
    let engine = open(dir.path());
    assert!(engine.get(b"before").await.unwrap().is_some());
    assert!(engine.get(b"after").await.unwrap().is_none());
}

#[tokio::test]
async fn closing_does_not_wait_for_a_caller_that_never_looks_at_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let mut commit = engine.commit(put("k", "v"));
    // Polled once, and then not again before the engine is closed.
    let early = timeout(Duration::ZERO, &mut commit).await;
    timeout(Duration::from_secs(10), engine.close()).await.unwrap();
    // On a busy machine the writer is now and then faster than that one poll.
    let answer = match early {
        Ok(answer) => answer,
        Err(_) => commit.await,
    };
    assert_eq!(answer.unwrap(), Committed::Done(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_callers_than_places_in_the_queue_all_get_their_answer() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(dir.path()));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..3 * EMBEDDED_QUEUE_BATCHES_MAX {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move { engine.commit(put(&n.to_string(), "v")).await.unwrap() });
    }
    assert!(
        tasks
            .join_all()
            .await
            .iter()
            .all(|outcome| *outcome != Committed::Conflict)
    );
}

#[tokio::test]
async fn revisions_go_on_after_a_restart_even_when_everything_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.commit(put("k", "v")).await.unwrap();
    engine
        .commit(Batch {
            deletes: vec![b"k".to_vec()],
            ..Batch::default()
        })
        .await
        .unwrap();
    drop(engine);
    assert_eq!(
        open(dir.path()).commit(put("k", "v")).await.unwrap(),
        Committed::Done(3)
    );
}

#[tokio::test]
async fn the_log_is_cut_back_after_a_large_blob() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let blob = Bytes::from(vec![7; 64 * 1024 * 1024]);
    engine
        .commit(Batch {
            put_blobs: vec![([1; 16], blob)],
            ..Batch::default()
        })
        .await
        .unwrap();
    engine.commit(put("k", "v")).await.unwrap();
    let log = fs::metadata(dir.path().join("tidelock.db-wal")).unwrap().len();
    assert!(log <= EMBEDDED_WAL_KEPT_BYTES as u64, "{log}");
}

#[tokio::test]
async fn a_lost_chunk_is_reported_as_damage_and_not_as_a_shorter_blob() {
    let dir = tempfile::tempdir().unwrap();
    let blob = Bytes::from(vec![7; 3 * 1024 * 1024]);
    let batch = Batch {
        put_blobs: vec![([1; 16], blob)],
        ..Batch::default()
    };
    open(dir.path()).commit(batch).await.unwrap();
    sqlite(&dir)
        .execute("DELETE FROM blob_chunk WHERE n = 1", [])
        .unwrap();
    let engine = open(dir.path());
    let read = engine.blob([1; 16], 0..u64::MAX).await;
    assert!(
        matches!(&read, Err(EngineError::Corrupt(what)) if what.contains("lost a chunk")),
        "{read:?}"
    );
}

#[tokio::test]
async fn a_page_of_rubbish_is_reported_as_damage() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let pair = |n| (format!("{n:03}").into_bytes(), Bytes::from(vec![7; 100]));
    engine
        .commit(Batch {
            puts: (0..500).map(pair).collect(),
            ..Batch::default()
        })
        .await
        .unwrap();
    drop(engine);
    let path = dir.path().join("tidelock.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = 4096;
    // Behind the first page of each table: leaves.
    bytes[6 * page..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let read = open(dir.path()).scan(Vec::new()..b"9".to_vec(), 999).await;
    assert!(matches!(read, Err(EngineError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn what_a_crash_left_of_a_copy_is_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    for name in ["tidelock.snapshot", "tidelock.snapshot-journal"] {
        fs::write(dir.path().join(name), "half").unwrap();
    }
    let engine = open(dir.path());
    engine.snapshot().await.unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.retain(|name| name.to_string_lossy().contains("snapshot"));
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn after_closing_no_copy_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.close().await;
    let refused = engine.snapshot().await;
    assert!(
        matches!(&refused, Err(EngineError::Unavailable(why)) if why.contains("shutting down")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_copy_holds_nothing_of_what_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.commit(put("k", "v")).await.unwrap();
    let batch = Batch {
        put_blobs: vec![([1; 16], Bytes::from(vec![0x5e; 8 * 1024 * 1024]))],
        ..Batch::default()
    };
    engine.commit(batch).await.unwrap();
    let batch = Batch {
        drop_blobs: vec![[1; 16]],
        ..Batch::default()
    };
    engine.commit(batch).await.unwrap();
    let size = engine.snapshot().await.unwrap().metadata().unwrap().len();
    assert!(size < 100_000, "{size}");
}

#[tokio::test]
async fn a_file_from_elsewhere_may_hold_nothing_that_runs_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).check().await.unwrap();
    let trigger = "CREATE TRIGGER bad AFTER INSERT ON record BEGIN DELETE FROM record; END";
    sqlite(&dir).execute_batch(trigger).unwrap();
    let refused = open(dir.path()).check().await;
    assert!(
        matches!(&refused, Err(EngineError::Corrupt(why)) if why.contains("trigger bad")),
        "{refused:?}"
    );
}
