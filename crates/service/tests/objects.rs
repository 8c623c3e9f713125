//! Buckets, objects, versions, uploads and listings through the service.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use common::{FakeWorld, acquire, at, body, caller, part, with_bucket};
use proptest::prelude::*;
use tidelock_core::{
    Content, Facet, Versioning,
    decide::Precondition,
    iam::DEFAULT_ACCOUNT,
    limits::{PIN_MS, PIN_TOTAL_MS, PINS_MAX},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Error, ListQuery, Part, Service, VersionQuery};

fn no_seal(_: &[u8], _: &[Part]) -> Result<BTreeMap<String, String>, String> {
    Ok(BTreeMap::new())
}

async fn enable(service: &Service) {
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
}

async fn read(service: &Service, key: &str) -> Vec<u8> {
    let found = service.find(&at(key), None).await.unwrap();
    let (seq, body) = (found.seq, found.body.unwrap());
    service.read_all(&at(key), seq, &body).await.unwrap().to_vec()
}

#[tokio::test]
async fn what_is_written_is_read_back_and_known_for_a_state() {
    let service = with_bucket().await;
    let state = r#"{"version":4,"serial":9,"lineage":"l","resources":[]}"#;
    let version = service.put(&at("a"), body(state), &caller("c")).await.unwrap();
    assert_eq!(version.body.as_ref().unwrap().state.as_ref().unwrap().serial, 9);
    assert_eq!(read(&service, "a").await, state.as_bytes());
    assert_eq!(
        service.head_md5(&at("a")).await.unwrap(),
        Some(version.body.unwrap().md5)
    );
}

#[tokio::test]
async fn large_states_are_known_too() {
    let service = with_bucket().await;
    let state = format!(
        r#"{{"version":4,"serial":9,"lineage":"l","x":"{}"}}"#,
        "y".repeat(1_000_000)
    );
    let version = service.put(&at("a"), body(state), &caller("c")).await.unwrap();
    assert!(version.body.unwrap().state.is_some());
}

#[tokio::test]
async fn overwriting_without_versioning_frees_the_old_blob() {
    let service = with_bucket().await;
    let first = service
        .put(&at("a"), body("1"), &caller("c"))
        .await
        .unwrap()
        .body
        .unwrap();
    service.put(&at("a"), body("2"), &caller("c")).await.unwrap();
    assert!(service.read_all(&at("a"), 1, &first).await.is_err());
    service
        .delete(&at("a"), Precondition::default(), &caller("c"))
        .await
        .unwrap();
    assert!(matches!(
        service.find(&at("a"), None).await,
        Err(Error::NoSuchKey { marker: None, .. })
    ));
}

#[tokio::test]
async fn versions_stay_readable_until_each_is_deleted() {
    let service = with_bucket().await;
    enable(&service).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(
            service
                .put(&at("a"), body(format!("{n}")), &caller("c"))
                .await
                .unwrap()
                .id,
        );
    }
    let marker = service
        .delete(&at("a"), Precondition::default(), &caller("c"))
        .await
        .unwrap()
        .version
        .unwrap();
    assert!(matches!(
        service.find(&at("a"), None).await,
        Err(Error::NoSuchKey { marker: Some(_), .. })
    ));
    service
        .delete_version(&at("a"), &marker.id, &caller("c"))
        .await
        .unwrap();
    assert_eq!(read(&service, "a").await, b"2");
    service
        .delete_version(&at("a"), &ids[2], &caller("c"))
        .await
        .unwrap();
    assert_eq!(read(&service, "a").await, b"1");
    service
        .delete_version(&at("a"), &ids[0], &caller("c"))
        .await
        .unwrap();
    assert!(matches!(
        service.find(&at("a"), Some(&ids[0])).await,
        Err(Error::NoSuchVersion { .. })
    ));
    assert!(matches!(
        service.delete_bucket("tfstate").await,
        Err(Error::BucketNotEmpty(_))
    ));
    service
        .delete_version(&at("a"), &ids[1], &caller("c"))
        .await
        .unwrap();
    service.delete_bucket("tfstate").await.unwrap();
}

#[tokio::test]
async fn of_many_who_create_the_same_object_one_succeeds() {
    let service = with_bucket().await;
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                let mut new = body(format!("{n}"));
                new.precondition.absent = true;
                service.put(&at("a"), new, &caller("c")).await
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(Error::Precondition { condition }) => assert_eq!(condition, "If-None-Match"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_bucket_with_a_lock_or_an_object_is_not_deleted_and_stays_usable() {
    let service = with_bucket().await;
    service
        .acquire(&at("a"), &acquire("x", Facet::File))
        .await
        .unwrap();
    assert!(matches!(
        service.delete_bucket("tfstate").await,
        Err(Error::BucketNotEmpty(_))
    ));
    service.put(&at("b"), body("1"), &caller("c")).await.unwrap();
    assert!(matches!(
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await,
        Err(Error::BucketExists(_))
    ));
    assert!(matches!(
        service
            .put(&common::at("a.tflock"), body("1"), &caller("c"))
            .await,
        Err(Error::LockFile(_))
    ));
}

#[tokio::test]
async fn an_upload_becomes_one_body_and_a_repeated_completion_answers_the_same() {
    let service = with_bucket().await;
    let upload = service
        .create_upload(&at("a"), Content::default(), &caller("c"))
        .await
        .unwrap()
        .id;
    let pieces = [vec![b'x'; 5 * 1_024 * 1_024], b"tail".to_vec()];
    let mut named = Vec::new();
    for (number, piece) in [(2, &pieces[1]), (1, &pieces[0])] {
        // The first try of a part is replaced by the second.
        service
            .put_part(&at("a"), &upload, part(number, "old"))
            .await
            .unwrap();
        let part = service
            .put_part(&at("a"), &upload, part(number, piece.clone()))
            .await
            .unwrap();
        named.insert(0, (number, part.md5));
    }
    let (address, writer) = (at("a"), caller("c"));
    let complete = || {
        service.complete_upload(
            &address,
            &upload,
            &named,
            Precondition::default(),
            &no_seal,
            &writer,
        )
    };
    let made = complete().await.unwrap();
    assert_eq!(read(&service, "a").await, pieces.concat());
    assert!(made.body.as_ref().unwrap().etag.ends_with("-2"));
    assert_eq!(complete().await.unwrap(), made);
    assert!(matches!(
        service.parts(&at("a"), &upload, 0, 10).await,
        Err(Error::NoSuchUpload(_))
    ));
}

#[tokio::test]
async fn an_upload_that_does_not_add_up_is_refused_and_stays_open() {
    let service = with_bucket().await;
    let upload = service
        .create_upload(&at("a"), Content::default(), &caller("c"))
        .await
        .unwrap()
        .id;
    for number in [1, 2] {
        service
            .put_part(&at("a"), &upload, part(number, "small"))
            .await
            .unwrap();
    }
    let etag = hex::encode(body("small").md5);
    let complete = async |named: &[(u32, String)]| {
        service
            .complete_upload(
                &at("a"),
                &upload,
                named,
                Precondition::default(),
                &no_seal,
                &caller("c"),
            )
            .await
    };
    let named = |numbers: &[u32]| numbers.iter().map(|n| (*n, etag.clone())).collect::<Vec<_>>();
    assert!(matches!(
        complete(&named(&[2, 1])).await,
        Err(Error::InvalidPartOrder)
    ));
    assert!(matches!(
        complete(&named(&[1, 2])).await,
        Err(Error::PartTooSmall { number: 1, size: 5 })
    ));
    assert!(matches!(complete(&named(&[3])).await, Err(Error::InvalidPart(3))));
    assert!(matches!(
        complete(&[(1, "no".to_owned())]).await,
        Err(Error::InvalidPart(1))
    ));
    assert_eq!(
        service
            .uploads("tfstate", "", None, 10)
            .await
            .unwrap()
            .uploads
            .len(),
        1
    );
    service.abort_upload(&at("a"), &upload).await.unwrap();
    assert!(
        service
            .uploads("tfstate", "", None, 10)
            .await
            .unwrap()
            .uploads
            .is_empty()
    );
    service.delete_bucket("tfstate").await.unwrap();
}

#[tokio::test]
async fn a_lock_file_is_listed_in_its_place_while_it_is_held() {
    let service = with_bucket().await;
    for key in ["a", "a-b", "a.z"] {
        service.put(&at(key), body(key), &caller("c")).await.unwrap();
    }
    service
        .acquire(&at("a"), &acquire("x", Facet::File))
        .await
        .unwrap();
    let keys = async || {
        let page = service
            .list(
                "tfstate",
                &ListQuery {
                    limit: 100,
                    ..ListQuery::default()
                },
            )
            .await
            .unwrap();
        page.entries
            .into_iter()
            .map(|entry| entry.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["a", "a-b", "a.tflock", "a.z"]);
    service
        .release(&at("a"), &common::release("x", Facet::File))
        .await
        .unwrap();
    assert_eq!(keys().await, ["a", "a-b", "a.z"]);
}

/// What a listing must show, from the plain set of keys.
fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> BTreeSet<String> {
    let show = |key: &String| {
        let rest = key.strip_prefix(prefix)?;
        let cut = delimiter.and_then(|d| rest.find(d).map(|at| prefix.len() + at + d.len()));
        Some(cut.map_or(key.clone(), |cut| key[..cut].to_owned()))
    };
    keys.iter().filter_map(show).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_of_any_size_show_every_key_once(
        keys in prop::collection::btree_set("[ab/.ü]{1,5}", 0..25),
        prefix in "[ab/]{0,2}",
        delimiter in prop::option::of(prop_oneof![Just("/"), Just("b/"), Just("ü")]),
        limit in 1..7_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let service = with_bucket().await;
            for key in &keys {
                service.put(&at(key), body("x"), &caller("c")).await.unwrap();
            }
            let delimiter = delimiter.map(str::to_owned);
            let wanted: Vec<String> = expected(&keys, &prefix, delimiter.as_deref()).into_iter().collect();
            let mut query = ListQuery { prefix: prefix.clone(), delimiter: delimiter.clone(), after: String::new(), limit };
            let mut seen = Vec::new();
            loop {
                let page = service.list("tfstate", &query).await.unwrap();
                let mut shown: Vec<String> = page.entries.into_iter().map(|e| e.key).chain(page.prefixes).collect();
                shown.sort();
                assert!(shown.len() <= limit);
                seen.extend(shown);
                match page.next { Some(next) => query.after = next, None => break }
            }
            assert_eq!(seen, wanted);

            let mut query = VersionQuery { prefix, delimiter, limit, ..VersionQuery::default() };
            let mut seen = Vec::new();
            loop {
                let page = service.list_versions("tfstate", &query).await.unwrap();
                let mut shown: Vec<String> = page.entries.into_iter().map(|e| e.key).chain(page.prefixes).collect();
                shown.sort();
                seen.extend(shown);
                match page.next { Some((key, version)) => { query.key_marker = key; query.version_marker = version; }, None => break }
            }
            assert_eq!(seen, wanted);
        });
    }
}

#[tokio::test]
async fn versions_are_paged_through_within_a_key() {
    let service = with_bucket().await;
    enable(&service).await;
    for n in 0..5 {
        service
            .put(&at("a"), body(format!("{n}")), &caller("c"))
            .await
            .unwrap();
        service
            .put(&at("b"), body(format!("{n}")), &caller("c"))
            .await
            .unwrap();
    }
    let mut query = VersionQuery {
        limit: 3,
        ..VersionQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = service.list_versions("tfstate", &query).await.unwrap();
        seen.extend(
            page.entries
                .into_iter()
                .map(|entry| (entry.key, entry.version.seq, entry.is_latest)),
        );
        match page.next {
            Some((key, version)) => (query.key_marker, query.version_marker) = (key, version),
            None => break,
        }
    }
    let wanted: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|key| (1..=5).rev().map(|seq| (key.to_string(), seq, seq == 5)))
        .collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_reader_in_ranges_goes_on_with_the_version_its_head_saw() {
    let service = with_bucket().await;
    enable(&service).await;
    let (reader, writer) = (caller("reader"), caller("writer"));
    service.put(&at("a"), body("old"), &writer).await.unwrap();
    let seen = service.find_and_pin(&at("a"), &reader).await.unwrap();
    let new = service.put(&at("a"), body("newer"), &writer).await.unwrap();
    assert_eq!(service.find_pinned(&at("a"), &reader).await.unwrap(), seen);
    assert_eq!(
        service.find_pinned(&at("a"), &writer).await.unwrap(),
        new,
        "others see what is current"
    );
    service.delete_version(&at("a"), &seen.id, &writer).await.unwrap();
    assert_eq!(
        service.find_pinned(&at("a"), &reader).await.unwrap(),
        new,
        "what is gone is not missed"
    );
}

#[tokio::test]
async fn a_state_is_read_on_in_ranges_although_s3_has_forgotten_it() {
    let service = with_bucket().await;
    let state = |serial: u64| body(format!(r#"{{"version":4,"serial":{serial},"lineage":"l"}}"#));
    let (reader, writer) = (caller("reader"), caller("writer"));
    service.put(&at("a"), state(1), &writer).await.unwrap();
    let seen = service.find_and_pin(&at("a"), &reader).await.unwrap();
    service.put(&at("a"), state(2), &writer).await.unwrap();
    let found = service.find_pinned(&at("a"), &reader).await.unwrap();
    assert_eq!(
        (found.seq, found.body),
        (seen.seq, seen.body),
        "the version without an ID"
    );
}

#[tokio::test]
async fn who_writes_sees_its_own_write_at_once() {
    let service = with_bucket().await;
    service.put(&at("a"), body("old"), &caller("c")).await.unwrap();
    service.find_and_pin(&at("a"), &caller("c")).await.unwrap();
    let new = service.put(&at("a"), body("newer"), &caller("c")).await.unwrap();
    assert_eq!(service.find_pinned(&at("a"), &caller("c")).await.unwrap(), new);
}

#[tokio::test]
async fn a_reader_who_finds_no_room_for_a_pin_does_not_keep_its_old_one() {
    let service = with_bucket().await;
    enable(&service).await;
    service.put(&at("a"), body("old"), &caller("w")).await.unwrap();
    service.find_and_pin(&at("a"), &caller("r")).await.unwrap();
    for other in 1..PINS_MAX {
        let other = caller(&other.to_string());
        service.find_and_pin(&at("a"), &other).await.unwrap();
    }
    let new = service.put(&at("a"), body("new"), &caller("w")).await.unwrap();
    assert_eq!(service.find_and_pin(&at("a"), &caller("r")).await.unwrap(), new);
    assert_eq!(service.find_pinned(&at("a"), &caller("r")).await.unwrap(), new);
}

#[tokio::test]
async fn a_marker_outside_of_the_prefix_adds_nothing_to_a_listing_of_versions() {
    let service = with_bucket().await;
    enable(&service).await;
    let mut versions = Vec::new();
    for key in ["a", "a", "b"] {
        versions.push(service.put(&at(key), body(key), &caller("w")).await.unwrap().id);
    }
    let query = VersionQuery {
        prefix: "b".to_owned(),
        key_marker: "a".to_owned(),
        version_marker: versions.get(1).cloned(),
        limit: 10,
        ..VersionQuery::default()
    };
    let page = service.list_versions("tfstate", &query).await.unwrap();
    let shown: Vec<_> = page.entries.iter().map(|entry| &entry.version.id).collect();
    assert_eq!(shown, [&versions[2]]);
}

#[tokio::test]
async fn who_reads_ranges_for_ever_sees_the_present_in_the_end() {
    let world = Arc::new(FakeWorld::default());
    let service = common::over(Arc::new(MemoryEngine::new()), world.clone());
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    enable(&service).await;
    let old = service.put(&at("a"), body("old"), &caller("w")).await.unwrap();
    service.find_and_pin(&at("a"), &caller("r")).await.unwrap();
    let new = service.put(&at("a"), body("new"), &caller("w")).await.unwrap();
    let mut passed = 0;
    while passed < PIN_TOTAL_MS - PIN_MS {
        world.pass(PIN_MS / 2);
        passed += PIN_MS / 2;
        assert_eq!(service.find_pinned(&at("a"), &caller("r")).await.unwrap(), old);
    }
    for _ in 0..2 {
        world.pass(PIN_MS / 2);
        service.find_pinned(&at("a"), &caller("r")).await.unwrap();
    }
    assert_eq!(service.find_pinned(&at("a"), &caller("r")).await.unwrap(), new);
}

#[tokio::test]
async fn a_pin_that_has_run_out_does_not_come_back() {
    let world = Arc::new(FakeWorld::default());
    let service = common::over(Arc::new(MemoryEngine::new()), world.clone());
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    enable(&service).await;
    service.put(&at("a"), body("old"), &caller("w")).await.unwrap();
    service.find_and_pin(&at("a"), &caller("r")).await.unwrap();
    let new = service.put(&at("a"), body("new"), &caller("w")).await.unwrap();
    world.pass(PIN_MS);
    for _ in 0..2 {
        assert_eq!(service.find_pinned(&at("a"), &caller("r")).await.unwrap(), new);
    }
}
