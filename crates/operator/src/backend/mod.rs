//! The backend of a Terraform or OpenTofu configuration, read as those two read it: which state it means, where, by which key.
//!
//! Reads files below the directory, AWS's two shared files, and the variables it is handed; asks no server.

mod access;
mod block;
mod encryption;
mod endpoints;
mod error;
mod hcl;
mod json;
mod locking;
mod paths;
mod recorded;
mod roles;
mod settings;
mod words;
mod workspace;
mod written;

use std::path::{Path, PathBuf};

use tidelock_core::{Address, limits::CONFIGURATION_BYTES_MAX};

pub(crate) use self::workspace::key as workspace_key;
pub(crate) use self::written::written;
use self::{block::Block, settings::Settings};
pub use self::{
    encryption::Encryption,
    error::BackendError,
    locking::{Between, Locking, between},
};
use crate::{aws::Wanted, files, keys::Keys};

/// The value of an environment variable; an empty one counts as absent.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where a configuration keeps its state, and what is needed to get there.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Through which protocol.
    pub kind: Kind,
    /// The state of the selected workspace.
    pub address: Address,
    /// The selected workspace.
    pub workspace: String,
    /// Where the backend block is, such as `main.tf:3`.
    pub at: Place,
    /// The key as the block has it, which is that of the workspace `default`.
    pub key: String,
    /// What the keys of the other workspaces begin with (`workspace_key_prefix`).
    pub workspace_prefix: String,
    /// What answers, such as `http://127.0.0.1:9470`: for S3 as the block, the environment or the profile says,
    /// `None` where that is AWS's own endpoint.
    pub endpoint: Option<String>,
    /// AWS's region.
    pub region: Option<String>,
    /// The profile by whose name credentials are looked up.
    pub profile: Option<String>,
    /// A file with the certificates that its clients trust, where the block, a variable or the profile names one.
    pub ca_bundle: Option<PathBuf>,
    /// The key, where it is written down somewhere; `None` where SSO or the machine would give one. A role of the block is
    /// assumed with it.
    pub keys: Option<Keys>,
    /// Whether the key is meant for that endpoint: whoever named the one named the other. A signature tells the endpoint no
    /// secret; where the secret itself would be told, a block that anybody may have written must not say to whom.
    pub keys_are_meant: bool,
    /// Where and as whom `backend "s3"` works, for the clients of S3, DynamoDB and what else stands beside them.
    pub wanted: Wanted,
    /// The lock table (`dynamodb_table`).
    pub table: Option<String>,
    /// Whether the state is locked by a file beside it (`use_lockfile`).
    pub lock_file: bool,
    /// How what is written is encrypted.
    pub encryption: Encryption,
    /// What the block and each `-backend-config` write, whatever `init` has recorded.
    pub arguments: Vec<Argument>,
    /// What was taken from `init`'s record because the block computes it, and what is not followed: a sentence each.
    pub notes: Vec<String>,
}

/// An argument of a backend block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Such as `bucket`, or `endpoints.s3` of an object.
    pub name: String,
    /// Where it is written.
    pub at: Place,
    /// Whether only the program knows its value: it has a variable in it.
    pub computed: bool,
}

/// The protocol of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `backend "s3"`.
    S3,
    /// `backend "http"`.
    Http,
}

/// A line of a file, an argument or a variable: where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    what: Box<str>,
    line: Option<usize>,
}

impl Place {
    fn named(what: impl Into<Box<str>>) -> Place {
        let (what, line) = (what.into(), None);
        Place { what, line }
    }

    fn file(path: &Path) -> Place {
        Place::named(path.strip_prefix(".").unwrap_or(path).display().to_string())
    }

    /// The line on which the byte at `offset` is.
    fn line_of(path: &Path, text: &str, offset: usize) -> Place {
        let before = text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Place::file(path).at_line(line)
    }

    fn at_line(self, line: usize) -> Place {
        let line = Some(line);
        Place { line, ..self }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// The backend of the configuration in `dir`, with what `backend_config` (`FILE` or `KEY=VALUE`, as `terraform init
/// -backend-config` takes them) adds to its block.
///
/// What `init` has recorded counts, as for Terraform itself; a block that says otherwise is an error. Where there is no record,
/// `TF_CLI_ARGS_init` adds to the block first, as it would when `init` is run.
///
/// # Errors
/// [`BackendError`], with the file and the line, when there is none, when it is one of another kind, when it was changed
/// after `init`, or when something it needs cannot be read.
pub fn find(
    dir: &Path,
    backend_config: &[String],
    environment: Environment<'_>,
) -> Result<Backend, BackendError> {
    let environment = &|name: &str| environment(name).filter(|value| !value.is_empty());
    let mut reader = Reader {
        left: CONFIGURATION_BYTES_MAX,
    };
    let block = block::find(dir, &mut reader)?;
    let data_dir = dir.join(environment("TF_DATA_DIR").unwrap_or_else(|| ".terraform".to_owned()));
    let recorded = recorded::read(&data_dir, &mut reader)?;
    let Some(mut block) = block else {
        return Err(missing(dir, recorded));
    };
    let kind = kind_of(&block)?;
    if recorded.is_none() {
        add_variables(&mut block.settings, dir, environment, &mut reader)?;
    }
    settings::add(
        &mut block.settings,
        dir,
        backend_config,
        "--backend-config",
        &mut reader,
    )?;
    let (at, arguments) = (block.at.clone(), block.settings.arguments());
    let (settings, mut notes) = in_force(block, recorded, kind)?;
    let workspace = workspace::selected(&data_dir, environment, &mut reader)?;
    let found = match kind {
        Kind::S3 => access::over_s3(&settings, dir, workspace, at, environment)?,
        Kind::Http => access::over_http(&settings, workspace, at, environment)?,
    };
    notes.extend(found.notes);
    Ok(Backend {
        arguments,
        notes,
        ..found
    })
}

/// Whether a configuration in `dir` says where its state is; also when it cannot be understood, so that somebody looks at it.
#[must_use]
pub fn has_block(dir: &Path) -> bool {
    let mut reader = Reader {
        left: CONFIGURATION_BYTES_MAX,
    };
    !matches!(block::find(dir, &mut reader), Ok(None))
}

/// Whether there is a configuration in `dir` at all.
#[must_use]
pub fn is_configuration(dir: &Path) -> bool {
    block::files(dir).is_ok_and(|files| !files.is_empty())
}

/// Terraform looks at these when it runs `init`, and never again.
fn add_variables(
    settings: &mut Settings,
    dir: &Path,
    environment: Environment<'_>,
    reader: &mut Reader,
) -> Result<(), BackendError> {
    for variable in words::VARIABLES {
        let given = words::backend_config(variable, environment)?;
        let source = format!("{variable} -backend-config");
        settings::add(settings, dir, &given, &source, reader)?;
    }
    Ok(())
}

fn missing(dir: &Path, recorded: Option<Block>) -> BackendError {
    match recorded {
        Some(recorded) => BackendError::Removed {
            kind: recorded.kind,
            at: recorded.at,
        },
        None => BackendError::None {
            dir: dir.to_owned(),
            terragrunt: dir.join("terragrunt.hcl").exists(),
        },
    }
}

fn kind_of(block: &Block) -> Result<Kind, BackendError> {
    match block.kind.as_str() {
        "s3" => Ok(Kind::S3),
        "http" => Ok(Kind::Http),
        other => Err(BackendError::Other {
            kind: other.to_owned(),
            at: block.at.clone(),
        }),
    }
}

/// The settings that Terraform works with: those that `init` recorded, unless the configuration no longer agrees.
fn in_force(
    block: Block,
    recorded: Option<Block>,
    kind: Kind,
) -> Result<(Settings, Vec<String>), BackendError> {
    let Some(recorded) = recorded else {
        if let Some((name, at)) = block.settings.computed(kind).next() {
            return Err(BackendError::Computed {
                name: name.to_owned(),
                at: at.clone(),
            });
        }
        return Ok((block.settings, Vec::new()));
    };
    if recorded.kind != block.kind {
        return Err(BackendError::KindChanged {
            kind: block.kind,
            at: block.at,
            recorded: recorded.kind,
            recorded_at: recorded.at,
        });
    }
    block.settings.agree_with(&recorded, kind)?;
    let note = |(name, at): (&str, &Place)| {
        format!(
            "{at}: {name} is computed; taken as init recorded it in {}",
            recorded.at
        )
    };
    let notes = block.settings.computed(kind).map(note).collect();
    Ok((recorded.settings, notes))
}

/// Reads files until they are too many bytes in all.
struct Reader {
    left: u64,
}

impl Reader {
    /// `None` when there is no such file.
    fn read(&mut self, path: &Path) -> Result<Option<String>, BackendError> {
        let read = files::read_text(path, self.left).map_err(|source| BackendError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.left -= read.as_ref().map_or(0, |text| text.len() as u64).min(self.left);
        Ok(read)
    }
}
