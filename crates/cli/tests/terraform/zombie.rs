//! An apply that was thought dead comes back and writes: it is refused, and nothing that anyone wrote is lost.

use std::fs;

use serde_json::Value;
use tidelock_testkit::{
    Backend::{self, Http},
    BackendConfig, Output, Running, Terraform, hold_until_released,
};

use crate::{THING, World, with_each_backend, with_each_s3_backend};

with_each_backend! {
    an_apply_that_lost_its_lock_is_refused_and_both_states_are_kept
    an_apply_that_lost_its_lock_is_refused_while_another_holds_it
    a_fenced_run_is_refused_although_its_state_would_advance
}

with_each_s3_backend! {
    an_apply_that_cannot_be_told_from_its_successor_is_refused_by_its_serial
    of_two_applies_that_cannot_be_told_apart_the_later_write_is_refused
}

fn an_apply_that_lost_its_lock_is_refused_and_both_states_are_kept(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let (late, paused) = paused(&world, &config, Some("job/late"));
    let next = next(&world, &config, Some("job/next"));
    force_unlock(&world, &config, &next);
    next.ok(&["apply", "-auto-approve"]);

    let refused = resume(&late, paused);
    let words = [
        "StateFenced",
        "run it again from the start",
        "tidelock rescue diff tfstate/zombie.tfstate",
    ];
    assert_is_told(backend, &refused, &words);
    assert_both_are_kept(&world, &config, &late, &next);
    assert!(world.is_unlocked(&config));
    let again = late.ok(&["apply", "-auto-approve"]).stdout;
    assert!(
        again.contains("1 added, 1 changed"),
        "it takes the lock anew: {again}"
    );
    assert_eq!(late.ok(&["output", "-raw", "thing"]).stdout, "of the late");
}

fn an_apply_that_lost_its_lock_is_refused_while_another_holds_it(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let (late, paused) = paused(&world, &config, Some("job/late"));
    let next = next(&world, &config, Some("job/next"));
    force_unlock(&world, &config, &next);
    next.write(
        "main.tf",
        config.hcl(&world.server) + &of("the next") + hold_until_released(),
    );
    let running = next.start(&["apply", "-auto-approve"]);
    next.wait_for("started");

    let refused = resume(&late, paused);
    assert_is_told(backend, &refused, &["StateFenced"]);
    next.write("release", "");
    let _ = running.finish().succeeded();
    assert_both_are_kept(&world, &config, &late, &next);
    assert!(world.is_unlocked(&config));
}

fn a_fenced_run_is_refused_although_its_state_would_advance(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let before = world.stored(&config);
    let (late, paused) = paused(&world, &config, Some("job/late"));
    force_unlock(&world, &config, &next(&world, &config, Some("job/next")));

    let refused = resume(&late, paused);
    assert_is_told(backend, &refused, &["StateFenced", "run it again"]);
    assert_eq!(world.stored(&config), before, "nothing has changed");
    assert_eq!(in_quarantine(&world, &config), errored(&late));
}

fn an_apply_that_cannot_be_told_from_its_successor_is_refused_by_its_serial(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let (late, paused) = paused(&world, &config, None);
    let next = next(&world, &config, None);
    force_unlock(&world, &config, &next);
    next.ok(&["apply", "-auto-approve"]);

    let refused = resume(&late, paused);
    assert_is_told(
        backend,
        &refused,
        &["StateNotAdvancing", "does not follow serial"],
    );
    assert_both_are_kept(&world, &config, &late, &next);
    assert!(world.is_unlocked(&config));
}

/// The one that was given up writes first. Nothing tells it from the holder, so it is the holder who is refused.
fn of_two_applies_that_cannot_be_told_apart_the_later_write_is_refused(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let (late, paused) = paused(&world, &config, None);
    let next = next(&world, &config, None);
    force_unlock(&world, &config, &next);
    next.write(
        "main.tf",
        config.hcl(&world.server) + &of("the next") + hold_until_released(),
    );
    let running = next.start(&["apply", "-auto-approve"]);
    next.wait_for("started");
    late.write("release", "");
    paused.signal("CONT");
    let _ = paused.finish();
    assert_eq!(late.ok(&["output", "-raw", "thing"]).stdout, "of the late");

    next.write("release", "");
    let refused = running.finish().failed();
    assert_is_told(backend, &refused, &["StateNotAdvancing"]);
    assert_both_are_kept(&world, &config, &next, &late);
}

/// A state that exists, so that every apply here starts from the same serial.
pub(crate) fn seeded(world: &World, backend: Backend) -> BackendConfig {
    let config = BackendConfig::new(backend, "zombie.tfstate");
    world
        .project("seed", &config, THING)
        .ok(&["apply", "-auto-approve"]);
    config
}

/// An apply that stands still between its work and its write, as on a laptop that was closed.
pub(crate) fn paused<'a>(
    world: &'a World,
    config: &BackendConfig,
    run: Option<&str>,
) -> (Terraform<'a>, Running) {
    let resources = of("the late") + hold_until_released();
    let terraform = told_apart(world.project("late", config, &resources), run);
    let running = terraform.start(&["apply", "-auto-approve"]);
    terraform.wait_for("started");
    running.signal("STOP");
    (terraform, running)
}

/// Lets it go on: all that is left to do is to write.
pub(crate) fn resume(terraform: &Terraform<'_>, paused: Running) -> Output {
    terraform.write("release", "");
    paused.signal("CONT");
    paused.finish().failed()
}

pub(crate) fn next<'a>(world: &'a World, config: &BackendConfig, run: Option<&str>) -> Terraform<'a> {
    told_apart(world.project("next", config, &of("the next")), run)
}

fn told_apart<'a>(terraform: Terraform<'a>, run: Option<&str>) -> Terraform<'a> {
    match run {
        Some(run) => terraform.as_run(run),
        None => terraform,
    }
}

fn of(whom: &str) -> String {
    THING.replace("first", &format!("of {whom}"))
}

fn force_unlock(world: &World, config: &BackendConfig, by: &Terraform<'_>) {
    let holder = world.holder(config);
    by.ok(&["force-unlock", "-force", holder["ID"].as_str().unwrap()]);
}

/// The user reads why, and finds the state on the disk. Terraform's http backend shows no more than the status.
fn assert_is_told(backend: Backend, refused: &Output, words: &[&str]) {
    let text = refused.flowing();
    assert!(text.contains("errored.tfstate"), "{text}");
    if backend == Http {
        assert!(text.contains("HTTP error: 4"), "{text}");
        return;
    }
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

/// What `current` wrote is the state; what `refused` wrote is in quarantine, as it is on its disk.
fn assert_both_are_kept(
    world: &World,
    config: &BackendConfig,
    refused: &Terraform<'_>,
    current: &Terraform<'_>,
) {
    let pulled = current.ok(&["state", "pull"]).stdout;
    let kept: Value = serde_json::from_slice(&world.stored(config)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&pulled).unwrap(), kept);
    let own = |terraform: &Terraform<'_>| {
        let main = fs::read_to_string(terraform.path("main.tf")).unwrap();
        main.split('"')
            .find(|word| word.starts_with("of "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(kept["outputs"]["thing"]["value"], own(current));

    let aside = in_quarantine(world, config);
    assert_eq!(aside, errored(refused), "byte for byte");
    let aside: Value = serde_json::from_slice(&aside).unwrap();
    assert_eq!(aside["outputs"]["thing"]["value"], own(refused));
    assert_eq!(aside["lineage"], kept["lineage"]);
}

fn errored(terraform: &Terraform<'_>) -> Vec<u8> {
    fs::read(terraform.path("errored.tfstate")).unwrap()
}

/// The one body that was refused.
fn in_quarantine(world: &World, config: &BackendConfig) -> Vec<u8> {
    let list = world.admin("GET", "quarantine", config, &Value::Null).json();
    let list = list["refused"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    let what = format!("quarantine?id={}", list[0]["id"]);
    let body = world.admin("GET", &what, config, &Value::Null);
    assert_eq!(body.status, 200, "{}", body.text());
    body.body
}
