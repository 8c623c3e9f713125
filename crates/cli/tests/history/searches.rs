//! `tidelock blame`, `find`, `gc`: looking through many versions and many states.

use serde_json::json;

use crate::world::{ADDRESS, ANN, BOB, World, state, told};

/// Two applies of Ann's, and a write of Bob's that removes a module.
fn three_changes() -> World {
    let mut world = World::new();
    world.apply(
        ADDRESS,
        "ann-1",
        &[state(1, &[("a", "x"), ("module.m[\"k\"]/b", "x")])],
    );
    world.apply(
        ADDRESS,
        "ann-2",
        &[
            state(2, &[("a", "y"), ("module.m[\"k\"]/b", "x")]),
            state(3, &[("a", "y"), ("c", "x"), ("module.m[\"k\"]/b", "x")]),
        ],
    );
    world.write(ADDRESS, BOB, state(4, &[("a", "y"), ("c", "x")]));
    world
}

#[test]
fn blame_names_the_last_change_and_the_creation() {
    let world = three_changes();
    // Before and after the server has noted what each version changed.
    for _ in 0..2 {
        let blamed = told(&world.says(&["blame", ADDRESS, "aws_s3_bucket.a"], 0).stdout);
        assert_eq!(
            blamed,
            "\
aws_s3_bucket.a in tfstate/app/terraform.tfstate

changed version 3, AGO, TIME
           by ann-2@host\\u009b2J, apply
           access key KEY at 127.0.0.1
           run ci/7 https://ci.example/job/7
           ~ aws_s3_bucket.a
created version 1, AGO, TIME
           by ann-1@host\\u009b2J, apply
           access key KEY at 127.0.0.1
           run ci/7 https://ci.example/job/7

next: tidelock diff tfstate/app/terraform.tfstate 1 3
"
        );
        world.counted(ADDRESS);
    }
}

#[test]
fn blame_takes_the_beginning_of_an_address() {
    let world = three_changes();
    let created = told(&world.says(&["blame", ADDRESS, "aws_s3_bucket.c"], 0).stdout);
    assert!(
        created.contains("\ncreated version 3, AGO") && created.contains("  + aws_s3_bucket.c\n"),
        "{created}"
    );
    let module = told(&world.says(&["blame", ADDRESS, "module.m"], 0).stdout);
    assert!(
        module.contains("\nremoved version 4, AGO")
            && module.contains("  - module.m[\"k\"].aws_s3_bucket.b\n")
            && module.contains("\ncreated version 1, AGO"),
        "{module}"
    );
    let json = world.json(&["blame", ADDRESS, "*.b", "--json"]);
    assert_eq!(
        (
            &json["version"]["version"],
            &json["against"],
            &json["created"]["version"],
            &json["changes"]
        ),
        (
            &json!(4),
            &json!(3),
            &json!(1),
            &json!([{"address": "module.m[\"k\"].aws_s3_bucket.b", "kind": "removed"}])
        )
    );
    let unsaid = world.says(&["blame", ADDRESS], 2).stderr;
    assert!(unsaid.starts_with("tidelock: say which resource: "), "{unsaid}");
    let slash = world.says(&["blame", ADDRESS, "a.b[\"x/y\"]"], 7).stderr;
    assert!(slash.contains("has changed a resource a.b[\"x/y\"]"), "{slash}");
    let never = told(&world.says(&["blame", ADDRESS, "aws_s3_bucket.z"], 7).stderr);
    assert!(
        never.ends_with("to look elsewhere: tidelock find aws_s3_bucket.z\n"),
        "{never}"
    );
}

#[test]
fn find_looks_through_all_states_below_a_prefix() {
    let mut world = World::new();
    assert_eq!(world.send("PUT", "/other", "").status, 200);
    assert_eq!(world.send("PUT", "/tfstate/notes.txt", "not a state").status, 200);
    world.write("tfstate/a", ANN, state(1, &[("logs", "x"), ("web", "x")]));
    world.write("tfstate/env:/dev/a", ANN, state(3, &[("module.m/logs", "x")]));
    world.write("other/b", ANN, state(5, &[("logs", "x")]));
    world.write("tfstate/gone", ANN, state(1, &[("logs", "x")]));
    assert_eq!(world.send("DELETE", "/tfstate/gone", "").status, 204);
    let found = told(&world.says(&["find", "aws_s3_bucket.logs"], 0).stdout);
    assert_eq!(
        found,
        "\
other/b (version 1, serial 5)
  aws_s3_bucket.logs id id-logs
tfstate/a (version 1, serial 1)
  aws_s3_bucket.logs id id-logs
tfstate/env:/dev/a (version 1, serial 3)
  module.m.aws_s3_bucket.logs id id-logs

found: 3, states looked at: 3
"
    );
    let below = world.json(&["find", "*.logs", "--prefix", "tfstate/env:/", "--json"]);
    assert_eq!(
        (&below["checked"], &below["found"][0]["address"]),
        (&json!(1), &json!("tfstate/env:/dev/a"))
    );
    assert_eq!(
        below["found"][0],
        json!({"address": "tfstate/env:/dev/a", "resource": "module.m.aws_s3_bucket.logs", "serial": 3, "version": 1, "mode": "managed",
            "type": "aws_s3_bucket", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "id": "id-logs"})
    );
    let by_id = world.json(&["find", "--id", "id-web", "--json"]);
    assert_eq!(by_id["found"].as_array().unwrap().len(), 1);
    let none = world.says(&["find", "aws_s3_bucket.logs", "--id", "id-web"], 7);
    assert_eq!(
        none.stderr,
        "tidelock: no aws_s3_bucket.logs with id id-web in any of 3 states\n"
    );
    let nowhere = world.says(&["find", "aws_s3_bucket.logs", "--prefix", "tfstate/typo"], 7);
    assert!(
        nowhere.stderr.contains("no state to look at"),
        "{}",
        nowhere.stderr
    );
    let unsaid = world.says(&["find"], 2).stderr;
    assert!(unsaid.contains("--id"), "{unsaid}");
}

#[test]
fn a_search_goes_on_page_by_page() {
    let mut world = World::new();
    for number in 0..1_010 {
        let key = format!("/tfstate/many/{number:04}.txt");
        assert_eq!(world.send("PUT", &key, "x").status, 200);
    }
    world.write("tfstate/many/zz", ANN, state(1, &[("logs", "x")]));
    let found = world.json(&["find", "aws_s3_bucket.logs", "--json"]);
    assert_eq!(
        (&found["checked"], &found["found"][0]["address"]),
        (&json!(1), &json!("tfstate/many/zz"))
    );
}

#[test]
fn gc_says_what_it_will_drop_and_asks() {
    let settings = "[[retention]]\nprefix = \"tfstate/env:/review-\"\nkeep = 2\n";
    let mut world = World::with(settings);
    let kept = "tfstate/app";
    let review = "tfstate/env:/review-1/app";
    for serial in 1..=5 {
        world.write(kept, ANN, state(serial, &[("a", &serial.to_string())]));
        world.write(review, ANN, state(serial, &[("a", &serial.to_string())]));
    }
    let _ = world.says(&["gc", "--force"], 0);
    let left = |world: &World, address: &str| {
        let listed = world.json(&["history", address, "--json"]);
        listed["versions"].as_array().unwrap().len()
    };
    assert_eq!((left(&world, kept), left(&world, review)), (5, 2));
    let planned = world.says(&["gc", "--dry-run"], 0).stdout;
    assert_eq!(planned, "Would drop 0 versions (0 bytes) of 2 states\n");
    let one = world.says(&["gc", "tfstate/app", "--dry-run"], 0).stdout;
    assert_eq!(one, "Would drop 0 versions (0 bytes) of 1 state\n");
    let typo = world.says(&["gc", "tfstate/rewiev-"], 7).stderr;
    assert_eq!(typo, "tidelock: no state's address begins with tfstate/rewiev-\n");
    let done = world.json(&["gc", "tfstate/env:/", "--json"]);
    assert_eq!((&done["states"], &done["dropped"]), (&json!(1), &json!(0)));
}
