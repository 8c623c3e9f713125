//! `tidelock migrate to` and `from`: states with their versions between Tidelock and moto, in both directions.

use std::{fs, ops::ControlFlow};

use serde_json::Value;
use tidelock_operator::{
    archive::md5_of,
    layout::{Layout, Want},
    s3::ListedVersion,
    transfer::{Error, OPERATION, Outcome, Selection, Transfer},
};
use tidelock_testkit::{Kind, Request, Terraform, hold_until_released};

use crate::{
    cut::{Cut, End},
    world::{World, state, wait, worlds},
};

const KEY: &str = "team/app.tfstate";

/// Each store as the source, with the other one as the target.
fn pairs() -> Vec<(World, World)> {
    let both = || {
        let mut worlds = worlds();
        Some((worlds.remove(0), worlds.pop()?))
    };
    let swapped = |(tidelock, moto)| (moto, tidelock);
    both().into_iter().chain(both().map(swapped)).collect()
}

/// What a bucket has of an object: its bodies, oldest first, how many deletions, and whether one is the last.
fn told(layout: &Layout, key: &str) -> (Vec<String>, usize, bool) {
    wait(async {
        let (bucket, s3) = (&layout.bucket, &layout.s3);
        let mut listed = s3.list_object_versions(bucket, key, None).await.unwrap().items;
        listed.retain(|listed| listed.key == key);
        let is_deleted = listed.first().is_some_and(ListedVersion::is_delete_marker);
        let mut bodies = Vec::new();
        for body in listed.iter().rev().filter(|listed| !listed.is_delete_marker()) {
            let object = s3.get_object(bucket, key, Some(&body.version)).await.unwrap();
            bodies.push(String::from_utf8(object.bytes.to_vec()).unwrap());
        }
        let deletions = listed.len() - bodies.len();
        (bodies, deletions, is_deleted)
    })
}

/// Of how many deletions moto lists in the middle, nothing can be said: their time is in whole seconds.
fn certain((bodies, _, is_deleted): (Vec<String>, usize, bool)) -> (Vec<String>, bool) {
    (bodies, is_deleted)
}

/// As Terraform writes: the state, then its digest.
fn put(world: &World, key: &str, serial: u64, lineage: &str) {
    world.store.put(&world.bucket, key, state(serial, lineage));
    wait(world.layout().put_digest(key, Some(&md5(serial, lineage)))).unwrap();
}

fn delete(world: &World, key: &str) {
    let target = format!("/{}/{key}", world.bucket);
    let answer = world.store.client().send(&Request::new("DELETE", &target, ""));
    assert_eq!(answer.status, 204);
    wait(world.layout().put_digest(key, None)).unwrap();
}

/// A history with a deletion in the middle.
fn fill(world: &World, key: &str) {
    put(world, key, 1, key);
    put(world, key, 2, key);
    delete(world, key);
    put(world, key, 3, key);
    put(world, key, 4, key);
}

/// Writes the profile `other` of the store at the other end, and answers the arguments that name it.
fn other<'a>(world: &World, other: &'a World) -> Vec<&'a str> {
    let home = world.hermetic.home().join(".aws");
    fs::create_dir_all(&home).unwrap();
    let keys = &other.store.credentials;
    let profile = format!(
        "[profile other]\nregion = us-east-1\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key_id, keys.secret_access_key
    );
    fs::write(home.join("config"), profile).unwrap();
    vec![
        &other.store.endpoint,
        "--other-profile",
        "other",
        "--other-bucket",
        &other.bucket,
        "--other-table",
        &other.table,
    ]
}

fn migrate<'a>(direction: &'a str, other: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["migrate", direction], other, more].concat()
}

/// Every state of a world's bucket, without a question.
fn here(world: &World) -> [&str; 8] {
    [
        "--bucket",
        &world.bucket,
        "--table",
        &world.table,
        "--prefix",
        "",
        "--yes",
        "--json",
    ]
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn md5(serial: u64, lineage: &str) -> String {
    md5_of(&state(serial, lineage))
}

#[test]
fn every_version_goes_to_the_other_store_in_its_order_and_what_is_new_comes_after_it_and_back() {
    for (from, to) in pairs() {
        let (source, target) = (from.layout(), to.layout());
        fill(&from, KEY);
        fill(&from, "gone.tfstate");
        delete(&from, "gone.tfstate");
        from.store.put(&from.bucket, "notes.txt", "no state");
        let (other, here) = (other(&from, &to), here(&from));
        let done = json(&from.says(&migrate("to", &other, &here), 0).stdout);
        assert_eq!(
            (&done["copied"], &done["states"]),
            (&8.into(), &2.into()),
            "{done}"
        );
        for key in [KEY, "gone.tfstate"] {
            assert_eq!(certain(told(&target, key)), certain(told(&source, key)), "{key}");
        }
        if from.store.kind == Kind::Tidelock {
            assert_eq!(
                told(&target, KEY).1,
                1,
                "a deletion in the middle is one there too"
            );
        }
        assert!(told(&target, "notes.txt").0.is_empty());
        assert_eq!(wait(target.digest(KEY)).unwrap(), Some(md5(4, KEY)));
        assert_eq!(wait(target.digest("gone.tfstate")).unwrap(), None);
        for layout in [&source, &target] {
            assert!(wait(layout.locks_of(KEY)).unwrap().is_empty());
        }
        let again = json(&from.says(&migrate("to", &other, &here), 0).stdout);
        assert_eq!((&again["copied"], &again["there"]), (&0.into(), &8.into()));
        put(&from, KEY, 5, KEY);
        let more = json(&from.says(&migrate("to", &other, &here), 0).stdout);
        assert_eq!((&more["copied"], &more["there"]), (&1.into(), &8.into()));
        put(&to, KEY, 6, KEY);
        let gone_on = json(&from.says(&migrate("to", &other, &here), 0).stdout);
        assert_eq!((&gone_on["copied"], &gone_on["there"]), (&0.into(), &9.into()));
        let back = json(&from.says(&migrate("from", &other, &here), 0).stdout);
        assert_eq!(
            (&back["copied"], &back["there"]),
            (&1.into(), &9.into()),
            "{back}"
        );
        assert_eq!(certain(told(&target, KEY)), certain(told(&source, KEY)));
    }
}

#[test]
fn what_is_locked_damaged_or_another_is_left_as_it_is_and_named_and_the_others_go() {
    for (from, to) in pairs() {
        let (source, target) = (from.layout(), to.layout());
        for key in ["a", "here", "there", "other", "wrong"] {
            put(&from, key, 1, key);
        }
        put(&to, "other", 7, "their own");
        // Tidelock computes the digest of a state; there it cannot be wrong.
        wait(source.put_digest("wrong", Some(&md5(9, "wrong")))).unwrap();
        let held = [
            (&source, wait(source.take("here", &want("1"))).unwrap()),
            (&target, wait(target.take("there", &want("2"))).unwrap()),
        ];
        let said = from.says(&migrate("to", &other(&from, &to), &here(&from)), 7);
        let done = json(&said.stdout);
        let is_wrong = from.store.kind == Kind::Moto;
        assert_eq!(done["copied"], if is_wrong { 1 } else { 2 }, "{}", said.stderr);
        for sentence in [
            "/here is locked at the source: apply of ann@desk since 2026-11-21T09:00:00Z (ID 1)",
            "/there is locked at the target: apply of ann@desk since 2026-11-21T09:00:00Z (ID 2)",
            "/other holds other versions",
        ] {
            assert!(said.stderr.contains(sentence), "{}", said.stderr);
        }
        assert_eq!(
            is_wrong,
            said.stderr.contains("/wrong: the digest in the table"),
            "{}",
            said.stderr
        );
        assert_eq!(told(&target, "other").0.len(), 1);
        for (layout, held) in held {
            wait(held.release(layout)).unwrap();
        }
        for key in ["a", "here", "there", "other", "wrong"] {
            assert!(wait(source.locks_of(key)).unwrap().is_empty(), "{key}");
            assert!(wait(target.locks_of(key)).unwrap().is_empty(), "{key}");
        }
    }
}

#[test]
fn a_state_that_may_not_be_read_is_named_and_the_others_go() {
    let from_tidelock = pairs()
        .into_iter()
        .filter(|(from, _)| from.store.kind == Kind::Tidelock);
    for (from, to) in from_tidelock {
        for key in ["a", "closed/b", "d"] {
            put(&from, key, 1, key);
        }
        let closed = format!("arn:aws:s3:::{}/closed/*", from.bucket);
        let deny = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
            "Action": "s3:GetObjectVersion", "Resource": closed}]});
        let policy = Request::new("PUT", &format!("/{}?policy", from.bucket), deny.to_string());
        assert_eq!(from.store.client().send(&policy).status, 204);
        let said = from.says(&migrate("to", &other(&from, &to), &here(&from)), 7);
        assert_eq!(json(&said.stdout)["copied"], 2, "{said:?}");
        assert!(
            said.stderr.contains("/closed/b") && said.stderr.contains("AccessDenied"),
            "{said:?}"
        );
        assert_eq!(told(&to.layout(), "d").0.len(), 1);
    }
}

#[test]
fn nothing_is_copied_without_a_word_nor_into_a_bucket_without_versions_nor_onto_itself() {
    for (from, to) in pairs() {
        put(&from, KEY, 1, KEY);
        let mut other = other(&from, &to);
        let here = ["--bucket", &from.bucket, "--key", KEY];
        let said = from.says(&migrate("to", &other, &here), 2).stderr;
        assert!(
            said.contains("1 object with 1 version,") && said.contains("without a terminal"),
            "{said}"
        );
        assert!(told(&to.layout(), KEY).0.is_empty());
        let plain = format!("{}-plain", to.bucket);
        let made = to
            .store
            .client()
            .send(&Request::new("PUT", &format!("/{plain}"), ""));
        assert_eq!(made.status, 200);
        other[4] = &plain;
        let said = from.says(&migrate("to", &other, &here), 7).stderr;
        assert!(
            said.contains("is not versioned") && said.contains("tidelock bootstrap"),
            "{said}"
        );
        other[4] = "no-such-bucket";
        let said = from.says(&migrate("to", &other, &here), 7).stderr;
        assert!(said.contains("has no bucket no-such-bucket"), "{said}");
        let said = from
            .says(&migrate("to", &[&from.store.endpoint], &here), 2)
            .stderr;
        assert!(said.contains("is the store that the states are in"), "{said}");
        let missing = ["--bucket", &from.bucket, "--key", "missing"];
        let said = from
            .says(
                &migrate("from", &[&other[..4], &[&to.bucket]].concat(), &missing),
                7,
            )
            .stderr;
        assert!(said.contains("has no state missing"), "{said}");
    }
}

#[test]
fn terraform_goes_on_at_the_other_store_with_the_state_it_left() {
    let Some(binary) = Terraform::find() else { return };
    for (from, to) in pairs() {
        let lines = |world: &World| format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let before = from.terraform(&binary, "before", KEY, &lines(&from));
        before.write("main.tf", "resource \"terraform_data\" \"one\" {}\n");
        before.ok(&["init", "-input=false"]);
        before.ok(&["apply", "-auto-approve", "-input=false"]);
        let other = other(&from, &to);
        let said = from.says_in(&before.path(""), &migrate("to", &other, &["--yes"]), 0);
        assert!(
            said.stdout.contains("terraform init -reconfigure"),
            "{}",
            said.stdout
        );
        let after = to.terraform(&binary, "after", KEY, &lines(&to));
        after.write("main.tf", "resource \"terraform_data\" \"one\" {}\n");
        after.ok(&["init", "-input=false"]);
        let plan = after.run(&["plan", "-input=false", "-detailed-exitcode"]);
        assert_eq!(plan.status.code(), Some(0), "{}", plan.stdout);
        after.write("hold.tf", hold_until_released());
        let running = after.start(&["apply", "-auto-approve", "-input=false"]);
        after.wait_for("started");
        let said = from
            .says_in(&before.path(""), &migrate("to", &other, &["--yes"]), 7)
            .stderr;
        assert!(
            said.contains("is locked at the target: OperationTypeApply"),
            "{said}"
        );
        running.kill9();
    }
}

#[test]
fn a_run_that_ends_at_any_request_goes_on_where_it_was_and_leaves_nothing_half_way_unlocked() {
    for (number, (mut from, mut to)) in pairs().into_iter().enumerate() {
        let end = [End::Before, End::After][number % 2];
        let (mut at, mut is_ended) = (0, true);
        while is_ended {
            // moto copies all that a bucket has for each listing.
            for world in [&mut from, &mut to] {
                world.bucket = format!("crash-{number}-{at}");
                world.store.bucket(&world.bucket);
            }
            fill(&from, KEY);
            is_ended = ends_and_goes_on(&from, &to, KEY, Cut::new(at, end));
            // Of every other request: one of the two ends before its server has it, the other one after.
            at += 2;
        }
        assert!(at > 30, "{at} requests are too few for a copy");
    }
}

/// Whether the first run ended before it was done.
fn ends_and_goes_on(from: &World, to: &World, key: &str, cut: Cut) -> bool {
    let transfer = |source: Layout, target: Layout, id: &str, is_resumed: bool| {
        let want = Want {
            operation: OPERATION.to_owned(),
            ..want(id)
        };
        Transfer::new(source, target, want, is_resumed).unwrap()
    };
    let (source, target) = (from.layout(), to.layout());
    let first = transfer(
        from.layout_at(&cut.to(&from.store.endpoint)),
        to.layout_at(&cut.to(&to.store.endpoint)),
        "first",
        false,
    );
    let done = wait(cut.run(copy(&first, key)));
    let is_ended = done.is_none();
    if let Some(done) = done {
        assert!(matches!(done, Ok(Outcome::Done { copied: 4, .. })), "{done:?}");
    } else {
        let left = wait(target.locks_of(key)).unwrap();
        let bodies = told(&target, key).0;
        let is_whole = bodies.is_empty() || bodies == told(&source, key).0;
        assert!(
            is_whole || !left.is_empty(),
            "half of {key} is there for everybody"
        );
        let second = transfer(from.layout(), to.layout(), "second", false);
        match wait(copy(&second, key)) {
            Ok(Outcome::Done { .. }) => assert!(left.is_empty(), "{key}"),
            Err(Error::Locked { .. }) => {
                let third = transfer(from.layout(), to.layout(), "first", true);
                let outcome = wait(copy(&third, key)).unwrap();
                assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
            }
            other => panic!("{key}: {other:?}"),
        }
    }
    assert_eq!(certain(told(&target, key)), certain(told(&source, key)), "{key}");
    assert_eq!(wait(target.digest(key)).unwrap(), Some(md5(4, key)), "{key}");
    for layout in [&source, &target] {
        assert!(wait(layout.locks_of(key)).unwrap().is_empty(), "{key}");
    }
    is_ended
}

#[test]
fn a_copy_that_does_not_read_back_is_no_copy_whatever_is_noted_of_it() {
    for (from, to) in pairs() {
        put(&from, KEY, 1, "aaaa");
        let (source, target) = (from.layout(), to.layout());
        let listed = wait(source.s3.list_object_versions(&source.bucket, KEY, None)).unwrap();
        let mark = format!("{}/{}", listed.items[0].version, listed.items[0].etag);
        let noted = [("x-amz-meta-tidelock-source", mark)];
        let other = state(1, "bbbb").into();
        wait(target.s3.put_object(&target.bucket, KEY, other, &noted)).unwrap();
        let want = Want {
            operation: OPERATION.to_owned(),
            ..want("again")
        };
        let transfer = Transfer::new(from.layout(), to.layout(), want, false).unwrap();
        let refused = wait(copy(&transfer, KEY)).unwrap_err();
        assert!(matches!(refused, Error::Mismatch { .. }), "{refused}");
    }
}

#[test]
fn a_copy_that_is_stopped_half_way_stays_locked_where_no_digest_guards_it() {
    for (from, to) in pairs() {
        fill(&from, KEY);
        let (source, target) = (from.layout(), to.layout());
        let transfer = |table: bool, is_resumed: bool| {
            let (from, mut to) = (from.layout(), to.layout());
            to.table = to.table.filter(|_| table);
            let want = Want {
                operation: OPERATION.to_owned(),
                ..want("stopped")
            };
            Transfer::new(from, to, want, is_resumed).unwrap()
        };
        let stopped = |transfer: &Transfer| {
            let selection = Selection::Key(KEY.to_owned());
            let listed = wait(transfer.states(&selection).next()).unwrap().unwrap();
            let outcome = wait(transfer.copy(&listed, &mut |_| ControlFlow::Break(())));
            assert!(wait(source.locks_of(KEY)).unwrap().is_empty());
            outcome.unwrap_err()
        };
        assert!(matches!(stopped(&transfer(true, false)), Error::Stopped));
        assert!(wait(target.locks_of(KEY)).unwrap().is_empty());

        let told = stopped(&transfer(false, false)).to_string();
        assert!(told.contains("go on with --resume stopped"), "{told}");
        let left = wait(target.locks_of(KEY)).unwrap();
        assert_eq!(left[0].id(), Some("stopped"));
        let done = wait(copy(&transfer(false, true), KEY)).unwrap();
        assert!(matches!(done, Outcome::Done { copied: 2, .. }), "{done:?}");
        assert!(wait(target.locks_of(KEY)).unwrap().is_empty());
    }
}

async fn copy(transfer: &Transfer, key: &str) -> Result<Outcome, Error> {
    let selection = Selection::Key(key.to_owned());
    let listed = transfer.states(&selection).next().await?.unwrap();
    transfer.copy(&listed, &mut |_| ControlFlow::Continue(())).await
}

fn want(id: &str) -> Want {
    Want {
        id: id.to_owned(),
        operation: "apply".to_owned(),
        who: "ann@desk".to_owned(),
        info: String::new(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}
