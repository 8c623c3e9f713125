//! How long one decision takes with 50 policies, as a team that sets the backend up with Terraform has them; the bar is
//! 20 microseconds. `cargo bench -p tidelock-core --bench policy`
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use tidelock_core::policy::{
    Context, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule, Rights, decide,
};

const POLICIES: usize = 50;

/// One project's: three statements with conditions and variables, whose actions every request of a run asks for.
fn project(number: usize) -> Arc<Named> {
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucket*"], "Resource": "arn:aws:s3:::terraform-state",
              "Condition": {{"StringLike": {{"s3:prefix": ["team-{number}/*", "env:/*/team-{number}/*"]}}}}}},
            {{"Sid": "State", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
              "Resource": ["arn:aws:s3:::terraform-state/team-{number}/*/terraform.tfstate", "arn:aws:s3:::terraform-state/env:/${{aws:PrincipalTag/stage, 'test'}}/team-{number}/*"],
              "Condition": {{"Bool": {{"aws:SecureTransport": "true"}}, "IpAddress": {{"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}}}}},
            {{"Sid": "Lock", "Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject", "dynamodb:*Item"],
              "Resource": ["arn:aws:s3:::terraform-state/team-{number}/*.tflock", "arn:aws:dynamodb:*:*:table/locks"],
              "Condition": {{"ForAllValues:StringLike": {{"dynamodb:LeadingKeys": "terraform-state/team-{number}/*"}}}}}},
            {{"Sid": "NoProduction", "Effect": "Deny", "Action": "s3:Put*", "Resource": "arn:aws:s3:::terraform-state/team-{number}/production/*",
              "Condition": {{"ArnNotLike": {{"aws:PrincipalArn": "arn:aws:iam::*:role/deploy-*"}}}}}}]}}"#
    );
    named(&format!("team-{number}"), &text, Kind::Identity)
}

fn named(name: &str, text: &str, kind: Kind) -> Arc<Named> {
    Arc::new(Named {
        name: name.to_owned(),
        policy: Policy::parse(text, kind).unwrap(),
    })
}

fn principal() -> Principal {
    Principal {
        account: "111122223333".to_owned(),
        arn: "arn:aws:sts::111122223333:assumed-role/deploy-app/run-17".to_owned(),
        kind: PrincipalKind::Session {
            role_arn: "arn:aws:iam::111122223333:role/deploy-app".to_owned(),
            federated: None,
        },
        user_id: "AROAEXAMPLE:run-17".to_owned(),
        tags: BTreeMap::from([("stage".to_owned(), "production".to_owned())]),
    }
}

fn context() -> Context {
    let mut context = Context::default();
    for (key, value) in [
        ("aws:SourceIp", "10.20.30.40"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2026-11-21T18:30:00Z"),
        ("aws:EpochTime", "1795285800"),
        ("aws:UserAgent", "APN/1.0 HashiCorp/1.0 Terraform/1.11.4"),
        ("s3:x-amz-server-side-encryption", "aws:kms"),
        ("s3:authType", "REST-HEADER"),
        ("s3:signatureversion", "AWS4-HMAC-SHA256"),
    ] {
        context.insert(key, value);
    }
    context
}

const BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::terraform-state", "arn:aws:s3:::terraform-state/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::terraform-state/*", "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "aws:kms"}}},
    {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::terraform-state/*"}]}"#;

fn decisions(criterion: &mut Criterion) {
    let rights = Rights {
        identity: (0..POLICIES).map(project).collect(),
        ..Rights::default()
    };
    let bucket = named("policy of terraform-state", BUCKET, Kind::Bucket);
    let (principal, context) = (principal(), context());
    let rule = ResourceRule::Usual {
        restrict_public: true,
    };
    for (what, resource, effect) in [
        (
            "allowed by the last of 50",
            "arn:aws:s3:::terraform-state/team-49/app/terraform.tfstate",
            Effect::Allowed,
        ),
        (
            "allowed by none of 50",
            "arn:aws:s3:::terraform-state/team-99/app/terraform.tfstate",
            Effect::NotAllowed,
        ),
    ] {
        let request = Request {
            principal: &principal,
            action: "s3:PutObject",
            resource,
            resource_account: "111122223333",
            context: &context,
        };
        assert_eq!(decide(&request, &rights, Some(&bucket), rule).effect, effect);
        criterion.bench_function(what, |bencher| {
            bencher.iter(|| decide(black_box(&request), &rights, Some(&bucket), rule));
        });
    }
    let text = BUCKET;
    criterion.bench_function("reading a bucket policy", |bencher| {
        bencher.iter(|| Policy::parse(black_box(text), Kind::Bucket).is_ok());
    });
}

criterion_group!(policy, decisions);
criterion_main!(policy);
