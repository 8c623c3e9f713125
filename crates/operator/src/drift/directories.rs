//! The directories to look at: those whose configuration says where its state is.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use tidelock_core::limits::{DRIFT_DEPTH_MAX, DRIFT_DIRECTORIES_MAX};

use crate::backend;

/// Why directories cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// One cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than are looked at.
    #[error("more than {DRIFT_DIRECTORIES_MAX} directories have a configuration; name fewer")]
    TooMany,
}

/// Every directory among `paths` and below them that has a backend or cloud block, in the order of their names. One of `paths`
/// counts also when it has any configuration, whose state is then beside it.
///
/// Left out are directories whose names begin with a dot, where Terraform and Terragrunt keep copies, and symbolic links.
///
/// # Errors
/// [`FindError`].
pub fn directories(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FindError> {
    let mut found = BTreeMap::new();
    for path in paths {
        if backend::is_configuration(path) {
            add(path.clone(), &mut found)?;
        }
        below(path, &mut found)?;
    }
    let mut found: Vec<PathBuf> = found.into_values().collect();
    found.sort();
    Ok(found)
}

/// A directory by what it is, however often and in whatever way it is named; shown as it was named first.
type Found = BTreeMap<PathBuf, PathBuf>;

fn add(path: PathBuf, found: &mut Found) -> Result<(), FindError> {
    match path.canonicalize() {
        Ok(real) => {
            found.entry(real).or_insert(path);
            Ok(())
        }
        Err(source) => Err(FindError::Read { path, source }),
    }
}

fn below(top: &Path, found: &mut Found) -> Result<(), FindError> {
    let mut open = vec![(top.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        let cannot = |source| FindError::Read {
            path: dir.clone(),
            source,
        };
        for entry in fs::read_dir(&dir).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if depth < DRIFT_DEPTH_MAX && !hidden && entry.file_type().map_err(cannot)?.is_dir() {
                // As one would type it, without `./`.
                let is_here = dir.as_os_str() == ".";
                let path = if is_here {
                    entry.file_name().into()
                } else {
                    entry.path()
                };
                open.push((path, depth + 1));
            }
        }
        if backend::has_block(&dir) {
            add(dir, found)?;
        }
        if found.len() > DRIFT_DIRECTORIES_MAX {
            return Err(FindError::TooMany);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn roots_are_found_below_and_modules_and_copies_are_not() {
        let top = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = top.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let backend = "terraform {\n  backend \"s3\" {}\n}\n";
        write("live/prod/main.tf", backend);
        write("live/test/app/main.tofu", backend);
        write("live/cloud/main.tf", "terraform {\n  cloud {}\n}\n");
        write("live/broken/main.tf", "terraform {\n  backend \"s3\" {\n");
        write("live/prod/.terraform/modules/x/main.tf", backend);
        write("modules/net/main.tf", "variable \"x\" {}\n");
        write("docs/notes.md", backend);
        std::os::unix::fs::symlink(top.path().join("live/prod"), top.path().join("link")).unwrap();
        let names = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| top.path().join(path)).collect();
            let found = directories(&paths).unwrap();
            found
                .iter()
                .map(|dir| dir.strip_prefix(top.path()).unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        let all = ["live/broken", "live/cloud", "live/prod", "live/test/app"];
        assert_eq!(names(&["live"]), all);
        assert_eq!(names(&["live/prod", "live", "docs"]), all);
        assert_eq!(names(&["live/../live/prod", "link"]), ["live/../live/prod"]);
        assert_eq!(names(&["modules"]), Vec::<String>::new());
        assert_eq!(names(&["modules/net"]), ["modules/net"]);
        let missing = directories(&[top.path().join("none")]).unwrap_err();
        assert!(missing.to_string().contains("none"), "{missing}");
    }
}
