//! What a reader of outputs gets of a state.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use tidelock_core::outputs_only;

fn outputs_of(state: &Value) -> Option<Value> {
    outputs_only(&serde_json::to_vec(state).unwrap()).map(|text| serde_json::from_slice(&text).unwrap())
}

fn state() -> Value {
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l",
        "outputs": {"plain": {"value": [1, "a"], "type": ["tuple", ["number", "string"]]}},
        "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{"attributes": {"id": "s3cret"}}]}],
        "check_results": [{"object_kind": "resource", "config_addr": "t.n", "status": "fail",
            "objects": [{"object_addr": "t.n", "status": "fail", "failure_messages": ["s3cret"]}]}],
    })
}

#[test]
fn what_a_state_says_besides_stays_behind() {
    let left = outputs_of(&state()).unwrap();
    assert!(!left.to_string().contains("s3cret"), "{left}");
    let mut odd = state();
    for name in ["Resources", "modules", "encryption", "\u{e9}"] {
        odd[name] = json!("s3cret");
    }
    assert_eq!(outputs_of(&odd).unwrap(), left);
}

#[test]
fn a_state_without_outputs_has_none() {
    for outputs in [None, Some(Value::Null), Some(json!({}))] {
        let mut state = state();
        state.as_object_mut().unwrap().remove("outputs");
        state.as_object_mut().unwrap().remove("terraform_version");
        if let Some(outputs) = &outputs {
            state["outputs"] = outputs.clone();
        }
        let left = outputs_of(&state).unwrap();
        assert_eq!(left["outputs"], json!({}), "{outputs:?}");
        assert_eq!(left.get("terraform_version"), None);
    }
}

#[test]
fn what_cannot_be_told_for_certain_is_not_told() {
    let with = |name: &str, value: Value| {
        let mut state = state();
        state[name] = value;
        state
    };
    for odd in [
        json!({"serial": 7, "lineage": "l", "meta": {}, "encrypted_data": "x", "encryption_version": "v0"}),
        with("encrypted_data", json!("x")),
        with("version", json!(3)),
        with("version", json!("4")),
        with("serial", json!(-1)),
        with("lineage", json!(null)),
        with("outputs", json!([])),
        with("outputs", json!("s3cret")),
        with("outputs", json!({"a": "s3cret"})),
        with("outputs", json!({"a": {"value": "s3cret"}})),
        with("outputs", json!({"a": {"type": "string"}})),
        json!([state()]),
        json!("state"),
    ] {
        assert_eq!(outputs_of(&odd), None, "{odd}");
    }
    let twice =
        br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"outputs":{"a":{"value":1,"type":"number"}}}"#;
    assert_eq!(outputs_only(twice), None);
    let cut = &serde_json::to_vec(&state()).unwrap()[..200];
    assert_eq!(outputs_only(cut), None);
    assert_eq!(outputs_only(&[b'[', 0xff]), None);
}

#[test]
fn deep_values_come_through_without_recursion() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let state = format!(
        r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{"a":{{"value":{deep},"type":"dynamic"}}}},"resources":[{deep}]}}"#
    );
    let text = String::from_utf8(outputs_only(state.as_bytes()).unwrap()).unwrap();
    assert_eq!(text.matches(&deep).count(), 1);
}
