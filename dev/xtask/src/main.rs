//! Checks of the repository itself that no stock linter makes: `cargo xtask layering` and `cargo xtask tidy`.
//!
//! A rule that is not checked is lost within weeks, so each rule of CONTRIBUTING that a program can check is here,
//! says where and why it was broken, and has a test with a sample that breaks it.

mod layering;
mod markdown;
mod rust;
mod source;
mod tidy;

use std::{fmt, path::PathBuf, process::ExitCode};

/// One broken rule: where, and why it matters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    reason: String,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn at(file: &str, line: usize, reason: impl Into<String>) -> Self {
        Self::new(format!("{file}:{line}"), reason)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.reason)
    }
}

/// What a check found, and what it has to say when it found nothing.
pub(crate) struct Report {
    findings: Vec<Finding>,
    summary: String,
}

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let check = std::env::args().nth(1).unwrap_or_default();
    let result = match check.as_str() {
        "layering" => layering::run(&root()),
        "tidy" => tidy::run(&root()),
        _ => {
            eprintln!("usage: cargo xtask layering|tidy");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(Report { findings, summary }) if findings.is_empty() => {
            println!("{check}: ok. {summary}");
            ExitCode::SUCCESS
        }
        Ok(Report { findings, .. }) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("{check}: {} broken rules", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{check}: could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace root, so that the checks run from any directory.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
