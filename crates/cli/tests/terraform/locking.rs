//! Two users and one state: refusal, waiting, giving up.

use serde_json::Value;
use tidelock_testkit::{
    Backend::{self, Http},
    BackendConfig, Output, wait_until,
};

use crate::{ALL, THING, World, at_once, with_each_backend};

with_each_backend! {
    a_second_apply_is_refused_with_the_holder_named_and_succeeds_by_waiting
    a_plan_is_refused_while_an_apply_runs
    an_apply_that_took_no_lock_is_refused_while_another_holds_it
}

fn a_second_apply_is_refused_with_the_holder_named_and_succeeds_by_waiting(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "contested.tfstate");
    let (first, running) = world.holding("first", &config);
    let second = world.project("second", &config, THING);

    let refused = second.run(&["apply", "-auto-approve"]).failed();
    assert_names(backend, &refused, &world.holder(&config));

    let waiting = second.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
    wait_until("it waits", || world.line(&config).last() == Some(&true));
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
    let (first, running) = world.holding("first", &config);
    let second = world.project("second", &config, THING);

    assert_names(backend, &second.run(&["plan"]).failed(), &world.holder(&config));
    let _ = second.run(&["plan", "-lock=false"]).succeeded();
    first.write("release", "");
    let _ = running.finish().succeeded();
    let _ = second.run(&["plan"]).succeeded();
}

fn an_apply_that_took_no_lock_is_refused_while_another_holds_it(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "unlocked.tfstate");
    let (first, running) = world.holding("first", &config);
    let hasty = world.project("hasty", &config, THING).as_run("job/hasty");

    let refused = hasty
        .run(&["apply", "-auto-approve", "-lock=false"])
        .failed()
        .flowing();
    let said = match backend {
        Http => "HTTP error: 423".to_owned(),
        _ => {
            let id = world.holder(&config)["ID"].as_str().unwrap().to_owned();
            format!("terraform force-unlock {id}")
        }
    };
    assert!(
        refused.contains(&said) && refused.contains("errored.tfstate"),
        "{said:?} is not in:\n{refused}"
    );
    first.write("release", "");
    let _ = running.finish().succeeded();
    assert_eq!(first.ok(&["state", "list"]).stdout.trim(), "terraform_data.hold");
}

/// Not the first in line: the request of the first is held for longer than this test should take.
#[test]
fn a_waiter_that_gives_up_names_the_holder() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let config = BackendConfig::new(backend, "given-up.tfstate");
        let (_first, _running) = world.holding("first", &config);
        let ahead = world.project("ahead", &config, THING);
        let _waiting = ahead.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
        world.wait_for_line(&config, &[true]);

        let second = world.project("second", &config, THING);
        let refused = second
            .run(&["apply", "-auto-approve", "-lock-timeout=2s"])
            .failed();
        assert_names(backend, &refused, &world.holder(&config));
    });
}

/// The message tells who holds the lock, word for word as the holder wrote it.
///
/// Terraform's http backend takes the holder's ID from the answer and prints its own info for the rest.
pub(crate) fn assert_names(backend: Backend, refused: &Output, holder: &Value) {
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
