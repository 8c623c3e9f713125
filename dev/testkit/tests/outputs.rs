//! What a reader of outputs gets of states as Terraform writes them, and what Terraform makes of it.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use tidelock_core::{StateHeader, outputs_only};
use tidelock_testkit::{Hermetic, Output, States, Terraform};

#[test]
fn a_state_keeps_its_header_and_its_outputs_and_nothing_of_its_resources() {
    let mut states = States::new(5, 60);
    for _ in 0..5 {
        states.apply();
        let whole = states.document();
        let text = outputs_only(&whole).unwrap();
        assert_eq!(outputs_only(&whole).unwrap(), text, "the same bytes again");
        let (whole_header, header) = (
            StateHeader::parse(&whole).unwrap(),
            StateHeader::parse(&text).unwrap(),
        );
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let left: Value = serde_json::from_slice(&text).unwrap();
        assert!(!whole["resources"].as_array().unwrap().is_empty());
        let mut wanted = whole;
        (wanted["resources"], wanted["check_results"]) = (json!([]), Value::Null);
        assert_eq!(left, wanted);
        assert_eq!(header, whole_header);
    }
}

#[test]
fn an_output_stands_as_it_stood_with_its_type_and_its_mark() {
    let states = States::new(7, 20);
    let (whole, text) = (states.document(), outputs_only(&states.document()).unwrap());
    let outputs = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let from = text.find("\"outputs\"").unwrap();
        text[from..text.find("\"resources\"").unwrap()].to_owned()
    };
    assert_eq!(outputs(&text), outputs(&whole), "byte for byte");
    let left: Value = serde_json::from_slice(&text).unwrap();
    let password = &left["outputs"]["master_password"];
    assert_eq!(password["sensitive"], true);
    assert_eq!(password["type"], "string");
    assert_eq!(left["outputs"]["zones"]["type"], json!(["list", "string"]));
}

const READER: &str = r#"
data "terraform_remote_state" "other" {
  backend = "local"
  config  = { path = "other.tfstate" }
}
output "seen" {
  value     = data.terraform_remote_state.other.outputs
  sensitive = true
}
output "last_zone" {
  value = data.terraform_remote_state.other.outputs.zones[length(data.terraform_remote_state.other.outputs.zones) - 1]
}
"#;

#[test]
fn terraform_remote_state_reads_the_same_outputs_as_from_the_whole_state() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let states = States::new(9, 40);
    let seen = |name: &str, state: &[u8]| -> Value {
        let hermetic = Hermetic::new();
        let dir = hermetic.workdir(name);
        std::fs::write(dir.join("other.tfstate"), state).unwrap();
        std::fs::write(dir.join("main.tf"), READER).unwrap();
        let run = |args: &[&str]| {
            let mut command = hermetic.command(&terraform, &dir);
            command.args(args);
            Output::of(command).succeeded()
        };
        let _ = run(&["init"]);
        let _ = run(&["apply", "-auto-approve"]);
        serde_json::from_str(&run(&["output", "-json"]).stdout).unwrap()
    };
    let whole = states.document();
    let from_outputs = seen("outputs", &outputs_only(&whole).unwrap());
    assert_eq!(from_outputs, seen("whole", &whole));
    assert!(
        from_outputs["seen"]["value"]["master_password"].is_string(),
        "{from_outputs}"
    );
}
