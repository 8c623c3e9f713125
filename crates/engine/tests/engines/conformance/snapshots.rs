//! A copy of everything: whole, of one moment, and one at a time.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{FutureExt, future::join};
use tempfile::TempDir;
use tidelock_engine::{Batch, EmbeddedEngine, Engine, EngineError};
use tokio::task::JoinSet;

use super::{delete, done, put, puts, text};

const WRITERS: u64 = 8;
const TURNS: u64 = 40;

/// The copy, opened as a store of its own.
async fn opened(mut copy: File) -> (EmbeddedEngine, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(copy.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(copy.metadata().unwrap().nlink(), 0, "it has no name left");
    let mut file = File::create(dir.path().join("tidelock.db")).unwrap();
    io::copy(&mut copy, &mut file).unwrap();
    let engine = EmbeddedEngine::open(dir.path()).unwrap();
    engine.check().await.unwrap();
    (engine, dir)
}

pub async fn a_snapshot_opens_with_everything_in_it(engine: Arc<impl Engine>) {
    let blob = Bytes::from((0..3_000_000_u32).map(|n| n as u8).collect::<Vec<_>>());
    let batch = Batch {
        put_blobs: vec![([1; 16], blob.clone()), ([2; 16], Bytes::new())],
        ..puts(&[("a", "1"), ("b", "2"), ("", "empty")])
    };
    let revision = done(&*engine, batch).await;
    done(&*engine, delete("b")).await;
    let (copy, _dir) = opened(engine.snapshot().await.unwrap()).await;
    let range = || Vec::new()..vec![0xff];
    assert_eq!(
        copy.scan(range(), 9).await.unwrap(),
        engine.scan(range(), 9).await.unwrap()
    );
    assert_eq!(copy.get(b"a").await.unwrap().unwrap().revision, revision);
    assert_eq!(copy.blob([1; 16], 0..u64::MAX).await.unwrap(), Some(blob));
    assert_eq!(copy.blob([2; 16], 0..u64::MAX).await.unwrap(), Some(Bytes::new()));
    // Revisions go on where the copied ones ended, so that none comes twice.
    assert_eq!(done(&copy, put("c", "3")).await, revision + 2);
}

pub async fn a_snapshot_of_nothing_is_an_empty_store(engine: Arc<impl Engine>) {
    let (copy, _dir) = opened(engine.snapshot().await.unwrap()).await;
    assert!(copy.scan(Vec::new()..vec![0xff], 9).await.unwrap().is_empty());
}

pub async fn a_snapshot_is_one_moment_while_others_commit(engine: Arc<impl Engine + 'static>) {
    let acknowledged: Arc<Vec<AtomicU64>> = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, acknowledged) = (Arc::clone(&engine), Arc::clone(&acknowledged));
        writers.spawn(async move {
            for turn in 1..=TURNS {
                done(&*engine, turn_of(writer, turn)).await;
                acknowledged[writer as usize].store(turn, Ordering::SeqCst);
            }
        });
    }
    while acknowledged.iter().any(|turn| turn.load(Ordering::SeqCst) < 2) {
        tokio::task::yield_now().await;
    }
    let before: Vec<u64> = acknowledged
        .iter()
        .map(|turn| turn.load(Ordering::SeqCst))
        .collect();
    let copy = engine.snapshot().await.unwrap();
    let after: Vec<u64> = acknowledged
        .iter()
        .map(|turn| turn.load(Ordering::SeqCst))
        .collect();
    writers.join_all().await;
    let (copy, _dir) = opened(copy).await;
    for writer in 0..WRITERS {
        let turn: u64 = text(&copy, &format!("left-{writer}"))
            .await
            .unwrap()
            .parse()
            .unwrap();
        let at = writer as usize;
        // One commit more than was acknowledged may have been under way.
        assert!(
            before[at] <= turn && turn <= after[at] + 1,
            "{before:?} {turn} {after:?}"
        );
        assert_eq!(
            text(&copy, &format!("right-{writer}")).await.unwrap(),
            turn.to_string()
        );
        for n in 1..=TURNS {
            let blob = copy.blob(blob_id(writer, n), 0..u64::MAX).await.unwrap();
            assert_eq!(blob.is_some(), n == turn, "blob {n} beside turn {turn}");
        }
    }
}

/// Two keys and a blob that belong together; the blob of the turn before goes.
fn turn_of(writer: u64, turn: u64) -> Batch {
    let (left, right) = (format!("left-{writer}"), format!("right-{writer}"));
    let number = turn.to_string();
    Batch {
        put_blobs: vec![(blob_id(writer, turn), Bytes::from(vec![7; 50_000]))],
        drop_blobs: vec![blob_id(writer, turn - 1)],
        ..puts(&[(&left, &number), (&right, &number)])
    }
}

fn blob_id(writer: u64, turn: u64) -> [u8; 16] {
    ((u128::from(writer) << 64) | u128::from(turn)).to_be_bytes()
}

pub async fn a_second_snapshot_at_the_same_time_is_refused(engine: Arc<impl Engine>) {
    done(&*engine, put("k", "v")).await;
    let (first, second) = join(engine.snapshot(), engine.snapshot()).await;
    assert!(
        matches!(&second, Err(EngineError::Unavailable(why)) if why.contains("another copy")),
        "{second:?}"
    );
    let (copy, _dir) = opened(first.unwrap()).await;
    assert_eq!(text(&copy, "k").await.unwrap(), "v");
}

pub async fn a_snapshot_whose_caller_went_away_gives_way_to_the_next(engine: Arc<impl Engine>) {
    done(&*engine, put("k", "v")).await;
    // Polled once, so that it has begun.
    drop(engine.snapshot().now_or_never());
    let copy = loop {
        match engine.snapshot().await {
            Ok(copy) => break copy,
            Err(EngineError::Unavailable(why)) => assert!(why.contains("another copy"), "{why}"),
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    };
    let (copy, _dir) = opened(copy).await;
    assert_eq!(text(&copy, "k").await.unwrap(), "v");
}
