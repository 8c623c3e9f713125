//! What a decision says of itself: which statements decided, and where an allow is missing.

use std::{collections::BTreeMap, sync::Arc};

use tidelock_core::policy::{
    By, Context, Decision, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule,
    Rights, Source, decide,
};

fn named(name: &str, kind: Kind, text: &str) -> Arc<Named> {
    Arc::new(Named {
        name: name.to_owned(),
        policy: Policy::parse(text, kind).unwrap(),
    })
}

fn session() -> Principal {
    Principal {
        account: "111122223333".to_owned(),
        arn: "arn:aws:sts::111122223333:assumed-role/runner/1".to_owned(),
        kind: PrincipalKind::Session {
            role_arn: "arn:aws:iam::111122223333:role/runner".to_owned(),
            federated: None,
        },
        user_id: "AROARUNNER:1".to_owned(),
        tags: BTreeMap::new(),
    }
}

fn by(source: Source, policy: &str, statement: &str) -> By {
    By {
        source,
        policy: policy.to_owned(),
        statement: statement.to_owned(),
    }
}

const GET_AND_PUT: &str = r#"{"Statement": [{"Effect": "Deny", "Action": "iam:*", "Resource": "*"},
    {"Sid": "State", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}]}"#;

fn ask(action: &str, owner: &str) -> Decision {
    let bucket = r#"{"Statement": [{"Sid": "Readers", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:Get*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}]}"#;
    let get = r#"{"Statement": {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}}"#;
    let rights = Rights {
        operator: false,
        identity: vec![named("runner-policy", Kind::Identity, GET_AND_PUT)],
        session: Some(vec![named("session policy", Kind::Session, get)]),
    };
    let (principal, context) = (session(), Context::default());
    let request = Request {
        principal: &principal,
        action,
        resource: "arn:aws:s3:::b/k",
        resource_account: owner,
        context: &context,
    };
    let rule = ResourceRule::Usual {
        restrict_public: false,
    };
    decide(
        &request,
        &rights,
        Some(&named("policy of bucket b", Kind::Bucket, bucket)),
        rule,
    )
}

#[test]
fn an_allow_names_every_statement_that_had_to_allow() {
    let own = ask("s3:GetObject", "111122223333");
    assert!(own.is_allowed());
    let identity = by(Source::Identity, "runner-policy", "State");
    let session = by(Source::Session, "session policy", "statement 1");
    assert_eq!(own.by, [identity.clone(), session.clone()]);
    let foreign = ask("s3:GetObject", "444455556666");
    let bucket = by(Source::Resource, "policy of bucket b", "Readers");
    assert_eq!(foreign.by, [identity, bucket, session]);
    assert_eq!(foreign.missing, None);
}

#[test]
fn a_deny_names_the_statement_that_denies() {
    for (action, denies) in [
        (
            "iam:CreateUser",
            by(Source::Identity, "runner-policy", "statement 1"),
        ),
        (
            "s3:DeleteBucket",
            by(Source::Resource, "policy of bucket b", "statement 2"),
        ),
    ] {
        let decision = ask(action, "111122223333");
        assert_eq!(decision.effect, Effect::DeniedExplicitly);
        assert_eq!(decision.by, [denies]);
    }
}

#[test]
fn who_is_not_allowed_learns_where_an_allow_is_missing() {
    for (action, owner, missing, words) in [
        (
            "s3:ListBucket",
            "111122223333",
            Source::Identity,
            "identity-based policy",
        ),
        ("s3:PutObject", "111122223333", Source::Session, "session policy"),
        (
            "s3:PutObject",
            "444455556666",
            Source::Resource,
            "resource-based policy",
        ),
    ] {
        let decision = ask(action, owner);
        assert_eq!(decision.effect, Effect::NotAllowed);
        assert_eq!(decision.missing, Some(missing), "{action}");
        assert_eq!(missing.to_string(), words);
        assert!(decision.by.is_empty());
    }
}
