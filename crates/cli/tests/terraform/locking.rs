//! Two users and one state: refusal, waiting, abandoned locks, and one lock whichever door it was taken through.

use std::time::Duration;

use serde_json::Value;
use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile, Table},
    BackendConfig, Output, Running, Terraform, hold_until_released,
};

use crate::{THING, World, with_each_backend};

with_each_backend! {
    a_second_apply_is_refused_with_the_holder_named_and_succeeds_by_waiting
    a_plan_is_refused_while_an_apply_runs
    an_abandoned_lock_is_broken_by_force_unlock
    a_waiter_that_gives_up_names_the_holder
}

fn a_second_apply_is_refused_with_the_holder_named_and_succeeds_by_waiting(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "contested.tfstate");
    let (first, running) = holding(&world, &config);
    let second = world.project("second", &config, THING);

    let refused = second.run(&["apply", "-auto-approve"]).failed();
    assert_names(backend, &refused, &world.holder(&config));

    let mut waiting = second.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(waiting.is_running(), "it waits: {}", waiting.finish().text());
    first.write("release", "");
    let _ = running.finish().succeeded();
    let waited = waiting.finish().succeeded();
    assert!(
        waited.stdout.contains("1 added, 0 changed, 1 destroyed"),
        "on the first one's state: {}",
        waited.text()
    );
    assert!(world.is_unlocked(&config));
}

fn a_plan_is_refused_while_an_apply_runs(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "planned.tfstate");
    let (first, running) = holding(&world, &config);
    let second = world.project("second", &config, THING);

    assert_names(backend, &second.run(&["plan"]).failed(), &world.holder(&config));
    let _ = second.run(&["plan", "-lock=false"]).succeeded();
    first.write("release", "");
    let _ = running.finish().succeeded();
    let _ = second.run(&["plan"]).succeeded();
}

fn an_abandoned_lock_is_broken_by_force_unlock(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "abandoned.tfstate");
    let (first, running) = holding(&world, &config);
    running.kill9();
    let holder = world.holder(&config);
    assert_names(backend, &first.run(&["apply", "-auto-approve"]).failed(), &holder);

    if backend != Http {
        // The http backend of Terraform sends no ID with its UNLOCK, so there is nothing the server could compare.
        let wrong = first
            .run(&["force-unlock", "-force", "11111111-2222-3333-4444-555555555555"])
            .failed();
        assert!(
            !world.is_unlocked(&config),
            "an ID that is not the holder's unlocks nothing: {}",
            wrong.text()
        );
    }
    first.ok(&["force-unlock", "-force", holder["ID"].as_str().unwrap()]);
    assert!(world.is_unlocked(&config));
    first.write("main.tf", config.hcl(&world.server) + THING);
    assert!(first.ok(&["apply", "-auto-approve"]).stdout.contains("1 added"));
}

fn a_waiter_that_gives_up_names_the_holder(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "given-up.tfstate");
    let (_first, _running) = holding(&world, &config);
    let second = world.project("second", &config, THING);

    let refused = second
        .run(&["apply", "-auto-approve", "-lock-timeout=4s"])
        .failed();
    assert_names(backend, &refused, &world.holder(&config));
}

#[test]
fn a_table_user_is_refused_while_a_lock_file_user_applies() {
    doors_exclude_each_other(LockFile, Table);
}

#[test]
fn a_lock_file_user_is_refused_while_a_table_user_applies() {
    doors_exclude_each_other(Table, LockFile);
}

#[test]
fn an_http_user_is_refused_while_a_lock_file_user_applies() {
    doors_exclude_each_other(LockFile, Http);
}

#[test]
fn a_lock_file_user_is_refused_while_an_http_user_applies() {
    doors_exclude_each_other(Http, LockFile);
}

#[test]
fn a_table_user_is_refused_while_an_http_user_applies() {
    doors_exclude_each_other(Http, Table);
}

#[test]
fn an_http_user_is_refused_while_a_user_of_both_applies() {
    doors_exclude_each_other(Both, Http);
}

/// The lock is the state's, not the door's: the second is told of the first, and gets its turn after it.
fn doors_exclude_each_other(holder: Backend, other: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(holder, "shared.tfstate");
    let (first, running) = holding(&world, &config);
    let info = world.holder(&config);
    let second = world.project("second", &BackendConfig::new(other, "shared.tfstate"), THING);

    assert_names(other, &second.run(&["apply", "-auto-approve"]).failed(), &info);
    first.write("release", "");
    let _ = running.finish().succeeded();
    let after = second.ok(&["apply", "-auto-approve"]).stdout;
    assert!(
        after.contains("1 added, 0 changed, 1 destroyed"),
        "one state behind both doors: {after}"
    );
    assert!(world.is_unlocked(&config));
}

/// An apply that holds the lock until the test writes the file `release`.
fn holding<'a>(world: &'a World, config: &BackendConfig) -> (Terraform<'a>, Running) {
    let terraform = world.project("first", config, hold_until_released());
    let running = terraform.start(&["apply", "-auto-approve"]);
    terraform.wait_for("started");
    (terraform, running)
}

/// The message tells who holds the lock, word for word as the holder wrote it.
///
/// Terraform's http backend takes the holder's ID from the answer and prints its own info for the rest.
fn assert_names(backend: Backend, refused: &Output, holder: &Value) {
    let text = refused.text();
    assert!(text.contains("Error acquiring the state lock"), "{text}");
    assert_eq!(holder["Operation"], "OperationTypeApply");
    let field = |name: &str| holder[name].as_str().unwrap();
    if backend == Http {
        assert!(
            text.contains(&format!("ID={}", field("ID"))),
            "{holder} is not named in\n{text}"
        );
        return;
    }
    for name in ["ID", "Path", "Operation", "Who"] {
        let stated = text
            .lines()
            .filter_map(|line| line.split_once(&format!("{name}: ")));
        let stated: Vec<&str> = stated.map(|(_, value)| value.trim()).collect();
        assert!(
            stated.contains(&field(name)),
            "{name} {} is not among {stated:?} in\n{text}",
            field(name)
        );
    }
}
