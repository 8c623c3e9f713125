//! Plans, which share the lock where their callers can be told apart.

use tidelock_core::{
    Facet,
    decide::Acquire,
    limits::{SHARED_LOCKS_MAX, WAITER_ASLEEP_MS},
};

use crate::state::{State, Told, caller, wanted};

#[test]
fn plans_share_the_lock() {
    let mut state = State::default();
    assert_eq!(state.plan("a", 1), Told::Granted);
    assert_eq!(state.plan("b", 2), Told::Granted);
    assert_eq!(state.apply("c", 3), Told::Refused("a".to_owned()));
    assert_eq!(state.held_by(), ["a", "b"]);
    assert_eq!(state.record.locks[1].fence, 2);
}

#[test]
fn plans_and_an_apply_exclude_each_other() {
    let mut state = State::default();
    state.apply("a", 1);
    assert_eq!(state.plan("b", 2), Told::Refused("a".to_owned()));
    state.release("a");
    assert_eq!(state.plan("b", 3), Told::Granted);
    state.wait("c", 4);
    state.release("b");
    assert_eq!(state.held_by(), ["c"]);
}

#[test]
fn a_waiting_apply_keeps_later_plans_out() {
    let mut state = State::default();
    state.plan("a", 1);
    state.wait("b", 2);
    assert_eq!(state.plan("c", 3), Told::Refused("a".to_owned()));
    state.now += 1_000;
    assert!(matches!(state.plan("c", 4), Told::Held(_)));
    state.release("a");
    assert_eq!(state.held_by(), ["b"]);
    state.release("b");
    assert_eq!(state.held_by(), ["c"]);
}

#[test]
fn an_apply_between_two_tries_keeps_later_plans_out_until_it_stays_away() {
    let mut state = State::default();
    state.plan("a", 1);
    state.wait("b", 2);
    state.record.let_go(|_| false);
    state.now += WAITER_ASLEEP_MS - 1;
    assert_eq!(state.plan("c", 3), Told::Refused("a".to_owned()));
    state.now += 1;
    assert_eq!(state.plan("c", 4), Told::Granted);
}

#[test]
fn plans_that_waited_are_let_in_together() {
    let mut state = State::default();
    state.apply("a", 1);
    for id in ["b", "c", "d"] {
        state.plan(id, 0);
    }
    state.now += 1_000;
    for (ticket, id) in (2..).zip(["b", "c", "d"]) {
        assert!(matches!(state.plan(id, ticket), Told::Held(_)));
    }
    state.release("a");
    assert_eq!(state.held_by(), ["b", "c", "d"]);
}

#[test]
fn plans_of_one_caller_are_told_apart_by_id_or_not_at_all() {
    let mut state = State::default();
    let plan = |id: &str, facet: Facet| Acquire {
        caller: caller("one"),
        shared: true,
        facet,
        ..wanted(id, 1)
    };
    assert_eq!(state.ask(&plan("a", Facet::File)), Told::Granted);
    assert_eq!(state.ask(&plan("b", Facet::File)), Told::Refused("a".to_owned()));
    assert_eq!(state.ask(&plan("c", Facet::Http)), Told::Granted);
    assert_eq!(state.held_by(), ["a", "c"]);
}

#[test]
fn plans_that_were_left_behind_do_not_pile_up_for_ever() {
    let mut state = State::default();
    for n in 0..SHARED_LOCKS_MAX {
        assert_eq!(state.plan(&format!("p{n}"), 1), Told::Granted);
    }
    assert_eq!(state.plan("more", 2), Told::Refused("p0".to_owned()));
    state.release("p0");
    assert_eq!(state.plan("more", 3), Told::Granted);
}
