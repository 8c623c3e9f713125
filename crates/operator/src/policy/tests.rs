//! The policy's text for every kind of backend.
#![allow(clippy::unwrap_used)]

use tidelock_core::{
    limits::IAM_INLINE_USER_CHARS_MAX,
    policy::{Kind, Policy},
};

use super::*;

pub(super) fn subject() -> Subject {
    Subject {
        bucket: "states".to_owned(),
        key: "app/terraform.tfstate".to_owned(),
        workspace_prefix: "env:".to_owned(),
        lock_file: true,
        table: Some("terraform-locks".to_owned()),
        kms_key: Some("arn:aws:kms:eu-west-1:111122223333:key/1234abcd".to_owned()),
        region: Some("eu-west-1".to_owned()),
        account: Some("111122223333".to_owned()),
        ..Subject::default()
    }
}

pub(super) fn text(subject: &Subject, role: Role) -> String {
    serde_json::to_string(&document(&statements(subject, role))).unwrap()
}

#[test]
fn a_writer_of_one_state_gets_the_state_its_lock_file_and_nothing_else() {
    let subject = Subject {
        table: None,
        kms_key: None,
        workspaces: Workspaces::Only(vec!["default".to_owned()]),
        ..subject()
    };
    let expected = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ListStates", "Effect": "Allow", "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::states"],
                "Condition": {"StringLike": {"s3:prefix": ["app/terraform.tfstate", "env:/"]}},
            },
            {
                "Sid": "ReadAndWriteStates", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": ["arn:aws:s3:::states/app/terraform.tfstate"],
            },
            {
                "Sid": "LockFiles", "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": ["arn:aws:s3:::states/app/terraform.tfstate.tflock"],
            },
        ],
    });
    let written: serde_json::Value = serde_json::from_str(&text(&subject, Role::Writer)).unwrap();
    assert_eq!(written, expected);
}

#[test]
fn a_readers_policy_writes_and_locks_nothing() {
    let found = statements(&subject(), Role::Reader);
    let sids: Vec<_> = found.iter().map(|statement| statement.sid).collect();
    assert_eq!(sids, ["ListStates", "ReadStates", "ReadDigests", "StateKey"]);
    for action in found.iter().flat_map(|statement| &statement.actions) {
        let is_reading = ["s3:GetObject", "s3:ListBucket", "dynamodb:GetItem", "kms:Decrypt"];
        assert!(is_reading.contains(&action.action), "{}", action.action);
    }
    assert_eq!(
        found[2].conditions[0].2,
        [
            "states/app/terraform.tfstate-md5",
            "states/env:/*/app/terraform.tfstate-md5"
        ]
    );
}

#[test]
fn every_policy_can_be_read_and_a_writers_fits_into_a_users_inline_policy() {
    for role in [Role::Reader, Role::Writer, Role::Operator] {
        for subject in [
            subject(),
            Subject {
                region: Some("cn-north-1".to_owned()),
                account: None,
                ..subject()
            },
            Subject {
                key: "a $ b*?/${aws:username}".to_owned(),
                table: Some("arn:aws:dynamodb:eu-west-1:111122223333:table/t".to_owned()),
                kms_key: Some("alias/states".to_owned()),
                acl: true,
                ..subject()
            },
        ] {
            let text = text(&subject, role);
            Policy::parse(&text, Kind::Identity).unwrap_or_else(|why| panic!("{why}: {text}"));
            assert!(check(&text, &subject, role).unwrap().is_exact(), "{text}");
            let most = if role == Role::Operator {
                6_144
            } else {
                IAM_INLINE_USER_CHARS_MAX
            };
            assert!(text.len() <= most, "{} characters: {text}", text.len());
        }
    }
}

#[test]
fn wildcards_in_a_key_are_no_wildcards_in_its_policy() {
    let subject = Subject {
        key: "a*b?c${d}".to_owned(),
        ..subject()
    };
    let text = text(&subject, Role::Writer);
    assert!(
        text.contains("arn:aws:s3:::states/a${*}b${?}c${$}{d}\""),
        "{text}"
    );
}

#[test]
fn a_key_is_meant_by_its_arn_its_id_or_its_alias_and_through_s3_alone() {
    for (given, arn, more) in [
        (
            "1234abcd",
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
            None,
        ),
        (
            "alias/states",
            "arn:aws:kms:eu-west-1:111122223333:key/*",
            Some("alias/states"),
        ),
        (
            "arn:aws:kms:us-east-1:444455556666:alias/states",
            "arn:aws:kms:us-east-1:444455556666:key/*",
            Some("alias/states"),
        ),
    ] {
        let subject = Subject {
            kms_key: Some(given.to_owned()),
            ..subject()
        };
        let found = statements(&subject, Role::Reader).pop().unwrap();
        assert_eq!(found.resources, [arn]);
        assert_eq!(
            found.conditions[0],
            (
                "StringLike",
                "kms:ViaService",
                vec!["s3.eu-west-1.amazonaws.com".to_owned()]
            )
        );
        let alias = found.conditions.get(1).map(|condition| condition.2[0].as_str());
        assert_eq!(alias, more);
    }
}

#[test]
fn named_workspaces_are_the_only_ones() {
    let subject = Subject {
        workspaces: Workspaces::Only(vec!["prod".to_owned()]),
        workspace_prefix: "teams/a".to_owned(),
        ..subject()
    };
    let found = statements(&subject, Role::Writer);
    assert_eq!(
        found[1].resources,
        ["arn:aws:s3:::states/teams/a/prod/app/terraform.tfstate"]
    );
    assert_eq!(
        found[0].conditions[0].2,
        ["teams/a/prod/app/terraform.tfstate", "teams/a/"]
    );
    assert!(!text(&subject, Role::Writer).contains('*'));
}

#[test]
fn every_action_says_which_call_needs_it() {
    for role in [Role::Reader, Role::Writer, Role::Operator] {
        for action in statements(&subject(), role)
            .iter()
            .flat_map(|statement| &statement.actions)
        {
            let call = action
                .calls
                .split(['(', ' '])
                .any(|word| word.starts_with(char::is_uppercase));
            assert!(call, "{}: {}", action.action, action.calls);
        }
    }
}
