//! Whether a condition holds for an item.

use std::{borrow::Cow, cmp::Ordering};

use super::condition::{Comparator, Condition, Operand};
use crate::dynamodb::{
    number::Number,
    value::{Item, Value},
};

impl Condition {
    /// Whether the condition holds; an absent item is an empty one.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Condition::Compare(comparator, left, right) => compare(*comparator, left, right, item),
            Condition::Between(value, low, high) => {
                compare(Comparator::GreaterOrEqual, value, low, item)
                    && compare(Comparator::LessOrEqual, value, high, item)
            }
            Condition::In(value, among) => among
                .iter()
                .any(|other| compare(Comparator::Equal, value, other, item)),
            Condition::Exists(path) => path.get(item).is_some(),
            Condition::NotExists(path) => path.get(item).is_none(),
            Condition::AttributeType(path, wanted) => match (path.get(item), wanted.literal()) {
                (Some(value), Some(Value::S(name))) => value.type_name() == name,
                _ => false,
            },
            Condition::BeginsWith(value, prefix) => {
                both(value, prefix, item).is_some_and(|(value, prefix)| begins_with(&value, &prefix))
            }
            Condition::Contains(value, part) => {
                both(value, part, item).is_some_and(|(value, part)| contains(&value, &part))
            }
            Condition::All(parts) => parts.iter().all(|part| part.holds(item)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(item)),
            Condition::Not(inner) => !inner.holds(item),
        }
    }
}

fn both<'a>(a: &'a Operand, b: &'a Operand, item: &'a Item) -> Option<(Cow<'a, Value>, Cow<'a, Value>)> {
    Some((resolve(a, item)?, resolve(b, item)?))
}

fn resolve<'a>(operand: &'a Operand, item: &'a Item) -> Option<Cow<'a, Value>> {
    match operand {
        Operand::Path(path) => path.get(item).map(Cow::Borrowed),
        Operand::Value(value) => Some(Cow::Borrowed(value)),
        Operand::Size(inner) => {
            let size = size(resolve(inner, item)?.as_ref())?;
            Some(Cow::Owned(Value::N(Number::from(size))))
        }
    }
}

/// What `size(…)` is: characters, bytes or elements; nothing for the types that have no size.
fn size(value: &Value) -> Option<usize> {
    match value {
        Value::S(text) => Some(text.chars().count()),
        Value::B(bytes) => Some(bytes.len()),
        Value::Ss(set) => Some(set.len()),
        Value::Ns(set) => Some(set.len()),
        Value::Bs(set) => Some(set.len()),
        Value::M(fields) => Some(fields.len()),
        Value::L(elements) => Some(elements.len()),
        Value::N(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// A missing attribute differs from everything, and compares in no other way.
fn compare(comparator: Comparator, left: &Operand, right: &Operand, item: &Item) -> bool {
    let values = both(left, right, item);
    match comparator {
        Comparator::Equal => values.is_some_and(|(a, b)| a == b),
        Comparator::NotEqual => values.is_none_or(|(a, b)| a != b),
        _ => values
            .and_then(|(a, b)| ordering(&a, &b))
            .is_some_and(|ordering| match comparator {
                Comparator::Less => ordering.is_lt(),
                Comparator::LessOrEqual => ordering.is_le(),
                Comparator::Greater => ordering.is_gt(),
                Comparator::GreaterOrEqual => ordering.is_ge(),
                Comparator::Equal | Comparator::NotEqual => false,
            }),
    }
}

/// How two values of one ordered type compare.
pub(super) fn ordering(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::S(a), Value::S(b)) => Some(a.cmp(b)),
        (Value::N(a), Value::N(b)) => Some(a.cmp(b)),
        (Value::B(a), Value::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn begins_with(value: &Value, prefix: &Value) -> bool {
    match (value, prefix) {
        (Value::S(value), Value::S(prefix)) => value.starts_with(prefix.as_str()),
        (Value::B(value), Value::B(prefix)) => value.starts_with(prefix),
        _ => false,
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::S(value), Value::S(part)) => value.contains(part.as_str()),
        // One character a byte, for the standard library's linear-time search.
        (Value::B(value), Value::B(part)) => as_latin1(value).contains(&as_latin1(part)),
        (Value::Ss(set), Value::S(member)) => set.contains(member),
        (Value::Ns(set), Value::N(member)) => set.contains(member),
        (Value::Bs(set), Value::B(member)) => set.contains(member),
        (Value::L(elements), element) => elements.contains(element),
        _ => false,
    }
}

fn as_latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
