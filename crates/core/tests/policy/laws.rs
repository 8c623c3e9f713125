//! Laws that hold for all policies and requests, tried on random ones out of a small world in which much collides.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use tidelock_core::policy::{
    Context, Decision, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule, Rights,
    decide,
};

/// Everything that goes into one decision, as data that can be changed and decided again.
#[derive(Clone, Debug)]
struct World {
    who: &'static str,
    operator: bool,
    owner: &'static str,
    action: &'static str,
    resource: &'static str,
    keys: Vec<(&'static str, &'static str)>,
    identity: Vec<Vec<Value>>,
    session: Option<Vec<Vec<Value>>>,
    bucket: Option<Vec<Value>>,
    rule: ResourceRule,
}

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"];
const RESOURCES: [&str; 3] = ["arn:aws:s3:::b/ann/x", "arn:aws:s3:::b/bob/x", "*"];
const VALUES: [&str; 4] = ["ann", "1", "true", ""];

fn statement(with_principal: bool) -> impl Strategy<Value = Value> {
    let effect = select(vec!["Allow", "Allow", "Deny"]);
    let action = (
        any::<bool>(),
        select(vec!["*", "s3:*", "s3:Get*", "S3:PUTobject", "s3:?etObject"]),
    );
    let resource = (
        any::<bool>(),
        select(vec![
            "*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::b/ann/*",
            "arn:aws:s3:::b/${aws:username}/*",
            "arn:aws:s3:::b/${k:text, 'bob'}/?",
        ]),
    );
    let operator = select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringLikeIfExists",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotLike",
        "Null",
        "Bool",
        "NumericLessThan",
    ]);
    let condition = prop::option::of((operator, select(vec!["k:text", "aws:username"]), any::<bool>()));
    let principal = select(vec![
        json!("*"),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "arn:aws:iam::111122223333:user/ann"}),
        json!({"AWS": ["arn:aws:iam::111122223333:role/r", "444455556666"]}),
        json!({"AWS": "arn:aws:sts::111122223333:assumed-role/r/s"}),
        json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/p"}),
    ]);
    (effect, action, resource, condition, principal, any::<bool>()).prop_map(
        move |(effect, (not_action, action), (not_resource, resource), condition, principal, not)| {
            let mut statement = json!({"Effect": effect});
            statement[if not_action { "NotAction" } else { "Action" }] = json!(action);
            statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resource);
            if with_principal {
                let not = not && effect == "Deny";
                statement[if not { "NotPrincipal" } else { "Principal" }] = principal;
            }
            if let Some((operator, key, which)) = condition {
                let value = match operator {
                    "Null" | "Bool" => json!(which.to_string()),
                    "NumericLessThan" => json!(2),
                    _ if which => json!(["ann", "b*"]),
                    _ => json!("${k:text}"),
                };
                statement["Condition"] = json!({operator: {key: value}});
            }
            statement
        },
    )
}

fn policies() -> impl Strategy<Value = Vec<Vec<Value>>> {
    vec(vec(statement(false), 1..4), 0..4)
}

fn world() -> impl Strategy<Value = World> {
    let who = select(vec!["root", "ann", "bob", "session", "token"]);
    let rule = select(vec![
        ResourceRule::Usual {
            restrict_public: false,
        },
        ResourceRule::Usual {
            restrict_public: true,
        },
        ResourceRule::Required,
    ]);
    let keys = vec(
        (select(vec!["k:text", "K:Text", "k:n"]), select(VALUES.to_vec())),
        0..4,
    );
    let session = prop::option::weighted(0.3, policies());
    let bucket = prop::option::weighted(0.7, vec(statement(true), 1..4));
    let asked = (
        select(ACCOUNTS.to_vec()),
        select(ACTIONS.to_vec()),
        select(RESOURCES.to_vec()),
    );
    (
        who,
        prop::bool::weighted(0.1),
        asked,
        keys,
        policies(),
        session,
        bucket,
        rule,
    )
        .prop_map(
            |(who, operator, (owner, action, resource), keys, identity, session, bucket, rule)| World {
                who,
                operator,
                owner,
                action,
                resource,
                keys,
                identity,
                session,
                bucket,
                rule,
            },
        )
}

fn named(statements: &[Value], kind: Kind) -> Named {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Named {
        name: text.clone(),
        policy: Policy::parse(&text, kind).unwrap(),
    }
}

impl World {
    fn decide(&self) -> Decision {
        let principal = self.principal();
        let mut context = Context::default();
        for (key, value) in &self.keys {
            context.push(key, *value);
        }
        let all =
            |policies: &[Vec<Value>], kind| policies.iter().map(|own| Arc::new(named(own, kind))).collect();
        let rights = Rights {
            operator: self.operator,
            identity: all(&self.identity, Kind::Identity),
            session: self.session.as_ref().map(|own| all(own, Kind::Session)),
        };
        let bucket = self.bucket.as_ref().map(|own| named(own, Kind::Bucket));
        let request = Request {
            principal: &principal,
            action: self.action,
            resource: self.resource,
            resource_account: self.owner,
            context: &context,
        };
        decide(&request, &rights, bucket.as_ref(), self.rule)
    }

    fn principal(&self) -> Principal {
        let kind = match self.who {
            "root" => PrincipalKind::Root,
            "session" => PrincipalKind::Session {
                role_arn: "arn:aws:iam::111122223333:role/r".to_owned(),
                federated: Some("arn:aws:iam::111122223333:oidc-provider/p".to_owned()),
            },
            "token" => PrincipalKind::Federated {
                provider: "arn:aws:iam::111122223333:oidc-provider/p".to_owned(),
            },
            name => PrincipalKind::User {
                name: name.to_owned(),
            },
        };
        let arn = match self.who {
            "root" => "arn:aws:iam::111122223333:root".to_owned(),
            "session" => "arn:aws:sts::111122223333:assumed-role/r/s".to_owned(),
            "token" => String::new(),
            name => format!("arn:aws:iam::111122223333:user/{name}"),
        };
        Principal {
            account: if self.who == "token" {
                String::new()
            } else {
                ACCOUNTS[0].to_owned()
            },
            arn,
            kind,
            user_id: String::new(),
            tags: BTreeMap::new(),
        }
    }
}

fn everything(effect: &str) -> Value {
    json!({"Effect": effect, "Action": "*", "Resource": "*"})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_explicit_deny_always_wins(mut world in world(), place in 0..3) {
        match place {
            0 => world.identity.push(vec![everything("Deny")]),
            1 => world.session.get_or_insert_default().push(vec![everything("Deny")]),
            _ => {
                let mut deny = everything("Deny");
                deny["Principal"] = json!("*");
                world.bucket.get_or_insert_default().push(deny);
            }
        }
        prop_assert_eq!(world.decide().effect, Effect::DeniedExplicitly);
    }

    #[test]
    fn no_allow_changes_what_is_denied(mut world in world(), all in any::<bool>(), more in statement(false), to_bucket in statement(true)) {
        // About a quarter of all worlds are such.
        if world.decide().effect != Effect::DeniedExplicitly {
            return Ok(());
        }
        let allow = |mut statement: Value| {
            statement["Effect"] = json!("Allow");
            statement
        };
        let mut own = allow(to_bucket);
        if let Some(principal) = own.as_object_mut().unwrap().remove("NotPrincipal") {
            own["Principal"] = principal;
        }
        world.identity.push(vec![if all { everything("Allow") } else { allow(more) }]);
        world.bucket.get_or_insert_default().push(own);
        prop_assert_eq!(world.decide().effect, Effect::DeniedExplicitly);
    }

    #[test]
    fn no_deny_allows_what_was_not(mut world in world(), deny in statement(false)) {
        let before = world.decide().effect;
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        world.identity.push(vec![deny]);
        let after = world.decide().effect;
        prop_assert!(after == before || after == Effect::DeniedExplicitly);
    }

    #[test]
    fn the_order_of_policies_and_statements_never_matters(world in world()) {
        let mut other = world.clone();
        other.identity.reverse();
        other.identity.iter_mut().for_each(|own| own.reverse());
        for own in other.session.iter_mut() {
            own.reverse();
            own.iter_mut().for_each(|own| own.reverse());
        }
        other.bucket.iter_mut().for_each(|own| own.reverse());
        let (one, other) = (world.decide(), other.decide());
        prop_assert_eq!(one.effect, other.effect);
        prop_assert_eq!(one.missing, other.missing);
    }

    #[test]
    fn one_policy_of_all_statements_decides_as_many_do(world in world()) {
        let mut joined = world.clone();
        joined.identity = match world.identity.concat() {
            own if own.is_empty() => Vec::new(),
            own => vec![own],
        };
        prop_assert_eq!(world.decide().effect, joined.decide().effect);
    }

    #[test]
    fn a_session_policy_never_gives_anything(mut world in world()) {
        let with = world.decide();
        world.session = None;
        if with.effect == Effect::Allowed {
            prop_assert_eq!(world.decide().effect, Effect::Allowed);
        }
    }

    #[test]
    fn reading_any_text_ends_without_a_panic(text in ".{0,200}", mut json in world()) {
        for kind in [Kind::Identity, Kind::Session, Kind::Bucket, Kind::Key, Kind::Trust] {
            let _ = Policy::parse(&text, kind);
            // And documents that are almost right.
            let mut broken = json!({"Statement": json.identity.pop().unwrap_or_default()}).to_string();
            let cut = broken.len() * text.len() / 801;
            broken.truncate((0..=cut).rev().find(|at| broken.is_char_boundary(*at)).unwrap_or_default());
            prop_assert!(Policy::parse(&broken, kind).is_err());
        }
    }

    #[test]
    fn wildcards_mean_what_the_slow_way_of_reading_them_says(pattern in "[ab*?é:]{0,12}", text in "[abé:]{0,12}") {
        let letters: Vec<char> = text.chars().collect();
        let expected = slowly(&pattern.chars().collect::<Vec<_>>(), &letters);
        prop_assert_eq!(resource_matches(&pattern, &text), expected);
    }
}

proptest! {
    #[test]
    fn arns_are_compared_part_by_part(pattern in "([ab*?]{0,2}:){4,5}[ab*?:]{0,4}", text in "([ab]{0,2}:){4,5}[ab:]{0,4}") {
        let parts = |text: &str| text.splitn(6, ':').map(|part| part.chars().collect()).collect::<Vec<Vec<char>>>();
        let (own, parts) = (parts(&pattern), parts(&text));
        let expected = own.len() == 6 && parts.len() == 6 && own.iter().zip(&parts).all(|(own, part)| slowly(own, part));
        let statements = json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"ArnLike": {"k:arn": pattern}}}]);
        prop_assert_eq!(allows(&statements, "*", &[("k:arn", &text)]), expected);
    }
}

fn slowly(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skipped| slowly(rest, &text[skipped..])),
        Some(('?', rest)) => !text.is_empty() && slowly(rest, &text[1..]),
        Some((letter, rest)) => text.first() == Some(letter) && slowly(rest, &text[1..]),
    }
}

fn resource_matches(pattern: &str, text: &str) -> bool {
    let own = json!([{"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{pattern}")}]);
    allows(&own, &format!("arn:aws:s3:::{text}"), &[])
}

fn allows(statements: &Value, resource: &str, keys: &[(&str, &str)]) -> bool {
    let rights = Rights {
        identity: vec![Arc::new(named(statements.as_array().unwrap(), Kind::Identity))],
        ..Rights::default()
    };
    let principal = Principal {
        account: ACCOUNTS[0].to_owned(),
        arn: String::new(),
        kind: PrincipalKind::User { name: String::new() },
        user_id: String::new(),
        tags: BTreeMap::new(),
    };
    let mut context = Context::default();
    for (key, value) in keys {
        context.insert(key, *value);
    }
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource,
        resource_account: ACCOUNTS[0],
        context: &context,
    };
    decide(
        &request,
        &rights,
        None,
        ResourceRule::Usual {
            restrict_public: false,
        },
    )
    .is_allowed()
}
