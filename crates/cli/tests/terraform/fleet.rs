//! A team in the midst of a migration: one uses the lock table, one the lock file, one the http backend, on one state.

use serde_json::Value;
use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile, Table},
    BackendConfig,
};

use crate::{ALL, THING, World, locking::assert_names};

/// The lock goes through the hands of all three in each order there is.
macro_rules! in_every_order {
    ($($test:ident: $first:ident $second:ident $third:ident)*) => { $(
        #[test] fn $test() { excludes_everyone_else([$first, $second, $third]); }
    )* };
}

in_every_order! {
    the_lock_goes_from_table_to_file_to_http: Table LockFile Http
    the_lock_goes_from_table_to_http_to_file: Table Http LockFile
    the_lock_goes_from_file_to_table_to_http: LockFile Table Http
    the_lock_goes_from_file_to_http_to_table: LockFile Http Table
    the_lock_goes_from_http_to_table_to_file: Http Table LockFile
    the_lock_goes_from_http_to_file_to_table: Http LockFile Table
    the_lock_goes_from_both_to_http_and_back: Both Http Both
}

/// Each in turn holds the lock; the others are refused and told of the holder, and the next one gets it afterwards.
fn excludes_everyone_else(order: [Backend; 3]) {
    let Some(world) = World::new() else { return };
    for (turn, holder) in order.into_iter().enumerate() {
        let config = BackendConfig::new(holder, "fleet.tfstate");
        let (project, running) = world.holding(&format!("holder{turn}"), &config);
        let info = world.holder(&config);
        for (place, other) in order.into_iter().enumerate().filter(|(place, _)| *place != turn) {
            let config = BackendConfig::new(other, "fleet.tfstate");
            let other_project = world.project(&format!("other{turn}{place}"), &config, THING);
            assert_names(
                other,
                &other_project.run(&["apply", "-auto-approve"]).failed(),
                &info,
            );
        }
        project.write("release", "");
        let applied = running.finish().succeeded().stdout;
        let replaced = u8::from(turn > 0);
        assert!(
            applied.contains(&format!("1 added, 0 changed, {replaced} destroyed")),
            "one state behind all doors: {applied}"
        );
        assert!(world.is_unlocked(&config), "{holder:?} gives it back");
    }
}

#[test]
fn a_lock_taken_by_file_is_broken_through_any_door() {
    is_broken_through_any_door(LockFile);
}

#[test]
fn a_lock_taken_by_table_is_broken_through_any_door() {
    is_broken_through_any_door(Table);
}

#[test]
fn a_lock_taken_by_both_is_broken_through_any_door() {
    is_broken_through_any_door(Both);
}

#[test]
fn a_lock_taken_by_http_is_broken_through_any_door() {
    is_broken_through_any_door(Http);
}

/// An abandoned lock: the wrong ID frees nothing, the right one frees it as a whole, whichever door it comes through.
fn is_broken_through_any_door(holder: Backend) {
    let Some(world) = World::new() else { return };
    for (number, breaker) in ALL.into_iter().enumerate() {
        let key = format!("broken{number}.tfstate");
        let config = BackendConfig::new(holder, &key);
        let (_, running) = world.holding(&format!("holder{number}"), &config);
        running.kill9();
        let info = world.holder(&config);
        let through = BackendConfig::new(breaker, &key);
        let breaker_project = world.project(&format!("breaker{number}"), &through, THING);
        let breaker_project = breaker_project.as_run("job/breaker");

        // The http backend of Terraform sends no ID with its UNLOCK, so there is nothing the server could compare.
        if breaker != Http {
            let wrong = ["force-unlock", "-force", "11111111-2222-3333-4444-555555555555"];
            let refused = breaker_project.run(&wrong).failed();
            assert_eq!(world.holder(&config), info, "{breaker:?}: {}", refused.text());
        }
        let id = info["ID"].as_str().unwrap();
        let broken = breaker_project.run(&["force-unlock", "-force", id]);
        assert!(world.is_unlocked(&config), "{breaker:?}: {}", broken.text());
        let _ = broken.succeeded();
        assert_shows_no_lock(&world, &key);
        let _ = breaker_project.run(&["apply", "-auto-approve"]).succeeded();
    }
}

/// No door still shows what was freed.
fn assert_shows_no_lock(world: &World, key: &str) {
    let config = BackendConfig::new(LockFile, key);
    let status = world.admin("GET", "locks", &config, &Value::Null).json();
    assert_eq!(status["locks"], Value::Array(Vec::new()), "{status}");
}

#[test]
fn an_empty_unlock_over_http_frees_the_lock_and_fences_its_holder() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Table, "fleet.tfstate");
    let (project, running) = world.holding("holder", &config);
    let by = BackendConfig::new(Http, "fleet.tfstate");
    let breaker = world.project("breaker", &by, THING).as_run("job/breaker");
    let id = world.holder(&config)["ID"].as_str().unwrap().to_owned();
    breaker.ok(&["force-unlock", "-force", &id]);

    let status = world.admin("GET", "locks", &config, &Value::Null).json();
    assert_eq!(status["fenced"][0]["id"], id.as_str(), "{status}");
    project.write("release", "");
    let refused = running.finish().failed().flowing();
    assert!(
        refused.contains("StateFenced") && refused.contains("errored.tfstate"),
        "{refused}"
    );
}
