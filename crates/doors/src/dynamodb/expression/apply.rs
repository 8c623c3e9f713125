//! What an update makes of an item. Every right side is computed from the item as it was.

use std::sync::Arc;

use tidelock_core::limits::{ATTRIBUTE_DEPTH_MAX, ITEM_BYTES_MAX};

use super::{
    path::Path,
    update::{SetOperand, SetValue, Update},
};
use crate::dynamodb::{
    error::{Error, invalid},
    number::{Number, NumberError},
    value::{Item, Value, check_item_size},
};

const TOO_LARGE: &str = "Item size to update has exceeded the maximum allowed size";

impl Update {
    /// The item as the update leaves it.
    pub(crate) fn apply(&self, item: &Item) -> Result<Item, Error> {
        let mut updated = item.clone();
        let mut set = self.computed(item)?;
        // In order of their indexes, elements beyond the end of a list are appended in that order.
        set.sort_by_key(|(path, _)| *path);
        for (path, value) in set {
            path.set(&mut updated, value)?;
        }
        for (path, value) in &self.add {
            let sum = added(path.get(item), value)?;
            path.set(&mut updated, sum)?;
        }
        for (path, value) in &self.delete {
            delete_members(path, item, &mut updated, value)?;
        }
        // From the last backwards, so that removing an element does not shift those still to be removed.
        let mut remove: Vec<&Path> = self.remove.iter().collect();
        remove.sort_by(|a, b| b.cmp(a));
        for path in remove {
            path.remove(&mut updated)?;
        }
        check_item_size(&updated, TOO_LARGE)?;
        if updated.values().any(|value| value.depth() > ATTRIBUTE_DEPTH_MAX) {
            return invalid(
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
            );
        }
        Ok(updated)
    }

    /// The values to set. Their sum is bounded on the way, since one placeholder can be used many times.
    fn computed<'a>(&'a self, item: &Item) -> Result<Vec<(&'a Path, Value)>, Error> {
        let mut size = 0;
        let mut values = Vec::with_capacity(self.set.len());
        for (path, right) in &self.set {
            let value = match right {
                SetValue::Operand(operand) => resolve(operand, item)?,
                SetValue::Plus(a, b) => arithmetic(a, b, item, Number::plus)?,
                SetValue::Minus(a, b) => arithmetic(a, b, item, Number::minus)?,
            };
            size += value.size_bytes();
            if size > ITEM_BYTES_MAX {
                return invalid(TOO_LARGE);
            }
            values.push((path, value));
        }
        Ok(values)
    }
}

fn resolve(operand: &SetOperand, item: &Item) -> Result<Value, Error> {
    let value = match operand {
        SetOperand::Path(path) => match path.get(item) {
            Some(value) => value.clone(),
            None => {
                return invalid(
                    "The provided expression refers to an attribute that does not exist in the item",
                );
            }
        },
        SetOperand::Value(value) => bounded(value)?,
        SetOperand::IfNotExists(path, otherwise) => match path.get(item) {
            Some(value) => value.clone(),
            None => resolve(otherwise, item)?,
        },
        SetOperand::ListAppend(first, second) => match (resolve(first, item)?, resolve(second, item)?) {
            (Value::L(mut list), Value::L(more)) => {
                list.extend(more);
                bounded(&Arc::new(Value::L(list)))?
            }
            _ => return incorrect_type(),
        },
    };
    Ok(value)
}

/// A copy, unless it is larger than any item.
fn bounded(value: &Arc<Value>) -> Result<Value, Error> {
    if value.size_bytes() > ITEM_BYTES_MAX {
        invalid(TOO_LARGE)
    } else {
        Ok(Value::clone(value))
    }
}

fn arithmetic(
    a: &SetOperand,
    b: &SetOperand,
    item: &Item,
    operation: fn(&Number, &Number) -> Result<Number, NumberError>,
) -> Result<Value, Error> {
    match (resolve(a, item)?, resolve(b, item)?) {
        (Value::N(a), Value::N(b)) => number(operation(&a, &b)),
        _ => incorrect_type(),
    }
}

fn number(result: Result<Number, NumberError>) -> Result<Value, Error> {
    result
        .map(Value::N)
        .map_err(|error| Error::Validation(error.to_string()))
}

/// ADD: a sum, or the union of two sets; a missing attribute starts as the value.
fn added(current: Option<&Value>, value: &Value) -> Result<Value, Error> {
    match (current, value) {
        (None, value) => Ok(value.clone()),
        (Some(Value::N(current)), Value::N(value)) => number(current.plus(value)),
        (Some(Value::Ss(current)), Value::Ss(value)) => Ok(Value::Ss(current | value)),
        (Some(Value::Ns(current)), Value::Ns(value)) => Ok(Value::Ns(current | value)),
        (Some(Value::Bs(current)), Value::Bs(value)) => Ok(Value::Bs(current | value)),
        _ => incorrect_type(),
    }
}

/// DELETE: the members that are left; a set that becomes empty goes away.
fn delete_members(path: &Path, item: &Item, updated: &mut Item, value: &Value) -> Result<(), Error> {
    let left = match (path.get(item), value) {
        // Nothing to take away, as long as there is a place where it could be.
        (None, _) => return path.remove(updated),
        (Some(Value::Ss(current)), Value::Ss(value)) => some_set(current - value, Value::Ss),
        (Some(Value::Ns(current)), Value::Ns(value)) => some_set(current - value, Value::Ns),
        (Some(Value::Bs(current)), Value::Bs(value)) => some_set(current - value, Value::Bs),
        _ => return incorrect_type(),
    };
    match left {
        Some(set) => path.set(updated, set),
        None => path.remove(updated),
    }
}

fn some_set<T>(
    members: std::collections::BTreeSet<T>,
    wrap: fn(std::collections::BTreeSet<T>) -> Value,
) -> Option<Value> {
    if members.is_empty() {
        None
    } else {
        Some(wrap(members))
    }
}

fn incorrect_type<T>() -> Result<T, Error> {
    invalid("An operand in the update expression has an incorrect data type")
}
