//! Where a value stands: paths of attributes, and the words and quotes that Terraform prints them with.

use std::{borrow::Cow, fmt::Write};

use crate::limits::DIFF_PATH_BYTES_MAX;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// An attribute or a key of a map: JSON does not tell them apart.
    Key(Cow<'a, str>),
    /// An element of a list, a set or a tuple.
    Index(usize),
    /// What Terraform itself notes beside the attributes.
    Field(Cow<'a, str>),
}

/// The path as people write it: `tags.Name`, `tags["a.b"]`, `ingress[0].port`, `(status)`.
pub(super) fn written(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if is_identifier(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Key(key) => push_index(&mut text, key),
            Step::Index(index) => push(&mut text, format_args!("[{index}]")),
            Step::Field(name) => push(&mut text, format_args!("({})", name.escape_debug())),
        }
        if text.len() > DIFF_PATH_BYTES_MAX {
            text.truncate(text.floor_char_boundary(DIFF_PATH_BYTES_MAX));
            text.push('…');
            break;
        }
    }
    text
}

/// Adds `["KEY"]`, quoted as in HCL.
pub(super) fn push_index(text: &mut String, key: &str) {
    text.push_str("[\"");
    let mut characters = key.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => text.extend([c, c]),
            c => push_visible(text, c),
        }
    }
    text.push_str("\"]");
}

/// Adds a character, or its escape when a terminal would act on it or hide it.
pub(super) fn push_visible(text: &mut String, c: char) {
    let unseen = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if unseen {
        push(text, format_args!("\\u{:04x}", u32::from(c)));
    } else {
        text.push(c);
    }
}

/// Adds formatted text; a string takes everything.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

/// Whether HCL takes the key without quotes.
fn is_identifier(key: &str) -> bool {
    let mut characters = key.chars();
    let first = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    first && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_in_a_configuration() {
        let path = [
            Step::Key("ingress".into()),
            Step::Index(0),
            Step::Key("tags".into()),
            Step::Key("a.b \"${x}\u{1b}".into()),
            Step::Key("port".into()),
        ];
        assert_eq!(written(&path), r#"ingress[0].tags["a.b \"$${x}\u001b"].port"#);
        assert_eq!(written(&[Step::Field("status".into())]), "(status)");
        assert_eq!(written(&[]), "");
    }

    #[test]
    fn an_endless_key_is_cut() {
        let path = [Step::Key("é".repeat(10_000).into()), Step::Index(1)];
        assert!(written(&path).len() <= DIFF_PATH_BYTES_MAX + 4);
    }
}
