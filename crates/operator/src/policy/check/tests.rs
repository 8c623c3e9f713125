//! Policies as people have them, and what is said of each.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::policy::tests::subject;

/// What is missing and what is too much, a line each.
fn said(policy: &Value, subject: &Subject, role: Role) -> Vec<String> {
    let report = check(&policy.to_string(), subject, role).unwrap();
    let missing = report.missing.iter().map(|missing| {
        let denied = missing.denied_by.as_ref().map(|by| format!(" denied by {by}"));
        format!(
            "- {} {}{}",
            missing.action,
            missing.on.join(" | "),
            denied.unwrap_or_default()
        )
    });
    let excess = report.excess.iter().map(|excess| {
        format!(
            "+ {}: {} {}",
            excess.statement,
            excess.actions.join(" "),
            excess.why
        )
    });
    missing.chain(excess).collect()
}

fn plain() -> Subject {
    Subject {
        table: None,
        kms_key: None,
        workspaces: crate::policy::Workspaces::Only(vec!["default".to_owned()]),
        ..subject()
    }
}

fn allow(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

const BUCKET: &str = "arn:aws:s3:::states";
const STATE: &str = "arn:aws:s3:::states/app/terraform.tfstate";
const LOCK: &str = "arn:aws:s3:::states/app/terraform.tfstate.tflock";

fn list() -> Value {
    json!({
        "Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET,
        "Condition": {"StringEquals": {"s3:prefix": ["app/terraform.tfstate", "env:/"]}},
    })
}

fn exact() -> Vec<Value> {
    vec![
        list(),
        allow(&["s3:GetObject", "s3:PutObject"], &[STATE]),
        allow(&["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], &[LOCK]),
    ]
}

#[test]
fn an_exact_policy_in_other_words_is_exact() {
    let none: [String; 0] = [];
    assert_eq!(said(&policy(&exact()), &plain(), Role::Writer), none);
}

#[test]
fn what_is_missing_is_named_with_its_resource() {
    let statements = [list(), allow(&["s3:GetObject", "s3:PutObject"], &[STATE])];
    assert_eq!(
        said(&policy(&statements), &plain(), Role::Writer),
        [
            format!("- s3:GetObject {LOCK}"),
            format!("- s3:PutObject {LOCK}"),
            format!("- s3:DeleteObject {LOCK}"),
        ]
    );
}

#[test]
fn a_deny_that_takes_something_needed_is_named() {
    let mut statements = exact();
    statements.push(json!({"Sid": "NoDeletes", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}));
    assert_eq!(
        said(&policy(&statements), &plain(), Role::Writer),
        [format!("- s3:DeleteObject {LOCK} denied by NoDeletes")]
    );
}

#[test]
fn a_wildcard_over_the_bucket_is_told_by_what_it_reaches() {
    let statements = [allow(&["s3:*"], &[BUCKET, "arn:aws:s3:::states/*"])];
    let said = said(&policy(&statements), &plain(), Role::Writer);
    let scope = |words: &str| {
        let found = said.iter().find(|line| line.ends_with(words));
        found.unwrap_or_else(|| panic!("{words}: {said:#?}"))
    };
    assert!(scope("on the whole bucket").contains("s3:DeleteBucket"));
    assert!(scope("on the states").contains("s3:DeleteObjectVersion"));
    assert!(!scope("on the states").contains("s3:PutObject "));
    assert!(scope("on objects beside the states").contains("s3:PutObject"));
    assert!(scope("on other objects of the bucket").contains("s3:GetObject"));
    assert!(
        said.iter().all(|line| !line.contains("other buckets")),
        "{said:#?}"
    );
    assert_eq!(said.len(), 5, "{said:#?}");
}

#[test]
fn an_action_that_nothing_needs_is_named_as_it_is_written_once() {
    let mut statements = exact();
    statements.push(allow(&["ec2:Describe*", "s3:DeleteBucket"], &["*"]));
    assert_eq!(
        said(&policy(&statements), &plain(), Role::Writer),
        ["+ statement 4: ec2:Describe* s3:DeleteBucket no call of the role needs it"]
    );
}

#[test]
fn all_of_everything_says_so() {
    let said = said(&policy(&[allow(&["*"], &["*"])]), &plain(), Role::Writer);
    for words in [
        "* actions of other services too",
        "in other buckets",
        "on other tables",
        "on other keys",
    ] {
        assert!(
            said.iter().any(|line| line.ends_with(words)),
            "{words}: {said:#?}"
        );
    }
    let but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    let said = self::said(&policy(&[but]), &plain(), Role::Writer);
    assert!(
        said[0].starts_with("+ statement 1: iam:* every action of every service but these"),
        "{said:#?}"
    );
}

#[test]
fn a_resource_where_nothing_is_needed_is_named() {
    let mut statements = exact();
    statements.push(allow(
        &["s3:GetObject"],
        &["arn:aws:s3:::states/payroll.csv", STATE],
    ));
    assert_eq!(
        said(&policy(&statements), &plain(), Role::Writer),
        ["+ statement 4: s3:GetObject on arn:aws:s3:::states/payroll.csv, where nothing is needed"]
    );
}

#[test]
fn a_deny_elsewhere_narrows_what_is_too_much() {
    let mut statements = exact();
    statements[1] = allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::states/*"]);
    let wide = said(&policy(&statements), &plain(), Role::Writer);
    assert_eq!(wide.len(), 2, "{wide:#?}");
    statements.push(json!({"Effect": "Deny", "Action": "s3:*", "NotResource": [BUCKET, STATE, LOCK]}));
    let narrowed = said(&policy(&statements), &plain(), Role::Writer);
    assert!(narrowed.is_empty(), "{narrowed:#?}");
}

#[test]
fn a_table_without_its_items_named_lets_others_be_unlocked() {
    let subject = Subject {
        lock_file: false,
        table: Some("locks".to_owned()),
        ..plain()
    };
    let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/locks";
    let statements = [
        list(),
        allow(&["s3:GetObject", "s3:PutObject"], &[STATE]),
        allow(
            &[
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:DeleteItem",
            ],
            &[table],
        ),
    ];
    assert_eq!(
        said(&policy(&statements), &subject, Role::Writer),
        [
            "+ statement 3: dynamodb:DescribeTable no call of the role needs it",
            "+ statement 3: dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem on other items of the table, or all of it",
        ]
    );
}

#[test]
fn account_and_region_are_those_of_the_policy_where_nobody_else_knows_them() {
    let known = subject();
    let text = crate::policy::tests::text(&known, Role::Writer);
    let unknown = Subject {
        region: None,
        account: None,
        ..known
    };
    assert!(check(&text, &unknown, Role::Writer).unwrap().is_exact());
}

#[test]
fn a_condition_that_only_a_request_can_meet_is_assumed_and_named() {
    let mut statements = exact();
    statements[1]["Condition"] = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    statements.push(json!({
        "Sid": "Mfa", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }));
    statements.push(json!({
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }));
    let report = check(&policy(&statements).to_string(), &plain(), Role::Writer).unwrap();
    assert!(report.is_exact(), "{report:#?}");
    let assumed: Vec<_> = report
        .assumed
        .iter()
        .map(|assumed| {
            format!(
                "{} {} {}",
                assumed.statement,
                assumed.keys.join(","),
                assumed.allows
            )
        })
        .collect();
    assert_eq!(
        assumed,
        [
            "statement 2 aws:SourceIp true",
            "Mfa aws:MultiFactorAuthPresent false"
        ]
    );
}

#[test]
fn a_policy_is_taken_as_the_aws_cli_shows_it() {
    let document = policy(&exact());
    for wrapped in [
        json!({"PolicyVersion": {"Document": document, "VersionId": "v1"}}),
        json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": document}),
    ] {
        let report = check(&wrapped.to_string(), &plain(), Role::Writer).unwrap();
        assert!(report.is_exact(), "{report:#?}");
    }
}

#[test]
fn what_is_no_policy_is_refused_with_the_reason() {
    for (text, why) in [
        ("{", "not JSON"),
        ("{}", "no Statement"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:Get","Resource":"states"}}"#,
            "ARN format",
        ),
    ] {
        let error = check(text, &plain(), Role::Writer).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
