//! The selected workspace, and the key of its state.

use std::path::Path;

use tidelock_core::{diff::visible, limits::WORKSPACE_BYTES_MAX};

use super::{BackendError, Environment, Place, Reader};

/// The workspace that every configuration has.
pub(super) const DEFAULT: &str = "default";

/// What the keys of other workspaces begin with, unless `workspace_key_prefix` says otherwise.
pub(super) const PREFIX: &str = "env:";

/// The workspace that Terraform would work in: that of the variable, else that of the last `workspace select`.
///
/// Source: `Workspace` in `internal/command/meta.go` of Terraform.
pub(super) fn selected(
    data_dir: &Path,
    environment: Environment<'_>,
    reader: &mut Reader,
) -> Result<String, BackendError> {
    if let Some(name) = environment("TF_WORKSPACE") {
        return checked(&name, Place::named("TF_WORKSPACE"));
    }
    let path = data_dir.join("environment");
    let text = reader.read(&path)?.unwrap_or_default();
    match text.trim() {
        "" => Ok(DEFAULT.to_owned()),
        name => checked(name, Place::file(&path)),
    }
}

/// Terraform takes what stands in a URL's path as it is.
fn checked(name: &str, at: Place) -> Result<String, BackendError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~$&+=:@".contains(c);
    if name.len() <= WORKSPACE_BYTES_MAX && name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    let name: String = name.chars().take(WORKSPACE_BYTES_MAX).collect();
    let name = visible(&name);
    Err(BackendError::Workspace { name, at })
}

/// The key of the workspace's state in `backend "s3"`.
///
/// Source: `path` in `internal/backend/remote-state/s3/backend_state.go`, with Go's `path.Join`.
pub(crate) fn key(workspace: &str, prefix: Option<&str>, key: &str) -> String {
    match workspace {
        DEFAULT => key.to_owned(),
        workspace => joined(&[prefix.unwrap_or(PREFIX), workspace, key]),
    }
}

/// Joins the parts that are not empty by a slash, and resolves what Go's `path.Clean` does: `//`, `.` and `..`.
fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    let path = parts.join("/");
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            ".." if rooted => {}
            part => kept.push(part),
        }
    }
    let root = if rooted { "/" } else { "" };
    format!("{root}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_has_its_state_below_the_prefix() {
        for (workspace, prefix, of, expected) in [
            ("default", None, "./a//b", "./a//b"),
            ("w", None, "a/b", "env:/w/a/b"),
            ("w", Some("teams/x"), "a", "teams/x/w/a"),
            ("w", Some(""), "a", "w/a"),
            // As stock Terraform 1.11.4 wrote them.
            ("w1", None, "env:/a b", "env:/w1/env:/a b"),
            ("w4", Some("a//./b"), "./k", "a/b/w4/k"),
            ("w2", Some(""), "../k", "k"),
            ("w", Some(""), "../../k", "../k"),
        ] {
            assert_eq!(key(workspace, prefix, of), expected);
        }
    }
}
