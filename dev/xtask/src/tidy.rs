//! `cargo xtask tidy`: the house rules on files, functions, words and links.
//!
//! They keep a file readable in one sitting and a leftover from staying; the numbers are those of CONTRIBUTING.

use std::path::Path;

use anyhow::{Context, Result};

use crate::{Finding, Report, markdown, rust, source, source::Source};

const FILE_LINES_MAX: usize = 800;
const FILE_LINES_TARGET: usize = 300;
/// Spelled apart so that this file passes its own check.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Checks every text file below `root`.
pub(crate) fn run(root: &Path) -> Result<Report> {
    let sources = source::all(root)?;
    let mut findings = Vec::new();
    for source in &sources {
        findings.extend(check(source).with_context(|| source.path.clone())?);
        if source.is("md") {
            findings.extend(markdown::dead_links(root, &sources, source));
        }
    }
    findings.extend(check_changelog(&sources));
    Ok(Report {
        findings,
        summary: summary(&sources),
    })
}

fn check(source: &Source) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = (1..)
        .zip(source.text.lines())
        .filter(|(_, line)| line.ends_with([' ', '\t']))
        .map(|(number, _)| Finding::at(&source.path, number, "trailing white space"))
        .collect();
    // Prose may speak of leftovers; whatever runs may not have any.
    if !source.is("md") {
        findings.extend(leftovers(source));
    }
    if source.is("rs") {
        findings.extend(check_shape(source));
        findings.extend(rust::check(source)?);
    }
    Ok(findings)
}

fn leftovers(source: &Source) -> Vec<Finding> {
    let words = |line: &str| {
        line.split(|letter: char| !letter.is_alphanumeric())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for word in words(line)
            .iter()
            .filter(|word| LEFTOVERS.contains(&word.as_str()))
        {
            let reason = format!("{word} left behind: do it, or open an issue");
            findings.push(Finding::at(&source.path, number, reason));
        }
    }
    findings
}

fn check_shape(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.starts_with("//! ") {
        findings.push(Finding::at(
            &source.path,
            1,
            "the first line must be `//!` and say what the file is for",
        ));
    }
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        let reason = format!(
            "{lines} lines: no file is longer than {FILE_LINES_MAX}; split it by what changes together"
        );
        findings.push(Finding::new(&source.path, reason));
    }
    findings
}

fn check_changelog(sources: &[Source]) -> Option<Finding> {
    let opens = |line: &str| ["## Unreleased", "## [Unreleased]"].contains(&line);
    let changelog = sources.iter().find(|source| source.path == "CHANGELOG.md");
    let open = changelog.is_some_and(|source| source.text.lines().any(opens));
    (!open).then(|| {
        Finding::new(
            "CHANGELOG.md",
            "needs a section `## Unreleased` for what comes next",
        )
    })
}

fn summary(sources: &[Source]) -> String {
    let mut long: Vec<(usize, &str)> = sources
        .iter()
        .filter(|source| source.is("rs"))
        .map(|source| (source.text.lines().count(), source.path.as_str()))
        .filter(|(lines, _)| *lines > FILE_LINES_TARGET)
        .collect();
    long.sort_by(|a, b| b.cmp(a));
    let list: String = long
        .iter()
        .map(|(lines, path)| format!("\n  {lines:4} lines: {path}"))
        .collect();
    format!(
        "{} files, {} of them over the target of {FILE_LINES_TARGET} lines{list}",
        sources.len(),
        long.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text))
            .unwrap()
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn a_clean_file_passes() {
        assert_eq!(
            reasons("crates/core/src/a.rs", "//! What for.\nfn a() {}\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_found() {
        assert!(reasons("a.rs", "fn a() {}\n")[0].starts_with("a.rs:1: the first line must be"));
    }

    #[test]
    fn a_file_over_the_limit_is_found_and_one_at_the_limit_is_not() {
        let text = |lines: usize| format!("//! What for.\n{}", "// x\n".repeat(lines - 1));
        assert_eq!(reasons("a.rs", &text(800)), Vec::<String>::new());
        assert!(reasons("a.rs", &text(801))[0].starts_with("a.rs: 801 lines"));
    }

    #[test]
    fn leftovers_are_found_as_whole_words_in_all_but_prose() {
        let word = LEFTOVERS[0];
        assert!(reasons("a.sh", &format!("x\n# {word}: later\n"))[0].starts_with("a.sh:2: "));
        assert_eq!(
            reasons("a.sh", &format!("mktemp {}{}\n", LEFTOVERS[2], LEFTOVERS[2])),
            Vec::<String>::new()
        );
        assert_eq!(
            reasons("a.md", &format!("no {word} stays\n")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn trailing_white_space_is_found() {
        assert_eq!(reasons("a.md", "x\ny \n"), ["a.md:2: trailing white space"]);
    }

    #[test]
    fn a_changelog_without_an_open_section_or_none_at_all_is_found() {
        let changelog = |text| vec![Source::new("CHANGELOG.md", text)];
        assert_eq!(
            check_changelog(&changelog("# Changelog\n\n## [Unreleased]\n")),
            None
        );
        assert!(check_changelog(&changelog("# Changelog\n\n## [0.1.0]\n")).is_some());
        assert!(check_changelog(&[]).is_some());
    }
}
