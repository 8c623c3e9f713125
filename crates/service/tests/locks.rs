//! One lock per address, through the service and its conditional commits.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{acquire, at, caller, held, release, service, with_bucket};
use tidelock_core::{Facet, decide::Released};
use tidelock_service::{Error, ItemChange, ItemError, ItemRow, Locking, ScanOrder};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_holds_the_lock_at_a_time() {
    let service = with_bucket().await;
    let inside = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (service, inside) = (Arc::clone(&service), Arc::clone(&inside));
            tokio::spawn(async move {
                let mut held = 0;
                while held < 10 {
                    let id = format!("{n}-{held}");
                    match service
                        .acquire(&at("a"), &acquire(&id, Facet::Http))
                        .await
                        .unwrap()
                    {
                        Locking::Granted(_) => {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                            tokio::task::yield_now().await;
                            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                            let released = service
                                .release(&at("a"), &release(&id, Facet::Http))
                                .await
                                .unwrap();
                            assert_eq!(released, Released::Free);
                            held += 1;
                        }
                        Locking::Refused { .. } => tokio::task::yield_now().await,
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(held(&service, &at("a")).await, None);
}

#[tokio::test]
async fn a_refused_caller_sees_the_holder_that_has_just_gone() {
    let service = with_bucket().await;
    service
        .acquire(&at("a"), &acquire("x", Facet::File))
        .await
        .unwrap();
    assert!(matches!(
        service.acquire(&at("a"), &acquire("y", Facet::File)).await.unwrap(),
        Locking::Refused { held } if held.id.as_str() == "x"
    ));
    service
        .release(&at("a"), &release("x", Facet::File))
        .await
        .unwrap();
    assert_eq!(
        service
            .look(&at("a"), &caller("y"), &Facet::File)
            .await
            .unwrap()
            .unwrap()
            .id
            .as_str(),
        "x"
    );
    assert_eq!(
        service.look(&at("a"), &caller("z"), &Facet::File).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_lock_shows_in_its_table_while_its_table_facet_lasts() {
    let service = with_bucket().await;
    let table = service.create_table("locks", String::new(), false).await.unwrap();
    let facet = || Facet::Table {
        table: table.id.clone(),
        row: b"row".to_vec(),
    };
    service.acquire(&at("a"), &acquire("x", facet())).await.unwrap();
    assert_eq!(
        service.item(&table, b"row").await.unwrap(),
        Some(ItemRow::Lock(at("a")))
    );
    let all = service
        .scan_items(&table, vec![]..vec![255], 10, ScanOrder::Forward)
        .await
        .unwrap();
    assert_eq!(all, [(b"row".to_vec(), ItemRow::Lock(at("a")))]);
    service.release(&at("a"), &release("x", facet())).await.unwrap();
    assert_eq!(service.item(&table, b"row").await.unwrap(), None);
}

#[tokio::test]
async fn a_plain_item_is_not_covered_by_a_lock() {
    let service = with_bucket().await;
    let table = service.create_table("locks", String::new(), false).await.unwrap();
    let put = |_: Option<&ItemRow>| Ok::<_, ()>((ItemChange::Put("plain".into()), ()));
    service.change_item(&table, b"row", put).await.unwrap();
    let facet = Facet::Table {
        table: table.id.clone(),
        row: b"row".to_vec(),
    };
    assert!(matches!(
        service.acquire(&at("a"), &acquire("x", facet)).await,
        Err(Error::Occupied)
    ));
    assert_eq!(held(&service, &at("a")).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_of_an_item_lose_nothing() {
    let service = service();
    let table = Arc::new(
        service
            .create_table("counts", String::new(), false)
            .await
            .unwrap(),
    );
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (service, table) = (Arc::clone(&service), Arc::clone(&table));
            tokio::spawn(async move {
                let add = |current: Option<&ItemRow>| {
                    let now: u32 = match current {
                        Some(ItemRow::Item(bytes)) => std::str::from_utf8(bytes).unwrap().parse().unwrap(),
                        _ => 0,
                    };
                    Ok::<_, ()>((ItemChange::Put((now + 1).to_string().into()), ()))
                };
                service.change_item(&table, b"n", add).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        service.item(&table, b"n").await.unwrap(),
        Some(ItemRow::Item("16".into()))
    );
}

#[tokio::test]
async fn a_table_goes_with_its_items_and_a_new_one_of_its_name_starts_empty() {
    let service = service();
    let table = service.create_table("t", String::new(), false).await.unwrap();
    let put = |_: Option<&ItemRow>| Ok::<_, ()>((ItemChange::Put("x".into()), ()));
    service.change_item(&table, b"n", put).await.unwrap();
    service.delete_table("t").await.unwrap();
    assert!(matches!(service.table("t").await, Err(Error::NoSuchTable(_))));
    let again = service.create_table("t", String::new(), false).await.unwrap();
    assert_eq!(service.item(&again, b"n").await.unwrap(), None);
    let stale = service.change_item(&table, b"n", put).await;
    assert!(matches!(stale, Err(ItemError::Service(Error::NoSuchTable(_)))));
}
