//! The files under check: every text file of the repository, read once, without asking git, so that a checkout
//! unpacked from an archive is checked in the same way.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Directories that hold nothing anyone wrote here.
const SKIPPED: [&str; 7] = [
    "target",
    ".git",
    ".venv",
    "node_modules",
    "corpus",
    "artifacts",
    "__pycache__",
];
const TEXT: [&str; 9] = ["rs", "md", "toml", "sh", "py", "txt", "tf", "yml", "json"];
const TEXT_BY_NAME: [&str; 2] = ["justfile", "run"];

/// One text file.
pub(crate) struct Source {
    /// From the workspace root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|own| own == extension)
    }

    /// Whether the whole file is compiled into tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs" || part == "benches")
    }
}

/// Every text file below `root`, in the order of their paths.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    collect(root, "", &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(root: &Path, below: &str, found: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(root.join(below)).with_context(|| format!("reading {below:?}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            collect(root, &path, found)?;
        } else if kind.is_file() && is_text(&name) {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("{path} is not UTF-8"))?;
            found.push(Source { path, text });
        }
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|text| text.to_str());
    TEXT_BY_NAME.contains(&name) || extension.is_some_and(|own| TEXT.contains(&own))
}
