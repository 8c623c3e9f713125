//! Keys, values, scans and conditional commits.

use std::sync::Arc;

use bytes::Bytes;
use tidelock_engine::{Batch, Engine, Expect};

use super::{checked, conflict, delete, done, put, puts, text};

pub async fn a_missing_key_reads_as_nothing(engine: Arc<impl Engine>) {
    assert_eq!(engine.get(b"nobody").await.unwrap(), None);
}

pub async fn a_value_reads_back_with_the_revision_of_its_commit(engine: Arc<impl Engine>) {
    let revision = done(&*engine, put("k", "v")).await;
    let entry = engine.get(b"k").await.unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.revision), (&b"v"[..], revision));
}

pub async fn an_empty_key_and_an_empty_value_are_kept(engine: Arc<impl Engine>) {
    done(&*engine, put("", "")).await;
    assert_eq!(text(&*engine, "").await.as_deref(), Some(""));
    assert_eq!(keys(&*engine, b"", b"a", 9).await, [b""]);
}

pub async fn a_value_of_every_byte_reads_back(engine: Arc<impl Engine>) {
    let all = Bytes::from_iter((0..=255u8).cycle().take(100_000));
    done(
        &*engine,
        Batch {
            puts: vec![(all[..512].to_vec(), all.clone())],
            ..Batch::default()
        },
    )
    .await;
    assert_eq!(engine.get(&all[..512]).await.unwrap().unwrap().value, all);
}

pub async fn a_later_put_replaces_an_earlier_one(engine: Arc<impl Engine>) {
    let first = done(&*engine, put("k", "one")).await;
    let second = done(&*engine, put("k", "two")).await;
    assert!(second > first);
    assert_eq!(text(&*engine, "k").await.as_deref(), Some("two"));
    assert_eq!(engine.get(b"k").await.unwrap().unwrap().revision, second);
}

pub async fn a_deleted_key_is_gone_and_deleting_it_again_is_fine(engine: Arc<impl Engine>) {
    done(&*engine, put("k", "v")).await;
    done(&*engine, delete("k")).await;
    assert_eq!(text(&*engine, "k").await, None);
    done(&*engine, delete("k")).await;
}

pub async fn a_key_put_and_deleted_in_one_batch_is_gone(engine: Arc<impl Engine>) {
    done(
        &*engine,
        Batch {
            deletes: vec![b"k".to_vec()],
            ..put("k", "v")
        },
    )
    .await;
    assert_eq!(text(&*engine, "k").await, None);
}

/// Keys that sort differently as text, as signed bytes or with a locale.
const KEYS: [&[u8]; 9] = [
    b"",
    b"\0",
    b"B",
    b"a",
    b"a\0",
    b"a/b",
    b"aa",
    b"\x7f",
    b"\xff\xff",
];

async fn with_keys(engine: &impl Engine) {
    let value = |key: &[u8]| (key.to_vec(), Bytes::copy_from_slice(key));
    done(
        engine,
        Batch {
            puts: KEYS.iter().rev().map(|key| value(key)).collect(),
            ..Batch::default()
        },
    )
    .await;
}

async fn keys(engine: &impl Engine, start: &[u8], end: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let found = engine.scan(start.to_vec()..end.to_vec(), limit).await.unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

async fn keys_back(engine: &impl Engine, start: &[u8], end: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let found = engine
        .scan_back(start.to_vec()..end.to_vec(), limit)
        .await
        .unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

pub async fn a_scan_is_in_byte_order_from_start_to_before_end(engine: Arc<impl Engine>) {
    with_keys(&*engine).await;
    assert_eq!(keys(&*engine, b"", b"\xff\xff", 99).await, KEYS[..8]);
    assert_eq!(keys(&*engine, b"", b"\xff\xff\0", 99).await, KEYS);
    assert_eq!(keys(&*engine, b"a", b"aa", 99).await, KEYS[3..6]);
    assert_eq!(keys(&*engine, b"a\0\0", b"b", 99).await, KEYS[5..7]);
    let (_, entry) = engine
        .scan(b"aa".to_vec()..b"ab".to_vec(), 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(Some(entry), engine.get(b"aa").await.unwrap());
}

pub async fn a_scan_stops_at_its_limit(engine: Arc<impl Engine>) {
    with_keys(&*engine).await;
    assert_eq!(keys(&*engine, b"a", b"\xff", 2).await, KEYS[3..5]);
    assert_eq!(keys(&*engine, b"a", b"\xff", 0).await, KEYS[..0]);
    assert_eq!(keys(&*engine, b"a", b"\xff", usize::MAX).await, KEYS[3..8]);
}

pub async fn a_backward_scan_is_the_forward_one_reversed(engine: Arc<impl Engine>) {
    with_keys(&*engine).await;
    for (start, end) in [
        (&b""[..], &b"\xff\xff"[..]),
        (b"a", b"aa"),
        (b"a\0\0", b"b"),
        (b"", b"\xff\xff\0"),
    ] {
        let mut forward = keys(&*engine, start, end, 99).await;
        forward.reverse();
        assert_eq!(keys_back(&*engine, start, end, 99).await, forward);
    }
}

pub async fn a_backward_scan_with_a_limit_takes_the_last_ones(engine: Arc<impl Engine>) {
    with_keys(&*engine).await;
    assert_eq!(keys_back(&*engine, b"", b"\xff\xff", 2).await, [KEYS[7], KEYS[6]]);
    assert_eq!(keys_back(&*engine, b"", b"\xff\xff", 0).await, KEYS[..0]);
}

pub async fn an_empty_or_inverted_range_scans_nothing(engine: Arc<impl Engine>) {
    with_keys(&*engine).await;
    for (start, end) in [(b"a", b"a"), (b"b", b"a")] {
        assert_eq!(keys(&*engine, start, end, 99).await, KEYS[..0]);
        assert_eq!(keys_back(&*engine, start, end, 99).await, KEYS[..0]);
    }
}

pub async fn absent_is_met_only_while_the_key_is_missing(engine: Arc<impl Engine>) {
    done(&*engine, checked("k", Expect::Absent, put("k", "one"))).await;
    conflict(&*engine, checked("k", Expect::Absent, put("k", "two"))).await;
    assert_eq!(text(&*engine, "k").await.as_deref(), Some("one"));
    done(&*engine, delete("k")).await;
    done(&*engine, checked("k", Expect::Absent, put("k", "three"))).await;
}

pub async fn at_is_met_only_by_the_last_writer(engine: Arc<impl Engine>) {
    conflict(&*engine, checked("k", Expect::At(0), put("k", "v"))).await;
    let first = done(&*engine, put("k", "one")).await;
    conflict(&*engine, checked("k", Expect::At(u64::MAX), put("k", "v"))).await;
    let second = done(&*engine, checked("k", Expect::At(first), put("k", "two"))).await;
    conflict(&*engine, checked("k", Expect::At(first), put("k", "three"))).await;
    assert_eq!(text(&*engine, "k").await.as_deref(), Some("two"));
    done(&*engine, checked("k", Expect::At(second), delete("k"))).await;
    conflict(&*engine, checked("k", Expect::At(second), put("k", "four"))).await;
    assert_eq!(text(&*engine, "k").await, None);
}

pub async fn one_failed_check_of_several_leaves_nothing_behind(engine: Arc<impl Engine>) {
    let revision = done(&*engine, puts(&[("a", "1"), ("b", "1")])).await;
    let batch = Batch {
        deletes: vec![b"b".to_vec()],
        ..puts(&[("a", "2"), ("c", "2")])
    };
    let batch = checked("a", Expect::At(revision), checked("c", Expect::Absent, batch));
    conflict(&*engine, checked("b", Expect::At(revision + 1), batch.clone())).await;
    let found = [
        text(&*engine, "a").await,
        text(&*engine, "b").await,
        text(&*engine, "c").await,
    ];
    assert_eq!(found, [Some("1".to_owned()), Some("1".to_owned()), None]);
    done(&*engine, checked("b", Expect::At(revision), batch)).await;
    let found = [
        text(&*engine, "a").await,
        text(&*engine, "b").await,
        text(&*engine, "c").await,
    ];
    assert_eq!(found, [Some("2".to_owned()), None, Some("2".to_owned())]);
}

pub async fn a_check_of_a_key_that_is_not_written_counts(engine: Arc<impl Engine>) {
    let revision = done(&*engine, put("guard", "1")).await;
    done(&*engine, checked("guard", Expect::At(revision), put("k", "1"))).await;
    done(&*engine, put("guard", "2")).await;
    conflict(&*engine, checked("guard", Expect::At(revision), put("k", "2"))).await;
    assert_eq!(text(&*engine, "k").await.as_deref(), Some("1"));
}

pub async fn a_deleted_and_recreated_key_has_a_new_revision(engine: Arc<impl Engine>) {
    let mut last = 0;
    for _ in 0..3 {
        let created = done(&*engine, put("k", "v")).await;
        let deleted = done(&*engine, delete("k")).await;
        assert!(last < created && created < deleted);
        last = deleted;
    }
}

pub async fn all_keys_of_a_batch_share_its_revision(engine: Arc<impl Engine>) {
    let revision = done(&*engine, puts(&[("a", "1"), ("b", "2")])).await;
    let found = engine.scan(b"a".to_vec()..b"c".to_vec(), 9).await.unwrap();
    assert_eq!(
        found.iter().map(|(_, entry)| entry.revision).collect::<Vec<_>>(),
        [revision, revision]
    );
}

pub async fn a_conflict_is_not_an_error_and_the_next_commit_goes_through(engine: Arc<impl Engine>) {
    let before = done(&*engine, put("k", "1")).await;
    conflict(&*engine, checked("k", Expect::Absent, put("k", "2"))).await;
    assert!(done(&*engine, put("k", "3")).await > before);
    assert_eq!(text(&*engine, "k").await.as_deref(), Some("3"));
}
