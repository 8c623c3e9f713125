//! What `decide` says to operators.
#![allow(clippy::unwrap_used, missing_docs)]

use tidelock_core::{
    Body, Caller, Command, Content, Facet, LockId, Record, StateHeader, Time, Versioning, decide,
    decide::{
        Acquire, Acquired, Claim, Freeze, NotFreed, NotRestored, Precondition, Refused, Restore, Thaw,
        Unlock, Why, Write,
    },
};

fn caller(name: &str) -> Caller {
    Caller {
        access_key_id: name.to_owned(),
        ..Caller::default()
    }
}

fn id(name: &str) -> LockId {
    LockId::try_from(name).unwrap()
}

/// One address and its clock.
#[derive(Default)]
struct State {
    record: Record,
    now: i64,
}

impl State {
    fn decide<C: Command>(&mut self, command: &C) -> C::Outcome {
        self.now += 1;
        let (record, outcome) = decide(&self.record, command, Time(self.now));
        self.record = record;
        outcome
    }

    fn acquire(&mut self, name: &str) -> Acquired {
        self.decide(&Acquire {
            id: id(name),
            info: format!(r#"{{"ID":"{name}"}}"#),
            facet: Facet::File,
            caller: caller(name),
            shared: false,
            ticket: None,
            over: Vec::new(),
        })
    }

    fn write(&mut self, name: &str, serial: u64) -> Result<(), Refused> {
        let write = Write {
            restores: false,
            body: body(serial),
            random: 0,
            versioning: Versioning::Enabled,
            precondition: Precondition::default(),
            caller: caller(name),
            claim: Claim::Caller,
            older_null: None,
        };
        self.decide(&write).map(|_| ())
    }

    fn unlock(&mut self, name: &str) -> Result<String, NotFreed> {
        let freed = self.decide(&Unlock {
            id: id(name),
            caller: caller("operator"),
        });
        freed.map(|lock| lock.id.to_string())
    }

    fn freeze(&mut self) -> bool {
        let freeze = Freeze {
            id: id("ice"),
            info: r#"{"ID":"ice"}"#.to_owned(),
            caller: caller("operator"),
        };
        self.decide(&freeze).is_ok()
    }

    fn thaw(&mut self, name: &str) -> bool {
        self.decide(&Thaw { caller: caller(name) }).is_ok()
    }

    fn adopt(&mut self, id: u64, serial: u64) -> Result<(), NotRestored> {
        let follows = self.record.head.as_ref().map(|head| head.id.clone());
        let adopt = Restore {
            operation: "adopt".to_owned(),
            refused: Some(id),
            caller: caller("operator"),
            who: "op@host".to_owned(),
            body: body(serial),
            follows,
            random: 1,
            versioning: Versioning::Enabled,
            older_null: None,
        };
        self.decide(&adopt).map(|_| ())
    }
}

fn body(serial: u64) -> Body {
    let text = format!(r#"{{"version":4,"serial":{serial},"lineage":"l"}}"#);
    Body {
        stored: tidelock_core::Stored::default(),
        size: text.len() as u64,
        md5: format!("md5 of {serial}"),
        etag: String::new(),
        state: Some(StateHeader::parse(text.as_bytes()).unwrap()),
        content: Content::default(),
        part_sizes: Vec::new(),
        upload: None,
    }
}

#[test]
fn an_unlock_frees_the_lock_of_that_id_alone_and_fences_its_holder() {
    let mut state = State::default();
    assert_eq!(state.unlock("a"), Err(NotFreed::NotHeld(None)));
    state.acquire("a");
    assert!(matches!(state.unlock("b"), Err(NotFreed::NotHeld(Some(held))) if held.id == id("a")));
    assert_eq!(state.unlock("a"), Ok("a".to_owned()));
    assert!(state.record.locks.is_empty());
    assert!(matches!(
        state.write("a", 1),
        Err(Refused::State { why: Why::Fenced(by), .. }) if by.by == caller("operator")
    ));
}

#[test]
fn a_freeze_ends_by_thaw_alone_and_fences_nobody() {
    let mut state = State::default();
    assert!(!state.thaw("operator"));
    assert!(state.freeze());
    assert!(!state.freeze(), "it is frozen already");
    assert!(matches!(state.unlock("ice"), Err(NotFreed::Frozen(_))));
    assert!(matches!(state.acquire("a"), Acquired::Refused { held } if held.is_freeze()));
    assert!(matches!(state.acquire("ice"), Acquired::Refused { held } if held.is_freeze()));
    assert!(
        state.record.locks[0].facets.len() == 1,
        "whoever names its ID does not hold it"
    );
    assert!(
        state.write("operator", 1).is_err(),
        "nobody writes, not even who froze it"
    );
    assert!(state.thaw("another operator"));
    assert_eq!(state.write("another", 1), Ok(()));
}

#[test]
fn a_thaw_ends_no_other_lock() {
    let mut state = State::default();
    state.acquire("a");
    assert!(!state.thaw("operator"));
    assert!(!state.freeze());
    assert_eq!(state.record.locks.len(), 1);
}

#[test]
fn a_refused_write_is_adopted_once_and_never_over_a_holder() {
    let mut state = State::default();
    state.acquire("a");
    state.write("a", 1).unwrap();
    state.unlock("a").unwrap();
    assert!(state.write("a", 2).is_err());
    let kept = state.record.quarantined[0].id;
    state.acquire("b");
    assert!(matches!(state.adopt(kept, 2), Err(NotRestored::Locked(_))));
    state.unlock("b").unwrap();
    assert_eq!(state.adopt(kept + 1, 2), Err(NotRestored::Unknown));
    let fence = state.record.fence;
    assert!(state.freeze());
    assert_eq!(state.adopt(kept, 2), Ok(()), "operators may be alone with it");
    assert!(state.record.fence > fence + 1);
    assert_eq!(state.adopt(kept, 3), Err(NotRestored::Unknown));
}
