//! The page of results is written by several commands: each puts its own sections in and leaves the others as they are.

use std::{fs, path::Path};

use anyhow::Result;

/// The section of this heading (`## …`), up to the next of its rank.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = if page.starts_with(&format!("{heading}\n")) {
        0
    } else {
        page.find(&format!("\n{heading}\n"))? + 1
    };
    let rest = &page[start..];
    let end = rest[heading.len()..]
        .find("\n## ")
        .map_or(rest.len(), |end| heading.len() + end + 1);
    Some(&rest[..end])
}

/// Writes these parts as the page, one blank line between two.
pub(crate) fn write(path: &Path, parts: &[&str]) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| part.trim_end())
        .filter(|part| !part.is_empty())
        .collect();
    Ok(fs::write(path, parts.join("\n\n") + "\n")?)
}

/// Puts this section in the place of the one with its heading, or at the end.
pub(crate) fn put_section(path: &Path, heading: &str, text: &str) -> Result<()> {
    let page = fs::read_to_string(path).unwrap_or_else(|_| "# Benchmarks\n".to_owned());
    match section(&page, heading).and_then(|old| page.split_once(old)) {
        Some((before, after)) => write(path, &[before, text, after]),
        None => write(path, &[&page, text]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\nIntro\n\n## A\n\na\n\n### A.1\n\n## B\n\nb\n";

    #[test]
    fn a_section_ends_where_the_next_of_its_rank_begins() {
        assert_eq!(section(PAGE, "## A"), Some("## A\n\na\n\n### A.1\n\n"));
        assert_eq!(section(PAGE, "## B"), Some("## B\n\nb\n"));
        assert_eq!(section(PAGE, "## C"), None);
    }

    #[test]
    fn a_section_takes_the_place_of_the_old_one_and_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        fs::write(&path, PAGE).unwrap();
        put_section(&path, "## A", "## A\n\nnew\n").unwrap();
        put_section(&path, "## C", "## C\n\nc\n").unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert_eq!(page, "# Page\n\nIntro\n\n## A\n\nnew\n\n## B\n\nb\n\n## C\n\nc\n");
    }
}
