//! Which versions from elsewhere become a part of a history here.
#![allow(clippy::unwrap_used, missing_docs)]

use tidelock_core::{
    Body, Caller, Facet, LockId, Record, StateHeader, Time, Version, VersionId, Versioning, Writer, decide,
    decide::{Acquire, Claim, Fingerprint, Freeze, Import, NotImported, Precondition, Write, Written},
    limits::{IMPORT_AHEAD_MS_MAX, IMPORT_NUMBERS_SKIPPED_MAX},
};

const NOW: Time = Time(1_000_000);

fn state(serial: u64, lineage: &str) -> Body {
    Body {
        stored: Default::default(),
        size: 1,
        md5: format!("{lineage}-{serial}"),
        etag: format!("{lineage}-{serial}"),
        state: Some(StateHeader {
            serial,
            lineage: lineage.to_owned(),
            version: Some(4),
            terraform_version: None,
            encrypted: false,
            empty: false,
        }),
        content: Default::default(),
        part_sizes: Vec::new(),
        upload: None,
    }
}

fn import(written: i64, body: Option<Body>, versioning: Versioning) -> Import {
    Import {
        body,
        written: Time(written),
        number: 0,
        writer: None,
        follows: None,
        last: None,
        random: 7,
        versioning,
        older_null: None,
    }
}

/// The version before in the history that is imported.
fn fingerprint(written: i64, body: Option<&Body>) -> Option<Fingerprint> {
    Some(Fingerprint {
        written: Time(written),
        md5: body.map(|body| body.md5.clone()),
    })
}

fn written(record: &mut Record, command: &Import) -> Option<Written> {
    let (next, outcome) = decide(record, command, NOW);
    *record = next;
    outcome.unwrap()
}

fn refused(record: &Record, command: &Import) -> NotImported {
    let (next, outcome) = decide(record, command, NOW);
    assert_eq!(next, *record, "a refusal changes nothing");
    outcome.unwrap_err()
}

fn native(record: &Record, body: Body, at: i64) -> Record {
    let write = Write {
        body,
        random: 1,
        versioning: Versioning::Enabled,
        precondition: Precondition::default(),
        caller: Caller::default(),
        claim: Claim::Caller,
        restores: false,
        older_null: None,
    };
    let (record, outcome) = decide(record, &write, Time(at));
    outcome.unwrap();
    record
}

#[test]
fn a_history_keeps_its_times_numbers_and_writers_also_where_serial_and_lineage_go_back() {
    let mut record = Record::default();
    let history = [
        (10, 3, state(5, "a")),
        (20, 4, state(2, "a")),
        (30, 9, state(1, "b")),
    ];
    let mut before = None;
    for (at, number, body) in history {
        let writer = Writer {
            caller: Caller {
                principal: format!("at {at}"),
                ..Caller::default()
            },
            lock: None,
        };
        let command = Import {
            number,
            writer: Some(writer.clone()),
            follows: before.take(),
            ..import(at, Some(body.clone()), Versioning::Enabled)
        };
        let version = written(&mut record, &command).unwrap().version;
        assert_eq!(
            (version.written, version.seq, version.id.seq()),
            (Time(at), number, Some(number))
        );
        assert_eq!(version.writer.as_deref(), Some(&writer));
        assert_eq!(record.head.as_ref(), Some(&version));
        before = fingerprint(at, Some(&body));
    }
    assert_eq!(record.places, 3);
}

#[test]
fn the_same_version_again_changes_nothing() {
    let mut record = Record::default();
    let command = import(10, Some(state(1, "a")), Versioning::Enabled);
    assert!(written(&mut record, &command).is_some());
    let before = record.clone();
    assert_eq!(written(&mut record, &command), None);
    assert_eq!(record, before);
}

#[test]
fn a_newer_state_is_never_written_over() {
    let record = native(&Record::default(), state(3, "a"), 100);
    let head = Box::new(record.head.clone().unwrap());
    for body in [state(9, "a"), state(1, "b")] {
        let older = import(99, Some(body), Versioning::Enabled);
        assert_eq!(refused(&record, &older), NotImported::Newer(head.clone()));
    }
}

#[test]
fn a_later_version_that_does_not_advance_is_taken_only_where_its_own_history_says_so() {
    let record = native(&Record::default(), state(3, "a"), 100);
    let head = Box::new(record.head.clone().unwrap());
    for body in [state(3, "a"), state(9, "b")] {
        let apart = import(200, Some(body), Versioning::Enabled);
        assert_eq!(refused(&record, &apart), NotImported::Apart(head.clone()));
        let elsewhere = Import {
            follows: fingerprint(100, Some(&state(4, "a"))),
            ..apart.clone()
        };
        assert_eq!(refused(&record, &elsewhere), NotImported::Apart(head.clone()));
        let own = Import {
            follows: fingerprint(100, Some(&state(3, "a"))),
            ..apart
        };
        assert!(written(&mut record.clone(), &own).is_some());
    }
    let advances = import(200, Some(state(4, "a")), Versioning::Enabled);
    assert!(written(&mut record.clone(), &advances).is_some());
    let deleted = import(200, None, Versioning::Enabled);
    assert_eq!(refused(&record, &deleted), NotImported::Apart(head));
}

#[test]
fn who_holds_the_lock_is_not_written_past_and_a_freeze_is_no_obstacle() {
    let caller = Caller::default();
    let id = LockId::try_from("x").unwrap();
    let acquire = Acquire {
        id: id.clone(),
        info: r#"{"ID":"x"}"#.to_owned(),
        facet: Facet::File,
        caller: caller.clone(),
        shared: false,
        ticket: None,
        over: Vec::new(),
    };
    let (locked, _) = decide(&Record::default(), &acquire, Time(1));
    let command = import(10, Some(state(1, "a")), Versioning::Enabled);
    assert!(matches!(refused(&locked, &command), NotImported::Locked(held) if held.id == id));
    let freeze = Freeze {
        id,
        info: r#"{"ID":"x"}"#.to_owned(),
        caller,
    };
    let (mut frozen, outcome) = decide(&Record::default(), &freeze, Time(1));
    outcome.unwrap();
    assert!(written(&mut frozen, &command).is_some());
}

#[test]
fn deletions_are_a_part_of_the_history() {
    for versioning in [
        Versioning::Enabled,
        Versioning::Suspended,
        Versioning::Unversioned,
    ] {
        let (one, two) = (state(1, "a"), state(1, "b"));
        let mut record = Record::default();
        written(&mut record, &import(10, Some(one.clone()), versioning));
        let deleted = Import {
            follows: fingerprint(10, Some(&one)),
            ..import(20, None, versioning)
        };
        let gone = written(&mut record, &deleted).unwrap();
        assert!(record.visible().is_none(), "{versioning:?}");
        // Without a mark the service has to say what there was.
        let last = gone.effects.hidden.into_iter().next();
        let again = Import {
            last: last.clone(),
            follows: fingerprint(20, None),
            ..import(30, Some(two), versioning)
        };
        let early = Import {
            written: Time(19),
            ..again.clone()
        };
        assert!(
            matches!(refused(&record, &early), NotImported::Newer(_)),
            "{versioning:?}"
        );
        assert!(written(&mut record, &again).is_some(), "{versioning:?}");
        assert_eq!(record.visible().unwrap().written, Time(30));
    }
}

#[test]
fn nothing_is_deleted_where_nothing_is() {
    let mut record = Record::default();
    assert_eq!(
        written(&mut record, &import(10, None, Versioning::Unversioned)),
        None
    );
    assert_eq!(record, Record::default());
}

#[test]
fn a_plain_object_is_no_beginning_of_a_history() {
    let plain = Body {
        state: None,
        ..state(1, "a")
    };
    let record = native(&Record::default(), plain, 5);
    let command = import(10, Some(state(1, "a")), Versioning::Enabled);
    assert!(matches!(refused(&record, &command), NotImported::Apart(_)));
}

#[test]
fn times_to_come_and_numbers_that_are_made_up_are_not_believed() {
    let ahead = import(
        NOW.0 + IMPORT_AHEAD_MS_MAX + 1,
        Some(state(1, "a")),
        Versioning::Enabled,
    );
    assert_eq!(refused(&Record::default(), &ahead), NotImported::Ahead);
    for (number, seq) in [
        (0, 1),
        (IMPORT_NUMBERS_SKIPPED_MAX, IMPORT_NUMBERS_SKIPPED_MAX),
        (IMPORT_NUMBERS_SKIPPED_MAX + 1, 1),
        (u64::MAX, 1),
    ] {
        let command = Import {
            number,
            ..import(10, Some(state(1, "a")), Versioning::Enabled)
        };
        let version: Version = written(&mut Record::default(), &command).unwrap().version;
        assert_eq!(version.seq, seq, "{number}");
        assert_eq!(version.id, VersionId::new(seq, 7));
    }
}
