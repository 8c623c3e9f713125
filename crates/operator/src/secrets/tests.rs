//! States with secrets of every kind in them, and one without.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

/// Put together here, so that no scanner takes this file for a leak.
fn token(prefix: &str, length: usize) -> String {
    let alphabet = b"q7Rz3Kx9Lm2Vb8Nc4Td6Wf1Hj5Gs0PyAeUiBoCuDkEwFvXtYZnJrMhQgSlOpIa";
    let body = (0..length).map(|at| char::from(alphabet[at * 7 % alphabet.len()]));
    prefix.to_owned() + &body.collect::<String>()
}

fn hex(prefix: &str, length: usize) -> String {
    let body = (0..length).map(|at| char::from(b"0123456789abcdef"[at * 7 % 16]));
    prefix.to_owned() + &body.collect::<String>()
}

fn state(attributes: &Value, outputs: &Value) -> Vec<u8> {
    let state = json!({
        "version": 4, "serial": 1, "lineage": "l", "terraform_version": "1.11.4",
        "outputs": outputs,
        "resources": [{
            "mode": "managed", "type": "aws_db_instance", "name": "a",
            "provider": "module.m.provider[\"registry.terraform.io/hashicorp/aws\"].west",
            "instances": [{
                "schema_version": 2,
                "attributes": attributes,
                "sensitive_attributes": [[{"type": "get_attr", "value": "marked"}]],
                "private": "c2VjcmV0",
            }],
        }],
    });
    serde_json::to_vec(&state).unwrap()
}

fn found(attributes: &Value, schemas: &Schemas) -> Vec<String> {
    let found = find(&state(attributes, &json!({})), schemas).unwrap();
    let line = |finding: &Finding| {
        let kinds: Vec<_> = finding.kinds.iter().map(|kind| kind.word()).collect();
        format!(
            "{} {} {}",
            finding.path,
            kinds.join("+"),
            finding.token.unwrap_or("-")
        )
    };
    found.findings.iter().map(line).collect()
}

#[test]
fn tokens_are_known_by_their_form_wherever_they_stand() {
    for (text, name) in [
        (token("ghp_", 36), "GitHub token"),
        (token("github_pat_", 82), "GitHub token"),
        (token("glpat-", 20), "GitLab token"),
        (token("xoxb-", 50), "Slack token"),
        (token("sk_live_", 24), "Stripe key"),
        (token("AIza", 35), "Google API key"),
        (token("npm_", 36), "npm token"),
        (token("hvs.", 90), "Vault token"),
        (token("pypi-", 170), "PyPI token"),
        (token("SG.", 22) + "." + &token("", 43), "SendGrid API key"),
        (token("sk-ant-api03-", 90), "Anthropic API key"),
        (token("hf_", 34), "Hugging Face token"),
        (hex("dop_v1_", 64), "DigitalOcean token"),
        (hex("pul-", 40), "Pulumi token"),
        (hex("rubygems_", 48), "RubyGems API key"),
        (format!("AKIA{}", "QWERTZ2345ABCDEF"), "AWS access key ID"),
        (
            token("", 14) + ".atlasv1." + &token("", 67),
            "HCP Terraform token",
        ),
        (
            format!("ab{}8Q~{}", "c", token("", 34)),
            "Microsoft Entra client secret",
        ),
        (token("", 86) + "==", "Azure storage or service key"),
        (
            format!("{}{}{}", tokens::SLACK_WEBHOOK, "T0123/B0123/", token("", 40)),
            "Slack webhook",
        ),
        (
            format!("eyJ{}.eyJ{}.{}", token("", 20), token("", 40), token("", 43)),
            "JSON Web Token",
        ),
        (
            format!(
                "-----BEGIN {0} KEY-----\nMII\n-----END {0} KEY-----\n",
                "RSA PRIVATE"
            ),
            "private key",
        ),
        (
            format!("postgres://app:{}@db:5432/app", "s3cr3t"),
            "password in a URL",
        ),
    ] {
        for text in [
            text.clone(),
            format!("#!/bin/sh\nexport IT=\"{text}\"\n"),
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("run --with {text} \n")),
        ] {
            let hit = tokens::in_text(&text).unwrap_or_else(|| panic!("{name}: {text}"));
            assert_eq!(hit.name, name, "{text}");
        }
    }
}

#[test]
fn what_only_resembles_a_token_is_none() {
    for text in [
        "ghp_short",
        "ghp_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "AKIAIOSFODNN7EXAMPLE",
        "xghp_q7Rz3Kx9Lm2Vb8Nc4Td6Wf1Hj5Gs0PyAeUiB",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "https://user@example.com/path",
        "postgres://app:${PASSWORD}@db/app",
        "https://example.com/a:b@c",
        "task-definition/key-pair",
        "",
    ] {
        assert_eq!(tokens::in_text(text), None, "{text}");
    }
}

#[test]
fn a_value_is_found_once_with_every_reason() {
    let schemas = json!({"format_version": "1.0", "provider_schemas": {"registry.terraform.io/hashicorp/aws": {
        "resource_schemas": {"aws_db_instance": {"version": 2, "block": {
            "attributes": {
                "password": {"type": "string", "sensitive": true},
                "port": {"type": "number", "optional": true},
                "master": {"nested_type": {"nesting_mode": "list", "attributes": {
                    "pin": {"type": "number", "sensitive": true}, "user": {"type": "string"},
                }}},
            },
            "block_types": {"restore": {"nesting_mode": "list", "block": {"attributes": {
                "phrase": {"type": "string", "sensitive": true},
            }}}},
        }}},
        "data_source_schemas": {"aws_db_instance": {"block": {"attributes": {"port": {"sensitive": true}}}}},
    }}});
    let schemas = Schemas::read(schemas.to_string().as_bytes()).unwrap();
    let attributes = json!({
        "password": "hunter2",
        "port": 5432,
        "master": [{"pin": 1234, "user": "admin"}],
        "restore": [{"phrase": "x"}],
        "marked": {"a": [true, null], "b": token("ghp_", 36)},
        "tags": {"Name": "plain"},
        "user_data": format!("curl -u {}", token("glpat-", 20)),
    });
    assert_eq!(
        found(&attributes, &schemas),
        [
            "marked.a[0] sensitive -",
            "marked.b sensitive+token+entropy GitHub token",
            "master[0].pin schema -",
            "password schema+entropy -",
            "restore[0].phrase schema -",
            "user_data token+entropy GitLab token",
        ]
    );
    let without: Vec<_> = found(&attributes, &Schemas::default());
    assert_eq!(without.len(), 4, "{without:?}");
}

#[test]
fn no_secret_is_in_what_is_handed_out_even_where_it_is_a_key() {
    let secret = token("ghp_", 36);
    let attributes = json!({"tags": {(secret.as_str()): secret}, "password": "hunter2"});
    let outputs = json!({"o": {"value": {"a": secret}, "sensitive": true}});
    let found = find(&state(&attributes, &outputs), &Schemas::default()).unwrap();
    assert_eq!(found.findings.len(), 3);
    let shown = format!("{found:?} {}", serde_json::to_string(&found.findings).unwrap());
    assert!(!shown.contains(&secret) && !shown.contains("hunter2"), "{shown}");
    assert_eq!(found.findings[1].path, "tags.(GitHub token)");
    assert_eq!(found.findings[2].address, "output.o");
}

#[test]
fn schemas_that_are_none_are_refused() {
    let error = Schemas::read(&b"Error: no configuration"[..]).unwrap_err();
    assert!(
        error.to_string().contains("terraform providers schema -json"),
        "{error}"
    );
    assert!(
        Schemas::read(&b"{\"format_version\":\"1.0\"}"[..])
            .unwrap()
            .is_empty()
    );
}
