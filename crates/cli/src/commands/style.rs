//! Colours for the signs of a comparison. Standard output takes them out where nobody would see them.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use tidelock_core::diff::Counts;

pub(super) const BOLD: Style = Style::new().bold();
const ADDED: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();

/// `text` in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `+3 ~1 -0`, each that is not zero in its colour, and spaces up to `width`.
pub(super) fn counts(counts: &Counts, width: usize) -> String {
    let parts = [
        (ADDED, '+', counts.added),
        (CHANGED, '~', counts.changed),
        (REMOVED, '-', counts.removed),
    ];
    let parts = parts.map(|(style, sign, count)| match count {
        0 => format!("{sign}0"),
        _ => styled(style, &format!("{sign}{count}")),
    });
    let seen = counts.to_string().chars().count();
    format!(
        "{}{:fill$}",
        parts.join(" "),
        "",
        fill = width.saturating_sub(seen)
    )
}

/// The text of a comparison with its signs in their colours: each stands first in its line.
pub(super) fn signs(text: &str) -> String {
    let mut coloured = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start_matches(' ');
        let (indent, sign) = (line.len() - rest.len(), rest.get(..2));
        let style = match sign {
            Some("+ ") => ADDED,
            Some("~ ") => CHANGED,
            Some("- ") => REMOVED,
            _ => {
                coloured.push_str(line);
                continue;
            }
        };
        let (sign, rest) = rest.split_at(1);
        // A string takes everything.
        let _ = write!(coloured, "{:indent$}{style}{sign}{style:#}{rest}", "");
    }
    coloured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_coloured_where_it_stands_first_and_nowhere_else() {
        let text = "serial     1 -> 2\n\n+ a.b  id x\n    ~ tags  \"- \" -> \"+ \"\n-1\n";
        let coloured = signs(text);
        assert_eq!(
            coloured,
            "serial     1 -> 2\n\n\u{1b}[32m+\u{1b}[0m a.b  id x\n    \u{1b}[33m~\u{1b}[0m tags  \"- \" -> \"+ \"\n-1\n"
        );
        let none = Counts {
            added: 12,
            ..Counts::default()
        };
        assert_eq!(counts(&none, 12), "\u{1b}[32m+12\u{1b}[0m ~0 -0   ");
    }
}
