//! What operators permit, freeze, adopt and discard.

use tidelock_core::{
    Facet, Record, Time, decide,
    decide::{Discard, Freeze, Kept, NotRestored, Refused, Release, Released, Why},
    limits::{OBJECT_BYTES_MAX, QUARANTINE_BYTES_MAX, QUARANTINE_MAX},
};

use crate::address::{Address, caller, lock_id, state, write};

#[test]
fn a_permission_is_good_for_one_write_of_its_kind() {
    let mut address = Address::new();
    address.allow(true, false);
    address.put("a", state("l", 6, "")).unwrap();
    assert!(
        address.record.allowed.is_some(),
        "a write that advances needs none"
    );
    assert!(matches!(
        address.refuses(&write("a", state("m", 1, ""))),
        Why::Relineage { .. }
    ));
    address.put("a", state("l", 3, "")).unwrap();
    assert_eq!(
        address.refuses(&write("a", state("l", 2, ""))),
        Why::Rewind { head: 3, new: 2 }
    );
    address.allow(false, true);
    assert!(matches!(
        address.refuses(&write("a", state("l", 2, ""))),
        Why::Rewind { .. }
    ));
    address.put("a", state("m", 1, "")).unwrap();
    assert!(address.record.allowed.is_none());
}

#[test]
fn a_permission_is_good_for_who_was_refused_before_and_takes_no_lock() {
    let mut address = Address::new();
    address.refuses(&write("a", state("l", 3, "")));
    assert_eq!(address.refuses(&write("a", state("l", 6, ""))), Why::AfterRefusal);
    address.allow(true, false);
    address.put("a", state("l", 3, "")).unwrap();
    address.put("a", state("l", 4, "")).unwrap();
}

#[test]
fn a_permission_ends_with_its_time() {
    let mut address = Address::new();
    address.allow(true, true);
    address.now += 1_000;
    assert!(matches!(
        address.refuses(&write("a", state("l", 4, ""))),
        Why::Rewind { .. }
    ));
    assert!(matches!(
        address.refuses(&write("a", state("m", 4, ""))),
        Why::Relineage { .. }
    ));
}

#[test]
fn a_permission_does_not_open_the_lock() {
    let mut address = Address::new();
    address.lock("a", "1");
    address.allow(true, true);
    assert!(matches!(
        address.refuses(&write("b", state("l", 4, ""))),
        Why::Locked(_)
    ));
    assert!(address.record.allowed.is_some());
}

#[test]
fn a_frozen_state_is_written_by_nobody_and_thawed_by_no_door() {
    let mut address = Address::new();
    address.freeze();
    for who in ["a", "operator"] {
        let why = address.refuses(&write(who, state("l", 6, who)));
        assert!(matches!(why, Why::Locked(held) if held.is_freeze()));
    }
    let by_door = Release {
        id: Some(lock_id("freeze")),
        facet: Facet::File,
        caller: caller("operator"),
        invocation: None,
        may_force: true,
    };
    let (record, outcome) = decide(&address.record, &by_door, Time(0));
    assert!(matches!(outcome, Released::Refused { held } if held.is_freeze()));
    assert_eq!(record, address.record);
    address.unlock_by_force("freeze");
    assert!(address.record.fenced.is_empty(), "a thaw fences nobody");
    address.lock("a", "1");
    address.put("a", state("l", 6, "a")).unwrap();
}

#[test]
fn what_is_locked_is_not_frozen() {
    let mut address = Address::new();
    address.lock("a", "1");
    let freeze = Freeze {
        id: lock_id("freeze"),
        info: String::new(),
        caller: caller("operator"),
    };
    let (record, outcome) = decide(&address.record, &freeze, Time(0));
    assert_eq!(outcome.unwrap_err().id, lock_id("1"));
    assert_eq!(record, address.record);
}

#[test]
fn a_freeze_does_not_lift_the_fence_of_who_freezes() {
    let mut address = Address::new();
    address.lock("operator", "1");
    address.release("somebody", "1", Facet::Operator);
    address.freeze();
    assert_eq!(address.record.fenced.len(), 1);
}

#[test]
fn a_body_that_is_refused_again_is_kept_once() {
    let mut address = Address::new();
    let old = write("a", state("l", 4, ""));
    let kept = |outcome| match outcome {
        Err(Refused::State { kept: Some(kept), .. }) => kept,
        other => panic!("{other:?}"),
    };
    let first = kept(address.write(&old));
    let again = kept(address.write(&old));
    assert!(!first.known && again.known);
    assert_eq!((first.id, address.record.quarantined.len()), (again.id, 1));
}

#[test]
fn the_oldest_refused_bodies_give_way_to_as_many_bytes() {
    let mut address = Address::new();
    let mut refuse = |mark: u64, size: u64| {
        let mut body = state("l", 4, &mark.to_string());
        body.size = size;
        match address.put("a", body) {
            Err(Refused::State { kept: Some(kept), .. }) => kept,
            other => panic!("{other:?}"),
        }
    };
    let small = [refuse(0, 1), refuse(1, 1)];
    let fit = QUARANTINE_BYTES_MAX / OBJECT_BYTES_MAX;
    let large: Vec<Kept> = (0..fit).map(|n| refuse(2 + n, OBJECT_BYTES_MAX)).collect();
    assert_eq!(large.last().unwrap().dropped, [small[0].id, small[1].id]);
    assert!(large[..large.len() - 1].iter().all(|one| one.dropped.is_empty()));
    assert_eq!(refuse(100, 1).dropped, [large[0].id]);
    let ids: Vec<u64> = address.record.quarantined.iter().map(|kept| kept.id).collect();
    assert_eq!(ids.len() as u64, fit);
}

#[test]
fn the_oldest_of_too_many_refused_bodies_gives_way() {
    let mut address = Address::new();
    let mut kept: Vec<Kept> = Vec::new();
    for n in 0..=QUARANTINE_MAX {
        let refused = address.put("a", state("l", 4, &n.to_string())).unwrap_err();
        if let Refused::State { kept: Some(one), .. } = refused {
            kept.push(one);
        }
    }
    assert_eq!(address.record.quarantined.len(), QUARANTINE_MAX);
    assert!(kept[..QUARANTINE_MAX].iter().all(|one| one.dropped.is_empty()));
    assert_eq!(kept[QUARANTINE_MAX].dropped, [kept[0].id]);
    let newest = address.record.quarantined.last().unwrap();
    assert_eq!(newest.id, kept[QUARANTINE_MAX].id);
}

#[test]
fn what_is_discarded_is_gone_once() {
    let mut address = Address::new();
    address.put("a", state("l", 4, "")).unwrap_err();
    let id = address.record.quarantined[0].id;
    let discard = |record: &Record, id: u64| decide(record, &Discard { id }, Time(0));
    assert!(!discard(&address.record, id + 1).1);
    let (record, was_there) = discard(&address.record, id);
    assert!(was_there && record.quarantined.is_empty());
    assert!(!discard(&record, id).1);
}

#[test]
fn an_adopted_body_becomes_current_and_leaves_the_quarantine() {
    let mut address = Address::new();
    address.put("a", state("l", 4, "lost")).unwrap_err();
    let (id, fence) = (address.record.quarantined[0].id, address.record.fence);
    address.adopt(id, state("l", 6, "lost")).unwrap();
    assert_eq!(address.serial(), 6);
    assert_eq!(address.record.fence, fence + 1, "it took the lock");
    assert!(address.record.quarantined.is_empty() && address.record.locks.is_empty());
    assert_eq!(
        address.adopt(id, state("l", 7, "lost")).unwrap_err(),
        NotRestored::Unknown
    );
}

#[test]
fn nothing_is_adopted_under_a_lock_save_a_freeze_or_after_a_change() {
    let mut address = Address::new();
    address.put("a", state("l", 4, "lost")).unwrap_err();
    let id = address.record.quarantined[0].id;
    let stale = address.record.head.as_ref().map(|head| head.id.clone());
    address.lock("a", "1");
    let refused = address.adopt(id, state("l", 6, "lost")).unwrap_err();
    assert!(matches!(refused, NotRestored::Locked(held) if held.id == lock_id("1")));
    address.put("a", state("l", 6, "a")).unwrap();
    address.release("a", "1", Facet::File);
    let refused = address.adopt_after(id, state("l", 6, "lost"), stale);
    assert_eq!(refused.unwrap_err(), NotRestored::Overtaken);
    address.freeze();
    address.adopt(id, state("l", 7, "lost")).unwrap();
    assert_eq!((address.serial(), address.record.locks.len()), (7, 1));
}
