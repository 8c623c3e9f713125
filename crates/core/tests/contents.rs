//! What a state says is in it, in short.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tidelock_core::{
    Pattern,
    diff::{Contents, DiffError, Sensitive},
};

fn state() -> Vec<u8> {
    let resource = |module: Value, mode: &str, kind: &str, instances: Value| {
        let mut resource = json!({"mode": mode, "type": kind, "name": "n",
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": instances});
        if !module.is_null() {
            resource["module"] = module;
        }
        resource
    };
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l",
        "outputs": {"plain": {"value": [1, "a"], "type": "string"}, "hidden": {"value": "s3cret", "type": "string", "sensitive": true}},
        "resources": [
            resource(json!("module.a[\"x.y\"]"), "managed", "t", json!([
                {"index_key": 0, "attributes": {"id": "i-0"}},
                {"index_key": 1, "deposed": "0badcafe", "attributes": {"id": "i-1"}},
            ])),
            resource(Value::Null, "data", "t", json!([{"attributes": {"id": "s3cret"},
                "sensitive_attributes": [[{"type": "get_attr", "value": "id"}]]}])),
        ],
    });
    serde_json::to_vec(&state).unwrap()
}

#[test]
fn resources_and_outputs_are_named_and_secrets_are_not_told() {
    let contents = Contents::read(&state(), Sensitive::Hide).unwrap();
    assert_eq!((contents.header.serial, contents.sealed), (7, false));
    let told = serde_json::to_value(&contents).unwrap();
    let provider = "provider[\"registry.terraform.io/hashicorp/aws\"]";
    assert_eq!(
        told["resources"],
        json!([
            {"address": "data.t.n", "mode": "data", "type": "t", "provider": provider},
            {"address": "module.a[\"x.y\"].t.n[0]", "mode": "managed", "type": "t", "provider": provider, "id": "i-0"},
            {"address": "module.a[\"x.y\"].t.n[1]", "deposed": "0badcafe", "mode": "managed", "type": "t", "provider": provider,
             "id": "i-1"},
        ])
    );
    assert_eq!(
        told["outputs"],
        json!([{"name": "hidden", "sensitive": true}, {"name": "plain", "sensitive": false, "value": [1, "a"]}])
    );
    assert!(!format!("{contents:?}{told}").contains("s3cret"));
    let shown = serde_json::to_string(&Contents::read(&state(), Sensitive::Show).unwrap()).unwrap();
    assert_eq!(shown.matches("s3cret").count(), 2, "{shown}");
}

#[test]
fn a_resource_is_meant_by_its_address_and_by_that_in_its_module() {
    let contents = Contents::read(&state(), Sensitive::Hide).unwrap();
    let meant = |pattern: &str| {
        let pattern = Pattern::parse(pattern).unwrap();
        let found = contents.resources.iter().filter(|one| one.is_meant_by(&pattern));
        found.count()
    };
    for (pattern, count) in [
        ("t.n", 2),
        ("t.n[0]", 1),
        ("module.a", 2),
        ("data.t.n", 1),
        ("n", 0),
        ("*.n", 3),
    ] {
        assert_eq!(meant(pattern), count, "{pattern}");
    }
    assert_eq!(contents.resources[1].local_address(), "t.n[0]");
}

#[test]
fn an_encrypted_state_shows_its_header_and_another_body_says_what_is_wrong() {
    let sealed = br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"x","encryption_version":"v0"}"#;
    let contents = Contents::read(sealed, Sensitive::Hide).unwrap();
    assert!(contents.sealed && contents.resources.is_empty() && contents.header.serial == 3);
    let why = |body: &str| {
        Contents::read(body.as_bytes(), Sensitive::Hide)
            .unwrap_err()
            .to_string()
    };
    assert!(why("[]").starts_with("the state cannot be read: "));
    assert!(why(r#"{"version":3,"serial":1,"lineage":"l"}"#).starts_with("the state has format version 3"));
    let damaged = r#"{"version":4,"serial":1,"lineage":"l","resources":[{"mode":"s3cret"}]}"#;
    assert_eq!(
        why(damaged),
        "the state is damaged: a resource is not as Terraform writes it"
    );
    let deep = format!(
        r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{"o":{{"value":{}{}}}}}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let error = Contents::read(deep.as_bytes(), Sensitive::Hide).unwrap_err();
    assert!(matches!(error, DiffError::TooDeep { address } if address == "output.o"));
}

proptest! {
    #[test]
    fn a_state_that_is_damaged_anywhere_is_read_or_refused(at in 0..1_200_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = state();
        let at = at.min(body.len() - 1);
        match cut {
            true => body.truncate(at),
            false => body[at] = byte,
        }
        if let Ok(contents) = Contents::read(&body, Sensitive::Hide) {
            for resource in &contents.resources {
                prop_assert!(resource.address.ends_with(resource.local_address()));
            }
        }
    }

    #[test]
    fn a_pattern_means_every_beginning_that_ends_with_a_whole_name(
        address in r#"(module\.[ab]{1,2}(\["[a.\[]{0,2}"\])?\.){0,2}[ab]{1,2}\.[ab]{1,2}(\[[01]\])?"#,
    ) {
        for (at, next) in address.char_indices().filter(|(_, next)| ['.', '['].contains(next)) {
            if at > 0 {
                prop_assert!(Pattern::parse(&address[..at]).unwrap().matches(&address), "{at} {next}");
            }
        }
        let ending = format!("*{}", &address[address.len() / 2..]);
        for pattern in [&address, &ending] {
            prop_assert!(Pattern::parse(pattern).unwrap().matches(&address));
        }
        let longer = format!("{address}x");
        prop_assert!(!Pattern::parse(&longer).unwrap().matches(&address));
        prop_assert!(!Pattern::parse(&address).unwrap().matches(&longer));
    }
}
