//! `tidelock clean`: states of merged branches go, under their locks, and their versions stay.

use serde_json::Value;
use tidelock_operator::layout::{Layout, Want};
use tidelock_testkit::{Request, Terraform};

use crate::world::{World, state, wait, worlds};

fn empty(serial: u64) -> String {
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{}},"resources":[],"check_results":null}}"#
    )
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Versions and delete markers of an object.
fn listed(layout: &Layout, key: &str) -> (usize, usize) {
    let page = wait(layout.s3.list_object_versions(&layout.bucket, key, None)).unwrap();
    let is_marker = |marker: bool| {
        let listed = page.items.iter().filter(|listed| listed.key == key);
        listed
            .filter(|listed| listed.is_delete_marker() == marker)
            .count()
    };
    (is_marker(false), is_marker(true))
}

/// Everything below this, whenever it was written.
fn clean<'a>(world: &'a World, prefix: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let all = [
        "clean",
        "--bucket",
        &world.bucket,
        "--table",
        &world.table,
        "--prefix",
        prefix,
        "--older-than",
        "0s",
    ];
    [&all, more].concat()
}

#[test]
fn empty_states_go_with_their_digests_and_keep_their_versions_and_all_others_stay() {
    for world in worlds() {
        let layout = world.layout();
        for key in ["previews/a", "previews/b", "previews/open/b", "production"] {
            world.store.put(&world.bucket, key, state(1, "l"));
            world.store.put(&world.bucket, key, empty(2));
            let md5 = tidelock_operator::archive::md5_of(empty(2).as_bytes());
            wait(layout.put_digest(key, Some(&md5))).unwrap();
        }
        world.store.put(&world.bucket, "previews/full", state(1, "l"));
        world.store.put(&world.bucket, "previews/notes.txt", "no state");
        let said = world
            .says(&clean(&world, "previews/", &["--keep", "open"]), 2)
            .stderr;
        assert!(
            said.contains("previews/a  empty, serial 2") && said.contains("without a terminal"),
            "{said}"
        );
        assert!(!said.contains("full") && !said.contains("open"), "{said}");
        assert_eq!(listed(&layout, "previews/a"), (2, 0));
        let young = [
            "clean",
            "--bucket",
            &world.bucket,
            "--prefix",
            "previews/",
            "--yes",
        ];
        let said = world.says(&young, 0).stdout;
        assert!(said.contains("Nothing was deleted; left: 5 too young"), "{said}");

        let arguments = clean(&world, "previews/", &["--keep", "open", "--yes", "--json"]);
        let done = json(&world.says(&arguments, 0).stdout);
        let keys: Vec<&str> = done["deleted"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["key"].as_str().unwrap())
            .collect();
        assert_eq!(keys, ["previews/a", "previews/b"]);
        assert_eq!(
            (&done["kept"]["not_empty"], &done["kept"]["named"]),
            (&1.into(), &1.into())
        );
        for key in keys {
            assert_eq!(listed(&layout, key), (2, 1), "{key}");
            assert_eq!(wait(layout.digest(key)).unwrap(), None);
            assert!(wait(layout.locks_of(key)).unwrap().is_empty());
        }
        for key in [
            "previews/open/b",
            "production",
            "previews/full",
            "previews/notes.txt",
        ] {
            assert_eq!(listed(&layout, key).1, 0, "{key}");
        }
        let again = json(&world.says(&arguments, 0).stdout);
        assert_eq!(again["deleted"], json("[]"));
        let said = world
            .says(&clean(&world, "previews/f", &["--not-empty"]), 2)
            .stderr;
        assert!(said.contains("previews/full  1 RESOURCE, serial 1"), "{said}");
        world.says(&clean(&world, "previews/f", &["--not-empty", "--yes"]), 0);
        assert_eq!(listed(&layout, "previews/full"), (1, 1));
    }
}

#[test]
fn what_is_locked_stays_and_is_named_and_a_bucket_without_versions_is_refused() {
    for world in worlds() {
        let layout = world.layout();
        for key in ["p/a", "p/b"] {
            world.store.put(&world.bucket, key, empty(1));
        }
        let want = Want {
            id: "1".to_owned(),
            operation: "apply".to_owned(),
            who: "ann@desk".to_owned(),
            info: String::new(),
            created: "2026-11-21T09:00:00Z".to_owned(),
        };
        let held = wait(layout.take("p/a", &want)).unwrap();
        let said = world.says(&clean(&world, "p/", &["--yes"]), 7);
        assert!(
            said.stderr
                .contains("p/a is locked by ann@desk (apply) since 2026-11-21T09:00:00Z"),
            "{}",
            said.stderr
        );
        assert!(said.stdout.contains("Deleted 1 state"), "{}", said.stdout);
        assert_eq!((listed(&layout, "p/a"), listed(&layout, "p/b")), ((1, 0), (1, 1)));
        wait(held.release(&layout)).unwrap();
        let off = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
        let target = format!("/{}?versioning", world.bucket);
        assert_eq!(
            world
                .store
                .client()
                .send(&Request::new("PUT", &target, off))
                .status,
            200
        );
        let said = world.says(&clean(&world, "p/", &["--yes"]), 7).stderr;
        assert!(said.contains("is not versioned"), "{said}");
        assert_eq!(listed(&layout, "p/a"), (1, 0));
    }
}

#[test]
fn the_workspaces_that_terraform_has_destroyed_go_but_for_the_selected_one() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let lines = format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let terraform = world.terraform(&binary, "branches", "app.tfstate", &lines);
        terraform.write("main.tf", "resource \"terraform_data\" \"one\" {}\n");
        terraform.ok(&["init", "-input=false"]);
        for workspace in ["merged", "open", "here"] {
            terraform.ok(&["workspace", "new", workspace]);
            terraform.ok(&["apply", "-auto-approve", "-input=false"]);
            if workspace != "open" {
                terraform.ok(&["destroy", "-auto-approve", "-input=false"]);
            }
        }
        let arguments = ["clean", "--older-than", "0s", "--yes", "--json"];
        let done = json(&world.says_in(&terraform.path(""), &arguments, 0).stdout);
        let deleted: Vec<_> = done["deleted"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["key"].clone())
            .collect();
        assert_eq!(deleted, ["env:/merged/app.tfstate"], "{:?}", world.store.kind);
        assert_eq!(done["kept"]["not_empty"], 1);
        let left = terraform.ok(&["workspace", "list"]).stdout;
        assert!(
            !left.contains("merged") && left.contains("open") && left.contains("here"),
            "{left}"
        );
        // The name can be used again.
        terraform.ok(&["workspace", "new", "merged"]);
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
    }
}

#[test]
fn an_interrupt_ends_it_between_two_states_with_no_lock_left() {
    for world in worlds() {
        for key in ["p/a", "p/b"] {
            world.store.put(&world.bucket, key, empty(1));
        }
        let arguments = clean(&world, "p/", &["--yes"]);
        let said = world
            .signalled(&arguments, "-INT", "PUT p/a.tflock")
            .with_status(1);
        assert!(
            said.stdout.contains("Deleted 1 state")
                && said
                    .stderr
                    .contains("interrupted: 1 state left; run the same command again"),
            "{said:?}"
        );
        let layout = world.layout();
        assert_eq!((listed(&layout, "p/a"), listed(&layout, "p/b")), ((1, 1), (1, 0)));
        assert!(wait(layout.locks_of("p/a")).unwrap().is_empty());
    }
}
