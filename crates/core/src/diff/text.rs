//! The text of a comparison, in the signs of `terraform plan`: `+` added, `~` changed, `-` removed.

use std::fmt;

use super::{Change, Counts, Diff, Kind, Value, ValueChange, path};
use crate::limits::DIFF_TEXT_CHARS_MAX;

/// A path longer than this, in characters, does not widen the column for the others.
const COLUMN_CHARS_MAX: usize = 32;

/// How much of what both values begin with is still shown before they part, in characters.
const CONTEXT_CHARS: usize = 12;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Added => "+",
            Kind::Changed => "~",
            Kind::Removed => "-",
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{} ~{} -{}", self.added, self.changed, self.removed)
    }
}

/// One line for each thing that differs and one for each of its values; the sums last.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {} -> {}", "serial", self.old.serial, self.new.serial)?;
        if self.old.lineage != self.new.lineage {
            let (old, new) = (visible(&self.old.lineage), visible(&self.new.lineage));
            writeln!(f, "{:<10} {old} -> {new}  (another history)", "lineage")?;
        }
        if !self.compared {
            return writeln!(f, "The contents are encrypted and cannot be compared.");
        }
        if self.is_empty() {
            return writeln!(f, "No resource and no output differs.");
        }
        writeln!(f)?;
        for change in self.resources.iter().chain(&self.outputs) {
            lines(change, f)?;
        }
        write!(f, "\n{:<10} {}", "resources", self.counts())?;
        if !self.outputs.is_empty() {
            write!(f, "\n{:<10} {}", "outputs", self.output_counts())?;
        }
        writeln!(f)
    }
}

fn lines(change: &Change, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{} {}", change.kind, change.address)?;
    if let Some(key) = &change.deposed {
        write!(f, " (deposed {})", visible(key))?;
    }
    if let (Some(id), true) = (&change.id, change.kind != Kind::Changed) {
        write!(f, "  id {}", cut(&visible(id), 0))?;
    }
    // An output that is one value needs no line of its own for it.
    if let [only] = change.values.as_slice()
        && only.path.is_empty()
    {
        writeln!(f, "  {}", values(only))?;
    } else {
        writeln!(f)?;
        let width = change.values.iter().map(|value| value.path.chars().count());
        let width = width
            .filter(|width| *width <= COLUMN_CHARS_MAX)
            .max()
            .unwrap_or(0);
        for value in &change.values {
            writeln!(f, "    {} {:<width$}  {}", value.kind, value.path, values(value))?;
        }
    }
    if change.omitted > 0 {
        writeln!(f, "    and {} more values", change.omitted)?;
    }
    Ok(())
}

fn values(change: &ValueChange) -> String {
    let text = |value: &Value| visible(value.as_json());
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (text(old), text(new));
            let from = parting(&old, &new);
            format!("{} -> {}", cut(&old, from), cut(&new, from))
        }
        (Some(value), None) | (None, Some(value)) => cut(&text(value), 0),
        (None, None) => "(sensitive value)".to_owned(),
    }
}

/// From which character on two texts are shown: where they part, when they are too long to be shown whole.
fn parting(old: &str, new: &str) -> usize {
    let longest = old.chars().count().max(new.chars().count());
    if longest <= DIFF_TEXT_CHARS_MAX {
        return 0;
    }
    let same = old
        .chars()
        .zip(new.chars())
        .take_while(|(old, new)| old == new)
        .count();
    same.saturating_sub(CONTEXT_CHARS)
}

fn cut(text: &str, from: usize) -> String {
    let mut rest = text.chars().skip(from);
    let mut shown = String::from(if from > 0 { "…" } else { "" });
    shown.extend(rest.by_ref().take(DIFF_TEXT_CHARS_MAX));
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The text without anything that a terminal would act on: what clients say of themselves is printed for operators.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| path::push_visible(&mut shown, c));
    shown
}
