//! States that were written elsewhere go behind what is here.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use bytes::Bytes;
use common::{acquire, at, body, caller, with_bucket};
use md5::{Digest, Md5};
use tidelock_core::{Caller, Facet, Time, Versioning, Writer, decide::Fingerprint};
use tidelock_service::{Error, Foreign, ImportError, Locking, Service};

fn state(serial: u64) -> Bytes {
    format!(r#"{{"version": 4, "serial": {serial}, "lineage": "l", "resources": [{serial}]}}"#).into()
}

fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

fn foreign(written: i64, bytes: &Bytes) -> Foreign {
    Foreign {
        md5: md5_of(bytes),
        bytes: Some(bytes.clone()),
        written: Time(written),
        number: 0,
        writer: None,
        follows: None,
    }
}

async fn numbers(service: &Service) -> Vec<u64> {
    let mut found = Vec::new();
    for seq in 1..20 {
        if let Ok(version) = service.version(&at("a"), seq).await {
            found.push(version.seq);
        }
    }
    found
}

#[tokio::test]
async fn every_version_of_an_imported_history_reads_as_it_was_written() {
    for versioning in [Versioning::Unversioned, Versioning::Enabled] {
        let service = with_bucket().await;
        service
            .change_bucket("tfstate", |bucket| bucket.versioning = versioning)
            .await
            .unwrap();
        let mut follows = None;
        for (number, serial) in [(3, 7), (4, 2), (9, 8)] {
            let (written, bytes) = (-(100 - number as i64), state(serial));
            let writer = Writer {
                caller: caller(&format!("writer of {serial}")),
                lock: None,
            };
            let wanted = Foreign {
                number,
                writer: Some(writer.clone()),
                follows: follows.take(),
                ..foreign(written, &bytes)
            };
            let version = service.import(&at("a"), wanted).await.unwrap().unwrap();
            assert_eq!((version.seq, version.written), (number, Time(written)));
            assert_eq!(version.writer.as_deref(), Some(&writer));
            follows = Some(Fingerprint {
                written: Time(written),
                md5: Some(md5_of(&bytes)),
            });
        }
        assert_eq!(numbers(&service).await, [3, 4, 9]);
        for (number, serial) in [(3, 7), (4, 2), (9, 8)] {
            let version = service.version(&at("a"), number).await.unwrap();
            let kept = version.body.unwrap();
            let bytes = service.read_all(&at("a"), number, &kept).await.unwrap();
            assert_eq!(bytes, state(serial));
        }
        assert_eq!(service.head_md5(&at("a")).await.unwrap(), Some(md5_of(&state(8))));
        service
            .put(&at("a"), body(state(9)), &Caller::default())
            .await
            .unwrap();
        assert_eq!(numbers(&service).await, [3, 4, 9, 10]);
    }
}

#[tokio::test]
async fn a_deletion_without_a_mark_is_known_by_the_version_that_it_hid() {
    let service = with_bucket().await;
    let now = service.now().0;
    service.import(&at("a"), foreign(now, &state(1))).await.unwrap();
    let deleted = Foreign {
        bytes: None,
        md5: String::new(),
        follows: Some(Fingerprint {
            written: Time(now),
            md5: Some(md5_of(&state(1))),
        }),
        ..foreign(now + 10, &state(1))
    };
    service.import(&at("a"), deleted.clone()).await.unwrap();
    assert!(service.find(&at("a"), None).await.is_err());
    assert!(service.import(&at("a"), deleted).await.unwrap().is_none());
    assert!(
        service
            .import(&at("a"), foreign(now, &state(1)))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        service.find(&at("a"), None).await.is_err(),
        "a deleted state does not come back"
    );
    let early = service.import(&at("a"), foreign(now + 9, &state(2))).await;
    assert!(matches!(early, Err(ImportError::Newer { .. })));
    assert!(
        service
            .import(&at("a"), foreign(now + 11, &state(2)))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn what_cannot_be_taken_in_is_refused_in_a_sentence_and_nothing_is_stored() {
    let service = with_bucket().await;
    let refused = async |foreign: Foreign| service.import(&at("a"), foreign).await.unwrap_err().to_string();
    let plain = foreign(1, &Bytes::from_static(b"no state"));
    assert!(refused(plain).await.contains("is no state"));
    let damaged = Foreign {
        md5: md5_of(b"else"),
        ..foreign(1, &state(1))
    };
    assert!(refused(damaged).await.contains("send it again"));
    assert!(
        refused(foreign(i64::MAX, &state(1)))
            .await
            .contains("one of the clocks is wrong")
    );
    assert!(numbers(&service).await.is_empty());

    service.put(&at("a"), body(state(5)), &caller("x")).await.unwrap();
    let sentence = refused(foreign(-1, &state(9))).await;
    assert!(
        sentence.contains("tfstate/a has serial 5") && sentence.contains("--into BUCKET"),
        "{sentence}"
    );
    let later = service.now().0 + 5;
    assert!(
        refused(foreign(later, &state(5)))
            .await
            .contains("does not follow")
    );
    let locked = service
        .acquire(&at("a"), &acquire("x", Facet::File))
        .await
        .unwrap();
    assert!(matches!(locked, Locking::Granted(_)));
    let sentence = refused(foreign(later, &state(6))).await;
    assert!(sentence.contains("tidelock unlock tfstate/a x"), "{sentence}");
    assert_eq!(numbers(&service).await, [1]);

    let elsewhere = tidelock_core::Address::new("other", "a").unwrap();
    let nowhere = service.import(&elsewhere, foreign(1, &state(1))).await;
    assert!(matches!(
        nowhere,
        Err(ImportError::Service(Error::NoSuchBucket(_)))
    ));
}
