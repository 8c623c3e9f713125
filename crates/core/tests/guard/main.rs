//! Which state writes `decide` refuses, what an operator may permit, and what becomes of a refused body.
#![allow(clippy::unwrap_used, missing_docs)]

mod address;
mod operator;
mod sessions;

use address::{Address, caller, lock_id, plain, state, write};
use tidelock_core::{
    Facet, Ticket, Time, decide,
    decide::{Claim, DeleteVersion, Refused, TakeBack, Why, Write},
};

#[test]
fn a_state_that_nobody_has_locked_may_be_written_by_anyone() {
    let mut address = Address::new();
    address.put("b", state("l", 6, "")).unwrap();
    assert_eq!(address.serial(), 6);
}

#[test]
fn while_it_is_locked_only_the_holder_writes() {
    let mut address = Address::new();
    address.lock("a", "1");
    let why = address.refuses(&write("b", state("l", 6, "b")));
    assert!(matches!(why, Why::Locked(held) if held.id == lock_id("1")));
    address.put("a", state("l", 6, "a")).unwrap();
}

#[test]
fn a_body_that_is_no_state_takes_no_state_away_from_the_holder() {
    let mut address = Address::new();
    address.lock("a", "1");
    assert!(matches!(address.refuses(&write("b", plain("x"))), Why::Locked(_)));
    let mut other = Address::default();
    other.put("b", plain("x")).unwrap();
    other.lock("a", "1");
    other.put("b", plain("y")).unwrap();
    let why = other.refuses(&write("b", state("l", 1, "")));
    assert!(matches!(why, Why::Locked(_)), "a first state is one");
}

#[test]
fn a_former_holder_is_fenced_until_it_takes_the_lock_again() {
    let mut address = Address::new();
    address.lock("a", "1");
    address.unlock_by_force("1");
    let why = address.refuses(&write("a", state("l", 6, "a")));
    assert!(
        matches!(why, Why::Fenced(fenced) if fenced.id == lock_id("1") && fenced.by == caller("operator"))
    );
    address.lock("b", "2");
    address.put("b", state("l", 6, "b")).unwrap();
    let why = address.refuses(&write("a", state("l", 7, "a")));
    assert!(matches!(why, Why::Fenced(_)), "also while another holds it");
    address.release("b", "2", Facet::File);
    address.lock("a", "3");
    assert!(address.record.fenced.is_empty());
    address.put("a", state("l", 7, "a")).unwrap();
}

#[test]
fn a_plan_of_the_former_holder_does_not_lift_the_fence() {
    let mut address = Address::new();
    address.lock("a", "1");
    address.unlock_by_force("1");
    address.acquire("a", "2", Facet::File, true);
    assert!(matches!(
        address.refuses(&write("a", state("l", 6, ""))),
        Why::Fenced(_)
    ));
}

#[test]
fn who_gives_its_own_lock_back_is_not_fenced() {
    let mut address = Address::new();
    address.lock("a", "1");
    address.release("a", "1", Facet::File);
    address.put("a", state("l", 6, "")).unwrap();
}

/// What was current before is kept already, and was not made from anything that was refused.
#[test]
fn a_refused_restoration_leaves_no_trace_and_no_refusal_forbids_one() {
    let mut address = Address::new();
    let back = Write {
        restores: true,
        ..write("a", state("l", 3, ""))
    };
    address.lock("b", "1");
    let before = address.record.clone();
    let refused = address.write(&back).unwrap_err();
    assert!(matches!(
        refused,
        Refused::State {
            why: Why::Locked(_),
            kept: None
        }
    ));
    assert_eq!(address.record, before);
    address.refuses(&write("a", state("l", 6, "")));
    address.release("b", "1", Facet::File);
    address.write(&back).unwrap();
    let why = address.refuses(&write("a", state("l", 7, "")));
    assert_eq!(why, Why::AfterRefusal, "it allows nothing else");
}

#[test]
fn over_http_the_id_tells_and_not_the_caller() {
    let mut address = Address::new();
    let by_id = |id: Option<&str>, serial: u64| Write {
        restores: false,
        claim: Claim::Lock(id.map(lock_id)),
        ..write("one", state("l", serial, id.unwrap_or_default()))
    };
    assert!(matches!(address.refuses(&by_id(Some("1"), 6)), Why::NotHeld(id) if id == lock_id("1")));
    address.write(&by_id(None, 6)).unwrap();
    address.acquire("one", "1", Facet::Http, false);
    assert!(matches!(address.refuses(&by_id(None, 7)), Why::Locked(_)));
    assert!(matches!(address.refuses(&by_id(Some("2"), 7)), Why::Locked(_)));
    address.write(&by_id(Some("1"), 7)).unwrap();
    address.unlock_by_force("1");
    assert!(address.record.fenced.is_empty(), "its ID fences it");
    address.acquire("one", "2", Facet::Http, false);
    assert!(matches!(address.refuses(&by_id(Some("1"), 8)), Why::Locked(_)));
    address.write(&by_id(Some("2"), 8)).unwrap();
}

#[test]
fn a_plan_alone_may_write_and_beside_another_may_not() {
    let mut address = Address::new();
    address.acquire("a", "1", Facet::File, true);
    address.put("a", state("l", 6, "")).unwrap();
    address.acquire("b", "2", Facet::File, true);
    assert!(
        matches!(address.refuses(&write("a", state("l", 7, ""))), Why::Locked(held) if held.id == lock_id("2"))
    );
    address.acquire("a", "3", Facet::Http, true);
    address.release("b", "2", Facet::File);
    let why = address.refuses(&write("a", state("l", 7, "x")));
    assert!(matches!(why, Why::Locked(_)), "two runs of one caller are two");
}

#[test]
fn a_serial_that_does_not_grow_is_refused() {
    let mut address = Address::new();
    for serial in [4, 5] {
        let why = address.refuses(&write("a", state("l", serial, "other")));
        assert_eq!(why, Why::Rewind { head: 5, new: serial });
    }
}

#[test]
fn another_lineage_is_refused_however_high_its_serial() {
    let mut address = Address::new();
    let (head, new) = ("l".to_owned(), "m".to_owned());
    let why = address.refuses(&write("a", state("m", 9, "")));
    assert_eq!(why, Why::Relineage { head, new });
}

#[test]
fn an_empty_state_gives_way_to_another_lineage_and_not_to_a_lower_serial() {
    let mut address = Address::default();
    let mut empty = state("l", 5, "");
    empty.state.as_mut().unwrap().empty = true;
    address.put("a", empty).unwrap();
    let why = address.refuses(&write("a", state("l", 4, "")));
    assert_eq!(why, Why::Rewind { head: 5, new: 4 });
    address.put("b", state("m", 1, "")).unwrap();
    assert_eq!(address.serial(), 1);
}

#[test]
fn who_was_refused_does_not_come_through_by_counting_on() {
    let mut address = Address::new();
    address.lock("b", "1");
    assert!(matches!(
        address.refuses(&write("a", state("l", 6, "a"))),
        Why::Locked(_)
    ));
    address.put("b", state("l", 6, "b")).unwrap();
    address.release("b", "1", Facet::File);
    for serial in [7, 8] {
        let why = address.refuses(&write("a", state("l", serial, "a")));
        assert_eq!(why, Why::AfterRefusal, "it knows nothing of serial 6");
    }
    address.acquire("a", "2", Facet::File, true);
    assert_eq!(
        address.refuses(&write("a", state("l", 9, "a"))),
        Why::AfterRefusal
    );
    address.release("a", "2", Facet::File);
    address.lock("a", "3");
    address.put("a", state("l", 7, "anew")).unwrap();
}

#[test]
fn an_apply_that_cannot_be_told_from_its_successor_does_not_count_on_either() {
    let mut address = Address::new();
    address.lock("one", "1");
    address.release("one", "1", Facet::File);
    address.lock("one", "2");
    address.put("one", state("l", 6, "next")).unwrap();
    for has_given_back in [false, true] {
        if has_given_back {
            address.release("one", "2", Facet::File);
        }
        let why = address.refuses(&write("one", state("l", 6, "late")));
        assert_eq!(why, Why::Rewind { head: 6, new: 6 });
        let why = address.refuses(&write("one", state("l", 7, "late")));
        assert_eq!(why, Why::AfterRefusal);
    }
}

#[test]
fn the_same_bytes_again_are_fine() {
    let mut address = Address::new();
    address.put("a", state("l", 5, "")).unwrap();
    assert_eq!(address.serial(), 5);
}

#[test]
fn a_locked_state_is_deleted_by_its_holder_alone() {
    let mut address = Address::new();
    let head = address.record.head.as_ref().unwrap().id.clone();
    address.lock("a", "1");
    for refused in [address.delete("b"), address.delete_version("b", &head)] {
        let Err(Refused::State { why, kept: None }) = refused else {
            panic!("it was deleted");
        };
        assert!(matches!(why, Why::Locked(_)));
    }
    assert!(address.delete("a").unwrap().visible().is_none());
    assert!(address.delete_version("a", &head).unwrap().head.is_none());
}

#[test]
fn a_deleted_state_comes_back_by_the_hand_of_the_holder_alone() {
    let mut address = Address::new();
    let state = address.record.head.clone().unwrap();
    address.record = address.delete("b").unwrap();
    let marker = address.record.head.as_ref().unwrap().id.clone();
    address.lock("a", "1");
    let undelete = |who: &str| DeleteVersion {
        bypass: false,
        older: None,
        id: marker.clone(),
        caller: caller(who),
        next: Some(state.clone()),
    };
    let (_, refused) = decide(&address.record, &undelete("b"), Time(0));
    assert!(matches!(
        refused,
        Err(Refused::State {
            why: Why::Locked(_),
            ..
        })
    ));
    let (record, _) = decide(&address.record, &undelete("a"), Time(0));
    assert_eq!(record.head, Some(state));
}

#[test]
fn a_fenced_caller_deletes_nothing() {
    let mut address = Address::new();
    let head = address.record.head.as_ref().unwrap().id.clone();
    address.lock("a", "1");
    address.unlock_by_force("1");
    for refused in [address.delete("a"), address.delete_version("a", &head)] {
        assert!(matches!(
            refused,
            Err(Refused::State {
                why: Why::Fenced(_),
                ..
            })
        ));
    }
}

#[test]
fn who_has_written_under_its_lock_was_told_of_it_and_keeps_it() {
    let mut address = Address::new();
    let take_back = TakeBack {
        id: lock_id("1"),
        ticket: Ticket(1),
    };
    address.lock("a", "1");
    assert!(decide(&address.record, &take_back, Time(0)).1);
    address.put("a", state("l", 6, "")).unwrap();
    assert!(!decide(&address.record, &take_back, Time(0)).1);
}
