//! How a configuration locks its states while that is being changed: what its files say, and what `init` recorded of them.

use std::path::Path;

use tidelock_core::limits::CONFIGURATION_BYTES_MAX;

use super::{
    Backend, BackendError, Environment, Kind, Reader, access, add_variables, block, in_force, kind_of,
    missing, recorded,
    settings::{self, LOCKING, Settings},
    workspace,
};

/// By what states are locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locking {
    /// By a file beside the state (`use_lockfile`).
    pub lock_file: bool,
    /// By an item in this table (`dynamodb_table`).
    pub table: Option<String>,
}

/// A backend whose block may say another way of locking than `init` has recorded.
#[derive(Clone, Debug)]
pub struct Between {
    /// As [`super::find`] finds it, in the workspace `default`.
    pub backend: Backend,
    /// What the block and the `-backend-config` say.
    pub configured: Locking,
    /// What `init` recorded; `None` where it has not run, or was not to be looked at.
    pub recorded: Option<Locking>,
}

/// As [`super::find`], but a block that says another way of locking than `init` has recorded is no error: it is the one
/// in force. `with_record` is whether what `init` recorded counts at all.
///
/// # Errors
/// [`BackendError`], as [`super::find`]; a backend that is not `s3` is one of another kind.
pub fn between(
    dir: &Path,
    backend_config: &[String],
    environment: Environment<'_>,
    with_record: bool,
) -> Result<Between, BackendError> {
    let environment = &|name: &str| environment(name).filter(|value| !value.is_empty());
    let mut reader = Reader {
        left: CONFIGURATION_BYTES_MAX,
    };
    let block = block::find(dir, &mut reader)?;
    let data_dir = dir.join(environment("TF_DATA_DIR").unwrap_or_else(|| ".terraform".to_owned()));
    let mut recorded = match with_record {
        true => recorded::read(&data_dir, &mut reader)?,
        false => None,
    };
    let Some(mut block) = block else {
        return Err(missing(dir, recorded));
    };
    if kind_of(&block)? != Kind::S3 {
        return Err(BackendError::Other {
            kind: block.kind,
            at: block.at,
        });
    }
    if recorded.is_none() {
        add_variables(&mut block.settings, dir, environment, &mut reader)?;
    }
    let source = "--backend-config";
    settings::add(&mut block.settings, dir, backend_config, source, &mut reader)?;
    let (at, arguments) = (block.at.clone(), block.settings.arguments());
    let configured = Locking::of(&block.settings);
    let was = recorded.as_ref().map(|recorded| Locking::of(&recorded.settings));
    if let Some(recorded) = &mut recorded {
        recorded.settings.take_over(&block.settings, &LOCKING);
    }
    let (settings, mut notes) = in_force(block, recorded, Kind::S3)?;
    let found = access::over_s3(&settings, dir, workspace::DEFAULT.to_owned(), at, environment)?;
    notes.extend(found.notes);
    Ok(Between {
        backend: Backend {
            arguments,
            notes,
            ..found
        },
        configured,
        recorded: was,
    })
}

impl Locking {
    fn of(settings: &Settings) -> Locking {
        Locking {
            lock_file: settings.text("use_lockfile").is_some_and(|given| given == "true"),
            table: settings.text("dynamodb_table"),
        }
    }
}
