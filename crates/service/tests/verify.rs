//! Verification, a page at a time: each body once, whatever happens between two pages.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::{at, body, caller, with_bucket};
use tidelock_core::{Content, limits::VERIFY_PAGE_BODIES_MAX};
use tidelock_service::{NewPart, OperatorError, Service, VerifyPage};

fn no_checksums(_: &Content, _: &[u8], _: &[u64]) -> Result<(), String> {
    Ok(())
}

async fn pages(service: &Service, prefix: &str) -> Vec<VerifyPage> {
    let mut pages: Vec<VerifyPage> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.clone());
        if after.is_none() && !pages.is_empty() {
            return pages;
        }
        pages.push(
            service
                .verify(prefix, after.as_deref(), no_checksums)
                .await
                .unwrap(),
        );
    }
}

fn checked(pages: &[VerifyPage]) -> u64 {
    assert!(pages.iter().all(|page| page.damaged.is_empty()), "{pages:?}");
    pages.iter().map(|page| page.checked).sum()
}

fn state(serial: u64) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"l","resources":[]}}"#)
}

async fn with_states(count: u64) -> Arc<Service> {
    let service = with_bucket().await;
    for number in 0..count {
        let key = format!("a{number:05}");
        service
            .put(&at(&key), body(state(1)), &caller("c"))
            .await
            .unwrap();
    }
    service
}

#[tokio::test]
async fn every_body_is_verified_once_over_several_pages() {
    let count = VERIFY_PAGE_BODIES_MAX + 7;
    let service = with_states(count).await;
    // An older version, and a refused write.
    service
        .put(&at("a00003"), body(state(2)), &caller("c"))
        .await
        .unwrap();
    service
        .put(&at("a00003"), body(state(1)), &caller("c"))
        .await
        .unwrap_err();
    let pages = pages(&service, "").await;
    assert_eq!(pages.len(), 2);
    assert_eq!(checked(&pages), count + 2);
}

#[tokio::test]
async fn only_what_begins_with_the_prefix_is_verified() {
    let service = with_states(30).await;
    for (prefix, expected) in [
        ("", 30),
        ("tf", 30),
        ("tfstate/a0000", 10),
        ("tfstate/a00003", 1),
        ("tfstate/b", 0),
        ("other", 0),
    ] {
        assert_eq!(checked(&pages(&service, prefix).await), expected, "{prefix}");
    }
}

#[tokio::test]
async fn a_page_may_end_between_two_parts_of_an_upload() {
    let service = with_states(1).await;
    let upload = service
        .create_upload(&at("large"), Content::default(), &caller("c"))
        .await
        .unwrap()
        .id;
    let part = Bytes::from(vec![7; 30 * 1024 * 1024]);
    for number in [1, 2, 3, 9_999, 10_000] {
        let md5 = body(part.clone()).md5;
        let new = NewPart {
            number,
            bytes: part.clone(),
            md5,
            checksums: BTreeMap::new(),
            of: None,
        };
        service.put_part(&at("large"), &upload, new).await.unwrap();
    }
    let pages = pages(&service, "").await;
    assert_eq!(pages.iter().map(|page| page.checked).collect::<Vec<_>>(), [4, 2]);
    assert_eq!(checked(&pages), 6);
}

#[tokio::test]
async fn what_a_page_did_not_say_is_no_place_to_go_on() {
    let service = with_states(1).await;
    for after in ["x", "00.", "00.x", "0"] {
        let refused = service.verify("", Some(after), no_checksums).await;
        assert!(
            matches!(refused, Err(OperatorError::Senseless(_))),
            "{after}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_checksum_that_does_not_hold_is_damage() {
    let service = with_states(2).await;
    let refuses = |_: &Content, _: &[u8], _: &[u64]| Err("its CRC32 is not x, as it was".to_owned());
    let page = service.verify("tfstate/a00001", None, refuses).await.unwrap();
    let [damaged] = &page.damaged[..] else {
        panic!("{page:?}");
    };
    assert_eq!((damaged.version, damaged.readable), (Some(1), false));
    assert!(damaged.what.contains("CRC32"), "{damaged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_packed_and_deleted_meanwhile_is_no_damage() {
    const STATES: u64 = 150;
    let service = with_states(1).await;
    let writer = {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            for serial in 2..=STATES {
                service
                    .put(&at("a00000"), body(state(serial)), &caller("c"))
                    .await
                    .unwrap();
                let other = format!("not a state {serial}");
                service.put(&at("b"), body(other), &caller("c")).await.unwrap();
                service.pack_all().await.unwrap();
            }
        })
    };
    // The writer has an end of its own: what it adds makes every round longer.
    while !writer.is_finished() {
        checked(&pages(&service, "").await);
    }
    writer.await.unwrap();
    assert_eq!(checked(&pages(&service, "").await), STATES + 1);
}
