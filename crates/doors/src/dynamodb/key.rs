//! Primary keys: which attributes they are, and the bytes that order items as DynamoDB orders them.
//!
//! The bytes are the hash key, escaped and ended so that no hash key is a prefix of another, then the range key as
//! it is. So the items of one hash key are one contiguous range, in range key order.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use tidelock_core::limits::{HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX};

use super::{
    error::{Error, invalid},
    value::{Item, Value},
};

/// The types a key attribute can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyType {
    S,
    N,
    B,
}

impl KeyType {
    /// The type's name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            KeyType::S => "S",
            KeyType::N => "N",
            KeyType::B => "B",
        }
    }
}

/// One attribute of a primary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyAttribute {
    /// The attribute's name.
    pub(crate) name: String,
    /// The type its values must have.
    #[serde(rename = "type")]
    pub(crate) key_type: KeyType,
}

/// The primary key of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeySchema {
    /// The partition key.
    pub(crate) hash: KeyAttribute,
    /// The sort key, where the table has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) range: Option<KeyAttribute>,
}

/// How a Query narrows the range key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RangeCondition {
    Equal(Value),
    Below(Value),
    UpTo(Value),
    Above(Value),
    From(Value),
    Between(Value, Value),
    BeginsWith(Value),
}

const MISMATCH: &str = "The provided key element does not match the schema";

impl KeySchema {
    /// The key attributes, hash key first.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// Whether the attribute is part of the key.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// The key of an item that is there or is about to be stored.
    pub(crate) fn key_of(&self, item: &Item) -> Item {
        self.attributes()
            .filter_map(|attribute| Some((attribute.name.clone(), item.get(&attribute.name)?.clone())))
            .collect()
    }

    /// Checks the key attributes of an item to be put.
    pub(crate) fn check_item(&self, item: &Item) -> Result<(), Error> {
        for KeyAttribute { name, key_type } in self.attributes() {
            let problem = match item.get(name) {
                None => format!("Missing the key {name} in the item"),
                Some(value) if value.type_name() != key_type.name() => format!(
                    "Type mismatch for key {name} expected: {} actual: {}",
                    key_type.name(),
                    value.type_name()
                ),
                Some(_) => continue,
            };
            return invalid(format!("One or more parameter values were invalid: {problem}"));
        }
        self.check_sizes(item)
    }

    /// Checks the `Key` of a request: exactly the key attributes, of their types.
    pub(crate) fn check_key(&self, key: &Item) -> Result<(), Error> {
        let fits = |attribute: &KeyAttribute| {
            key.get(&attribute.name)
                .is_some_and(|value| value.type_name() == attribute.key_type.name())
        };
        if key.len() != self.attributes().count() || !self.attributes().all(fits) {
            return invalid(MISMATCH);
        }
        self.check_sizes(key)
    }

    fn check_sizes(&self, item: &Item) -> Result<(), Error> {
        let bytes = |attribute: &KeyAttribute| item.get(&attribute.name).map_or(0, value_bytes);
        for attribute in self.attributes() {
            if bytes(attribute) == 0 {
                let kind = if attribute.key_type == KeyType::S {
                    "string"
                } else {
                    "binary"
                };
                return invalid(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {kind} value. Key: {}",
                    attribute.name
                ));
            }
        }
        if bytes(&self.hash) > HASH_KEY_BYTES_MAX {
            return invalid(
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
            );
        }
        if self
            .range
            .as_ref()
            .is_some_and(|range| bytes(range) > RANGE_KEY_BYTES_MAX)
        {
            return invalid(
                "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
            );
        }
        Ok(())
    }

    /// The ordered bytes of a key that has been checked.
    pub(crate) fn key_bytes(&self, item: &Item) -> Vec<u8> {
        let mut bytes = item.get(&self.hash.name).map(hash_prefix).unwrap_or_default();
        if let Some(value) = self.range.as_ref().and_then(|range| item.get(&range.name)) {
            bytes.extend(ordered_bytes(value));
        }
        bytes
    }
}

/// The byte range of the items with this hash key whose range key meets the condition.
pub(crate) fn query_range(hash: &Value, range: Option<&RangeCondition>) -> Range<Vec<u8>> {
    let prefix = hash_prefix(hash);
    let at = |value: &Value| [prefix.clone(), ordered_bytes(value)].concat();
    let after = |value: &Value| [at(value), vec![0]].concat();
    let end = prefix_end(prefix.clone());
    match range {
        None => prefix..end,
        Some(RangeCondition::Equal(value)) => at(value)..after(value),
        Some(RangeCondition::Below(value)) => prefix.clone()..at(value),
        Some(RangeCondition::UpTo(value)) => prefix.clone()..after(value),
        Some(RangeCondition::Above(value)) => after(value)..end,
        Some(RangeCondition::From(value)) => at(value)..end,
        Some(RangeCondition::Between(low, high)) => at(low)..after(high),
        Some(RangeCondition::BeginsWith(value)) => at(value)..prefix_end(at(value)),
    }
}

/// The smallest bytes after everything that begins with `prefix`.
fn prefix_end(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.last() == Some(&u8::MAX) {
        prefix.pop();
    }
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::S(text) => text.len(),
        Value::B(bytes) => bytes.len(),
        _ => 1,
    }
}

/// Escaped so that a zero inside never looks like the end, which is `00 01`.
fn hash_prefix(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in ordered_bytes(value) {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(u8::MAX);
        }
    }
    bytes.extend([0, 1]);
    bytes
}

fn ordered_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::S(text) => text.clone().into_bytes(),
        Value::B(bytes) => bytes.to_vec(),
        Value::N(number) => number.key_bytes(),
        // A checked key has no other type.
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::dynamodb::number::Number;

    fn schema(key_type: KeyType) -> KeySchema {
        let attribute = |name: &str| KeyAttribute {
            name: name.to_owned(),
            key_type,
        };
        KeySchema {
            hash: attribute("h"),
            range: Some(attribute("r")),
        }
    }

    fn item(hash: Value, range: Value) -> Item {
        Item::from([("h".to_owned(), hash), ("r".to_owned(), range)])
    }

    #[test]
    fn a_missing_or_mistyped_key_is_refused_in_the_words_of_aws() {
        let schema = schema(KeyType::S);
        let refusal = |item: Item| schema.check_item(&item).unwrap_err().to_string();
        let text = |text: &str| Value::S(text.to_owned());
        assert_eq!(
            refusal(Item::new()),
            "One or more parameter values were invalid: Missing the key h in the item"
        );
        assert_eq!(
            refusal(item(Value::Null, text("a"))),
            "One or more parameter values were invalid: Type mismatch for key h expected: S actual: NULL"
        );
        assert!(refusal(item(text("a"), text(""))).ends_with("cannot contain an empty string value. Key: r"));
        assert!(refusal(item(text(&"a".repeat(2049)), text("a"))).contains("Size of hashkey"));
        assert!(refusal(item(text("a"), text(&"a".repeat(1025)))).contains("size of all range keys"));
        let only_hash = Item::from([("h".to_owned(), text("a"))]);
        assert_eq!(schema.check_key(&only_hash).unwrap_err().to_string(), MISMATCH);
    }

    #[test]
    fn a_prefix_of_all_ones_ends_after_everything_that_begins_with_it() {
        assert_eq!(prefix_end(vec![1, 0xff, 0xff]), vec![2]);
        let range = query_range(
            &Value::S("h".to_owned()),
            Some(&RangeCondition::BeginsWith(Value::B(vec![0xff].into()))),
        );
        let key =
            schema(KeyType::B).key_bytes(&item(Value::S("h".to_owned()), Value::B(vec![0xff, 0xff].into())));
        assert!(range.contains(&key));
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 1..5)
    }

    proptest! {
        #[test]
        fn items_of_one_hash_key_are_contiguous_and_in_range_order(
            h1 in bytes(), r1 in bytes(), h2 in bytes(), r2 in bytes()
        ) {
            let value = |bytes: &Vec<u8>| Value::B(bytes.clone().into());
            let key = |h: &Vec<u8>, r: &Vec<u8>| schema(KeyType::B).key_bytes(&item(value(h), value(r)));
            let range = query_range(&value(&h1), None);
            prop_assert!(range.contains(&key(&h1, &r1)));
            prop_assert_eq!(range.contains(&key(&h2, &r2)), h1 == h2);
            prop_assert_eq!(key(&h1, &r1).cmp(&key(&h2, &r2)), (&h1, &r1).cmp(&(&h2, &r2)));
        }

        #[test]
        fn range_conditions_select_what_they_say(
            hash in bytes(), key in -99_i32..99, a in -99_i32..99, b in -99_i32..99
        ) {
            let number = |n: i32| Value::N(Number::parse(&n.to_string()).unwrap());
            let hash = Value::B(hash.into());
            let bytes = schema(KeyType::N).key_bytes(&item(hash.clone(), number(key)));
            for (condition, expected) in [
                (RangeCondition::Equal(number(a)), key == a),
                (RangeCondition::Below(number(a)), key < a),
                (RangeCondition::UpTo(number(a)), key <= a),
                (RangeCondition::Above(number(a)), key > a),
                (RangeCondition::From(number(a)), key >= a),
                (RangeCondition::Between(number(a), number(b)), a <= key && key <= b),
            ] {
                prop_assert_eq!(query_range(&hash, Some(&condition)).contains(&bytes), expected, "{:?}", condition);
            }
        }
    }
}
