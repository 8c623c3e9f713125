//! Groups one by one, on a writer without its thread, with the failures that a disk has.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::{Job, Writer, collect};
use crate::{
    Batch, BlobId, Committed, EngineError, Expect,
    embedded::{directory, directory::DirectoryLock, query, schema},
};

type Answer = oneshot::Receiver<Result<Committed, EngineError>>;

fn writer() -> (Writer, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let lock = DirectoryLock::take(dir.path()).unwrap();
    let path = directory::create_database_file(dir.path()).unwrap();
    (
        Writer::new(schema::open(&path).unwrap(), lock.into()).unwrap(),
        dir,
    )
}

fn job(batch: Batch) -> (Job, Answer) {
    let (answer, answered) = oneshot::channel();
    (Job { batch, answer }, answered)
}

fn serve(writer: &mut Writer, batches: Vec<Batch>) -> Vec<Result<Committed, EngineError>> {
    let (jobs, answers): (Vec<Job>, Vec<Answer>) = batches.into_iter().map(job).unzip();
    writer.serve(jobs);
    answers
        .into_iter()
        .map(|answer| answer.blocking_recv().unwrap())
        .collect()
}

fn put(key: &[u8]) -> Batch {
    Batch {
        puts: vec![(key.to_vec(), Bytes::from_static(b"v"))],
        ..Batch::default()
    }
}

fn put_blob(id: BlobId, bytes: usize) -> Batch {
    Batch {
        put_blobs: vec![(id, vec![7; bytes].into())],
        ..Batch::default()
    }
}

#[test]
fn each_batch_of_a_group_is_judged_after_those_before_it() {
    let (mut writer, _dir) = writer();
    let claim = Batch {
        checks: vec![(b"k".to_vec(), Expect::Absent)],
        ..put(b"k")
    };
    let next = Batch {
        checks: vec![(b"k".to_vec(), Expect::At(1))],
        ..put(b"k")
    };
    let answers = serve(
        &mut writer,
        vec![claim.clone(), claim, next.clone(), next, put(b"other")],
    );
    let outcomes: Vec<Committed> = answers.into_iter().map(Result::unwrap).collect();
    let done = Committed::Done;
    assert_eq!(
        outcomes,
        [
            done(1),
            Committed::Conflict,
            done(2),
            Committed::Conflict,
            done(3)
        ]
    );
}

#[test]
fn a_batch_that_cannot_be_written_fails_alone() {
    let (mut writer, _dir) = writer();
    let answers = serve(
        &mut writer,
        vec![put(b"a"), put_blob([1; 16], 1), put_blob([1; 16], 1), put(b"b")],
    );
    assert!(matches!(answers[2], Err(EngineError::Unavailable(_))));
    let revisions = [&answers[0], &answers[1], &answers[3]].map(|answer| *answer.as_ref().unwrap());
    assert_eq!(
        revisions,
        [Committed::Done(1), Committed::Done(2), Committed::Done(3)]
    );
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_takes_what_does() {
    let (mut writer, _dir) = writer();
    writer
        .connection
        .execute_batch("PRAGMA max_page_count = 100")
        .unwrap();
    let answers = serve(
        &mut writer,
        vec![put(b"a"), put_blob([1; 16], 4 * 1024 * 1024), put(b"b")],
    );
    let refused = answers[1].as_ref().unwrap_err();
    assert!(
        matches!(refused, EngineError::Unavailable(why) if why.contains("disk is full")),
        "{refused}"
    );
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert!(query::get(&writer.connection, b"b").unwrap().is_some());
    assert_eq!(query::blob(&mut writer.connection, &[1; 16], 0..1).unwrap(), None);
}

#[test]
fn after_a_failed_commit_nothing_is_acknowledged_or_taken() {
    let (mut writer, _dir) = writer();
    // A constraint that is looked at only by COMMIT stands for the disk that fails there.
    let sabotage = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER fail AFTER INSERT ON record BEGIN INSERT INTO child (id) VALUES (1); END";
    writer.connection.execute_batch(sabotage).unwrap();
    for answer in serve(&mut writer, vec![put(b"a"), put(b"b")]) {
        assert!(matches!(answer, Err(EngineError::Uncertain(_))), "{answer:?}");
    }
    writer.connection.execute_batch("DROP TRIGGER fail").unwrap();
    let refused = serve(&mut writer, vec![put(b"c")]).remove(0).unwrap_err();
    assert!(
        matches!(&refused, EngineError::Unavailable(why) if why.contains("restart")),
        "{refused}"
    );
    for key in [b"a", b"b", b"c"] {
        assert_eq!(query::get(&writer.connection, key).unwrap(), None);
    }
}

#[test]
fn a_group_ends_with_the_batch_that_fills_it() {
    let (sender, mut queue) = mpsc::channel(8);
    for (id, bytes) in [(1, 3), (2, 6), (3, 1)] {
        sender
            .blocking_send(job(put_blob([id; 16], bytes * 1024 * 1024)).0)
            .unwrap();
    }
    let first = queue.try_recv().unwrap();
    assert_eq!(collect(first, &mut queue).len(), 2);
    let first = queue.try_recv().unwrap();
    assert_eq!(collect(first, &mut queue).len(), 1);
}
#[test]
fn a_file_locked_by_another_program_refuses_a_whole_group_once_and_without_harm() {
    let (mut writer, dir) = writer();
    writer.connection.busy_timeout(Duration::from_millis(50)).unwrap();
    let other = rusqlite::Connection::open(dir.path().join("tidelock.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for answer in serve(&mut writer, vec![put(b"a"), put(b"b")]) {
        assert!(matches!(answer, Err(EngineError::Unavailable(_))), "{answer:?}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        serve(&mut writer, vec![put(b"c")]).remove(0).unwrap(),
        Committed::Done(1)
    );
    assert_eq!(query::get(&writer.connection, b"a").unwrap(), None);
}
