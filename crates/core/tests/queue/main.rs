//! What `decide` says to those who wait for a lock: who is held, for how long, and who is next.
#![allow(clippy::unwrap_used, missing_docs)]

mod plans;
mod state;
mod take_back;

use state::{State, Told, lock_id, wanted};
use tidelock_core::{
    Facet, Ticket,
    decide::Acquire,
    limits::{HOLD_MS_AT_BACK, HOLD_MS_MAX, HOLD_MS_STEP, WAITER_RETURN_MS_MIN, WAITERS_MAX},
};

#[test]
fn a_first_refusal_is_immediate() {
    let mut state = State::default();
    assert_eq!(state.apply("a", 1), Told::Granted);
    assert_eq!(state.apply("b", 2), Told::Refused("a".to_owned()));
}

#[test]
fn who_is_back_at_once_repeats_a_lost_answer_and_is_not_held() {
    let mut state = State::default();
    state.apply("a", 1);
    state.apply("b", 2);
    state.now += WAITER_RETURN_MS_MIN - 1;
    assert_eq!(state.apply("b", 3), Told::Refused("a".to_owned()));
    state.now += 1;
    assert!(matches!(state.apply("b", 4), Told::Held(_)));
}

#[test]
fn a_request_that_cannot_wait_is_not_held() {
    let mut state = State::default();
    state.apply("a", 1);
    state.apply("b", 2);
    state.now += 1_000;
    let patient = wanted("b", 3);
    assert_eq!(
        state.ask(&Acquire {
            ticket: None,
            ..patient
        }),
        Told::Refused("a".to_owned())
    );
}

#[test]
fn who_is_first_in_line_is_held_for_as_long_as_clients_bear() {
    let mut state = State::default();
    state.apply("a", 1);
    state.apply("b", 2);
    state.now += 1_000;
    assert_eq!(state.apply("b", 3), Told::Held(HOLD_MS_MAX));
    state.now += HOLD_MS_MAX;
    assert_eq!(
        state.apply("b", 3),
        Told::Refused("a".to_owned()),
        "the same request is not held for longer"
    );
    state.now += 1_000;
    assert_eq!(state.apply("b", 4), Told::Held(HOLD_MS_MAX));
}

#[test]
fn the_further_back_in_line_the_shorter_a_request_is_held() {
    let mut state = State::default();
    state.apply("a", 1);
    let ids: Vec<String> = (0..16).map(|n| format!("w{n:02}")).collect();
    for id in &ids {
        state.apply(id, 0);
    }
    state.now += 3_000;
    for (ahead, id) in (0..).zip(&ids) {
        let told = state.apply(id, 2 + u64::try_from(ahead).unwrap());
        let in_front = HOLD_MS_MAX - ahead * HOLD_MS_STEP;
        assert_eq!(told, Told::Held(in_front.max(3_000)), "{ahead} are ahead");
    }
}

#[test]
fn who_is_at_the_back_is_held_no_longer_than_it_has_waited() {
    let mut state = State::default();
    state.apply("a", 1);
    for n in 0..16_u64 {
        state.wait(&format!("w{n:02}"), 2 + n);
    }
    state.apply("z", 90);
    state.now += 3_000;
    assert_eq!(state.apply("z", 91), Told::Held(3_000));
    state.now += 3_000;
    assert_eq!(state.apply("z", 91), Told::Refused("a".to_owned()));
    state.now += HOLD_MS_AT_BACK;
    assert_eq!(state.apply("z", 92), Told::Held(HOLD_MS_AT_BACK));
}

#[test]
fn who_moves_to_the_front_while_it_is_held_stays() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("b", 2);
    state.apply("c", 3);
    state.now += 3_000;
    let second = HOLD_MS_MAX - HOLD_MS_STEP;
    assert_eq!(state.apply("c", 4), Told::Held(second));
    state.release("a");
    state.now += second;
    assert_eq!(state.apply("c", 4), Told::Held(HOLD_MS_STEP));
}

#[test]
fn the_lock_is_handed_over_in_the_order_of_the_first_refusals() {
    let mut state = State::default();
    state.apply("a", 1);
    for id in ["b", "c", "d"] {
        state.apply(id, 0);
        state.now += 1;
    }
    state.now += 1_000;
    for (ticket, id) in (2..).zip(["d", "c", "b"]) {
        assert!(matches!(state.apply(id, ticket), Told::Held(_)));
    }
    for (freed, next) in [("a", "b"), ("b", "c"), ("c", "d")] {
        state.release(freed);
        assert_eq!(state.held_by(), [next], "one commit frees and grants");
    }
    assert_eq!(state.record.fence, 4);
    assert_eq!(state.line(), [""; 0]);
}

#[test]
fn who_was_handed_the_lock_is_told_so_by_its_own_request() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("b", 2);
    state.release("a");
    assert_eq!(state.apply("b", 2), Told::Granted);
    assert_eq!(state.record.locks[0].fence, 2);
    assert_eq!(state.record.locks[0].ticket, Some(Ticket(2)));
}

#[test]
fn who_sleeps_between_two_tries_is_passed_over() {
    let mut state = State::default();
    state.apply("a", 1);
    state.apply("asleep", 2);
    state.wait("b", 3);
    state.release("a");
    assert_eq!(state.held_by(), ["b"]);
    state.now += 1_000;
    assert_eq!(
        state.apply("asleep", 4),
        Told::Held(HOLD_MS_MAX),
        "it has kept its place in line"
    );
}

#[test]
fn a_request_whose_connection_is_gone_is_passed_over() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("dead", 2);
    state.wait("b", 3);
    state.record.let_go(|ticket| ticket != Ticket(2));
    state.release("a");
    assert_eq!(state.held_by(), ["b"]);
}

#[test]
fn a_newcomer_never_overtakes_a_held_request() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("b", 2);
    state.release("a");
    assert_eq!(state.apply("c", 3), Told::Refused("b".to_owned()));
}

#[test]
fn a_held_request_that_finds_a_lease_ended_is_granted_the_lock_once() {
    for shared in [false, true] {
        let mut state = State::default();
        state.apply("a", 1);
        let wanted = Acquire {
            facet: Facet::Http,
            shared,
            ..wanted("b", 2)
        };
        assert_eq!(state.ask(&wanted), Told::Refused("a".to_owned()));
        state.now += 1_000;
        assert_eq!(state.ask(&wanted), Told::Held(HOLD_MS_MAX));
        let over = vec![lock_id("a")];
        assert_eq!(state.ask(&Acquire { over, ..wanted }), Told::Granted);
        assert_eq!(state.held_by(), ["b"]);
        assert_eq!(state.line(), [""; 0]);
        assert_eq!(state.record.fenced.len(), 1);
    }
}

#[test]
fn an_ended_lease_serves_who_waits_before_who_finds_it() {
    let mut state = State::default();
    state.apply("a", 1);
    state.wait("b", 2);
    let over = vec![lock_id("a")];
    let newcomer = Acquire {
        over,
        ..wanted("c", 3)
    };
    assert_eq!(state.ask(&newcomer), Told::Refused("b".to_owned()));
}

#[test]
fn when_all_who_are_in_line_are_held_one_more_polls_as_elsewhere() {
    let mut state = State::default();
    state.apply("a", 1);
    let ids: Vec<String> = (0..WAITERS_MAX).map(|n| format!("id{n}")).collect();
    for id in &ids {
        state.apply(id, 0);
    }
    state.now += 1_000;
    for (ticket, id) in (2..).zip(&ids) {
        assert!(matches!(state.apply(id, ticket), Told::Held(_)));
    }
    for _ in 0..2 {
        assert_eq!(state.apply("one more", 1), Told::Refused("a".to_owned()));
        state.now += 1_000;
    }
    assert_eq!(state.line(), ids);
    state.record.let_go(|ticket| ticket != Ticket(2));
    state.apply("one more", 1);
    assert_eq!(state.record.waiters.len(), WAITERS_MAX);
    assert_eq!(
        state.line().last(),
        Some(&"one more"),
        "the only one who is not held gives way"
    );
    assert_eq!(state.line()[..WAITERS_MAX - 1], ids[1..]);
}
