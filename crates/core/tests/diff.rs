//! What a comparison of two states says, and that it says the same as a plain comparison of the whole documents.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidelock_core::diff::{Counts, Diff, DiffError, Kind, Sensitive};

fn state(serial: u64, resources: Value, outputs: Value) -> Vec<u8> {
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l",
        "outputs": outputs, "resources": resources, "check_results": null,
    });
    serde_json::to_vec_pretty(&state).unwrap()
}

fn bucket(instances: Value) -> Value {
    json!({"mode": "managed", "type": "aws_s3_bucket", "name": "b", "provider": "p", "instances": instances})
}

fn one(attributes: Value) -> Vec<u8> {
    state(1, json!([bucket(json!([{"attributes": attributes}]))]), json!({}))
}

fn between(old: &[u8], new: &[u8]) -> Diff {
    Diff::between(old, new, Sensitive::Hide).unwrap()
}

/// `KIND PATH OLD NEW` of every value of the first resource that differs.
fn values(diff: &Diff) -> Vec<String> {
    let json = |value: &Option<tidelock_core::diff::Value>| {
        value
            .as_ref()
            .map_or("_".to_owned(), |value| value.as_json().to_owned())
    };
    let values = diff.resources[0].values.iter();
    values
        .map(|value| {
            let (old, new) = (json(&value.old), json(&value.new));
            format!("{} {} {old} {new}", value.kind, value.path)
        })
        .collect()
}

#[test]
fn values_are_named_by_their_path() {
    let old = one(json!({
        "id": "i", "acl": null, "tags": {"Name": "a", "a.b": "x"}, "ingress": [{"port": 1}, {"port": 2}], "gone": 1
    }));
    let new = one(json!({
        "id": "i", "acl": "private", "tags": {"Name": "b", "a.b": "y"}, "ingress": [{"port": 1}, {"port": 3}], "gone": null
    }));
    assert_eq!(
        values(&between(&old, &new)),
        [
            r#"+ acl _ "private""#,
            "- gone 1 _",
            "~ ingress[1].port 2 3",
            r#"~ tags.Name "a" "b""#,
            r#"~ tags["a.b"] "x" "y""#,
        ]
    );
}

#[test]
fn an_element_put_into_a_list_is_one_addition() {
    let (old, new) = (
        one(json!({"s": ["a", "c", "d"]})),
        one(json!({"s": ["a", "b", "c", "d"]})),
    );
    assert_eq!(values(&between(&old, &new)), [r#"+ s[1] _ "b""#]);
    assert_eq!(values(&between(&new, &old)), [r#"- s[1] "b" _"#]);
}

#[test]
fn addresses_are_as_terraform_prints_them() {
    let resource = |module: Value, mode: &str, instances: Value| json!({"module": module, "mode": mode, "type": "t", "name": "n", "provider": "p", "instances": instances});
    let mut root = resource(Value::Null, "data", json!([{"attributes": {"id": "x"}}]));
    root.as_object_mut().unwrap().remove("module");
    let new = state(
        1,
        json!([
            root,
            resource(
                json!(r#"module.a["x"].module.b[1]"#),
                "managed",
                json!([
                    {"index_key": 10}, {"index_key": 9}, {"index_key": "k\"${}"}, {"index_key": "k\"${}", "deposed": "0a1b2c3d"}
                ])
            ),
        ]),
        json!({"url": {"value": "u", "type": "string"}}),
    );
    let diff = between(&state(1, json!([]), json!({})), &new);
    let names: Vec<_> = diff
        .resources
        .iter()
        .chain(&diff.outputs)
        .map(|change| {
            (
                change.address.as_str(),
                change.deposed.as_deref(),
                change.id.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("data.t.n", None, Some("x")),
            (r#"module.a["x"].module.b[1].t.n[9]"#, None, None),
            (r#"module.a["x"].module.b[1].t.n[10]"#, None, None),
            (r#"module.a["x"].module.b[1].t.n["k\"$${}"]"#, None, None),
            (
                r#"module.a["x"].module.b[1].t.n["k\"$${}"]"#,
                Some("0a1b2c3d"),
                None
            ),
            ("output.url", None, None),
        ]
    );
    assert_eq!((diff.counts().added, diff.output_counts().added), (5, 1));
}

#[test]
fn what_terraform_notes_beside_the_attributes_counts() {
    let old = state(
        1,
        json!([bucket(json!([{"attributes": {}, "private": "c2VjcmV0"}]))]),
        json!({}),
    );
    let new = state(
        1,
        json!([bucket(
            json!([{"attributes": {}, "private": "b3RoZXI=", "status": "tainted", "dependencies": ["a.b"]}])
        )]),
        json!({}),
    );
    assert_eq!(
        values(&between(&old, &new)),
        [
            r#"+ (dependencies) _ ["a.b"]"#,
            "~ (private) _ _",
            r#"+ (status) _ "tainted""#
        ]
    );
}

/// `terraform_data` and `kubernetes_manifest` take any type: a state has the value and its type, a mark only the value.
#[test]
fn a_sensitive_part_of_an_attribute_of_any_type_is_hidden() {
    let dynamic = |name: &str, port: u64, password: &str| {
        let input = json!({
            "value": {"name": name, "port": [port], "value": {"password": password}},
            "type": ["object", {"name": "string", "port": ["tuple", ["number"]], "value": ["object", {"password": "string"}]}],
        });
        let mark = |name: &str| json!({"type": "get_attr", "value": name});
        let index = json!({"type": "index", "value": {"value": 0, "type": "number"}});
        let marks = json!([
            [mark("input"), mark("value"), mark("password")],
            [mark("input"), mark("port"), index],
        ]);
        let instance = json!({"attributes": {"id": "i", "input": input}, "sensitive_attributes": marks});
        state(1, json!([bucket(json!([instance]))]), json!({}))
    };
    let (old, new) = (dynamic("a", 1, "old secret"), dynamic("b", 2, "new secret"));
    assert_eq!(
        values(&between(&old, &new)),
        [
            r#"~ input.value.name "a" "b""#,
            "~ input.value.port[0] _ _",
            "~ input.value.value.password _ _",
        ]
    );
    let whole = one(json!({"id": "i", "input": null}));
    assert_eq!(values(&between(&whole, &new))[1], "+ input _ _");
}

#[test]
fn sensitive_values_are_hidden_with_what_is_around_and_inside_them() {
    let with = |secret: Value| {
        let instance = json!({
            "attributes": {"password": secret, "list": [{"key": secret}], "open": secret, "late": {"deep": secret}},
            "sensitive_attributes": [
                [{"type": "get_attr", "value": "password"}],
                [{"type": "get_attr", "value": "list"}, {"type": "index", "value": {"value": 0, "type": "number"}}],
                [{"type": "get_attr", "value": "late"}, {"type": "get_attr", "value": "deep"}, {"type": "get_attr", "value": "er"}],
            ],
        });
        let output = json!({"value": {"x": secret}, "type": ["object", {}], "sensitive": true});
        state(1, json!([bucket(json!([instance]))]), json!({"o": output}))
    };
    let (old, new) = (with(json!("alpha")), with(json!("omega")));
    let diff = between(&old, &new);
    assert_eq!(
        values(&diff),
        [
            "~ late.deep _ _",
            "~ list[0].key _ _",
            r#"~ open "alpha" "omega""#,
            "~ password _ _"
        ]
    );
    assert!(
        diff.outputs[0]
            .values
            .iter()
            .all(|value| value.sensitive && value.new.is_none())
    );
    let shown = Diff::between(&old, &new, Sensitive::Show).unwrap();
    assert_eq!(values(&shown)[3], r#"~ password "alpha" "omega""#);
    assert!(shown.resources[0].values[3].sensitive);
    assert!(!format!("{shown:?}").contains("omega"));
}

#[test]
fn a_mark_that_cannot_be_read_hides_everything() {
    let with = |secret: &str| {
        let instance = json!({"attributes": {"id": secret}, "sensitive_attributes": {"surprise": 1}});
        state(
            1,
            json!([bucket(json!([instance]))]),
            json!({"o": {"value": secret, "sensitive": "yes"}}),
        )
    };
    let diff = between(&with("alpha"), &with("omega"));
    assert!(!serde_json::to_string(&diff).unwrap().contains("omega"));
    assert!(!diff.to_string().contains("omega"));
}

#[test]
fn of_an_encrypted_state_only_the_header_is_compared() {
    let sealed = br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"AAAA","encryption_version":"v0"}"#;
    let diff = between(&state(2, json!([]), json!({})), sealed);
    assert!(!diff.compared && !diff.is_empty() && diff.new.serial == 3);
    assert!(diff.to_string().contains("encrypted"));
    assert!(between(sealed, sealed).is_empty());
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_side() {
    let fine = state(1, json!([]), json!({}));
    let deep =
        one(serde_json::from_str(&format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100))).unwrap());
    let deeper = String::from_utf8(deep.clone()).unwrap().replace('1', "2");
    for (old, new, why) in [
        (&b"{}"[..], &fine[..], "the old state cannot be read"),
        (
            &fine,
            br#"{"version":3,"serial":1,"lineage":"l"}"#,
            "the new state has format version 3",
        ),
        (
            &fine,
            br#"{"version":4,"serial":1,"lineage":"l","resources":7}"#,
            "the new state is damaged: `resources`",
        ),
        (
            &fine,
            br#"{"version":4,"serial":1,"lineage":"l","resources":[{}]}"#,
            "the new state is damaged: a resource",
        ),
        (
            &fine,
            br#"{"version":4,"serial":1,"lineage":"l","outputs":{"a":1}}"#,
            "the new state is damaged: an output",
        ),
        (
            &deep,
            deeper.as_bytes(),
            "a value of aws_s3_bucket.b is nested more than",
        ),
    ] {
        let error = Diff::between(old, new, Sensitive::Hide).unwrap_err();
        assert!(error.to_string().starts_with(why), "{error}");
    }
    let huge = vec![b' '; tidelock_core::limits::DIFF_STATE_BYTES_MAX + 1];
    assert!(matches!(
        Diff::between(&huge, &fine, Sensitive::Hide),
        Err(DiffError::TooLarge(_))
    ));
}

#[test]
fn a_million_levels_do_not_exhaust_the_stack() {
    let nested = |x: &str| {
        let value = format!("{}{x}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        format!(
            r#"{{"version":4,"serial":1,"lineage":"l","resources":[{{"mode":"managed","type":"t","name":"n","instances":[{{"attributes":{{"a":{value}}}}}]}}]}}"#
        )
    };
    let refused = Diff::between(nested("1").as_bytes(), nested("2").as_bytes(), Sensitive::Hide);
    assert!(matches!(refused, Err(DiffError::TooDeep { .. })));
}

#[test]
fn the_list_ends_where_nobody_reads_on_and_the_rest_is_counted() {
    let many = |x: u64| one(json!({"a": vec![x; 100_010]}));
    let diff = between(&many(1), &many(2));
    assert_eq!(
        (diff.resources[0].values.len(), diff.resources[0].omitted),
        (100_000, 10)
    );
}

#[test]
fn the_text_is_short_and_in_the_signs_of_a_plan() {
    let long = |end: &str| format!("{}{end}", "x".repeat(200));
    let old = state(
        4,
        json!([bucket(
            json!([{"attributes": {"id": "i", "policy": long("old"), "tags": {"Name": "a"}}}])
        )]),
        json!({"url": {"value": "a", "type": "string"}}),
    );
    let mut queue = bucket(json!([{"attributes": {"id": "q-1\u{9b}2J"}}]));
    queue["type"] = json!("aws_sqs_queue");
    let new = state(
        6,
        json!([
            bucket(json!([{"attributes": {"id": "i", "policy": long("new"), "tags": {"Name": "b"}}}])),
            queue
        ]),
        json!({"url": {"value": "b", "type": "string"}}),
    );
    assert_eq!(
        between(&old, &new).to_string(),
        r#"serial     4 -> 6

~ aws_s3_bucket.b
    ~ policy     …xxxxxxxxxxxxold" -> …xxxxxxxxxxxxnew"
    ~ tags.Name  "a" -> "b"
+ aws_sqs_queue.b  id q-1\u009b2J
~ output.url  "a" -> "b"

resources  +1 ~1 -0
outputs    +0 ~1 -0
"#
    );
    let json = serde_json::to_value(between(&old, &new)).unwrap();
    assert_eq!(
        json["resources"][0]["values"][1],
        json!({"path": "tags.Name", "kind": "changed", "old": "a", "new": "b"})
    );
    assert_eq!(json["counts"], json!({"added": 1, "changed": 1, "removed": 0}));
}

/// Attributes by module, name and index.
type Model = BTreeMap<(String, String, u64), Value>;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_u64).prop_map(Value::from),
        "[a-c\"\\\\\n ]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c.]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn model() -> impl Strategy<Value = Model> {
    let key = (
        prop_oneof![Just(String::new()), Just("module.m".to_owned())],
        "[ab]",
        0..3_u64,
    );
    let attributes = prop::collection::btree_map("[a-c]", value(), 0..4);
    let attributes = attributes.prop_map(|map| Value::Object(map.into_iter().collect()));
    prop::collection::btree_map(key, attributes, 0..6)
}

fn body(model: &Model) -> Value {
    let mut resources: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for ((module, name, index), attributes) in model {
        let instance = json!({"index_key": index, "schema_version": 0, "attributes": attributes});
        resources.entry((module, name)).or_default().push(instance);
    }
    let resources: Vec<_> = resources
        .into_iter()
        .map(|((module, name), instances)| {
            json!({"module": module, "mode": "managed", "type": "t", "name": name, "provider": "p", "instances": instances})
        })
        .collect();
    json!({"version": 4, "terraform_version": "1", "serial": 1, "lineage": "l", "outputs": {}, "resources": resources})
}

/// The value without members that are `null`.
fn meant(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), meant(value)))
                    .collect(),
            )
        }
        Value::Array(elements) => elements.iter().map(meant).collect(),
        other => other.clone(),
    }
}

fn naive(old: &Model, new: &Model) -> Counts {
    let both = old
        .iter()
        .filter_map(|(key, old)| new.get(key).map(|new| (old, new)));
    Counts {
        added: new.keys().filter(|key| !old.contains_key(*key)).count(),
        changed: both.filter(|(old, new)| meant(old) != meant(new)).count(),
        removed: old.keys().filter(|key| !new.contains_key(*key)).count(),
    }
}

proptest! {
    #[test]
    fn it_finds_what_a_comparison_of_the_whole_documents_finds(old in model(), new in model()) {
        let diff = between(&serde_json::to_vec(&body(&old)).unwrap(), &serde_json::to_vec_pretty(&body(&new)).unwrap());
        prop_assert_eq!(diff.counts(), naive(&old, &new));
    }

    #[test]
    fn a_state_does_not_differ_from_itself_however_it_is_spaced(model in model()) {
        let body = body(&model);
        let (tight, wide) = (serde_json::to_vec(&body).unwrap(), serde_json::to_vec_pretty(&body).unwrap());
        prop_assert!(between(&tight, &tight).is_empty());
        prop_assert!(between(&tight, &wide).is_empty());
    }

    #[test]
    fn swapped_sides_swap_added_and_removed(old in model(), new in model()) {
        let (old, new) = (serde_json::to_vec(&body(&old)).unwrap(), serde_json::to_vec(&body(&new)).unwrap());
        let (there, back) = (between(&old, &new), between(&new, &old));
        let mirrored = |kind: Kind| match kind {
            Kind::Added => Kind::Removed,
            Kind::Changed => Kind::Changed,
            Kind::Removed => Kind::Added,
        };
        let named = |diff: &Diff, turn: &dyn Fn(Kind) -> Kind| -> Vec<String> {
            let lines = diff.resources.iter().flat_map(|change| {
                let own = std::iter::once(format!("{} {}", turn(change.kind), change.address));
                own.chain(change.values.iter().map(|value| format!("{} {}", turn(value.kind), value.path)))
            });
            lines.collect()
        };
        prop_assert_eq!(named(&there, &|kind| kind), named(&back, &mirrored));
    }

    #[test]
    fn no_bytes_make_it_panic(mut old in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>(), model in model()) {
        let fine = serde_json::to_vec(&body(&model)).unwrap();
        let _ = Diff::between(&old, &fine, Sensitive::Show);
        old.clone_from(&fine);
        let at = at.index(old.len());
        old[at] = byte;
        for sides in [[&old, &fine], [&fine, &old]] {
            if let Ok(diff) = Diff::between(sides[0], sides[1], Sensitive::Show) {
                prop_assert!(serde_json::to_value(&diff).is_ok());
                prop_assert!(!diff.to_string().is_empty());
            }
        }
    }
}
