//! ExpressionAttributeNames and ExpressionAttributeValues: looked up while parsing, and all to be used.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value as Json;

use crate::dynamodb::{
    error::{Error, invalid},
    value::{Item, Value},
};

/// What `#name` and `:value` stand for in the expressions of one request.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Arc<Value>>,
    used: RefCell<BTreeSet<String>>,
}

impl Placeholders {
    /// Reads both maps of a request.
    pub(crate) fn read(
        names: Option<&serde_json::Map<String, Json>>,
        values: Option<&serde_json::Map<String, Json>>,
    ) -> Result<Placeholders, Error> {
        let mut placeholders = Placeholders::default();
        if names.is_some_and(serde_json::Map::is_empty) {
            return invalid("ExpressionAttributeNames must not be empty");
        }
        if values.is_some_and(serde_json::Map::is_empty) {
            return invalid("ExpressionAttributeValues must not be empty");
        }
        for (key, name) in names.into_iter().flatten() {
            check_key("ExpressionAttributeNames", key, '#')?;
            let Some(name) = name.as_str() else {
                return Err(Error::Serialization(
                    "Unexpected value type in payload".to_owned(),
                ));
            };
            placeholders.names.insert(key.clone(), name.to_owned());
        }
        for (key, value) in values.into_iter().flatten() {
            check_key("ExpressionAttributeValues", key, ':')?;
            let value = Value::from_json(value).map_err(|error| match error {
                Error::Validation(message) => Error::Validation(format!(
                    "ExpressionAttributeValues contains invalid value: {message} for key {key}"
                )),
                other => other,
            })?;
            placeholders.values.insert(key.clone(), Arc::new(value));
        }
        Ok(placeholders)
    }

    /// The attribute name that `#key` stands for.
    pub(crate) fn name(&self, key: &str) -> Option<&str> {
        self.used.borrow_mut().insert(key.to_owned());
        self.names.get(key).map(String::as_str)
    }

    /// The value that `:key` stands for.
    pub(crate) fn value(&self, key: &str) -> Option<&Arc<Value>> {
        self.used.borrow_mut().insert(key.to_owned());
        self.values.get(key)
    }

    /// Refuses a request that defines what none of its expressions uses.
    pub(crate) fn check_all_used(&self) -> Result<(), Error> {
        let used = self.used.borrow();
        let unused = |keys: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            keys.filter(|key| !used.contains(*key)).cloned().collect()
        };
        for (parameter, unused) in [
            ("ExpressionAttributeNames", unused(&mut self.names.keys())),
            ("ExpressionAttributeValues", unused(&mut self.values.keys())),
        ] {
            if !unused.is_empty() {
                return invalid(format!(
                    "Value provided in {parameter} unused in expressions: keys: {{{}}}",
                    unused.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// Placeholders of every type, for arbitrary expressions.
    pub(super) fn for_fuzzing() -> Placeholders {
        let names = serde_json::json!({"#a": "a", "#b": "b", "#L": "l"});
        let values = serde_json::json!({
            ":s": {"S": "s"}, ":n": {"N": "1"}, ":b": {"B": "AA=="}, ":t": {"S": "N"}, ":z": {"NULL": true}, ":q": {"BOOL": true},
            ":ss": {"SS": ["s"]}, ":ns": {"NS": ["1"]}, ":bs": {"BS": ["AA=="]},
            ":m": {"M": {"a": {"N": "2"}, "l": {"L": []}}}, ":l": {"L": [{"N": "1"}, {"S": "s"}, {"M": {"a": {"L": []}}}]},
        });
        Placeholders::read(names.as_object(), values.as_object()).unwrap_or_default()
    }

    /// An item with an attribute `x` for each value `:x`.
    pub(super) fn item_of_values(&self) -> Item {
        self.values
            .iter()
            .map(|(key, value)| (key[1..].to_owned(), Value::clone(value)))
            .collect()
    }
}

fn check_key(parameter: &str, key: &str, sigil: char) -> Result<(), Error> {
    let well_formed = key.strip_prefix(sigil).is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    if well_formed {
        Ok(())
    } else {
        invalid(format!(
            "{parameter} contains invalid key: Syntax error; key: \"{key}\""
        ))
    }
}
