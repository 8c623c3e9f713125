//! What a step changes in the files of a directory, and changing it.

use std::{fs, io, os::unix::fs::PermissionsExt, path::PathBuf};

use tidelock_core::limits::EDITED_FILE_BYTES_MAX;

use super::{Directory, MigrateError, Stand, Step, Survey, directories::Source};
use crate::{
    files,
    hcl_edit::{self, Change, Literal, Scope, is_plain},
};

const LOCK_FILE: &str = "use_lockfile";
const TABLE: &str = "dynamodb_table";

/// What a step does to every directory.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The step.
    pub step: Step,
    /// By path.
    pub directories: Vec<Planned<'a>>,
}

/// What a step does to one directory.
#[derive(Debug)]
pub struct Planned<'a> {
    /// The directory.
    pub directory: &'a Directory,
    /// None where it is done already, has nothing to migrate, or is stopped at.
    pub edits: Vec<Edit>,
    /// Why it must not take the step: a sentence each.
    pub stops: Vec<String>,
}

/// A file with one setting changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: PathBuf,
    /// The lines, from 1, at which it is changed.
    pub lines: Vec<usize>,
    before: String,
    after: String,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Backend blocks may have keys in them.
        let mut shown = f.debug_struct("Edit");
        shown.field("path", &self.path).field("lines", &self.lines);
        shown.finish_non_exhaustive()
    }
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is no longer what the plan was made from.
    #[error("{} was changed by somebody else meanwhile; run the command again", .0.display())]
    Changed(PathBuf),
    /// It cannot be read or written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the step changes in each directory.
///
/// # Errors
/// When the table that is to be added has no name that can be written as it is.
pub fn plan(survey: &Survey, step: Step) -> Result<Plan<'_>, MigrateError> {
    if let Step::AddTable(table) = &step
        && !is_plain(table)
    {
        return Err(MigrateError::TableName(table.clone()));
    }
    let directories = survey.directories.iter();
    let directories = directories.map(|directory| planned(directory, &step)).collect();
    Ok(Plan { step, directories })
}

fn planned<'a>(directory: &'a Directory, step: &Step) -> Planned<'a> {
    let mut planned = Planned {
        directory,
        edits: Vec::new(),
        stops: directory.troubles.clone(),
    };
    let stands = directory.stands();
    if let Some(stop) = stop(step, &stands) {
        planned.stops.push(stop.to_owned());
    }
    if !planned.stops.is_empty() || !stands.iter().any(|stand| is_wanted(step, *stand)) {
        return planned;
    }
    for source in &directory.sources {
        match edit(source, step) {
            Ok(edit) => planned.edits.extend(edit),
            Err(why) => planned.stops.push(format!("{}: {why}", source.path.display())),
        }
    }
    let is_due = stands.iter().any(|stand| is_due(step, *stand));
    if planned.stops.is_empty() && planned.edits.is_empty() && is_due {
        let name = match step {
            Step::DropTable | Step::AddTable(_) => TABLE,
            Step::DropLockFile | Step::AddLockFile => LOCK_FILE,
        };
        planned.stops.push(format!(
            "{name} stands in no file here: it is given to init (-backend-config, TF_CLI_ARGS_init); change it there"
        ));
    }
    if !planned.stops.is_empty() {
        // Half of a directory's files is no step.
        planned.edits.clear();
    }
    planned
}

/// Whether its files are worth a look: a step that stopped half way, or a file that another one hides, may be left.
fn is_wanted(step: &Step, stand: Stand) -> bool {
    is_due(step, stand)
        || match step {
            Step::AddLockFile => stand == Stand::Both,
            Step::AddTable(_) => false,
            Step::DropTable => stand == Stand::LockFile,
            Step::DropLockFile => stand == Stand::Table,
        }
}

/// Whether it is not done.
fn is_due(step: &Step, stand: Stand) -> bool {
    match step {
        Step::AddLockFile => stand == Stand::Table,
        Step::AddTable(_) => stand == Stand::LockFile,
        Step::DropTable | Step::DropLockFile => stand == Stand::Both,
    }
}

/// A lock goes only where the other one is there already.
fn stop(step: &Step, stands: &[Stand]) -> Option<&'static str> {
    match step {
        Step::DropTable if stands.contains(&Stand::Table) => {
            Some("it is still locked in the table alone: phase 1 first")
        }
        Step::DropLockFile if stands.contains(&Stand::LockFile) => {
            Some("it is still locked by the lock file alone: --reverse --phase 3 first")
        }
        _ => None,
    }
}

fn edit(source: &Source, step: &Step) -> Result<Option<Edit>, hcl_edit::Unable> {
    let change = match (step, source.scope) {
        // One place is enough for the new word, and it is the one that all share.
        (Step::AddLockFile, Scope::Blocks) => Change::Set {
            name: LOCK_FILE,
            value: Literal::True,
            after: TABLE,
        },
        (Step::AddLockFile, Scope::File) => Change::Replace {
            name: LOCK_FILE,
            value: Literal::True,
        },
        (Step::AddTable(table), Scope::Blocks) => Change::Set {
            name: TABLE,
            value: Literal::Text(table),
            after: LOCK_FILE,
        },
        (Step::AddTable(table), Scope::File) => Change::Replace {
            name: TABLE,
            value: Literal::Text(table),
        },
        (Step::DropTable, _) => Change::Remove { name: TABLE },
        (Step::DropLockFile, _) => Change::Remove { name: LOCK_FILE },
    };
    let edited = hcl_edit::edited(&source.path, &source.text, source.scope, &change)?;
    Ok(edited.map(|edited| Edit {
        path: source.path.clone(),
        lines: edited.lines,
        before: source.text.clone(),
        after: edited.text,
    }))
}

/// Makes the edits, each as a whole or not at all; one that is made already is passed over.
///
/// # Errors
/// [`EditError`] at the first file that is not what it was; those before it are changed.
pub(super) fn apply(edits: &[Edit]) -> Result<(), EditError> {
    for edit in edits {
        let cannot = |source| EditError::Write {
            path: edit.path.clone(),
            source,
        };
        let now = files::read_text(&edit.path, EDITED_FILE_BYTES_MAX).map_err(cannot)?;
        if now.as_ref() == Some(&edit.after) {
            continue;
        }
        if now.as_ref() != Some(&edit.before) {
            return Err(EditError::Changed(edit.path.clone()));
        }
        let mode = fs::metadata(&edit.path).map_err(cannot)?.permissions().mode() & 0o7777;
        files::replace(&edit.path, edit.after.as_bytes(), mode).map_err(cannot)?;
    }
    Ok(())
}
