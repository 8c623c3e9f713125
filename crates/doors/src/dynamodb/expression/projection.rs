//! ProjectionExpression: the parts of an item a client wants, in their places.

use std::collections::BTreeMap;

use super::{
    parser::Parser,
    path::{Path, Step, check_distinct},
    placeholders::Placeholders,
};
use crate::dynamodb::{
    error::Error,
    value::{Item, Value},
};

/// Parsed paths, none of which leads through another, as a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Projection {
    attributes: BTreeMap<String, Node>,
}

/// Where a path ends, all of the value is wanted; elsewhere the branches are.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    branches: BTreeMap<Step, Node>,
}

impl Projection {
    /// Reads a projection expression.
    pub(crate) fn parse(text: &str, placeholders: &Placeholders) -> Result<Projection, Error> {
        let mut parser = Parser::new("ProjectionExpression", text, placeholders)?;
        let mut paths = vec![parser.path()?];
        while parser.take(",") {
            paths.push(parser.path()?);
        }
        let paths_by_ref: Vec<&Path> = paths.iter().collect();
        if let Err(problem) = check_distinct("ProjectionExpression", &paths_by_ref) {
            parser.note_error(problem);
        }
        let projection = Projection::of_paths(&paths_by_ref);
        parser.finish(projection)
    }

    /// The projection on these paths, none of which may lead through another.
    pub(crate) fn of_paths(paths: &[&Path]) -> Projection {
        let mut projection = Projection::default();
        for path in paths {
            let top = projection.attributes.entry(path.attribute.clone()).or_default();
            path.steps
                .iter()
                .fold(top, |node, step| node.branches.entry(step.clone()).or_default());
        }
        projection
    }

    /// The projection on whole attributes.
    pub(crate) fn of_attributes(names: &[&str]) -> Projection {
        Projection {
            attributes: names
                .iter()
                .map(|name| ((*name).to_owned(), Node::default()))
                .collect(),
        }
    }

    /// The parts of the item; what is not there is left out.
    pub(crate) fn apply(&self, item: &Item) -> Item {
        let part = |(name, node): (&String, &Node)| Some((name.clone(), node.part(item.get(name)?)?));
        self.attributes.iter().filter_map(part).collect()
    }
}

impl Node {
    fn part(&self, value: &Value) -> Option<Value> {
        if self.branches.is_empty() {
            return Some(value.clone());
        }
        match value {
            Value::M(fields) => {
                let part: Item = self
                    .branches
                    .iter()
                    .filter_map(|(step, node)| match step {
                        Step::Field(name) => Some((name.clone(), node.part(fields.get(name)?)?)),
                        Step::Index(_) => None,
                    })
                    .collect();
                (!part.is_empty()).then_some(Value::M(part))
            }
            Value::L(elements) => {
                let part: Vec<Value> = self
                    .branches
                    .iter()
                    .filter_map(|(step, node)| match step {
                        Step::Index(index) => node.part(elements.get(*index)?),
                        Step::Field(_) => None,
                    })
                    .collect();
                (!part.is_empty()).then_some(Value::L(part))
            }
            _ => None,
        }
    }
}
