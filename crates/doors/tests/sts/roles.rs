//! AssumeRole: who is trusted, what the session may do, and how long it lasts.

use serde_json::json;
use tidelock_core::iam::{DEFAULT_ACCOUNT, Holder};

use crate::server::{OTHER, Server, allows, trusts};

#[tokio::test]
async fn a_role_is_assumed_and_its_session_may_what_the_role_may() {
    let server = Server::start().await;
    let ann = server
        .user(DEFAULT_ACCOUNT, "ann", allows("sts:AssumeRole"))
        .await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("s3:PutObject"))
        .await;
    let answer = server.assume(&ann, &role, &[]).await;
    let session = answer.pair();
    assert_eq!(
        answer.element("Arn"),
        "arn:aws:sts::000000000000:assumed-role/deploy/job-1"
    );
    assert!(
        answer.element("AssumedRoleId").ends_with(":job-1"),
        "{}",
        answer.text
    );
    assert_eq!(answer.element("Expiration"), "2026-11-21T13:00:00Z");
    assert_eq!(answer.element("PackedPolicySize"), "", "nothing is packed");
    let who = server
        .sts(Some(&session), &[("Action", "GetCallerIdentity")])
        .await;
    assert_eq!(
        who.element("Arn"),
        "arn:aws:sts::000000000000:assumed-role/deploy/job-1"
    );
    assert_eq!(who.element("UserId"), answer.element("AssumedRoleId"));
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
    assert_eq!(
        server.put(&ann, "k", "x").await.status,
        403,
        "the user itself may not"
    );
    let read = server
        .send(Some(&session), "s3", ("GET", "/tfstate/k"), &[], String::new())
        .await;
    read.refused(403, "AccessDenied");
}

#[tokio::test]
async fn who_is_not_trusted_or_may_not_ask_is_told_in_awss_words() {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("s3:*")).await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("s3:*"))
        .await;
    let expected = |role: &str| {
        format!(
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sts:AssumeRole on resource: {role}"
        )
    };
    let refused = server.assume(&ann, &role, &[]).await;
    assert_eq!(refused.refused(403, "AccessDenied"), expected(&role));
    let missing = "arn:aws:iam::000000000000:role/missing";
    let refused = server.assume(&ann, missing, &[]).await;
    assert_eq!(refused.refused(403, "AccessDenied"), expected(missing));
    // Named itself, she needs no policy of her own.
    let own = server
        .role(
            "own",
            trusts("arn:aws:iam::000000000000:user/ann"),
            allows("s3:*"),
        )
        .await;
    server.assume(&ann, &own, &[]).await.pair();
    let denies = json!([{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}]);
    server
        .give(DEFAULT_ACCOUNT, Holder::User("ann".to_owned()), denies)
        .await;
    server.assume(&ann, &own, &[]).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn across_accounts_both_sides_must_allow_and_the_external_id_must_fit() {
    let server = Server::start().await;
    let eve = server.user(OTHER, "eve", allows("s3:*")).await;
    let bob = server.user(OTHER, "bob", allows("sts:AssumeRole")).await;
    let trust = json!([{"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "ticket-17"}}}]);
    let role = server.role("partner", trust, allows("s3:*")).await;
    let id = |id| [("ExternalId", id)];
    server
        .assume(&eve, &role, &id("ticket-17"))
        .await
        .refused(403, "AccessDenied");
    server.assume(&bob, &role, &[]).await.refused(403, "AccessDenied");
    server
        .assume(&bob, &role, &id("ticket-18"))
        .await
        .refused(403, "AccessDenied");
    let session = server.assume(&bob, &role, &id("ticket-17")).await.pair();
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
}

#[tokio::test]
async fn a_session_policy_bounds_what_the_role_may() {
    let server = Server::start().await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("s3:*"))
        .await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("sts:*")).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::tfstate/a/*"}]}"#;
    let answer = server.assume(&ann, &role, &[("Policy", policy)]).await;
    assert_eq!(answer.element("PackedPolicySize"), "3");
    let session = answer.pair();
    assert_eq!(server.put(&session, "a/k", "x").await.status, 200);
    assert_eq!(server.put(&session, "b/k", "x").await.status, 403);
    let aws = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let read = server
        .assume(&ann, &role, &[("PolicyArns.member.1.arn", aws)])
        .await
        .pair();
    assert_eq!(server.put(&read, "a/k", "x").await.status, 403);

    let refused = server.assume(&ann, &role, &[("Policy", "{}")]).await;
    refused.refused(400, "MalformedPolicyDocument");
    let long = format!("{policy}{}", " ".repeat(2_048));
    server
        .assume(&ann, &role, &[("Policy", &long)])
        .await
        .refused(400, "ValidationError");
    let missing = [(
        "PolicyArns.member.1.arn",
        "arn:aws:iam::000000000000:policy/missing",
    )];
    server
        .assume(&ann, &role, &missing)
        .await
        .refused(400, "ValidationError");
    let names: Vec<String> = (1..=20).map(|number| format!("Tags.member.{number}")).collect();
    let value = "v".repeat(250);
    let fields: Vec<(String, String)> = names
        .iter()
        .flat_map(|name| {
            [
                (format!("{name}.Key"), name.replace('.', "-")),
                (format!("{name}.Value"), value.clone()),
            ]
        })
        .collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    server
        .assume(&ann, &role, &fields)
        .await
        .refused(400, "PackedPolicyTooLarge");
}

#[tokio::test]
async fn tags_and_source_identity_need_their_own_permission_and_stay_with_the_chain() {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("sts:*")).await;
    let by_team = json!([{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::tfstate/${aws:PrincipalTag/project}/*"},
        {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]);
    let plain =
        json!([{"Effect": "Allow", "Principal": {"AWS": DEFAULT_ACCOUNT}, "Action": "sts:AssumeRole"}]);
    let plain = server.role("plain", plain, by_team.clone()).await;
    let role = server
        .role("tagged", trusts(DEFAULT_ACCOUNT), by_team.clone())
        .await;
    let next = server.role("next", trusts(DEFAULT_ACCOUNT), by_team).await;
    let tag = [
        ("Tags.member.1.Key", "project"),
        ("Tags.member.1.Value", "app"),
        ("TransitiveTagKeys.member.1", "Project"),
    ];
    let message = server
        .assume(&ann, &plain, &tag)
        .await
        .refused(403, "AccessDenied");
    assert!(message.contains("sts:TagSession"), "{message}");
    let message = server
        .assume(&ann, &plain, &[("SourceIdentity", "ann")])
        .await
        .refused(403, "AccessDenied");
    assert!(message.contains("sts:SetSourceIdentity"), "{message}");

    let answer = server
        .assume(&ann, &role, &[&tag[..], &[("SourceIdentity", "ann")]].concat())
        .await;
    assert_eq!(answer.element("SourceIdentity"), "ann");
    let session = answer.pair();
    assert_eq!(server.put(&session, "app/k", "x").await.status, 200);
    assert_eq!(server.put(&session, "other/k", "x").await.status, 403);
    let answer = server.assume(&session, &next, &[]).await;
    assert_eq!(answer.element("SourceIdentity"), "ann", "it goes on");
    let chained = answer.pair();
    assert_eq!(
        server.put(&chained, "app/k", "x").await.status,
        200,
        "the tag goes on"
    );
    server
        .assume(&session, &next, &tag[..2])
        .await
        .refused(400, "ValidationError");
    server
        .assume(&session, &next, &[("SourceIdentity", "eve")])
        .await
        .refused(403, "AccessDenied");
    server
        .assume(&session, &plain, &[])
        .await
        .refused(403, "AccessDenied");
}

#[tokio::test]
async fn a_session_lasts_as_long_as_aws_lets_it() {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("sts:*")).await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("sts:*"))
        .await;
    let lasts = |seconds| [("DurationSeconds", seconds)];
    let two_hours = server.assume(&ann, &role, &lasts("7200")).await;
    assert_eq!(two_hours.element("Expiration"), "2026-11-21T14:00:00Z");
    let message = server
        .assume(&ann, &role, &lasts("7201"))
        .await
        .refused(400, "ValidationError");
    assert!(message.contains("MaxSessionDuration"), "{message}");
    for seconds in ["899", "43201", "-1", "1e3", "0x384"] {
        server
            .assume(&ann, &role, &lasts(seconds))
            .await
            .refused(400, "ValidationError");
    }
    let session = two_hours.pair();
    server.assume(&session, &role, &[]).await.pair();
    let message = server
        .assume(&session, &role, &lasts("3601"))
        .await
        .refused(400, "ValidationError");
    assert!(message.contains("role chaining"), "{message}");
}

#[tokio::test]
async fn names_must_be_as_aws_has_them() {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("sts:*")).await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("sts:*"))
        .await;
    let long = "x".repeat(65);
    for name in ["", "x", "a b", "a/b", "ż", &long] {
        let fields = [
            ("Action", "AssumeRole"),
            ("RoleArn", role.as_str()),
            ("RoleSessionName", name),
        ];
        server
            .sts(Some(&ann), &fields)
            .await
            .refused(400, "ValidationError");
    }
    for role in ["", "deploy", "arn:aws:s3:::tfstate/role/deploy"] {
        server
            .assume(&ann, role, &[])
            .await
            .refused(400, "ValidationError");
    }
    for (name, value) in [
        ("ExternalId", "x"),
        ("ExternalId", "a b"),
        ("SourceIdentity", "aws:x"),
        ("SourceIdentity", "a b"),
        (
            "ProvidedContexts.member.1.ProviderArn",
            "arn:aws:iam::aws:contextProvider/IdentityCenter",
        ),
        ("Tags.member.1.Key", "aws:x"),
        ("Tags.member.1.Key", "a;b"),
        ("TransitiveTagKeys.member.1", "missing"),
    ] {
        server
            .assume(&ann, &role, &[(name, value)])
            .await
            .refused(400, "ValidationError");
    }
    let twice = [("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "A")];
    server
        .assume(&ann, &role, &twice)
        .await
        .refused(400, "ValidationError");
    let mfa = [
        ("SerialNumber", "arn:aws:iam::000000000000:mfa/ann"),
        ("TokenCode", "123456"),
    ];
    server
        .assume(&ann, &role, &mfa)
        .await
        .refused(403, "AccessDenied");
}
