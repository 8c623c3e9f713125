//! Plans, and what differs in them.
#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

fn resource(before: Value, after: Value, before_sensitive: Value, after_sensitive: Value) -> Drift {
    let change = json!({
        "actions": ["update"], "before": before, "after": after,
        "before_sensitive": before_sensitive, "after_sensitive": after_sensitive,
    });
    let plan = json!({ "format_version": "1.2", "resource_drift": [{ "address": "r.a", "change": change }] });
    drift(plan.to_string().as_bytes()).unwrap()
}

fn lines(drift: &Drift) -> Vec<String> {
    let values = drift.resources.iter().flat_map(|changed| &changed.values);
    values
        .map(|value| match (&value.before, &value.after) {
            (Some(before), Some(after)) => format!("{} {before} {after}", value.path),
            _ => format!("{} hidden", value.path),
        })
        .collect()
}

#[test]
fn values_are_compared_down_to_where_they_differ() {
    let before = json!({ "id": "x", "tags": { "a": "1", "b.c": "2" }, "rules": [{ "port": 1 }], "set": ["x"], "on": true });
    let after = json!({ "id": "x", "tags": { "a": "2", "d": "3" }, "rules": [{ "port": 2 }], "set": ["x", "y"], "on": false });
    assert_eq!(
        lines(&resource(before, after, json!({}), json!({}))),
        [
            "on true false",
            "rules[0].port 1 2",
            r#"set ["x"] ["x","y"]"#,
            r#"tags.a "1" "2""#,
            r#"tags["b.c"] "2" null"#,
            r#"tags.d null "3""#,
        ]
    );
}

#[test]
fn nothing_and_none_of_something_are_the_same() {
    let before = json!({ "metadata": null, "list": [], "text": "" });
    let after = json!({ "metadata": {}, "list": null });
    assert!(resource(before, after, json!({}), json!({})).is_none());
    let zero = resource(
        json!({ "size": null }),
        json!({ "size": 0 }),
        json!({}),
        json!({}),
    );
    assert_eq!(lines(&zero), ["size null 0"]);
}

#[test]
fn what_is_marked_is_hidden_wherever_it_stands() {
    let before = json!({ "tags": { "owner": "hush-1" }, "all": { "owner": "hush-1", "team": "a" }, "doc": "x hush-1 y", "n": 1 });
    let after = json!({ "tags": { "owner": "hush-2" }, "all": { "owner": "hush-2", "team": "b" }, "doc": "x hush-2 y", "n": 2 });
    let marks = json!({ "tags": { "owner": true }, "all": {} });
    let drift = resource(before, after, marks.clone(), marks);
    assert_eq!(
        lines(&drift),
        [
            "all.owner hidden",
            r#"all.team "a" "b""#,
            "doc hidden",
            "n 1 2",
            "tags.owner hidden"
        ]
    );
    assert!(!serde_json::to_string(&drift).unwrap().contains("hush"));
    let marked_whole = resource(
        json!({ "k": { "a": "hush" } }),
        json!({ "k": { "a": "b" } }),
        json!({ "k": true }),
        json!({}),
    );
    assert_eq!(lines(&marked_whole), ["k hidden"]);
    let below = resource(
        json!({ "k": ["hush"] }),
        json!({ "k": [1, 2] }),
        json!({ "k": [true] }),
        json!({}),
    );
    assert_eq!(lines(&below), ["k hidden"]);
    let whole = resource(
        json!({ "k": "hush" }),
        json!({ "k": "b" }),
        json!(true),
        json!({}),
    );
    assert_eq!(lines(&whole), [" hidden"]);
}

#[test]
fn what_looks_like_a_secret_is_hidden_without_a_mark() {
    let token = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5");
    let before =
        json!({ "user_data": "", "db": { "password": "a" }, "etag": "9dd4e461268c8034f5c8564e155c67a6" });
    let after = json!({
        "user_data": format!("export T={token}"), "db": { "password": "xK9#mQ2$vL7@pR4!" },
        "etag": "415290769594460e2e485922904f345d",
    });
    let drift = resource(before, after, json!({}), json!({}));
    assert_eq!(
        lines(&drift),
        [
            "db.password hidden",
            r#"etag "9dd4e461268c8034f5c8564e155c67a6" "415290769594460e2e485922904f345d""#,
            "user_data hidden"
        ]
    );
    let of_key = resource(
        json!({ "m": {} }),
        json!({ "m": { token.clone(): 1 } }),
        json!({}),
        json!({}),
    );
    assert!(
        !serde_json::to_string(&of_key).unwrap().contains(&token),
        "{of_key:?}"
    );
}

#[test]
fn what_is_gone_has_no_values_and_what_only_moved_is_no_drift() {
    let plan = json!({
        "format_version": "1.2",
        "resource_drift": [
            { "address": "r.gone", "change": { "actions": ["delete"], "before": { "k": "v" }, "after": null, "after_sensitive": false } },
            { "address": "r.old", "deposed": "1a2b", "change": { "actions": ["delete"], "before": {} } },
            { "address": "r.moved", "previous_address": "r.x", "change": { "actions": ["no-op"], "before": 1, "after": 1 } },
        ],
        "output_changes": {
            "same": { "actions": ["no-op"], "before": "a", "after": "a" },
            "url": { "actions": ["update"], "before": "a", "after": "b", "before_sensitive": false },
            "key": { "actions": ["create"], "before": null, "after": "hush", "after_sensitive": true },
        },
    });
    let drift = drift(plan.to_string().as_bytes()).unwrap();
    let text = serde_json::to_value(&drift).unwrap();
    assert_eq!(
        text,
        json!({
            "resources": [
                { "address": "r.gone", "action": "delete", "values": [] },
                { "address": "r.old (deposed 1a2b)", "action": "delete", "values": [] },
            ],
            "outputs": [
                { "address": "key", "action": "create", "values": [{ "path": "", "sensitive": true }] },
                { "address": "url", "action": "update", "values": [{ "path": "", "sensitive": false, "before": "a", "after": "b" }] },
            ],
        })
    );
}

#[test]
fn what_is_no_plan_is_refused_and_an_empty_one_has_no_drift() {
    assert!(drift(br#"{"format_version": "1.2"}"#).unwrap().is_none());
    for text in [
        "",
        "[]",
        "{}",
        "Error",
        r#"{"format_version": "2.0"}"#,
        r#"{"format_version": "1.2", "resource_drift": [{"change": "hush"}]}"#,
    ] {
        let fault = drift(text.as_bytes()).unwrap_err();
        assert!(!fault.contains("hush"), "{fault}");
    }
}
