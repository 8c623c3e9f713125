//! States move out of a server and into another with every version: by a directory, by a bucket, by AWS's stand-in.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod bucket;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod moto;
mod world;

use std::fs;

use world::{World, files, state};

const KEYS: [&str; 4] = [
    "app/terraform.tfstate",
    "env:/dev/a b.tfstate",
    "../up//x",
    "history.json",
];

/// A server with some histories: one that was deleted and began anew, one that goes back.
fn world() -> World {
    let mut world = World::new();
    for (at, key) in KEYS.iter().enumerate() {
        for serial in 1..=3 + at as u64 {
            world.put(key, &state(serial, key));
        }
    }
    world.delete("env:/dev/a b.tfstate");
    world.put("env:/dev/a b.tfstate", &state(1, "anew"));
    world.says(&["allow", "tfstate/history.json", "--rewind"], 0);
    world.put("history.json", &state(2, "history.json"));
    world.put("notes.txt", b"no state");
    world
}

#[test]
fn every_version_comes_back_byte_for_byte_with_its_order_times_serials_and_writers() {
    let (world, other) = (world(), World::new());
    let out = world.path("out");
    let said = world.says(&["export", "--to", &out], 0).stdout;
    assert!(
        said.contains("20 versions") && said.contains("of 4 states"),
        "{said}"
    );
    assert!(
        !files(&out).iter().any(|file| file.contains("notes")),
        "plain objects are left out"
    );
    other.says(&["import", &out], 0);
    for key in KEYS {
        assert_eq!(other.history(key), world.history(key), "{key}");
        assert_eq!(other.bodies(key), world.bodies(key), "{key}");
    }
    let again = other.path("again");
    other.says(&["export", "--to", &again], 0);
    assert_eq!(files(&again), files(&out));
    assert!(files(&out).contains(&"/tfstate/app/terraform.tfstate/000002.tfstate".to_owned()));
    // It goes on where it ended.
    let mut other = other;
    other.put("app/terraform.tfstate", &state(4, "app/terraform.tfstate"));
    assert_eq!(other.history("app/terraform.tfstate").len(), 4);
}

#[test]
fn the_same_import_again_changes_nothing_and_a_longer_one_adds_what_is_new() {
    let (mut world, other) = (world(), World::new());
    let out = world.path("out");
    world.says(&["export", "--to", &out], 0);
    other.says(&["import", &out], 0);
    let before = KEYS.map(|key| other.history(key));
    let done = other.json(&["import", &out, "--json"]);
    assert_eq!((&done["copied"], &done["there"]), (&0.into(), &20.into()));
    assert_eq!(KEYS.map(|key| other.history(key)), before);
    world.put("app/terraform.tfstate", &state(9, "app/terraform.tfstate"));
    world.says(&["export", "--to", &out], 0);
    let done = other.json(&["import", &out, "--json"]);
    assert_eq!((&done["copied"], &done["there"]), (&1.into(), &20.into()));
    assert_eq!(
        other.history("app/terraform.tfstate"),
        world.history("app/terraform.tfstate")
    );
}

#[test]
fn an_export_that_was_interrupted_goes_on_and_mends_what_is_damaged() {
    let world = world();
    let out = world.path("out");
    world.says(&["export", "tfstate/app/", "--to", &out], 0);
    let place = format!("{out}/tfstate/app/terraform.tfstate");
    fs::remove_file(format!("{place}/history.json")).unwrap();
    fs::remove_file(format!("{place}/000003.tfstate")).unwrap();
    fs::write(format!("{place}/000002.tfstate"), "half").unwrap();
    let done = world.json(&["export", "tfstate/app/", "--to", &out, "--json"]);
    assert_eq!((&done["copied"], &done["there"]), (&2.into(), &1.into()));
    let done = world.json(&["export", "tfstate/app/", "--to", &out, "--json"]);
    assert_eq!((&done["copied"], &done["there"]), (&0.into(), &3.into()));
}

#[test]
fn only_the_newest_of_each_is_exported_when_that_is_asked_for() {
    let mut world = world();
    world.delete("app/terraform.tfstate");
    let out = world.path("out");
    let done = world.json(&["export", "--current", "--to", &out, "--json"]);
    assert_eq!((&done["copied"], &done["states"]), (&3.into(), &3.into()));
    assert!(
        !files(&out).iter().any(|file| file.contains("/app/")),
        "what is deleted has no newest"
    );
}

#[test]
fn an_export_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    let out = world.path("out");
    world.says(&["export", "--to", &out], 0);
    for file in files(&out) {
        let metadata = fs::metadata(format!("{out}{file}")).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{file}");
    }
}

#[test]
fn a_newer_state_is_left_as_it_is_and_the_others_go_in() {
    let (world, mut other) = (world(), World::new());
    let out = world.path("out");
    world.says(&["export", "--to", &out], 0);
    other.put("app/terraform.tfstate", &state(1, "mine"));
    let said = other.says(&["import", &out], 7);
    assert!(
        said.stderr
            .contains("tfstate/app/terraform.tfstate has serial 1 of lineage mine"),
        "{}",
        said.stderr
    );
    assert_eq!(other.history("app/terraform.tfstate").len(), 1);
    assert_eq!(other.history("history.json"), world.history("history.json"));
    other.aws_mb("copies");
    other.says(&["import", &out, "--into", "copies"], 0);
}

#[test]
fn who_holds_the_lock_is_named_and_nothing_is_written_past_it() {
    let (world, other) = (world(), World::new());
    let out = world.path("out");
    world.says(&["export", "tfstate/app/", "--to", &out], 0);
    other.lock("app/terraform.tfstate");
    let said = other.says(&["import", &out], 7);
    assert!(said.stderr.contains("is locked by"), "{}", said.stderr);
    assert!(other.history("app/terraform.tfstate").is_empty());
}

#[test]
fn what_is_not_there_is_said_so() {
    let world = World::new();
    assert!(
        world
            .says(&["export", "--to", &world.path("out")], 7)
            .stderr
            .contains("no states yet")
    );
    let mut world = world;
    world.put("a", &state(1, "a"));
    let said = world.says(&["export", "tfstate/b", "--to", &world.path("out")], 7);
    assert!(said.stderr.contains("begins with tfstate/b"), "{}", said.stderr);
    let empty = world.path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(world.says(&["import", &empty], 7).stderr.contains("no export in"));
    world.says(&["export", "--to", &world.path("out")], 0);
    let said = world.says(&["import", &world.path("out"), "--into", "missing"], 7);
    assert!(said.stderr.contains("aws s3 mb s3://missing"), "{}", said.stderr);
    world.says(&["import", &world.path("out"), "--into", "NO"], 2);
    world.says(&["export", "--to", "ftp://x/y"], 2);
}
