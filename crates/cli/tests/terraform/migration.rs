//! Moving a state that exists already: from the disk, from the http backend, from one way of locking to another.

use serde_json::json;
use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile, Table},
    BackendConfig, Terraform,
};

use crate::{THING, World, with_each_backend, with_each_s3_backend};

with_each_backend! {
    a_local_state_moves_in
    a_local_state_moves_to_where_all_was_destroyed
    a_local_state_does_not_replace_another_unless_an_operator_allows_it
}

with_each_s3_backend! {
    a_state_moves_from_http_to_s3
}

fn a_local_state_moves_in(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "moved/in.tfstate");
    let (terraform, local) = with_local_state(&world);

    terraform.write("main.tf", config.hcl(&world.server) + THING);
    terraform.ok(&["init", "-migrate-state", "-force-copy"]);
    assert_eq!(facts(&world.stored(&config)), facts(&local));
    assert!(
        terraform
            .ok(&["plan", "-detailed-exitcode"])
            .stdout
            .contains("No changes")
    );
    assert!(world.is_unlocked(&config), "a migration gives its lock back");
}

fn a_local_state_moves_to_where_all_was_destroyed(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "moved/again.tfstate");
    let before = world.project("before", &config, THING);
    before.ok(&["apply", "-auto-approve"]);
    before.ok(&["destroy", "-auto-approve"]);

    let (terraform, local) = with_local_state(&world);
    terraform.write("main.tf", config.hcl(&world.server) + THING);
    terraform.ok(&["init", "-migrate-state", "-force-copy"]);
    assert_eq!(facts(&world.stored(&config)), facts(&local));
}

fn a_local_state_does_not_replace_another_unless_an_operator_allows_it(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "moved/over.tfstate");
    let before = world.project("before", &config, &THING.replace("first", "before"));
    before.ok(&["apply", "-auto-approve"]);

    let (terraform, local) = with_local_state(&world);
    terraform.write("main.tf", config.hcl(&world.server) + THING);
    let migrate = ["init", "-migrate-state", "-force-copy"];
    let refused = terraform.run(&migrate).failed().flowing();
    let said = match backend {
        Http => "HTTP error: 409",
        _ => "tidelock allow tfstate/moved/over.tfstate --relineage",
    };
    assert!(refused.contains(said), "{said:?} is not in:\n{refused}");
    assert_eq!(before.ok(&["output", "-raw", "thing"]).stdout, "before");

    let allowed = json!({"rewind": false, "relineage": true, "for_ms": 600_000});
    assert_eq!(world.admin("POST", "allow", &config, &allowed).status, 200);
    terraform.ok(&migrate);
    assert_eq!(facts(&world.stored(&config)), facts(&local));
}

/// A project that keeps its state on the disk so far, and that state.
fn with_local_state(world: &World) -> (Terraform<'_>, Vec<u8>) {
    let terraform = world.directory("a");
    terraform.write("main.tf", THING);
    terraform.ok(&["init"]);
    terraform.ok(&["apply", "-auto-approve"]);
    let local = std::fs::read(terraform.path("terraform.tfstate")).unwrap();
    (terraform, local)
}

fn a_state_moves_from_http_to_s3(backend: Backend) {
    let Some(world) = World::new() else { return };
    let from = BackendConfig::new(Http, "from.tfstate");
    let to = BackendConfig::new(backend, "to.tfstate");
    let terraform = world.project("a", &from, THING);
    terraform.ok(&["apply", "-auto-approve"]);

    terraform.write("main.tf", to.hcl(&world.server) + THING);
    terraform.ok(&["init", "-migrate-state", "-force-copy"]);
    assert_eq!(facts(&world.stored(&to)), facts(&world.stored(&from)));
    assert!(
        terraform
            .ok(&["plan", "-detailed-exitcode"])
            .stdout
            .contains("No changes")
    );
    assert!(world.is_unlocked(&from) && world.is_unlocked(&to));
}

#[test]
fn local_workspaces_move_in_together() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(LockFile, "many.tfstate");
    let (terraform, _) = with_local_state(&world);
    terraform.ok(&["workspace", "new", "blue"]);
    terraform.ok(&["apply", "-auto-approve"]);

    terraform.write("main.tf", config.hcl(&world.server) + THING);
    terraform.ok(&["init", "-migrate-state", "-force-copy"]);
    let listed = terraform.ok(&["workspace", "list"]).stdout;
    assert_eq!(
        listed.split_whitespace().collect::<Vec<_>>(),
        ["default", "*", "blue"]
    );
    for workspace in ["default", "blue"] {
        terraform.ok(&["workspace", "select", workspace]);
        assert!(
            terraform
                .ok(&["plan", "-detailed-exitcode"])
                .stdout
                .contains("No changes")
        );
    }
}

#[test]
fn a_project_moves_from_the_table_to_the_lock_file_by_way_of_both() {
    let Some(world) = World::new() else { return };
    let terraform = world.project("a", &BackendConfig::new(Table, "steps.tfstate"), THING);
    terraform.ok(&["apply", "-auto-approve"]);
    for (backend, input) in [(Both, "second"), (LockFile, "third")] {
        let config = BackendConfig::new(backend, "steps.tfstate");
        terraform.write(
            "main.tf",
            config.hcl(&world.server) + &THING.replace("first", input),
        );
        terraform.ok(&["init", "-reconfigure"]);
        terraform.ok(&["apply", "-auto-approve"]);
        assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, input);
        assert!(world.is_unlocked(&config));
    }
}

/// What a migration carries over: Terraform gives the copy a lineage and serials of its own.
fn facts(state: &[u8]) -> serde_json::Value {
    let mut state: serde_json::Value = serde_json::from_slice(state).unwrap();
    state
        .as_object_mut()
        .unwrap()
        .retain(|field, _| field != "serial" && field != "lineage");
    state
}
