//! `assume_role`: everything that the backend can say of it, and a role of another account.

use serde_json::json;
use tidelock_testkit::{Credentials, Request};

use crate::world::World;

const ASSUMES: &str = r#"[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]"#;

/// Everything that the block can say.
fn settings(role: &str, external_id: &str) -> String {
    let policy = r#"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}"#;
    format!(
        r#"
    assume_role = {{
      role_arn            = "{role}"
      external_id         = "{external_id}"
      session_name        = "apply-of-app"
      duration            = "15m"
      policy              = "{policy}"
      source_identity     = "ann"
      tags                = {{ team = "infra" }}
      transitive_tag_keys = ["team"]
    }}"#
    )
}

#[test]
fn a_backend_assumes_a_role_with_external_id_name_policy_tags_and_duration() {
    let Some(world) = World::new() else { return };
    let ann = world.user(
        &mut world.server.client(),
        "ann",
        serde_json::from_str(ASSUMES).unwrap(),
    );
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": "ticket-17", "sts:RoleSessionName": "apply-of-app", "aws:RequestTag/team": "infra",
            "sts:SourceIdentity": "ann"}}});
    let role = world.role("deploy", trust, "app/terraform.tfstate");
    let settings = |external_id: &str| settings(&role, external_id);
    let wrong = world.project(
        "wrong",
        Some(&ann),
        "app/terraform.tfstate",
        &settings("ticket-18"),
    );
    let refused = wrong.run(&["init"]).failed();
    let expected = "is not authorized to perform: sts:AssumeRole on resource";
    assert!(refused.flowing().contains(expected), "{}", refused.text());

    let terraform = world.project(
        "right",
        Some(&ann),
        "app/terraform.tfstate",
        &settings("ticket-17"),
    );
    terraform.ok(&["init"]);
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["plan", "-detailed-exitcode"]);
    let writer = world.writer("app/terraform.tfstate");
    assert!(writer.contains("assumed-role/deploy/apply-of-app"), "{writer}");

    let elsewhere = world.project(
        "elsewhere",
        Some(&ann),
        "other/terraform.tfstate",
        &settings("ticket-17"),
    );
    let refused = elsewhere.run(&["init"]).failed();
    assert!(
        refused.flowing().contains("StatusCode: 403"),
        "{}",
        refused.text()
    );

    let own = world.project("own", Some(&ann), "app/terraform.tfstate", "");
    let refused = own.run(&["init"]).failed();
    assert!(
        refused.flowing().contains("StatusCode: 403"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_user_of_another_account_assumes_the_role_that_trusts_its_account() {
    let Some(world) = World::new() else { return };
    let account = "210987654321";
    let ask = |path: &str, what: serde_json::Value| {
        let request = Request::new("POST", path, what.to_string());
        let answer = world.server.client().send_basic(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let command =
        |what: serde_json::Value| ask("/admin/iam/command", json!({"account": account, "command": what}));
    command(json!({"CreateAccount": {"id": account, "name": "partner"}}));
    command(json!({"CreateUser": {"path": "/", "name": "bob", "tags": []}}));
    let document = json!({"Version": "2012-10-17", "Statement": serde_json::from_str::<serde_json::Value>(ASSUMES).unwrap()});
    command(json!({"PutInline": {"of": {"User": "bob"}, "name": "own", "document": document.to_string()}}));
    let key = ask("/admin/iam/key", json!({"account": account, "user": "bob"}));
    let bob = Credentials {
        access_key_id: key["access_key_id"].as_str().unwrap().to_owned(),
        secret_access_key: key["secret_access_key"].as_str().unwrap().to_owned(),
    };
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "sts:AssumeRole"});
    let role = world.role("partner", trust, "app/terraform.tfstate");
    let settings = format!("    assume_role = {{ role_arn = \"{role}\" }}");
    let terraform = world.project("partner", Some(&bob), "app/terraform.tfstate", &settings);
    terraform.ok(&["init"]);
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["plan", "-detailed-exitcode"]);
}
