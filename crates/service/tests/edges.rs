//! History where it is thin: heads that were promoted, rules that come late, rows that change between two looks.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use common::{FakeWorld, at, between::Between, body, caller, with_bucket};
use tidelock_core::{
    Versioning, chain,
    decide::{Change, Precondition},
    iam::DEFAULT_ACCOUNT,
    limits::{BUCKETS_MAX, PIECE_BYTES},
};
use tidelock_engine::{Batch, Engine, MemoryEngine};
use tidelock_service::{Error, OperatorError, Retention, Rule, Service, Settings, VersionQuery};

/// Long enough that what differs from another one is smaller than the whole.
fn state(serial: u64) -> Bytes {
    let padding: String = (0..200).map(|n| format!("{:x}", n * 7_919)).collect();
    Bytes::from(format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{"x":{{"value":"{padding}","type":"string"}}}},"resources":[]}}"#
    ))
}

fn settings(rule: Rule) -> Settings {
    Settings {
        retention: Retention::new(vec![rule]).unwrap(),
        ..Settings::default()
    }
}

fn over(world: &Arc<FakeWorld>, rule: Rule) -> Service {
    let (engine, world) = (Arc::new(MemoryEngine::new()), Arc::clone(world));
    common::over(engine, world).with_settings(settings(rule))
}

fn keep(count: usize) -> Rule {
    Rule {
        prefix: "tfstate".to_owned(),
        keep: NonZero::new(count),
        keep_for_ms: None,
    }
}

fn keep_for(ms: i64) -> Rule {
    Rule {
        prefix: "tfstate".to_owned(),
        keep: None,
        keep_for_ms: Some(ms),
    }
}

/// A store with as many buckets as may be, none of which anybody opens.
async fn full_of_buckets() -> Service {
    let engine = Arc::new(MemoryEngine::new());
    let service = common::over(engine.clone(), Arc::new(FakeWorld::default()));
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    let everything = vec![0]..vec![u8::MAX];
    let rows = engine.scan(everything, 10).await.unwrap();
    let (row, entry) = rows
        .iter()
        .find(|(row, _)| row.windows(7).any(|part| part == b"tfstate"))
        .unwrap();
    let others = (1..BUCKETS_MAX).map(|n| {
        (
            [row.as_slice(), format!("{n:05}").as_bytes()].concat(),
            entry.value.clone(),
        )
    });
    let batch = Batch {
        puts: others.collect(),
        ..Batch::default()
    };
    engine.commit(batch).await.unwrap();
    service
}

#[tokio::test]
async fn one_bucket_too_many_is_refused_and_the_rest_stay() {
    let service = full_of_buckets().await;
    assert!(matches!(
        service.create_bucket("one-more", DEFAULT_ACCOUNT).await,
        Err(Error::TooManyBuckets)
    ));
    assert!(matches!(
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await,
        Err(Error::BucketExists(_))
    ));
    service.delete_bucket("tfstate").await.unwrap();
    service.create_bucket("one-more", DEFAULT_ACCOUNT).await.unwrap();
}

async fn versioned(service: &Service) {
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
}

async fn write(service: &Service, serial: u64) {
    service
        .put(&at("a"), body(state(serial)), &caller("c"))
        .await
        .unwrap();
}

async fn read(service: &Service, seq: u64) -> Result<Bytes, Error> {
    let version = service.version(&at("a"), seq).await?;
    service.read_all(&at("a"), seq, &version.body.unwrap()).await
}

async fn delete_version(service: &Service, seq: u64) {
    let id = service.version(&at("a"), seq).await.unwrap().id;
    service.delete_version(&at("a"), &id, &caller("c")).await.unwrap();
}

#[tokio::test]
async fn what_a_promoted_version_rests_on_outlives_retention() {
    let service = over(&Arc::default(), keep(1));
    versioned(&service).await;
    for serial in 1..=6 {
        write(&service, serial).await;
    }
    service.pack(&at("a")).await.unwrap();
    for gone in [6, 5, 4] {
        delete_version(&service, gone).await;
    }
    let head = service.find(&at("a"), None).await.unwrap();
    assert!(head.seq == 3 && head.body.unwrap().stored.base.is_some());
    service.collect("", None, false).await.unwrap();
    assert!(matches!(
        read(&service, 2).await,
        Err(Error::NoSuchVersion { .. })
    ));
    assert_eq!(read(&service, 3).await.unwrap(), state(3));
}

#[tokio::test]
async fn a_promoted_versions_age_counts_from_when_it_was_replaced_again() {
    let world = Arc::default();
    let service = over(&world, keep_for(1_000_000));
    versioned(&service).await;
    write(&service, 1).await;
    write(&service, 2).await;
    delete_version(&service, 2).await;
    world.pass(2_000_000);
    // The first has been current all that time.
    write(&service, 3).await;
    service.collect("", None, false).await.unwrap();
    assert_eq!(read(&service, 1).await.unwrap(), state(1));
    world.pass(2_000_000);
    service.collect("", None, false).await.unwrap();
    assert!(matches!(
        read(&service, 1).await,
        Err(Error::NoSuchVersion { .. })
    ));
    assert_eq!(read(&service, 3).await.unwrap(), state(3));
}

#[tokio::test]
async fn encrypted_states_stay_in_history_too() {
    let (engine, service, _) = two_servers().await;
    let encrypted = |serial| {
        format!(r#"{{"serial":{serial},"lineage":"l","encrypted_data":"AAAA","encryption_version":"v0"}}"#)
    };
    for serial in 1..=3 {
        let new = body(encrypted(serial));
        service.put(&at("a"), new, &caller("c")).await.unwrap();
        service
            .delete(&at("a"), Precondition::default(), &caller("c"))
            .await
            .unwrap();
    }
    for serial in 1..=3 {
        assert_eq!(read(&service, serial).await.unwrap(), encrypted(serial));
    }
    let page = service.collect("", None, true).await.unwrap();
    assert_eq!(page.states, 1, "retention looks at it");
    let marks = engine.scan(b"w\0".to_vec()..b"w\x01".to_vec(), 9).await.unwrap();
    assert!(
        marks.is_empty(),
        "there is nothing to pack, however many there are to look through"
    );
}

/// A server over a store in which another one does something in between.
async fn two_servers() -> (Arc<Between>, Service, Service) {
    let engine = Between::new();
    let world = Arc::new(FakeWorld::default());
    let of = |engine| common::over(engine, world.clone());
    let (one, other) = (of(engine.clone()), of(engine.store.clone()));
    one.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    (engine, one, other)
}

const RECORD: &[u8] = b"o\0tfstate\0a";

#[tokio::test]
async fn tags_do_not_bring_back_what_was_overwritten_meanwhile() {
    for versioning in [Versioning::Unversioned, Versioning::Suspended] {
        for reads in 1..=2 {
            let (engine, service, other) = two_servers().await;
            if versioning == Versioning::Suspended {
                service
                    .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Suspended)
                    .await
                    .unwrap();
            }
            write(&service, 1).await;
            engine.before_read(reads, RECORD, async move {
                write(&other, 2).await;
                other.pack_all().await.unwrap();
            });
            let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
            let _ = service.set_tags(&at("a"), None, tags).await;
            assert!(engine.is_over());
            for seq in [1, 2] {
                assert_eq!(read(&service, seq).await.unwrap(), state(seq), "{reads}");
                let hidden = service.version(&at("a"), seq).await.unwrap().hidden;
                assert_eq!(hidden.is_some(), seq == 1, "{reads}");
            }
        }
    }
}

#[tokio::test]
async fn whenever_it_was_packed_every_version_rests_on_what_it_should() {
    let service = with_bucket().await;
    let mut written = 0;
    // The second comes late, when the bases of all before the 256th are settled; so does the fourth.
    for newest in [100, 300, 301, 600] {
        for serial in written + 1..=newest {
            write(&service, serial).await;
        }
        written = newest;
        service.pack_all().await.unwrap();
        for place in 1..newest {
            let version = service.version(&at("a"), place).await.unwrap();
            let base = version.body.unwrap().stored.base;
            assert_eq!(base, chain::base(place, newest), "{place} of {newest}");
        }
    }
}

#[tokio::test]
async fn a_version_whose_bytes_are_gone_keeps_nobody_from_anything() {
    let (engine, service, _) = two_servers().await;
    for serial in 1..=6 {
        write(&service, serial).await;
    }
    service.pack_all().await.unwrap();
    // The first three rest on the fourth.
    let lost = service.version(&at("a"), 4).await.unwrap().body.unwrap();
    let lost = Batch {
        drop_blobs: vec![lost.stored.blob.0],
        ..Batch::default()
    };
    engine.commit(lost).await.unwrap();
    write(&service, 7).await;
    for serial in 1..=3 {
        let new = body(state(serial));
        service.put(&at("b"), new, &caller("c")).await.unwrap();
    }
    assert_eq!(
        service.pack_all().await.unwrap().versions,
        3,
        "the sixth; two of the other"
    );
    assert_eq!(service.pack_all().await.unwrap().versions, 0, "there is an end");
    let marks = engine.scan(b"w\0".to_vec()..b"w\x01".to_vec(), 9).await.unwrap();
    assert!(marks.is_empty(), "it is not tried for ever");
    for seq in 1..=7 {
        let found = read(&service, seq).await;
        match seq {
            1..=4 => assert!(matches!(found, Err(Error::Damaged { .. })), "{seq}: {found:?}"),
            _ => assert_eq!(found.unwrap(), state(seq)),
        }
        let version = service.version(&at("a"), seq).await.unwrap();
        let whole = version.body.unwrap();
        let first = service.reading(&at("a"), seq, &whole, 0..10).next().await;
        assert_eq!(first.is_err(), seq <= 4, "{seq}");
    }
}

#[tokio::test]
async fn an_address_whose_rows_cannot_be_read_keeps_no_other_from_its_turn() {
    let (engine, service, _) = two_servers().await;
    let service = service.with_settings(settings(keep(2)));
    for key in ["a", "b"] {
        for serial in 1..=4 {
            let new = body(state(serial));
            service.put(&at(key), new, &caller("c")).await.unwrap();
        }
    }
    let row = [b"v\0tfstate\0a\0".as_slice(), &(!2_u64).to_be_bytes()].concat();
    let broken = Batch {
        puts: vec![(row, Bytes::from_static(b"{"))],
        ..Batch::default()
    };
    engine.commit(broken).await.unwrap();
    let page = service.collect("", None, true).await.unwrap();
    assert_eq!((page.states, page.dropped), (2, 2));
    assert_eq!(service.pack_all().await.unwrap().versions, 3);
    let marks = engine.scan(b"w\0".to_vec()..b"w\x01".to_vec(), 9).await.unwrap();
    assert!(marks.is_empty(), "it is not tried at every write of another");
    let left = service.version(&at("b"), 2).await;
    assert!(matches!(left, Err(Error::NoSuchVersion { .. })));
}

#[tokio::test]
async fn what_does_not_read_as_it_was_written_is_not_packed() {
    let service = with_bucket().await;
    let mut other = body(state(1));
    other.md5 = body("other").md5;
    service.put(&at("a"), other, &caller("c")).await.unwrap();
    write(&service, 2).await;
    write(&service, 3).await;
    assert_eq!(service.pack_all().await.unwrap().versions, 1, "the second");
    let first = service.version(&at("a"), 1).await.unwrap().body.unwrap();
    assert_eq!(first.stored.base, None);
}

#[tokio::test]
async fn the_serial_of_a_deleted_state_is_found_behind_any_number_of_markers() {
    let service = with_bucket().await;
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
    write(&service, 1).await;
    write(&service, 2).await;
    for _ in 0..200 {
        let none = Precondition::default();
        service.delete(&at("a"), none, &caller("c")).await.unwrap();
    }
    let back = service.rollback(&at("a"), 1, None, &caller("op")).await.unwrap();
    assert_eq!(back.body.unwrap().state.unwrap().serial, 3);
}

#[tokio::test]
async fn without_versioning_nobody_looks_through_history_for_what_s3_shows() {
    let (engine, service, _) = two_servers().await;
    for serial in 1..=200 {
        write(&service, serial).await;
    }
    engine.scanned.store(0, Ordering::Relaxed);
    let query = VersionQuery {
        limit: 10,
        ..VersionQuery::default()
    };
    let page = service.list_versions("tfstate", &query).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    delete_version(&service, 200).await;
    assert!(matches!(
        service.find(&at("a"), None).await,
        Err(Error::NoSuchKey { .. })
    ));
    assert!(engine.scanned.load(Ordering::Relaxed) < 10);
    assert_eq!(read(&service, 200).await.unwrap(), state(200));
}

async fn two_servers_with_versions(count: u64) -> (Arc<Between>, Service, Service) {
    let (engine, service, other) = two_servers().await;
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
    for serial in 1..=count {
        write(&service, serial).await;
    }
    (engine, service, other)
}

#[tokio::test]
async fn what_is_deleted_while_it_is_packed_stays_deleted() {
    let (engine, service, other) = two_servers_with_versions(2).await;
    // The first two write down what the versions changed.
    engine.before_commit(3, async move { delete_version(&other, 1).await });
    service.pack_all().await.unwrap();
    assert!(engine.is_over());
    let first = service.version(&at("a"), 1).await.unwrap();
    assert!(first.hidden.is_some());
    assert_eq!(read(&service, 1).await.unwrap(), state(1));
}

#[tokio::test]
async fn what_is_put_under_a_legal_hold_while_retention_looks_outlives_it() {
    let mut kept = 0;
    for reads in 1..=8 {
        let (engine, service, other) = two_servers_with_versions(3).await;
        service.pack_all().await.unwrap();
        let service = service.with_settings(settings(keep(1)));
        let id = service.version(&at("a"), 1).await.unwrap().id;
        let held = Arc::new(AtomicBool::new(false));
        let holds = Arc::clone(&held);
        engine.before_read(reads, RECORD, async move {
            let hold = Change::LegalHold(true);
            let done = other.change_version(&at("a"), Some(&id), &hold).await;
            holds.store(done.is_ok(), Ordering::Relaxed);
        });
        service.collect("tfstate/a", None, false).await.unwrap();
        let held = held.load(Ordering::Relaxed);
        kept += usize::from(held);
        assert_eq!(read(&service, 1).await.is_ok(), held, "{reads}");
    }
    assert!(
        (2..8).contains(&kept),
        "{kept}: before the look, in it, and too late"
    );
}

#[tokio::test]
async fn what_is_packed_while_it_is_deleted_or_tagged_or_promoted_reads_back() {
    for what in ["deleted", "tagged", "promoted"] {
        let (engine, service, other) = two_servers_with_versions(4).await;
        engine.before_commit(1, async move {
            other.pack_all().await.unwrap();
        });
        let third = service.version(&at("a"), 3).await.unwrap();
        match what {
            "deleted" => delete_version(&service, 3).await,
            "tagged" => {
                let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
                let tagged = service.set_tags(&at("a"), Some(&third.id), tags.clone()).await;
                assert_eq!(tagged.unwrap().body.unwrap().content.tags, tags);
            }
            _ => delete_version(&service, 4).await,
        }
        assert!(engine.is_over());
        for seq in 1..=4 {
            assert_eq!(read(&service, seq).await.unwrap(), state(seq), "{what}");
        }
    }
}

#[tokio::test]
async fn what_becomes_current_while_retention_looks_keeps_what_it_rests_on() {
    let (engine, service, other) = two_servers_with_versions(6).await;
    service.pack_all().await.unwrap();
    let service = service.with_settings(settings(keep(1)));
    // The first read is for what there is to pack, the second for what is due, the third for dropping it.
    engine.before_read(3, RECORD, async move {
        for gone in [6, 5, 4] {
            delete_version(&other, gone).await;
        }
    });
    service.collect("", None, false).await.unwrap();
    assert!(engine.is_over());
    let head = service.find(&at("a"), None).await.unwrap();
    assert!(head.seq == 3 && head.body.unwrap().stored.base == Some(4));
    assert_eq!(read(&service, 3).await.unwrap(), state(3));
}

#[tokio::test]
async fn what_is_written_while_others_are_packed_is_packed_next() {
    let (engine, service, other) = two_servers_with_versions(3).await;
    engine.before_read(2, RECORD, async move { write(&other, 4).await });
    assert_eq!(service.pack_all().await.unwrap().versions, 2);
    assert!(engine.is_over());
    assert!(service.pack_all().await.unwrap().versions > 0);
}

#[tokio::test]
async fn nothing_stays_behind_of_what_is_packed_or_dropped() {
    let (engine, service, _) = two_servers_with_versions(4).await;
    let blobs = async || {
        let mut blobs = Vec::new();
        for seq in 1..=3 {
            let version = service.version(&at("a"), seq).await.unwrap();
            blobs.push(version.body.unwrap().stored.blob.0);
        }
        blobs
    };
    let whole = blobs().await;
    assert_eq!(service.pack_all().await.unwrap().versions, 3);
    let packed = blobs().await;
    let service = service.clone().with_settings(settings(keep(1)));
    let all_gone = async |blobs: &[[u8; 16]]| {
        for blob in blobs {
            if engine.blob(*blob, 0..1).await.unwrap().is_some() {
                return false;
            }
        }
        true
    };
    assert!(all_gone(&whole).await && !all_gone(&packed).await);
    let changes = || engine.scan(b"c\0".to_vec()..b"c\x01".to_vec(), 9);
    assert_eq!(changes().await.unwrap().len(), 4);
    service.collect("", None, false).await.unwrap();
    assert!(all_gone(&packed).await);
    assert_eq!(changes().await.unwrap().len(), 1, "of the current one");
}

#[tokio::test]
async fn equal_pieces_of_a_body_are_not_sealed_alike() {
    let (engine, service, _) = two_servers().await;
    let new = body(vec![7; 2 * PIECE_BYTES]);
    let written = service.put(&at("a"), new, &caller("c")).await.unwrap();
    let stored = written.body.unwrap().stored;
    let length = u64::from(stored.pieces[0]);
    assert_eq!(stored.pieces[0], stored.pieces[1]);
    let first = engine.blob(stored.blob.0, 0..length).await.unwrap().unwrap();
    let second = engine
        .blob(stored.blob.0, length..2 * length)
        .await
        .unwrap()
        .unwrap();
    let equal = first.iter().zip(&second).filter(|(one, other)| one == other);
    assert!(equal.count() < first.len() / 2, "one nonce for two pieces");
}

#[tokio::test]
async fn a_size_that_no_body_has_is_found_before_memory_is_taken_for_it() {
    let (engine, service, _) = two_servers_with_versions(2).await;
    service.pack_all().await.unwrap();
    let row = [b"v\0tfstate\0a\0".as_slice(), &(!1_u64).to_be_bytes()].concat();
    let entry = engine.get(&row).await.unwrap().unwrap();
    let text = String::from_utf8(entry.value.to_vec()).unwrap();
    let size = format!(r#""size":{}"#, state(1).len());
    assert!(text.contains(&size));
    let text = text.replace(&size, &format!(r#""size":{}"#, 1_u64 << 60));
    let broken = Batch {
        puts: vec![(row, text.into())],
        ..Batch::default()
    };
    engine.commit(broken).await.unwrap();
    assert!(matches!(
        read(&service, 1).await,
        Err(Error::Damaged { version: 1, .. })
    ));
    assert_eq!(read(&service, 2).await.unwrap(), state(2));
}

#[tokio::test]
async fn a_promoted_version_is_packed_with_nobody() {
    let (engine, service, _) = two_servers_with_versions(4).await;
    delete_version(&service, 4).await;
    let row = [b"v\0tfstate\0a\0".as_slice(), &(!3_u64).to_be_bytes()].concat();
    assert_eq!(engine.get(&row).await.unwrap(), None, "it stands in the record");
    service.pack_all().await.unwrap();
    for seq in 1..=4 {
        assert_eq!(read(&service, seq).await.unwrap(), state(seq));
    }
}

#[tokio::test]
async fn what_is_rolled_back_to_bears_the_digests_of_its_own_bytes() {
    let (_, service, _) = two_servers_with_versions(0).await;
    let mut first = body(state(1));
    let headers = [
        ("content-type", "application/json"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
    ];
    first.content.headers = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    service.put(&at("a"), first, &caller("c")).await.unwrap();
    write(&service, 2).await;
    let back = service.rollback(&at("a"), 1, None, &caller("op")).await.unwrap();
    let back_body = back.body.unwrap();
    assert_eq!(read(&service, back.seq).await.unwrap(), state(3));
    assert_eq!(back_body.md5, hex::encode(body(state(3)).md5));
    assert_eq!(back_body.etag, back_body.md5);
    assert_eq!(service.head_md5(&at("a")).await.unwrap(), Some(back_body.md5));
    let kept: Vec<_> = back_body.content.headers.into_keys().collect();
    assert_eq!(kept, ["content-type"]);
}

#[tokio::test]
async fn what_was_deleted_is_not_promoted() {
    let (_, service, _) = two_servers_with_versions(3).await;
    delete_version(&service, 2).await;
    delete_version(&service, 3).await;
    assert_eq!(service.find(&at("a"), None).await.unwrap().seq, 1);
    delete_version(&service, 1).await;
    assert!(service.find(&at("a"), None).await.is_err());
    for seq in 1..=3 {
        assert_eq!(read(&service, seq).await.unwrap(), state(seq));
    }
}

#[tokio::test]
async fn nobody_rolls_back_to_another_lineage() {
    let (_, service, _) = two_servers_with_versions(1).await;
    let none = Precondition::default();
    service.delete(&at("a"), none, &caller("c")).await.unwrap();
    let other = String::from_utf8(state(9).to_vec()).unwrap();
    let other = other.replace(r#""lineage":"l""#, r#""lineage":"m""#);
    service.put(&at("a"), body(other), &caller("c")).await.unwrap();
    let back = service.rollback(&at("a"), 1, None, &caller("op")).await;
    assert!(matches!(back, Err(OperatorError::OtherLineage { .. })));
}
