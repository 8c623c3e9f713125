//! Locks of runs, in time that the tests hold still: who gets them when a lease ends, and who does not.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{sync::Arc, time::Duration};

use common::{acquire, at, body, caller, gate::Gate, held};
use tidelock_core::{
    Caller, Facet, Time,
    decide::{Claim, Release},
    iam::DEFAULT_ACCOUNT,
    limits::LEASE_MS_MIN,
};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{Error, LockRequest, Locking, Service, Settings, Stale, World};
use tokio::time::{Instant, sleep};

const ID: &str = "11111111-2222-3333-4444-555555555555";

/// Tokio's clock, which stands still while there is something to do and else jumps to the next timer.
struct Paused {
    begun: Instant,
    dice: common::FakeWorld,
}

impl World for Paused {
    fn now(&self) -> Time {
        Time(i64::try_from(self.begun.elapsed().as_millis()).unwrap())
    }

    fn random(&self) -> [u8; 16] {
        self.dice.random()
    }
}

/// A service with the bucket, and the run of `a`.
async fn service_on(engine: Arc<dyn Engine>) -> Service {
    let world = Paused {
        begun: Instant::now(),
        dice: common::FakeWorld::default(),
    };
    let service = common::over(engine, Arc::new(world));
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    renew(&service).await;
    service
}

async fn service() -> Service {
    service_on(Arc::new(MemoryEngine::new())).await
}

async fn renew(service: &Service) {
    service
        .begin_or_renew(ID, LEASE_MS_MIN, &caller("a"))
        .await
        .unwrap();
}

/// A request for the lock by `a`, in its run.
fn in_run(facet: Facet) -> LockRequest {
    let mut request = acquire("a", facet);
    request.caller.run_token = Some(format!("tidelock-run/{ID}"));
    request
}

async fn lock(service: &Service, request: &LockRequest) -> bool {
    matches!(
        service.acquire(&at("k"), request).await.unwrap(),
        Locking::Granted(_)
    )
}

/// Waits in line as `b`, as stock clients do that were refused; answers when it got the lock.
async fn wait_in_line(service: Service) -> i64 {
    let request = acquire("b", Facet::Http);
    assert!(!lock(&service, &request).await);
    loop {
        sleep(Duration::from_secs(1)).await;
        if lock(&service, &request).await {
            return service.now().0;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_lock_at_the_very_end_of_the_lease() {
    let service = service().await;
    assert!(lock(&service, &in_run(Facet::Http)).await);
    assert_eq!(wait_in_line(service.clone()).await, LEASE_MS_MIN.cast_signed());
    assert_eq!(held(&service, &at("k")).await.unwrap().id.as_str(), "b");
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_lock_as_soon_as_the_run_is_ended() {
    let service = service().await;
    assert!(lock(&service, &in_run(Facet::Http)).await);
    let waiting = tokio::spawn(wait_in_line(service.clone()));
    sleep(Duration::from_millis(3_333)).await;
    service.end_run(ID, &caller("a")).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 3_333);
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_on_waiting_while_the_lease_is_renewed() {
    let service = service().await;
    assert!(lock(&service, &in_run(Facet::Http)).await);
    let waiting = tokio::spawn(wait_in_line(service.clone()));
    for _ in 0..9 {
        sleep(Duration::from_secs(4)).await;
        renew(&service).await;
    }
    assert_eq!(waiting.await.unwrap(), 9 * 4_000 + LEASE_MS_MIN.cast_signed());
}

#[tokio::test(start_paused = true)]
async fn the_former_holder_is_fenced_and_what_it_writes_is_refused() {
    let service = service().await;
    let (mine, theirs) = (in_run(Facet::File), acquire("b", Facet::File));
    assert!(lock(&service, &mine).await);
    sleep(Duration::from_millis(LEASE_MS_MIN)).await;
    assert!(lock(&service, &theirs).await);
    let release = Release {
        id: Some(theirs.id.clone()),
        facet: Facet::File,
        caller: theirs.caller.clone(),
        invocation: None,
        may_force: true,
    };
    service.release(&at("k"), &release).await.unwrap();
    // Renewed too late: the run goes on, and its lock is gone.
    renew(&service).await;
    let written = service.put(&at("k"), state(), &mine.caller).await;
    assert!(matches!(written, Err(Error::State { .. })), "{written:?}");
    assert!(lock(&service, &mine).await, "it may begin anew");
    service.put(&at("k"), state(), &mine.caller).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ended_unnoticed_costs_nothing() {
    let service = service().await;
    let mine = in_run(Facet::File);
    assert!(lock(&service, &mine).await);
    sleep(Duration::from_millis(2 * LEASE_MS_MIN)).await;
    service.put(&at("k"), state(), &mine.caller).await.unwrap();
    renew(&service).await;
    assert!(!lock(&service, &acquire("b", Facet::File)).await);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_while_the_lock_is_being_taken_keeps_it() {
    let gate = Arc::new(Gate::new());
    let service = service_on(gate.clone()).await;
    assert!(lock(&service, &in_run(Facet::File)).await);
    sleep(Duration::from_millis(LEASE_MS_MIN)).await;
    // To take it through another door deletes the row that shows the lock file.
    gate.hold_deletes_of(b'o');
    let other = service.clone();
    let taking = tokio::spawn(async move { lock(&other, &acquire("b", Facet::Http)).await });
    gate.until_held(1).await;
    renew(&service).await;
    gate.let_commits_go(1);
    assert!(!taking.await.unwrap());
    assert_eq!(held(&service, &at("k")).await.unwrap().id.as_str(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_run_lives_is_not_removed_as_stale() {
    let settings = Settings {
        stale: Stale::Remove,
        stale_after_ms: 10_000,
        ..Settings::default()
    };
    let service = service().await.with_settings(settings);
    assert!(lock(&service, &in_run(Facet::Http)).await);
    for _ in 0..4 {
        sleep(Duration::from_secs(4)).await;
        renew(&service).await;
    }
    let other = acquire("b", Facet::Http);
    assert!(!lock(&service, &other).await);
    let shown = service.status(&at("k")).await.unwrap();
    assert!(!shown.locks[0].stale && shown.locks[0].lease_until_ms.is_some());
    sleep(Duration::from_millis(LEASE_MS_MIN)).await;
    assert!(lock(&service, &other).await);
}

fn state() -> tidelock_service::NewBody {
    let mut new = body(r#"{"version":4,"serial":1,"lineage":"l","resources":[]}"#);
    new.claim = Claim::Caller;
    new
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_principal_does_not_let_its_locks_be_renewed() {
    let service = service().await;
    let eve = Caller {
        principal: "eve".to_owned(),
        ..Caller::default()
    };
    assert!(lock(&service, &in_run(Facet::Http)).await);
    sleep(Duration::from_millis(LEASE_MS_MIN)).await;
    assert!(service.begin_or_renew(ID, LEASE_MS_MIN, &eve).await.is_err());
    assert!(lock(&service, &acquire("b", Facet::Http)).await);
}
