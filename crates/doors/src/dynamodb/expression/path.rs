//! Document paths: `a.b[2].c`, where they lead in an item, and which of them overlap.

use std::fmt;

use crate::dynamodb::{
    error::{Error, invalid},
    value::{Item, Value},
};

/// One step of a path below its attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A key of a map.
    Field(String),
    /// An element of a list.
    Index(usize),
}

/// The way to a value in an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    /// The top-level attribute.
    pub(crate) attribute: String,
    /// The way on from there.
    pub(crate) steps: Vec<Step>,
}

impl Path {
    /// The value the path leads to.
    pub(crate) fn get<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        self.steps
            .iter()
            .try_fold(item.get(&self.attribute)?, |value, step| match (step, value) {
                (Step::Field(name), Value::M(fields)) => fields.get(name),
                (Step::Index(index), Value::L(elements)) => elements.get(*index),
                _ => None,
            })
    }

    /// Writes a value there; an index beyond the end of a list appends. All but the last step must exist.
    pub(crate) fn set(&self, item: &mut Item, value: Value) -> Result<(), Error> {
        let Some((last, way)) = self.steps.split_last() else {
            item.insert(self.attribute.clone(), value);
            return Ok(());
        };
        match (last, self.parent(item, way)) {
            (Step::Field(name), Some(Value::M(fields))) => {
                fields.insert(name.clone(), value);
            }
            (Step::Index(index), Some(Value::L(elements))) => match elements.get_mut(*index) {
                Some(element) => *element = value,
                None => elements.push(value),
            },
            _ => return no_such_path(),
        }
        Ok(())
    }

    /// Takes the value out; that there is none is fine as long as all but the last step exist.
    pub(crate) fn remove(&self, item: &mut Item) -> Result<(), Error> {
        let Some((last, way)) = self.steps.split_last() else {
            item.remove(&self.attribute);
            return Ok(());
        };
        match (last, self.parent(item, way)) {
            (Step::Field(name), Some(Value::M(fields))) => {
                fields.remove(name);
            }
            (Step::Index(index), Some(Value::L(elements))) => {
                if *index < elements.len() {
                    elements.remove(*index);
                }
            }
            _ => return no_such_path(),
        }
        Ok(())
    }

    fn parent<'a>(&self, item: &'a mut Item, way: &[Step]) -> Option<&'a mut Value> {
        way.iter()
            .try_fold(item.get_mut(&self.attribute)?, |value, step| {
                match (step, value) {
                    (Step::Field(name), Value::M(fields)) => fields.get_mut(name),
                    (Step::Index(index), Value::L(elements)) => elements.get_mut(*index),
                    _ => None,
                }
            })
    }

    /// How this path and a later one in the same expression get in each other's way.
    fn clash(&self, other: &Path) -> Option<&'static str> {
        if self.attribute != other.attribute {
            return None;
        }
        match self.steps.iter().zip(&other.steps).find(|(a, b)| a != b) {
            None => Some("overlap"),
            Some((Step::Field(_), Step::Index(_)) | (Step::Index(_), Step::Field(_))) => Some("conflict"),
            Some(_) => None,
        }
    }

    /// As AWS prints a path in a message: `[a, b, [2]]`.
    pub(super) fn in_message(&self) -> String {
        let steps = self.steps.iter().map(|step| match step {
            Step::Field(name) => format!(", {name}"),
            Step::Index(index) => format!(", [{index}]"),
        });
        format!("[{}{}]", self.attribute, steps.collect::<String>())
    }
}

fn no_such_path<T>() -> Result<T, Error> {
    invalid("The document path provided in the update expression is invalid for update")
}

/// Refuses paths that cannot all be meant: one leads through another, or one takes for a list what another takes for
/// a map. Sorted, such paths are neighbours.
pub(super) fn check_distinct(expression: &str, paths: &[&Path]) -> Result<(), Error> {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|&index| paths[index]);
    for pair in order.windows(2) {
        let (one, two) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        if let Some(how) = paths[one].clash(paths[two]) {
            return invalid(format!(
                "Invalid {expression}: Two document paths {how} with each other; must remove or rewrite one of these paths; path one: {}, path two: {}",
                paths[one].in_message(),
                paths[two].in_message()
            ));
        }
    }
    Ok(())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attribute)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}
