//! Killed at any moment, the embedded engine opens again with every commit it acknowledged, and nothing half-written.
//!
//! The test starts itself as a child that writes without end and prints what was acknowledged.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Committed, EmbeddedEngine, Engine, Expect, Revision};

use crate::child;

const ROUNDS: u64 = 20;
const TASKS: u8 = 64;

#[test]
fn a_killed_engine_opens_again_with_every_acknowledged_commit() {
    if let Some(dir) = child::dir() {
        return write_until_killed(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashMap::new();
    for round in 0..ROUNDS {
        let before = acknowledged.len();
        let child = start(dir.path());
        // Odd pauses: the moment of the kill falls anywhere in the cycle of groups and checkpoints.
        acknowledged.extend(kill_after(
            child,
            Duration::from_micros(20_000 + round * 13_577 % 150_000),
        ));
        assert!(acknowledged.len() > before, "round {round} wrote nothing");
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(verify(dir.path(), &acknowledged));
    }
}

fn start(dir: &Path) -> Child {
    let test = "crash::a_killed_engine_opens_again_with_every_acknowledged_commit";
    child::command(test, dir).stdout(Stdio::piped()).spawn().unwrap()
}

/// What the child acknowledged: the revision of each turn of each task.
fn kill_after(mut child: Child, pause: Duration) -> Vec<((u8, u64), Revision)> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
    // The pause counts from the first acknowledged commit, however slow the machine.
    let first = lines.find_map(|line| parse(&line.unwrap())).unwrap();
    let reader = thread::spawn(move || lines.filter_map(|line| parse(&line.unwrap())).collect::<Vec<_>>());
    thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut all = reader.join().unwrap();
    all.push(first);
    all
}

/// `ack TASK TURN REVISION.`; the full stop tells a whole line from one that the kill has cut.
fn parse(line: &[u8]) -> Option<((u8, u64), Revision)> {
    let words: Vec<&str> = str::from_utf8(line)
        .ok()?
        .strip_prefix("ack ")?
        .strip_suffix('.')?
        .split(' ')
        .collect();
    Some((
        (words[0].parse().unwrap(), words[1].parse().unwrap()),
        words[2].parse().unwrap(),
    ))
}

fn write_until_killed(dir: &Path) {
    let engine = Arc::new(EmbeddedEngine::open(dir).unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let engine = Arc::clone(&engine);
            tasks.spawn(async move { write(&engine, task).await });
        }
        tasks.join_all().await;
    });
}

async fn write(engine: &EmbeddedEngine, task: u8) {
    loop {
        let counter = engine.get(&counter_key(task)).await.unwrap();
        let turn = counter.as_ref().map_or(1, |entry| number(&entry.value) + 1);
        let check = counter.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
        let batch = Batch {
            checks: vec![(counter_key(task), check)],
            puts: vec![
                (counter_key(task), Bytes::from(turn.to_string())),
                (turn_key(task, turn), Bytes::from(turn.to_string())),
            ],
            put_blobs: vec![(blob_id(task, turn), blob(task, turn))],
            ..Batch::default()
        };
        let Committed::Done(revision) = engine.commit(batch).await.unwrap() else {
            panic!("nobody else writes this counter");
        };
        writeln!(std::io::stdout().lock(), "ack {task} {turn} {revision}.").unwrap();
    }
}

async fn verify(dir: &Path, acknowledged: &HashMap<(u8, u64), Revision>) {
    let engine = EmbeddedEngine::open(dir).unwrap();
    for ((task, turn), revision) in acknowledged {
        let entry = engine.get(&turn_key(*task, *turn)).await.unwrap();
        assert_eq!(
            entry.map(|entry| entry.revision),
            Some(*revision),
            "task {task} turn {turn}"
        );
    }
    for task in 0..TASKS {
        let last = engine
            .get(&counter_key(task))
            .await
            .unwrap()
            .map_or(0, |entry| number(&entry.value));
        let turns = engine
            .scan(turn_key(task, 0)..turn_key(task, u64::MAX), usize::MAX)
            .await
            .unwrap();
        // No turn without its counter, no counter without its turns, and each with its whole blob.
        assert_eq!(
            turns
                .iter()
                .map(|(_, entry)| number(&entry.value))
                .collect::<Vec<_>>(),
            Vec::from_iter(1..=last)
        );
        for turn in 1..=last {
            let found = engine.blob(blob_id(task, turn), 0..u64::MAX).await.unwrap();
            assert!(found == Some(blob(task, turn)), "blob of task {task} turn {turn}");
        }
        assert_eq!(engine.blob(blob_id(task, last + 1), 0..1).await.unwrap(), None);
    }
    let highest = acknowledged.values().max().unwrap();
    assert!(
        matches!(engine.commit(Batch::default()).await.unwrap(), Committed::Done(next) if next > *highest)
    );
}

fn counter_key(task: u8) -> Vec<u8> {
    vec![b'c', task]
}

fn turn_key(task: u8, turn: u64) -> Vec<u8> {
    [&[b't', task][..], &turn.to_be_bytes()].concat()
}

fn blob_id(task: u8, turn: u64) -> BlobId {
    u128::from_be_bytes([turn.to_be_bytes(), [task; 8]].concat().try_into().unwrap()).to_be_bytes()
}

/// Mostly small; now and then several chunks, so that kills fall into a transaction that has spilled to the log.
fn blob(task: u8, turn: u64) -> Bytes {
    let length = if (turn + u64::from(task)).is_multiple_of(97) {
        2_500_000
    } else {
        usize::from(task) * 20
    };
    Bytes::from(vec![turn as u8; length])
}

fn number(value: &[u8]) -> u64 {
    str::from_utf8(value).unwrap().parse().unwrap()
}
