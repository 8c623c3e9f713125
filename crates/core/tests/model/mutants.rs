//! That the model sees faults: with one rule made wrong, the property that it is for does not hold.

use tidelock_core::{
    Allowance, Record, Time, decide,
    decide::{Acquire, Acquired, Refused, Release, Released, TakeBack, Write, Written},
};

use crate::{
    DOORS, ONE_CALLER, PLANS,
    checks::{
        DEAD, FENCE, FENCED, FREES, IDLE, KEPT, ONE_HOLDER, ONLY_HOLDER, OVERTAKEN, REFUSED, SERIAL, STARVES,
        TOLD,
    },
    search::search,
    serve::{REAL, Rules},
    world::{Setup, caller},
};

/// The property that does not hold under these rules.
fn broken(setup: &Setup, rules: Rules) -> &'static str {
    match search(setup, &rules) {
        Ok(visited) => panic!("all holds in {} states", visited.worlds),
        Err(fault) => fault.property,
    }
}

/// In which no time passes.
const STILL: Setup = Setup { passes: 0, ..DOORS };

#[test]
fn a_second_exclusive_holder_is_seen() {
    let acquire = |record: &Record, command: &Acquire, now: Time| {
        let mut free = record.clone();
        let held: Vec<_> = free
            .locks
            .drain(..)
            .filter(|lock| lock.id != command.id)
            .collect();
        let (mut next, outcome) = decide(&free, command, now);
        next.locks.splice(..0, held);
        (next, outcome)
    };
    assert_eq!(broken(&STILL, Rules { acquire, ..REAL }), ONE_HOLDER);
}

#[test]
fn an_apply_beside_a_plan_is_seen() {
    let acquire = |record: &Record, command: &Acquire, now: Time| {
        let shared = Acquire {
            shared: true,
            ..command.clone()
        };
        decide(record, &shared, now)
    };
    assert_eq!(broken(&PLANS, Rules { acquire, ..REAL }), ONE_HOLDER);
}

#[test]
fn a_fence_that_stands_still_is_seen() {
    let acquire = |record: &Record, command: &Acquire, now: Time| {
        let (mut next, outcome) = decide(record, command, now);
        next.fence = record.fence;
        next.locks.iter_mut().for_each(|lock| lock.fence = record.fence);
        (next, outcome)
    };
    assert_eq!(broken(&STILL, Rules { acquire, ..REAL }), FENCE);
}

#[test]
fn a_release_that_ignores_the_id_is_seen() {
    let release = |record: &Record, command: &Release, now: Time| {
        let whichever = record.locks.first().map(|lock| lock.id.clone());
        let command = Release {
            id: whichever.or(command.id.clone()),
            ..command.clone()
        };
        decide(record, &command, now)
    };
    assert_eq!(broken(&STILL, Rules { release, ..REAL }), TOLD);
}

#[test]
fn a_grant_that_is_taken_back_for_any_request_is_seen() {
    let take_back = |record: &Record, command: &TakeBack, now: Time| {
        let ticket = record.lock(&command.id).and_then(|lock| lock.ticket);
        let command = TakeBack {
            ticket: ticket.unwrap_or(command.ticket),
            ..command.clone()
        };
        let mut known = record.clone();
        for lock in &mut known.locks {
            lock.ticket = Some(command.ticket);
        }
        decide(&known, &command, now)
    };
    assert_eq!(broken(&STILL, Rules { take_back, ..REAL }), TOLD);
}

#[test]
fn a_refusal_of_the_holder_is_seen() {
    let acquire = |record: &Record, command: &Acquire, now: Time| {
        let (next, outcome) = decide(record, command, now);
        match record.lock(&command.id) {
            Some(held) => (
                next,
                Acquired::Refused {
                    held: Box::new(held.clone()),
                },
            ),
            None => (next, outcome),
        }
    };
    assert_eq!(broken(&STILL, Rules { acquire, ..REAL }), REFUSED);
}

#[test]
fn a_release_that_only_says_so_is_seen() {
    let release = |record: &Record, _: &Release, _: Time| (record.clone(), Released::Free);
    assert_eq!(broken(&STILL, Rules { release, ..REAL }), FREES);
}

fn write_as_if(
    record: &Record,
    command: &Write,
    now: Time,
    change: fn(&mut Record),
) -> (Record, Result<Written, Refused>) {
    let mut changed = record.clone();
    change(&mut changed);
    let (mut next, outcome) = decide(&changed, command, now);
    (next.fenced, next.locks) = (record.fenced.clone(), record.locks.clone());
    (next, outcome)
}

#[test]
fn a_write_without_the_check_of_the_fence_is_seen() {
    let write = |record: &Record, command: &Write, now: Time| {
        write_as_if(record, command, now, |record| record.fenced.clear())
    };
    assert_eq!(broken(&STILL, Rules { write, ..REAL }), FENCED);
}

#[test]
fn a_write_without_the_check_of_the_holder_is_seen() {
    let write = |record: &Record, command: &Write, now: Time| {
        let mut mine = command.clone();
        if let Some(lock) = record.locks.first() {
            mine.caller = lock.holder.clone();
        }
        decide(record, &mine, now)
    };
    let seen = broken(&Setup { faults: 2, ..STILL }, Rules { write, ..REAL });
    assert!([FENCED, ONLY_HOLDER].contains(&seen), "{seen}");
}

#[test]
fn a_write_without_the_check_of_the_serial_is_seen() {
    let write = |record: &Record, command: &Write, now: Time| {
        let mut allows = record.clone();
        allows.allowed = Some(Allowance {
            rewind: true,
            relineage: false,
            until: now.plus_ms(1),
            by: caller("operator"),
        });
        let (mut next, outcome) = decide(&allows, command, now);
        next.allowed = None;
        (next, outcome)
    };
    let setup = Setup {
        faults: 2,
        passes: 0,
        ..ONE_CALLER
    };
    assert_eq!(broken(&setup, Rules { write, ..REAL }), SERIAL);
}

#[test]
fn a_refused_body_that_is_thrown_away_is_seen() {
    let write = |record: &Record, command: &Write, now: Time| {
        let (mut next, outcome) = decide(record, command, now);
        next.quarantined.clear();
        (next, outcome)
    };
    assert_eq!(broken(&STILL, Rules { write, ..REAL }), KEPT);
}

#[test]
fn a_release_that_hands_nothing_over_is_seen() {
    let release = |record: &Record, command: &Release, now: Time| {
        let mut deaf = record.clone();
        deaf.let_go(|_| false);
        let (mut next, outcome) = decide(&deaf, command, now);
        for waiter in &mut next.waiters {
            let before = record.waiters.iter().find(|old| old.id == waiter.id);
            waiter.hold = before.and_then(|old| old.hold.clone());
        }
        (next, outcome)
    };
    assert_eq!(broken(&DOORS, Rules { release, ..REAL }), IDLE);
}

#[test]
fn a_hand_over_that_skips_the_first_is_seen() {
    let release = |record: &Record, command: &Release, now: Time| {
        let mut reversed = record.clone();
        reversed.waiters.reverse();
        let (mut next, outcome) = decide(&reversed, command, now);
        next.waiters.reverse();
        (next, outcome)
    };
    assert_eq!(broken(&DOORS, Rules { release, ..REAL }), OVERTAKEN);
}

#[test]
fn a_grant_to_a_connection_that_is_gone_is_seen() {
    assert_eq!(
        broken(
            &DOORS,
            Rules {
                lets_go: false,
                ..REAL
            }
        ),
        DEAD
    );
}

#[test]
fn a_waiter_that_is_never_let_in_is_seen() {
    let acquire = |record: &Record, command: &Acquire, now: Time| {
        let known = record.waiters.iter().any(|waiter| waiter.id == command.id);
        match &record.last_release {
            Some(last) if known && record.locks.is_empty() => {
                let held = Box::new(last.lock.clone());
                (record.clone(), Acquired::Refused { held })
            }
            _ => decide(record, command, now),
        }
    };
    assert_eq!(broken(&DOORS, Rules { acquire, ..REAL }), STARVES);
}
