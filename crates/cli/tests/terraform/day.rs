//! The commands of an ordinary day.

use serde_json::Value;
use tidelock_testkit::{Backend, BackendConfig};

use crate::{THING, World, with_each_backend, with_each_s3_backend};

with_each_backend! {
    a_state_is_planned_applied_shown_and_destroyed
    a_state_is_pulled_changed_and_pushed_back
    a_push_of_an_older_serial_is_refused
}

with_each_s3_backend! {
    workspaces_are_made_listed_selected_and_deleted
}

fn a_state_is_planned_applied_shown_and_destroyed(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "day/terraform.tfstate");
    let terraform = world.project("a", &config, THING);

    assert!(terraform.ok(&["plan"]).stdout.contains("1 to add"));
    assert!(
        terraform
            .ok(&["apply", "-auto-approve"])
            .stdout
            .contains("1 added")
    );
    assert!(world.is_unlocked(&config), "an apply gives its lock back");
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "first");
    assert!(
        terraform
            .ok(&["plan", "-detailed-exitcode"])
            .stdout
            .contains("No changes")
    );

    let elsewhere = world.project("b", &config, &THING.replace("first", "second"));
    assert_eq!(
        elsewhere.ok(&["output", "-raw", "thing"]).stdout,
        "first",
        "another checkout sees it"
    );
    assert!(
        elsewhere
            .ok(&["apply", "-auto-approve"])
            .stdout
            .contains("1 changed")
    );
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "second");

    assert!(
        terraform
            .ok(&["destroy", "-auto-approve"])
            .stdout
            .contains("1 destroyed")
    );
    assert!(elsewhere.ok(&["state", "list"]).stdout.is_empty());
    assert!(world.is_unlocked(&config), "a destroy gives its lock back");
}

fn a_state_is_pulled_changed_and_pushed_back(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "pulled.tfstate");
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["apply", "-auto-approve"]);

    let pulled = terraform.ok(&["state", "pull"]).stdout;
    assert_eq!(
        pulled.trim_end().as_bytes(),
        world.stored(&config).trim_ascii_end(),
        "byte for byte"
    );
    let mut state: Value = serde_json::from_str(&pulled).unwrap();
    let serial = state["serial"].as_u64().unwrap() + 1;
    state["serial"] = serial.into();
    state["outputs"]["thing"]["value"] = "pushed".into();
    terraform.write("new.tfstate", state.to_string());
    terraform.ok(&["state", "push", "new.tfstate"]);

    let stored: Value = serde_json::from_slice(&world.stored(&config)).unwrap();
    assert!(
        stored["serial"].as_u64() >= Some(serial),
        "{} after {serial}",
        stored["serial"]
    );
    assert_eq!(stored["lineage"], state["lineage"]);
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "pushed");
    assert!(world.is_unlocked(&config), "a push gives its lock back");
}

fn a_push_of_an_older_serial_is_refused(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "older.tfstate");
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["apply", "-auto-approve"]);
    let pulled = terraform.ok(&["state", "pull"]).stdout;
    let mut older: Value = serde_json::from_str(&pulled).unwrap();
    older["serial"] = 0.into();
    terraform.write("older.tfstate", older.to_string());

    let _ = terraform.run(&["state", "push", "older.tfstate"]).failed();
    assert_eq!(terraform.ok(&["state", "pull"]).stdout, pulled);
    assert!(world.is_unlocked(&config), "a refused push gives its lock back");
}

fn workspaces_are_made_listed_selected_and_deleted(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "team/network.tfstate");
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["workspace", "new", "blue"]);
    terraform.write(
        "main.tf",
        config.hcl(&world.server) + &THING.replace("first", "blue"),
    );
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["workspace", "new", "green"]);

    let listed = terraform.ok(&["workspace", "list"]).stdout;
    let names: Vec<&str> = listed.split_whitespace().collect();
    assert_eq!(names, ["default", "blue", "*", "green"]);
    let blue = BackendConfig::new(backend, "env:/blue/team/network.tfstate");
    assert!(
        String::from_utf8(world.stored(&blue))
            .unwrap()
            .contains("\"blue\""),
        "where Terraform puts it"
    );

    terraform.ok(&["workspace", "select", "default"]);
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "first");
    terraform.ok(&["workspace", "select", "blue"]);
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "blue");

    terraform.ok(&["workspace", "delete", "green"]);
    let full = terraform.run(&["workspace", "delete", "default"]).failed();
    assert!(full.text().contains("default"), "{}", full.text());
    let names = terraform.ok(&["workspace", "list"]).stdout;
    assert_eq!(
        names.split_whitespace().collect::<Vec<_>>(),
        ["default", "*", "blue"]
    );
    assert!(world.is_unlocked(&config) && world.is_unlocked(&blue));
}

/// What people have in their backend blocks beside the address and the lock.
#[test]
fn settings_of_real_backend_blocks_are_accepted() {
    let Some(world) = World::new() else { return };
    let under_a_key = format!("encrypt = true\nkms_key_id = \"{}\"", world.kms_key());
    let settings = [
        "encrypt = true",
        "encrypt = true\nacl = \"bucket-owner-full-control\"",
        under_a_key.as_str(),
        "encrypt = true\nsse_customer_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"",
        "skip_credentials_validation = true\nskip_metadata_api_check = true\nuse_path_style = true",
    ];
    for (number, settings) in settings.into_iter().enumerate() {
        let config = BackendConfig::new(Backend::Both, &format!("settings/{number}.tfstate"));
        let block = config
            .hcl(&world.server)
            .replace("backend \"s3\" {", &format!("backend \"s3\" {{\n{settings}"));
        for (place, result) in [("a", "1 added"), ("b", "0 added, 0 changed, 0 destroyed")] {
            let terraform = world.directory(&format!("{place}{number}"));
            terraform.write("main.tf", block.clone() + THING);
            terraform.ok(&["init"]);
            let applied = terraform.ok(&["apply", "-auto-approve"]).stdout;
            assert!(applied.contains(result), "{settings}: {applied}");
        }
        assert!(world.is_unlocked(&config), "{settings}");
    }
}
