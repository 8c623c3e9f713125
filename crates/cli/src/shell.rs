//! Text that the user pastes into a shell, or that the shell evaluates.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// `text` as one word of a POSIX shell, quoted only where it must be.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How this program is called: `tidelock` where the shell finds it by that name, else its path.
pub(crate) fn own_name() -> String {
    let Ok(own) = env::current_exe() else {
        return "tidelock".to_owned();
    };
    match on_path("tidelock") {
        Some(found) if found.canonicalize().ok() == own.canonicalize().ok() => "tidelock".to_owned(),
        _ => quoted(&own.to_string_lossy()),
    }
}

/// The first file of that name in the directories of PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file: &PathBuf| Path::is_file(file))
}

/// The program that speaks Terraform: the one given, by name or path, or else `terraform` or `tofu` on PATH.
pub(crate) fn terraform(given: Option<PathBuf>) -> io::Result<Option<PathBuf>> {
    let found = match given {
        Some(path) if path.components().count() == 1 => on_path(&path.to_string_lossy()),
        Some(path) => Some(path),
        None => on_path("terraform").or_else(|| on_path("tofu")),
    };
    // It may be run in another directory.
    found.map(std::path::absolute).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell_whatever_is_in_it() {
        assert_eq!(quoted("http://127.0.0.1:9470"), "http://127.0.0.1:9470");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(rm)"), r"'it'\''s $(rm)'");
    }
}
