//! `tidelock bootstrap`: a bucket and a table are made, drift is mended, and the same as code comes to the same.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tidelock_operator::{
    aws::{Environment, Settings},
    bootstrap::{Error, Part, Wanted, apply, inspect},
};
use tidelock_testkit::{Hermetic, Kind, Output, Request, Store, Terraform, TestServer, content_md5, python};

use crate::{
    common::{BINARY, command},
    world::{World, wait, worlds},
};

/// Names of this world's own that are not taken yet.
fn names(world: &World) -> (String, String) {
    (format!("new-{}", world.bucket), format!("new-{}", world.table))
}

/// moto forgets `NewerNoncurrentVersions`.
const KEEP: [&str; 2] = ["--keep-versions", "0"];

fn bootstrap(world: &World, arguments: &[&str], status: i32) -> Output {
    world.says(&[&["bootstrap"], &KEEP[..], arguments].concat(), status)
}

/// The verdict of a setting.
fn verdict(printed: &Output, name: &str) -> String {
    let object: Value = serde_json::from_str(&printed.stdout).unwrap();
    let settings = object["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name);
    setting.unwrap()["verdict"].as_str().unwrap().to_owned()
}

fn get(store: &Store, target: &str) -> String {
    store.client().send(&Request::new("GET", target, "")).text()
}

fn put(store: &Store, target: &str, body: &str) {
    let request = Request::new("PUT", target, body).header("content-md5", &content_md5(body.as_bytes()));
    let answer = store.client().send(&request);
    assert!((200..300).contains(&answer.status), "{target}: {}", answer.text());
}

#[test]
fn a_bucket_and_a_table_are_made_once_and_terraform_keeps_its_state_there() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let (bucket, table) = names(&world);
        let named = ["--bucket", &bucket, "--table", &table, "--tag", "team=a b"];
        let asked = bootstrap(&world, &named, 2);
        assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
        let missing = world
            .store
            .client()
            .send(&Request::new("HEAD", &format!("/{bucket}"), ""));
        assert_eq!(missing.status, 404, "nothing was made");
        let made = bootstrap(&world, &[&named[..], &["--yes", "--json"]].concat(), 0);
        assert_eq!(
            serde_json::from_str::<Value>(&made.stdout).unwrap()["changed"],
            true
        );
        for setting in [
            "versioning",
            "public access",
            "old versions",
            "tags",
            "point-in-time recovery",
        ] {
            assert_eq!(
                verdict(&made, setting),
                "as_wanted",
                "{:?} {setting}",
                world.store.kind
            );
        }
        // Over plain HTTP a policy that demands TLS would refuse whoever comes next.
        assert_eq!(verdict(&made, "TLS only"), "left_out");
        let again = bootstrap(&world, &[&named[..], &["--yes"]].concat(), 0);
        assert!(again.stdout.contains("Nothing to do"), "{}", again.text());
        bootstrap(&world, &[&named[..], &["--dry-run"]].concat(), 0);

        let block = bootstrap(&world, &[&named[..], &["--print", "backend"]].concat(), 0).stdout;
        // The block alone leads there.
        let terraform = world.store.terraform(&binary, &world.hermetic, "uses");
        let terraform = terraform.through("http://127.0.0.1:1");
        terraform.write("main.tf", block + "output \"a\" { value = 1 }\n");
        terraform.ok(&["init"]);
        terraform.ok(&["apply", "-auto-approve"]);
        assert!(get(&world.store, &format!("/{bucket}/terraform.tfstate")).contains("\"lineage\""));
        let block = terraform.path("main.tf");
        let here = world.says_in(
            block.parent().unwrap(),
            &["bootstrap", "--dry-run", "--keep-versions", "0"],
            0,
        );
        assert!(
            here.stdout.contains(&format!("{bucket} is there")),
            "the block says which: {}",
            here.text()
        );
    }
}

const OPEN: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
    <IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>\
    <RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
const SUSPENDED: &str = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
const RULES: &str = "<LifecycleConfiguration><Rule><ID>branches</ID><Filter><Prefix>env:/branch-</Prefix></Filter>\
    <Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>";

#[test]
fn drift_is_shown_and_mended_on_agreement_and_what_others_set_stays() {
    for world in worlds() {
        let (bucket, _) = names(&world);
        let named = ["--bucket", bucket.as_str()];
        bootstrap(&world, &[&named[..], &["--yes"]].concat(), 0);
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::{bucket}/never/*"}}]}}"#
        );
        let store = &world.store;
        put(store, &format!("/{bucket}?versioning"), SUSPENDED);
        put(store, &format!("/{bucket}?publicAccessBlock"), OPEN);
        put(store, &format!("/{bucket}?lifecycle"), RULES);
        put(store, &format!("/{bucket}?policy"), &policy);
        let allow = "arn:aws:iam::*:*";
        let wanted = [&named[..], &["--allow", allow]].concat();
        let shown = bootstrap(&world, &[&wanted[..], &["--dry-run"]].concat(), 1);
        for line in [
            "suspended -> enabled",
            "IgnorePublicAcls is off -> all blocked",
            "rule \"branches\"",
        ] {
            assert!(
                shown.stdout.contains(line),
                "{:?} {line}: {}",
                store.kind,
                shown.text()
            );
        }
        bootstrap(&world, &wanted, 2);
        assert!(
            get(store, &format!("/{bucket}?versioning")).contains("Suspended"),
            "nobody agreed"
        );
        bootstrap(&world, &[&wanted[..], &["--yes"]].concat(), 0);
        let after = bootstrap(&world, &[&wanted[..], &["--dry-run", "--json"]].concat(), 0);
        assert_eq!(verdict(&after, "allow-list"), "as_wanted");
        assert!(get(store, &format!("/{bucket}?lifecycle")).contains("env:/branch-"));
        let policy: Value = serde_json::from_str(&get(store, &format!("/{bucket}?policy"))).unwrap();
        assert_eq!(policy["Statement"][0]["Sid"], "Theirs", "{policy}");
        let unnamed = bootstrap(&world, &[&named[..], &["--dry-run", "--json"]].concat(), 0);
        assert_eq!(verdict(&unnamed, "allow-list"), "stricter");
    }
}

#[test]
fn a_table_that_cannot_lock_and_a_bucket_elsewhere_are_said_and_left_alone() {
    for world in worlds() {
        let (bucket, table) = names(&world);
        let wrong = serde_json::json!({
            "TableName": table,
            "AttributeDefinitions": [{ "AttributeName": "LockId", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "LockId", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        let made = world
            .store
            .client()
            .send(&Request::dynamodb("CreateTable", wrong.to_string()));
        assert_eq!(made.status, 200, "{}", made.text());
        let said = bootstrap(&world, &["--bucket", &bucket, "--table", &table, "--yes"], 1);
        assert!(
            said.stdout.contains("a table's key cannot be changed"),
            "{}",
            said.text()
        );
        if world.store.kind == Kind::Moto {
            // Tidelock is in whichever region one asks it in.
            let said = bootstrap(
                &world,
                &["--bucket", &bucket, "--region", "eu-west-1", "--dry-run"],
                1,
            );
            assert!(said.stdout.contains("a bucket cannot move"), "{}", said.text());
        }
    }
}

#[test]
fn a_store_that_forgets_what_it_was_told_is_found_out() {
    let Some(moto) = worlds().into_iter().find(|world| world.store.kind == Kind::Moto) else {
        return;
    };
    let (bucket, _) = names(&moto);
    let said = moto.says(&["bootstrap", "--bucket", &bucket, "--yes", "--json"], 1);
    assert_eq!(verdict(&said, "old versions"), "impossible");
    assert_eq!(verdict(&said, "unfinished uploads"), "as_wanted");
}

#[test]
fn what_changed_since_it_was_shown_is_left_alone() {
    for world in worlds() {
        let layout = world.layout();
        let wanted = Wanted {
            bucket: world.bucket.clone(),
            region: "us-east-1".to_owned(),
            keep_days: 90,
            ..Wanted::default()
        };
        let agreed = wait(inspect(&layout, &wanted)).unwrap();
        put(&world.store, &format!("/{}?versioning", world.bucket), SUSPENDED);
        let stopped = wait(apply(&layout, &wanted, &agreed, |_| {})).unwrap_err();
        assert!(
            matches!(
                &stopped,
                Error::Changed {
                    part: Part::Versioning,
                    ..
                }
            ),
            "{stopped}"
        );
        let versioning = get(&world.store, &format!("/{}?versioning", world.bucket));
        assert!(versioning.contains("Suspended"), "{versioning}");
    }
}

#[test]
fn over_tls_the_policy_and_the_list_count_and_whoever_sets_up_needs_not_be_on_it() {
    let server = TestServer::start_with(BINARY, "tls = { self_signed = true }\n");
    let hermetic = Hermetic::new();
    let keys = server.credentials();
    let ca = server.ca().display().to_string();
    let variables = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_CA_BUNDLE", &ca),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
    ];
    let named = [
        "bootstrap",
        "--bucket",
        "listed",
        "--allow",
        "arn:aws:iam::000000000000:role/ci",
    ];
    let says = |more: &[&str]| {
        let mut command = command(&hermetic, &[&named[..], more].concat());
        command.envs(variables).stdin(Stdio::null());
        Output::of(command).with_status(0)
    };
    says(&["--yes"]);
    let after = says(&["--dry-run", "--json"]);
    assert_eq!(verdict(&after, "TLS only"), "as_wanted");
    assert_eq!(verdict(&after, "allow-list"), "as_wanted");
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let settings = Settings::load(Environment::new(variables), Default::default()).unwrap();
    let client = tidelock_operator::s3::Client::new(settings).unwrap();
    let refused = wait(client.put_object("listed", "k", "x".into(), &[])).unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
}

/// Terraform's AWS provider, from the mirror that `TIDELOCK_AWS_PROVIDER_MIRROR` names; `None` where that is not required.
fn configure_provider(world: &World) -> Option<()> {
    let mirror = env::var_os("TIDELOCK_AWS_PROVIDER_MIRROR").map(PathBuf::from);
    let mirror = mirror.filter(|mirror| mirror.join("registry.terraform.io/hashicorp/aws").is_dir());
    let required = env::var("TIDELOCK_REQUIRE_AWS_PROVIDER").as_deref() == Ok("1");
    assert!(
        mirror.is_some() || !required,
        "TIDELOCK_AWS_PROVIDER_MIRROR names no mirror"
    );
    world.hermetic.configure_terraform(&format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        mirror?.display()
    ));
    Some(())
}

#[test]
fn the_printed_configuration_imports_what_is_there_and_changes_nothing() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        if configure_provider(&world).is_none() {
            return;
        }
        let (bucket, table) = names(&world);
        let named = [
            "--bucket",
            &bucket,
            "--table",
            &table,
            "--tag",
            "team=a",
            "--allow",
            "arn:aws:iam::*:*",
        ];
        bootstrap(&world, &[&named[..], &["--yes"]].concat(), 0);
        let code = bootstrap(&world, &[&named[..], &["--print", "hcl"]].concat(), 0).stdout;
        let terraform = world.store.terraform(&binary, &world.hermetic, "code");
        terraform.write("main.tf", &code);
        terraform.ok(&["fmt", "-check", "-diff"]);
        terraform.ok(&["init"]);
        let applied = terraform.ok(&["apply", "-auto-approve", "-no-color"]);
        let wanted = "8 imported, 0 added, 0 changed, 0 destroyed";
        assert!(
            applied.stdout.contains(wanted),
            "{:?}: {}",
            world.store.kind,
            applied.text()
        );
        let plan = terraform.run(&["plan", "-detailed-exitcode", "-no-color"]);
        assert_eq!(plan.status.code(), Some(0), "{}", plan.text());
    }
}

#[test]
fn the_printed_script_makes_what_bootstrap_would() {
    let Some(python) = python() else { return };
    // The AWS CLI takes a second to start, and asks either store the same.
    let world = worlds().pop().unwrap();
    let (bucket, table) = names(&world);
    let named = ["--bucket", &bucket, "--table", &table, "--tag", "team=it's"];
    let script = bootstrap(&world, &[&named[..], &["--print", "aws-cli"]].concat(), 0).stdout;
    run(&world, &python, "sh", &["-c", &script]);
    let after = bootstrap(&world, &[&named[..], &["--dry-run"]].concat(), 0);
    assert!(after.stdout.contains("Nothing to do"), "{}", after.text());
}

#[test]
fn the_printed_template_is_one_for_cloudformation() {
    let Some(python) = python() else { return };
    let world = worlds().remove(0);
    let (bucket, table) = names(&world);
    let named = [
        "--bucket",
        &bucket,
        "--table",
        &table,
        "--tag",
        "team=a",
        "--allow",
        "arn:aws:iam::*:*",
    ];
    let template = world.workdir().join("state.yaml");
    let printed = || bootstrap(&world, &[&named[..], &["--print", "cloudformation"]].concat(), 0).stdout;
    fs::write(&template, printed()).unwrap();
    run(&world, &python, "cfn-lint", &[template.to_str().unwrap()]);
    bootstrap(&world, &[&named[..], &["--yes"]].concat(), 0);
    assert!(
        printed().contains("--change-set-type IMPORT"),
        "what is there is imported"
    );
}

/// Runs a program that stands beside this Python, pointed at the store.
fn run(world: &World, python: &Path, program: &str, arguments: &[&str]) {
    let beside = python.parent().unwrap();
    let path = format!("{}:{}", beside.display(), env::var("PATH").unwrap_or_default());
    let own = beside.join(program);
    let program = if own.exists() { own } else { program.into() };
    let mut command: Command = world.hermetic.command(program, &world.workdir());
    command.args(arguments).env("PATH", path);
    world.store.apply(&mut command);
    let _ = Output::of(command).succeeded();
}
