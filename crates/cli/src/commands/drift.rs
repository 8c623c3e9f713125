//! `tidelock drift`: what differs between states and reality, in many directories at once.

mod page;
mod text;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tidelock_operator::{
    drift::{self, Drift, Terraform},
    files,
};

use tokio::sync::watch;

use super::trouble;
use crate::{
    args,
    exit::{Failure, Status},
    progress::Progress,
    shell,
    signals::Signals,
    stock,
};

/// Whoever may read the directory of a report may read the report: no secret is in it.
const PAGE_MODE: u32 = 0o644;

/// What was found in a directory, as `--json` prints it.
#[derive(Serialize)]
struct Checked {
    directory: String,
    result: Outcome,
    #[serde(flatten)]
    drift: Drift,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    None,
    Drift,
    Failed,
}

/// How many directories came out how.
#[derive(Default)]
struct Counts {
    all: usize,
    drifted: usize,
    failed: usize,
}

impl Counts {
    fn of(checked: &[Checked]) -> Counts {
        let count = |result| checked.iter().filter(|one| one.result == result).count();
        Counts {
            all: checked.len(),
            drifted: count(Outcome::Drift),
            failed: count(Outcome::Failed),
        }
    }

    fn status(&self) -> u8 {
        match (self.failed, self.drifted) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => Status::Usage as u8,
        }
    }
}

pub(crate) fn run(arguments: args::Drift, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    // Status 1 says that there is drift, so nothing else may.
    let counts = report(arguments, out).map_err(trouble)?;
    Ok(ExitCode::from(counts.status()))
}

fn report(arguments: args::Drift, out: &mut dyn Write) -> Result<Counts, Failure> {
    let program = shell::terraform(arguments.terraform)?.ok_or_else(|| {
        let message = "neither `terraform` nor `tofu` is on PATH; name one with --terraform PATH";
        Failure::new(Status::NoTerraform, message)
    })?;
    let terraform = Terraform {
        program,
        plan_arguments: arguments.plan_arguments,
        init: arguments.init,
    };
    let directories = directories(arguments.paths)?;
    let parallel = usize::try_from(arguments.parallel).unwrap_or(usize::MAX);
    let checked = stock::wait(check(&terraform, &directories, parallel, arguments.json, out))?;
    let counts = Counts::of(&checked);
    if !arguments.json {
        text::summary(&counts, out)?;
    }
    if let Some(path) = arguments.html {
        let page = page::page(&checked, &counts, jiff::Timestamp::now());
        files::replace(&path, page.as_bytes(), PAGE_MODE)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(counts)
}

fn directories(named: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let named = match named.is_empty() {
        true => vec![PathBuf::from(".")],
        false => named,
    };
    let found = drift::directories(&named).map_err(|why| Failure::new(Status::Usage, why))?;
    if found.is_empty() {
        let named: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        let message = format!(
            "no directory with a backend block in {} or below; name the directory of a configuration",
            named.join(", ")
        );
        return Err(Failure::new(Status::Usage, message));
    }
    Ok(found)
}

/// Checks all of them, and prints each in its turn.
async fn check(
    terraform: &Terraform,
    directories: &[PathBuf],
    parallel: usize,
    json: bool,
    out: &mut dyn Write,
) -> Result<Vec<Checked>, Failure> {
    let mut signals = Signals::listen()?;
    // Its mode lets in nobody else: plans hold whole states.
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let plans = std::path::absolute(scratch.path())?;
    let (stop, stopped) = watch::channel(false);
    let checks = directories.iter().enumerate().map(|(number, dir)| {
        let plan = plans.join(format!("{number}.tfplan"));
        let stopped = stopped.clone();
        async move { of(dir, drift::check(terraform, dir, &plan, stopped).await) }
    });
    let mut results = stream::iter(checks).buffered(parallel);
    let mut checked: Vec<Checked> = Vec::new();
    let mut progress = Progress::start();
    loop {
        let (done, all) = (checked.len(), directories.len());
        progress.show(|| format!("{done} of {all} directories checked"));
        let next = tokio::select! {
            next = results.next() => next,
            _ = signals.next() => {
                // Terraform ends in good order; a second signal does not wait for it.
                let _ = stop.send(true);
                tokio::select! {
                    () = results.by_ref().for_each(|_| async {}) => {}
                    _ = signals.next() => {}
                }
                let message = format!("interrupted; {done} of {all} directories were checked");
                return Err(Failure::new(Status::Failed, message));
            }
        };
        let Some(next) = next else { return Ok(checked) };
        // What is printed has the line for itself.
        progress = Progress::start();
        match json {
            true => writeln!(
                out,
                "{}",
                serde_json::to_string(&next).map_err(anyhow::Error::from)?
            )?,
            false => text::print(&next, out)?,
        }
        out.flush()?;
        checked.push(next);
    }
}

fn of(dir: &Path, found: Result<Drift, drift::DriftError>) -> Checked {
    let directory = dir.display().to_string();
    let (result, drift, error) = match found {
        Ok(drift) if drift.is_none() => (Outcome::None, drift, None),
        Ok(drift) => (Outcome::Drift, drift, None),
        Err(why) => (Outcome::Failed, Drift::default(), Some(why.to_string())),
    };
    Checked {
        directory,
        result,
        drift,
        error,
    }
}
