//! Runs: who may renew and end them, when they are over, and what that means for locks.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{FakeWorld, acquire, at, held, release};
use tidelock_core::{
    Caller, Facet, Lock,
    iam::DEFAULT_ACCOUNT,
    limits::{LEASE_MS_MAX, LEASE_MS_MIN, RUN_KEPT_MS, RUN_RETURN_MS, RUNS_SWEPT_MAX},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Leases, Locking, RunError, Service};

const ID: &str = "11111111-2222-3333-4444-555555555555";
const LEASE: u64 = 60_000;

fn world() -> (Arc<FakeWorld>, Service) {
    let world = Arc::new(FakeWorld::default());
    let service = common::over(Arc::new(MemoryEngine::new()), world.clone());
    (world, service)
}

fn principal(name: &str) -> Caller {
    Caller {
        principal: name.to_owned(),
        ..Caller::default()
    }
}

/// The lock of `key` as somebody in the run `id` takes it.
async fn lock_in_run(service: &Service, key: &str, id: &str) -> Lock {
    // There from the second lock on.
    let _ = service.create_bucket("tfstate", DEFAULT_ACCOUNT).await;
    let mut request = acquire(key, Facet::Http);
    request.caller.run_token = Some(format!("ci/17 tidelock-run/{id}"));
    let granted = service.acquire(&at(key), &request).await.unwrap();
    assert!(matches!(granted, Locking::Granted(_)));
    held(service, &at(key)).await.unwrap()
}

#[tokio::test]
async fn a_lock_ends_when_its_run_is_no_longer_renewed() {
    let (world, service) = world();
    let ann = principal("ann");
    let begun = service.begin_or_renew(ID, LEASE, &ann).await.unwrap();
    let lock = lock_in_run(&service, "a", ID).await;
    let leases = service.leases(std::slice::from_ref(&lock)).await.unwrap();
    assert_eq!((leases.ended, leases.next_end), (vec![], Some(begun.until)));
    world.pass(LEASE.cast_signed() / 2);
    let renewed = service.begin_or_renew(ID, LEASE, &ann).await.unwrap();
    assert!(renewed.until > begun.until);
    world.pass(LEASE.cast_signed() - 100);
    assert_eq!(
        service
            .leases(std::slice::from_ref(&lock))
            .await
            .unwrap()
            .next_end,
        Some(renewed.until)
    );
    world.pass(100);
    let leases = service.leases(std::slice::from_ref(&lock)).await.unwrap();
    assert_eq!((leases.ended, leases.next_end), (vec![lock.id], None));
}

#[tokio::test]
async fn a_run_that_was_ended_ends_its_locks_at_once_and_does_not_begin_again() {
    let (_, service) = world();
    let ann = principal("ann");
    service.begin_or_renew(ID, LEASE, &ann).await.unwrap();
    let lock = lock_in_run(&service, "a", ID).await;
    service.end_run(ID, &ann).await.unwrap();
    assert_eq!(
        service.leases(std::slice::from_ref(&lock)).await.unwrap().ended,
        [lock.id]
    );
    service.end_run(ID, &ann).await.unwrap();
    assert!(matches!(
        service.begin_or_renew(ID, LEASE, &ann).await,
        Err(RunError::Ended)
    ));
}

#[tokio::test]
async fn nobody_else_renews_or_ends_a_run() {
    let (_, service) = world();
    let begun = service
        .begin_or_renew(ID, LEASE, &principal("ann"))
        .await
        .unwrap();
    let eve = principal("eve");
    for refused in [
        service.begin_or_renew(ID, LEASE, &eve).await.map(drop),
        service.end_run(ID, &eve).await,
    ] {
        assert!(matches!(refused, Err(RunError::OfAnother { principal }) if principal == "ann"));
    }
    assert_eq!(service.run(ID).await.unwrap(), Some(begun));
}

#[tokio::test]
async fn a_lapsed_run_goes_on_when_it_is_renewed() {
    let (world, service) = world();
    let ann = principal("ann");
    service.begin_or_renew(ID, LEASE, &ann).await.unwrap();
    let lock = lock_in_run(&service, "a", ID).await;
    world.pass(LEASE.cast_signed() * 2);
    assert_eq!(
        service
            .leases(std::slice::from_ref(&lock))
            .await
            .unwrap()
            .ended
            .len(),
        1
    );
    let run = service.begin_or_renew(ID, LEASE, &ann).await.unwrap();
    assert_eq!(
        service
            .leases(std::slice::from_ref(&lock))
            .await
            .unwrap()
            .next_end,
        Some(run.until)
    );
}

#[tokio::test]
async fn a_run_that_could_not_be_renewed_while_the_server_was_down_keeps_its_locks() {
    let world = Arc::new(FakeWorld::default());
    let engine = Arc::new(MemoryEngine::new());
    let (ended, silent) = ("ended-run-0123456789", ID);
    let before = common::over(engine.clone(), world.clone());
    let ann = principal("ann");
    for run in [ended, silent] {
        before.begin_or_renew(run, LEASE, &ann).await.unwrap();
    }
    let locks = [
        lock_in_run(&before, "a", ended).await,
        lock_in_run(&before, "b", silent).await,
    ];
    before.end_run(ended, &ann).await.unwrap();
    world.pass(LEASE.cast_signed() * 3);
    let service = common::over(engine, world.clone());
    let over = async || service.leases(&locks).await.unwrap().ended;
    assert_eq!(over().await, [locks[0].id.clone()]);
    world.pass(RUN_RETURN_MS.cast_signed() - 1_000);
    assert_eq!(over().await, [locks[0].id.clone()]);
    let mut other = acquire("other", Facet::Http);
    assert!(matches!(
        service.acquire(&at("b"), &other).await.unwrap(),
        Locking::Refused { held } if held.id == locks[1].id
    ));
    // Nobody has come back.
    world.pass(1_000);
    assert_eq!(over().await, locks.clone().map(|lock| lock.id));
    other.caller = principal("other");
    assert!(matches!(
        service.acquire(&at("b"), &other).await.unwrap(),
        Locking::Granted(_)
    ));
}

#[tokio::test]
async fn of_several_locks_only_those_of_runs_that_are_over_end() {
    let (world, service) = world();
    let other = "99999999-2222-3333-4444-555555555555";
    let ann = principal("ann");
    service.begin_or_renew(ID, LEASE_MS_MIN, &ann).await.unwrap();
    let lasting = service.begin_or_renew(other, LEASE, &ann).await.unwrap();
    let (short, long) = (
        lock_in_run(&service, "a", ID).await,
        lock_in_run(&service, "b", other).await,
    );
    let unknown = lock_in_run(&service, "c", "unknown-unknown-unknown").await;
    service
        .acquire(&at("d"), &acquire("d", Facet::Http))
        .await
        .unwrap();
    let plain = held(&service, &at("d")).await.unwrap();
    world.pass(LEASE_MS_MIN.cast_signed());
    let leases = service
        .leases(&[short.clone(), long.clone(), unknown.clone(), plain.clone()])
        .await
        .unwrap();
    assert_eq!(leases.ended, [short.id, unknown.id]);
    assert_eq!((leases.checks.len(), leases.next_end), (2, Some(lasting.until)));
    assert_eq!(
        service.leases(std::slice::from_ref(&plain)).await.unwrap(),
        Leases::default()
    );
    service
        .release(&at("d"), &release("d", Facet::Http))
        .await
        .unwrap();
}

#[tokio::test]
async fn leases_and_ids_out_of_bounds_are_refused() {
    let (_, service) = world();
    let ann = principal("ann");
    for lease in [0, LEASE_MS_MIN - 1, LEASE_MS_MAX + 1, u64::MAX] {
        assert!(matches!(
            service.begin_or_renew(ID, lease, &ann).await,
            Err(RunError::Lease)
        ));
    }
    for id in [
        "",
        "short",
        "with/a/slash/in/it-",
        "tidelock_run_0123456789",
        &"x".repeat(65),
    ] {
        assert!(matches!(
            service.begin_or_renew(id, LEASE, &ann).await,
            Err(RunError::Id)
        ));
        assert!(matches!(service.end_run(id, &ann).await, Err(RunError::Id)));
    }
}

#[tokio::test]
async fn runs_that_ended_long_ago_are_forgotten_a_few_at_a_time() {
    let (world, service) = world();
    let ann = principal("ann");
    let old: Vec<String> = (0..RUNS_SWEPT_MAX * 2)
        .map(|n| format!("run-of-a-job-{n:03}"))
        .collect();
    for id in &old {
        service.begin_or_renew(id, LEASE_MS_MIN, &ann).await.unwrap();
    }
    world.pass(RUN_KEPT_MS + 2 * LEASE_MS_MIN.cast_signed());
    let known = async || {
        let mut known = 0;
        for id in &old {
            known += usize::from(service.run(id).await.unwrap().is_some());
        }
        known
    };
    service
        .begin_or_renew("run-of-a-job-999", LEASE, &ann)
        .await
        .unwrap();
    assert_eq!(known().await, RUNS_SWEPT_MAX);
    service
        .begin_or_renew("aaa-of-another-job", LEASE, &ann)
        .await
        .unwrap();
    assert_eq!(known().await, 0);
    assert!(service.run("run-of-a-job-999").await.unwrap().is_some());
}
