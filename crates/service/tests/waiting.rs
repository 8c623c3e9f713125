//! Requests that are held until the lock is theirs: who gets it, and who must not. Time is tokio's, and paused.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{sync::Arc, time::Duration};

use common::{acquire, at, caller, gate::Gate, held, paused, release};
use tidelock_core::{
    Facet,
    decide::Released,
    iam::DEFAULT_ACCOUNT,
    limits::{HOLD_MS_MAX, HOLD_MS_STEP, STALE_AFTER_MS, WAITERS_MAX},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{
    Error, Grant, ItemChange, ItemRow, LockRequest, Locking, Plans, Service, Settings, Stale,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

const RUN: &str = "11111111-2222-3333-4444-555555555555";

async fn with_settings(settings: Settings) -> Arc<Service> {
    let service = common::over(Arc::new(MemoryEngine::new()), paused()).with_settings(settings);
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    Arc::new(service)
}

async fn with_bucket() -> Arc<Service> {
    with_settings(Settings::default()).await
}

/// A service whose commits a test holds back.
async fn gated() -> (Arc<Gate>, Arc<Service>) {
    let gate = Arc::new(Gate::new());
    let service = Arc::new(common::over(gate.clone(), paused()));
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    (gate, service)
}

/// Lets everybody go on who can.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

async fn take(service: &Service, id: &str) -> Grant {
    match service
        .acquire(&at("a"), &acquire(id, Facet::Http))
        .await
        .unwrap()
    {
        Locking::Granted(grant) => *grant,
        Locking::Refused { held } => panic!("{id} is refused because of {}", held.id),
    }
}

async fn refuse(service: &Service, wanted: &LockRequest) {
    let answer = service.acquire(&at("a"), wanted).await.unwrap();
    assert!(matches!(answer, Locking::Refused { .. }), "{} holds", wanted.id);
}

async fn give_back(service: &Service, id: &str) {
    let released = service.release(&at("a"), &release(id, Facet::Http)).await;
    assert_eq!(released.unwrap(), Released::Free);
}

async fn holder(service: &Service) -> Option<String> {
    let lock = held(service, &at("a")).await;
    lock.map(|lock| lock.id.as_str().to_owned())
}

const STATE: &str = r#"{"version":4,"serial":1,"lineage":"x"}"#;

async fn write_as(service: &Service, who: &str) -> Result<(), Error> {
    let written = service.put(&at("a"), common::body(STATE), &caller(who)).await;
    written.map(drop)
}

type Held = JoinHandle<Result<Locking, Error>>;

/// A request that is sent, and answered or not.
fn send(service: &Arc<Service>, wanted: LockRequest) -> Held {
    let service = Arc::clone(service);
    tokio::spawn(async move { service.acquire(&at("a"), &wanted).await })
}

/// These were refused ten seconds ago and are back: the server holds their requests, in this order.
async fn hold_all<const N: usize>(service: &Arc<Service>, wanted: [LockRequest; N]) -> [Held; N] {
    for wanted in &wanted {
        refuse(service, wanted).await;
        settle().await;
    }
    seconds(10).await;
    let requests = wanted.map(|wanted| send(service, wanted));
    settle().await;
    assert!(requests.iter().all(|request| !request.is_finished()));
    requests
}

async fn hold<const N: usize>(service: &Arc<Service>, ids: [&str; N]) -> [Held; N] {
    hold_all(service, ids.map(|id| acquire(id, Facet::Http))).await
}

/// The answer, which is there now.
async fn answer(request: Held) -> Result<Locking, Error> {
    settle().await;
    assert!(request.is_finished(), "it is held still");
    request.await.unwrap()
}

async fn granted(request: Held) -> Grant {
    match answer(request).await.unwrap() {
        Locking::Granted(grant) => *grant,
        Locking::Refused { held } => panic!("refused because of {}", held.id),
    }
}

async fn refused_because_of(request: Held) -> String {
    match answer(request).await.unwrap() {
        Locking::Granted(_) => panic!("granted"),
        Locking::Refused { held } => held.id.as_str().to_owned(),
    }
}

/// Its connection is gone.
async fn hang_up(request: Held) {
    request.abort();
    let _ = request.await;
}

#[tokio::test(start_paused = true)]
async fn held_requests_are_granted_in_line_the_moment_the_lock_is_released() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [b, c, d] = hold(&service, ["b", "c", "d"]).await;
    for (before, id, request) in [("a", "b", b), ("b", "c", c), ("c", "d", d)] {
        let released_at = Instant::now();
        give_back(&service, before).await;
        assert_eq!(
            holder(&service).await.as_deref(),
            Some(id),
            "it was free for a moment"
        );
        granted(request).await;
        assert!(released_at.elapsed() <= Duration::from_millis(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [b] = hold(&service, ["b"]).await;
    give_back(&service, "a").await;
    refuse(&service, &acquire("new", Facet::Http)).await;
    granted(b).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_connection_is_gone_is_passed_over() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [b, c] = hold(&service, ["b", "c"]).await;
    hang_up(b).await;
    give_back(&service, "a").await;
    granted(c).await;
    assert_eq!(holder(&service).await.as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn the_lock_is_free_when_every_held_request_is_gone() {
    let service = with_bucket().await;
    take(&service, "a").await;
    for request in hold(&service, ["b", "c"]).await {
        hang_up(request).await;
    }
    give_back(&service, "a").await;
    assert_eq!(holder(&service).await, None);
    take(&service, "new").await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_after_its_connection_was_lost_is_where_it_was_in_line() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [b, c] = hold(&service, ["b", "c"]).await;
    hang_up(b).await;
    let b = send(&service, acquire("b", Facet::Http));
    settle().await;
    give_back(&service, "a").await;
    granted(b).await;
    assert!(!c.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_grant_to_a_request_that_goes_away_meanwhile_is_passed_on() {
    // While the engine works on the release, or between it and the look of who was woken.
    for while_the_engine_works in [true, false] {
        let (gate, service) = gated().await;
        take(&service, "a").await;
        let [b, c] = hold(&service, ["b", "c"]).await;
        gate.hold_commits(true);
        let releasing = Arc::clone(&service);
        let released = tokio::spawn(async move { give_back(&releasing, "a").await });
        gate.until_held(1).await;
        gate.hold_commits(false);
        if while_the_engine_works {
            hang_up(b).await;
            settle().await;
            gate.let_commits_go(1);
        } else {
            b.abort();
            gate.let_commits_go(1);
        }
        settle().await;
        released.await.unwrap();
        granted(c).await;
        assert_eq!(holder(&service).await.as_deref(), Some("c"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_in_line_is_woken_though_the_releasing_caller_is_gone() {
    let (gate, service) = gated().await;
    take(&service, "a").await;
    let [b] = hold(&service, ["b"]).await;
    gate.hold_commits(true);
    let releasing = Arc::clone(&service);
    let released = tokio::spawn(async move { give_back(&releasing, "a").await });
    gate.until_held(1).await;
    gate.hold_commits(false);
    released.abort();
    assert!(released.await.is_err());
    gate.let_commits_go(1);
    settle().await;
    granted(b).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_granted_after_its_caller_is_gone_is_taken_back() {
    let (gate, service) = gated().await;
    gate.hold_commits(true);
    let request = send(&service, acquire("a", Facet::Http));
    gate.until_held(1).await;
    gate.hold_commits(false);
    hang_up(request).await;
    settle().await;
    gate.let_commits_go(1);
    settle().await;
    assert_eq!(holder(&service).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_taken_back_when_its_answer_is_lost_and_the_next_one_has_it() {
    let service = with_bucket().await;
    let grant = take(&service, "a").await;
    let [b] = hold(&service, ["b"]).await;
    grant.lost();
    granted(b).await;
    grant.lost();
    settle().await;
    assert_eq!(holder(&service).await.as_deref(), Some("b"));
    // Its client lives after all, and has its place in line.
    let [a] = hold(&service, ["a"]).await;
    give_back(&service, "b").await;
    granted(a).await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_stays_when_its_holder_has_come_again() {
    let service = with_bucket().await;
    let lost = take(&service, "a").await;
    let again = take(&service, "a").await;
    lost.lost();
    settle().await;
    assert_eq!(holder(&service).await.as_deref(), Some("a"));
    again.lost();
    settle().await;
    // This one may have been late, and the first answer read.
    assert_eq!(holder(&service).await.as_deref(), Some("a"));
    give_back(&service, "a").await;
    // Through its second door the holder shows that it was told at the first.
    let file = take(&service, "x").await;
    let both = acquire("x", Facet::File);
    assert!(matches!(
        service.acquire(&at("a"), &both).await.unwrap(),
        Locking::Granted(_)
    ));
    file.lost();
    settle().await;
    assert_eq!(holder(&service).await.as_deref(), Some("x"));
}

#[tokio::test(start_paused = true)]
async fn a_repetition_whose_connection_is_lost_takes_nothing_from_who_may_have_been_told() {
    let (gate, service) = gated().await;
    take(&service, "a").await;
    gate.hold_commits(true);
    let again = send(&service, acquire("a", Facet::Http));
    gate.until_held(1).await;
    gate.hold_commits(false);
    hang_up(again).await;
    gate.let_commits_go(1);
    settle().await;
    assert_eq!(holder(&service).await.as_deref(), Some("a"));
}

fn in_run(id: &str) -> LockRequest {
    let mut wanted = acquire(id, Facet::File);
    wanted.caller.run_token = Some(format!("tidelock-run/{RUN}"));
    wanted
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_while_requests_are_held_hands_over_then() {
    let service = with_bucket().await;
    let lease = 15_000;
    let until = service
        .begin_or_renew(RUN, lease, &caller("ci"))
        .await
        .unwrap()
        .until;
    let taken = service.acquire(&at("a"), &in_run("a")).await.unwrap();
    assert!(matches!(taken, Locking::Granted(_)));
    let [b, c] = hold(&service, ["b", "c"]).await;
    sleep(Duration::from_millis(
        until.since(service.now()).unsigned_abs() - 1,
    ))
    .await;
    assert!(!b.is_finished());
    settle().await;
    granted(b).await;
    assert!(!c.is_finished());
    give_back(&service, "b").await;
    hang_up(c).await;
    let refused = service
        .put(&at("a"), common::body(STATE), &in_run("a").caller)
        .await;
    assert!(
        matches!(refused, Err(Error::State { .. })),
        "the former holder is fenced"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_keeps_its_lock_from_those_who_wait() {
    let service = with_bucket().await;
    service.begin_or_renew(RUN, 15_000, &caller("ci")).await.unwrap();
    service.acquire(&at("a"), &in_run("a")).await.unwrap();
    let [b] = hold(&service, ["b"]).await;
    for _ in 0..4 {
        service.begin_or_renew(RUN, 15_000, &caller("ci")).await.unwrap();
        seconds(10).await;
    }
    assert!(!b.is_finished());
    seconds(10).await;
    granted(b).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_wakes_who_waits_for_its_locks() {
    let service = with_bucket().await;
    service
        .begin_or_renew(RUN, 3_600_000, &caller("ci"))
        .await
        .unwrap();
    service.acquire(&at("a"), &in_run("a")).await.unwrap();
    let [b, c] = hold(&service, ["b", "c"]).await;
    service.end_run(RUN, &caller("ci")).await.unwrap();
    granted(b).await;
    assert!(!c.is_finished());
    give_back(&service, "b").await;
    granted(c).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_holder_keeps_its_lock_unless_the_operator_has_it_removed() {
    for stale in [Stale::Report, Stale::Remove] {
        let service = with_settings(Settings {
            stale,
            ..Settings::default()
        })
        .await;
        service
            .acquire(&at("a"), &acquire("a", Facet::File))
            .await
            .unwrap();
        sleep(Duration::from_millis(STALE_AFTER_MS.unsigned_abs() - 1)).await;
        refuse(&service, &acquire("b", Facet::Http)).await;
        settle().await;
        assert!(service.is_stale(&held(&service, &at("a")).await.unwrap()));
        let next = service
            .acquire(&at("a"), &acquire("c", Facet::Http))
            .await
            .unwrap();
        assert_eq!(matches!(next, Locking::Granted(_)), stale == Stale::Remove);
        assert_eq!(write_as(&service, "a").await.is_ok(), stale == Stale::Report);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_heard_of_is_not_stale() {
    let service = with_settings(Settings {
        stale: Stale::Remove,
        ..Settings::default()
    })
    .await;
    take(&service, "a").await;
    for _ in 0..3 {
        sleep(Duration::from_millis(STALE_AFTER_MS.unsigned_abs() - 1)).await;
        service.saw(&caller("a"));
    }
    refuse(&service, &acquire("b", Facet::Http)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_refuses_every_held_request_and_the_next_server_knows_their_places() {
    let engine = Arc::new(MemoryEngine::new());
    let world = paused();
    let service = Arc::new(common::over(engine.clone(), world.clone()));
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    take(&service, "a").await;
    let [b, c] = hold(&service, ["b", "c"]).await;
    service.stop_waiting();
    for request in [b, c] {
        assert_eq!(refused_because_of(request).await, "a");
    }
    // Nobody is held any more, and what was released is not granted to who left.
    let late = send(&service, acquire("b", Facet::Http));
    assert_eq!(refused_because_of(late).await, "a");
    let next = Arc::new(common::over(engine, world));
    seconds(16).await;
    // The other way round, they are still served as they came first.
    let c = send(&next, acquire("c", Facet::Http));
    settle().await;
    let b = send(&next, acquire("b", Facet::Http));
    settle().await;
    give_back(&next, "a").await;
    granted(b).await;
    give_back(&next, "b").await;
    granted(c).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_released_while_the_server_stops_is_not_left_with_who_was_refused() {
    let (gate, service) = gated().await;
    take(&service, "a").await;
    let [b] = hold(&service, ["b"]).await;
    gate.hold_commits(true);
    let releasing = Arc::clone(&service);
    let released = tokio::spawn(async move { give_back(&releasing, "a").await });
    gate.until_held(1).await;
    gate.hold_commits(false);
    service.stop_waiting();
    assert_eq!(refused_because_of(b).await, "a");
    gate.let_commits_go(1);
    settle().await;
    released.await.unwrap();
    assert_eq!(holder(&service).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_a_former_server_held_is_granted_nothing() {
    let engine = Arc::new(MemoryEngine::new());
    let world = paused();
    let former = Arc::new(common::over(engine.clone(), world.clone()));
    former.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    take(&former, "a").await;
    let [b, c] = hold(&former, ["b", "c"]).await;
    // As after a crash: the marks are in the record, the requests are not there.
    let service = Arc::new(common::over(engine, world));
    let back = send(&service, acquire("c", Facet::Http));
    settle().await;
    give_back(&service, "a").await;
    granted(back).await;
    give_back(&service, "c").await;
    assert_eq!(holder(&service).await, None);
    drop((b, c));
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_when_the_rules_say_so() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [first, second] = hold(&service, ["first", "second"]).await;
    let ms = |ms: i64| sleep(Duration::from_millis(ms.unsigned_abs()));
    ms(HOLD_MS_MAX - HOLD_MS_STEP).await;
    assert_eq!(refused_because_of(second).await, "a");
    assert!(!first.is_finished());
    ms(HOLD_MS_STEP).await;
    assert_eq!(refused_because_of(first).await, "a");
}

#[tokio::test(start_paused = true)]
async fn one_waiter_more_than_a_record_keeps_is_refused_and_comes_again() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let ids: Vec<String> = (0..WAITERS_MAX).map(|n| format!("w{n:03}")).collect();
    let mut requests = Vec::new();
    for id in &ids {
        refuse(&service, &acquire(id, Facet::Http)).await;
    }
    seconds(10).await;
    for id in &ids {
        requests.push(send(&service, acquire(id, Facet::Http)));
    }
    settle().await;
    for _ in 0..3 {
        refuse(&service, &acquire("more", Facet::Http)).await;
        seconds(1).await;
    }
    assert!(requests.iter().all(|request| !request.is_finished()));
    give_back(&service, "a").await;
    granted(requests.remove(0)).await;
}

/// A waiter at a table, and the item that will stand in its place.
async fn with_a_table_waiter(service: &Arc<Service>) -> (LockRequest, tidelock_service::Table) {
    let table = service.create_table("locks", String::new(), false).await.unwrap();
    let facet = Facet::Table {
        table: table.id.clone(),
        row: b"row".to_vec(),
    };
    (acquire("table", facet), table)
}

async fn put_item(service: &Service, table: &tidelock_service::Table) {
    let put = |_: Option<&ItemRow>| Ok::<_, ()>((ItemChange::Put("plain".into()), ()));
    service.change_item(table, b"row", put).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_place_in_the_table_is_taken_is_told_so_and_the_next_one_has_the_lock() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let (wanted, table) = with_a_table_waiter(&service).await;
    let [hidden, b, c] = hold_all(
        &service,
        [wanted, acquire("b", Facet::Http), acquire("c", Facet::Http)],
    )
    .await;
    put_item(&service, &table).await;
    give_back(&service, "a").await;
    granted(b).await;
    assert!(matches!(answer(hidden).await, Err(Error::Occupied)));
    assert!(!c.is_finished());
}

#[tokio::test(start_paused = true)]
async fn who_ends_a_lease_does_not_suffer_from_a_waiter_that_cannot_be_shown() {
    let service = with_bucket().await;
    service
        .begin_or_renew(RUN, 3_600_000, &caller("ci"))
        .await
        .unwrap();
    service.acquire(&at("a"), &in_run("a")).await.unwrap();
    let (wanted, table) = with_a_table_waiter(&service).await;
    let [hidden, b] = hold_all(&service, [wanted, acquire("b", Facet::Http)]).await;
    put_item(&service, &table).await;
    service.end_run(RUN, &caller("ci")).await.unwrap();
    granted(b).await;
    assert!(matches!(answer(hidden).await, Err(Error::Occupied)));
}

fn plan(id: &str, facet: Facet) -> LockRequest {
    LockRequest {
        info: format!(r#"{{"ID":"{id}","Operation":"OperationTypePlan"}}"#),
        ..acquire(id, facet)
    }
}

#[tokio::test(start_paused = true)]
async fn plans_share_the_lock_unless_the_operator_wants_them_exclusive() {
    for plans in [Plans::Shared, Plans::Exclusive] {
        let service = with_settings(Settings {
            plans,
            ..Settings::default()
        })
        .await;
        service.acquire(&at("a"), &plan("p", Facet::File)).await.unwrap();
        let second = service.acquire(&at("a"), &plan("q", Facet::File)).await.unwrap();
        assert_eq!(matches!(second, Locking::Granted(_)), plans == Plans::Shared);
        refuse(&service, &acquire("apply", Facet::File)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn held_plans_are_granted_together_and_not_past_an_apply_that_waits() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [p, q, apply, late] = hold_all(
        &service,
        [
            plan("p", Facet::Http),
            plan("q", Facet::Http),
            acquire("apply", Facet::Http),
            plan("late", Facet::Http),
        ],
    )
    .await;
    give_back(&service, "a").await;
    granted(p).await;
    granted(q).await;
    assert!(!apply.is_finished() && !late.is_finished());
    give_back(&service, "q").await;
    settle().await;
    assert!(!apply.is_finished() && !late.is_finished());
    give_back(&service, "p").await;
    granted(apply).await;
    assert!(!late.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_not_deleted_under_those_who_wait_in_it() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [b] = hold(&service, ["b"]).await;
    assert!(matches!(
        service.delete_bucket("tfstate").await,
        Err(Error::BucketNotEmpty(_))
    ));
    give_back(&service, "a").await;
    granted(b).await;
    assert!(matches!(
        service.delete_bucket("tfstate").await,
        Err(Error::BucketNotEmpty(_))
    ));
    give_back(&service, "b").await;
    service.delete_bucket("tfstate").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_file_has_no_lock_file() {
    let service = with_bucket().await;
    let wanted = acquire("a", Facet::File);
    let answer = service.acquire(&at("a.tflock"), &wanted).await;
    assert!(matches!(answer, Err(Error::LockFile(_))));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_client_has_asked_again_takes_nothing_up_any_more() {
    let service = with_bucket().await;
    take(&service, "a").await;
    let [given_up] = hold(&service, ["b"]).await;
    let again = send(&service, acquire("b", Facet::Http));
    settle().await;
    give_back(&service, "a").await;
    granted(again).await;
    give_back(&service, "b").await;
    seconds(60).await;
    assert!(matches!(given_up.await.unwrap(), Err(Error::Busy(_))));
    assert_eq!(holder(&service).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_request_that_comes_late_takes_nothing_from_the_one_that_is_answered() {
    let (gate, service) = gated().await;
    gate.hold_commits(true);
    let again = send(&service, acquire("a", Facet::File));
    gate.until_held(1).await;
    gate.hold_commits(false);
    // Its turn is lost to a write; before the next one the request comes that its client gave up, and is gone again.
    write_as(&service, "a").await.unwrap();
    let late = send(&service, acquire("a", Facet::File));
    settle().await;
    hang_up(late).await;
    gate.let_commits_go(1);
    let told = matches!(answer(again).await, Ok(Locking::Granted(_)));
    assert_eq!(holder(&service).await.is_some(), told);
    assert!(told, "nobody else wants it");
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_request_that_was_then_given_up_is_not_left_with_nobody() {
    let (gate, service) = gated().await;
    take(&service, "a").await;
    let [b, c] = hold(&service, ["b", "c"]).await;
    gate.hold_next_answer();
    let releasing = Arc::clone(&service);
    let released = tokio::spawn(async move { give_back(&releasing, "a").await });
    gate.until_held(1).await;
    // The lock is b's, which has not looked yet.
    let late = send(&service, acquire("b", Facet::Http));
    settle().await;
    hang_up(late).await;
    gate.let_commits_go(1);
    released.await.unwrap();
    assert!(matches!(answer(b).await, Err(Error::Busy(_))));
    granted(c).await;
    assert_eq!(holder(&service).await.as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn a_holder_from_before_a_restart_is_heard_of_again() {
    let engine = Arc::new(MemoryEngine::new());
    let settings = Settings {
        stale: Stale::Remove,
        ..Settings::default()
    };
    let start = || Arc::new(common::over(engine.clone(), paused()).with_settings(settings.clone()));
    let before = start();
    before.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    take(&before, "a").await;
    drop(before);
    let service = start();
    refuse(&service, &acquire("b", Facet::Http)).await;
    for _ in 0..4 {
        sleep(Duration::from_millis(STALE_AFTER_MS.unsigned_abs() / 2)).await;
        service.saw(&caller("a"));
    }
    refuse(&service, &acquire("c", Facet::Http)).await;
    assert_eq!(holder(&service).await.as_deref(), Some("a"));
}
