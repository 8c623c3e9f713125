//! The command line of locks: seen, freed, cleared away, watched; on a server or in a bucket and a table.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Configuration;
use crate::duration;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Locks {
    #[command(subcommand)]
    pub(crate) command: Option<LocksCommand>,
    #[command(flatten)]
    pub(crate) list: ListLocks,
}

#[derive(Args)]
pub(crate) struct ListLocks {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of one state; all that are locked when absent
    pub(crate) address: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum LocksCommand {
    /// Free the locks that were left behind: those older than a span of time
    #[command(after_help = REAP_HELP)]
    Reap(Reap),
}

#[derive(Args)]
pub(crate) struct Reap {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET or BUCKET/KEY-PREFIX of the states; all when absent
    pub(crate) prefix: Option<String>,
    /// How long a lock must have been held, such as 90m, 2h: longer than any apply takes
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) older_than: Duration,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what became of each lock as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Unlock {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state, that of the backend block here when absent; and the lock's ID, as `tidelock locks` and Terraform show it
    #[arg(required = true, hide = true, num_args = 1..=2, value_name = "[ADDRESS] ID")]
    pub(crate) words: Vec<String>,
    /// Do not ask
    #[arg(long, visible_alias = "force")]
    pub(crate) yes: bool,
    /// Print the freed lock as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET or BUCKET/KEY-PREFIX of the states; all when absent
    pub(crate) prefix: Option<String>,
    /// How long a lock may be held before it is worth a word, such as 30m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) older_than: Duration,
    /// Post what is found to this URL as JSON; Slack, Mattermost and the like show its `text`
    #[arg(long, env = "TIDELOCK_WEBHOOK", value_name = "URL", hide_env_values = true)]
    pub(crate) webhook: Option<String>,
    /// Look once, for cron: the exit status says what was found
    #[arg(long)]
    pub(crate) once: bool,
    /// How often to look, such as 30s, 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse, conflicts_with = "once")]
    pub(crate) every: Duration,
    /// Print a JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const UNLOCK_USAGE: &str = "tidelock unlock [OPTIONS] [ADDRESS] ID";

/// How every one of these finds the locks.
macro_rules! means_help {
    () => {
        "
The locks are those of a Tidelock server, or lie in any S3 bucket and DynamoDB table. It is the server with --data or
--config, and where the endpoint of the backend block here, of --profile or of AWS_ENDPOINT_URL answers as Tidelock; else,
and always with --bucket, --table or --endpoint, it is the bucket and the table. A lock table is looked at when --table or the
backend block of this directory names it."
    };
}

pub(super) const LOCKS_HELP: &str = concat!(
    "\
Examples:
  tidelock locks
  tidelock locks tfstate/network/terraform.tfstate
  tidelock locks --bucket tfstate --table terraform-locks
  tidelock locks --json | jq -r '.locks[].address'
  tidelock locks reap --older-than 2h

In a bucket and a table both kinds of lock are looked for: lock files (use_lockfile) and items (dynamodb_table); one that
was taken both ways is shown once. With --json it is one object, `locks`, written as it is found.
A server also knows who waits, and calls a lock stale when its holder has not been heard of for longer than `stale_after`
(default 2 hours).

Exit status: 0 looked, whatever was found; others as in `tidelock --help`.
",
    means_help!()
);

pub(super) const REAP_HELP: &str = concat!(
    "\
Examples:
  tidelock locks reap --older-than 2h
  tidelock locks reap tfstate/env:/review- --older-than 90m --yes
  tidelock locks reap --bucket tfstate --table terraform-locks --older-than 24h --yes --json

Says which locks it will free and asks; without a terminal it needs --yes. Each is freed only if it is still the same lock. A
lock whose age nobody knows stays, and so do what `tidelock freeze` locked and the lock of a `tidelock run` that lives.
The age of a lock file is counted from when the store wrote it, that of an item in a table from when its holder says it
was taken. A server refuses what a former holder still writes; S3 does not, so choose a time that no apply reaches.

Exit status: 0 freed, or nothing to free; 1 not confirmed, or some could not be freed; others as in `tidelock --help`.
",
    means_help!()
);

pub(super) const UNLOCK_HELP: &str = concat!(
    "\
Examples:
  tidelock unlock 6f7a1e0c-8d6e-4f57-9b1a-0f6a3c1d2e4b
  tidelock unlock tfstate/network/terraform.tfstate 6f7a1e0c-8d6e-4f57-9b1a-0f6a3c1d2e4b --yes
  tidelock unlock --bucket tfstate --key network/terraform.tfstate --table terraform-locks 6f7a1e0c-8d6e-4f57-9b1a-0f6a3c1d2e4b

Shows what is known of the holder and asks; without a terminal it needs --yes. It frees both kinds of lock, and only
the one with this ID. On a server the former holder is fenced: what it still writes is refused and kept (tidelock rescue
list), so nothing is lost if it was alive after all. S3 fences nobody: make sure that the holder is gone.

Exit status: 0 freed, 1 not confirmed, 7 that lock is not held; others as in `tidelock --help`.
",
    means_help!()
);

pub(super) const WATCH_HELP: &str = concat!(
    "\
Examples:
  tidelock watch --older-than 1h
  tidelock watch --older-than 1h --every 5m --webhook https://hooks.example/services/T0/B0
  tidelock watch --older-than 30m --once || echo 'somebody holds a lock'

Says once of each lock that it is old, and once that it has ended. A message that the webhook does not take is posted again at
the next look. The URL may also stand in TIDELOCK_WEBHOOK, where no list of processes shows it. With --json each line is an
object with `event`, `old` or `ended`. Ctrl-C or SIGTERM ends it.

Exit status with --once: 0 no lock is that old, 1 some are, 2 or more it could not look or the webhook did not take it.
Else: 0 ended by a signal; others as in `tidelock --help`.
",
    means_help!()
);
