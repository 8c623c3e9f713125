//! What `decide` says to those who take, give back and look at a lock.
#![allow(clippy::unwrap_used, missing_docs)]

use tidelock_core::{
    Caller, Facet, LockId, Record, Ticket, Time,
    caller::Session,
    decide,
    decide::{Acquire, Acquired, Release, Released},
    limits::{ENDED_MAX, LOCK_FACETS_MAX, RELEASE_REPEAT_MS, WAITERS_MAX},
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
            shared: false,
            ticket: None,
            over: Vec::new(),
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        self.record = record;
        outcome
    }

    fn release(&mut self, id: Option<&str>, facet: Facet) -> Released {
        self.release_by(None, id, facet)
    }

    /// The holder gives the lock back.
    fn release_by(&mut self, invocation: Option<&str>, id: Option<&str>, facet: Facet) -> Released {
        let holder = self.record.locks.first().map(|lock| lock.holder.clone());
        self.release_as(&holder.unwrap_or_default(), invocation, id, facet)
    }

    fn release_as(
        &mut self,
        who: &Caller,
        invocation: Option<&str>,
        id: Option<&str>,
        facet: Facet,
    ) -> Released {
        self.now += 1;
        let release = Release {
            id: id.map(|id| LockId::try_from(id).unwrap()),
            facet,
            caller: who.clone(),
            invocation: invocation.map(str::to_owned),
            may_force: true,
        };
        let (record, outcome) = decide(&self.record, &release, Time(self.now));
        self.record = record;
        outcome
    }

    fn sees(&self, who: &str) -> Option<&str> {
        self.record
            .seen_by(&caller(who), &Facet::File, Time(self.now))
            .map(|lock| lock.id.as_str())
    }
}

fn granted(outcome: &Acquired) -> u64 {
    match outcome {
        Acquired::Granted { fence } => *fence,
        Acquired::Refused { held } | Acquired::Waits { held, .. } => panic!("refused because of {}", held.id),
        Acquired::TooManyFacets => panic!("refused because of its facets"),
    }
}

fn refused(outcome: &Acquired) -> &str {
    match outcome {
        Acquired::Granted { fence } => panic!("granted with fence {fence}"),
        Acquired::Refused { held } | Acquired::Waits { held, .. } => held.id.as_str(),
        Acquired::TooManyFacets => panic!("refused because of its facets"),
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
    assert_eq!(state.record.locks[0].facets.len(), 1);
}

#[test]
fn a_lock_takes_so_many_facets_and_no_further_one() {
    let table = |number: usize| Facet::Table {
        table: format!("t{number}"),
        row: vec![1],
    };
    let mut state = State::default();
    for number in 0..LOCK_FACETS_MAX {
        granted(&state.acquire("a", table(number)));
    }
    // What was taken off is remembered too, and takes its place again.
    assert_eq!(state.release(Some("a"), table(0)), Released::FacetOff);
    let before = state.record.clone();
    assert_eq!(state.acquire("a", Facet::File), Acquired::TooManyFacets);
    assert_eq!(state.record, before);
    granted(&state.acquire("a", table(0)));
    assert_eq!(refused(&state.acquire("b", Facet::File)), "a");
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
    assert!(state.record.locks.is_empty());
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
    assert_eq!(state.release(Some("a"), Facet::Http), Released::Free);
    assert_eq!(refused(&state.acquire("c", Facet::Http)), "b");
}

#[test]
fn each_door_shows_what_its_holder_wrote_through_it() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    let lock = &state.record.locks[0];
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
fn those_who_were_refused_stay_few_and_the_newest_stay() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    for n in 0..WAITERS_MAX + 10 {
        refused(&state.acquire(&format!("id{n}"), Facet::File));
        refused(&state.acquire(&format!("id{n}"), Facet::File));
    }
    assert_eq!(state.record.waiters.len(), WAITERS_MAX);
    let newest = state.record.waiters.last().unwrap();
    assert_eq!(newest.id.as_str(), format!("id{}", WAITERS_MAX + 9));
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

#[test]
fn the_release_of_one_of_the_last_locks_can_be_retried_whoever_came_after() {
    let mut state = State::default();
    let ids: Vec<String> = (0..ENDED_MAX).map(|n| format!("id{n}")).collect();
    for id in &ids {
        granted(&state.acquire(id, Facet::Http));
        state.release(Some(id), Facet::Http);
    }
    granted(&state.acquire("next", Facet::Http));
    for id in &ids {
        assert_eq!(state.release(Some(id), Facet::Http), Released::Free);
    }
    assert_eq!(state.record.locks[0].id.as_str(), "next");
}

#[test]
fn somebody_else_breaks_a_lock_with_two_facets_at_once_and_still_finds_the_second_one() {
    let mut state = State::default();
    granted(&state.acquire("a", Facet::File));
    granted(&state.acquire("a", table()));
    let operator = caller("operator");
    assert_eq!(
        state.release_as(&operator, None, None, Facet::File),
        Released::Free
    );
    let now = Time(state.now);
    let seen = |who: &str, facet: Facet| state.record.seen_by(&caller(who), &facet, now).is_some();
    assert!(!seen("operator", Facet::File), "the file is gone");
    assert!(
        seen("operator", table()),
        "terraform force-unlock looks for the item too"
    );
    assert!(!seen("stranger", table()));
    assert_eq!(
        state.release_as(&operator, None, Some("a"), table()),
        Released::Free
    );
    assert_eq!(state.record.fenced.len(), 1, "the former holder is fenced once");
}

fn want(id: &str, ticket: u64, over: &[&str]) -> Acquire {
    Acquire {
        id: LockId::try_from(id).unwrap(),
        info: format!(r#"{{"ID":"{id}"}}"#),
        facet: Facet::File,
        caller: caller(id),
        shared: false,
        ticket: Some(Ticket(ticket)),
        over: over.iter().map(|id| LockId::try_from(*id).unwrap()).collect(),
    }
}

/// `b` waits for the lock of `a`, held since 1 s.
fn with_a_held_request() -> Record {
    let at = |record: &Record, command: &Acquire, ms: i64| decide(record, command, Time(ms)).0;
    let record = at(&Record::default(), &want("a", 1, &[]), 0);
    let record = at(&record, &want("b", 2, &[]), 0);
    let (record, outcome) = decide(&record, &want("b", 3, &[]), Time(1_000));
    assert!(matches!(outcome, Acquired::Waits { .. }));
    record
}

#[test]
fn the_held_request_that_finds_the_lock_over_is_granted_it() {
    for ticket in [3, 4] {
        let record = with_a_held_request();
        let (record, outcome) = decide(&record, &want("b", ticket, &["a"]), Time(2_000));
        assert_eq!(granted(&outcome), 2);
        assert_eq!(record.locks[0].ticket, Some(Ticket(ticket)));
        assert!(record.waiters.is_empty());
        assert_eq!(record.fenced[0].id.as_str(), "a");
    }
}

#[test]
fn a_held_request_that_looks_again_changes_nothing() {
    let waiting = with_a_held_request();
    let (same, outcome) = decide(&waiting, &want("b", 3, &[]), Time(30_000));
    assert!(matches!(outcome, Acquired::Waits { until, .. } if until == Time(51_000)));
    assert_eq!(same, waiting);
    let freed = decide(
        &waiting,
        &Release {
            id: Some(LockId::try_from("a").unwrap()),
            facet: Facet::File,
            caller: caller("a"),
            invocation: None,
            may_force: true,
        },
        Time(31_000),
    );
    let (same, outcome) = decide(&freed.0, &want("b", 3, &[]), Time(31_001));
    assert_eq!(granted(&outcome), 2);
    assert_eq!(same, freed.0);
}

#[test]
fn somebody_else_breaks_a_lock_through_two_doors_that_was_taken_through_one() {
    for taken in [Facet::File, Facet::Http] {
        let mut state = State::default();
        granted(&state.acquire("a", taken));
        let operator = caller("operator");
        assert_eq!(
            state.release_as(&operator, None, None, Facet::File),
            Released::Free
        );
        let seen = state.record.seen_by(&operator, &table(), Time(state.now));
        assert_eq!(
            seen.map(|lock| lock.id.as_str()),
            Some("a"),
            "for the second door"
        );
        let second = state.release_as(&operator, None, None, table());
        assert_eq!(second, Released::Free);
    }
}

/// The role's session of this number: one begins where the one before it ends.
fn of_session(number: i64) -> Caller {
    let session = Session {
        of: "AROA:ci".to_owned(),
        issued: Time(number * 1_000),
        expires: Time((number + 1) * 1_000),
    };
    Caller {
        access_key_id: format!("ASIA{number}"),
        session: Some(Box::new(session)),
        ..caller("ci")
    }
}

#[test]
fn who_may_not_force_gives_back_its_own_lock_with_its_next_session_too_and_nobody_elses() {
    let taken = Acquire {
        id: LockId::try_from("a").unwrap(),
        info: String::new(),
        facet: Facet::File,
        caller: of_session(1),
        shared: false,
        ticket: None,
        over: Vec::new(),
    };
    let (record, _) = decide(&Record::default(), &taken, Time(1_500));
    let released = |by: Caller| {
        let release = Release {
            id: None,
            facet: Facet::File,
            caller: by,
            invocation: None,
            may_force: false,
        };
        decide(&record, &release, Time(2_500)).1
    };
    assert_eq!(released(of_session(1)), Released::Free);
    assert_eq!(released(of_session(2)), Released::Free);
    for another in [caller("ci"), caller("ann")] {
        assert!(matches!(released(another), Released::Refused { .. }));
    }
}
