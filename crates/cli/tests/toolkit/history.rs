//! Histories and rollbacks in a bucket that only knows S3's versions.

use serde_json::{Value, json};
use tidelock_operator::{
    archive::md5_of,
    layout::{RollbackError, Step, Want},
};
use tidelock_testkit::{Kind, LossyProxy, Terraform};

use crate::world::{World, wait, worlds};

const KEY: &str = "team/app.tfstate";

const INPUT: &str =
    "variable \"v\" { default = \"one\" }\nresource \"terraform_data\" \"a\" { input = var.v }\n";

/// A state with these resources, each with an input.
fn state(serial: u64, resources: &[(&str, &str)]) -> String {
    let resource = |(name, input): &(&str, &str)| {
        json!({
            "mode": "managed", "type": "terraform_data", "name": name,
            "provider": "provider[\"terraform.io/builtin/terraform\"]",
            "instances": [{ "schema_version": 0, "attributes": { "id": name, "input": input } }],
        })
    };
    let resources: Vec<Value> = resources.iter().map(resource).collect();
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "11111111-2222",
        "outputs": {}, "resources": resources, "check_results": null,
    });
    state.to_string()
}

fn want(id: &str) -> Want {
    Want {
        id: id.to_owned(),
        operation: "OperationTypeApply".to_owned(),
        who: "ann@desk".to_owned(),
        info: String::new(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}

impl World {
    fn address(&self) -> String {
        format!("{}/{KEY}", self.bucket)
    }

    fn put_state(&self, serial: u64, resources: &[(&str, &str)]) {
        self.store.put(&self.bucket, KEY, state(serial, resources));
    }

    /// `tidelock COMMAND ADDRESS ARGUMENTS` on the bucket and the table.
    fn on_stock(&self, command: &str, arguments: &[&str], status: i32) -> tidelock_testkit::Output {
        let (address, table) = (self.address(), format!("--table={}", self.table));
        let mut all = vec![command, &address, &table];
        all.extend(arguments);
        self.says(&all, status)
    }

    fn json(&self, command: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.on_stock(command, &arguments, 0).stdout).unwrap()
    }

    /// The IDs of all versions, newest first.
    fn ids(&self) -> Vec<String> {
        let listed = self.json("history", &[]);
        let versions = listed["versions"].as_array().unwrap();
        let id = |version: &Value| version["version"].as_str().unwrap().to_owned();
        versions.iter().map(id).collect()
    }

    fn current(&self) -> Value {
        let layout = self.layout();
        let object = wait(layout.s3.get_object(&self.bucket, KEY, None)).unwrap();
        serde_json::from_slice(&object.bytes).unwrap()
    }
}

#[test]
fn the_versions_of_a_bucket_are_listed_shown_compared_and_searched() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(2, &[("a", "one"), ("b", "one")]);
        world.put_state(3, &[("a", "two"), ("b", "one")]);
        world
            .store
            .put(&world.bucket, &format!("{KEY}.backup"), "another object");
        let listed = world.json("history", &[]);
        let versions = listed["versions"].as_array().unwrap();
        let serials: Vec<_> = versions.iter().map(|version| &version["serial"]).collect();
        assert_eq!(serials, [&json!(3), &json!(2), &json!(1)], "{listed}");
        let changed: Vec<_> = versions.iter().map(|version| &version["changes"]).collect();
        let counts = |added, changed| json!({ "added": added, "changed": changed, "removed": 0 });
        assert_eq!(changed, [&counts(0, 1), &counts(1, 0), &counts(1, 0)]);
        assert_eq!(versions[0]["current"], true);

        let ids = world.ids();
        let text = world.on_stock("history", &["--limit", "2"], 0).stdout;
        assert!(
            text.contains(&ids[0][..12]) && text.contains("+1 ~0 -0"),
            "{text}"
        );
        assert_eq!(
            text.lines().filter(|line| line.contains("ago")).count(),
            2,
            "{text}"
        );

        let shown = world.json("show", &[&ids[1]]);
        assert_eq!(
            (&shown["serial"], &shown["resources"][1]["address"]),
            (&json!(2), &json!("terraform_data.b"))
        );
        assert_eq!(world.json("show", &["current"])["serial"], 3);
        let raw = world.on_stock("show", &[&ids[2], "--state"], 0).stdout;
        assert_eq!(raw, state(1, &[("a", "one")]));

        let diff = world.on_stock("diff", &[&ids[2], &ids[1]], 1).stdout;
        assert!(
            diff.contains("+ terraform_data.b") && !diff.contains("terraform_data.a"),
            "{diff}"
        );
        world.on_stock("diff", &[&ids[0], "current"], 0);

        let blamed = world.json("blame", &["terraform_data.a"]);
        assert_eq!(
            blamed["version"]["version"].as_str(),
            Some(ids[0].as_str()),
            "{blamed}"
        );
        assert_eq!(blamed["created"]["version"].as_str(), Some(ids[2].as_str()));
        assert_eq!(blamed["changes"][0]["kind"], "changed");
        world.on_stock("blame", &["terraform_data.c"], 7);
    }
}

#[test]
fn the_beginning_of_a_version_id_is_enough_where_it_means_one_version() {
    for world in worlds() {
        world.put_state(1, &[]);
        world.put_state(2, &[]);
        let ids = world.ids();
        let both = ids[0].chars().zip(ids[1].chars());
        let alike = both.take_while(|(one, other)| one == other).count();
        assert_eq!(world.json("show", &[&ids[1][..=alike]])["serial"], 1);
        let unknown = world.on_stock("show", &["xyz"], 7).stderr;
        assert!(unknown.contains("there is no version xyz"), "{unknown}");
        if world.store.kind == Kind::Tidelock {
            let doubtful = world.on_stock("show", &[&ids[1][..alike]], 7).stderr;
            assert!(
                doubtful.contains(&ids[0]) && doubtful.contains(&ids[1]),
                "{doubtful}"
            );
        }
    }
}

#[test]
fn a_deleted_state_keeps_its_history_and_comes_back_with_a_serial_above_all() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(7, &[]);
        let layout = world.layout();
        wait(layout.s3.delete_object(&world.bucket, KEY, None)).unwrap();
        let ids = world.ids();
        let text = world.on_stock("history", &[], 0).stdout;
        assert!(text.contains("delete") && text.contains("rollback"), "{text}");
        let done = world.json("rollback", &[&ids[2], "--yes"]);
        assert_eq!(done["serial"], 8);
        assert_eq!(world.current()["serial"], 8);
        assert_eq!(world.ids().len(), 4);
        let deleted = world.on_stock("rollback", &[&ids[0], "--yes"], 7).stderr;
        assert!(deleted.contains("deleted the state"), "{deleted}");
        let nothing = world.on_stock("show", &[&ids[0], "--state"], 7);
        assert!(nothing.stderr.contains("deleted the state"), "{nothing:?}");
    }
}

#[test]
fn a_rollback_that_is_told_to_end_finishes_and_leaves_no_lock() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(2, &[]);
        let (ids, address) = (world.ids(), world.address());
        let table = format!("--table={}", world.table);
        let arguments = ["rollback", &address, &ids[1], &table, "--yes"];
        world
            .signalled(&arguments, "-TERM", "PUT app.tfstate.tflock")
            .with_status(0);
        assert_eq!(world.current()["serial"], 3);
        assert!(wait(world.layout().locks_of(KEY)).unwrap().is_empty());
    }
}

#[test]
fn terraform_goes_on_from_a_rollback_that_repaired_the_digest() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let lines = format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let terraform = world.terraform(&binary, "app", KEY, &lines);
        terraform.write("main.tf", INPUT);
        terraform.ok(&["init", "-input=false"]);
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        let first = world.json("history", &[])["versions"][0].take();
        if world.store.kind == Kind::Moto {
            // The lock file's own version says who it was.
            assert_eq!(first["lock"]["operation"], "OperationTypeApply", "{first}");
            assert!(first["lock"]["who"].as_str().is_some_and(|who| who.contains('@')));
        }
        terraform.ok(&["apply", "-auto-approve", "-input=false", "-var=v=two"]);
        let id = first["version"].as_str().unwrap();
        // Without a flag the backend block says where, and who answers there what the versions are called.
        let here = world
            .says_in(&terraform.path("."), &["history", "--json"], 0)
            .stdout;
        let here: Value = serde_json::from_str(&here).unwrap();
        let name = here["versions"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&name["id"], name["version"].is_string()),
            (&first["id"], world.store.kind == Kind::Moto)
        );
        let asked = world.on_stock("rollback", &[id], 2).stderr;
        assert!(
            asked.contains("~ terraform_data.a") && asked.contains("without a terminal"),
            "{asked}"
        );
        let done = world.on_stock("rollback", &[id, "--yes"], 0).stdout;
        assert!(done.contains("Run terraform plan"), "{done}");
        let layout = world.layout();
        assert!(wait(layout.locks_of(KEY)).unwrap().is_empty());
        let plan = terraform.run(&["plan", "-input=false", "-detailed-exitcode"]);
        assert_eq!(plan.status.code(), Some(0), "{}{}", plan.stdout, plan.stderr);
        terraform.ok(&["apply", "-auto-approve", "-input=false", "-var=v=three"]);
        let again = world.on_stock("rollback", &["current", "--yes"], 0).stdout;
        assert!(again.contains("Nothing to do"), "{again}");
    }
}

#[test]
fn a_locked_state_is_not_rolled_back_and_the_holder_is_named() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(2, &[]);
        let old = world.ids().remove(1);
        let layout = world.layout();
        let held = wait(layout.take(KEY, &want("11111111-2222-3333-4444-555555555555"))).unwrap();
        let refused = world.on_stock("rollback", &[&old, "--yes"], 7).stderr;
        assert!(
            refused.contains("ann@desk") && refused.contains("unlock") && refused.contains("11111111-2222"),
            "{refused}"
        );
        // Whoever takes it between the question and the answer is found as well.
        let plan = wait(layout.plan_rollback(KEY, &old, |_| {})).unwrap();
        let late = wait(layout.apply_rollback(&plan, &want("2"))).unwrap_err();
        assert!(matches!(late, RollbackError::Locked(locks) if !locks.is_empty()));
        wait(held.release(&layout)).unwrap();
        assert_eq!(world.current()["serial"], 2);
    }
}

#[test]
fn a_state_that_was_written_after_the_look_is_not_replaced() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(2, &[]);
        let old = world.ids().remove(1);
        let layout = world.layout();
        let plan = wait(layout.plan_rollback(KEY, &old, |_| {})).unwrap();
        world.put_state(3, &[("b", "late")]);
        let refused = wait(layout.apply_rollback(&plan, &want("2"))).unwrap_err();
        assert!(matches!(refused, RollbackError::Overtaken), "{refused}");
        assert_eq!(world.current()["serial"], 3);
        assert!(
            wait(layout.locks_of(KEY)).unwrap().is_empty(),
            "the lock is given back"
        );
    }
}

#[test]
fn lost_answers_change_nothing_about_a_rollback() {
    for world in worlds() {
        world.put_state(1, &[("a", "one")]);
        world.put_state(2, &[]);
        let old = world.ids().remove(1);
        let lost = vec![
            "PUT .tflock",
            "POST PutItem",
            "PUT if-match",
            "DELETE .tflock",
            "POST DeleteItem",
        ];
        let proxy = LossyProxy::start(world.store.endpoint.trim_start_matches("http://"), lost);
        let layout = world.layout_at(proxy.endpoint());
        let plan = wait(layout.plan_rollback(KEY, &old, |_| {})).unwrap();
        let done = wait(layout.apply_rollback(&plan, &want("33333333-2222-3333-4444-555555555555"))).unwrap();
        assert_eq!(proxy.not_lost_yet(), Vec::<&str>::new());
        assert_eq!((done.serial, done.still_locked), (Some(3), None));
        assert_eq!(world.ids().len(), 3, "it is written once");
        assert_eq!(world.ids()[0], done.version);
        assert_eq!(world.current()["serial"], 3);
        assert!(wait(world.layout().locks_of(KEY)).unwrap().is_empty());
    }
}

#[test]
fn a_digest_of_another_state_is_corrected_by_the_same_command() {
    let moto = worlds().into_iter().find(|world| world.store.kind == Kind::Moto);
    let Some(world) = moto else { return };
    world.put_state(1, &[("a", "one")]);
    let layout = world.layout();
    wait(layout.put_digest(KEY, Some("d41d8cd98f00b204e9800998ecf8427e"))).unwrap();
    let id = world.ids().remove(0);
    let plan = wait(layout.plan_rollback(KEY, &id, |_| {})).unwrap();
    assert!(matches!(plan.step, Step::Digest));
    let told = world.on_stock("rollback", &[&id, "--yes"], 0).stderr;
    assert!(told.contains("digest"), "{told}");
    let digest = wait(layout.digest(KEY)).unwrap().unwrap();
    assert_eq!(digest, md5_of(state(1, &[("a", "one")]).as_bytes()));
    assert_eq!(world.ids().len(), 1, "the state itself stays");
}

#[test]
fn a_bucket_that_keeps_no_versions_loses_nothing_by_a_rollback() {
    // moto forgets all older versions when versioning is suspended.
    for world in worlds()
        .into_iter()
        .filter(|world| world.store.kind == Kind::Tidelock)
    {
        let off = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
        world.put_state(1, &[("a", "one")]);
        let path = format!("/{}?versioning", world.bucket);
        let answer = world
            .store
            .client()
            .send(&tidelock_testkit::Request::new("PUT", &path, off));
        assert_eq!(answer.status, 200, "{}", answer.text());
        world.put_state(2, &[]);
        let old = world.ids().remove(1);
        let refused = world.on_stock("rollback", &[&old, "--yes"], 7).stderr;
        assert!(refused.contains("turn its versioning on"), "{refused}");
        assert_eq!(world.current()["serial"], 2);
    }
}

#[test]
fn histories_of_more_than_a_page_are_whole() {
    let world = worlds().remove(0);
    let mut client = world.store.client();
    for serial in 1..=1_100 {
        let path = format!("/{}/{KEY}", world.bucket);
        let put = tidelock_testkit::Request::new("PUT", &path, state(serial, &[("a", &serial.to_string())]));
        assert_eq!(client.send(&put).status, 200);
    }
    let listed = world.json("history", &[]);
    let serials = listed["versions"].as_array().unwrap().iter();
    let serials: Vec<u64> = serials
        .map(|version| version["serial"].as_u64().unwrap())
        .collect();
    assert_eq!(serials, (1..=1_100).rev().collect::<Vec<_>>());
    let oldest = listed["versions"][1_099]["version"].as_str().unwrap();
    assert_eq!(world.json("rollback", &[oldest, "--yes"])["serial"], 1_101);
}
