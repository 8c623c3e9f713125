//! Documents that are no policies, and what their writer is told.

use tidelock_core::policy::{Kind, Policy};

#[test]
fn what_is_no_policy_is_refused_with_the_reason() {
    for (kind, text, reason) in DOCUMENTS {
        let found = Policy::parse(text, kind)
            .map(|_| ())
            .map_err(|error| error.to_string());
        let found = found.expect_err(text);
        assert!(
            found.contains(reason),
            "{text}\n  says: {found}\n  not:  {reason}"
        );
    }
}

#[test]
fn whatever_is_too_large_or_too_deep_is_refused() {
    let padded = format!("{}{}", ALLOW, " ".repeat(128 * 1024));
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = ALLOW.replace("\"*\"", &format!("\"arn:aws:s3:::{}\"", "x".repeat(2_048)));
    for (text, reason) in [
        (padded, "longer than"),
        (deep, "nested deeper"),
        (long, "longer than 2048 bytes"),
    ] {
        let found = Policy::parse(&text, Kind::Identity).unwrap_err().to_string();
        assert!(found.contains(reason), "{found}");
        assert!(found.chars().count() <= 401, "{found}");
    }
}

#[test]
fn a_document_may_be_written_in_all_the_ways_of_the_grammar() {
    for (kind, text) in [
        (
            Kind::Identity,
            r#"{"Statement": {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}}"#,
        ),
        (
            Kind::Identity,
            r#"{"Statement": [{"Condition": {}, "Resource": "*", "Action": "*", "Effect": "Deny"}], "Version": "2008-10-17", "Id": "x y"}"#,
        ),
        (
            Kind::Identity,
            r#"{"Statement": {"Sid": "", "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"NumericLessThan": {"s3:max-keys": [1, "2", 3.5]}, "Bool": {"a:b": true}}}}"#,
        ),
        (
            Kind::Key,
            r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}"#,
        ),
        (
            Kind::Bucket,
            r#"{"Statement": [{"Sid": "a", "Effect": "Deny", "NotPrincipal": {"AWS": "*"}, "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::b/*"}, {"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "tidelock:Lock", "Resource": "arn:aws:s3:::b/*"}]}"#,
        ),
        (
            Kind::Trust,
            r#"{"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": ["111122223333", "arn:aws:iam::111122223333:role/path/name", "AROAEXAMPLE"], "Federated": "accounts.google.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}}"#,
        ),
    ] {
        Policy::parse(text, kind).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
}

#[test]
fn who_checks_that_principals_exist_learns_their_names() {
    let text = r#"{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:role/r"], "Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/u"}, "Action": "sts:AssumeRole"}]}"#;
    let policy = Policy::parse(text, Kind::Trust).unwrap();
    let named: Vec<&str> = policy.principals().collect();
    assert_eq!(
        named,
        [
            "arn:aws:iam::111122223333:role/r",
            "arn:aws:iam::111122223333:user/u"
        ]
    );
}

#[test]
fn a_bucket_policy_is_about_its_own_bucket() {
    let about = |resource: &str| {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "{resource}"]}}}}"#
        );
        Policy::parse(&text, Kind::Bucket)
            .unwrap()
            .is_about("arn:aws:s3:::b")
    };
    for own in [
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/a/*/c",
        "arn:aws:s3:::b/${aws:username}/x",
        "arn:aws:s3:::b*",
    ] {
        assert!(about(own), "{own}");
    }
    for other in [
        "arn:aws:s3:::c/*",
        "arn:aws:s3:::b1",
        "arn:aws:s3:::bb/*",
        "arn:aws:s3:::b?",
        "arn:aws:s3:::*",
        "arn:aws:s3:::${aws:username}/x",
        "arn:aws:sqs:::b",
        "*",
    ] {
        assert!(!about(other), "{other}");
    }
}

const ALLOW: &str = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#;

const DOCUMENTS: [(Kind, &str, &str); 62] = [
    (Kind::Identity, "", "not JSON"),
    (Kind::Identity, "{}", "it has no Statement"),
    (Kind::Identity, "[]", "the policy is a list, not an object"),
    (Kind::Identity, r#"{"Statement": []}"#, "it has no Statement"),
    (
        Kind::Identity,
        r#"{"Statement": "x"}"#,
        "statement 1: Syntax errors in policy: the statement is a string",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow"}} x"#,
        "trailing",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}, "Statement": []}"#,
        "\"Statement\" comes twice",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "a:b", "Resource": "*"}}"#,
        "\"Effect\" comes twice",
    ),
    (
        Kind::Identity,
        r#"{"statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "\"statement\" is no element of a policy",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "\"effect\" is no element of a statement",
    ),
    (
        Kind::Identity,
        r#"{"Version": "2012-10-18", "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "must contain a valid version string",
    ),
    (
        Kind::Identity,
        r#"{"Version": 2012, "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "Version is a number",
    ),
    (
        Kind::Identity,
        r#"{"Id": [], "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "Id is a list, not a string",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Action": "a:b", "Resource": "*"}}"#,
        "Missing required field Effect",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "allow", "Action": "a:b", "Resource": "*"}}"#,
        "neither Allow nor Deny",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Resource": "*"}}"#,
        "must contain actions",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": [], "Resource": "*"}}"#,
        "must contain actions",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": {}, "Resource": "*"}}"#,
        "Action is an object, not a string",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "NotAction": "a:c", "Resource": "*"}}"#,
        "both Action and NotAction",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "GetItem", "Resource": "*"}}"#,
        "must be prefaced by a vendor",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:", "Resource": "*"}}"#,
        "must be prefaced by a vendor",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "s*:Get", "Resource": "*"}}"#,
        "Vendor s* is not valid",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:Get Object", "Resource": "*"}}"#,
        "is no action",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b"}}"#,
        "must contain resources",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": []}}"#,
        "must contain resources",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "NotResource": "*"}}"#,
        "both Resource and NotResource",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "my-bucket"}}"#,
        "Resource my-bucket must be in ARN format or \"*\".",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": ""}}"#,
        "must be in ARN format",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "a:b", "Resource": "*"}}"#,
        "should not specify a principal",
    ),
    (
        Kind::Session,
        r#"{"Statement": {"Effect": "Allow", "NotPrincipal": "*", "Action": "a:b", "Resource": "*"}}"#,
        "should not specify a principal",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Sid": "a b", "Effect": "Allow", "Action": "a:b", "Resource": "*"}}"#,
        "must be alpha-numeric",
    ),
    (
        Kind::Identity,
        r#"{"Statement": [{"Sid": "a", "Effect": "Allow", "Action": "a:b", "Resource": "*"}, {"Sid": "a", "Effect": "Deny", "Action": "a:b", "Resource": "*"}]}"#,
        "must be unique: \"a\" comes twice",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": []}}"#,
        "Condition is a list, not an object",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEquals": "x"}}}"#,
        "StringEquals is a string, not an object",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEqual": {"a:b": "x"}}}}"#,
        "\"StringEqual\" is no condition operator",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"stringequals": {"a:b": "x"}}}}"#,
        "is no condition operator",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"ForSome:StringEquals": {"a:b": "x"}}}}"#,
        "is no condition operator",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"NullIfExists": {"a:b": "true"}}}}"#,
        "Null cannot be combined with IfExists",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEquals": {"SourceIp": "x"}}}}"#,
        "\"SourceIp\" is no condition key",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEquals": {"a:b": null}}}}"#,
        "a:b is null, not a string",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEquals": {"a:b": [["x"]]}}}}"#,
        "a:b is a list, not a string",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"NumericEquals": {"a:b": "ten"}}}}"#,
        "\"ten\" is no number",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-02-29"}}}}"#,
        "\"2026-02-29\" is no date",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "yes"}}}}"#,
        "\"yes\" is no boolean",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"BinaryEquals": {"a:b": "%"}}}}"#,
        "\"%\" is no base64",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}}}"#,
        "is no IP address or network",
    ),
    (
        Kind::Identity,
        r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "*"}}}}"#,
        "is no IP address or network",
    ),
    (
        Kind::Identity,
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::b/${aws:username"}}"#,
        "without its closing brace",
    ),
    (
        Kind::Identity,
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::b/${username}"}}"#,
        "is no policy variable",
    ),
    (
        Kind::Identity,
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::b/${aws:username, none}"}}"#,
        "is no policy variable",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
        "Missing required field Principal",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}"#,
        "Policy has invalid action",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"}}"#,
        "Allow with NotPrincipal is not supported",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": "111122223333", "Action": "s3:*", "Resource": "*"}}"#,
        "Invalid principal in policy",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": {}, "Action": "s3:*", "Resource": "*"}}"#,
        "names nobody",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}, "Action": "s3:*", "Resource": "*"}}"#,
        "without wildcards",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1111:root"}, "Action": "s3:*", "Resource": "*"}}"#,
        "Invalid principal in policy",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": {"CanonicalUser": "79a59df9"}, "Action": "s3:*", "Resource": "*"}}"#,
        "write {\"AWS\": \"123456789012\"}",
    ),
    (
        Kind::Bucket,
        r#"{"Statement": {"Effect": "Allow", "Principal": {"Group": "x"}, "Action": "s3:*", "Resource": "*"}}"#,
        "of none of the kinds",
    ),
    (
        Kind::Trust,
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}}"#,
        "Has prohibited field Resource",
    ),
    (
        Kind::Trust,
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}}"#,
        "may only specify STS AssumeRole actions",
    ),
    (
        Kind::Trust,
        r#"{"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}}"#,
        "NotPrincipal is not supported in a trust policy",
    ),
];
