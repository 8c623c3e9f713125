//! KeyConditionExpression: one hash key, and at most one condition on the range key.

use super::{
    condition::{Comparator, Condition, Operand},
    path::Path,
    placeholders::Placeholders,
};
use crate::dynamodb::{
    error::{Error, invalid},
    key::{KeyAttribute, KeySchema, RangeCondition},
    value::Value,
};

const EXPRESSION: &str = "KeyConditionExpression";

/// A parsed key condition, not yet held against a table's schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyCondition {
    parts: Vec<(String, RangeCondition)>,
}

impl KeyCondition {
    /// Reads a key condition expression.
    pub(crate) fn parse(text: &str, placeholders: &Placeholders) -> Result<KeyCondition, Error> {
        let parts = match Condition::parse(EXPRESSION, text, placeholders)? {
            Condition::All(parts) => parts,
            single => vec![single],
        };
        let parts = parts.into_iter().map(part).collect::<Result<Vec<_>, Error>>()?;
        for (index, (name, _)) in parts.iter().enumerate() {
            if parts[..index].iter().any(|(earlier, _)| earlier == name) {
                return invalid(format!(
                    "Invalid {EXPRESSION}: KeyConditionExpressions must only contain one condition per key"
                ));
            }
        }
        Ok(KeyCondition { parts })
    }

    /// The hash key to look under, and how the range key is narrowed.
    pub(crate) fn bind(mut self, schema: &KeySchema) -> Result<(Value, Option<RangeCondition>), Error> {
        let Some(hash) = self.take(&schema.hash)? else {
            return missed(&schema.hash);
        };
        let RangeCondition::Equal(hash) = hash else {
            return invalid("Query key condition not supported");
        };
        let range = match &schema.range {
            Some(range) => self.take(range)?,
            None => None,
        };
        match (self.parts.is_empty(), &schema.range, &range) {
            (true, _, _) => Ok((hash, range)),
            (false, Some(attribute), None) => missed(attribute),
            (false, _, _) => invalid("Query key condition not supported"),
        }
    }

    fn take(&mut self, attribute: &KeyAttribute) -> Result<Option<RangeCondition>, Error> {
        let Some(index) = self.parts.iter().position(|(name, _)| *name == attribute.name) else {
            return Ok(None);
        };
        let (_, condition) = self.parts.swap_remove(index);
        for value in condition.values() {
            if value.type_name() != attribute.key_type.name() {
                return invalid(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type",
                );
            }
            if matches!(value, Value::S(text) if text.is_empty())
                || matches!(value, Value::B(bytes) if bytes.is_empty())
            {
                return invalid(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {} value. Key: {}",
                    if attribute.key_type.name() == "S" {
                        "string"
                    } else {
                        "binary"
                    },
                    attribute.name
                ));
            }
        }
        Ok(Some(condition))
    }
}

impl RangeCondition {
    fn values(&self) -> Vec<&Value> {
        match self {
            RangeCondition::Equal(value)
            | RangeCondition::Below(value)
            | RangeCondition::UpTo(value)
            | RangeCondition::Above(value)
            | RangeCondition::From(value)
            | RangeCondition::BeginsWith(value) => vec![value],
            RangeCondition::Between(low, high) => vec![low, high],
        }
    }
}

fn missed<T>(attribute: &KeyAttribute) -> Result<T, Error> {
    invalid(format!(
        "Query condition missed key schema element: {}",
        attribute.name
    ))
}

fn part(condition: Condition) -> Result<(String, RangeCondition), Error> {
    let unsupported = |operator: &str| {
        invalid(format!(
            "Invalid {EXPRESSION}: Invalid operator used in {EXPRESSION}: {operator}"
        ))
    };
    match condition {
        Condition::Compare(comparator, left, right) => {
            let (comparator, key, value) = match (left, right) {
                (Operand::Value(value), key @ Operand::Path(_)) => {
                    (mirrored(comparator), key, Operand::Value(value))
                }
                (left, right) => (comparator, left, right),
            };
            let (name, value) = (key_name(key)?, literal(value)?);
            Ok((
                name,
                match comparator {
                    Comparator::Equal => RangeCondition::Equal(value),
                    Comparator::Less => RangeCondition::Below(value),
                    Comparator::LessOrEqual => RangeCondition::UpTo(value),
                    Comparator::Greater => RangeCondition::Above(value),
                    Comparator::GreaterOrEqual => RangeCondition::From(value),
                    Comparator::NotEqual => return unsupported("<>"),
                },
            ))
        }
        Condition::Between(key, low, high) => Ok((
            key_name(key)?,
            RangeCondition::Between(literal(low)?, literal(high)?),
        )),
        Condition::BeginsWith(key, prefix) => {
            Ok((key_name(key)?, RangeCondition::BeginsWith(literal(prefix)?)))
        }
        Condition::In(..) => unsupported("IN"),
        Condition::Exists(_) => unsupported("attribute_exists"),
        Condition::NotExists(_) => unsupported("attribute_not_exists"),
        Condition::AttributeType(..) => unsupported("attribute_type"),
        Condition::Contains(..) => unsupported("contains"),
        Condition::All(_) => unsupported("AND"),
        Condition::Any(_) => unsupported("OR"),
        Condition::Not(_) => unsupported("NOT"),
    }
}

/// `:v < key` says `key > :v`.
fn mirrored(comparator: Comparator) -> Comparator {
    match comparator {
        Comparator::Less => Comparator::Greater,
        Comparator::LessOrEqual => Comparator::GreaterOrEqual,
        Comparator::Greater => Comparator::Less,
        Comparator::GreaterOrEqual => Comparator::LessOrEqual,
        same => same,
    }
}

fn key_name(operand: Operand) -> Result<String, Error> {
    match operand {
        Operand::Path(Path { attribute, steps }) if steps.is_empty() => Ok(attribute),
        Operand::Path(_) => invalid(format!(
            "Invalid {EXPRESSION}: KeyConditionExpressions cannot have conditions on nested attributes"
        )),
        Operand::Size(_) => invalid(format!(
            "Invalid {EXPRESSION}: KeyConditionExpressions cannot contain nested operations"
        )),
        Operand::Value(_) => invalid(format!("Invalid {EXPRESSION}: No key attribute specified")),
    }
}

fn literal(operand: Operand) -> Result<Value, Error> {
    match operand {
        Operand::Value(value) => Ok(Value::clone(&value)),
        Operand::Path(_) => invalid(format!(
            "Invalid {EXPRESSION}: Condition in {EXPRESSION} must compare a key attribute to a value"
        )),
        Operand::Size(_) => invalid(format!(
            "Invalid {EXPRESSION}: KeyConditionExpressions cannot contain nested operations"
        )),
    }
}
