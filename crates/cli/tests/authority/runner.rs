//! The runner with least privilege: everything that its work takes, whichever way it locks.

use serde_json::json;
use tidelock_testkit::{BUCKET, Backend, BackendConfig, Request, Response};

use crate::world::{KEY, THING, World, least, least_without};

#[test]
fn the_least_policy_is_enough_with_the_lock_file() {
    the_least_policy_is_enough(Backend::LockFile);
}

#[test]
fn the_least_policy_is_enough_with_the_lock_table() {
    the_least_policy_is_enough(Backend::Table);
}

#[test]
fn the_least_policy_is_enough_with_both() {
    the_least_policy_is_enough(Backend::Both);
}

#[test]
fn the_least_policy_is_enough_over_http() {
    the_least_policy_is_enough(Backend::Http);
}

fn the_least_policy_is_enough(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, KEY);
    let runner = world.user("runner", &least());
    let project = world.directory("app", &runner, &config, THING);
    project.ok(&["init"]);
    project.ok(&["plan"]);
    project.ok(&["apply", "-auto-approve"]);
    project.ok(&["plan", "-detailed-exitcode"]);
    assert_eq!(
        project.ok(&["state", "list"]).stdout.trim(),
        "terraform_data.thing"
    );
    assert_eq!(project.ok(&["output", "-raw", "name"]).stdout, "outside");

    let (_crashes, running) = world.holding("crashes", &runner, &config);
    let id = world.held().unwrap();
    let refused = project.run(&["apply", "-auto-approve"]).failed();
    assert!(refused.text().contains(&id), "{id} is not in {}", refused.text());
    running.kill9();
    project.ok(&["force-unlock", "-force", &id]);
    assert_eq!(world.held(), None);
    project.ok(&["apply", "-auto-approve"]);
    assert_eq!(
        project.ok(&["state", "list"]).stdout.trim(),
        "terraform_data.thing"
    );
}

/// Word for word what AWS says, and the state is not touched.
#[test]
fn without_the_lock_files_statement_the_lock_is_refused_as_on_aws() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Backend::LockFile, KEY);
    let runner = world.user("runner", &least_without("LockFile"));
    let project = world.directory("app", &runner, &config, THING);
    project.ok(&["init"]);
    let refused = project.run(&["apply", "-auto-approve"]).failed().flowing();
    for expected in [
        "Error acquiring the state lock",
        "operation error S3: PutObject",
        "StatusCode: 403",
        "api error AccessDenied: User: arn:aws:iam::000000000000:user/runner is not authorized to perform: s3:PutObject on resource",
        "terraform.tfstate.tflock",
    ] {
        assert!(refused.contains(expected), "{expected:?} is not in {refused}");
    }
    assert_eq!(state(&world).status, 404);
}

#[test]
fn without_the_lock_tables_statement_the_lock_is_refused_as_on_aws() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Backend::Table, KEY);
    let runner = world.user("runner", &least_without("LockTable"));
    let project = world.directory("app", &runner, &config, THING);
    let init = project.run(&["init"]);
    let refused = match init.status.success() {
        true => project.run(&["apply", "-auto-approve"]),
        false => init,
    };
    let refused = refused.failed().flowing();
    for expected in [
        "AccessDeniedException: User: arn:aws:iam::000000000000:user/runner is not authorized to perform: dynamodb:",
        "table/terraform-locks",
    ] {
        assert!(refused.contains(expected), "{expected:?} is not in {refused}");
    }
    assert_eq!(state(&world).status, 404);
}

/// Where only our own names for it are given.
#[test]
fn tidelock_lock_stands_for_the_lock_file_and_the_table() {
    let Some(world) = World::new() else { return };
    let mut statements = least_without("LockFile");
    statements.retain(|statement| statement["Sid"] != "LockTable");
    statements.push(json!({"Effect": "Allow", "Action": "dynamodb:DescribeTable", "Resource": "*"}));
    statements.push(json!({"Effect": "Allow", "Action": "tidelock:Lock", "Resource": format!("arn:aws:s3:::{BUCKET}/{KEY}")}));
    let runner = world.user("runner", &statements);
    for (name, backend) in [
        ("file", Backend::LockFile),
        ("both", Backend::Both),
        ("http", Backend::Http),
    ] {
        let project = world.directory(name, &runner, &BackendConfig::new(backend, KEY), THING);
        project.ok(&["init"]);
        project.ok(&["apply", "-auto-approve"]);
        assert_eq!(world.held(), None, "{name}");
    }
}

fn state(world: &World) -> Response {
    let get = Request::new("GET", &format!("/{BUCKET}/{KEY}"), "");
    world.server.client().send(&get)
}
