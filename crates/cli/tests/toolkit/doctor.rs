//! The doctor on both stores: what it finds of what was broken on purpose, what it leaves alone, and what it leaves behind.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidelock_testkit::{Kind, Request, Terraform, hold_until_released};

use crate::world::{World, worlds};

const KEY: &str = "team/app.tfstate";

impl World {
    /// A request that must be carried out.
    fn must(&self, method: &str, target: &str, body: &str) {
        let target = format!("/{}{target}", self.bucket);
        let answer = self.store.client().send(&Request::new(method, &target, body));
        assert!((200..300).contains(&answer.status), "{target}: {}", answer.text());
    }

    /// All that makes a bucket a good one for states.
    fn harden(&self) {
        self.must(
            "PUT",
            "?encryption",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
             </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        );
        self.must(
            "PUT",
            "?publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true\
             </IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true\
             </RestrictPublicBuckets></PublicAccessBlockConfiguration>",
        );
    }

    /// What the doctor finds, by name; with its lines.
    fn doctor(&self, arguments: &[&str], status: i32) -> (BTreeSet<String>, Vec<Value>) {
        let mut words = vec!["doctor", "--json", "--bucket", &self.bucket];
        words.extend(arguments);
        let output = self.says(&words, status);
        let lines: Vec<Value> = output
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ids = lines
            .iter()
            .filter_map(|line| line["id"].as_str().map(str::to_owned));
        (ids.collect(), lines)
    }

    fn with_table(&self) -> [&str; 2] {
        ["--table", &self.table]
    }

    fn item(&self, item: &Value) {
        let body = json!({ "TableName": self.table, "Item": item });
        let answer = self
            .store
            .client()
            .send(&Request::dynamodb("PutItem", body.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn names(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn a_healthy_backend_of_terraform_has_no_finding_and_nothing_is_left_behind() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        world.harden();
        let terraform = world.terraform(&binary, "work", KEY, "    use_lockfile = true");
        terraform.ok(&["init", "-input=false"]);
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        let before = world
            .store
            .client()
            .send(&Request::new("GET", &format!("/{}?versions=", world.bucket), ""))
            .text();
        let output = world.says(&["doctor", "--json"], 0);
        let lines: Vec<Value> = output
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let found: Vec<_> = lines.iter().filter(|line| line["id"].is_string()).collect();
        assert!(found.is_empty(), "{:?}: {lines:?}", world.store.kind);
        assert_eq!(lines.last().unwrap()["errors"], 0);
        let after = world
            .store
            .client()
            .send(&Request::new("GET", &format!("/{}?versions=", world.bucket), ""))
            .text();
        assert_eq!(keys(&after), keys(&before), "{:?}", world.store.kind);
        assert!(world.says(&["doctor"], 0).stdout.contains("nothing is wrong"));
    }
}

/// Keys and versions of a listing, without the moment of it.
fn keys(listing: &str) -> Vec<&str> {
    listing
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split("<LastModified>").next())
        .collect()
}

#[test]
fn what_is_wrong_with_a_bucket_is_found() {
    for world in worlds() {
        world.must(
            "PUT",
            "?versioning",
            "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        );
        world.must(
            "PUT",
            "?lifecycle",
            "<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>\
             <Expiration><Days>30</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>\
             </NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
        );
        // New buckets are closed, on Tidelock as on AWS.
        world.must(
            "PUT",
            "?publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
        );
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}/*", world.bucket)}]});
        world.must("PUT", "?policy", &policy.to_string());
        let (mut found, lines) = world.doctor(&["--read-only"], 1);
        // Tidelock seals whatever it stores, and says so; moto has to be told to.
        assert_eq!(
            found.remove("encryption-off"),
            world.store.kind == Kind::Moto,
            "{lines:?}"
        );
        let expected = names(&[
            "versioning-suspended",
            "lifecycle-deletes-states",
            "lifecycle-eats-versions",
            "policy-public",
            "public-access-open",
        ]);
        assert_eq!(found, expected, "{:?}: {lines:?}", world.store.kind);
        assert!(
            lines
                .iter()
                .all(|line| line["id"].is_null() || !line["mend"].as_str().unwrap().is_empty())
        );
    }
}

#[test]
fn what_is_wrong_with_states_digests_and_locks_is_found() {
    for world in worlds() {
        world.harden();
        let old = json!({"ID": "5d0ae304", "Operation": "OperationTypeApply", "Info": "", "Who": "ann@ci",
            "Version": "1.11.4", "Created": "2020-01-01T00:00:00Z", "Path": ""});
        let name = |key: &str| json!({"S": format!("{}/{key}", world.bucket)});
        world.item(&json!({"LockID": name("held"), "Info": {"S": old.to_string()}}));
        world.item(&json!({"LockID": name("gone-md5"), "Digest": {"S": "d41d8cd98f00b204e9800998ecf8427e"}}));
        world.store.put(&world.bucket, "nothing.tfstate", "");
        world.store.put(&world.bucket, "plain", "no state at all");
        let (found, lines) = world.doctor(&world.with_table(), 1);
        assert_eq!(
            found,
            names(&["lock-stale", "digest-left-over", "state-empty"]),
            "{:?}: {lines:?}",
            world.store.kind
        );
        let lock = lines.iter().find(|line| line["id"] == "lock-stale").unwrap();
        assert!(lock["what"].as_str().unwrap().contains("ann@ci"), "{lock}");

        let (found, lines) = world.doctor(&["--key", "plain"], 1);
        assert_eq!(
            found,
            names(&["state-foreign"]),
            "{:?}: {lines:?}",
            world.store.kind
        );
        // Tidelock computes the digest of whatever it has, and takes no other.
        world
            .item(&json!({"LockID": name("plain-md5"), "Digest": {"S": "00000000000000000000000000000000"}}));
        let (found, lines) = world.doctor(&world.with_table(), 1);
        let is_moto = world.store.kind == Kind::Moto;
        assert_eq!(
            found.contains("digest-mismatch"),
            is_moto,
            "{:?}: {lines:?}",
            world.store.kind
        );
    }
}

#[test]
fn a_lock_of_terraform_and_a_deleted_state_are_found() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        world.harden();
        let lines = format!(
            "    use_lockfile = true\n    dynamodb_table = \"{}\"",
            world.table
        );
        let terraform = world.terraform(&binary, "work", KEY, &lines);
        terraform.write("hold.tf", hold_until_released());
        terraform.ok(&["init", "-input=false"]);
        let running = terraform.start(&["apply", "-auto-approve", "-input=false"]);
        terraform.wait_for("started");
        let output = world.says(&["doctor", "--json", "--read-only", "--older-than", "0s"], 1);
        assert!(
            output.stdout.contains("\"lock-stale\"") && output.stdout.contains("dynamodb-table-deprecated"),
            "{}",
            output.stdout
        );
        running.kill9();
        world.store.put(&world.bucket, "old.tfstate", "{}");
        world.must("DELETE", "/old.tfstate", "");
        let (found, lines) = world.doctor(&["--key", "old.tfstate"], 1);
        assert_eq!(
            found,
            names(&["state-deleted"]),
            "{:?}: {lines:?}",
            world.store.kind
        );
    }
}

#[test]
fn a_table_of_another_key_a_missing_table_and_a_missing_bucket_are_found() {
    for world in worlds() {
        world.harden();
        let other = format!("{}-other", world.table);
        let table = json!({
            "TableName": other,
            "AttributeDefinitions": [{ "AttributeName": "LockId", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "LockId", "KeyType": "HASH" }],
            "ProvisionedThroughput": { "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 },
        });
        let made = world
            .store
            .client()
            .send(&Request::dynamodb("CreateTable", table.to_string()));
        assert_eq!(made.status, 200, "{}", made.text());
        let (found, lines) = world.doctor(&["--table", &other, "--read-only"], 1);
        assert_eq!(
            found,
            names(&["table-key-wrong", "table-slow"]),
            "{:?}: {lines:?}",
            world.store.kind
        );
        let (found, _) = world.doctor(&["--table", "no-such-table", "--read-only"], 1);
        assert_eq!(found, names(&["table-missing"]));
        let output = world.says(&["doctor", "--json", "--bucket", "no-such-bucket"], 1);
        assert!(output.stdout.contains("\"bucket-missing\""), "{}", output.stdout);
    }
}

#[test]
fn no_key_a_key_of_nobody_and_a_wrong_secret_are_told_apart() {
    for world in worlds()
        .into_iter()
        .filter(|world| world.store.kind == Kind::Tidelock)
    {
        let dir = world.workdir();
        let says = |variables: &[(&str, &str)]| {
            let mut command =
                crate::common::command(&world.hermetic, &["doctor", "--json", "--bucket", &world.bucket]);
            command.current_dir(&dir).stdin(std::process::Stdio::null());
            command
                .env("AWS_ENDPOINT_URL", &world.store.endpoint)
                .envs(variables.iter().copied());
            let output = tidelock_testkit::Output::of(command).with_status(1);
            serde_json::from_str::<Value>(output.stdout.lines().next().unwrap()).unwrap()["id"].clone()
        };
        let id = world.store.credentials.access_key_id.as_str();
        assert_eq!(says(&[]), "credentials-missing");
        assert_eq!(
            says(&[
                ("AWS_ACCESS_KEY_ID", "AKIANOBODY"),
                ("AWS_SECRET_ACCESS_KEY", "x")
            ]),
            "credentials-refused"
        );
        assert_eq!(
            says(&[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", "x")]),
            "signatures-broken"
        );
    }
}

#[test]
fn the_block_is_judged_even_where_terraform_would_refuse_it() {
    for world in worlds()
        .into_iter()
        .filter(|world| world.store.kind == Kind::Tidelock)
    {
        let dir = world.workdir();
        std::fs::create_dir(dir.join(".git")).unwrap();
        let block = "terraform {\n  backend \"s3\" {\n    bucket = var.bucket\n    key = \"/a\"\n    versioning = true\n  }\n}\n";
        std::fs::write(dir.join("main.tf"), block).unwrap();
        let output = world.says(&["doctor", "--json"], 2);
        for id in ["argument-computed", "key-invalid", "argument-unknown"] {
            assert!(
                output.stdout.contains(&format!("\"{id}\"")),
                "{id}: {}",
                output.stdout
            );
        }
        let (one, two) = (
            world.hermetic.workdir("work/one"),
            world.hermetic.workdir("work/two"),
        );
        for (dir, lock) in [
            (&one, "    use_lockfile = true".to_owned()),
            (&two, format!("    dynamodb_table = \"{}\"", world.table)),
        ] {
            std::fs::write(dir.join("main.tf"), world.backend(KEY, &lock)).unwrap();
        }
        let output = world.says_in(&one, &["doctor", "--json", "--read-only"], 1);
        assert!(
            output.stdout.contains("\"locks-differ\"") && output.stdout.contains("two/main.tf:2"),
            "{}",
            output.stdout
        );
    }
}
