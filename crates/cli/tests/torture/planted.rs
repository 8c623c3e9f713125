//! The judge judged: what cannot be is found, what can be is let pass, and the savings of the search change no verdict.

use tidelock_testkit::Rng;

use crate::{
    history::{
        Answer, Call, Facet, Head, LockNumber, Meant, Nanos, Op, Reason, Right, forsaken, gone_at_first,
        mark_forgotten, mark_going_on, mark_refused, mark_shown, turned_back,
    },
    model::State,
    search::check,
};

const ALICE: u64 = 1;
const BOB: u64 = 2;
const JANITOR: u64 = 3;

/// The server never died.
const NEVER: Nanos = Nanos::MAX;

/// One call from and until, by a caller of the s3 door.
fn op(caller: u64, (from, until): (Nanos, Nanos), call: Call, answer: impl Into<Option<Answer>>) -> Op {
    Op {
        client: caller,
        caller,
        call,
        answer: answer.into(),
        from,
        until,
        refused_lately: false,
        goes_on_after_refusal: false,
        is_forgotten: false,
        is_shown: true,
        meant: Meant::Unknown,
    }
}

const LOCKED: Reason = Reason::Locked { holder: None };

const LOOK: Call = Call::Look { facet: Facet::File };

fn acquire(id: LockNumber) -> Call {
    let facet = Facet::File;
    Call::Acquire { id, facet }
}

fn release(id: LockNumber) -> Call {
    let (id, facet) = (Some(id), Facet::File);
    Call::Release { id, facet }
}

fn write(serial: u64) -> Call {
    let (head, right) = (head(serial), Right::Caller);
    Call::Write { head, right }
}

fn complete(upload: u64, serial: u64) -> Call {
    let (head, right) = (head(serial), Right::Upload(upload));
    Call::Write { head, right }
}

fn head(serial: u64) -> Head {
    let content = 100 + serial;
    Head { serial, content }
}

fn refused_by(holder: LockNumber) -> Answer {
    let holder = Some(holder);
    Answer::Refused { holder }
}

fn shows(holder: Option<LockNumber>) -> Answer {
    Answer::Shown { holder }
}

fn status(fence: u64, holder: Option<LockNumber>) -> Answer {
    Answer::Status { fence, holder }
}

fn reads(serial: u64) -> Answer {
    let head = Some(head(serial));
    Answer::State { head }
}

fn must_pass(ops: &[Op]) {
    if let Err(violation) = check(ops) {
        panic!("this can be:\n{}", violation.tell(ops));
    }
}

/// The call of this number is where the story breaks.
fn must_fail_at(number: usize, ops: &[Op]) {
    let violation = check(ops).expect_err("this cannot be");
    assert_eq!(violation.at, number, "{}", violation.tell(ops));
    assert!(
        violation
            .tell(ops)
            .contains(&format!("cannot be: {}", ops[number]))
    );
}

#[test]
fn two_holders_at_a_time_are_found() {
    let ops = [
        op(ALICE, (0, 10), acquire(1), Answer::Granted),
        op(BOB, (11, 20), acquire(2), Answer::Granted),
        op(ALICE, (30, 40), release(1), Answer::Released),
    ];
    must_fail_at(1, &ops);
    let late = op(BOB, (11, 35), acquire(2), Answer::Granted);
    must_pass(&[ops[0].clone(), late, ops[2].clone()]);
}

#[test]
fn a_lost_write_is_found() {
    must_fail_at(
        2,
        &[
            op(ALICE, (0, 10), write(1), Answer::Written),
            op(ALICE, (11, 20), write(2), Answer::Written),
            op(BOB, (30, 40), Call::Read, reads(1)),
        ],
    );
    must_fail_at(
        1,
        &[
            op(ALICE, (0, 10), write(1), Answer::Written),
            op(BOB, (30, 40), Call::Read, Answer::State { head: None }),
        ],
    );
}

#[test]
fn a_stale_read_is_found_though_the_write_is_still_under_way() {
    let ops = |second| {
        [
            op(ALICE, (0, 10), write(1), Answer::Written),
            op(ALICE, (20, 90), write(2), Answer::Written),
            op(BOB, (30, 40), Call::Read, reads(2)),
            op(BOB, (50, 60), Call::Read, reads(second)),
        ]
    };
    must_pass(&ops(2));
    must_fail_at(3, &ops(1));
}

#[test]
fn an_acknowledged_release_that_did_not_free_is_found() {
    let ops = |end: Nanos| {
        [
            op(ALICE, (0, 10), acquire(1), Answer::Granted),
            op(ALICE, (20, end), release(1), Answer::Released),
            op(BOB, (40, 50), acquire(2), refused_by(1)),
        ]
    };
    must_fail_at(2, &ops(30));
    must_pass(&ops(60));
}

#[test]
fn a_release_by_the_wrong_id_that_frees_is_found() {
    must_fail_at(
        2,
        &[
            op(ALICE, (0, 10), acquire(1), Answer::Granted),
            op(BOB, (20, 30), release(2), Answer::Released),
            op(BOB, (40, 50), acquire(2), Answer::Granted),
        ],
    );
}

#[test]
fn an_accepted_write_of_a_fenced_caller_is_found_until_it_holds_again() {
    let ops = |again: Option<Answer>| {
        let mut ops = vec![
            op(ALICE, (0, 10), acquire(1), Answer::Granted),
            op(JANITOR, (20, 30), release(1), Answer::Released),
        ];
        ops.extend(again.map(|again| op(ALICE, (40, 50), acquire(2), again)));
        ops.push(op(ALICE, (60, 70), write(1), Answer::Written));
        ops
    };
    must_fail_at(2, &ops(None));
    must_pass(&ops(Some(Answer::Granted)));
}

#[test]
fn an_accepted_write_of_one_who_does_not_hold_is_found() {
    let held = op(ALICE, (0, 10), acquire(1), Answer::Granted);
    must_fail_at(1, &[held.clone(), op(BOB, (20, 30), write(1), Answer::Written)]);
    let by_id = |id| {
        let (head, right) = (head(1), Right::Lock(id));
        op(BOB, (20, 30), Call::Write { head, right }, Answer::Written)
    };
    must_pass(&[held.clone(), by_id(Some(1))]);
    must_fail_at(1, &[held.clone(), by_id(Some(2))]);
    must_fail_at(1, &[held, by_id(None)]);
}

#[test]
fn an_accepted_write_that_does_not_advance_is_found() {
    let first = op(ALICE, (0, 10), write(7), Answer::Written);
    let again = |head: Head| {
        let right = Right::Caller;
        op(ALICE, (20, 30), Call::Write { head, right }, Answer::Written)
    };
    must_pass(&[first.clone(), again(head(7))]);
    let other = Head {
        serial: 7,
        content: 1,
    };
    must_fail_at(1, &[first.clone(), again(other)]);
    must_fail_at(1, &[first, again(head(6))]);
}

#[test]
fn a_refusal_without_a_reason_is_found() {
    let refused = |reason| op(BOB, (20, 30), write(1), Answer::WriteRefused { reason });
    for reason in [LOCKED, Reason::Fenced, Reason::NotAdvancing, Reason::Conflict] {
        must_fail_at(0, &[refused(reason)]);
    }
    let held = op(ALICE, (0, 10), acquire(1), Answer::Granted);
    must_pass(&[held.clone(), refused(LOCKED)]);
    must_fail_at(1, &[held, op(BOB, (20, 30), acquire(2), refused_by(3))]);
    must_fail_at(0, &[op(BOB, (20, 30), acquire(2), refused_by(1))]);
}

#[test]
fn who_was_refused_may_be_refused_for_that_when_it_writes_again() {
    let fenced = Answer::WriteRefused {
        reason: Reason::Fenced,
    };
    let mut ops = [
        op(ALICE, (0, 10), acquire(1), Answer::Granted),
        op(BOB, (20, 30), write(1), Answer::WriteRefused { reason: LOCKED }),
        op(ALICE, (40, 50), release(1), Answer::Released),
        op(BOB, (60, 70), write(2), fenced),
    ];
    must_fail_at(3, &ops);
    mark_going_on(&mut ops);
    must_pass(&ops);
}

#[test]
fn a_call_without_an_answer_may_have_happened_or_not_but_not_after_the_kill() {
    let unsure = op(ALICE, (0, 100), acquire(1), None);
    let seen = |from: Nanos| op(BOB, (from, from + 10), acquire(2), refused_by(1));
    let free = |from: Nanos| op(BOB, (from, from + 10), acquire(2), Answer::Granted);
    must_pass(&[unsure.clone(), seen(50)]);
    must_pass(&[unsure.clone(), seen(150)]);
    must_pass(&[unsure.clone(), free(50)]);
    must_pass(&[unsure.clone(), free(150)]);
    let before = op(JANITOR, (80, 120), LOOK, shows(None));
    must_pass(&[unsure.clone(), before, seen(150)]);
    let after = op(JANITOR, (110, 120), LOOK, shows(None));
    must_fail_at(2, &[unsure, after, seen(150)]);
}

#[test]
fn only_a_grant_that_nobody_heard_of_is_taken_back_and_only_by_the_server_that_gave_it() {
    let unsure = op(ALICE, (0, 100), acquire(1), None);
    let seen = op(BOB, (20, 30), acquire(2), refused_by(1));
    let free = |from: Nanos| op(BOB, (from, from + 10), acquire(2), Answer::Granted);
    must_pass(&[unsure.clone(), seen.clone(), free(40)]);
    let seen_late = op(BOB, (110, 120), acquire(2), refused_by(1));
    must_fail_at(2, &[unsure.clone(), seen_late, free(140)]);
    let again = op(ALICE, (32, 38), acquire(1), Answer::Granted);
    must_fail_at(3, &[unsure, seen, again, free(40)]);
}

#[test]
fn a_lock_that_has_ended_is_shown_only_to_who_was_refused_and_only_for_a_while() {
    const SECOND: Nanos = 1_000_000_000;
    let story = |who: u64, when: Nanos| {
        let mut ops = [
            op(ALICE, (0, 10), acquire(1), Answer::Granted),
            op(BOB, (20, 30), acquire(2), refused_by(1)),
            op(ALICE, (40, 50), release(1), Answer::Released),
            op(who, (when, when + 10), LOOK, shows(Some(1))),
        ];
        mark_refused(&mut ops);
        ops
    };
    must_pass(&story(BOB, SECOND));
    must_fail_at(3, &story(JANITOR, SECOND));
    must_fail_at(3, &story(BOB, 12 * SECOND));
}

#[test]
fn a_release_that_is_about_the_lock_that_was_shown_hits_no_other() {
    let blind = |meant| {
        let (id, facet) = (None, Facet::Table);
        let mut release = op(JANITOR, (20, 30), Call::Release { id, facet }, Answer::Released);
        release.meant = meant;
        release
    };
    let story = |meant, holder| {
        [
            op(ALICE, (0, 10), acquire(1), Answer::Granted),
            blind(meant),
            op(BOB, (40, 50), LOOK, shows(holder)),
        ]
    };
    must_pass(&story(Meant::Lock(1), None));
    must_fail_at(2, &story(Meant::Lock(1), Some(1)));
    must_pass(&story(Meant::Lock(2), Some(1)));
    must_fail_at(2, &story(Meant::Lock(2), None));
    must_pass(&story(Meant::Unknown, None));
    must_pass(&story(Meant::Unknown, Some(1)));
}

#[test]
fn a_state_that_another_takes_away_from_its_holder_is_found() {
    let story = |who, gone| {
        [
            op(ALICE, (0, 10), write(7), Answer::Written),
            op(ALICE, (20, 30), acquire(1), Answer::Granted),
            op(who, (40, 50), Call::Delete, gone),
        ]
    };
    let locked = || Answer::WriteRefused { reason: LOCKED };
    must_pass(&story(ALICE, Answer::Deleted));
    must_fail_at(2, &story(ALICE, locked()));
    must_fail_at(2, &story(BOB, Answer::Deleted));
    must_pass(&story(BOB, locked()));
}

#[test]
fn a_fence_that_falls_or_stays_through_a_grant_is_found() {
    let looks = |before, after| {
        [
            op(JANITOR, (0, 10), Call::Status, before),
            op(JANITOR, (20, 30), Call::Status, after),
        ]
    };
    let held = |fence, id| status(fence, Some(id));
    for (before, after) in [
        (held(3, 1), held(2, 1)),
        (held(3, 1), held(3, 2)),
        (status(3, None), held(3, 1)),
    ] {
        assert_eq!(turned_back(&looks(before, after)).count(), 1);
    }
    for (before, after) in [
        (held(3, 1), held(3, 1)),
        (held(3, 1), held(4, 2)),
        (held(3, 1), status(3, None)),
    ] {
        assert_eq!(turned_back(&looks(before, after)).count(), 0);
    }
}

#[test]
fn who_was_refused_and_then_finds_nobody_is_found() {
    let ops = |who: u64, when: Nanos| {
        [
            op(BOB, (20, 30), acquire(2), refused_by(1)),
            op(who, (when, when + 10), LOOK, shows(None)),
        ]
    };
    assert_eq!(forsaken(&ops(BOB, 40)).count(), 1);
    assert_eq!(forsaken(&ops(JANITOR, 40)).count(), 0);
    assert_eq!(forsaken(&ops(BOB, 10_000_000_000)).count(), 0);
}

#[test]
fn dual_locking_frees_with_the_last_facet_or_at_a_stroke() {
    let facet = |facet| Call::Acquire { id: 1, facet };
    let off = |facet| Call::Release { id: Some(1), facet };
    let both = [
        op(ALICE, (0, 1), facet(Facet::File), Answer::Granted),
        op(ALICE, (2, 3), facet(Facet::Table), Answer::Granted),
    ];
    let then = |released: Facet, shown| {
        let ends = [
            op(ALICE, (4, 5), off(released), Answer::Released),
            op(BOB, (6, 7), LOOK, shows(shown)),
        ];
        [&both[..], &ends[..]].concat()
    };
    must_pass(&then(Facet::File, Some(1)));
    must_fail_at(3, &then(Facet::File, None));
    must_pass(&then(Facet::Http, None));
    must_fail_at(3, &then(Facet::Http, Some(1)));
}

/// All that the clients of the small world say and hear.
fn small_world() -> (Vec<Call>, Vec<Option<Answer>>) {
    let mut calls = vec![LOOK, Call::Status, Call::Read, Call::Delete];
    let mut answers = vec![
        None,
        Some(Answer::Granted),
        Some(Answer::Released),
        Some(Answer::NotHeld),
        Some(Answer::Written),
        Some(Answer::Deleted),
        Some(shows(None)),
        Some(status(0, None)),
        Some(Answer::State { head: None }),
    ];
    for number in [1, 2] {
        calls.extend([acquire(number), release(number), write(number)]);
        answers.extend([
            Some(refused_by(number)),
            Some(shows(Some(number))),
            Some(status(0, Some(number))),
            Some(reads(number)),
        ]);
    }
    for reason in [LOCKED, Reason::Fenced, Reason::NotAdvancing] {
        answers.push(Some(Answer::WriteRefused { reason }));
    }
    (calls, answers)
}

fn fits(call: Call, answer: &Option<Answer>) -> bool {
    use Answer::{Deleted, Gone, Granted, NotHeld, Refused, Released, Shown, State, WriteRefused, Written};
    match answer {
        None => !matches!(call, Call::Look { .. } | Call::Status | Call::Read),
        Some(Granted | Refused { .. }) => matches!(call, Call::Acquire { .. }),
        Some(Released | NotHeld) => matches!(call, Call::Release { .. }),
        Some(Answer::Status { .. }) => call == Call::Status,
        Some(Shown { .. }) => matches!(call, Call::Look { .. }),
        Some(Written | Gone) => matches!(call, Call::Write { .. }),
        Some(WriteRefused { .. }) => matches!(call, Call::Write { .. } | Call::Delete),
        Some(Deleted) => call == Call::Delete,
        Some(State { .. }) => call == Call::Read,
        Some(Answer::Wrong { .. }) => false,
    }
}

/// A few calls that happened one after the other, as seen by clients who know no more than when they asked and heard; one
/// answer may be a lie.
fn short_story(rng: &mut Rng) -> Vec<Op> {
    let (calls, answers) = small_world();
    let mut pick = |bound: usize| rng.below(bound as u64) as usize;
    let mut state = State::default();
    let mut ops = Vec::new();
    for moment in 0..7_u64 {
        let caller = [ALICE, BOB][pick(2)];
        let call = calls[pick(calls.len())];
        let from = (moment * 10).saturating_sub(pick(30) as u64);
        let until = moment * 10 + 1 + pick(30) as u64;
        let candidates: Vec<(Op, State)> = answers
            .iter()
            .filter(|answer| fits(call, answer))
            .flat_map(|answer| {
                let until = if answer.is_some() { until } else { NEVER };
                let op = op(caller, (from, until), call, answer.clone());
                state.after(&op).into_iter().map(move |next| (op.clone(), next))
            })
            .collect();
        if !candidates.is_empty() {
            let (op, next) = candidates[pick(candidates.len())].clone();
            ops.push(op);
            state = next;
        }
    }
    if pick(2) == 0 {
        let place = pick(ops.len());
        let call = ops[place].call;
        let lies: Vec<_> = answers
            .iter()
            .filter(|answer| answer.is_some() && fits(call, answer))
            .collect();
        if ops[place].answer.is_some() {
            ops[place].answer = lies[pick(lies.len())].clone();
        }
    }
    mark_refused(&mut ops);
    ops
}

/// Tries every order.
fn can_be(state: &State, ops: &[Op], done: u32) -> bool {
    let open = |number: &usize| done & (1 << number) == 0;
    let due = |number: &usize| open(number) && ops[*number].answer.is_some();
    let numbers = 0..ops.len();
    if !numbers.clone().any(|number| due(&number)) {
        return true;
    }
    let taken_back = state.taken_back();
    taken_back.is_some_and(|state| can_be(&state, ops, done))
        || numbers.clone().filter(open).any(|number| {
            let overtakes = |earlier: usize| due(&earlier) && ops[earlier].until < ops[number].from;
            !numbers.clone().any(overtakes)
                && state
                    .after(&ops[number])
                    .iter()
                    .any(|next| can_be(next, ops, done | 1 << number))
        })
}

#[test]
fn a_completion_that_is_repeated_is_told_again_what_it_did() {
    let first = op(ALICE, (0, NEVER), complete(7, 1), None);
    let locked = op(BOB, (11, 20), acquire(2), Answer::Granted);
    let again = op(ALICE, (21, 30), complete(7, 1), Answer::Written);
    must_pass(&[first.clone(), locked.clone(), again.clone()]);
    // Another upload of the same state is another write, and somebody holds the lock.
    let another = op(ALICE, (21, 30), complete(8, 1), Answer::Written);
    must_fail_at(2, &[first.clone(), locked.clone(), another]);
    must_fail_at(1, &[locked.clone(), again.clone()]);
    let next = op(BOB, (12, 20), write(2), Answer::Written);
    must_fail_at(3, &[first.clone(), locked, next.clone(), again.clone()]);
    let gone = op(ALICE, (21, 30), complete(7, 1), Answer::Gone);
    let told = [first, next, gone.clone()];
    must_pass(&told);
    assert_eq!(gone_at_first(&told).count(), 0);
    assert_eq!(gone_at_first(&[gone]).count(), 1);
}

#[test]
fn the_search_judges_as_trying_every_order_does() {
    let (mut lawful, mut unlawful) = (0, 0);
    for seed in 0..3_000 {
        let ops = short_story(&mut Rng::new(seed));
        let expected = can_be(&State::default(), &ops, 0);
        let mut marked = ops.clone();
        mark_shown(&mut marked);
        mark_forgotten(&mut marked);
        let verdict = check(&marked);
        assert_eq!(verdict.is_ok(), expected, "seed {seed}: {ops:#?}\n{verdict:?}");
        *(if expected { &mut lawful } else { &mut unlawful }) += 1;
    }
    assert!(
        lawful > 1_000 && unlawful > 300,
        "{lawful} lawful, {unlawful} not"
    );
}
