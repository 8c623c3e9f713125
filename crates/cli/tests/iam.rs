//! `tidelock users`, `keys`, `roles` and `accounts` against a real server.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{fs, path::PathBuf};

use common::{Serving, command, tidelock};
use serde_json::Value;
use tidelock_testkit::{Client, Credentials, Hermetic, Output, Request};

const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

struct World {
    hermetic: Hermetic,
    data: PathBuf,
    serving: Serving,
}

impl World {
    fn new() -> World {
        let hermetic = Hermetic::new();
        let data = hermetic.home().join("data");
        let serving = Serving::start(&hermetic, &data);
        World {
            hermetic,
            data,
            serving,
        }
    }

    fn says(&self, arguments: &[&str], status: i32) -> Output {
        let mut with_data = arguments.to_vec();
        with_data.extend(["--data", self.data.to_str().unwrap()]);
        let output = Output::of(command(&self.hermetic, &with_data));
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {}",
            output.text()
        );
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        serde_json::from_str(&self.says(&with_json, 0).stdout).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.hermetic.home().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What the server answers who asks for the buckets with this key.
    fn buckets(&self, key: &Value) -> u16 {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let mut client = Client::new(
            self.serving.authority(),
            Credentials {
                access_key_id: text("access_key_id"),
                secret_access_key: text("secret_access_key"),
            },
        );
        client.send(&Request::new("GET", "/", "")).status
    }
}

#[test]
fn a_user_gets_a_key_and_a_policy_and_is_heard_until_the_key_is_disabled() {
    let world = World::new();
    world.says(
        &[
            "users",
            "create",
            "runner",
            "--path",
            "/ci/",
            "--tag",
            "team=network",
        ],
        0,
    );
    let key = world.json(&["keys", "create", "runner"]);
    let id = key["access_key_id"].as_str().unwrap();
    assert_eq!(world.buckets(&key), 403, "nothing is allowed yet");
    let file = world.file("states.json", ALLOW);
    world.says(&["users", "policy", "put", "runner", "states", &file], 0);
    assert_eq!(world.buckets(&key), 200);
    let shown = world.says(&["users", "policy", "show", "runner", "states"], 0);
    assert_eq!(shown.stdout.trim(), ALLOW);
    world.says(&["users", "policy", "delete", "runner", "states"], 0);
    world.says(&["users", "attach", "runner", "AmazonS3ReadOnlyAccess"], 0);
    assert_eq!(world.buckets(&key), 200);

    world.says(&["keys", "disable", id], 0);
    assert_eq!(world.buckets(&key), 403);
    world.says(&["keys", "enable", id], 0);
    assert_eq!(world.buckets(&key), 200);
    let listed = world.says(&["keys", "list", "runner"], 0).stdout;
    assert!(listed.contains(id) && listed.contains("active"), "{listed}");
    let secret = key["secret_access_key"].as_str().unwrap();
    for shown in [listed, world.says(&["users", "list", "--json"], 0).stdout] {
        assert!(!shown.contains(secret) && !shown.contains("sealed"), "{shown}");
    }

    world.says(&["users", "delete", "runner"], 7);
    world.says(&["users", "delete", "runner", "--force"], 0);
    assert_eq!(world.buckets(&key), 403);
}

#[test]
fn a_rotated_key_works_beside_the_old_one_and_a_third_is_refused() {
    let world = World::new();
    world.says(&["users", "create", "runner"], 0);
    world.says(&["users", "attach", "runner", "AmazonS3ReadOnlyAccess"], 0);
    let old = world.json(&["keys", "create", "runner"]);
    let rotated = world.says(&["keys", "rotate", "runner", "--expires", "90d", "--json"], 0);
    let new: Value = serde_json::from_str(&rotated.stdout).unwrap();
    let old_id = old["access_key_id"].as_str().unwrap();
    let next = format!("keys disable {old_id} --data={}", world.data.display());
    assert!(rotated.stderr.contains(&next), "{}", rotated.stderr);
    assert!(new["expires_ms"].is_i64());
    assert_eq!([world.buckets(&old), world.buckets(&new)], [200, 200]);
    let refused = world.says(&["keys", "rotate", "runner"], 7).stderr;
    assert!(refused.contains("two keys in use"), "{refused}");
    world.says(&["keys", "disable", old_id], 0);
    let third = world.json(&["keys", "rotate", "runner"]);
    assert_eq!(
        [world.buckets(&old), world.buckets(&new), world.buckets(&third)],
        [403, 200, 200]
    );
    let keys = world.json(&["keys", "list"]);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_role_needs_a_trust_policy_about_somebody_who_exists() {
    let world = World::new();
    let trust = |arn: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{arn}"}}}}]}}"#
        )
    };
    let user = "arn:aws:iam::000000000000:user/ann";
    let file = world.file("trust.json", &trust(user));
    let create = ["roles", "create", "ci", "--trust", &file, "--max-session", "2h"];
    let refused = world.says(&create, 2).stderr;
    assert!(
        refused.contains("Invalid principal in policy") && refused.contains(user),
        "{refused}"
    );
    world.says(&["users", "create", "ann"], 0);
    world.says(&create, 0);
    world.says(&["roles", "attach", "ci", "AdministratorAccess"], 0);
    let role = &world.json(&["roles", "list"])["roles"][0];
    assert_eq!(role["max_session_secs"], 7_200);
    assert_eq!(role["attached"][0], "arn:aws:iam::aws:policy/AdministratorAccess");

    world.says(&["users", "delete", "ann"], 0);
    world.says(&["users", "create", "ann"], 0);
    let role = &world.json(&["roles", "list"])["roles"][0];
    let trusted = role["trust"].as_str().unwrap();
    assert!(!trusted.contains(user) && trusted.contains("AIDA"), "{trusted}");
    world.says(&["roles", "trust", "ci", &file], 0);
    world.says(&["roles", "delete", "ci"], 7);
    world.says(&["roles", "delete", "ci", "--force"], 0);
}

#[test]
fn an_account_has_users_of_its_own_and_its_number_is_drawn_unless_given() {
    let world = World::new();
    let drawn = world.json(&["accounts", "create", "staging"]);
    assert_eq!(drawn["id"].as_str().unwrap().len(), 12);
    world.says(&["accounts", "create", "production", "--id", "123456789012"], 0);
    world.says(&["accounts", "create", "again", "--id", "123456789012"], 7);
    world.says(&["users", "create", "ann", "--account", "123456789012"], 0);
    assert_eq!(
        world.json(&["users", "list"])["users"].as_array().unwrap().len(),
        0
    );
    let users = world.json(&["users", "list", "--account", "123456789012"]);
    assert_eq!(users["users"][0]["arn"], "arn:aws:iam::123456789012:user/ann");
    let listed = world.says(&["accounts", "list"], 0).stdout;
    assert!(
        listed.contains("production") && listed.contains("000000000000"),
        "{listed}"
    );
    world.says(&["users", "list", "--account", "999999999999"], 7);
}

#[test]
fn every_command_shows_an_example() {
    let hermetic = Hermetic::new();
    for arguments in [
        vec!["users"],
        vec!["users", "list"],
        vec!["users", "create"],
        vec!["users", "delete"],
        vec!["users", "attach"],
        vec!["users", "detach"],
        vec!["users", "policy"],
        vec!["keys"],
        vec!["keys", "list"],
        vec!["keys", "create"],
        vec!["keys", "rotate"],
        vec!["keys", "disable"],
        vec!["roles"],
        vec!["roles", "create"],
        vec!["roles", "trust"],
        vec!["roles", "delete"],
        vec!["accounts"],
        vec!["accounts", "create"],
    ] {
        let help = tidelock(&hermetic, &[arguments.as_slice(), &["--help"]].concat()).stdout;
        let example = format!("  tidelock {}", arguments[0]);
        assert!(
            help.contains("Examples:") && help.contains(&example),
            "{arguments:?}: {help}"
        );
    }
}
