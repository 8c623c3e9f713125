//! The command line of the doctor.

use std::time::Duration;

use clap::Args;

use super::Stock;
use crate::duration;

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// From which age on a lock counts as stale, such as 30m, 2h
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = duration::parse)]
    pub(crate) older_than: Duration,
    /// Write nothing at all, not even a scratch key
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Print each finding as one JSON object a line, then the counts
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const DOCTOR_HELP: &str = "\
Examples:
  tidelock doctor                                      in a directory with a backend block
  tidelock doctor --bucket my-states --table locks     any bucket and table, of any store
  tidelock doctor --key app/terraform.tfstate          this one state, and not all of the bucket
  tidelock doctor --read-only --json

It looks at the block and those of the repository around it, at who asks and what is allowed, at the clock, the bucket, the
table, every state, digest and lock. How the store treats writes is tried on a scratch key beside the state, called
KEY.tidelock-doctor-…, which is removed with its versions. Nothing else is changed.

With --json each line is {\"id\", \"level\", \"what\", \"mend\"}, or {\"skipped\"} for what could not be looked at, and the last one
{\"errors\", \"warnings\", \"skipped\"}.

Exit status:
  0  nothing is wrong
  1  something is
  2  wrong arguments or configuration, or nothing could be looked at";
