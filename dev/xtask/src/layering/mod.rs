//! `cargo xtask layering`: who may know whom, between crates and between the protocol modules of `doors`.
//!
//! The directions are those of ARCHITECTURE.md. They keep the rules testable without a server, and one protocol's
//! quirks out of the others.

mod crates;
mod modules;

use std::path::Path;

use anyhow::Result;

use crate::{Report, source};

/// Checks the workspace at `root`.
pub(crate) fn run(root: &Path) -> Result<Report> {
    let metadata = crates::metadata(root)?;
    let mut findings = crates::check(&metadata);
    let sources = source::all(root)?;
    let mut files = 0;
    for source in sources.iter().filter(|source| source.is("rs")) {
        files += 1;
        findings.extend(modules::check(source)?);
    }
    let summary = format!(
        "{} workspace crates and {files} Rust files keep the directions",
        metadata.members()
    );
    Ok(Report { findings, summary })
}
