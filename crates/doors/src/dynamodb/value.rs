//! Attribute values and items: read from the wire strictly, written back canonically, measured as DynamoDB measures.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use tidelock_core::limits::{ATTRIBUTE_DEPTH_MAX, ITEM_BYTES_MAX};

use super::{
    error::{Error, invalid},
    number::Number,
};

/// One item: attribute names to values.
pub(crate) type Item = BTreeMap<String, Value>;

/// One attribute value. Sets are kept ordered, so that equal sets are equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    S(String),
    N(Number),
    B(Bytes),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Bytes>),
    M(Item),
    L(Vec<Value>),
    Bool(bool),
    Null,
}

/// The types, by the names they have on the wire.
const TYPE_NAMES: [&str; 10] = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"];

impl Value {
    /// The type's name on the wire.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::S(_) => "S",
            Value::N(_) => "N",
            Value::B(_) => "B",
            Value::Ss(_) => "SS",
            Value::Ns(_) => "NS",
            Value::Bs(_) => "BS",
            Value::M(_) => "M",
            Value::L(_) => "L",
            Value::Bool(_) => "BOOL",
            Value::Null => "NULL",
        }
    }

    /// The name AWS uses for the type in messages about update operands.
    pub(crate) fn long_type_name(&self) -> &'static str {
        match self {
            Value::S(_) => "STRING",
            Value::N(_) => "NUMBER",
            Value::B(_) => "BINARY",
            Value::Ss(_) => "STRING SET",
            Value::Ns(_) => "NUMBER SET",
            Value::Bs(_) => "BINARY SET",
            Value::M(_) => "MAP",
            Value::L(_) => "LIST",
            Value::Bool(_) => "BOOL",
            Value::Null => "NULL",
        }
    }

    /// Reads one value from its wire form, `{"S": "…"}`.
    pub(crate) fn from_json(json: &Json) -> Result<Value, Error> {
        read_value(json, 0)
    }

    /// The wire form.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Value::S(text) => json!({ "S": text }),
            Value::N(number) => json!({ "N": number.to_string() }),
            Value::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
            Value::Ss(set) => json!({ "SS": set }),
            Value::Ns(set) => json!({ "NS": set.iter().map(Number::to_string).collect::<Vec<_>>() }),
            Value::Bs(set) => {
                json!({ "BS": set.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>() })
            }
            Value::M(item) => json!({ "M": item_to_json(item) }),
            Value::L(list) => json!({ "L": list.iter().map(Value::to_json).collect::<Vec<_>>() }),
            Value::Bool(truth) => json!({ "BOOL": truth }),
            Value::Null => json!({ "NULL": true }),
        }
    }

    /// Levels of lists and maps; a scalar has none.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Value::M(item) => 1 + item.values().map(Value::depth).max().unwrap_or(0),
            Value::L(list) => 1 + list.iter().map(Value::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// What DynamoDB counts for it in an item's size.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Value::S(text) => text.len(),
            Value::N(number) => number.size_bytes(),
            Value::B(bytes) => bytes.len(),
            Value::Ss(set) => set.iter().map(String::len).sum(),
            Value::Ns(set) => set.iter().map(Number::size_bytes).sum(),
            Value::Bs(set) => set.iter().map(Bytes::len).sum(),
            Value::M(item) => 3 + item.len() + item_size_bytes(item),
            Value::L(list) => 3 + list.iter().map(|value| 1 + value.size_bytes()).sum::<usize>(),
            Value::Bool(_) | Value::Null => 1,
        }
    }

    /// As AWS prints a value in a message: `{S:text}`.
    pub(crate) fn in_message(&self) -> String {
        let content = match self {
            Value::S(text) => text.clone(),
            Value::N(number) => number.to_string(),
            Value::B(bytes) => STANDARD.encode(bytes),
            other => other.to_json()[other.type_name()].to_string(),
        };
        format!("{{{}:{content}}}", self.type_name())
    }
}

/// What DynamoDB counts for an item: names and values.
pub(crate) fn item_size_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size_bytes())
        .sum()
}

/// Refuses an item that DynamoDB would not store, whatever its key.
pub(crate) fn check_item_size(item: &Item, message: &str) -> Result<(), Error> {
    if item_size_bytes(item) > ITEM_BYTES_MAX {
        invalid(message)
    } else {
        Ok(())
    }
}

/// Reads an item (or a key) from its wire form.
pub(crate) fn item_from_json(json: &Map<String, Json>) -> Result<Item, Error> {
    json.iter()
        .map(|(name, value)| Ok((name.clone(), read_value(value, 0)?)))
        .collect()
}

/// The wire form of an item.
pub(crate) fn item_to_json(item: &Item) -> Json {
    item.iter()
        .map(|(name, value)| (name.clone(), value.to_json()))
        .collect::<Map<_, _>>()
        .into()
}

fn read_value(json: &Json, depth: usize) -> Result<Value, Error> {
    let Some(fields) = json.as_object() else {
        return serialization("Unexpected value type in payload");
    };
    let mut present = fields
        .iter()
        .filter(|(name, content)| TYPE_NAMES.contains(&name.as_str()) && !content.is_null());
    let Some((name, content)) = present.next() else {
        return invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        );
    };
    if present.next().is_some() {
        return invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        );
    }
    if depth >= ATTRIBUTE_DEPTH_MAX && matches!(name.as_str(), "M" | "L") {
        return invalid(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
        );
    }
    read_content(name, content, depth)
}

fn read_content(type_name: &str, content: &Json, depth: usize) -> Result<Value, Error> {
    Ok(match type_name {
        "S" => Value::S(string(content)?.to_owned()),
        "N" => Value::N(read_number(content)?),
        "B" => Value::B(read_binary(content)?),
        "SS" => Value::Ss(read_set(content, "An string set  may not be empty", |text| {
            Ok(string(text)?.to_owned())
        })?),
        "NS" => Value::Ns(read_set(content, "An number set  may not be empty", read_number)?),
        "BS" => Value::Bs(read_set(content, "Binary sets should not be empty", read_binary)?),
        "M" => match content.as_object() {
            Some(fields) => Value::M(
                fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), read_value(value, depth + 1)?)))
                    .collect::<Result<_, Error>>()?,
            ),
            None => return serialization("Unexpected value type in payload"),
        },
        "L" => Value::L(
            list(content)?
                .iter()
                .map(|value| read_value(value, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        "BOOL" => Value::Bool(boolean(content)?),
        _ => match boolean(content)? {
            true => Value::Null,
            false => {
                return invalid(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true",
                );
            }
        },
    })
}

fn read_set<T: Ord>(
    content: &Json,
    when_empty: &str,
    read: impl Fn(&Json) -> Result<T, Error>,
) -> Result<BTreeSet<T>, Error> {
    let members = list(content)?;
    if members.is_empty() {
        return invalid(format!("One or more parameter values were invalid: {when_empty}"));
    }
    let mut set = BTreeSet::new();
    for member in members {
        if !set.insert(read(member)?) {
            let texts: Vec<&str> = members.iter().filter_map(Json::as_str).take(10).collect();
            return invalid(format!(
                "One or more parameter values were invalid: Input collection [{}] contains duplicates.",
                texts.join(", ")
            ));
        }
    }
    Ok(set)
}

fn read_number(content: &Json) -> Result<Number, Error> {
    Number::parse(string(content)?).map_err(|error| Error::Validation(error.to_string()))
}

fn read_binary(content: &Json) -> Result<Bytes, Error> {
    match STANDARD.decode(string(content)?) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => serialization("Invalid Base64"),
    }
}

fn string(json: &Json) -> Result<&str, Error> {
    match json {
        Json::String(text) => Ok(text),
        Json::Number(_) => serialization("NUMBER_VALUE cannot be converted to String"),
        Json::Bool(true) => serialization("TRUE_VALUE cannot be converted to String"),
        Json::Bool(false) => serialization("FALSE_VALUE cannot be converted to String"),
        _ => serialization("Unexpected value type in payload"),
    }
}

fn boolean(json: &Json) -> Result<bool, Error> {
    json.as_bool()
        .map_or_else(|| serialization("Unexpected value type in payload"), Ok)
}

fn list(json: &Json) -> Result<&Vec<Json>, Error> {
    json.as_array()
        .map_or_else(|| serialization("Unexpected value type in payload"), Ok)
}

fn serialization<T>(message: &str) -> Result<T, Error> {
    Err(Error::Serialization(message.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(json: Json) -> String {
        Value::from_json(&json).unwrap_err().to_string()
    }

    #[test]
    fn every_type_reads_back_as_it_was_written() {
        for json in [
            json!({"S": ""}),
            json!({"N": "-12.5"}),
            json!({"B": "AAEC"}),
            json!({"SS": ["a", "b"]}),
            json!({"NS": ["1", "2"]}),
            json!({"BS": ["AA==", "AQ=="]}),
            json!({"M": {"a": {"L": [{"BOOL": false}, {"NULL": true}]}}}),
            json!({"L": []}),
        ] {
            assert_eq!(Value::from_json(&json).unwrap().to_json(), json);
        }
    }

    #[test]
    fn malformed_values_are_refused_in_the_words_of_aws() {
        assert_eq!(
            refusal(json!({"X": "a"})),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        );
        assert!(refusal(json!({"S": "a", "N": "1"})).contains("more than one datatypes set"));
        assert!(refusal(json!({"SS": []})).ends_with("An string set  may not be empty"));
        assert!(
            refusal(json!({"NS": ["1", "1.0"]})).ends_with("Input collection [1, 1.0] contains duplicates.")
        );
        assert!(refusal(json!({"NULL": false})).ends_with("must have the value of true"));
        assert_eq!(
            refusal(json!({"S": 1})),
            "NUMBER_VALUE cannot be converted to String"
        );
        assert_eq!(
            refusal(json!({"N": "x"})),
            "The parameter cannot be converted to a numeric value: x"
        );
        assert_eq!(refusal(json!({"B": "?"})), "Invalid Base64");
    }

    #[test]
    fn nesting_is_allowed_to_depth_32_and_refused_beyond() {
        let nested = |levels: usize| (0..levels).fold(json!({"S": "x"}), |inner, _| json!({"L": [inner]}));
        assert_eq!(Value::from_json(&nested(32)).unwrap().depth(), 32);
        assert_eq!(
            refusal(nested(33)),
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
        );
    }
}
