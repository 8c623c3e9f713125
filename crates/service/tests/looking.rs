//! Looking at history: pages, names of versions, blame and find say the same as a plain walk over everything.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use common::{at, body, caller, with_bucket};
use proptest::prelude::*;
use serde_json::json;
use tidelock_core::{
    Pattern, Versioning,
    decide::Precondition,
    diff::{Contents, Diff, Kind, Sensitive},
    iam::DEFAULT_ACCOUNT,
};
use tidelock_service::{Error, OperatorError, Service, Sought};

fn state(serial: u64, resources: &[(&str, u64)]) -> Bytes {
    let resources: Vec<_> = resources
        .iter()
        .map(|(name, value)| {
            json!({"mode": "managed", "type": "t", "name": name, "provider": "p",
                "instances": [{"attributes": {"id": format!("id-{name}"), "value": value}}]})
        })
        .collect();
    let state =
        json!({"version": 4, "serial": serial, "lineage": "l", "outputs": {}, "resources": resources});
    state.to_string().into()
}

async fn write(service: &Service, key: &str, bytes: Bytes) {
    service.put(&at(key), body(bytes), &caller("c")).await.unwrap();
}

async fn enable_versions(service: &Service) {
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
}

/// The numbers of all versions, listed so many at a time.
async fn numbers(service: &Service, key: &str, limit: usize) -> Vec<u64> {
    let (mut numbers, mut before) = (Vec::new(), None);
    loop {
        let page = service.history(&at(key), before, limit).await.unwrap();
        assert!(page.versions.len() <= limit);
        numbers.extend(page.versions.iter().map(|version| version.version));
        match page.next {
            Some(next) => before = Some(next),
            None => return numbers,
        }
    }
}

#[tokio::test]
async fn a_history_is_the_same_in_pages_of_any_size() {
    let service = with_bucket().await;
    let newest_first: Vec<_> = (1..=9).rev().collect();
    for serial in 1..=9 {
        write(&service, "a", state(serial, &[])).await;
    }
    for limit in 1..=10 {
        assert_eq!(numbers(&service, "a", limit).await, newest_first, "{limit}");
    }
    assert_eq!(numbers(&service, "nothing", 5).await, [0; 0]);
}

#[tokio::test]
async fn a_deleted_version_that_was_newer_than_the_current_one_keeps_its_place() {
    let service = with_bucket().await;
    enable_versions(&service).await;
    for serial in 1..=3 {
        write(&service, "a", state(serial, &[])).await;
    }
    let newest = service.find(&at("a"), None).await.unwrap();
    service
        .delete_version(&at("a"), &newest.id, &caller("c"))
        .await
        .unwrap();
    for limit in 1..=4 {
        assert_eq!(numbers(&service, "a", limit).await, [3, 2, 1], "{limit}");
    }
    let page = service.history(&at("a"), None, 9).await.unwrap();
    let shown: Vec<_> = page
        .versions
        .iter()
        .map(|one| (one.current, one.hidden_ms.is_some()))
        .collect();
    assert_eq!(shown, [(false, true), (true, false), (false, false)]);
    let (_, current) = service.version_named(&at("a"), "current").await.unwrap();
    assert_eq!(current.version, 2);
    let (_, hidden) = service.version_named(&at("a"), newest.id.as_str()).await.unwrap();
    assert_eq!(hidden.version, 3);
    service
        .delete(&at("a"), Precondition::default(), &caller("c"))
        .await
        .unwrap();
    let (_, marker) = service.version_named(&at("a"), "current").await.unwrap();
    assert!(marker.deleted && marker.current && marker.version == 4);
}

#[tokio::test]
async fn the_null_version_is_the_one_that_s3_shows() {
    let service = with_bucket().await;
    write(&service, "a", state(1, &[])).await;
    write(&service, "a", state(2, &[])).await;
    let (_, null) = service.version_named(&at("a"), "null").await.unwrap();
    assert_eq!((null.version, null.current), (2, true));
    enable_versions(&service).await;
    write(&service, "a", state(3, &[])).await;
    let (_, null) = service.version_named(&at("a"), "null").await.unwrap();
    assert_eq!((null.version, null.current), (2, false));
    let (_, first) = service.version_named(&at("a"), "1").await.unwrap();
    assert!(first.hidden_ms.is_some() && first.id.is_null());
    for missing in ["4", "0", "", "-1", "x", "99999999999999999999999"] {
        let error = service.version_named(&at("a"), missing).await.unwrap_err();
        assert!(matches!(error, Error::NoSuchVersion { version, .. } if version == missing));
    }
}

/// Everything that blame says, by comparing every version with the one before.
fn blamed(states: &[Bytes], pattern: &Pattern) -> (Option<u64>, Option<u64>) {
    let (mut changed, mut created, mut there) = (None, None, BTreeSet::new());
    let mut old = state(0, &[]);
    for (seq, new) in (1..).zip(states) {
        let diff = Diff::between(&old, new, Sensitive::Hide).unwrap();
        let was_there = !there.is_empty();
        for change in diff
            .resources
            .iter()
            .filter(|change| pattern.matches(&change.address))
        {
            changed = Some(seq);
            match change.kind {
                Kind::Added => there.insert(change.address.clone()),
                Kind::Removed => there.remove(&change.address),
                Kind::Changed => true,
            };
        }
        if !was_there && !there.is_empty() {
            created = Some(seq);
        }
        old = new.clone();
    }
    (changed, created)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn blame_says_what_a_comparison_of_all_versions_says(
        contents in prop::collection::vec(prop::collection::btree_map(prop::sample::select(vec!["a", "ab", "b"]), 0..3_u64, 0..3), 1..12),
        counted in 0..12_usize,
        pattern in prop::sample::select(vec!["t.a", "t.b", "t", "*b", "t.z"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let states: Vec<_> = (1..).zip(&contents).map(|(serial, resources)| {
            state(serial, &resources.iter().map(|(name, value)| (*name, *value)).collect::<Vec<_>>())
        }).collect();
        let pattern = Pattern::parse(pattern).unwrap();
        let found = runtime.block_on(async {
            let service = with_bucket().await;
            for (at, bytes) in states.iter().enumerate() {
                if at == counted {
                    service.pack_all().await.unwrap();
                }
                write(&service, "a", bytes.clone()).await;
            }
            service.blame(&at("a"), &pattern, "r", None).await.unwrap()
        });
        let numbers = (found.version.map(|entry| entry.version), found.created.map(|entry| entry.version));
        prop_assert_eq!(numbers, blamed(&states, &pattern));
    }
}

#[tokio::test]
async fn blame_begins_where_it_is_told_to() {
    let service = with_bucket().await;
    for serial in 1..=4 {
        write(&service, "a", state(serial, &[("a", serial / 2)])).await;
    }
    let pattern = Pattern::parse("t.a").unwrap();
    let blame = async |before| {
        let blame = service.blame(&at("a"), &pattern, "t.a", before).await.unwrap();
        (blame.version.map(|entry| entry.version), blame.against)
    };
    assert_eq!(blame(None).await, (Some(4), Some(3)));
    assert_eq!(blame(Some(4)).await, (Some(2), Some(1)));
    assert_eq!(blame(Some(2)).await, (Some(1), None));
    assert_eq!(blame(Some(1)).await, (None, None));
}

#[tokio::test]
async fn an_encrypted_state_is_no_riddle() {
    let service = with_bucket().await;
    write(&service, "a", state(1, &[("a", 1)])).await;
    let sealed = br#"{"serial":2,"lineage":"l","meta":{},"encrypted_data":"x","encryption_version":"v0"}"#;
    write(&service, "a", Bytes::from_static(sealed)).await;
    let pattern = Pattern::parse("t.a").unwrap();
    let refused = service.blame(&at("a"), &pattern, "t.a", None).await.unwrap_err();
    assert!(matches!(refused, OperatorError::Senseless(_)), "{refused}");
    // What was encrypted in between is passed over.
    write(&service, "a", state(3, &[("a", 2)])).await;
    let blame = service.blame(&at("a"), &pattern, "t.a", None).await.unwrap();
    assert_eq!((blame.version.unwrap().version, blame.against), (3, Some(1)));
}

#[tokio::test]
async fn find_and_states_go_on_where_the_page_before_ended() {
    let service = with_bucket().await;
    service.create_bucket("other", DEFAULT_ACCOUNT).await.unwrap();
    for key in ["a", "b/c", "b/d", "e"] {
        write(&service, key, state(1, &[("a", 1)])).await;
    }
    write(&service, "b/notes", Bytes::from_static(b"no state")).await;
    service
        .delete(&at("e"), Precondition::default(), &caller("c"))
        .await
        .unwrap();
    let sought = Sought {
        resource: Some(Pattern::parse("t.a").unwrap()),
        id: None,
    };
    let find = async |prefix: &str, after: &str| -> Vec<String> {
        let page = service.find_resource(&sought, prefix, after).await.unwrap();
        page.found.into_iter().map(|found| found.address).collect()
    };
    assert_eq!(find("", "").await, ["tfstate/a", "tfstate/b/c", "tfstate/b/d"]);
    assert_eq!(find("", "tfstate/b/c").await, ["tfstate/b/d"]);
    assert_eq!(find("tfstate/b/", "").await, ["tfstate/b/c", "tfstate/b/d"]);
    assert_eq!(
        find("tfstate/b/", "tfstate/a").await,
        ["tfstate/b/c", "tfstate/b/d"]
    );
    assert_eq!(find("other", "").await, [""; 0]);
    let states = service.states("", "tfstate/a").await.unwrap();
    let states: Vec<_> = states
        .states
        .iter()
        .map(|state| (state.address.as_str(), state.serial))
        .collect();
    assert_eq!(
        states,
        [
            ("tfstate/b/c", Some(1)),
            ("tfstate/b/d", Some(1)),
            ("tfstate/e", None)
        ]
    );
}

#[tokio::test]
async fn a_large_search_ends_its_page_and_goes_on() {
    let service = with_bucket().await;
    let many: Vec<String> = (0..600).map(|n| format!("r{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), 1)).collect();
    for key in ["a", "b", "c"] {
        write(&service, key, state(1, &many)).await;
    }
    let sought = Sought {
        resource: Some(Pattern::parse("t").unwrap()),
        id: None,
    };
    let first = service.find_resource(&sought, "", "").await.unwrap();
    assert_eq!(
        (first.found.len(), first.next.as_deref()),
        (1_200, Some("tfstate/b"))
    );
    let second = service.find_resource(&sought, "", "tfstate/b").await.unwrap();
    assert_eq!((second.found.len(), second.next), (600, None));
    let contents = Contents::read(&state(1, &many), Sensitive::Hide).unwrap();
    assert_eq!(contents.resources.len(), 600);
}

#[tokio::test]
async fn nobody_waits_for_a_look() {
    let service = with_bucket().await;
    let writer = {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            for serial in 1..=200 {
                write(&service, "a", state(serial, &[("a", serial)])).await;
            }
        })
    };
    while !writer.is_finished() {
        let page = service.history(&at("a"), None, 1_000).await.unwrap();
        let numbers: Vec<_> = page.versions.iter().map(|version| version.version).collect();
        let newest = numbers.first().copied().unwrap_or_default();
        assert_eq!(numbers, (1..=newest).rev().collect::<Vec<_>>());
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

/// A state whose resource `t.a` has a current object, a deposed one, or both.
fn with_deposed(serial: u64, current: bool, deposed: bool) -> Bytes {
    let mut instances = Vec::new();
    if current {
        instances.push(json!({"attributes": {"id": "new"}}));
    }
    if deposed {
        instances.push(json!({"deposed": "0badcafe", "attributes": {"id": "old"}}));
    }
    let resource =
        json!({"mode": "managed", "type": "t", "name": "a", "provider": "p", "instances": instances});
    let state =
        json!({"version": 4, "serial": serial, "lineage": "l", "outputs": {}, "resources": [resource]});
    state.to_string().into()
}

#[tokio::test]
async fn a_deposed_object_neither_makes_nor_ends_its_resource() {
    let service = with_bucket().await;
    for (serial, deposed) in [(1, false), (2, true), (3, false)] {
        write(&service, "a", with_deposed(serial, true, deposed)).await;
    }
    let pattern = Pattern::parse("t.a").unwrap();
    // Before and after the server has noted what each version changed.
    for _ in 0..2 {
        let blame = service.blame(&at("a"), &pattern, "t.a", None).await.unwrap();
        let (changed, created) = (blame.version.unwrap().version, blame.created.unwrap().version);
        assert_eq!((changed, created), (3, 1));
        assert_eq!(blame.changes.len(), 1);
        assert_eq!(
            (blame.changes[0].address.as_str(), blame.changes[0].kind),
            ("t.a", Kind::Changed)
        );
        service.pack_all().await.unwrap();
    }
}

#[tokio::test]
async fn a_resource_among_too_many_to_note_is_found_all_the_same() {
    let service = with_bucket().await;
    let names: Vec<String> = (0..1_100).map(|n| format!("r{n}")).collect();
    let all = |value| {
        names
            .iter()
            .map(|name| (name.as_str(), value))
            .collect::<Vec<_>>()
    };
    write(&service, "a", state(1, &all(1))).await;
    write(&service, "a", state(2, &all(2))).await;
    write(&service, "a", state(3, &all(2)[1..])).await;
    service.pack_all().await.unwrap();
    for name in ["t.r5", "t.r999", "t.r1099"] {
        let pattern = Pattern::parse(name).unwrap();
        let blame = service.blame(&at("a"), &pattern, name, None).await.unwrap();
        let (changed, created) = (blame.version.unwrap(), blame.created.unwrap());
        assert_eq!((changed.version, created.version), (2, 1), "{name}");
        assert_eq!(changed.changes.unwrap().changed, 1_100);
    }
}

#[tokio::test]
async fn a_blame_of_a_long_history_goes_on_page_by_page() {
    let service = with_bucket().await;
    write(&service, "a", state(1, &[("a", 1)])).await;
    for serial in 2..=2_200 {
        write(&service, "a", state(serial, &[("a", 1), ("b", serial)])).await;
    }
    service.pack_all().await.unwrap();
    let pattern = Pattern::parse("t.a").unwrap();
    let first = service.blame(&at("a"), &pattern, "t.a", None).await.unwrap();
    assert!(first.version.is_none() && first.created.is_none());
    let second = service
        .blame(&at("a"), &pattern, "t.a", first.next)
        .await
        .unwrap();
    assert!(first.next < Some(2_200) && second.next.is_none());
    assert_eq!(second.created.unwrap().version, 1);
}
