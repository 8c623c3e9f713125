//! Use cases of several commits, with others in between and with callers that go away.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{FakeWorld, acquire, at, body, caller, gate::Gate, held, part, release};
use tidelock_core::{Content, Facet, Version, decide::Precondition, iam::DEFAULT_ACCOUNT};
use tidelock_engine::Engine;
use tidelock_service::{Error, ItemChange, ItemRow, Locking, Part, Service, Table};

fn gated() -> (Arc<Gate>, Arc<Service>) {
    let gate = Arc::new(Gate::new());
    let service = common::over(gate.clone(), Arc::new(FakeWorld::default()));
    (gate, Arc::new(service))
}

async fn with_upload() -> (Arc<Gate>, Arc<Service>, String) {
    let (gate, service) = gated();
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    let upload = service
        .create_upload(&at("a"), Content::default(), &caller("c"))
        .await
        .unwrap()
        .id;
    put_part(&service, &upload, 1).await;
    (gate, service, upload)
}

async fn put_part(service: &Service, upload: &str, number: u32) {
    service
        .put_part(&at("a"), upload, part(number, "part"))
        .await
        .unwrap();
}

async fn complete(service: Arc<Service>, upload: String) -> Result<Version, Error> {
    let seal = |_: &[u8], _: &[Part]| Ok(BTreeMap::new());
    let named = [(1, hex::encode(body("part").md5))];
    let absent = Precondition {
        absent: true,
        etags: None,
    };
    service
        .complete_upload(&at("a"), &upload, &named, absent, &seal, &caller("c"))
        .await
}

#[tokio::test]
async fn deletions_come_to_their_end_when_their_caller_goes_away() {
    let (gate, service) = gated();
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service.create_table("locks", String::new(), false).await.unwrap();
    for (at, space) in [(1, b'b'), (2, b't')] {
        gate.hold_deletes_of(space);
        let deleting = Arc::clone(&service);
        let task = tokio::spawn(async move {
            if space == b'b' {
                drop(deleting.delete_bucket("tfstate").await);
            } else {
                drop(deleting.delete_table("locks").await);
            }
        });
        gate.until_held(at).await;
        task.abort();
        assert!(task.await.is_err());
        gate.let_commits_go(1);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service.create_table("locks", String::new(), false).await.unwrap();
}

#[tokio::test]
async fn a_bucket_in_use_stays_open_while_its_deletion_is_refused() {
    let (gate, service) = gated();
    let bucket = service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service.put(&at("a"), body("x"), &caller("c")).await.unwrap();
    let row = || gate.get(b"b\0tfstate");
    let before = row().await.unwrap();
    assert!(matches!(
        service.delete_bucket("tfstate").await,
        Err(Error::BucketNotEmpty(_))
    ));
    assert_eq!(row().await.unwrap(), before, "it was closed for a moment");
    assert_eq!(service.bucket("tfstate").await.unwrap(), bucket);
}

#[tokio::test]
async fn a_table_deleted_twice_at_once_does_not_take_its_successor_along() {
    let (gate, service) = gated();
    service.create_table("locks", String::new(), false).await.unwrap();
    gate.hold_deletes_of(b't');
    let delete = || {
        let service = Arc::clone(&service);
        tokio::spawn(async move { service.delete_table("locks").await })
    };
    let (first, second) = (delete(), delete());
    gate.until_held(2).await;
    while service.table("locks").await.is_ok() {
        gate.let_commits_go(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let successor = service.create_table("locks", String::new(), false).await.unwrap();
    gate.let_commits_go(10);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(service.table("locks").await.unwrap(), successor);
}

#[tokio::test]
async fn a_part_that_comes_while_its_bucket_is_deleted_leaves_no_orphan() {
    let (gate, service, upload) = with_upload().await;
    gate.hold_deletes_of(b'u');
    let deleting = Arc::clone(&service);
    let deleted = tokio::spawn(async move { deleting.delete_bucket("tfstate").await });
    gate.until_held(1).await;
    put_part(&service, &upload, 2).await;
    gate.let_commits_go(10);
    deleted.await.unwrap().unwrap();
    let left = gate.scan(vec![]..vec![255], 10).await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn a_part_that_comes_during_a_completion_is_looked_at_again() {
    let (gate, service, upload) = with_upload().await;
    gate.hold_deletes_of(b'u');
    let completed = tokio::spawn(complete(Arc::clone(&service), upload.clone()));
    gate.until_held(1).await;
    put_part(&service, &upload, 1).await;
    gate.let_commits_go(2_000);
    let made = completed.await.unwrap().unwrap();
    assert_eq!(service.find(&at("a"), None).await.unwrap(), made);
    assert!(
        gate.scan(b"p".to_vec()..b"q".to_vec(), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_completion_that_is_repeated_while_it_runs_answers_the_same() {
    for held_at_blobs in [true, false] {
        let (gate, service, upload) = with_upload().await;
        gate.hold_deletes_of(b'u');
        let first = tokio::spawn(complete(Arc::clone(&service), upload.clone()));
        gate.until_held(1).await;
        if held_at_blobs {
            gate.hold_blobs();
        }
        let again = tokio::spawn(complete(Arc::clone(&service), upload));
        gate.until_held(2).await;
        gate.let_commits_go(1);
        let made = first.await.unwrap().unwrap();
        gate.let_blobs_go();
        gate.let_commits_go(2_000);
        assert_eq!(again.await.unwrap().unwrap(), made);
    }
}

#[tokio::test]
async fn a_grant_that_was_answered_is_not_taken_back_when_the_release_that_made_it_hears_of_it_last() {
    let gate = Arc::new(Gate::new());
    let world = Arc::new(FakeWorld::default());
    let service = Arc::new(common::over(gate.clone(), world.clone()));
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service
        .begin_or_renew("0123456789abcdef", 60_000, &caller("c"))
        .await
        .unwrap();
    let first = acquire("first", Facet::Http);
    let second = acquire("second", Facet::Http);
    service.acquire(&at("a"), &first).await.unwrap();
    service.acquire(&at("a"), &second).await.unwrap();
    world.pass(1_000);
    let (before, waiting) = (gate.done(), Arc::clone(&service));
    let waiting = tokio::spawn(async move { waiting.acquire(&at("a"), &second).await });
    gate.until_done_after(before).await;

    gate.hold_next_answer();
    let releasing = Arc::clone(&service);
    let releasing =
        tokio::spawn(async move { releasing.release(&at("a"), &release("first", Facet::Http)).await });
    gate.until_held(1).await;
    // Its caller goes away, and with it the turn for which others wait; what it began comes to its end.
    releasing.abort();
    assert!(releasing.await.is_err());
    // Has every held request look at the record.
    service.end_run("0123456789abcdef", &caller("c")).await.unwrap();
    let granted = waiting.await.unwrap().unwrap();
    assert!(matches!(granted, Locking::Granted(_)), "{granted:?}");
    gate.let_commits_go(1);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let holder = held(&service, &at("a")).await.map(|lock| lock.id.to_string());
    assert_eq!(holder.as_deref(), Some("second"));
}

#[tokio::test]
async fn a_table_that_is_written_while_it_is_restored_is_restored_as_it_was() {
    let (gate, service) = gated();
    let source = service.create_table("notes", String::new(), false).await.unwrap();
    put_item(&service, &source, b"a", "before").await;
    let source = service.keep_past("notes", Some(1)).await.unwrap();
    let moment = service.now();
    gate.hold_commits(true);
    let restoring = Arc::clone(&service);
    let from = source.clone();
    let restored = tokio::spawn(async move {
        let document = String::new();
        restoring
            .restore_table(&from, "copy", document, false, moment)
            .await
    });
    gate.until_held(1).await;
    gate.hold_commits(false);
    put_item(&service, &source, b"a", "after").await;
    put_item(&service, &source, b"b", "after").await;
    gate.hold_commits(true);
    gate.let_commits_go(1);
    // What is there now has been read, and is on its way into the new table.
    gate.until_held(2).await;
    gate.hold_commits(false);
    put_item(&service, &source, b"a", "later").await;
    gate.let_commits_go(1);
    let copy = restored.await.unwrap().unwrap();
    let item = async |key: &[u8]| service.item(&copy, key).await.unwrap();
    assert_eq!(item(b"a").await, Some(ItemRow::Item("before".into())));
    assert_eq!(item(b"b").await, None);
    assert!(!copy.restoring);
}

#[tokio::test]
async fn a_restore_that_a_crash_cut_short_leaves_no_table() {
    let gate = Arc::new(Gate::new());
    let world = Arc::new(FakeWorld::default());
    let service = Arc::new(common::over(gate.clone(), world.clone()));
    let source = service.create_table("notes", String::new(), false).await.unwrap();
    put_item(&service, &source, b"a", "x").await;
    let source = service.keep_past("notes", Some(1)).await.unwrap();
    gate.hold_commits(true);
    let (restoring, moment) = (Arc::clone(&service), service.now());
    let cut = tokio::spawn(async move {
        let document = String::new();
        restoring
            .restore_table(&source, "copy", document, false, moment)
            .await
    });
    gate.until_held(1).await;
    gate.let_commits_go(1);
    gate.until_held(2).await;
    cut.abort();
    gate.hold_commits(false);
    assert!(service.table("copy").await.unwrap().restoring);
    let next = common::over(gate.clone(), world);
    next.recover().await.unwrap();
    assert!(matches!(next.table("copy").await, Err(Error::NoSuchTable(_))));
    assert!(next.table("notes").await.is_ok());
}

async fn put_item(service: &Service, table: &Table, key: &[u8], item: &'static str) {
    let put = |_: Option<&ItemRow>| Ok::<_, ()>((ItemChange::Put(item.into()), ()));
    service.change_item(table, key, put).await.unwrap();
}
