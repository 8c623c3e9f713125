//! Grants whose answer did not reach their client.

use tidelock_core::{Facet, decide::Acquire, limits::HOLD_MS_MAX};

use crate::state::{State, Told, wanted};

#[test]
fn a_grant_that_is_taken_back_goes_to_the_next_and_keeps_its_place() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("b", 2);
    state.wait("c", 3);
    state.release("a");
    state.now += 1;
    state.apply("d", 4);
    assert!(state.take_back("b", 2));
    assert_eq!(state.held_by(), ["c"]);
    assert_eq!(state.line(), ["b", "d"], "before those who came after its grant");
    assert_eq!(state.record.fence, 3, "each grant counts");
    state.now += 1_000;
    assert_eq!(state.apply("b", 5), Told::Held(HOLD_MS_MAX));
}

#[test]
fn nothing_is_taken_back_from_another_request_or_twice() {
    let mut state = State::default();
    state.apply("a", 1);
    assert!(!state.take_back("a", 2));
    assert!(!state.take_back("b", 1));
    assert!(state.take_back("a", 1));
    assert!(!state.take_back("a", 1));
    assert_eq!(state.held_by(), [""; 0]);
}

#[test]
fn a_late_repetition_that_nobody_hears_takes_nothing_from_a_holder_that_was_told() {
    let mut state = State::default();
    assert_eq!(state.apply("a", 1), Told::Granted);
    // Its client had given this one up and asked again; the answer cannot be delivered.
    assert_eq!(state.apply("a", 2), Told::Granted);
    assert!(!state.take_back("a", 2));
    assert!(!state.take_back("a", 1));
    assert_eq!(state.held_by(), ["a"]);
}

#[test]
fn a_holder_with_two_facets_was_told_and_nothing_is_taken_back() {
    let mut state = State::default();
    state.apply("a", 1);
    let table = Facet::Table {
        table: "t".to_owned(),
        row: Vec::new(),
    };
    let item = Acquire {
        facet: table,
        ..wanted("a", 2)
    };
    assert_eq!(state.ask(&item), Told::Granted);
    assert_eq!(state.apply("a", 3), Told::Granted, "a late repetition");
    for ticket in 1..=3 {
        assert!(!state.take_back("a", ticket));
    }
}
