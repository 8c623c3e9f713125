//! One module a command: it gathers, calls, prints, and says how it ended.

use std::io::Write;

use serde::Serialize;

use crate::exit::{Failure, Status};

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod blame;
pub(crate) mod bootstrap;
pub(crate) mod clean;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod env;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod find;
pub(crate) mod gc;
pub(crate) mod grip;
mod held;
pub(crate) mod history;
pub(crate) mod iam;
pub(crate) mod import;
pub(crate) mod locks;
pub(crate) mod migrate;
mod old;
pub(crate) mod policy;
pub(crate) mod profile;
pub(crate) mod rescue;
pub(crate) mod restore;
pub(crate) mod rollback;
pub(crate) mod root_key;
pub(crate) mod run;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod show;
mod style;
mod transfer;
pub(crate) mod verify;
mod versions;
pub(crate) mod watch;

/// `1 state`, `2 states`.
fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// What a command prints under `--json`.
fn print_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// A failure of a command whose status 1 says what it found, such as a difference or damage, so that nothing else may.
fn trouble(failure: Failure) -> Failure {
    Failure {
        status: match failure.status {
            Status::Failed => Status::Usage,
            other => other,
        },
        ..failure
    }
}
