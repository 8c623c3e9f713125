//! `tidelock show`, `diff`, `rollback`: one version, two versions, and back to an older one.

use serde_json::{Value, json};
use tidelock_testkit::Request;

use crate::{
    common::BINARY,
    world::{ADDRESS, ANN, BOB, World, state, told},
};

/// A state encrypted by OpenTofu, as far as it says anything.
const SEALED: &str = r#"{"serial":7,"lineage":"l","meta":{"key_provider.pbkdf2.k":"e30="},"encrypted_data":"AAAA","encryption_version":"v0"}"#;

fn two_applies() -> World {
    let mut world = World::new();
    world.apply(ADDRESS, "ann-1", &[state(1, &[("a", "x"), ("b", "x")])]);
    world.apply(ADDRESS, "ann-2", &[state(2, &[("a", "y"), ("c", "x")])]);
    world.counted(ADDRESS);
    world
}

#[test]
fn show_says_who_wrote_it_and_what_is_in_it() {
    let world = two_applies();
    let shown = told(&world.says(&["show", ADDRESS, "1"], 0).stdout);
    let stored = shown
        .lines()
        .find(|line| line.starts_with("stored "))
        .unwrap()
        .to_owned();
    assert!(
        stored.ends_with("as what differs from another version"),
        "{shown}"
    );
    assert_eq!(
        shown.replace(&stored, "STORED"),
        "\
tfstate/app/terraform.tfstate, version 1

written AGO, TIME
by ann-1@host\\u009b2J, apply
           access key KEY at 127.0.0.1
run ci/7 https://ci.example/job/7
lock ann-1, fence 1
serial 1
lineage l
terraform 1.11.4
changed +2 ~0 -0
size 740 bytes, MD5 ID
STORED
S3 id ID

resources 2
  aws_s3_bucket.a id id-a
  aws_s3_bucket.b id id-b

outputs 2
  count = 2
  password = (sensitive value)

next: tidelock diff tfstate/app/terraform.tfstate 1
      tidelock rollback tfstate/app/terraform.tfstate 1
"
    );
    assert_eq!(
        world.says(&["show", ADDRESS, "1", "--state"], 0).stdout,
        state(1, &[("a", "x"), ("b", "x")])
    );
}

#[test]
fn a_version_is_named_by_its_number_its_s3_id_or_as_the_current_one() {
    let world = two_applies();
    let first = world.json(&["show", ADDRESS, "1", "--json"]);
    assert_eq!(first["resources"][0]["address"], "aws_s3_bucket.a");
    assert!(first["resources"].as_array().unwrap().len() == 2 && first["state"].is_null());
    assert!(!first.to_string().contains("hush"), "{first}");
    let id = first["id"].as_str().unwrap();
    assert_eq!(world.json(&["show", ADDRESS, id, "--json"])["version"], 1);
    assert_eq!(world.json(&["show", ADDRESS, "current", "--json"])["version"], 2);
    let whole = world.json(&["show", ADDRESS, "1", "--json", "--state"]);
    let written: Value = serde_json::from_str(&state(1, &[("a", "x"), ("b", "x")])).unwrap();
    assert_eq!(whole["state"], written);
    let sensitive = world.json(&["show", ADDRESS, "1", "--json", "--sensitive"]);
    assert_eq!(
        sensitive["outputs"][1],
        json!({"name": "password", "sensitive": true, "value": "hush-1"})
    );
    for missing in [
        "3",
        "0",
        "18446744073709551616",
        "null",
        "x",
        "00000000000000010000000000000000",
    ] {
        let error = world.says(&["show", ADDRESS, missing], 7).stderr;
        let expected = format!(
            "tidelock: {ADDRESS} has no version {missing}; {BINARY} history {ADDRESS} lists what is kept\n"
        );
        assert_eq!(error, expected);
    }
    let unsaid = world.says(&["show", ADDRESS], 2).stderr;
    assert!(
        unsaid.contains("say which version: ")
            && unsaid.contains("; tfstate/app/terraform.tfstate names a state"),
        "{unsaid}"
    );
}

#[test]
fn diff_compares_by_resource_and_hides_secrets() {
    let world = two_applies();
    let expected = "\
version    1 -> 2
serial     1 -> 2

~ aws_s3_bucket.a
    ~ key        (sensitive value)
    ~ tags.Name  \"x\" -> \"y\"
- aws_s3_bucket.b  id id-b
+ aws_s3_bucket.c  id id-c
~ output.password  (sensitive value)

resources  +1 ~1 -1
outputs    +0 ~1 -0
";
    for arguments in [
        &["diff", ADDRESS, "1"][..],
        &["diff", ADDRESS, "1", "2"],
        &["diff", ADDRESS, "1", "current"],
    ] {
        assert_eq!(world.says(arguments, 1).stdout, expected);
    }
    let back = world.says(&["diff", ADDRESS, "2", "1"], 1).stdout;
    assert!(
        back.starts_with("version    2 -> 1\n") && back.contains("+ aws_s3_bucket.b"),
        "{back}"
    );
    let seen = world.says(&["diff", ADDRESS, "1", "--sensitive"], 1).stdout;
    assert!(
        seen.contains(r#""hush-x" -> "hush-y""#) && seen.contains(r#""hush-1" -> "hush-2""#),
        "{seen}"
    );
    let same = world.says(&["diff", ADDRESS, "2"], 0).stdout;
    assert_eq!(
        same,
        "version    2 -> 2\nserial     2 -> 2\nNo resource and no output differs.\n"
    );
    let json = world.says(&["diff", ADDRESS, "1", "--json"], 1).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["from"], &json["to"], &json["counts"]),
        (
            &json!(1),
            &json!(2),
            &json!({"added": 1, "changed": 1, "removed": 1})
        )
    );
}

#[test]
fn diff_fails_with_a_status_that_is_no_difference() {
    let mut world = two_applies();
    let words = world.says(&["diff", "1", ADDRESS], 2).stderr;
    assert!(words.contains("the address comes first"), "{words}");
    let _ = world.says(&["diff", ADDRESS, "1", "9"], 7);
    assert_eq!(world.send("PUT", "/tfstate/notes.txt", "not a state").status, 200);
    assert_eq!(
        world.send("PUT", "/tfstate/notes.txt", "not one either").status,
        200
    );
    let other = world.says(&["diff", "tfstate/notes.txt", "1", "2"], 2).stderr;
    assert!(
        other.starts_with("tidelock: the old state cannot be read: "),
        "{other}"
    );
    let shown = told(&world.says(&["show", "tfstate/notes.txt", "2"], 0).stdout);
    assert!(
        shown.contains("size 14 bytes") && !shown.contains("resources"),
        "{shown}"
    );
}

#[test]
fn an_encrypted_state_is_listed_and_not_looked_into() {
    let mut world = World::new();
    world.write(ADDRESS, ANN, state(6, &[("a", "x")]));
    world.write(ADDRESS, ANN, SEALED);
    world.counted(ADDRESS);
    let listed = told(&world.says(&["history", ADDRESS], 0).stdout);
    assert!(
        listed.contains(" 7 - 116 bytes user/tidelock (current, encrypted)\n"),
        "{listed}"
    );
    let shown = told(&world.says(&["show", ADDRESS, "2"], 0).stdout);
    assert!(
        shown.contains("contents encrypted; only who has the key") && shown.contains("serial 7\n"),
        "{shown}"
    );
    let diff = world.says(&["diff", ADDRESS, "1"], 1).stdout;
    assert!(
        diff.ends_with("The contents are encrypted and cannot be compared.\n"),
        "{diff}"
    );
    let blamed = world.says(&["blame", ADDRESS, "aws_s3_bucket.a"], 2).stderr;
    assert!(blamed.contains("the state is encrypted"), "{blamed}");
    let found = told(&world.says(&["find", "aws_s3_bucket.a"], 7).stdout);
    assert_eq!(found, format!("{ADDRESS} not looked into: it is encrypted\n"));
}

#[test]
fn a_rollback_shows_the_plan_and_writes_the_next_serial() {
    let mut world = two_applies();
    let unasked = world.says(&["rollback", ADDRESS, "1"], 2);
    assert_eq!(
        unasked.stderr,
        format!(
            "\
version    2 -> 1
serial     2 -> 3

~ aws_s3_bucket.a
    ~ key        (sensitive value)
    ~ tags.Name  \"y\" -> \"x\"
+ aws_s3_bucket.b  id id-b
- aws_s3_bucket.c  id id-c
~ output.password  (sensitive value)

resources  +1 ~1 -1
outputs    +0 ~1 -0
tidelock: without a terminal nobody can be asked; add --yes to make version 1 the current state of {ADDRESS}
"
        )
    );
    assert_eq!(world.json(&["show", ADDRESS, "current", "--json"])["version"], 2);
    let done = world.says(&["rollback", ADDRESS, "1", "--force"], 0).stdout;
    assert_eq!(
        done,
        format!(
            "{ADDRESS} is now at version 3, serial 3, with what version 1 had in it.\nRun terraform plan before anything else.\n"
        )
    );
    let current = world.send("GET", &format!("/{ADDRESS}"), "").text();
    assert_eq!(
        current,
        state(1, &[("a", "x"), ("b", "x")]).replace(r#""serial":1"#, r#""serial":3"#)
    );
    world.counted(ADDRESS);
    let listed = told(&world.says(&["history", ADDRESS, "--limit", "1"], 0).stdout);
    let line = "      3 AGO TIME rollback to 1 3 +1 ~1 -1 740 bytes op@";
    assert!(listed.contains(line), "{listed}");
    let again = world.says(&["rollback", ADDRESS, "1", "--force"], 0).stdout;
    assert!(
        again.starts_with("Nothing to do: no resource and no output differs"),
        "{again}"
    );
    let itself = world.json(&["rollback", ADDRESS, "3", "--json"]);
    assert_eq!((&itself["version"], &itself["serial"]), (&json!(3), &json!(3)));
    let back = world.json(&["rollback", ADDRESS, "2", "--force", "--json"]);
    assert_eq!((&back["version"], &back["serial"]), (&json!(4), &json!(4)));
}

#[test]
fn the_plan_of_a_rollback_has_the_serial_that_it_gets_also_after_a_copy_that_went_back() {
    let mut world = World::new();
    for serial in 1..=4 {
        world.write(ADDRESS, ANN, state(serial, &[("a", &serial.to_string())]));
    }
    let oldest = world.json(&["show", ADDRESS, "1", "--json"])["id"].clone();
    let source = format!("{ADDRESS}?versionId={}", oldest.as_str().unwrap());
    let copy = Request::new("PUT", &format!("/{ADDRESS}"), "").header("x-amz-copy-source", &source);
    assert_eq!(world.client.send(&copy).status, 200);
    let done = world.says(&["rollback", ADDRESS, "3", "--force"], 0);
    assert!(done.stderr.contains("serial     1 -> 5\n"), "{}", done.stderr);
    assert!(done.stdout.contains("version 6, serial 5,"), "{}", done.stdout);
}

#[test]
fn a_rollback_brings_back_what_was_deleted() {
    let mut world = two_applies();
    assert_eq!(world.send("DELETE", &format!("/{ADDRESS}"), "").status, 204);
    let done = world.says(&["rollback", ADDRESS, "2", "--force"], 0);
    assert!(
        done.stderr
            .contains("There is no state there now; version 2 will be it."),
        "{}",
        done.text()
    );
    assert!(
        done.stdout.contains("is now at version 4, serial 3"),
        "{}",
        done.stdout
    );
}

#[test]
fn a_rollback_waits_for_the_holder_of_the_lock() {
    let mut world = two_applies();
    world.lock(ADDRESS, BOB, "bob-1");
    let refused = world.says(&["rollback", ADDRESS, "1", "--force"], 7);
    let error = told(&refused.stderr);
    assert!(
        refused.stdout.is_empty() && !error.contains("tags.Name"),
        "{}",
        refused.text()
    );
    assert!(
        error.starts_with(
            "tidelock: tfstate/app/terraform.tfstate is locked by bob-1@host\\u009b2J since TIME ("
        ) && error.ends_with(
            "), OperationTypeApply; nothing was changed. Wait, or if its holder is gone for good: \
                 tidelock unlock tfstate/app/terraform.tfstate bob-1\n"
        ),
        "{error}"
    );
    world.unlock(ADDRESS, BOB);
    let _ = world.says(&["freeze", ADDRESS, "--reason", "mine"], 0);
    let _ = world.says(&["rollback", ADDRESS, "1", "--force"], 0);
}

#[test]
fn in_the_directory_of_a_configuration_the_address_may_be_left_out() {
    let world = two_applies();
    let block = r#"terraform {
  backend "s3" {
    bucket = "tfstate"
    key    = "app/terraform.tfstate"
    region = "us-east-1"
  }
}
"#;
    let dir = world.hermetic.workdir("work");
    std::fs::write(dir.join("main.tf"), block).unwrap();
    let listed = told(&world.says(&["history"], 0).stdout);
    assert!(
        listed.starts_with(ADDRESS) && listed.ends_with("next: tidelock diff 1 2\n"),
        "{listed}"
    );
    assert!(
        world
            .says(&["diff", "1"], 1)
            .stdout
            .starts_with("version    1 -> 2\n")
    );
    assert_eq!(
        world.json(&["blame", "aws_s3_bucket.a", "--json"])["version"]["version"],
        2
    );
    let undone = world.says(&["rollback", "1", "--force"], 0).stdout;
    assert!(undone.contains("is now at version 3"), "{undone}");
    std::fs::rename(
        dir.join("main.tf"),
        world.hermetic.workdir("elsewhere").join("main.tf"),
    )
    .unwrap();
    let shown = told(&world.says(&["show", "--chdir", "../elsewhere", "1"], 0).stdout);
    assert!(
        shown.contains("next: tidelock diff --chdir=../elsewhere 1\n"),
        "{shown}"
    );
    let _ = world.says(&["history"], 2);
}

#[test]
fn a_rollback_to_another_lineage_or_of_what_is_encrypted_is_refused() {
    let mut world = World::new();
    world.write(ADDRESS, ANN, SEALED);
    world.write(ADDRESS, ANN, SEALED.replace(r#""serial":7"#, r#""serial":8"#));
    let sealed = world.says(&["rollback", ADDRESS, "1", "--force"], 7).stderr;
    assert!(
        sealed.contains("cannot be compared")
            && sealed.contains("encrypted with serial 7, which only its owner can raise"),
        "{sealed}"
    );
    let _ = world.says(&["allow", ADDRESS, "--relineage"], 0);
    world.write(
        ADDRESS,
        ANN,
        state(9, &[("a", "x")]).replace(r#""lineage":"l""#, r#""lineage":"m""#),
    );
    let other = world.says(&["rollback", ADDRESS, "2", "--force"], 7).stderr;
    assert!(
        other.contains("is of lineage l, the state of lineage m"),
        "{other}"
    );
}
