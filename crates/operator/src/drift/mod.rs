//! Drift: what differs between a state and reality, asked of `terraform plan -refresh-only` in one directory.
//!
//! The plan is made without the lock, so that looking never keeps an apply waiting. It changes nothing.

mod compare;
mod directories;
mod hidden;
mod run;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidelock_core::limits::DRIFT_MS_MAX;

pub use directories::{FindError, directories};
pub use run::Stop;

/// The program that speaks Terraform, and how it is called.
#[derive(Clone, Debug)]
pub struct Terraform {
    /// `terraform` or `tofu`.
    pub program: PathBuf,
    /// Arguments of `plan`, such as `-var-file=prod.tfvars`.
    pub plan_arguments: Vec<String>,
    /// Whether to run `init` first.
    pub init: bool,
}

/// What differs in one directory.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Drift {
    /// The resources that are not as the state has them.
    pub resources: Vec<Changed>,
    /// The outputs that follow them.
    pub outputs: Vec<Changed>,
}

impl Drift {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.resources.is_empty() && self.outputs.is_empty()
    }
}

/// A resource or an output that differs.
#[derive(Debug, PartialEq, Serialize)]
pub struct Changed {
    /// As Terraform writes it; the name of an output.
    pub address: String,
    /// What became of it.
    pub action: Action,
    /// In which values it differs; none when it is gone.
    pub values: Vec<Difference>,
}

/// What became of a resource outside of Terraform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is there and was not (an output, for a resource that is not in the state is never found).
    Create,
    /// It is another.
    Update,
    /// It is gone.
    Delete,
}

/// One value that differs.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Such as `tags.team`; empty for an output's whole value.
    pub path: String,
    /// Whether it is a secret, and both values are therefore left out.
    pub sensitive: bool,
    /// As the state has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// As it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Why a directory could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The program cannot be run.
    #[error("cannot run {}: {source}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It failed, and said why.
    #[error("`{step}` failed: {why}")]
    Failed {
        /// Such as `terraform plan`.
        step: String,
        /// Its errors.
        why: String,
    },
    /// It took too long.
    #[error("`{step}` did not end within {} minutes, and was stopped", DRIFT_MS_MAX / 60_000)]
    Endless {
        /// Such as `terraform plan`.
        step: String,
    },
    /// Somebody wanted it to end.
    #[error("it was interrupted")]
    Stopped,
    /// It printed something else than Terraform does.
    #[error("`{step}` printed a plan that cannot be read: {why}")]
    Foreign {
        /// Such as `terraform show`.
        step: String,
        /// What is wrong.
        why: String,
    },
}

/// What differs in `dir`. `plan` is where the plan is kept meanwhile: it holds the state with its secrets, so that nobody else
/// may look there; it is removed before this ends, unless this is dropped. When `stop` says so,
/// Terraform is asked to end.
///
/// # Errors
/// [`DriftError`].
pub async fn check(terraform: &Terraform, dir: &Path, plan: &Path, stop: Stop) -> Result<Drift, DriftError> {
    if terraform.init {
        run::run(
            &terraform.program,
            dir,
            &["init", "-input=false", "-no-color"],
            stop.clone(),
        )
        .await?;
    }
    let out = format!("-out={}", plan.display());
    // Ours come last and win, save the lock, which is the user's to ask for.
    let mut arguments = vec!["plan", "-lock=false"];
    arguments.extend(terraform.plan_arguments.iter().map(String::as_str));
    let ours = [
        "-refresh-only",
        "-json",
        "-input=false",
        "-no-color",
        "-detailed-exitcode=false",
    ];
    arguments.extend(ours);
    arguments.push(&out);
    let drift = async {
        run::run(&terraform.program, dir, &arguments, stop.clone()).await?;
        let plan = plan.display().to_string();
        let shown = run::run(
            &terraform.program,
            dir,
            &["show", "-json", "-no-color", &plan],
            stop,
        )
        .await?;
        compare::drift(&shown).map_err(|why| DriftError::Foreign {
            step: run::step(&terraform.program, "show"),
            why,
        })
    };
    let drift = drift.await;
    // Where there is no plan, there is none to remove.
    let _ = std::fs::remove_file(plan);
    drift
}

#[cfg(test)]
mod tests;
