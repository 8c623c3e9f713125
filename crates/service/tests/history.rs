//! History: what is stored of it, and that it reads back.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{at, body, caller, with_bucket};
use tidelock_core::{Versioning, decide::Precondition, iam::DEFAULT_ACCOUNT};
use tidelock_service::Service;

fn state(serial: u64, resources: usize) -> Bytes {
    // What changes from one serial to the next is spread over the whole.
    let resources: Vec<_> = (0..resources)
        .map(|n| {
            let value = match n as u64 % 7 == serial % 7 {
                true => serial * 1_000_003,
                false => n as u64,
            };
            format!(
                r#"{{"mode":"managed","type":"null_resource","name":"r{n}","provider":"provider[\"x\"]","instances":[{{"schema_version":0,"attributes":{{"id":"{value}"}}}}]}}"#
            )
        })
        .collect();
    let resources = resources.join(",");
    let text = format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{}},"resources":[{resources}]}}"#
    );
    Bytes::from(text)
}

async fn read(service: &Service, key: &str, seq: u64) -> Bytes {
    let version = service.version(&at(key), seq).await.unwrap();
    service
        .read_all(&at(key), seq, &version.body.unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn every_version_reads_back_whatever_the_packer_made_of_it() {
    let service = with_bucket().await;
    let mut packed = 0;
    for serial in 1..=300 {
        service
            .put(&at("a"), body(state(serial, 20)), &caller("c"))
            .await
            .unwrap();
        if serial % 7 == 0 {
            packed += service.pack_all().await.unwrap().versions;
        }
    }
    packed += service.pack_all().await.unwrap().versions;
    assert!(packed > 299, "{packed}");
    assert_eq!(service.pack_all().await.unwrap().versions, 0, "there is an end");
    let mut deltas = 0;
    for serial in 1..=300 {
        assert_eq!(read(&service, "a", serial).await, state(serial, 20), "{serial}");
        let version = service.version(&at("a"), serial).await.unwrap();
        deltas += usize::from(version.body.unwrap().stored.base.is_some());
    }
    // 256 stands alone for good, 272, 288, 292 and 296 until there is a 304 or a 320, and 300 is the newest.
    assert_eq!(deltas, 294);
}

#[tokio::test]
async fn a_reader_is_not_disturbed_by_the_packer() {
    let service = with_bucket().await;
    let big = |serial| state(serial, 20_000);
    service.put(&at("a"), body(big(1)), &caller("c")).await.unwrap();
    let first = service.find(&at("a"), None).await.unwrap();
    let first_body = first.body.unwrap();
    let mut reading = service.reading(&at("a"), first.seq, &first_body, 5..first_body.size);
    let mut bytes = reading.next().await.unwrap().unwrap().to_vec();
    service.put(&at("a"), body(big(2)), &caller("c")).await.unwrap();
    assert_eq!(service.pack_all().await.unwrap().versions, 1);
    while let Some(piece) = reading.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes, big(1)[5..]);
}

#[tokio::test]
async fn a_version_that_was_deleted_before_it_was_compared_is_compared_with_the_current_one() {
    let service = with_bucket().await;
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
    let (address, writer) = (at("a"), caller("c"));
    service.put(&address, body(state(1, 3)), &writer).await.unwrap();
    let second = service.put(&address, body(state(2, 4)), &writer).await.unwrap();
    service
        .delete_version(&address, &second.id, &writer)
        .await
        .unwrap();
    service.pack_all().await.unwrap();
    let (_, entry) = service.version_named(&address, "2").await.unwrap();
    let changes = entry.changes.unwrap();
    assert_eq!(
        (changes.added, changes.removed),
        (1, 0),
        "of four resources three were there"
    );
}

#[tokio::test]
async fn what_s3_forgets_stays_in_history() {
    let service = with_bucket().await;
    for serial in 1..=3 {
        service
            .put(&at("a"), body(state(serial, 3)), &caller("c"))
            .await
            .unwrap();
    }
    service
        .delete(&at("a"), Precondition::default(), &caller("c"))
        .await
        .unwrap();
    assert!(service.find(&at("a"), None).await.is_err());
    service.pack_all().await.unwrap();
    service.delete_bucket("tfstate").await.unwrap();
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    for serial in 1..=3 {
        assert_eq!(read(&service, "a", serial).await, state(serial, 3));
        let version = service.version(&at("a"), serial).await.unwrap();
        assert!(version.hidden.is_some());
    }
    let back = service
        .rollback(&at("a"), 2, Some(""), &caller("op"))
        .await
        .unwrap();
    assert_eq!(
        back.body.unwrap().state.unwrap().serial,
        4,
        "above every serial there was"
    );
}

#[tokio::test]
async fn a_version_that_s3_deletes_is_not_shown_and_not_lost() {
    let service: Arc<Service> = with_bucket().await;
    service
        .change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .unwrap();
    let mut ids = Vec::new();
    for serial in 1..=6 {
        let written = service.put(&at("a"), body(state(serial, 3)), &caller("c")).await;
        ids.push(written.unwrap().id);
    }
    service.pack_all().await.unwrap();
    for gone in [5, 2, 4] {
        let id = &ids[gone];
        service.delete_version(&at("a"), id, &caller("c")).await.unwrap();
        assert!(service.find(&at("a"), Some(id)).await.is_err());
    }
    let head = service.find(&at("a"), None).await.unwrap();
    assert_eq!(head.id, ids[3], "the newest that is shown");
    service
        .put(&at("a"), body(state(9, 3)), &caller("c"))
        .await
        .unwrap();
    service.pack_all().await.unwrap();
    for serial in 1..=6 {
        assert_eq!(read(&service, "a", serial).await, state(serial, 3));
    }
    let query = tidelock_service::VersionQuery {
        limit: 10,
        ..Default::default()
    };
    let page = service.list_versions("tfstate", &query).await.unwrap();
    let shown: Vec<_> = page.entries.iter().map(|entry| entry.version.seq).collect();
    assert_eq!(shown, [7, 4, 2, 1]);
}
