//! A policy is a program that anyone with rights to write one gives the server: the first byte says of which kind, the rest
//! up to a byte that no text has is the document, then comes what is asked. Whatever they are, reading and deciding must
//! neither panic nor take long, and a deny of everything must win.
#![no_main]

use std::{collections::BTreeMap, sync::Arc};

use libfuzzer_sys::fuzz_target;
use tidelock_core::policy::{
    Context, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule, Rights, decide,
};

const DENY: &str = r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}"#;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == 0xff).map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default();
    let (document, action, resource, value) = (part(), part(), part(), part());
    let mut letters = document.chars();
    let kind = match letters.next() {
        Some('s') => Kind::Session,
        Some('b') => Kind::Bucket,
        Some('k') => Kind::Key,
        Some('t') => Kind::Trust,
        _ => Kind::Identity,
    };
    let policy = match Policy::parse(letters.as_str(), kind) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let _ = (
        policy.is_public(),
        policy.is_about(&resource),
        policy.principals().count(),
    );
    let principal = Principal {
        account: "111122223333".to_owned(),
        arn: "arn:aws:sts::111122223333:assumed-role/r/s".to_owned(),
        kind: PrincipalKind::Session {
            role_arn: "arn:aws:iam::111122223333:role/r".to_owned(),
            federated: None,
        },
        user_id: value.to_string(),
        tags: BTreeMap::from([("team".to_owned(), value.to_string())]),
    };
    let mut context = Context::default();
    for key in ["s3:prefix", "aws:SourceIp", "aws:CurrentTime", "s3:max-keys"] {
        context.insert(key, value.as_ref());
    }
    context.push("aws:TagKeys", value.as_ref());
    context.push("aws:TagKeys", resource.as_ref());
    let request = Request {
        principal: &principal,
        action: &action,
        resource: &resource,
        resource_account: "111122223333",
        context: &context,
    };
    let named = |policy| Named {
        name: String::new(),
        policy,
    };
    let deny = Arc::new(named(Policy::parse(DENY, Kind::Identity).expect("it is one")));
    let own = named(policy);
    for rule in [
        ResourceRule::Usual {
            restrict_public: true,
        },
        ResourceRule::Required,
    ] {
        let mut rights = Rights::default();
        let resource_policy = match kind {
            Kind::Identity | Kind::Session => None,
            Kind::Bucket | Kind::Key | Kind::Trust => Some(&own),
        };
        if resource_policy.is_none() {
            rights.identity.push(Arc::new(own.clone()));
            rights.session = Some(vec![Arc::new(own.clone())]);
        }
        let before = decide(&request, &rights, resource_policy, rule);
        assert_eq!(before.missing.is_some(), before.effect == Effect::NotAllowed);
        rights.identity.push(Arc::clone(&deny));
        let after = decide(&request, &rights, resource_policy, rule);
        assert_eq!(after.effect, Effect::DeniedExplicitly);
    }
});
