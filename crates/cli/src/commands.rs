//! One module a command: it gathers, calls, prints, and says how it ended.

use std::io::Write;

use serde::Serialize;

use crate::exit::Failure;

pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod grip;
pub(crate) mod locks;
pub(crate) mod profile;
pub(crate) mod rescue;
pub(crate) mod run;
pub(crate) mod serve;

/// What a command prints under `--json`.
fn print_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(())
}
