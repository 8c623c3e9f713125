//! The change in HCL's own syntax.

use std::ops::Range;

use hcl_edit::{
    Span, parser,
    structure::{Block, Body},
};

use super::{Change, Patch, Scope, Unable};

/// The settings of a block, or of a whole file.
struct Site {
    settings: Vec<Setting>,
    /// Between the braces; `None` of a whole file.
    inside: Option<Range<usize>>,
    /// Where the block begins.
    start: usize,
}

struct Setting {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

pub(super) fn patches(text: &str, scope: Scope, change: &Change<'_>) -> Result<Vec<Patch>, Unable> {
    let body = parsed(text)?;
    let sites = sites(&body, text, scope);
    Ok(sites.iter().filter_map(|site| site.patch(text, change)).collect())
}

pub(super) fn written(text: &str, scope: Scope, name: &str) -> Result<Vec<Option<String>>, Unable> {
    let body = parsed(text)?;
    let sites = sites(&body, text, scope);
    let of = |site: &Site| {
        let mut settings = site.settings.iter();
        let found = settings.find(|setting| setting.name == name)?;
        Some(text[found.value.clone()].to_owned())
    };
    Ok(sites.iter().map(of).collect())
}

/// Whether all that the text says, and no more, is what it said before with the change made.
pub(super) fn agrees(before: &str, after: &str, scope: Scope, change: &Change<'_>) -> bool {
    let (Ok(was), Ok(is)) = (parsed(before), parsed(after)) else {
        return false;
    };
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    outline(&was, before, "", &mut expected);
    outline(&is, after, "", &mut found);
    for site in places(&was, scope) {
        let name = format!("{site}{}", change.name());
        let at = expected.iter().position(|(path, _)| *path == name);
        match (at, change.value(), change) {
            (Some(at), Some(value), _) => expected[at].1 = value,
            (Some(at), None, _) => drop(expected.remove(at)),
            (None, Some(value), Change::Set { .. }) => expected.push((name, value)),
            (None, _, _) => {}
        }
    }
    expected.sort();
    found.sort();
    expected == found
}

fn parsed(text: &str) -> Result<Body, Unable> {
    parser::parse_body(text).map_err(|fault| Unable::Syntax {
        line: fault.location().line(),
        why: fault.message().to_owned(),
    })
}

fn backends(body: &Body) -> impl Iterator<Item = &Block> {
    body.get_blocks("terraform")
        .flat_map(|outer| outer.body.get_blocks("backend"))
        .filter(|block| is_s3(block))
}

fn is_s3(block: &Block) -> bool {
    matches!(block.labels.as_slice(), [label] if label.as_str() == "s3")
}

fn sites(body: &Body, text: &str, scope: Scope) -> Vec<Site> {
    match scope {
        Scope::File => vec![Site {
            settings: settings(body),
            inside: None,
            start: 0,
        }],
        Scope::Blocks => backends(body).filter_map(|block| site(block, text)).collect(),
    }
}

fn site(block: &Block, text: &str) -> Option<Site> {
    let span = block.span()?;
    // Neither the word nor the label has a brace in it; a comment between them may, and then the check refuses.
    let open = span.start + text[span.clone()].find('{')? + 1;
    Some(Site {
        settings: settings(&block.body),
        inside: Some(open..span.end - 1),
        start: span.start,
    })
}

fn settings(body: &Body) -> Vec<Setting> {
    let all = body.attributes().filter_map(|attribute| {
        Some(Setting {
            name: attribute.key.as_str().to_owned(),
            key: attribute.key.span()?,
            value: attribute.value.span()?,
        })
    });
    all.collect()
}

impl Site {
    fn patch(&self, text: &str, change: &Change<'_>) -> Option<Patch> {
        let there = self.settings.iter().find(|setting| setting.name == change.name());
        match (there, change.value(), change) {
            (Some(there), Some(value), _) if text[there.value.clone()] == value => None,
            (Some(there), Some(with), _) => Some(Patch {
                range: there.value.clone(),
                with,
            }),
            (Some(there), None, _) => Some(self.without(text, there)),
            (None, Some(value), Change::Set { name, after, .. }) => {
                Some(self.with(text, name, &value, after))
            }
            (None, _, _) => None,
        }
    }

    fn is_one_line(&self, text: &str) -> bool {
        self.inside
            .as_ref()
            .is_some_and(|inside| !text[inside.clone()].contains('\n'))
    }

    fn with(&self, text: &str, name: &str, value: &str, after: &str) -> Patch {
        let named = self.settings.iter().find(|setting| setting.name == after);
        let anchor = named.or_else(|| self.settings.last());
        let Some(anchor) = anchor else {
            return self.first(text, &format!("{name} = {value}"));
        };
        let new = beside(text, anchor, name, value);
        if self.is_one_line(text) {
            return self.unfolded(text, &new);
        }
        let indent = indent(text, anchor.key.start);
        let end = anchor.value.end;
        // The value of a heredoc may end with its line.
        let at = match text[..end].ends_with('\n') {
            true => end,
            false => line_end(text, end),
        };
        let line_break = line_break(text, anchor.key.start);
        let with = match text[..at].ends_with('\n') {
            true => format!("{indent}{new}{line_break}"),
            false => format!("{line_break}{indent}{new}"),
        };
        Patch { range: at..at, with }
    }

    /// The only setting of a block or a file.
    fn first(&self, text: &str, new: &str) -> Patch {
        let Some(inside) = &self.inside else {
            let line_break = line_break(text, 0);
            let with = match text.is_empty() || text.ends_with('\n') {
                true => format!("{new}{line_break}"),
                false => format!("{line_break}{new}{line_break}"),
            };
            return Patch {
                range: text.len()..text.len(),
                with,
            };
        };
        if self.is_one_line(text) {
            return match text[inside.clone()].trim().is_empty() {
                true => Patch {
                    range: inside.clone(),
                    with: format!(" {new} "),
                },
                false => Patch {
                    range: inside.end..inside.end,
                    with: format!("{new} "),
                },
            };
        }
        let at = line_end(text, inside.start);
        let (indent, line_break) = (indent(text, self.start), line_break(text, self.start));
        Patch {
            range: at..at,
            with: format!("{indent}{}{new}{line_break}", step(indent)),
        }
    }

    /// A block on one line may have one setting only.
    fn unfolded(&self, text: &str, new: &str) -> Patch {
        let inside = self.inside.clone().unwrap_or(0..text.len());
        let old = text[inside.clone()].trim();
        let (indent, line_break) = (indent(text, self.start), line_break(text, self.start));
        let inner = format!("{indent}{}", step(indent));
        Patch {
            with: format!("{line_break}{inner}{old}{line_break}{inner}{new}{line_break}{indent}"),
            range: inside,
        }
    }

    fn without(&self, text: &str, setting: &Setting) -> Patch {
        let (start, end) = (line_start(text, setting.key.start), setting.value.end);
        let ends_line = text[..end].ends_with('\n');
        let next = if ends_line { end } else { line_end(text, end) };
        let behind = text[end..next].trim();
        let has_line = text[start..setting.key.start].trim().is_empty();
        // What is said behind it on its line is said about it.
        if has_line && !self.is_one_line(text) && (behind.is_empty() || is_comment(behind)) {
            return Patch {
                range: start..next,
                with: String::new(),
            };
        }
        let mut range = setting.key.start..end;
        if let Some(inside) = &self.inside {
            let others = [&text[inside.start..range.start], &text[range.end..inside.end]];
            if others.iter().all(|other| other.trim().is_empty()) {
                range = inside.clone();
            }
        }
        Patch {
            range,
            with: String::new(),
        }
    }
}

/// A comment that ends with its line.
fn is_comment(text: &str) -> bool {
    let is_block = text.starts_with("/*") && text.ends_with("*/") && text.matches("*/").count() == 1;
    text.starts_with('#') || text.starts_with("//") || is_block
}

/// `NAME = VALUE` with the `=` and the blanks about it where a neighbour has them.
fn beside(text: &str, neighbour: &Setting, name: &str, value: &str) -> String {
    let between = &text[neighbour.key.end..neighbour.value.start];
    let (before, behind) = between.split_once('=').unwrap_or((" ", " "));
    let is_blank = |part: &str| part.chars().all(|c| c == ' ' || c == '\t');
    let behind = if is_blank(behind) { behind } else { " " };
    if before.contains('\t') && is_blank(before) {
        return format!("{name}{before}={behind}{value}");
    }
    if before.is_empty() {
        return format!("{name}={behind}{value}");
    }
    let width = neighbour.key.len() + if is_blank(before) { before.len() } else { 1 };
    let width = width.max(name.len() + 1);
    format!("{name:width$}={behind}{value}")
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Behind the end of the line.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

fn indent(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..at];
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[..blanks]
}

/// One level more.
fn step(indent: &str) -> &'static str {
    if indent.contains('\t') { "\t" } else { "  " }
}

fn line_break(text: &str, at: usize) -> &'static str {
    match text[..line_end(text, at)].ends_with("\r\n") {
        true => "\r\n",
        // A last line without an end may still have some before it.
        false if !text[at..].contains('\n') && text.contains("\r\n") => "\r\n",
        false => "\n",
    }
}

/// Where settings are by the paths that [`outline`] gives them.
fn places(body: &Body, scope: Scope) -> Vec<String> {
    if scope == Scope::File {
        return vec![String::new()];
    }
    let mut found = Vec::new();
    for (outer, block) in body.blocks().enumerate() {
        let inner = block.body.blocks().enumerate();
        let inner = inner.filter(|(_, inner)| inner.ident.as_str() == "backend" && is_s3(inner));
        if block.ident.as_str() == "terraform" {
            found.extend(inner.map(|(inner, _)| format!("{outer}.{inner}.")));
        }
    }
    found
}

/// Every setting of the file with its text, and every block by its words.
fn outline(body: &Body, text: &str, path: &str, found: &mut Vec<(String, String)>) {
    for attribute in body.attributes() {
        let value = attribute.value.span().map_or("", |span| &text[span]);
        found.push((format!("{path}{}", attribute.key.as_str()), value.to_owned()));
    }
    for (at, block) in body.blocks().enumerate() {
        let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
        let words = format!("{} {}", block.ident.as_str(), labels.join(" "));
        found.push((format!("{path}{at}"), words));
        outline(&block.body, text, &format!("{path}{at}."), found);
    }
}
