//! One address with a state, its clock, and who writes, locks and grips it.

use tidelock_core::{
    Allowance, Body, Caller, Content, Facet, LockId, Record, StateHeader, Stored, Ticket, Time, VersionId,
    Versioning,
    caller::Session,
    decide,
    decide::{
        Acquire, Acquired, Allow, Claim, Delete, DeleteVersion, Freeze, NotRestored, Precondition, Refused,
        Release, Released, Restore, Why, Write, Written,
    },
};

/// Somebody by name; or `NAME/KEY/FROM-TO`: with the session of that key, which lasts for these minutes.
pub(crate) fn caller(name: &str) -> Caller {
    let mut parts = name.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let (principal, key, times) = (part(), part(), part());
    let session = times.split_once('-').map(|(from, to)| {
        let time = |minutes: &str| Time(minutes.parse::<i64>().unwrap() * 60_000);
        Box::new(Session {
            of: principal.to_owned(),
            issued: time(from),
            expires: time(to),
        })
    });
    Caller {
        principal: principal.to_owned(),
        access_key_id: key.to_owned(),
        session,
        ..Caller::default()
    }
}

pub(crate) fn lock_id(id: &str) -> LockId {
    LockId::try_from(id).unwrap()
}

pub(crate) fn plain(md5: &str) -> Body {
    Body {
        stored: Stored::default(),
        size: 1,
        md5: md5.to_owned(),
        etag: md5.to_owned(),
        state: None,
        content: Content::default(),
        part_sizes: Vec::new(),
        upload: None,
    }
}

/// A state of this lineage and serial; `mark` tells two of them apart.
pub(crate) fn state(lineage: &str, serial: u64, mark: &str) -> Body {
    Body {
        state: Some(StateHeader {
            serial,
            lineage: lineage.to_owned(),
            version: Some(4),
            terraform_version: None,
            encrypted: false,
            empty: false,
        }),
        ..plain(&format!("{lineage}{serial}{mark}"))
    }
}

pub(crate) fn write(who: &str, body: Body) -> Write {
    Write {
        restores: false,
        body,
        random: 0,
        versioning: Versioning::Enabled,
        precondition: Precondition::default(),
        caller: caller(who),
        claim: Claim::Caller,
        older_null: None,
    }
}

/// One address and its clock.
#[derive(Default)]
pub(crate) struct Address {
    pub(crate) record: Record,
    pub(crate) now: i64,
}

impl Address {
    /// With a state of serial 5 that nobody has locked.
    pub(crate) fn new() -> Address {
        let mut address = Address::default();
        address.put("init", state("l", 5, "")).unwrap();
        address
    }

    pub(crate) fn write(&mut self, command: &Write) -> Result<Written, Refused> {
        let (record, outcome) = decide(&self.record, command, Time(self.now));
        self.record = record;
        outcome
    }

    pub(crate) fn put(&mut self, who: &str, body: Body) -> Result<Written, Refused> {
        self.write(&write(who, body))
    }

    /// Why the write is refused. It must leave the head alone and be kept.
    pub(crate) fn refuses(&mut self, command: &Write) -> Why {
        let head = self.record.head.clone();
        let Err(Refused::State { why, kept }) = self.write(command) else {
            panic!("the write was accepted");
        };
        assert_eq!(self.record.head, head);
        let kept = kept.unwrap().id;
        let kept = self.record.quarantined.iter().find(|one| one.id == kept);
        assert_eq!(kept.unwrap().md5, command.body.md5);
        why
    }

    pub(crate) fn acquire(&mut self, who: &str, id: &str, facet: Facet, shared: bool) {
        let command = Acquire {
            id: lock_id(id),
            info: String::new(),
            facet,
            caller: caller(who),
            shared,
            ticket: Some(Ticket(1)),
            over: Vec::new(),
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        assert!(matches!(outcome, Acquired::Granted { .. }));
        self.record = record;
    }

    pub(crate) fn lock(&mut self, who: &str, id: &str) {
        self.acquire(who, id, Facet::File, false);
    }

    pub(crate) fn release(&mut self, who: &str, id: &str, facet: Facet) {
        let command = Release {
            id: Some(lock_id(id)),
            facet,
            caller: caller(who),
            invocation: None,
            may_force: true,
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        assert_eq!(outcome, Released::Free);
        self.record = record;
    }

    pub(crate) fn unlock_by_force(&mut self, id: &str) {
        self.release("operator", id, Facet::Operator);
    }

    pub(crate) fn allow(&mut self, rewind: bool, relineage: bool) {
        let command = Allow(Allowance {
            rewind,
            relineage,
            until: Time(self.now + 1_000),
            by: caller("operator"),
        });
        self.record = decide(&self.record, &command, Time(self.now)).0;
    }

    pub(crate) fn freeze(&mut self) {
        let command = Freeze {
            id: lock_id("freeze"),
            info: String::new(),
            caller: caller("operator"),
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        outcome.unwrap();
        self.record = record;
    }

    pub(crate) fn delete(&self, who: &str) -> Result<Record, Refused> {
        let command = Delete {
            random: 0,
            versioning: Versioning::Enabled,
            precondition: Precondition::default(),
            caller: caller(who),
            older_null: None,
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        outcome.map(|_| record)
    }

    pub(crate) fn delete_version(&self, who: &str, id: &VersionId) -> Result<Record, Refused> {
        let command = DeleteVersion {
            bypass: false,
            older: None,
            id: id.clone(),
            caller: caller(who),
            next: None,
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        outcome.map(|_| record)
    }

    pub(crate) fn adopt(&mut self, id: u64, body: Body) -> Result<Written, NotRestored> {
        let follows = self.record.head.as_ref().map(|head| head.id.clone());
        self.adopt_after(id, body, follows)
    }

    pub(crate) fn adopt_after(
        &mut self,
        id: u64,
        body: Body,
        follows: Option<VersionId>,
    ) -> Result<Written, NotRestored> {
        let command = Restore {
            operation: "adopt".to_owned(),
            refused: Some(id),
            caller: caller("operator"),
            who: "op@host".to_owned(),
            body,
            follows,
            random: 1,
            versioning: Versioning::Enabled,
            older_null: None,
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        self.record = record;
        outcome
    }

    pub(crate) fn serial(&self) -> u64 {
        let body = self.record.visible().unwrap().body.as_ref().unwrap();
        body.state.as_ref().unwrap().serial
    }
}
