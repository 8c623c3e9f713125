//! What no report may show: texts that Terraform marks as sensitive, wherever else they stand, and what looks like a secret.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::secrets;

/// The texts that are marked as sensitive somewhere: providers repeat them where no mark is, such as in `tags_all`.
#[derive(Default)]
pub(super) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Takes in what the mark says of the value.
    pub(super) fn learn(&mut self, value: &Value, mark: &Value) {
        match (mark, value) {
            (Value::Bool(true), Value::String(text)) if !text.is_empty() => {
                self.0.insert(text.clone());
            }
            (Value::Bool(true), Value::Object(entries)) => {
                entries.values().for_each(|value| self.learn(value, mark))
            }
            (Value::Bool(true), Value::Array(items)) => {
                items.iter().for_each(|value| self.learn(value, mark))
            }
            (Value::Object(marks), Value::Object(entries)) => {
                for (key, mark) in marks {
                    self.learn(entries.get(key).unwrap_or(&Value::Null), mark);
                }
            }
            (Value::Array(marks), Value::Array(items)) => {
                items
                    .iter()
                    .zip(marks)
                    .for_each(|(value, mark)| self.learn(value, mark));
            }
            _ => {}
        }
    }

    /// Whether one of them is in the value under this name, or a text that is a secret by its looks.
    pub(super) fn are_in(&self, name: &str, value: &Value) -> bool {
        match value {
            Value::String(text) => {
                self.0.iter().any(|secret| is_in(secret, text)) || secrets::looks_like_one(name, text)
            }
            Value::Array(items) => items.iter().any(|value| self.are_in(name, value)),
            Value::Object(entries) => entries.iter().any(|(key, value)| self.are_in(key, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// A short one is in every other text by chance.
fn is_in(secret: &str, text: &str) -> bool {
    const TELLING_BYTES_MIN: usize = 4;
    text == secret || (secret.len() >= TELLING_BYTES_MIN && text.contains(secret))
}
