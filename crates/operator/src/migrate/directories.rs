//! The directories below a path that have a `backend "s3"` block, and how each locks its states.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tidelock_core::limits::{EDITED_FILE_BYTES_MAX, MIGRATED_DIRECTORIES_MAX, SEARCHED_ENTRIES_MAX};

use super::MigrateError;
use crate::{
    backend::{self, BackendError, Between, Environment, Locking},
    files,
    hcl_edit::{self, Scope},
};

/// What is never a directory of somebody's configuration: copies, caches, and what tools keep for themselves.
const PASSED_OVER: [&str; 4] = [".terraform", ".terragrunt-cache", ".git", "node_modules"];

/// The suffixes of configuration files.
const CONFIGURATION: [&str; 4] = [".tf", ".tofu", ".tf.json", ".tofu.json"];

/// Those of files for `-backend-config`, by Terraform's own advice on their names.
const PARTIAL: [&str; 2] = [".tfbackend", ".tfbackend.json"];

/// All that was found.
#[derive(Debug)]
pub struct Survey {
    /// The directories with a `backend "s3"` block, by path.
    pub directories: Vec<Directory>,
    /// Files of Terragrunt that name a lock table: it writes the blocks from them, and people change them.
    pub terragrunt: Vec<PathBuf>,
}

/// A directory with a `backend "s3"` block.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// What it is configured for: once, or once for each of its `.tfbackend` files.
    pub targets: Vec<Target>,
    /// Why it is not known what it means: a sentence each.
    pub troubles: Vec<String>,
    pub(super) sources: Vec<Source>,
}

/// One configuration of a directory: a set of states in one place.
#[derive(Debug)]
pub struct Target {
    /// The files and values that `init` needs for it.
    pub backend_config: Vec<String>,
    /// Where its states are, and how its files and `init` say that they are locked.
    pub between: Between,
}

/// By what a configuration locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// By nothing.
    Nothing,
    /// By the table alone.
    Table,
    /// By both.
    Both,
    /// By the lock file alone.
    LockFile,
}

/// A file that can say how states are locked. Has no text in its `Debug`: keys may be in it.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) scope: Scope,
    pub(super) text: String,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Source");
        shown.field("path", &self.path).field("scope", &self.scope);
        shown.finish_non_exhaustive()
    }
}

impl Stand {
    /// As a [`Locking`] says.
    #[must_use]
    pub fn of(locking: &Locking) -> Stand {
        match (locking.lock_file, locking.table.is_some()) {
            (false, false) => Stand::Nothing,
            (false, true) => Stand::Table,
            (true, true) => Stand::Both,
            (true, false) => Stand::LockFile,
        }
    }
}

impl Target {
    /// How its files say that it locks. A table that only `init` knows counts as long as the block adds no lock file of
    /// its own: then it came with `-backend-config`.
    #[must_use]
    pub fn stand(&self) -> Stand {
        match (Stand::of(&self.between.configured), &self.between.recorded) {
            (Stand::Nothing, Some(recorded)) => Stand::of(recorded),
            (stand, _) => stand,
        }
    }

    /// Whether `init` has recorded another way of locking than the files say, so that Terraform wants it to run again.
    #[must_use]
    pub fn needs_init(&self) -> bool {
        let recorded = self.between.recorded.as_ref();
        recorded.is_some_and(|recorded| *recorded != self.between.configured)
    }
}

impl Directory {
    /// The stands of its configurations, each once; none where it is not known.
    #[must_use]
    pub fn stands(&self) -> Vec<Stand> {
        let mut stands: Vec<Stand> = self.targets.iter().map(Target::stand).collect();
        stands.sort();
        stands.dedup();
        stands
    }
}

/// Looks at every directory below `root` that is no copy or cache; symbolic links are not followed. `backend_config` is
/// what `init` is given in each of them.
///
/// # Errors
/// [`MigrateError`], when not all can be looked at. What one directory says wrong is among its troubles.
pub fn survey(
    root: &Path,
    backend_config: &[String],
    environment: Environment<'_>,
) -> Result<Survey, MigrateError> {
    let mut survey = Survey {
        directories: Vec::new(),
        terragrunt: Vec::new(),
    };
    let (mut open, mut seen) = (vec![root.to_owned()], 0);
    while let Some(path) = open.pop() {
        let listed = list(&path, &mut seen, root)?;
        open.extend(listed.directories.into_iter().rev());
        let terragrunt = listed.terragrunt.into_iter().filter(|path| names_table(path));
        survey.terragrunt.extend(terragrunt);
        if let Some(directory) = directory(path, listed.files, backend_config, environment)? {
            survey.directories.push(directory);
        }
        if survey.directories.len() > MIGRATED_DIRECTORIES_MAX {
            return Err(MigrateError::TooMany {
                path: root.to_owned(),
                what: "directories with a backend block",
                max: MIGRATED_DIRECTORIES_MAX,
            });
        }
    }
    Ok(survey)
}

/// The names in one directory that matter, in their order.
struct Names {
    directories: Vec<PathBuf>,
    files: Vec<(PathBuf, Scope)>,
    terragrunt: Vec<PathBuf>,
}

fn list(path: &Path, seen: &mut usize, root: &Path) -> Result<Names, MigrateError> {
    let cannot = |source: io::Error| MigrateError::Read {
        path: path.to_owned(),
        source,
    };
    let mut names = Names {
        directories: Vec::new(),
        files: Vec::new(),
        terragrunt: Vec::new(),
    };
    for entry in fs::read_dir(path).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        *seen += 1;
        if *seen > SEARCHED_ENTRIES_MAX {
            return Err(MigrateError::TooMany {
                path: root.to_owned(),
                what: "files",
                max: SEARCHED_ENTRIES_MAX,
            });
        }
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_directory = entry.file_type().map_err(cannot)?.is_dir();
        match (is_directory, scope_of(&name)) {
            (true, _) if PASSED_OVER.contains(&name.as_str()) => {}
            (true, _) => names.directories.push(entry.path()),
            (false, Some(scope)) => names.files.push((entry.path(), scope)),
            (false, None) if name.ends_with(".hcl") => names.terragrunt.push(entry.path()),
            (false, None) => {}
        }
    }
    names.directories.sort();
    names.files.sort_by(|a, b| a.0.cmp(&b.0));
    names.terragrunt.sort();
    Ok(names)
}

/// What a file of that name can say; `None` of one that Terraform does not read.
fn scope_of(name: &str) -> Option<Scope> {
    // What editors leave behind.
    if name.starts_with('.') || name.starts_with('#') {
        return None;
    }
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    match (ends(&CONFIGURATION), ends(&PARTIAL)) {
        (true, _) => Some(Scope::Blocks),
        (false, true) => Some(Scope::File),
        (false, false) => None,
    }
}

/// Whether a file of Terragrunt's configures a lock table, and no lock file.
fn names_table(path: &Path) -> bool {
    let text = files::read_text(path, EDITED_FILE_BYTES_MAX).ok().flatten();
    text.is_some_and(|text| {
        text.contains("remote_state") && text.contains("dynamodb_table") && !text.contains("use_lockfile")
    })
}

/// `None` when it has no `backend "s3"` block.
fn directory(
    path: PathBuf,
    names: Vec<(PathBuf, Scope)>,
    backend_config: &[String],
    environment: Environment<'_>,
) -> Result<Option<Directory>, MigrateError> {
    let (mut sources, mut troubles, mut has_block) = (Vec::new(), Vec::new(), false);
    for (path, scope) in names {
        let Some(text) = read(&path)? else { continue };
        if scope == Scope::Blocks && !(text.contains("backend") && text.contains("s3")) {
            continue;
        }
        match hcl_edit::written(&path, &text, scope, "bucket") {
            Ok(found) if found.is_empty() => {}
            Ok(_) => {
                has_block |= scope == Scope::Blocks;
                sources.push(Source { path, scope, text });
            }
            Err(why) if scope == Scope::Blocks => {
                // It may well have one.
                has_block = true;
                troubles.push(format!("{}: {why}", path.display()));
            }
            Err(why) => troubles.push(format!("{}: {why}", path.display())),
        }
    }
    if !has_block {
        return Ok(None);
    }
    let mut directory = Directory {
        path,
        targets: Vec::new(),
        troubles,
        sources,
    };
    directory.add_given(backend_config)?;
    if directory.troubles.is_empty() {
        directory.find_targets(backend_config, environment);
    }
    Ok(Some(directory))
}

fn read(path: &Path) -> Result<Option<String>, MigrateError> {
    match files::read_text(path, EDITED_FILE_BYTES_MAX) {
        // No text, or too much of it, is no configuration that somebody has written.
        Err(fault) if fault.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read.map_err(|source| MigrateError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

impl Directory {
    /// The files that `init` is given can be edited like those that are found here.
    fn add_given(&mut self, backend_config: &[String]) -> Result<(), MigrateError> {
        for given in backend_config.iter().filter(|given| !given.contains('=')) {
            let path = self.path.join(given);
            let is_new = self.sources.iter().all(|source| source.path != path);
            if let Some(text) = read(&path)?.filter(|_| is_new) {
                let scope = Scope::File;
                self.sources.push(Source { path, scope, text });
            }
        }
        Ok(())
    }

    fn find_targets(&mut self, backend_config: &[String], environment: Environment<'_>) {
        let partial: Vec<String> = self.partial();
        let whole = backend::between(&self.path, backend_config, environment, false);
        let each = match &whole {
            Err(BackendError::Missing { .. }) if !partial.is_empty() => partial,
            _ => Vec::new(),
        };
        if each.is_empty() {
            let found = backend::between(&self.path, backend_config, environment, true);
            self.take(backend_config.to_vec(), found);
        }
        for file in each {
            let mut given = backend_config.to_vec();
            given.push(file);
            // What `init` recorded is about one of them only.
            let found = backend::between(&self.path, &given, environment, false);
            self.take(given, found);
        }
    }

    /// The names of the files for `-backend-config` that are beside the block.
    fn partial(&self) -> Vec<String> {
        let partial = self.sources.iter().filter(|source| source.scope == Scope::File);
        let names = partial.filter_map(|source| source.path.strip_prefix(&self.path).ok()?.to_str());
        names.map(str::to_owned).collect()
    }

    fn take(&mut self, backend_config: Vec<String>, found: Result<Between, BackendError>) {
        match found {
            Ok(between) => self.targets.push(Target {
                backend_config,
                between,
            }),
            Err(why) => self.troubles.push(why.to_string()),
        }
    }
}
