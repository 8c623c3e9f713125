//! The backend blocks of this directory and of those around it, from the files alone.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use tidelock_core::limits::{DOCTOR_DEPTH_MAX, DOCTOR_DIRECTORIES_MAX};

use super::facts::{Argument, Block, Others, Place, Program};
use crate::backend::{self, BackendError};

/// Suffixes of files that only OpenTofu reads.
const TOFU: [&str; 2] = [".tofu", ".tofu.json"];

/// The registry that OpenTofu records providers from.
const TOFU_REGISTRY: &str = "registry.opentofu.org";

/// The block of a directory; `None` where it is not of `backend "s3"`.
pub(super) fn block(dir: &Path, version: Option<(u32, u32)>) -> Result<Option<Block>, BackendError> {
    let written = backend::written(dir)?.filter(|written| written.kind == "s3");
    let argument = |(argument, value): (backend::Argument, Option<String>)| Argument {
        name: argument.name,
        value,
        computed: argument.computed,
        at: argument.at.to_string(),
    };
    Ok(written.map(|written| Block {
        at: written.at.to_string(),
        program: program(dir),
        version,
        arguments: written.arguments.into_iter().map(argument).collect(),
        ..Block::default()
    }))
}

/// Terraform, unless something here is OpenTofu's alone.
fn program(dir: &Path) -> Program {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_tofu = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| TOFU.iter().any(|suffix| name.ends_with(suffix)));
    let locked = fs::read_to_string(dir.join(".terraform.lock.hcl")).unwrap_or_default();
    match is_tofu || locked.contains(TOFU_REGISTRY) {
        true => Program::OpenTofu,
        false => Program::Terraform,
    }
}

/// This directory's block beside those of the repository around it; `None` where it is in none.
pub(super) fn others(dir: &Path) -> Option<Others> {
    let own = dir.canonicalize().ok()?;
    let root = own.ancestors().find(|dir| dir.join(".git").exists())?;
    let mut places = Vec::new();
    let mut left = DOCTOR_DIRECTORIES_MAX;
    let mut ours = None;
    walk(root, 0, &mut left, &mut |dir| {
        if let Some(place) = place(dir, root) {
            match dir == own {
                true => ours = Some(place),
                false => places.push(place),
            }
        }
    });
    Some(Others {
        ours: ours?,
        others: places,
    })
}

/// Every directory, but hidden ones and what links lead to.
fn walk(dir: &Path, depth: usize, left: &mut usize, visit: &mut dyn FnMut(&Path)) {
    if depth > DOCTOR_DEPTH_MAX || *left == 0 {
        return;
    }
    *left -= 1;
    visit(dir);
    let mut below: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            !entry.file_name().to_string_lossy().starts_with('.') && entry.file_name() != "node_modules"
        })
        .map(|entry| entry.path())
        .collect();
    below.sort();
    for dir in below {
        walk(&dir, depth + 1, left, visit);
    }
}

/// Where a directory keeps its state; what is no backend block of ours, or cannot be read, is nobody to compare with.
fn place(dir: &Path, root: &Path) -> Option<Place> {
    let written = backend::written(dir).ok()??;
    if written.kind != "s3" {
        return None;
    }
    let at = written.at.to_string();
    let at = at
        .strip_prefix(&format!("{}/", root.display()))
        .unwrap_or(&at)
        .to_owned();
    let settings: BTreeMap<String, String> = written
        .arguments
        .into_iter()
        .filter_map(|(argument, value)| Some((argument.name, value?)))
        .collect();
    Some(Place { at, settings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(dir: &Path, bucket: &str, key: &str) {
        fs::create_dir_all(dir).unwrap();
        let block = format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"{bucket}\"\n    key = \"{key}\"\n    secret_key = \"hush\"\n  }}\n}}\n"
        );
        fs::write(dir.join("main.tf"), block).unwrap();
    }

    #[test]
    fn the_blocks_of_a_repository_are_found_and_what_is_hidden_is_not() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".git")).unwrap();
        for (dir, key) in [("a", "a"), ("b/c", "bc"), (".terraform/modules/x", "x")] {
            write(&root.path().join(dir), "states", key);
        }
        let others = others(&root.path().join("a")).unwrap();
        assert_eq!(
            (others.ours.at.as_str(), others.ours.settings["key"].as_str()),
            ("a/main.tf:2", "a")
        );
        let at: Vec<&str> = others.others.iter().map(|place| place.at.as_str()).collect();
        assert_eq!(at, ["b/c/main.tf:2"]);
        assert!(!format!("{others:?}").contains("hush"));
    }

    #[test]
    fn a_directory_in_no_repository_has_nobody_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "states", "a");
        assert!(others(dir.path()).is_none());
    }

    #[test]
    fn what_only_opentofu_reads_tells_the_program() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "states", "a");
        assert_eq!(
            block(dir.path(), None).unwrap().unwrap().program,
            Program::Terraform
        );
        fs::write(
            dir.path().join(".terraform.lock.hcl"),
            "provider \"registry.opentofu.org/hashicorp/aws\" {}",
        )
        .unwrap();
        assert_eq!(
            block(dir.path(), None).unwrap().unwrap().program,
            Program::OpenTofu
        );
    }
}
