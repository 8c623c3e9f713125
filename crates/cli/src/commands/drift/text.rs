//! Drift as text, in the signs of `terraform plan`.

use std::io::{self, Write};

use serde_json::Value;
use tidelock_core::{diff::visible, limits::DRIFT_VALUE_CHARS_MAX};
use tidelock_operator::drift::{Action, Changed, Difference};

use super::{Checked, Counts, Outcome};
use crate::commands::style::{BOLD, signs, styled};

/// A directory, and below it what differs there.
pub(super) fn print(checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
    let directory = styled(BOLD, &visible(&checked.directory));
    match checked.result {
        Outcome::None => writeln!(out, "{directory}  no drift"),
        Outcome::Failed => {
            let why = checked.error.as_deref().unwrap_or_default();
            writeln!(out, "{directory}  could not be checked")?;
            why.lines()
                .filter(|line| !line.trim().is_empty())
                .try_for_each(|line| writeln!(out, "    {}", visible(line)))?;
            match needs_init(why) {
                true => writeln!(out, "    `tidelock drift --init` runs it first"),
                false => Ok(()),
            }
        }
        Outcome::Drift => {
            writeln!(out, "{directory}  drift")?;
            out.write_all(signs(&changes(&checked.drift.resources)).as_bytes())?;
            if !checked.drift.outputs.is_empty() {
                writeln!(out, "  outputs:")?;
            }
            out.write_all(signs(&changes(&checked.drift.outputs)).as_bytes())
        }
    }
}

/// How it came out in all.
pub(super) fn summary(counts: &Counts, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", sentence(counts))
}

/// The same for a page.
pub(super) fn sentence(counts: &Counts) -> String {
    let Counts { all, drifted, failed } = counts;
    let directories = if *all == 1 { "directory" } else { "directories" };
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} could not be checked"),
    };
    format!("{all} {directories}: {drifted} with drift{failed}")
}

/// Whether `terraform init` is all that is missing.
pub(super) fn needs_init(why: &str) -> bool {
    why.contains("terraform init") || why.contains("tofu init")
}

fn changes(changed: &[Changed]) -> String {
    let mut text = String::new();
    for one in changed {
        text += &format!("  {} {}", sign(one.action), visible(&one.address));
        if one.action == Action::Delete {
            text += "  is gone";
        }
        // An output has one value, and its line.
        if let [value] = one.values.as_slice()
            && value.path.is_empty()
        {
            text += &format!("  {}\n", difference(value));
            continue;
        }
        text.push('\n');
        for value in &one.values {
            text += &format!("      {}  {}\n", visible(&value.path), difference(value));
        }
    }
    text
}

/// As `terraform plan` writes it.
pub(super) fn sign(action: Action) -> char {
    match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
    }
}

/// `BEFORE -> AFTER`.
pub(super) fn difference(value: &Difference) -> String {
    match value.sensitive {
        true => "(sensitive)".to_owned(),
        false => format!(
            "{} -> {}",
            shown(value.before.as_ref()),
            shown(value.after.as_ref())
        ),
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = visible(&value.unwrap_or(&Value::Null).to_string());
    let mut rest = text.chars();
    let mut shown: String = rest.by_ref().take(DRIFT_VALUE_CHARS_MAX).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}
