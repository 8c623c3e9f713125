//! `tidelock explain` and `tidelock who-can`: the statement that decides, and what is missing.

use std::fs;

use tidelock_testkit::{Client, Credentials, Request};

use crate::world::World;

const POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Own", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::tfstate/own/*" },
    { "Sid": "Never", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::tfstate/own/secret" },
    { "Sid": "FromOffice", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::tfstate/office",
      "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }
  ]
}"#;

const RUNNER: &str = "arn:aws:iam::000000000000:user/runner";

/// A user with the policy; a client of its key.
fn runner(world: &World) -> Client {
    let file = world.server.data().parent().unwrap().join("policy.json");
    fs::write(&file, POLICY).unwrap();
    world.tidelock(&["users", "create", "runner"], 0);
    let file = file.to_str().unwrap();
    world.tidelock(&["users", "policy", "put", "runner", "states", file], 0);
    let key = world.tidelock(&["keys", "create", "runner", "--json"], 0);
    let key: serde_json::Value = serde_json::from_str(&key.stdout).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let credentials = Credentials {
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
    };
    Client::new(world.server.authority(), credentials)
}

#[test]
fn a_request_is_explained_by_the_statement_that_decided_it() {
    let mut world = World::new();
    world.put("own/a");
    let mut runner = runner(&world);
    let mut explained = |key: &str, status: u16, exit: i32| {
        let answer = runner.send(&Request::new("GET", &format!("/tfstate/{key}"), ""));
        assert_eq!(answer.status, status, "{}", answer.text());
        let id = answer.header("x-amz-request-id").unwrap().to_owned();
        world.tidelock(&["explain", &id], exit).stdout
    };
    let allowed = explained("own/a", 200, 0);
    for words in [
        "allowed: s3:GetObject on arn:aws:s3:::tfstate/own/a",
        "Own",
        "states",
        RUNNER,
    ] {
        assert!(allowed.contains(words), "{words}: {allowed}");
    }
    let denied = explained("own/secret", 403, 7);
    assert!(
        denied.contains("denied: s3:GetObject") && denied.contains("Never"),
        "{denied}"
    );
    let missing = explained("other", 403, 7);
    assert!(
        missing.contains("not allowed: s3:GetObject") && missing.contains("identity-based policy"),
        "{missing}"
    );
    assert!(
        missing.contains(r#""Resource":"arn:aws:s3:::tfstate/other""#),
        "{missing}"
    );
    world.tidelock(&["explain", "0000000000000000"], 7);
    let mut stranger = world.server.stranger();
    let answer = stranger.send(&Request::new("GET", "/tfstate/a", ""));
    let unknown = world
        .tidelock(&["explain", answer.header("x-amz-request-id").unwrap()], 7)
        .stdout;
    assert!(unknown.contains("did not prove who they are"), "{unknown}");
}

#[test]
fn who_was_given_what_by_hand_is_in_the_log() {
    let world = World::new();
    runner(&world);
    world.tidelock(&["users", "attach", "runner", "AdministratorAccess"], 0);
    let log = world.tidelock(&["audit", "--address", RUNNER], 0).stdout;
    for words in [
        "CreateUser",
        "PutInline states",
        "CreateAccessKey AKIA",
        "Attach arn:aws:iam::aws:policy/AdministratorAccess",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[test]
fn who_can_take_a_role_is_answered_from_its_trust_policy() {
    let world = World::new();
    runner(&world);
    let trust = world.server.data().parent().unwrap().join("trust.json");
    let text = r#"{ "Version": "2012-10-17", "Statement": { "Sid": "Ticket", "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::000000000000:user/runner" }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": "17" } } } }"#;
    fs::write(&trust, text).unwrap();
    world.tidelock(&["roles", "create", "ci", "--trust", trust.to_str().unwrap()], 0);
    let role = "arn:aws:iam::000000000000:role/ci";
    let asked = ["explain", "--principal", RUNNER, "sts:AssumeRole", role];
    let missing = world.tidelock(&asked, 7).stdout;
    assert!(
        missing.contains("No resource-based policy") && missing.contains(r#""Principal":{"AWS":"#),
        "{missing}"
    );
    let with = [&asked[..], &["--context", "sts:ExternalId=17"]].concat();
    let allowed = world.tidelock(&with, 0).stdout;
    assert!(allowed.contains("Ticket of trust policy of role/ci"), "{allowed}");
    let asked = [
        "who-can",
        "--context",
        "sts:ExternalId=17",
        "sts:AssumeRole",
        role,
    ];
    let who = world.tidelock(&asked, 0).stdout;
    assert!(who.contains(RUNNER), "{who}");
}

#[test]
fn rights_are_asked_for_before_anybody_needs_them() {
    let world = World::new();
    let mut runner = runner(&world);
    let asked = |arguments: &[&str], exit: i32| {
        let all = [&["explain", "--principal", RUNNER], arguments].concat();
        world.tidelock(&all, exit).stdout
    };
    assert!(asked(&["s3:PutObject", "tfstate/own/a"], 0).contains("Own of"));
    assert!(asked(&["s3:PutObject", "tfstate/own/secret"], 7).contains("Never of"));
    assert!(
        asked(&["tidelock:Lock", "tfstate/own/a"], 0)
            .contains("s3:PutObject on arn:aws:s3:::tfstate/own/a.tflock")
    );
    asked(&["s3:GetObject", "tfstate/office"], 7);
    asked(
        &[
            "--context",
            "aws:SourceIp=192.0.2.9",
            "s3:GetObject",
            "tfstate/office",
        ],
        0,
    );
    world.tidelock(
        &[
            "explain",
            "--principal",
            "arn:aws:iam::000000000000:user/no",
            "s3:GetObject",
            "tfstate/a",
        ],
        7,
    );
    world.tidelock(&["explain", "--principal", RUNNER, "GetObject", "tfstate/a"], 2);
    let own = world
        .tidelock(&["who-can", "s3:GetObject", "tfstate/own/a"], 0)
        .stdout;
    assert!(
        own.contains(RUNNER) && own.contains("the operator") && own.contains("2 of 2 users and roles"),
        "{own}"
    );
    let secret = world
        .tidelock(&["who-can", "s3:GetObject", "tfstate/own/secret"], 0)
        .stdout;
    assert!(!secret.contains(RUNNER) && secret.contains("1 of 2"), "{secret}");
    // To ask about rights is a right.
    let path = "/admin/who-can?action=s3:GetObject&resource=tfstate/a";
    let refused = runner.send_basic(&Request::new("GET", path, ""));
    assert_eq!(refused.status, 403, "{}", refused.text());
    let refused = runner.send_basic(&Request::new("GET", "/admin/audit", ""));
    assert!(refused.text().contains("tidelock:Audit"), "{}", refused.text());
}
