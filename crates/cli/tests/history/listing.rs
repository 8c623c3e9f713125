//! `tidelock history`: one line for what one lock wrote, whatever S3 shows of it.

use serde_json::json;
use tidelock_testkit::Output;

use crate::world::{ADDRESS, ANN, BOB, World, state, told};

#[test]
fn an_apply_is_one_line_and_its_steps_are_behind_it() {
    let mut world = World::new();
    world.apply(ADDRESS, "ann-1", &[state(1, &[("a", "x")])]);
    let steps = [
        state(2, &[("a", "x"), ("b", "x")]),
        state(3, &[("a", "y"), ("b", "x")]),
        state(4, &[("a", "y"), ("b", "x"), ("c", "x")]),
    ];
    world.apply(ADDRESS, "ann-2", &steps);
    world.write(ADDRESS, BOB, state(5, &[("b", "x"), ("c", "x")]));
    world.counted(ADDRESS);
    let listed = told(&world.says(&["history", ADDRESS], 0).stdout);
    assert_eq!(
        listed,
        "\
tfstate/app/terraform.tfstate

VERSION WHEN FOR SERIAL CHANGED SIZE WHO
      5 AGO TIME - 5 +0 ~0 -1 740 bytes user/tidelock (current)
      4 AGO TIME apply 4 +2 ~1 -0 1.0 KB ann-2@host\\u009b2J (3 steps)
      1 AGO TIME apply 1 +1 ~0 -0 466 bytes ann-1@host\\u009b2J

next: tidelock diff tfstate/app/terraform.tfstate 4 5
"
    );
    let steps = told(&world.says(&["history", ADDRESS, "--steps"], 0).stdout);
    let counts = ["+0 ~0 -1", "+2 ~1 -0", "+1 ~1 -0", "+1 ~0 -0", "+1 ~0 -0"];
    let lines: Vec<_> = steps.lines().filter(|line| line.contains(" AGO ")).collect();
    assert_eq!(lines.len(), 5, "{steps}");
    for (line, counts) in lines.iter().zip(counts) {
        assert!(line.contains(counts) && !line.contains("steps"), "{steps}");
    }
    let two = told(&world.says(&["history", ADDRESS, "--limit", "2"], 0).stdout);
    assert_eq!(two.matches(" AGO ").count(), 2, "{two}");
    let one = told(&world.says(&["history", ADDRESS, "--limit", "1"], 0).stdout);
    assert!(
        one.ends_with("next: tidelock show tfstate/app/terraform.tfstate 5\n"),
        "{one}"
    );
}

#[test]
fn the_columns_stand_below_one_another() {
    let mut world = World::new();
    world.apply(ADDRESS, "ann-1", &[state(1, &[("a", "x")])]);
    world.write(ADDRESS, BOB, state(12_345, &[("a", "y"), ("b", "x")]));
    world.counted(ADDRESS);
    let listed = world.says(&["history", ADDRESS], 0).stdout;
    let lines: Vec<_> = listed.lines().skip(2).take(3).collect();
    let column = |line: &str, word: &str| line.find(word).unwrap();
    let who = column(lines[0], "WHO");
    assert_eq!(
        (column(lines[1], "user/"), column(lines[2], "ann-1@")),
        (who, who),
        "{listed}"
    );
    let changed = column(lines[0], "CHANGED");
    assert_eq!(
        (column(lines[1], "+1"), column(lines[2], "+1")),
        (changed, changed),
        "{listed}"
    );
}

#[test]
fn all_versions_are_there_as_json() {
    let mut world = World::new();
    world.apply(
        ADDRESS,
        "ann-1",
        &[state(1, &[("a", "x")]), state(2, &[("a", "y")])],
    );
    world.counted(ADDRESS);
    let listed = world.json(&["history", ADDRESS, "--json"]);
    assert_eq!(listed["address"], ADDRESS);
    let versions = listed["versions"].as_array().unwrap();
    let numbers: Vec<_> = versions
        .iter()
        .map(|version| version["version"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(2), Some(1)]);
    let newest = &versions[0];
    assert_eq!(newest["changes"], json!({"added": 1, "changed": 0, "removed": 0}));
    assert_eq!(newest["lock"]["operation"], "OperationTypeApply");
    assert_eq!(newest["writer"]["run_token"], "ci/7 https://ci.example/job/7");
    assert_eq!(
        (
            &newest["current"],
            &newest["deleted"],
            &newest["hidden_ms"],
            &newest["serial"]
        ),
        (&json!(true), &json!(false), &json!(null), &json!(2))
    );
    let limited = world.json(&["history", ADDRESS, "--json", "--limit", "1"]);
    assert_eq!(limited["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_overwritten_in_an_unversioned_bucket_is_listed_and_readable() {
    let mut world = World::new();
    assert_eq!(world.send("PUT", "/plain", "").status, 200);
    let address = "plain/app.tfstate";
    let first = state(1, &[("a", "x")]);
    world.write(address, ANN, first.as_str());
    world.write(address, ANN, state(2, &[("a", "y")]));
    assert_eq!(world.send("DELETE", "/plain/app.tfstate", "").status, 204);
    world.counted(address);
    let listed = told(&world.says(&["history", address], 0).stdout);
    assert_eq!(
        listed,
        "\
plain/app.tfstate

VERSION WHEN FOR SERIAL CHANGED SIZE WHO
      2 AGO TIME - 2 +0 ~1 -0 466 bytes user/tidelock (not in S3 for AGE)
      1 AGO TIME - 1 +1 ~0 -0 466 bytes user/tidelock (not in S3 for AGE)

next: tidelock diff plain/app.tfstate 1 2
"
    );
    assert_eq!(world.says(&["show", address, "1", "--state"], 0).stdout, first);
    let none = world.says(&["show", address, "current"], 7).stderr;
    assert!(none.contains("plain/app.tfstate does not exist"), "{none}");
    let gone = told(&world.says(&["diff", address, "2"], 1).stdout);
    assert!(
        gone.starts_with("version 2 -> none\n") && gone.contains("- aws_s3_bucket.a id id-a\n"),
        "{gone}"
    );
}

#[test]
fn a_deletion_is_a_version_and_ends_nothing() {
    let mut world = World::new();
    world.write(ADDRESS, ANN, state(1, &[("a", "x")]));
    assert_eq!(world.send("DELETE", &format!("/{ADDRESS}"), "").status, 204);
    world.counted(ADDRESS);
    let listed = told(&world.says(&["history", ADDRESS], 0).stdout);
    assert!(
        listed.contains("      2 AGO TIME delete - - - user/tidelock (current)\n"),
        "{listed}"
    );
    let shown = told(&world.says(&["show", ADDRESS, "current"], 0).stdout);
    assert_eq!(
        shown,
        "\
tfstate/app/terraform.tfstate, version 2 (current)

deleted AGO, TIME
by arn:aws:iam::000000000000:user/tidelock
           access key KEY at 127.0.0.1
S3 id ID

next: tidelock history tfstate/app/terraform.tfstate
"
    );
    let nothing = world.says(&["rollback", ADDRESS, "2", "--force"], 7).stderr;
    assert!(nothing.contains("version 2 deleted the state"), "{nothing}");
}

#[test]
fn an_address_that_was_never_written_is_not_found() {
    let world = World::new();
    let missing = world.says(&["history", "tfstate/typo"], 7).stderr;
    assert_eq!(
        missing,
        "tidelock: nothing that was ever written to tfstate/typo is kept; is it the right address?\n"
    );
    for typed in ["typo", "s3://tfstate/typo"] {
        let bare = world.says(&["history", typed], 2).stderr;
        assert!(bare.contains("BUCKET/KEY"), "{bare}");
    }
    let _ = world.says(&["show", "tfstate/typo", "1"], 7);
    let _ = world.says(&["diff", "tfstate/typo", "1", "2"], 7);
    let _ = world.says(&["blame", "tfstate/typo", "a.b"], 7);
}

#[test]
fn an_apply_of_many_steps_is_one_line_across_pages() {
    let mut world = World::new();
    world.apply(ADDRESS, "ann-1", &[state(1, &[("a", "x")])]);
    let steps: Vec<_> = (2..=250).map(|serial| state(serial, &[("a", "y")])).collect();
    world.apply(ADDRESS, "ann-2", &steps);
    world.counted(ADDRESS);
    let listed = told(&world.says(&["history", ADDRESS], 0).stdout);
    let lines: Vec<_> = listed.lines().filter(|line| line.contains(" AGO ")).collect();
    assert!(
        lines.len() == 2 && lines[0].ends_with("(current, 249 steps)"),
        "{listed}"
    );
    assert!(
        listed.ends_with("next: tidelock diff tfstate/app/terraform.tfstate 1 250\n"),
        "{listed}"
    );
    let all = world.json(&["history", ADDRESS, "--json"]);
    assert_eq!(all["versions"].as_array().unwrap().len(), 250);
}

#[test]
fn whoever_mistypes_an_address_is_shown_those_there_are() {
    let mut world = World::new();
    for address in ["tfstate/a/app", "tfstate/b/app", "tfstate/b/net"] {
        world.write(address, ANN, state(1, &[("a", "x")]));
    }
    let missing = world.says(&["history", "tfstate/b/nte"], 7).stderr;
    assert!(
        missing
            .ends_with("?\nThere are, in that bucket:\n  tfstate/b/net\n  tfstate/b/app\n  tfstate/a/app\n"),
        "{missing}"
    );
}

#[test]
fn what_to_type_next_names_the_server_where_the_user_did_and_brings_back_what_was_deleted() {
    let mut world = World::new();
    for serial in 1..=2 {
        world.write(ADDRESS, ANN, state(serial, &[("a", "x")]));
    }
    let data = world.server.data().to_owned();
    let mut elsewhere = world.command(&["history", ADDRESS, "--data", data.to_str().unwrap()]);
    elsewhere.env_remove("TIDELOCK_DATA");
    let listed = Output::of(elsewhere).with_status(0).stdout;
    let next = format!(" diff {ADDRESS} --data={} 1 2\n", data.display());
    assert!(listed.ends_with(&next), "{listed}");
    assert_eq!(world.send("DELETE", &format!("/{ADDRESS}"), "").status, 204);
    let listed = world.says(&["history", ADDRESS], 0).stdout;
    assert!(listed.ends_with(&format!(" rollback {ADDRESS} 2\n")), "{listed}");
}
