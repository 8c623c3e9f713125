//! `tidelock drift`: real resources of the AWS provider that somebody changed behind Terraform's back.

use std::{env, fs};

use serde_json::Value;
use tidelock_operator::layout::Want;
use tidelock_testkit::{Hermetic, Request, Terraform};

use crate::world::{World, wait, worlds};

/// Names the directory that has `registry.terraform.io/hashicorp/aws` in it, unpacked.
const MIRROR: &str = "TIDELOCK_AWS_PROVIDER_MIRROR";

/// Whether Terraform finds the AWS provider now.
fn with_provider(hermetic: &Hermetic) -> bool {
    let Some(mirror) = env::var_os(MIRROR) else {
        assert!(
            env::var("TIDELOCK_REQUIRE_TERRAFORM").as_deref() != Ok("1"),
            "{MIRROR} names no mirror of the AWS provider"
        );
        return false;
    };
    hermetic.configure_terraform(&format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        mirror.display()
    ));
    true
}

fn resources(bucket: &str) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    aws = {{ source = "registry.terraform.io/hashicorp/aws" }}
  }}
}}
provider "aws" {{
  s3_use_path_style = true
}}
resource "aws_s3_object" "kept" {{
  bucket  = "{bucket}"
  key     = "kept"
  content = "x"
  tags    = {{ owner = sensitive("hush-hush"), team = "infra" }}
}}
resource "aws_s3_object" "gone" {{
  bucket  = "{bucket}"
  key     = "gone"
  content = "x"
}}
"#
    )
}

/// Changes what `resources` has made.
fn meddle(world: &World) {
    let tags = "<Tagging><TagSet><Tag><Key>owner</Key><Value>hush-other</Value></Tag>\
                <Tag><Key>team</Key><Value>other</Value></Tag></TagSet></Tagging>";
    let mut client = world.store.client();
    let tagged = client.send(&Request::new(
        "PUT",
        &format!("/{}/kept?tagging", world.bucket),
        tags,
    ));
    assert_eq!(tagged.status, 200, "{}", tagged.text());
    let deleted = client.send(&Request::new("DELETE", &format!("/{}/gone", world.bucket), ""));
    assert_eq!(deleted.status, 204, "{}", deleted.text());
}

#[test]
fn drift_is_found_in_many_directories_without_a_lock_and_without_a_secret() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        if !with_provider(&world.hermetic) {
            return;
        }
        let app = world.terraform(&binary, "work/live/app", "app", "use_lockfile = true");
        app.write("resources.tf", resources(&world.bucket));
        let quiet = world.terraform(&binary, "work/live/quiet", "quiet", "use_lockfile = true");
        quiet.write("output.tf", "output \"o\" {\n  value = 1\n}\n");
        for terraform in [&app, &quiet] {
            terraform.ok(&["init", "-input=false"]);
            terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        }
        assert!(
            world
                .says(&["drift", "live/quiet"], 0)
                .stdout
                .contains("live/quiet  no drift")
        );
        meddle(&world);
        // Somebody applies meanwhile; neither waits for the other.
        let layout = world.layout();
        let held = wait(layout.take("app", &want())).unwrap();
        let said = world.says(&["drift", "live", "--json", "--html", "drift.html"], 1);
        wait(held.release(&layout)).unwrap();
        assert!(!said.text().contains("hush"), "{}", said.text());
        let lines: Vec<Value> = said
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let results: Vec<_> = lines
            .iter()
            .map(|line| (&line["directory"], &line["result"]))
            .collect();
        assert_eq!(
            results,
            [
                (&"live/app".into(), &"drift".into()),
                (&"live/quiet".into(), &"none".into())
            ]
        );
        let changed = |address: &str| {
            let resources = lines[0]["resources"].as_array().unwrap();
            let changed = resources.iter().find(|changed| changed["address"] == address);
            changed.unwrap().clone()
        };
        assert_eq!(changed("aws_s3_object.gone")["action"], "delete");
        let kept = changed("aws_s3_object.kept");
        let value = |path: &str| {
            let mut values = kept["values"].as_array().unwrap().iter();
            values.find(|value| value["path"] == path).unwrap().clone()
        };
        assert_eq!(value("tags.team")["after"], "other");
        assert_eq!(value("tags.owner")["sensitive"], true);
        // Where the provider repeats it, no mark is.
        assert_eq!(value("tags_all.owner")["sensitive"], true);
        let page = fs::read_to_string(world.workdir().join("drift.html")).unwrap();
        assert!(
            page.contains("aws_s3_object.kept") && page.contains("&quot;infra&quot;"),
            "{page}"
        );
        for absent in ["hush", "<script", "http://", "https://"] {
            assert!(!page.contains(absent), "{absent}: {page}");
        }
    }
}

fn want() -> Want {
    Want {
        id: "11111111-2222-3333-4444-555555555555".to_owned(),
        operation: "OperationTypeApply".to_owned(),
        who: "ann@desk".to_owned(),
        info: String::new(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}

#[test]
fn a_directory_that_cannot_be_checked_is_said_and_init_mends_one() {
    let Some(binary) = Terraform::find() else { return };
    let world = worlds().remove(0);
    let fresh = world.terraform(&binary, "work/live/fresh", "fresh", "use_lockfile = true");
    fresh.write(
        "output.tf",
        "variable \"v\" {}\noutput \"o\" {\n  value = var.v\n}\n",
    );
    let said = world.says(&["drift", "live", "--", "-var=v=1"], 2);
    assert!(
        said.stdout.contains("live/fresh  could not be checked") && said.stdout.contains("drift --init"),
        "{}",
        said.text()
    );
    assert!(
        said.stdout
            .contains("1 directory: 0 with drift, 1 could not be checked")
    );
    let mended = world.says(&["drift", "live", "--init", "--", "-var=v=1"], 1);
    assert!(mended.stdout.contains("+ o  null -> \"1\""), "{}", mended.text());
    fresh.ok(&["apply", "-auto-approve", "-input=false", "-var=v=1"]);
    world.says(&["drift", "live", "--", "-var=v=1"], 0);
    let failed = world.says(&["drift", "live"], 2);
    assert!(
        failed.stdout.contains("No value for required variable"),
        "{}",
        failed.text()
    );
}

#[test]
fn what_cannot_be_looked_for_is_a_fault_of_usage() {
    let world = worlds().remove(0);
    fs::create_dir_all(world.workdir().join("empty")).unwrap();
    let said = world.says(&["drift", "empty"], 2);
    assert!(
        said.stderr.contains("no directory with a backend block in empty"),
        "{}",
        said.text()
    );
    let said = world.says(&["drift", "none"], 2);
    assert!(said.stderr.contains("cannot read none"), "{}", said.text());
    let said = world.says(&["drift", "--terraform", "/nonexistent/terraform", "."], 2);
    assert!(said.stderr.contains("no directory"), "{}", said.text());
}
