//! `state push -force`: what Terraform no longer checks, the server does, until an operator says otherwise.

use serde_json::{Value, json};
use tidelock_testkit::{
    Backend::{self, Http},
    BackendConfig, Output, Request, Terraform, state_document,
};

use crate::{World, with_each_backend};

with_each_backend! {
    an_older_serial_is_pushed_once_an_operator_has_allowed_it
    another_lineage_is_pushed_once_an_operator_has_allowed_it
}

const LINEAGE: &str = "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1";
const OTHER_LINEAGE: &str = "c1a4b7d8-0f5e-4c39-9d57-2b1f6e8a9c04";

fn an_older_serial_is_pushed_once_an_operator_has_allowed_it(backend: Backend) {
    is_allowed_once(backend, "rewind", [(20, LINEAGE), (10, LINEAGE)]);
}

fn another_lineage_is_pushed_once_an_operator_has_allowed_it(backend: Backend) {
    is_allowed_once(backend, "relineage", [(50, OTHER_LINEAGE), (90, LINEAGE)]);
}

/// Two pushes that need the allowance; it is good for the first.
fn is_allowed_once(backend: Backend, allowance: &str, pushes: [(u64, &str); 2]) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "pushed.tfstate");
    let first = Request::new("POST", &config.http_path(), state_document(30, LINEAGE, "before"));
    assert_eq!(world.server.client().send_basic(&first).status, 200);
    let terraform = world.project("a", &config, "");

    let [(serial, lineage), (later_serial, later_lineage)] = pushes;
    let refused = push(&terraform, serial, lineage, "pushed").failed();
    assert_says_how(backend, allowance, &refused);
    assert_eq!(current(&world, &config)["outputs"]["padding"]["value"], "before");
    assert!(world.is_unlocked(&config), "a refused push gives its lock back");

    let mut allowed = json!({"rewind": false, "relineage": false, "for_ms": 600_000});
    allowed[allowance] = true.into();
    let answer = world.admin("POST", "allow", &config, &allowed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let _ = push(&terraform, serial, lineage, "pushed").succeeded();
    let state = current(&world, &config);
    assert_eq!(state["outputs"]["padding"]["value"], "pushed");
    assert_eq!(state["lineage"], lineage);
    assert!(
        state["serial"].as_u64() <= Some(serial + 1),
        "{}",
        state["serial"]
    );

    let refused = push(&terraform, later_serial, later_lineage, "again").failed();
    assert_says_how(backend, allowance, &refused);
    assert_eq!(current(&world, &config), state, "once only");
}

fn push(terraform: &Terraform<'_>, serial: u64, lineage: &str, padding: &str) -> Output {
    terraform.write("push.tfstate", state_document(serial, lineage, padding));
    terraform.run(&["state", "push", "-force", "push.tfstate"])
}

/// The user reads what to do next. Terraform's http backend shows no more than the status.
fn assert_says_how(backend: Backend, allowance: &str, refused: &Output) {
    let text = refused.flowing();
    let next = match backend {
        Http => "HTTP error: 409".to_owned(),
        _ => format!("tidelock allow tfstate/pushed.tfstate --{allowance}"),
    };
    assert!(text.contains(&next), "{next:?} is not in:\n{text}");
}

fn current(world: &World, config: &BackendConfig) -> Value {
    serde_json::from_slice(&world.stored(config)).unwrap()
}
