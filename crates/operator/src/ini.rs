//! AWS's shared config and credentials files, read and edited so that every byte we do not mean to change stays.
//!
//! The format is the one of "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide:
//! `[header]`, `key = value`, `#` and `;` comments on lines of their own, nested values on indented lines.

/// The comment that says a section is ours; a section without it is never touched unless the user insists.
pub const MARKER: &str = "# written by `tidelock profile`: run it again to update, or delete this section";

/// One section as it should be: its header without brackets, and its entries in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    /// Such as `profile tidelock`.
    pub header: String,
    /// Key and value; a value that starts with a newline holds indented lines.
    pub entries: Vec<(String, String)>,
}

/// What an edit does to one section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as wanted already.
    None,
    /// It was not there.
    Add,
    /// It is ours, and differs from what is wanted.
    Update,
    /// It is not ours, and the user insists.
    Replace,
}

/// Why a section cannot be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The section on this line does not carry [`MARKER`].
    NotOurs {
        /// Counted from 1.
        line: usize,
    },
    /// The section is there more than once, so tools disagree on which of them counts.
    Twice {
        /// Line of the first, counted from 1.
        first: usize,
        /// Line of the second, counted from 1.
        second: usize,
    },
}

/// The value of `key` in the first section named `header`; nested and absent values are `None`.
pub fn value<'a>(text: &'a str, header: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    for line in text.lines() {
        if let Some(found) = header_of(line) {
            inside = found == header;
        } else if inside && key_of(line) == Some(key) {
            return line
                .split_once('=')
                .map(|(_, value)| value.trim())
                .filter(|value| !value.is_empty());
        }
    }
    None
}

/// Whether there is a section named `header`.
pub fn has(text: &str, header: &str) -> bool {
    text.lines()
        .any(|line| header_of(line).as_deref() == Some(header))
}

/// The value of `key` below the nested value `outer` of the first section named `header`.
pub fn nested_value<'a>(text: &'a str, header: &str, outer: &str, key: &str) -> Option<&'a str> {
    let (mut inside, mut below) = (false, false);
    for line in text.lines() {
        if let Some(found) = header_of(line) {
            inside = found == header;
        } else if !line.starts_with([' ', '\t']) {
            below = inside && key_of(line) == Some(outer);
        } else if below && key_of(line.trim_start()) == Some(key) {
            let value = line.split_once('=').map(|(_, value)| value.trim());
            return value.filter(|value| !value.is_empty());
        }
    }
    None
}

/// `text` with `wanted` in it, and what that took. Everything outside the section stays as it is, byte for byte,
/// and so do keys inside it that `wanted` does not name.
///
/// # Errors
/// [`Refusal`], with the line, when the section is someone else's (unless `force`) or is there twice.
pub fn edit(text: &str, wanted: &Section, force: bool) -> Result<(String, Change), Refusal> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut places = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| header_of(line).as_ref() == Some(&wanted.header));
    let Some((start, _)) = places.next() else {
        return Ok((appended(text, wanted, end_of_line), Change::Add));
    };
    if let Some((second, _)) = places.next() {
        return Err(Refusal::Twice {
            first: start + 1,
            second: second + 1,
        });
    }
    let end = end_of_section(&lines, start);
    let ours = lines[start..end].iter().any(|line| line.trim() == MARKER);
    if !ours && !force {
        return Err(Refusal::NotOurs { line: start + 1 });
    }
    let section = if ours {
        merged(&lines[start..end], wanted, end_of_line)
    } else {
        rendered(wanted, end_of_line)
    };
    let (before, after) = (lines[..start].concat(), lines[end..].concat());
    let edited = format!("{before}{section}{after}");
    let change = match (ours, edited == text) {
        (_, true) => Change::None,
        (true, false) => Change::Update,
        (false, false) => Change::Replace,
    };
    Ok((edited, change))
}

/// The name between the brackets, inner blanks collapsed as AWS's tools do; `None` when the line is no header.
fn header_of(line: &str) -> Option<String> {
    let inner = line
        .trim_start_matches('\u{feff}')
        .strip_prefix('[')?
        .split_once(']')?
        .0;
    let words: Vec<&str> = inner
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']))
        .collect();
    Some(words.join(" "))
}

/// The key of a `key = value` line; `None` for comments, blank and indented lines.
fn key_of(line: &str) -> Option<&str> {
    let outer = !line.starts_with([' ', '\t', '#', ';']);
    line.split_once('=').map(|(key, _)| key.trim()).filter(|_| outer)
}

/// One past the last line that belongs to the section: comments and blank lines before the next header are its.
fn end_of_section(lines: &[&str], start: usize) -> usize {
    let next = lines[start + 1..]
        .iter()
        .position(|line| header_of(line).is_some());
    let limit = next.map_or(lines.len(), |offset| start + 1 + offset);
    let counts =
        |line: &str| line.trim() == MARKER || !(line.trim().is_empty() || line.starts_with(['#', ';']));
    (start..limit)
        .rev()
        .find(|&at| counts(lines[at]))
        .map_or(start + 1, |at| at + 1)
}

fn appended(text: &str, wanted: &Section, end_of_line: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => end_of_line,
        _ => &format!("{end_of_line}{end_of_line}"),
    };
    format!("{text}{gap}{}", rendered(wanted, end_of_line))
}

fn rendered(wanted: &Section, end_of_line: &str) -> String {
    let head = format!("[{}]{end_of_line}{MARKER}{end_of_line}", wanted.header);
    wanted
        .entries
        .iter()
        .fold(head, |text, entry| text + &rendered_entry(entry, end_of_line))
}

fn rendered_entry((key, value): &(String, String), end_of_line: &str) -> String {
    let gap = if value.starts_with('\n') { "" } else { " " };
    format!("{key} ={gap}{value}\n").replace('\n', end_of_line)
}

/// Our own section with the wanted entries in the place of their old values, or at its end.
fn merged(lines: &[&str], wanted: &Section, end_of_line: &str) -> String {
    // Each entry with the indented lines below it, so that a nested value is exchanged as a whole.
    let mut entries: Vec<(Option<&str>, String)> = Vec::new();
    for line in lines {
        match entries.last_mut() {
            Some((Some(_), text)) if line.starts_with([' ', '\t']) => text.push_str(line),
            _ => entries.push((key_of(line), (*line).to_owned())),
        }
    }
    if let Some((_, last)) = entries.last_mut().filter(|(_, text)| !text.ends_with('\n')) {
        last.push_str(end_of_line);
    }
    for entry in &wanted.entries {
        let text = rendered_entry(entry, end_of_line);
        match entries.iter_mut().find(|(key, _)| *key == Some(entry.0.as_str())) {
            Some((_, old)) => *old = text,
            None => entries.push((Some(entry.0.as_str()), text)),
        }
    }
    entries.into_iter().map(|(_, text)| text).collect()
}
