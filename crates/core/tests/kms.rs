//! Rules of KMS keys: names, and what may be done in which state.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, sync::Arc};

use tidelock_core::{
    Time,
    kms::{Command, KeyState, Keys, KmsError, KmsKey, NewKey, change, is_alias_name},
    limits::{KMS_ALIASES_MAX, KMS_ROTATIONS_ON_DEMAND_MAX, KMS_TAGS_MAX},
};

const ACCOUNT: &str = "000000000000";
const ID: &str = "01234567-89ab-4def-8123-456789abcdef";
const OTHER: &str = "11234567-89ab-4def-8123-456789abcdef";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn new(id: &str) -> NewKey {
    NewKey {
        id: id.to_owned(),
        account: ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
        description: String::new(),
        policy: None,
        tags: BTreeMap::new(),
        sealed: "sealed".to_owned(),
    }
}

/// Does a command, and what comes back is the key it is about.
fn act(keys: &mut Keys, command: &Command, now: Time) -> Result<KmsKey, KmsError> {
    let change = change(keys, command, now)?;
    for key in change.puts.iter().rev() {
        keys.put(Arc::new(key.clone()));
    }
    Ok(change.puts[0].clone())
}

fn with_keys() -> Keys {
    let mut keys = Keys::default();
    for id in [ID, OTHER] {
        act(&mut keys, &Command::Create(new(id)), Time(0)).unwrap();
    }
    keys
}

fn alias(name: &str, key: &str) -> Command {
    Command::CreateAlias {
        alias: name.to_owned(),
        key: key.to_owned(),
    }
}

#[test]
fn a_key_is_found_by_its_id_its_arn_and_its_aliases() {
    let mut keys = with_keys();
    act(&mut keys, &alias("alias/a/b", ID), Time(0)).unwrap();
    let arn = keys.get(ID).unwrap().arn();
    assert_eq!(arn, format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/{ID}"));
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/a/b");
    for name in [ID, &arn, "alias/a/b", &alias_arn] {
        assert_eq!(keys.named(ACCOUNT, name).unwrap().id, ID, "{name}");
    }
    for name in [&arn, &alias_arn] {
        assert_eq!(
            keys.named("111111111111", name).unwrap().id,
            ID,
            "an ARN says whose"
        );
    }
    for name in [
        "",
        "alias/",
        "alias/c",
        "nonsense",
        OTHER.trim_end_matches('f'),
        &arn.replace("eu-central-1", "us-east-1"),
        &arn.replace(ACCOUNT, "111111111111"),
        &alias_arn.replace("a/b", "c"),
    ] {
        let found = keys.named(ACCOUNT, name);
        assert!(matches!(found, Err(KmsError::NotFound(_))), "{name}: {found:?}");
    }
    for name in [
        "arn:",
        "arn:aws:kms:x:y",
        "arn:aws:s3:::b",
        &arn.replace("key/", "grant/"),
    ] {
        let found = keys.named(ACCOUNT, name);
        assert!(matches!(found, Err(KmsError::InvalidArn(_))), "{name}: {found:?}");
    }
    assert!(keys.named("111111111111", ID).is_err());
}

#[test]
fn names_of_aliases_are_what_aws_takes() {
    for name in ["alias/a", "alias/a/b_c-9", "alias//"] {
        assert!(is_alias_name(name), "{name}");
    }
    let long = format!("alias/{}", "a".repeat(251));
    for name in [
        "",
        "a",
        "alias/",
        "Alias/a",
        "alias/a b",
        "alias/a:b",
        "alias/ä",
        &long,
    ] {
        assert!(!is_alias_name(name), "{name}");
    }
    let mut keys = with_keys();
    let reserved = act(&mut keys, &alias("alias/aws/s3", ID), Time(0));
    assert!(matches!(reserved, Err(KmsError::InvalidAlias(_))), "{reserved:?}");
}

/// Every change, and in which state of the key it is made: enabled, disabled, pending deletion ("Key states of AWS KMS keys").
// tidy: table
#[test]
fn what_may_be_done_in_which_state_is_as_on_aws() {
    let id = || ID.to_owned();
    let table: [(Command, [bool; 3]); 14] = [
        (
            Command::Describe {
                key: id(),
                description: "d".to_owned(),
            },
            [true, true, false],
        ),
        (Command::Enable(id()), [true, true, false]),
        (Command::Disable(id()), [true, true, false]),
        (
            Command::EnableRotation {
                key: id(),
                days: None,
            },
            [true, false, false],
        ),
        (Command::DisableRotation(id()), [true, false, false]),
        (
            Command::Rotate {
                key: id(),
                sealed: "s".to_owned(),
            },
            [true, false, false],
        ),
        (
            Command::ScheduleDeletion {
                key: id(),
                days: Some(7),
            },
            [true, true, false],
        ),
        (Command::CancelDeletion(id()), [false, false, true]),
        (alias("alias/new", ID), [true, true, false]),
        (
            Command::UpdateAlias {
                alias: "alias/old".to_owned(),
                key: id(),
            },
            [true, true, false],
        ),
        (
            Command::DeleteAlias {
                account: ACCOUNT.to_owned(),
                alias: "alias/old".to_owned(),
            },
            [true, true, true],
        ),
        (
            Command::PutPolicy {
                key: id(),
                policy: "p".to_owned(),
            },
            [true, true, true],
        ),
        (
            Command::Tag {
                key: id(),
                tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            },
            [true, true, false],
        ),
        (
            Command::Untag {
                key: id(),
                names: vec!["a".to_owned()],
            },
            [true, true, false],
        ),
    ];
    let before = [
        None,
        Some(Command::Disable(id())),
        Some(Command::ScheduleDeletion {
            key: id(),
            days: None,
        }),
    ];
    for (command, allowed) in table {
        for (into, allowed) in before.iter().zip(allowed) {
            let mut keys = with_keys();
            act(&mut keys, &alias("alias/old", ID), Time(0)).unwrap();
            if let Some(into) = into {
                act(&mut keys, into, Time(0)).unwrap();
            }
            let done = act(&mut keys, &command, Time(1));
            assert_eq!(done.is_ok(), allowed, "{command:?} after {into:?}: {done:?}");
        }
    }
}

#[test]
fn what_is_bounded_on_aws_is_bounded_here() {
    let mut keys = with_keys();
    for number in 0..KMS_ALIASES_MAX {
        act(&mut keys, &alias(&format!("alias/{number}"), ID), Time(0)).unwrap();
    }
    let one_more = act(&mut keys, &alias("alias/more", ID), Time(0));
    assert!(
        matches!(one_more, Err(KmsError::LimitExceeded(_))),
        "{one_more:?}"
    );
    let rotate = Command::Rotate {
        key: ID.to_owned(),
        sealed: "s".to_owned(),
    };
    for _ in 0..KMS_ROTATIONS_ON_DEMAND_MAX {
        act(&mut keys, &rotate, Time(0)).unwrap();
    }
    let one_more = act(&mut keys, &rotate, Time(0));
    assert!(
        matches!(one_more, Err(KmsError::LimitExceeded(_))),
        "{one_more:?}"
    );
    let tag = |tags: BTreeMap<String, String>| Command::Tag {
        key: ID.to_owned(),
        tags,
    };
    let many = (0..=KMS_TAGS_MAX).map(|number| (number.to_string(), String::new()));
    let many = act(&mut keys, &tag(many.collect()), Time(0));
    assert!(matches!(many, Err(KmsError::LimitExceeded(_))), "{many:?}");
    for name in ["", "aws:x"] {
        let tagged = act(
            &mut keys,
            &tag(BTreeMap::from([(name.to_owned(), String::new())])),
            Time(0),
        );
        assert!(matches!(tagged, Err(KmsError::Tag(_))), "{tagged:?}");
    }
}

#[test]
fn a_key_ends_at_its_date_and_not_before() {
    let mut keys = with_keys();
    let schedule = Command::ScheduleDeletion {
        key: ID.to_owned(),
        days: None,
    };
    let pending = act(&mut keys, &schedule, Time(5)).unwrap();
    let due = Time(5 + 30 * DAY_MS);
    assert_eq!(pending.state, KeyState::PendingDeletion(due));
    let delete = Command::Delete(ID.to_owned());
    assert_eq!(change(&keys, &delete, Time(due.0 - 1)).unwrap().delete, None);
    assert_eq!(change(&keys, &delete, due).unwrap().delete.as_deref(), Some(ID));
    keys.remove(ID);
    assert!(keys.get(ID).is_none() && keys.get(OTHER).is_some());
}
