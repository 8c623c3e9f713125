//! One setting of a `backend "s3"` block is set or taken away, and every byte around it stays: comments, layout, line ends.
//!
//! The text is changed at the places where a parser says that things are, never written anew from what was parsed. What
//! comes out is parsed again, and must say the same as before but for that one setting; else the file is left to people.

mod json;
mod native;

use std::{ops::Range, path::Path};

/// Where in a file the settings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In each `backend "s3"` block of a file of configuration.
    Blocks,
    /// The whole file is settings: it is one for `-backend-config`.
    File,
}

/// What is to become of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// It gets a value; where it is new, it stands after `after`, or else at the end.
    Set {
        name: &'a str,
        value: Literal<'a>,
        after: &'a str,
    },
    /// It is set to a value where it is there, and left out where it is not.
    Replace { name: &'a str, value: Literal<'a> },
    /// It goes, and with it its line.
    Remove { name: &'a str },
}

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Literal<'a> {
    True,
    /// Of characters that no syntax takes for anything else; see [`is_plain`].
    Text(&'a str),
}

impl Literal<'_> {
    /// The same in HCL and in JSON.
    fn written(self) -> String {
        match self {
            Literal::True => "true".to_owned(),
            Literal::Text(text) => format!("\"{text}\""),
        }
    }
}

/// Whether a text can stand between quotes in HCL and in JSON as it is: the names and ARNs of tables are such.
#[must_use]
pub(crate) fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

impl<'a> Change<'a> {
    fn name(&self) -> &'a str {
        match self {
            Change::Set { name, .. } | Change::Replace { name, .. } | Change::Remove { name } => name,
        }
    }

    /// What its value becomes where it is there already; `None` where it goes.
    fn value(&self) -> Option<String> {
        match self {
            Change::Set { value, .. } | Change::Replace { value, .. } => Some(value.written()),
            Change::Remove { .. } => None,
        }
    }
}

/// What stands for a setting at each place in the scope, `None` where it is not set: as many as there are places.
///
/// # Errors
/// [`Unable`], when the file cannot be understood.
pub(crate) fn written(
    path: &Path,
    text: &str,
    scope: Scope,
    name: &str,
) -> Result<Vec<Option<String>>, Unable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match is_json(path) {
        true => json::written(text, scope, name),
        false => native::written(text, scope, name),
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// A file with one setting changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edited {
    /// The whole text.
    pub(crate) text: String,
    /// The lines at which it was changed, as they count in the text before.
    pub(crate) lines: Vec<usize>,
}

/// Why a file is left as it is; a sentence without its end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unable {
    /// The parser's message does not repeat the line, which may hold a secret.
    #[error("line {line}: {why}")]
    Syntax { line: usize, why: String },
    /// It was changed, and then said something else than it should.
    #[error("line {line}: {name} is written in a way that cannot be changed safely")]
    Entangled { line: usize, name: String },
}

/// The text with the change made at every place in the scope; `None` where there is nothing to change.
///
/// # Errors
/// [`Unable`]; then there is no text at all, rather than one that is half right.
pub(crate) fn edited(
    path: &Path,
    text: &str,
    scope: Scope,
    change: &Change<'_>,
) -> Result<Option<Edited>, Unable> {
    // The parsers know no byte order mark; Terraform passes over it.
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_json = is_json(path);
    let patches = match is_json {
        true => json::patches(plain, scope, change)?,
        false => native::patches(plain, scope, change)?,
    };
    if patches.is_empty() {
        return Ok(None);
    }
    let lines: Vec<usize> = patches
        .iter()
        .map(|patch| line_of(plain, patch.range.start))
        .collect();
    let after = patched(plain, patches);
    let is_right = match is_json {
        true => json::agrees(plain, &after, scope, change),
        false => native::agrees(plain, &after, scope, change),
    };
    if !is_right {
        return Err(Unable::Entangled {
            line: lines.first().copied().unwrap_or(1),
            name: change.name().to_owned(),
        });
    }
    let mark = &text[..text.len() - plain.len()];
    Ok(Some(Edited {
        text: format!("{mark}{after}"),
        lines,
    }))
}

/// Some bytes and what takes their place.
#[derive(Debug)]
struct Patch {
    range: Range<usize>,
    with: String,
}

/// Patches are in the order of the text and do not overlap.
fn patched(text: &str, patches: Vec<Patch>) -> String {
    let (mut after, mut at) = (String::with_capacity(text.len() + 64), 0);
    for patch in patches {
        after.push_str(&text[at..patch.range.start]);
        after.push_str(&patch.with);
        at = patch.range.end;
    }
    after.push_str(&text[at..]);
    after
}

/// The line, from 1, on which a byte is.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests;
