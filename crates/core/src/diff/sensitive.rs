//! Which values of an instance the state itself marks as sensitive (`sensitive_attributes`).

use serde_json::value::RawValue;

use super::{
    path::Step,
    values::{array, object, string},
};

/// The marked paths of one instance.
#[derive(Debug, Default)]
pub(super) struct Marks<'a> {
    paths: Vec<Vec<Step<'a>>>,
}

impl<'a> Marks<'a> {
    /// Everything is sensitive.
    pub(super) fn all() -> Marks<'a> {
        Marks {
            paths: vec![Vec::new()],
        }
    }

    /// Adds the paths of one side: `[[{"type":"get_attr","value":"password"}],…]`. What cannot be read counts as a mark on
    /// everything below the last step that can.
    pub(super) fn add(&mut self, raw: &'a RawValue) {
        if raw.get() == "null" {
            return;
        }
        match array(raw) {
            Some(paths) => self.paths.extend(paths.into_iter().map(steps)),
            None => self.paths.push(Vec::new()),
        }
    }

    /// Whether a value at this path is a marked one, is inside of one or has one inside.
    pub(super) fn touch(&self, path: &[Step<'_>]) -> bool {
        // A mark that ends at the top covers also what Terraform notes beside the attributes.
        if self.paths.iter().any(|mark| same(mark, path)) {
            return true;
        }
        // An attribute of any type is written as its value and its type, and marks know nothing of that step. Where a map
        // has a key of this name, something may be hidden that is no secret.
        (1..path.len())
            .filter(|at| path[*at] == Step::Key("value".into()))
            .any(|at| {
                let (before, after) = (&path[..at], &path[at + 1..]);
                let inside = |mark: &Vec<Step<'_>>| {
                    let (outer, inner) = mark.split_at(mark.len().min(at));
                    same(outer, before) && same(inner, after)
                };
                self.paths.iter().any(inside)
            })
    }
}

/// Whether two paths are the same as far as both go.
fn same(mark: &[Step<'_>], path: &[Step<'_>]) -> bool {
    mark.iter().zip(path).all(|(mark, step)| mark == step)
}

/// The steps of one path, as far as they can be compared: an element of a set is named by its whole value.
fn steps(raw: &RawValue) -> Vec<Step<'_>> {
    let steps = array(raw).unwrap_or_default();
    steps.into_iter().map_while(step).collect()
}

fn step(raw: &RawValue) -> Option<Step<'_>> {
    let step = object(raw)?;
    let value = *step.get("value")?;
    match string(step.get("type")?)?.as_ref() {
        "get_attr" => string(value).map(Step::Key),
        "index" => {
            let key = *object(value)?.get("value")?;
            match string(key) {
                Some(key) => Some(Step::Key(key)),
                None => key.get().parse().ok().map(Step::Index),
            }
        }
        _ => None,
    }
}
