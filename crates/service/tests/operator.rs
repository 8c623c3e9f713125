//! What operators see and do: locks, freezes, permissions, refused writes.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{FakeWorld, acquire, at, body, caller, with_bucket};
use tidelock_core::{Facet, LockId, StateHeader, iam::DEFAULT_ACCOUNT, limits::STALE_AFTER_MS};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Error, Locking, OperatorError, Service};

fn state(serial: u64, lineage: &str) -> String {
    format!(r#"{{"version": 4, "serial": {serial}, "lineage": "{lineage}", "resources": []}}"#)
}

async fn put(service: &Service, who: &str, body_text: String) -> Result<(), Error> {
    service
        .put(&at("a"), body(body_text), &caller(who))
        .await
        .map(drop)
}

async fn lock(service: &Service, who: &str) -> bool {
    let locking = service
        .acquire(&at("a"), &acquire(who, Facet::File))
        .await
        .unwrap();
    matches!(locking, Locking::Granted(_))
}

fn id(text: &str) -> LockId {
    LockId::try_from(text).unwrap()
}

/// `a` has taken the lock, lost it by force, and tried to write serial 2 over the serial 1 of the state.
async fn with_refused_write() -> Arc<Service> {
    let service = with_bucket().await;
    assert!(lock(&service, "a").await);
    put(&service, "a", state(1, "l")).await.unwrap();
    service.unlock(&at("a"), &id("a"), &caller("op")).await.unwrap();
    assert!(put(&service, "a", state(2, "l")).await.is_err());
    service
}

async fn refused(service: &Service) -> Vec<u64> {
    let kept = service.refused_writes(&at("a")).await.unwrap();
    kept.iter().map(|kept| kept.id).collect()
}

async fn current(service: &Service) -> (u64, String) {
    let head = service.find(&at("a"), None).await.unwrap();
    let body = head.body.clone().unwrap();
    let bytes = service.read_all(&at("a"), head.seq, &body).await.unwrap();
    let header = StateHeader::parse(&bytes).unwrap();
    assert_eq!(
        body.state,
        Some(header.clone()),
        "the record says what the bytes say"
    );
    assert_eq!(body.size, bytes.len() as u64);
    (header.serial, header.lineage)
}

#[tokio::test]
async fn a_status_says_who_holds_who_waits_and_what_ended() {
    let service = with_refused_write().await;
    assert!(lock(&service, "b").await);
    let status = service.status(&at("a")).await.unwrap();
    assert_eq!((status.address.as_str(), status.fence), ("tfstate/a", 2));
    assert_eq!(
        (status.locks[0].id.as_str(), status.locks[0].doors.as_slice()),
        ("b", &["file".to_owned()][..])
    );
    assert!(!status.locks[0].stale && !status.locks[0].ended);
    assert_eq!(status.fenced[0].by, caller("op"));
    assert_eq!(
        status
            .last_release
            .as_ref()
            .map(|last| (last.id.as_str(), last.forced)),
        Some(("a", true))
    );
    assert_eq!(status.state.map(|state| state.serial), Some(1));
}

#[tokio::test]
async fn locks_are_listed_by_prefix_until_they_are_released() {
    let service = with_bucket().await;
    for key in ["a", "dir/b", "dir/c"] {
        service
            .acquire(&at(key), &acquire(key, Facet::Http))
            .await
            .unwrap();
    }
    let names = async |prefix: &str| -> Vec<String> {
        let (found, more) = service.locks(prefix).await.unwrap();
        assert!(!more);
        found.into_iter().map(|status| status.address).collect()
    };
    assert_eq!(names("").await, ["tfstate/a", "tfstate/dir/b", "tfstate/dir/c"]);
    assert_eq!(names("tfstate/dir/").await, ["tfstate/dir/b", "tfstate/dir/c"]);
    service
        .unlock(&at("dir/b"), &id("dir/b"), &caller("op"))
        .await
        .unwrap();
    assert_eq!(names("tfstate/dir").await, ["tfstate/dir/c"]);
    assert!(names("other").await.is_empty());
}

#[tokio::test]
async fn a_holder_that_is_silent_for_long_is_called_stale() {
    let world = Arc::new(FakeWorld::default());
    let service = common::over(Arc::new(MemoryEngine::new()), world.clone());
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    assert!(lock(&service, "a").await);
    world.pass(STALE_AFTER_MS);
    assert!(service.status(&at("a")).await.unwrap().locks[0].stale);
    service.saw(&caller("a"));
    assert!(!service.status(&at("a")).await.unwrap().locks[0].stale);
}

#[tokio::test]
async fn an_unlock_of_another_id_names_the_holder() {
    let service = with_bucket().await;
    assert!(lock(&service, "a").await);
    let error = service
        .unlock(&at("a"), &id("b"), &caller("op"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("it is held by") && error.to_string().contains("lock a"),
        "{error}"
    );
    assert!(!lock(&service, "b").await);
}

#[tokio::test]
async fn a_frozen_state_is_written_by_nobody_until_it_is_thawed() {
    let service = with_bucket().await;
    let frozen = service
        .freeze(&at("a"), "ann", "audit", &caller("op"))
        .await
        .unwrap();
    assert_eq!(
        (frozen.operation.as_str(), frozen.who.as_str()),
        ("freeze", "ann")
    );
    assert!(frozen.info.contains(r#""Info":"audit""#) && frozen.id.as_str().len() == 36);
    assert!(!lock(&service, "a").await);
    assert!(matches!(
        put(&service, "op", state(1, "l")).await,
        Err(Error::State { .. })
    ));
    let again = service.freeze(&at("a"), "ann", "again", &caller("op")).await;
    assert!(matches!(again, Err(OperatorError::Frozen { .. })));
    let unlocked = service.unlock(&at("a"), &frozen.id, &caller("op")).await;
    assert!(matches!(unlocked, Err(OperatorError::Frozen { .. })));
    service.thaw(&at("a"), &caller("op")).await.unwrap();
    assert!(lock(&service, "a").await);
    let thawed = service.thaw(&at("a"), &caller("op")).await;
    assert!(matches!(
        thawed,
        Err(OperatorError::NotFrozen { held: Some(_), .. })
    ));
    let frozen = service.freeze(&at("a"), "ann", "late", &caller("op")).await;
    assert!(matches!(frozen, Err(OperatorError::Locked { .. })));
}

#[tokio::test]
async fn a_permission_is_used_once_and_runs_out() {
    let world = Arc::new(FakeWorld::default());
    let service = common::over(Arc::new(MemoryEngine::new()), world.clone());
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    put(&service, "a", state(5, "l")).await.unwrap();
    let allow = async |rewind, relineage, ms| {
        service
            .allow(&at("a"), rewind, relineage, ms, &caller("op"))
            .await
    };
    assert!(matches!(
        allow(false, false, 1_000).await,
        Err(OperatorError::Senseless(_))
    ));
    assert!(matches!(
        allow(true, false, 0).await,
        Err(OperatorError::Senseless(_))
    ));
    assert!(matches!(
        allow(true, false, u64::MAX).await,
        Err(OperatorError::Senseless(_))
    ));
    allow(true, false, 60_000).await.unwrap();
    assert!(
        put(&service, "a", state(6, "other")).await.is_err(),
        "that was not permitted"
    );
    put(&service, "a", state(3, "l")).await.unwrap();
    assert!(put(&service, "a", state(2, "l")).await.is_err(), "once is once");
    allow(true, false, 60_000).await.unwrap();
    assert!(service.status(&at("a")).await.unwrap().allowed.is_some());
    world.pass(60_000);
    assert!(service.status(&at("a")).await.unwrap().allowed.is_none());
    assert!(put(&service, "a", state(2, "l")).await.is_err());
}

#[tokio::test]
async fn a_refused_write_is_read_back_byte_for_byte() {
    let service = with_refused_write().await;
    let kept = refused(&service).await;
    let write = service.refused_write(&at("a"), kept[0]).await.unwrap();
    let bytes = service.read_all(&at("a"), write.id, &write.body).await.unwrap();
    assert_eq!(bytes, state(2, "l").as_bytes());
    let missing = service.refused_write(&at("a"), kept[0] + 1).await;
    assert!(matches!(missing, Err(OperatorError::NoSuchWrite { .. })));
}

#[tokio::test]
async fn an_adopted_write_is_current_and_has_left_the_quarantine() {
    let service = with_refused_write().await;
    let kept = refused(&service).await[0];
    service
        .adopt(&at("a"), kept, None, &caller("operator"))
        .await
        .unwrap();
    assert_eq!(current(&service).await, (2, "l".to_owned()));
    assert!(refused(&service).await.is_empty());
    assert!(matches!(
        service.adopt(&at("a"), kept, None, &caller("operator")).await,
        Err(OperatorError::NoSuchWrite { .. })
    ));
}

#[tokio::test]
async fn an_adopted_write_follows_what_was_written_since() {
    let service = with_refused_write().await;
    assert!(lock(&service, "b").await);
    put(&service, "b", state(7, "l")).await.unwrap();
    let kept = refused(&service).await[0];
    let adopted = service.adopt(&at("a"), kept, None, &caller("operator")).await;
    assert!(
        matches!(adopted, Err(OperatorError::Locked { .. })),
        "b still holds it"
    );
    service.unlock(&at("a"), &id("b"), &caller("op")).await.unwrap();
    let seen = service.head_md5(&at("a")).await.unwrap().unwrap();
    assert!(matches!(
        service.adopt(&at("a"), kept, Some(""), &caller("operator")).await,
        Err(OperatorError::Overtaken(_))
    ));
    assert!(matches!(
        service
            .adopt(&at("a"), kept, Some("0f"), &caller("operator"))
            .await,
        Err(OperatorError::Overtaken(_))
    ));
    service
        .adopt(&at("a"), kept, Some(&seen), &caller("operator"))
        .await
        .unwrap();
    assert_eq!(current(&service).await, (8, "l".to_owned()));
}

#[tokio::test]
async fn a_sealed_serial_is_not_touched() {
    let service = with_bucket().await;
    let sealed =
        |serial: u64| format!(r#"{{"serial":{serial},"lineage":"l","meta":{{}},"encrypted_data":"AAAA"}}"#);
    put(&service, "a", sealed(5)).await.unwrap();
    assert!(put(&service, "a", sealed(4)).await.is_err());
    let kept = refused(&service).await[0];
    let adopted = service.adopt(&at("a"), kept, None, &caller("operator")).await;
    assert!(matches!(
        adopted,
        Err(OperatorError::Sealed {
            serial: 4,
            head: 5,
            ..
        })
    ));
    assert_eq!(refused(&service).await, [kept], "it is still kept");
}

#[tokio::test]
async fn what_is_discarded_is_gone() {
    let service = with_refused_write().await;
    let kept = refused(&service).await[0];
    let write = service.refused_write(&at("a"), kept).await.unwrap();
    service.discard(&at("a"), kept).await.unwrap();
    assert!(refused(&service).await.is_empty());
    assert!(
        service.read_all(&at("a"), write.id, &write.body).await.is_err(),
        "the bytes are gone too"
    );
    assert!(matches!(
        service.discard(&at("a"), kept).await,
        Err(OperatorError::NoSuchWrite { .. })
    ));
}
