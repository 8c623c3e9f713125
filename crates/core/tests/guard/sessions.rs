//! A client whose session ends in the middle of a run takes the next one: it is no stranger to its own lock, and escapes no
//! fence. Two runs of one role and session name stay two for as long as neither had to do so.

use tidelock_core::{Caller, Facet, decide::Why};

use crate::address::{Address, caller, lock_id, state, write};

/// The run that the tests are about, in its first session and in the next one.
const FIRST: &str = "ci/ASIA1/0-60";
const NEXT: &str = "ci/ASIA2/50-110";
/// Another run of the same role and session name that began meanwhile.
const OTHER: &str = "ci/ASIA3/30-90";

#[test]
fn who_took_the_next_session_goes_on_with_its_lock_and_gives_it_back() {
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.put(NEXT, state("l", 6, "")).unwrap();
    assert_eq!(
        address.record.locks[0].holder,
        caller(NEXT),
        "whoever looks sees its present key"
    );
    address.release(NEXT, "1", Facet::File);
    assert!(address.record.fenced.is_empty(), "it was its own lock");
    let mut unwritten = Address::new();
    unwritten.lock(FIRST, "1");
    unwritten.release(NEXT, "1", Facet::File);
    assert!(unwritten.record.fenced.is_empty() && !unwritten.record.last_release.unwrap().forced);
}

#[test]
fn a_session_long_after_the_end_of_the_last_one_is_the_next_one() {
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.put("ci/ASIA9/600-660", state("l", 6, "")).unwrap();
}

#[test]
fn another_run_of_the_same_name_is_a_stranger_while_neither_changed_its_session() {
    let mut address = Address::new();
    address.lock(FIRST, "1");
    let why = address.refuses(&write(OTHER, state("l", 6, "")));
    assert!(matches!(why, Why::Locked(held) if held.id == lock_id("1")));
    address.release(OTHER, "1", Facet::File);
    let why = address.refuses(&write(FIRST, state("l", 6, "x")));
    assert!(
        matches!(why, Why::Fenced(_)),
        "it was somebody else who broke the lock"
    );
}

#[test]
fn once_the_next_session_holds_the_runs_are_apart_again() {
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.put(NEXT, state("l", 6, "")).unwrap();
    for late in [OTHER, FIRST, "ci/ASIA4/55-115"] {
        let why = address.refuses(&write(late, state("l", 7, late)));
        assert!(matches!(why, Why::Locked(_)), "{late}");
    }
}

#[test]
fn a_fence_and_a_refusal_hold_for_the_next_session_too() {
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.unlock_by_force("1");
    let why = address.refuses(&write(NEXT, state("l", 6, "")));
    assert!(matches!(why, Why::Fenced(_)));
    address.lock(NEXT, "2");
    address.put(NEXT, state("l", 6, "")).unwrap();
    assert!(address.record.fenced.is_empty());

    let mut refused = Address::new();
    refused.lock("b", "1");
    refused.refuses(&write(FIRST, state("l", 6, "")));
    refused.release("b", "1", Facet::File);
    let why = refused.refuses(&write(NEXT, state("l", 7, "")));
    assert_eq!(why, Why::AfterRefusal);
}

#[test]
fn what_counts_against_another_run_of_the_name_does_not_count_against_the_holder() {
    let beside = "ci/ASIA3/1-61";
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.refuses(&write(beside, state("l", 6, "x")));
    address.put(NEXT, state("l", 6, "")).unwrap();
    address.put(NEXT, state("l", 7, "")).unwrap();
    let why = address.refuses(&write(beside, state("l", 8, "x")));
    assert!(matches!(why, Why::Locked(_)));
    let mut own = Address::new();
    own.lock(FIRST, "1");
    own.refuses(&write(FIRST, state("l", 5, "x")));
    assert_eq!(own.refuses(&write(NEXT, state("l", 6, ""))), Why::AfterRefusal);
    own.acquire(NEXT, "1", Facet::Http, false);
    assert_eq!(own.refuses(&write(NEXT, state("l", 6, "y"))), Why::AfterRefusal);
}

#[test]
fn the_same_lock_id_proves_the_next_session_at_another_door() {
    let table = Facet::Table {
        table: "t".to_owned(),
        row: Vec::new(),
    };
    let mut address = Address::new();
    address.lock(FIRST, "1");
    address.acquire(NEXT, "1", table, false);
    assert_eq!(address.record.locks[0].holder, caller(NEXT));
}

#[test]
fn the_next_session_is_of_the_same_name_address_and_run() {
    let (first, next) = (caller(FIRST), caller(NEXT));
    assert!(next.is(&first) && next.succeeds(&first));
    assert!(first.is(&first) && !first.succeeds(&first));
    assert!(!first.is(&next), "the former one never succeeds");
    let strangers = [
        caller("cd/ASIA2/50-110"),
        caller("ci/ASIA2/44-104"),
        caller("ci/ASIA2"),
        Caller {
            source: "192.0.2.1".to_owned(),
            ..next.clone()
        },
        Caller {
            run_token: Some("job/2".to_owned()),
            ..next.clone()
        },
    ];
    for stranger in strangers {
        assert!(!stranger.is(&first), "{stranger:?}");
    }
    assert_eq!(first.lasting(), next.lasting());
    assert_ne!(first.lasting(), caller("cd/ASIA1/0-60").lasting());
}
