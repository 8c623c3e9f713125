//! The backend block among the files of a directory, by the rules of Terraform and OpenTofu on which of them count.
//!
//! Source: `internal/configs/parser_config_dir.go` and `module.go` of both.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tidelock_core::limits::CONFIGURATION_FILES_MAX;

use super::{BackendError, Place, Reader, Settings, hcl, json};

/// A `backend` block, or what `init` recorded of one.
pub(super) struct Block {
    /// Such as `s3`; `cloud` for a `cloud` block.
    pub(super) kind: String,
    pub(super) at: Place,
    pub(super) settings: Settings,
}

/// Suffixes of configuration files; where both of a line are there, OpenTofu takes the first, and Terraform knows the second.
const SUFFIXES: [[&str; 2]; 2] = [[".tofu", ".tf"], [".tofu.json", ".tf.json"]];

/// The block that counts: the only one, or the last one in an override file.
pub(super) fn find(dir: &Path, reader: &mut Reader) -> Result<Option<Block>, BackendError> {
    let mut found = None;
    let (overrides, files): (Vec<_>, Vec<_>) = files(dir)?.into_iter().partition(|file| file.overrides);
    for file in files {
        for block in blocks(&file.path, reader)? {
            only(&mut found, block)?;
        }
    }
    for file in overrides {
        let mut over = None;
        for block in blocks(&file.path, reader)? {
            only(&mut over, block)?;
        }
        found = over.or(found);
    }
    Ok(found)
}

fn only(found: &mut Option<Block>, block: Block) -> Result<(), BackendError> {
    if let Some(first) = found {
        return Err(BackendError::Twice {
            first: first.at.clone(),
            second: block.at,
        });
    }
    *found = Some(block);
    Ok(())
}

fn blocks(path: &Path, reader: &mut Reader) -> Result<Vec<Block>, BackendError> {
    let Some(text) = reader.read(path)? else {
        return Ok(Vec::new());
    };
    // Most files have none of these words, and need not be understood.
    if !text.contains("terraform") || !(text.contains("backend") || text.contains("cloud")) {
        return Ok(Vec::new());
    }
    match path.extension() {
        Some(extension) if extension == "json" => json::blocks(path, &text),
        _ => hcl::blocks(path, &text),
    }
}

pub(super) struct ConfigurationFile {
    path: PathBuf,
    overrides: bool,
}

/// The files of configuration, in the order of their names.
pub(super) fn files(dir: &Path) -> Result<Vec<ConfigurationFile>, BackendError> {
    let cannot = |source: io::Error| BackendError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let Ok(name) = entry.map_err(cannot)?.file_name().into_string() else {
            continue;
        };
        if stem(&name).is_some() && !is_leftover(&name) && dir.join(&name).is_file() {
            names.push(name);
        }
        if names.len() > CONFIGURATION_FILES_MAX {
            return Err(BackendError::TooManyFiles { dir: dir.to_owned() });
        }
    }
    names.sort();
    let counts = |name: &&String| !is_hidden_by_tofu(name, &names);
    let file = |name: &String| ConfigurationFile {
        path: dir.join(name),
        overrides: stem(name).is_some_and(|stem| stem == "override" || stem.ends_with("_override")),
    };
    Ok(names.iter().filter(counts).map(file).collect())
}

/// The name without the suffix that makes it a file of configuration.
fn stem(name: &str) -> Option<&str> {
    let mut suffixes = SUFFIXES.iter().flatten();
    suffixes.find_map(|suffix| name.strip_suffix(suffix))
}

/// What editors leave behind.
fn is_leftover(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

fn is_hidden_by_tofu(name: &str, names: &[String]) -> bool {
    SUFFIXES.iter().any(|[tofu, tf]| {
        let other = name.strip_suffix(tf).map(|stem| format!("{stem}{tofu}"));
        other.is_some_and(|other| names.binary_search(&other).is_ok())
    })
}
