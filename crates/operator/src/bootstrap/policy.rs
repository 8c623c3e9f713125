//! The bucket's policy: two statements of ours among those of others, which stay as they are.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Value, json};
use tidelock_core::policy::{
    Context, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule, Rights, decide,
};

/// The statement that refuses requests without TLS.
pub(super) const TLS_ONLY: &str = "TidelockTlsOnly";

/// The statement that refuses everybody who is not on the list.
pub(super) const ALLOW_LIST: &str = "TidelockAllowList";

/// Everything that reads or writes objects. The settings are left out: who may set them could otherwise not mend the list.
const OBJECTS: [&str; 3] = ["s3:*Object*", "s3:ListBucket*", "s3:*Multipart*"];

/// What a request without TLS is tried with.
const TRIED: [(&str, &str); 5] = [
    ("s3:GetObject", "/k"),
    ("s3:PutObject", "/k"),
    ("s3:DeleteObject", "/k"),
    ("s3:ListBucket", ""),
    ("s3:GetBucketPolicy", ""),
];

/// Somebody whom no policy names.
static SOMEBODY: LazyLock<Principal> = LazyLock::new(|| Principal {
    account: "111122223333".to_owned(),
    arn: "arn:aws:iam::111122223333:user/tidelock-somebody".to_owned(),
    kind: PrincipalKind::User {
        name: "tidelock-somebody".to_owned(),
    },
    user_id: "AIDATIDELOCKSOMEBODY1".to_owned(),
    tags: BTreeMap::new(),
});

/// The ARN of a bucket in a region's partition.
pub(super) fn arn(bucket: &str, region: &str) -> String {
    let partition = match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:s3:::{bucket}")
}

/// Whether a policy denies everybody who comes without TLS, whoever wrote it and however.
pub(super) fn demands_tls(policy: &str, arn: &str) -> bool {
    // Another statement may be one that cannot be judged here; ours says what it says.
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    if statements(&document).contains(&tls_only(arn)) {
        return true;
    }
    let Ok(policy) = Policy::parse(policy, Kind::Bucket) else {
        return false;
    };
    let named = Named {
        name: String::new(),
        policy,
    };
    let mut context = Context::default();
    context.insert("aws:SecureTransport", "false");
    TRIED.iter().all(|(action, below)| {
        let resource = format!("{arn}{below}");
        let request = Request {
            principal: &SOMEBODY,
            action,
            resource: &resource,
            resource_account: &SOMEBODY.account,
            context: &context,
        };
        let rule = ResourceRule::Usual {
            restrict_public: false,
        };
        decide(&request, &Rights::operator(), Some(&named), rule).effect == Effect::DeniedExplicitly
    })
}

/// The list of a policy's own statement; `None` where it has none.
pub(super) fn allow_list(policy: &str) -> Option<Vec<String>> {
    let document: Value = serde_json::from_str(policy).ok()?;
    let own = statements(&document)
        .into_iter()
        .find(|own| own["Sid"] == ALLOW_LIST)?;
    Some(match &own["Condition"]["ArnNotLike"]["aws:PrincipalArn"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(some) => {
            let text = |one: &Value| one.as_str().map(str::to_owned);
            some.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    })
}

/// The policy with these statements in place of those of the same names; `None` where what is there is no policy.
pub(super) fn with(policy: Option<&str>, own: Vec<Value>) -> Option<String> {
    let mut document = match policy {
        Some(text) => serde_json::from_str(text).ok()?,
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let is_ours = |statement: &Value| own.iter().any(|own| own["Sid"] == statement["Sid"]);
    let mut kept = statements(&document);
    kept.retain(|statement| !is_ours(statement));
    kept.extend(own);
    document.as_object_mut()?["Statement"] = kept.into();
    Some(document.to_string())
}

fn statements(document: &Value) -> Vec<Value> {
    match &document["Statement"] {
        Value::Array(several) => several.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Refuses what comes without TLS.
pub(super) fn tls_only(arn: &str) -> Value {
    json!({
        "Sid": TLS_ONLY,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

/// Refuses everybody's reading and writing of objects but theirs, and AWS's own services'.
pub(super) fn only_for(arn: &str, allowed: &[String]) -> Value {
    json!({
        "Sid": ALLOW_LIST,
        "Effect": "Deny",
        "Principal": "*",
        "Action": OBJECTS,
        "Resource": [arn, format!("{arn}/*")],
        "Condition": {
            "ArnNotLike": { "aws:PrincipalArn": allowed },
            "Bool": { "aws:PrincipalIsAWSService": "false" },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ARN: &str = "arn:aws:s3:::tfstate";

    #[test]
    fn our_statement_demands_tls_and_so_does_anybody_elses_that_says_the_same() {
        let ours = with(None, vec![tls_only(ARN)]).unwrap();
        assert!(demands_tls(&ours, ARN));
        assert!(!demands_tls(&ours, "arn:aws:s3:::other"));
        let theirs = r#"{"Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*",
            "Resource": ["arn:aws:s3:::tfstate/*", "arn:aws:s3:::tfstate"],
            "Condition": {"Bool": {"aws:SecureTransport": false}}}}"#;
        assert!(demands_tls(theirs, ARN));
    }

    #[test]
    fn our_statement_counts_beside_one_that_is_not_understood() {
        let theirs = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": "arn:aws:s3:::tfstate/*", "Condition": {"NewOperator": {"aws:NewKey": "x"}}}}"#;
        assert!(Policy::parse(theirs, Kind::Bucket).is_err());
        assert!(!demands_tls(theirs, ARN));
        assert!(demands_tls(
            &with(Some(theirs), vec![tls_only(ARN)]).unwrap(),
            ARN
        ));
    }

    #[test]
    fn half_a_statement_does_not_demand_tls() {
        let whole = with(None, vec![tls_only(ARN)]).unwrap();
        for (from, to) in [
            (r#""arn:aws:s3:::tfstate/*""#, r#""arn:aws:s3:::tfstate/a/*""#),
            (r#""Deny""#, r#""Allow""#),
            (r#""s3:*""#, r#""s3:GetObject""#),
            (r#""*""#, r#"{"AWS":"arn:aws:iam::000000000000:user/u"}"#),
            (r#""false""#, r#""true""#),
        ] {
            assert!(whole.contains(from), "{from}");
            assert!(!demands_tls(&whole.replacen(from, to, 1), ARN), "{to}");
        }
        assert!(!demands_tls("no policy", ARN));
    }

    #[test]
    fn what_others_have_written_stays_and_our_own_is_replaced() {
        let theirs = r#"{"Version":"2008-10-17","Id":"x","Statement":{"Sid":"Theirs","Effect":"Allow","Principal":
            {"AWS":"arn:aws:iam::000000000000:user/u"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::tfstate/*"}}"#;
        let one = ["arn:aws:iam::000000000000:role/a".to_owned()];
        let two = ["arn:aws:iam::000000000000:role/b".to_owned()];
        let first = with(Some(theirs), vec![tls_only(ARN), only_for(ARN, &one)]).unwrap();
        assert_eq!(allow_list(&first).unwrap(), one);
        let second = with(Some(&first), vec![only_for(ARN, &two)]).unwrap();
        assert_eq!(allow_list(&second).unwrap(), two);
        let document: Value = serde_json::from_str(&second).unwrap();
        let sids: Vec<_> = document["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["Sid"])
            .collect();
        assert_eq!(sids, ["Theirs", TLS_ONLY, ALLOW_LIST]);
        assert_eq!(
            (&document["Version"], &document["Id"]),
            (&json!("2008-10-17"), &json!("x"))
        );
        assert_eq!(with(Some("[]"), vec![tls_only(ARN)]), None);
    }

    #[test]
    fn the_list_denies_objects_to_everybody_else_and_leaves_the_settings() {
        let listed = ["arn:aws:iam::111122223333:role/*".to_owned()];
        let text = with(None, vec![only_for(ARN, &listed)]).unwrap();
        let named = Named {
            name: String::new(),
            policy: Policy::parse(&text, Kind::Bucket).unwrap(),
        };
        let is_denied = |action: &str, resource: &str, arn: &str| {
            let principal = Principal {
                arn: arn.to_owned(),
                ..SOMEBODY.clone()
            };
            let request = Request {
                principal: &principal,
                action,
                resource,
                resource_account: "111122223333",
                context: &Context::default(),
            };
            let rule = ResourceRule::Usual {
                restrict_public: false,
            };
            decide(&request, &Rights::operator(), Some(&named), rule).effect == Effect::DeniedExplicitly
        };
        let (role, user) = (
            "arn:aws:iam::111122223333:role/ci",
            "arn:aws:iam::111122223333:user/u",
        );
        for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"] {
            assert!(is_denied(action, "arn:aws:s3:::tfstate/k", user), "{action}");
            assert!(!is_denied(action, "arn:aws:s3:::tfstate/k", role), "{action}");
        }
        assert!(is_denied("s3:ListBucketVersions", ARN, user));
        assert!(!is_denied("s3:PutBucketPolicy", ARN, user));
    }

    #[test]
    fn a_bucket_of_china_has_an_arn_of_its_own() {
        assert_eq!(arn("tfstate", "eu-central-1"), ARN);
        assert_eq!(arn("b", "cn-north-1"), "arn:aws-cn:s3:::b");
        assert_eq!(arn("b", "us-gov-west-1"), "arn:aws-us-gov:s3:::b");
    }
}
