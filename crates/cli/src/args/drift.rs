//! The command line of `tidelock drift`.

use std::path::PathBuf;

use clap::Args;
use tidelock_core::limits::{DRIFT_DIRECTORIES_MAX, DRIFT_PARALLEL};

#[derive(Args)]
pub(crate) struct Drift {
    /// Where to look: in these directories, and in all below that have a backend block [default: the current one]
    #[arg(value_name = "DIR")]
    pub(crate) paths: Vec<PathBuf>,
    /// Run `terraform init` first
    #[arg(long)]
    pub(crate) init: bool,
    /// Look at so many directories at once
    #[arg(long, value_name = "N", default_value_t = DRIFT_PARALLEL as u64,
          value_parser = clap::value_parser!(u64).range(1..=DRIFT_DIRECTORIES_MAX as u64))]
    pub(crate) parallel: u64,
    /// Print one JSON object a line, one for each directory
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report into this file too, as a page for a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The program to run, instead of `terraform` or else `tofu` from PATH
    #[arg(long, env = "TIDELOCK_TERRAFORM", value_name = "PATH", hide_env_values = true)]
    pub(crate) terraform: Option<PathBuf>,
    /// Arguments of `terraform plan`, such as -var-file=prod.tfvars
    #[arg(last = true, value_name = "PLAN-ARGUMENT")]
    pub(crate) plan_arguments: Vec<String>,
}

pub(super) const DRIFT_HELP: &str = "\
Examples:
  tidelock drift
  tidelock drift live/ --parallel 8 --html drift.html
  tidelock drift envs/prod --init --json -- -var-file=prod.tfvars

In each directory it runs `terraform plan -refresh-only` and says what is not as the state has it. Nothing is changed, and no
lock is taken: an apply never waits for a report. What an apply changes meanwhile may show up as drift; look again then, or
have the report wait its turn with `-- -lock=true -lock-timeout=5m`. What Terraform marks as sensitive, or looks like a
secret, is not shown. Nothing, \"\", [] and {} count as the same: providers write one for another.

Exit status:
  0  no drift
  1  drift
  2  a directory could not be checked, or wrong arguments
  6  neither Terraform nor OpenTofu was found";
