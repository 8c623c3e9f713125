//! Blobs: whole, in ranges, and together with the batch that carries them.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use tidelock_engine::{Batch, BlobId, Engine, EngineError, Expect};

use super::{checked, conflict, done, put, text};

const ID: BlobId = *b"0123456789abcdef";
const MIB: u64 = 1024 * 1024;

fn put_blob(id: BlobId, bytes: &Bytes) -> Batch {
    Batch {
        put_blobs: vec![(id, bytes.clone())],
        ..Batch::default()
    }
}

fn drop_blob(id: BlobId) -> Batch {
    Batch {
        drop_blobs: vec![id],
        ..Batch::default()
    }
}

/// Bytes without a period that would hide a chunk read from the wrong place.
fn sample(length: u64) -> Bytes {
    let mut seed = 1u32;
    Bytes::from_iter((0..length).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    }))
}

async fn read(engine: &impl Engine, range: Range<u64>) -> Option<Bytes> {
    engine.blob(ID, range).await.unwrap()
}

pub async fn a_missing_blob_reads_as_nothing(engine: Arc<impl Engine>) {
    assert_eq!(read(&*engine, 0..10).await, None);
    assert_eq!(read(&*engine, 0..0).await, None);
}

pub async fn a_blob_reads_back_whole(engine: Arc<impl Engine>) {
    for length in [1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB + 17] {
        let bytes = sample(length);
        done(&*engine, put_blob(ID, &bytes)).await;
        assert!(
            read(&*engine, 0..length).await.unwrap() == bytes,
            "{length} bytes"
        );
        done(&*engine, drop_blob(ID)).await;
    }
}

pub async fn a_range_is_cut_at_the_end_of_the_blob(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &Bytes::from_static(b"0123456789"))).await;
    assert_eq!(read(&*engine, 7..100).await.unwrap(), "789");
    assert_eq!(read(&*engine, 0..u64::MAX).await.unwrap(), "0123456789");
}

pub async fn a_range_past_the_end_is_empty(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &Bytes::from_static(b"0123456789"))).await;
    for range in [10..11, 11..12, 5 * MIB..6 * MIB, u64::MAX - 1..u64::MAX] {
        assert_eq!(read(&*engine, range).await.unwrap(), "");
    }
}

#[expect(clippy::reversed_empty_ranges, reason = "that is the case under test")]
pub async fn an_inverted_range_is_empty(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &Bytes::from_static(b"0123456789"))).await;
    for range in [5..3, 5..5, 3 * MIB..2] {
        assert_eq!(read(&*engine, range).await.unwrap(), "");
    }
}

pub async fn an_empty_blob_exists(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &Bytes::new())).await;
    assert_eq!(read(&*engine, 0..0).await.unwrap(), "");
    assert_eq!(read(&*engine, 0..100).await.unwrap(), "");
}

pub async fn ranges_across_every_inner_boundary_read_back(engine: Arc<impl Engine>) {
    let bytes = sample(3 * MIB + 5);
    done(&*engine, put_blob(ID, &bytes)).await;
    let edges: Vec<u64> = (0..=3)
        .flat_map(|n| [(n * MIB).saturating_sub(1), n * MIB, n * MIB + 1])
        .collect();
    for &start in &edges {
        for &end in edges.iter().filter(|&&end| end > start) {
            let expected = bytes.slice(start as usize..end as usize);
            assert!(
                read(&*engine, start..end).await.unwrap() == expected,
                "{start}..{end}"
            );
        }
    }
}

pub async fn a_conflict_stores_no_blob(engine: Arc<impl Engine>) {
    done(&*engine, put("k", "v")).await;
    let bytes = Bytes::from_static(b"blob");
    conflict(&*engine, checked("k", Expect::Absent, put_blob(ID, &bytes))).await;
    assert_eq!(read(&*engine, 0..4).await, None);
    done(&*engine, put_blob(ID, &bytes)).await;
    conflict(&*engine, checked("k", Expect::Absent, drop_blob(ID))).await;
    assert_eq!(read(&*engine, 0..4).await.unwrap(), bytes);
}

pub async fn a_dropped_blob_is_gone_and_dropping_it_again_is_fine(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &sample(2 * MIB + 1))).await;
    done(&*engine, drop_blob(ID)).await;
    assert_eq!(read(&*engine, 0..1).await, None);
    done(&*engine, drop_blob(ID)).await;
}

pub async fn a_blob_put_and_dropped_in_one_batch_is_gone(engine: Arc<impl Engine>) {
    done(
        &*engine,
        Batch {
            drop_blobs: vec![ID],
            ..put_blob(ID, &sample(10))
        },
    )
    .await;
    assert_eq!(read(&*engine, 0..1).await, None);
}

pub async fn a_blob_id_is_not_taken_twice_and_the_batch_leaves_nothing(engine: Arc<impl Engine>) {
    done(&*engine, put_blob(ID, &Bytes::from_static(b"first"))).await;
    let again = Batch {
        puts: put("k", "v").puts,
        ..put_blob(ID, &Bytes::from_static(b"second"))
    };
    let refused = engine.commit(again).await.unwrap_err();
    assert!(matches!(refused, EngineError::Unavailable(_)), "{refused}");
    assert_eq!(read(&*engine, 0..9).await.unwrap(), "first");
    assert_eq!(text(&*engine, "k").await, None);
}

pub async fn blobs_with_neighbouring_ids_do_not_mix(engine: Arc<impl Engine>) {
    let ids: Vec<BlobId> = (0..4u8)
        .map(|n| [&ID[..15], &[n]].concat().try_into().unwrap())
        .collect();
    let blob = |id: &BlobId| Bytes::from(vec![id[15]; MIB as usize + 1]);
    done(
        &*engine,
        Batch {
            put_blobs: ids.iter().map(|id| (*id, blob(id))).collect(),
            ..Batch::default()
        },
    )
    .await;
    done(&*engine, drop_blob(ids[1])).await;
    for id in [ids[0], ids[2], ids[3]] {
        assert!(engine.blob(id, 0..2 * MIB).await.unwrap().unwrap() == blob(&id));
    }
    assert_eq!(engine.blob(ids[1], 0..1).await.unwrap(), None);
}
