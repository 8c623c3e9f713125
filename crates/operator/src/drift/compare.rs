//! What a refresh-only plan found, value by value; what is a secret anywhere in it is shown nowhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Action, Changed, Difference, Drift, hidden::Secrets};
use crate::secrets::masked;

/// What is read of `terraform show -json PLAN`.
///
/// Source: "JSON Output Format" in Terraform's documentation.
#[derive(Deserialize)]
struct Plan {
    format_version: String,
    #[serde(default)]
    resource_drift: Vec<Resource>,
    #[serde(default)]
    output_changes: BTreeMap<String, Change>,
}

#[derive(Deserialize)]
struct Resource {
    address: String,
    deposed: Option<String>,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    actions: Vec<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    before_sensitive: Value,
    #[serde(default)]
    after_sensitive: Value,
}

/// Reads a plan; says what is wrong with one that is none, without a word of it: it may be a secret.
pub(super) fn drift(text: &[u8]) -> Result<Drift, String> {
    let plan: Plan = serde_json::from_slice(text)
        .map_err(|why| format!("line {}, column {}", why.line(), why.column()))?;
    if !plan.format_version.starts_with("1.") {
        return Err("it is of another format than 1".to_owned());
    }
    let changes = || {
        let resources = plan.resource_drift.iter().map(|resource| &resource.change);
        resources.chain(plan.output_changes.values())
    };
    let mut secrets = Secrets::default();
    for change in changes() {
        secrets.learn(&change.before, &change.before_sensitive);
        secrets.learn(&change.after, &change.after_sensitive);
    }
    let resources = plan.resource_drift.iter().filter_map(|resource| {
        let address = match &resource.deposed {
            Some(deposed) => format!("{} (deposed {deposed})", resource.address),
            None => resource.address.clone(),
        };
        changed(address, &resource.change, &secrets)
    });
    let outputs = plan.output_changes.iter();
    Ok(Drift {
        resources: resources.collect(),
        outputs: outputs
            .filter_map(|(name, change)| changed(name.clone(), change, &secrets))
            .collect(),
    })
}

/// `None` where nothing differs that anyone would call a difference.
fn changed(address: String, change: &Change, secrets: &Secrets) -> Option<Changed> {
    let action = match change.actions.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["no-op" | "read"] => return None,
        ["delete"] => Action::Delete,
        ["create"] => Action::Create,
        _ => Action::Update,
    };
    let mut comparison = Comparison {
        secrets,
        found: Vec::new(),
    };
    if action != Action::Delete {
        let before = Side {
            value: &change.before,
            mark: &change.before_sensitive,
        };
        let after = Side {
            value: &change.after,
            mark: &change.after_sensitive,
        };
        comparison.values("", &address, before, after);
        if comparison.found.is_empty() {
            return None;
        }
    }
    Some(Changed {
        // Keys of `for_each` may be secrets themselves.
        address: masked(&address),
        action,
        values: comparison.found,
    })
}

/// A value, and which parts of it are marked as sensitive: `true`, or as deep as the value.
#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Value,
    mark: &'a Value,
}

impl<'a> Side<'a> {
    fn is_secret(self) -> bool {
        *self.mark == Value::Bool(true)
    }

    fn key(self, key: &str) -> Side<'a> {
        Side {
            value: self.value.get(key).unwrap_or(&Value::Null),
            mark: self.mark.get(key).unwrap_or(&Value::Null),
        }
    }

    fn index(self, index: usize) -> Side<'a> {
        Side {
            value: self.value.get(index).unwrap_or(&Value::Null),
            mark: self.mark.get(index).unwrap_or(&Value::Null),
        }
    }
}

struct Comparison<'a> {
    secrets: &'a Secrets,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    /// Compares what is at this path, under this name, down to where it differs.
    fn values(&mut self, path: &str, name: &str, before: Side<'_>, after: Side<'_>) {
        if before.value == after.value || (is_nothing(before.value) && is_nothing(after.value)) {
            return;
        }
        let hidden = before.is_secret() || after.is_secret();
        match (before.value, after.value) {
            (Value::Object(old), Value::Object(new)) if !hidden => {
                let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for key in keys {
                    self.values(&below(path, key), key, before.key(key), after.key(key));
                }
            }
            // Of lists of another length, or of sets, it cannot be told which element became which.
            (Value::Array(old), Value::Array(new)) if !hidden && old.len() == new.len() => {
                for index in 0..old.len() {
                    let path = format!("{path}[{index}]");
                    self.values(&path, name, before.index(index), after.index(index));
                }
            }
            _ => self.push(path, name, before, after),
        }
    }

    fn push(&mut self, path: &str, name: &str, before: Side<'_>, after: Side<'_>) {
        let is_secret = |side: Side<'_>| has_mark(side.mark) || self.secrets.are_in(name, side.value);
        let sensitive = is_secret(before) || is_secret(after);
        let shown = |side: Side<'_>| Some(side.value.clone()).filter(|_| !sensitive);
        self.found.push(Difference {
            path: masked(path),
            sensitive,
            before: shown(before),
            after: shown(after),
        });
    }
}

/// What providers write for one another: nothing, and none of something.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn has_mark(mark: &Value) -> bool {
    match mark {
        Value::Bool(marked) => *marked,
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(entries) => entries.values().any(has_mark),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// The path one key deeper, as people write it.
fn below(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let starts = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match (path.is_empty(), starts && key.chars().all(plain)) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests;
