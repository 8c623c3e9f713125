//! `tidelock secrets` on states that real Terraform wrote, on both stores: places and reasons, never values.

use std::{fs, io::Write, process::Stdio};

use serde_json::Value;
use tidelock_testkit::{States, Terraform};

use crate::{common::command, world::worlds};

const CONFIG: &str = r#"
variable "db" {
  sensitive = true
  default   = "Tr0ub4dor&3"
}
resource "terraform_data" "db" {
  input = { password = var.db, host = "db.internal" }
}
resource "terraform_data" "script" {
  for_each = toset(["web"])
  input    = "curl -H 'authorization: ${join("_", ["ghp", "q7Rz3Kx9Lm2Vb8Nc4Td6Wf1Hj5Gs0PyAeUiB"])}' https://example.com"
}
output "db" {
  value     = var.db
  sensitive = true
}
"#;

const VALUES: [&str; 2] = ["Tr0ub4dor", "q7Rz3Kx9Lm2Vb8Nc4Td6Wf1Hj5Gs0PyAeUiB"];

#[test]
fn secrets_in_the_backends_state_are_told_by_their_place_and_never_by_their_value() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let terraform = world.terraform(&binary, "app", "team/app.tfstate", "use_lockfile = true");
        terraform.write("main.tf", CONFIG);
        terraform.ok(&["init", "-input=false"]);
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        let dir = terraform.path("");
        let found = world.says_in(&dir, &["secrets"], 0);
        assert_eq!(
            found.stdout,
            format!(
                "{}/team/app.tfstate\n  \
                 terraform_data.db  input.password  sensitive, entropy\n  \
                 terraform_data.db  output.password  entropy\n  \
                 terraform_data.script[\"web\"]  input  token (GitHub token), entropy\n  \
                 terraform_data.script[\"web\"]  output  token (GitHub token), entropy\n  \
                 output.db  (value)  sensitive\n\
                 5 secrets in 1 of 1 state\n",
                world.bucket
            )
        );
        for (kinds, status) in [("token", 1), ("schema", 0), ("any", 1), ("schema,sensitive", 1)] {
            let failing = world.says_in(
                &dir,
                &["secrets", "--json", "--schema", "--fail-on", kinds],
                status,
            );
            for shown in [&failing, &found] {
                assert!(
                    VALUES.iter().all(|value| !shown.text().contains(value)),
                    "{}",
                    shown.text()
                );
            }
            let first: Value = serde_json::from_str(failing.stdout.lines().next().unwrap()).unwrap();
            assert_eq!(first["address"], "terraform_data.db");
            assert_eq!(first["kinds"], serde_json::json!(["sensitive", "entropy"]));
        }
        world.says(&["secrets", "--bucket", &world.bucket, "--key", "nothing"], 7);
    }
}

#[test]
fn many_states_are_looked_through_and_what_is_none_is_passed_over() {
    for world in worlds() {
        let plain = r#"{"version":4,"serial":1,"lineage":"l","resources":[],"outputs":{"n":{"value":"plain","type":"string"}}}"#;
        let secret = plain.replace("\"n\"", "\"api_token\"");
        for number in 0..40 {
            let body = if number % 20 == 7 { &secret } else { plain };
            world
                .store
                .put(&world.bucket, &format!("many/{number:02}.tfstate"), body);
        }
        world.store.put(&world.bucket, "many/notes.txt", "no state");
        world.store.put(&world.bucket, "other.tfstate", secret.as_str());
        let encrypted =
            r#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"eA==","encryption_version":"v0"}"#;
        let listed = ["secrets", "--bucket", &world.bucket, "--prefix", "many/"];
        let found = world.says(&listed, 0).stdout;
        assert!(
            found.ends_with("No secret in 40 states\n"),
            "\"plain\" is no secret: {found}"
        );
        let token = secret
            .replace("\"serial\":1", "\"serial\":2")
            .replace("plain", "q7Rz3Kx9Lm2Vb8Nc4Td6");
        for number in [7, 27] {
            world.store.put(
                &world.bucket,
                &format!("many/{number:02}.tfstate"),
                token.as_str(),
            );
        }
        let found = world.says(&listed, 0).stdout;
        assert!(
            found.contains("many/07.tfstate\n  output.api_token  (value)  entropy\n"),
            "{found}"
        );
        assert!(found.ends_with("2 secrets in 2 of 40 states\n"), "{found}");
        world.store.put(&world.bucket, "many/sealed.tfstate", encrypted);
        let found = world.says(&[&listed[..], &["--json"]].concat(), 1).stdout;
        let sealed = found.lines().find(|line| line.contains("sealed")).unwrap();
        assert!(sealed.contains("encrypted by OpenTofu"), "{sealed}");
    }
}

#[test]
fn a_state_as_a_file_is_looked_through_and_a_realistic_one_shows_no_false_alarms() {
    let world = crate::world::tidelock_alone();
    let body = States::new(7, 400).document();
    let file = world.workdir().join("real.tfstate");
    fs::write(&file, &body).unwrap();
    let found = world
        .says(&["secrets", file.to_str().unwrap(), "--json"], 0)
        .stdout;
    let unmarked = found.lines().filter(|line| !line.contains("\"sensitive\""));
    for line in unmarked {
        let finding: Value = serde_json::from_str(line).unwrap();
        let path = finding["path"].as_str().unwrap();
        assert!(path.contains("password") || path.contains("secret"), "{line}");
    }
    assert!(!found.is_empty());
    let is_directory = world.says(&["secrets", "."], 2).stderr;
    assert!(is_directory.starts_with("tidelock: .: "), "{is_directory}");
    let mut command = command(&world.hermetic, &["secrets", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert!(piped.status.success());
    let piped = String::from_utf8(piped.stdout).unwrap();
    assert!(
        piped.ends_with(&format!("{} secrets in 1 of 1 state\n", found.lines().count())),
        "{piped}"
    );
}
