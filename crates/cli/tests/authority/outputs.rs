//! `tidelock:ReadOutputs` alone: enough for `terraform_remote_state`, and for nothing else.

use serde_json::{Value, json};
use tidelock_testkit::{BUCKET, Backend, BackendConfig, Credentials, Request};

use crate::world::{KEY, THING, World};

fn reader(world: &World) -> Credentials {
    let operator = world.server.credentials().clone();
    let owner = world.directory(
        "owner",
        &operator,
        &BackendConfig::new(Backend::LockFile, KEY),
        THING,
    );
    owner.ok(&["init"]);
    owner.ok(&["apply", "-auto-approve"]);
    let allowed = json!({"Effect": "Allow", "Action": "tidelock:ReadOutputs", "Resource": format!("arn:aws:s3:::{BUCKET}/{KEY}")});
    world.user("reader", &[allowed])
}

#[test]
fn another_configuration_reads_the_outputs_over_s3_and_http() {
    let Some(world) = World::new() else { return };
    let reader = reader(&world);
    let address = format!("{}/state/{BUCKET}/{KEY}", world.server.endpoint());
    let s3 = format!(r#"bucket = "{BUCKET}", key = "{KEY}", region = "us-east-1""#);
    let http = format!(r#"address = "{address}""#);
    for (backend, settings) in [("s3", s3), ("http", http)] {
        let consumer = world.bare(backend, &reader);
        let block = format!(
            "data \"terraform_remote_state\" \"app\" {{\n  backend = \"{backend}\"\n  config = {{ {settings} }}\n}}\n\
             output \"name\" {{ value = data.terraform_remote_state.app.outputs.name }}\n"
        );
        consumer.write("main.tf", block);
        consumer.ok(&["init"]);
        consumer.ok(&["apply", "-auto-approve"]);
        assert_eq!(
            consumer.ok(&["output", "-raw", "name"]).stdout,
            "outside",
            "{backend}"
        );
    }
}

#[test]
fn what_the_reader_is_given_has_no_resources() {
    let Some(world) = World::new() else { return };
    let reader = reader(&world);
    let mut client = world.client(&reader);
    let over_s3 = client.send(&Request::new("GET", &format!("/{BUCKET}/{KEY}"), ""));
    let over_http = client.send_basic(&Request::new("GET", &format!("/state/{BUCKET}/{KEY}"), ""));
    for answer in [over_s3, over_http] {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let state = answer.json();
        assert_eq!(state["resources"], json!([]));
        assert_eq!(state["outputs"]["name"]["value"], "outside");
        assert!(!answer.text().contains("inside"), "{}", answer.text());
    }
    let whole = world
        .server
        .client()
        .send(&Request::new("GET", &format!("/{BUCKET}/{KEY}"), ""));
    assert!(whole.text().contains("inside"), "the operator's is whole");
    let versions = format!("/admin/history/{BUCKET}/{KEY}");
    let history: Value = world.ask("GET", &versions, "");
    let version = history["versions"][0]["id"].as_str().unwrap();
    for (method, target) in [
        ("GET", format!("/{BUCKET}/{KEY}?versionId={version}")),
        ("GET", format!("/{BUCKET}/{KEY}?attributes")),
        ("PUT", format!("/{BUCKET}/{KEY}")),
        ("PUT", format!("/{BUCKET}/{KEY}.tflock")),
        ("GET", format!("/{BUCKET}/{KEY}.tflock")),
        ("GET", format!("/{BUCKET}/other.tfstate")),
    ] {
        let answer = client.send(&Request::new(method, &target, ""));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "AccessDenied"),
            "{method} {target}: {}",
            answer.text()
        );
    }
    for (method, target) in [
        ("GET", versions),
        ("GET", format!("/admin/body/{BUCKET}/{KEY}?version={version}")),
        ("POST", format!("/state/{BUCKET}/{KEY}")),
        ("LOCK", format!("/state/{BUCKET}/{KEY}")),
    ] {
        let answer = client.send_basic(&Request::new(method, &target, ""));
        assert_eq!(answer.status, 403, "{method} {target}: {}", answer.text());
    }
}

/// Who works on the state has to lock and write it.
#[test]
fn the_reader_cannot_plan_apply_or_push() {
    let Some(world) = World::new() else { return };
    let reader = reader(&world);
    for backend in [Backend::LockFile, Backend::Http] {
        let name = format!("{backend:?}");
        let project = world.directory(&name, &reader, &BackendConfig::new(backend, KEY), THING);
        project.ok(&["init"]);
        let pulled = project.ok(&["state", "pull"]).stdout;
        assert!(
            pulled.contains("outside") && !pulled.contains("inside"),
            "{pulled}"
        );
        for refused in [
            &["plan"][..],
            &["apply", "-auto-approve"],
            &["apply", "-auto-approve", "-lock=false"],
        ] {
            let refused = project.run(refused).failed();
            let text = refused.flowing();
            // The http backend has other words for the 403 of a lock.
            let is_refused = text.contains("403") || text.contains("invalid auth");
            assert!(is_refused, "{}", refused.text());
        }
    }
}
