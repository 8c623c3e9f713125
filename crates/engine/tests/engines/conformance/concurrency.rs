//! Many callers at once: nothing lost, nothing half-seen.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use tidelock_engine::{Batch, Committed, Engine, Expect};
use tokio::task::JoinSet;

use super::{checked, done, put, puts, text};

const TASKS: usize = 64;

pub async fn concurrent_counters_lose_no_increment(engine: Arc<impl Engine + 'static>) {
    const EACH: usize = 5;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(&engine);
        // Sixteen to a counter: both conflicts and independent commits in one group.
        let key = format!("counter-{}", task % 4);
        tasks.spawn(async move {
            for _ in 0..EACH {
                increment(&*engine, &key).await;
            }
        });
    }
    tasks.join_all().await;
    for counter in 0..4 {
        let count = text(&*engine, &format!("counter-{counter}")).await.unwrap();
        assert_eq!(count, (TASKS / 4 * EACH).to_string());
    }
}

async fn increment(engine: &impl Engine, key: &str) {
    loop {
        let entry = engine.get(key.as_bytes()).await.unwrap();
        let expect = entry
            .as_ref()
            .map_or(Expect::Absent, |entry| Expect::At(entry.revision));
        let count = entry.map_or(0, |entry| str::from_utf8(&entry.value).unwrap().parse().unwrap()) + 1;
        let batch = checked(key, expect, put(key, &count.to_string()));
        if engine.commit(batch).await.unwrap() != Committed::Conflict {
            return;
        }
    }
}

pub async fn of_many_claims_to_one_key_exactly_one_wins(engine: Arc<impl Engine + 'static>) {
    for round in 0..5 {
        let key = format!("claim-{round}");
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let (engine, key) = (Arc::clone(&engine), key.clone());
            tasks.spawn(async move {
                let claim = put(&key, &task.to_string());
                (
                    task,
                    engine.commit(checked(&key, Expect::Absent, claim)).await.unwrap(),
                )
            });
        }
        let outcomes = tasks.join_all().await;
        let winners: Vec<_> = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome != Committed::Conflict)
            .collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(text(&*engine, &key).await, Some(winners[0].0.to_string()));
    }
}

pub async fn a_read_after_an_answer_sees_the_write(engine: Arc<impl Engine + 'static>) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            let key = format!("key-{task:02}");
            for turn in 0..10 {
                let revision = done(&*engine, put(&key, &turn.to_string())).await;
                let entry = engine.get(key.as_bytes()).await.unwrap().unwrap();
                assert_eq!(
                    (entry.revision, entry.value),
                    (revision, Bytes::from(turn.to_string()))
                );
                let range = key.clone().into_bytes()..format!("{key}\0").into_bytes();
                assert_eq!(engine.scan(range, 1).await.unwrap()[0].1.revision, revision);
            }
        });
    }
    tasks.join_all().await;
}

pub async fn a_scan_sees_whole_batches_only(engine: Arc<impl Engine + 'static>) {
    let keys = ["a", "b", "c", "d"];
    done(&*engine, puts(&keys.map(|key| (key, "0")))).await;
    let writer = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move {
            for turn in 0..100 {
                done(
                    &*engine,
                    puts(
                        &keys
                            .map(|key| (key, turn.to_string()))
                            .each_ref()
                            .map(|(k, v)| (*k, &**v)),
                    ),
                )
                .await;
            }
        }
    });
    while !writer.is_finished() {
        let found = engine.scan(b"a".to_vec()..b"e".to_vec(), 9).await.unwrap();
        let revisions: HashSet<_> = found.iter().map(|(_, entry)| entry.revision).collect();
        assert_eq!((found.len(), revisions.len()), (4, 1));
    }
    writer.await.unwrap();
}

pub async fn a_commit_whose_caller_went_away_is_whole_or_absent(engine: Arc<impl Engine + 'static>) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            let (left, right) = (format!("{task:02}-left"), format!("{task:02}-right"));
            let commit = engine.commit(puts(&[(&left, "v"), (&right, "v")]));
            // Some go away before it is queued, some while it is written.
            let _ = tokio::time::timeout(Duration::from_micros(task as u64 * 10), commit).await;
        });
    }
    tasks.join_all().await;
    // Answered only after everything queued before it.
    done(&*engine, Batch::default()).await;
    for task in 0..TASKS {
        let range = format!("{task:02}-").into_bytes()..format!("{task:02}.").into_bytes();
        let found = engine.scan(range, 9).await.unwrap();
        assert!(found.is_empty() || found.len() == 2);
    }
}

pub async fn revisions_of_concurrent_commits_are_all_different(engine: Arc<impl Engine + 'static>) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move { done(&*engine, put(&task.to_string(), "v")).await });
    }
    let revisions: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(revisions.len(), TASKS);
}
