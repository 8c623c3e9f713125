//! Two outputs of `terraform show -json` compared, knowing nothing of how the program under test compares states.
//!
//! Both comparisons are brought into one form: by address what happened, and by path the values of old and new.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What differs, by the address of the resource or output.
pub(crate) type Differences = BTreeMap<String, Difference>;

/// What happened to one resource or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `added`, `changed` or `removed`.
    pub(crate) kind: String,
    /// By path: the old value, the new one (`null` where there is none), and whether they are sensitive.
    pub(crate) values: BTreeMap<String, (Value, Value, bool)>,
}

/// The attributes of `terraform_data` that take any type: a state has `{"value":…,"type":…}` where Terraform shows the value.
const DYNAMIC: [&str; 3] = ["input", "output", "triggers_replace"];

/// By the outputs of `terraform show -json`.
pub(crate) fn between(old: &Value, new: &Value) -> Differences {
    let (before, after) = (resources(old), resources(new));
    let mut differences = Differences::new();
    for address in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (before.get(address), after.get(address));
        differences.extend(resource(old, new).map(|difference| (address.clone(), difference)));
    }
    let outputs = |state: &Value| {
        state["values"]["outputs"]
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    let (before, after) = (outputs(old), outputs(new));
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let found = output(before.get(name), after.get(name));
        differences.extend(found.map(|difference| (format!("output.{name}"), difference)));
    }
    differences
}

/// As `tidelock diff --json` has it, without what it tells of Terraform's own notes and types.
pub(crate) fn told(diff: &Value) -> Differences {
    let changes = ["resources", "outputs"].map(|part| diff[part].as_array().unwrap().clone());
    let changes = changes.concat();
    let one = |change: &Value| {
        let mut values = BTreeMap::new();
        for value in change["values"].as_array().unwrap_or(&Vec::new()) {
            let path = value["path"].as_str().unwrap();
            let is_type = DYNAMIC.iter().any(|name| {
                path.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(".type"))
            });
            if path.starts_with('(') || is_type {
                continue;
            }
            let side = |side: &str| match &value[side] {
                Value::Object(wrapped) if DYNAMIC.contains(&path) => wrapped["value"].clone(),
                other => other.clone(),
            };
            let sensitive = value["sensitive"] == true;
            values.insert(path.to_owned(), (side("old"), side("new"), sensitive));
        }
        let kind = change["kind"].as_str().unwrap().to_owned();
        let address = change["address"].as_str().unwrap().to_owned();
        assert_eq!(change.get("omitted"), None, "all values are listed");
        (address, Difference { kind, values })
    };
    let differences: Differences = changes.iter().map(one).collect();
    assert_eq!(differences.len(), changes.len(), "one entry an address");
    differences
}

/// How many resources were added, changed and removed, as a history counts them.
pub(crate) fn counts(differences: &Differences) -> Value {
    let count = |kind: &str| {
        let of_kind = |(address, difference): &(&String, &Difference)| {
            !address.starts_with("output.") && difference.kind == kind
        };
        differences.iter().filter(of_kind).count()
    };
    json!({"added": count("added"), "changed": count("changed"), "removed": count("removed")})
}

/// The instances of all modules, by address.
pub(crate) fn resources(state: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut modules = vec![&state["values"]["root_module"]];
    while let Some(module) = modules.pop() {
        for resource in module["resources"].as_array().into_iter().flatten() {
            found.insert(resource["address"].as_str().unwrap().to_owned(), resource.clone());
        }
        modules.extend(module["child_modules"].as_array().into_iter().flatten());
    }
    found
}

fn resource(old: Option<&Value>, new: Option<&Value>) -> Option<Difference> {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (old, _) => return Some(Difference::whole(old.is_some())),
    };
    let mut values = BTreeMap::new();
    let marks = [&old["sensitive_values"], &new["sensitive_values"]];
    walk("", &old["values"], &new["values"], &marks, &mut values);
    let beside = ["depends_on", "sensitive_values", "schema_version", "tainted"];
    let differs = !values.is_empty() || beside.iter().any(|name| old[name] != new[name]);
    differs.then(|| Difference {
        kind: "changed".to_owned(),
        values,
    })
}

fn output(old: Option<&Value>, new: Option<&Value>) -> Option<Difference> {
    let (none, mut values) = (json!({}), BTreeMap::new());
    let (before, after) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let marks = [&before["sensitive"], &after["sensitive"]];
    walk("", &before["value"], &after["value"], &marks, &mut values);
    let kind = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(old), Some(new)) if old == new => return None,
        _ => "changed",
    };
    Some(Difference {
        kind: kind.to_owned(),
        values,
    })
}

impl Difference {
    fn whole(removed: bool) -> Difference {
        Difference {
            kind: if removed { "removed" } else { "added" }.to_owned(),
            values: BTreeMap::new(),
        }
    }
}

/// Notes the values that differ below `path`; `marks` are what Terraform shows as sensitive there, on both sides.
fn walk(
    path: &str,
    old: &Value,
    new: &Value,
    marks: &[&Value; 2],
    values: &mut BTreeMap<String, (Value, Value, bool)>,
) {
    if old == new {
        return;
    }
    let wrapped = DYNAMIC.contains(&path) && !old.is_null() && !new.is_null();
    let path = if wrapped {
        format!("{path}.value")
    } else {
        path.to_owned()
    };
    let below = |step: Value| {
        marks.map(|mark| match (mark, &step) {
            (Value::Bool(true), _) => mark,
            (_, Value::String(key)) => &mark[key.as_str()],
            (_, index) => &mark[index.as_u64().unwrap() as usize],
        })
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let (old, new) = (member(old, key), member(new, key));
                walk(&joined(&path, key), old, new, &below(json!(key)), values);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for at in 0..old.len().max(new.len()) {
                let (old, new) = (
                    old.get(at).unwrap_or(&Value::Null),
                    new.get(at).unwrap_or(&Value::Null),
                );
                walk(&format!("{path}[{at}]"), old, new, &below(json!(at)), values);
            }
        }
        _ => {
            let sensitive = marks.iter().any(|mark| **mark == true);
            values.insert(path, (old.clone(), new.clone(), sensitive));
        }
    }
}

fn member<'a>(object: &'a Map<String, Value>, key: &str) -> &'a Value {
    object.get(key).unwrap_or(&Value::Null)
}

/// As people write it: keys with anything but letters, digits and `_` in quotes.
fn joined(path: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_alphanumeric() || c == '_');
    match (plain, path) {
        (true, "") => key.to_owned(),
        (true, path) => format!("{path}.{key}"),
        (false, path) => format!("{path}[\"{key}\"]"),
    }
}
