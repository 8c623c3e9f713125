//! One address, its clock, and those who want its lock.

use tidelock_core::{
    Caller, Facet, LockId, Record, Ticket, Time, decide,
    decide::{Acquire, Acquired, Release, Released, TakeBack},
};

pub(crate) fn caller(name: &str) -> Caller {
    Caller {
        principal: name.to_owned(),
        ..Caller::default()
    }
}

pub(crate) fn lock_id(id: &str) -> LockId {
    LockId::try_from(id).unwrap()
}

/// What one who wants the lock is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Granted,
    /// By the holder with this ID.
    Refused(String),
    /// For so many milliseconds from now.
    Held(i64),
}

/// One address and its clock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) record: Record,
    pub(crate) now: i64,
}

impl State {
    pub(crate) fn ask(&mut self, command: &Acquire) -> Told {
        let (record, outcome) = decide(&self.record, command, Time(self.now));
        self.record = record;
        match outcome {
            Acquired::Granted { .. } => Told::Granted,
            Acquired::Refused { held } => Told::Refused(held.id.to_string()),
            Acquired::TooManyFacets => panic!("refused because of its facets"),
            Acquired::Waits { until, .. } => Told::Held(until.since(Time(self.now))),
        }
    }

    /// An apply wants the lock through the lock file, in the request `ticket`.
    pub(crate) fn apply(&mut self, id: &str, ticket: u64) -> Told {
        self.ask(&wanted(id, ticket))
    }

    /// The apply is refused, and its request is held when it comes back a second later.
    pub(crate) fn wait(&mut self, id: &str, ticket: u64) {
        assert!(matches!(self.apply(id, 0), Told::Refused(_)));
        self.now += 1_000;
        assert!(matches!(self.apply(id, ticket), Told::Held(_)));
    }

    pub(crate) fn plan(&mut self, id: &str, ticket: u64) -> Told {
        self.ask(&Acquire {
            shared: true,
            ..wanted(id, ticket)
        })
    }

    pub(crate) fn release(&mut self, id: &str) {
        let release = Release {
            id: Some(lock_id(id)),
            facet: Facet::File,
            caller: caller(id),
            invocation: None,
            may_force: true,
        };
        let (record, outcome) = decide(&self.record, &release, Time(self.now));
        assert_eq!(outcome, Released::Free);
        self.record = record;
    }

    pub(crate) fn take_back(&mut self, id: &str, ticket: u64) -> bool {
        let (id, ticket) = (lock_id(id), Ticket(ticket));
        let (record, outcome) = decide(&self.record, &TakeBack { id, ticket }, Time(self.now));
        self.record = record;
        outcome
    }

    /// The holders' IDs.
    pub(crate) fn held_by(&self) -> Vec<&str> {
        self.record.locks.iter().map(|lock| lock.id.as_str()).collect()
    }

    /// The IDs in line.
    pub(crate) fn line(&self) -> Vec<&str> {
        self.record
            .waiters
            .iter()
            .map(|waiter| waiter.id.as_str())
            .collect()
    }
}

pub(crate) fn wanted(id: &str, ticket: u64) -> Acquire {
    Acquire {
        id: lock_id(id),
        info: id.to_owned(),
        facet: Facet::File,
        caller: caller(id),
        shared: false,
        ticket: Some(Ticket(ticket)),
        over: Vec::new(),
    }
}
