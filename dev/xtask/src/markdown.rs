//! Relative links of Markdown files must lead to a file, and to a heading where they name one: a dead link is
//! found here and not by a reader.

use std::{collections::HashSet, path::Path};

use crate::{Finding, source::Source};

/// One finding for every relative link of `page` that leads nowhere.
pub(crate) fn dead_links(root: &Path, pages: &[Source], page: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in links(&page.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let path = if file.is_empty() {
            page.path.clone()
        } else {
            resolve(&page.path, file)
        };
        if !root.join(&path).exists() {
            findings.push(Finding::at(
                &page.path,
                line,
                format!("link to {target}: no such file"),
            ));
        } else if !anchor.is_empty() && !has_heading(pages, &path, anchor) {
            findings.push(Finding::at(
                &page.path,
                line,
                format!("link to {target}: no such heading"),
            ));
        }
    }
    findings
}

/// The targets of `[text](target)` outside code, each with its line number.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let spans = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        for rest in spans.split("](").skip(1) {
            if let Some(target) = rest.split([')', ' ']).next() {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The numbered lines that are not inside a fenced block.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// `file` as seen from the directory of `page`, with `..` taken out.
fn resolve(page: &str, file: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_heading(pages: &[Source], path: &str, anchor: &str) -> bool {
    let Some(page) = pages.iter().find(|page| page.path == path && page.is("md")) else {
        return true;
    };
    let slugs: HashSet<String> = prose(&page.text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| slug(line))
        .collect();
    slugs.contains(anchor)
}

/// The anchor that GitHub and GitLab give a heading.
fn slug(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("docs")).unwrap();
        std::fs::write(dir.path().join("README.md"), "").unwrap();
        std::fs::write(dir.path().join("docs/a.md"), "").unwrap();
        let pages = [
            Source::new("docs/a.md", text),
            Source::new("README.md", "# First `apply`, in a minute\n"),
        ];
        dead_links(dir.path(), &pages, &pages[0])
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn a_link_to_a_missing_file_is_found_with_its_line() {
        assert_eq!(check("x\n[b](b.md)"), ["docs/a.md:2: link to b.md: no such file"]);
        assert_eq!(check("[b](/docs/../c.md)").len(), 1);
    }

    #[test]
    fn a_link_to_a_missing_heading_is_found() {
        assert_eq!(
            check("[b](../README.md#last)"),
            ["docs/a.md:1: link to ../README.md#last: no such heading"]
        );
        assert_eq!(check("[b](#here)").len(), 1);
    }

    #[test]
    fn good_links_other_sites_and_code_pass() {
        let text = "# Here\n[r](../README.md) [s](../README.md#first-apply-in-a-minute) [h](#here)\n\
                    [w](https://example.com/x) `[c](c.md)`\n```\n[f](f.md)\n```\n";
        assert_eq!(check(text), Vec::<String>::new());
    }
}
