//! The backend of a directory: where stock Terraform wrote is where `backend::find` says that the state is.

use std::collections::BTreeSet;

use tidelock_operator::backend::{self, Backend, BackendError};
use tidelock_testkit::{BUCKET, Request, Terraform};

use crate::{THING, World};

/// All names in the bucket, as addresses.
fn addresses(world: &World) -> BTreeSet<String> {
    let listed = world
        .server
        .client()
        .send(&Request::new("GET", &format!("/{BUCKET}?list-type=2"), ""))
        .text();
    let names = listed.split("<Key>").skip(1);
    let names = names.filter_map(|rest| rest.split("</Key>").next());
    names.map(|key| format!("{BUCKET}/{key}")).collect()
}

/// As a command in this directory would find it, with the variables that Terraform has there.
fn find(world: &World, terraform: &Terraform<'_>, given: &[&str]) -> Result<Backend, BackendError> {
    let credentials = world.server.credentials();
    let environment = |name: &str| match name {
        "HOME" => Some(world.hermetic.home().display().to_string()),
        "AWS_ENDPOINT_URL" => Some(world.server.endpoint().to_owned()),
        "AWS_ACCESS_KEY_ID" | "TF_HTTP_USERNAME" => Some(credentials.access_key_id.clone()),
        "AWS_SECRET_ACCESS_KEY" | "TF_HTTP_PASSWORD" => Some(credentials.secret_access_key.clone()),
        _ => None,
    };
    let given: Vec<String> = given.iter().map(|&given| given.to_owned()).collect();
    backend::find(&terraform.path(""), &given, &environment)
}

/// Runs these commands, and checks that the one state they have made is the one that is found.
fn makes_what_is_found(world: &World, terraform: &Terraform<'_>, commands: &[&[&str]]) -> String {
    let before = addresses(world);
    for command in commands {
        let _ = terraform.ok(command);
    }
    let found = find(world, terraform, &[]).unwrap();
    let address = found.address.to_string();
    let after = addresses(world);
    let made: Vec<&String> = after.difference(&before).collect();
    assert_eq!(made, [&address]);
    assert_eq!(found.endpoint.as_deref(), Some(world.server.endpoint()));
    assert_eq!(
        found.keys.unwrap().access_key_id,
        world.server.credentials().access_key_id
    );
    address
}

const APPLY: &[&str] = &["apply", "-auto-approve"];

#[test]
fn a_partial_block_leads_to_the_state_of_each_workspace() {
    let Some(world) = World::new() else { return };
    let terraform = world.directory("partial");
    let block = "terraform {\n backend \"s3\" {\n  region = \"eu-north-1\"\n  use_lockfile = true\n }\n}\n";
    terraform.write("main.tf", block.to_owned() + THING);
    let endpoint = world.server.endpoint();
    let given = format!(
        "bucket = \"{BUCKET}\"\nworkspace_key_prefix = \"teams/a\"\nendpoints = {{ s3 = \"{endpoint}\" }}\nuse_path_style = true\n"
    );
    terraform.write("state.tfbackend", given);
    let init = [
        "init",
        "-backend-config=state.tfbackend",
        "-backend-config=key=net/a b.tfstate",
    ];
    let address = makes_what_is_found(&world, &terraform, &[&init, APPLY]);
    assert_eq!(address, format!("{BUCKET}/net/a b.tfstate"));

    let address = makes_what_is_found(&world, &terraform, &[&["workspace", "new", "live"], APPLY]);
    assert_eq!(address, format!("{BUCKET}/teams/a/live/net/a b.tfstate"));
    terraform.ok(&["workspace", "select", "default"]);
    let again = find(&world, &terraform, &["state.tfbackend", "key=net/a b.tfstate"]).unwrap();
    assert_eq!(again.address.to_string(), format!("{BUCKET}/net/a b.tfstate"));
    assert!(again.lock_file && again.table.is_none());
    assert_eq!(again.region.as_deref(), Some("eu-north-1"));
}

#[test]
fn a_block_in_json_and_its_override_lead_to_the_state() {
    let Some(world) = World::new() else { return };
    let terraform = world.directory("json");
    let block = |key: &str| {
        format!(
            r#"{{"terraform": [{{"backend": {{"s3": {{"bucket": "{BUCKET}", "key": "{key}", "region": "eu-north-1", "dynamodb_table": "terraform-locks"}}}}}}]}}"#
        )
    };
    terraform.write("main.tf.json", block("main"));
    terraform.write("z_override.tf.json", block("./over/$ridden"));
    terraform.write("thing.tf", THING);
    let address = makes_what_is_found(&world, &terraform, &[&["init"], &["workspace", "new", "w"]]);
    assert_eq!(address, format!("{BUCKET}/env:/w/over/$ridden"));
    let found = find(&world, &terraform, &[]).unwrap();
    assert_eq!(found.table.as_deref(), Some("terraform-locks"));
}

#[test]
fn an_http_backend_leads_to_the_state() {
    let Some(world) = World::new() else { return };
    let terraform = world.directory("http");
    terraform.write(
        "main.tf",
        format!("terraform {{\n backend \"http\" {{}}\n}}\n{THING}"),
    );
    let url = format!("{}/state/{BUCKET}/net/a%20b.tfstate", world.server.endpoint());
    let given = format!("-backend-config=address={url}");
    let address = makes_what_is_found(&world, &terraform, &[&["init", &given], APPLY]);
    assert_eq!(address, format!("{BUCKET}/net/a b.tfstate"));
}

#[test]
fn a_block_that_terraform_refuses_after_a_change_is_refused_here_until_init_has_run() {
    let Some(world) = World::new() else { return };
    let terraform = world.directory("changed");
    let block = |key: &str| {
        format!(
            "terraform {{\n backend \"s3\" {{\n  bucket = \"{BUCKET}\"\n  key = \"{key}\"\n }}\n}}\n{THING}"
        )
    };
    terraform.write("main.tf", block("first"));
    makes_what_is_found(&world, &terraform, &[&["init"], APPLY]);
    terraform.write("main.tf", block("second"));
    let refused = terraform.run(&["plan"]).failed().flowing();
    assert!(refused.contains("Backend initialization required"), "{refused}");
    let fault = find(&world, &terraform, &[]).unwrap_err().to_string();
    assert!(
        fault.contains("main.tf:4 sets key to \"second\", but init recorded \"first\""),
        "{fault}"
    );
    let address = makes_what_is_found(&world, &terraform, &[&["init", "-reconfigure"], APPLY]);
    assert_eq!(address, format!("{BUCKET}/second"));
}
