//! What `decide` says to those who take, give back and look at a lock.
#![allow(clippy::unwrap_used, missing_docs)]

use tidelock_core::{
    Caller, Facet, LockId, Record, Time, decide,
    decide::{Acquire, Acquired, Release, Released},
    limits::RELEASE_REPEAT_MS,
};

fn caller(name: &str) -> Caller {
    Caller {
        principal: format!("arn:aws:iam::0:user/{name}"),
        ..Caller::default()
    }
}

fn table() -> Facet {
    Facet::Table {
        table: "t".to_owned(),
        row: vec![1],
    }
}

/// One address and its clock.
#[derive(Default)]
struct State {
    record: Record,
    now: i64,
}

impl State {
    fn acquire(&mut self, id: &str, facet: Facet) -> Acquired {
        self.now += 1;
        let id_ = LockId::try_from(id).unwrap();
        let info = format!(r#"{{"ID":"{id}","Who":"{facet:?}"}}"#);
        let command = Acquire {
            id: id_,
            info,
            facet,
            caller: caller(id),
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        self.record = record;
        outcome
    }

    fn release(&mut self, id: Option<&str>, facet: Facet) -> Released {
        self.release_by(None, id, facet)
    }

    fn release_by(&mut self, invocation: Option<&str>, id: Option<&str>, facet: Facet) -> Released {
        self.now += 1;
        let release = Release {
            id: id.map(|id| LockId::try_from(id).unwrap()),
            facet,
            invocation: invocation.map(str::to_owned),
        };
        let (record, outcome) = decide(&self.record, &release, Time(self.now));
        self.record = record;
        outcome
    }

    fn sees(&self, who: &str) -> Option<&str> {
        self.record
            .seen_by(&caller(who), Time(self.now))
            .map(|lock| lock.id.as_str())
    }
}

fn granted(outcome: &Acquired) -> u64 {
    match outcome {
        Acquired::Granted { fence } => *fence,
        Acquired::Refused { held } => panic!("refused because of {}", held.id),
    }
}

fn refused(outcome: &Acquired) -> &str {
    match outcome {
        Acquired::Granted { fence } => panic!("granted with fence {fence}"),
        Acquired::Refused { held } => held.id.as_str(),
    }
}

#[test]
fn a_lock_excludes_every_other_id_through_every_door() {
    for taken in [Facet::File, table(), Facet::Http] {
        for asked in [Facet::File, table(), Facet::Http] {
            let mut state = State::default();
            granted(&state.acquire("a", taken.clone()));
            assert_eq!(refused(&state.acquire("b", asked)), "a");
        }
    }
}

#[test]
fn a_repeated_acquire_succeeds_with_the_same_fence() {
    let mut state = State::default();
    assert_eq!(granted(&state.acquire("a", Facet::File)), 1);
    assert_eq!(granted(&state.acquire("a", Facet::File)), 1);
    assert_eq!(state.record.lock.as_ref().unwrap().facets.len(), 1);
}

#[test]
fn every_grant_raises_the_fence_and_nothing_lowers_it() {
    let mut state = State::default();
    for n in 1..=5 {
        assert_eq!(granted(&state.acquire(&format!("id{n}"), Facet::Http)), n);
        assert_eq!(state.release(None, Facet::Http), Released::Free);
    }
    assert!(!state.record.is_void(), "a record with a fence must stay");
}

#[test]
fn a_dual_lock_is_free_only_when_both_facets_are_off() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    assert_eq!(state.release(None, Facet::File), Released::FacetOff);
    assert_eq!(refused(&state.acquire("b", Facet::File)), "a");
    assert_eq!(
        state.release(None, Facet::File),
        Released::FacetOff,
        "a repeated release must not free the table's facet"
    );
    assert_eq!(state.release(Some("a"), table()), Released::Free);
    granted(&state.acquire("b", Facet::File));
}

#[test]
fn the_right_id_through_a_door_that_never_took_it_frees_the_whole_lock() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    assert_eq!(state.release(Some("a"), Facet::Http), Released::Free);
    assert!(state.record.lock.is_none());
}

#[test]
fn a_wrong_id_never_frees() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::Http));
    for facet in [Facet::Http, Facet::File, table()] {
        assert!(
            matches!(state.release(Some("b"), facet), Released::Refused { held } if held.id.as_str() == "a")
        );
    }
}

#[test]
fn a_repeated_release_succeeds_and_leaves_the_next_holder_alone() {
    let mut state = State::default();
    assert_eq!(state.release(Some("a"), Facet::Http), Released::NotHeld);
    granted(&state.acquire("a", Facet::Http));
    assert_eq!(state.release(Some("a"), Facet::Http), Released::Free);
    assert_eq!(state.release(Some("a"), Facet::Http), Released::Free);
    granted(&state.acquire("b", Facet::Http));
    assert!(matches!(
        state.release(Some("a"), Facet::Http),
        Released::Refused { .. }
    ));
}

#[test]
fn each_door_shows_what_its_holder_wrote_through_it() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    let lock = state.record.lock.as_ref().unwrap();
    assert!(lock.info(&Facet::File).contains("File"));
    assert!(lock.info(&table()).contains("Table"));
    assert!(
        lock.info(&Facet::Http).contains("File"),
        "a door that never took it shows the first form"
    );
}

#[test]
fn who_was_just_refused_still_sees_the_holder_that_has_gone() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    refused(&state.acquire("b", Facet::File));
    state.release(None, Facet::File);
    assert_eq!(state.sees("b"), Some("a"));
    assert_eq!(state.sees("c"), None, "who was not refused sees the truth");
    state.now += 10_000;
    assert_eq!(state.sees("b"), None, "the tombstone ends");
}

#[test]
fn a_refusal_is_forgotten_with_the_grant_that_follows() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    refused(&state.acquire("b", Facet::File));
    state.release(None, Facet::File);
    granted(&state.acquire("b", Facet::File));
    state.release(None, Facet::File);
    assert_eq!(
        state.sees("b"),
        None,
        "a caller's own lock leaves no tombstone for itself"
    );
}

#[test]
fn refusals_stay_few_and_the_newest_stay() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    for n in 0..200 {
        refused(&state.acquire(&format!("id{n}"), Facet::File));
        refused(&state.acquire(&format!("id{n}"), Facet::File));
    }
    assert_eq!(state.record.refusals.len(), tidelock_core::limits::REFUSALS_MAX);
    assert_eq!(state.record.refusals.last().unwrap().id.as_str(), "id199");
}

#[test]
fn a_retried_release_that_carries_no_id_leaves_the_next_holder_alone() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    assert_eq!(
        state.release_by(Some("call-1"), None, Facet::File),
        Released::Free
    );
    granted(&state.acquire("b", Facet::File));
    assert_eq!(
        state.release_by(Some("call-1"), None, Facet::File),
        Released::Free
    );
    assert_eq!(refused(&state.acquire("c", Facet::File)), "b");
    assert_eq!(
        state.release_by(Some("call-2"), None, Facet::File),
        Released::Free
    );
    granted(&state.acquire("c", Facet::File));
}

#[test]
fn a_lock_that_kept_one_facet_can_be_broken_through_the_other_door() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    assert_eq!(state.release(None, Facet::File), Released::FacetOff);
    // The holder died here. A retry of its delete changes nothing, a delete long after is somebody's force-unlock.
    assert_eq!(state.release(None, Facet::File), Released::FacetOff);
    state.now += RELEASE_REPEAT_MS;
    assert_eq!(state.release(None, Facet::File), Released::Free);
    granted(&state.acquire("b", Facet::File));
}
