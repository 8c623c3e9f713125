//! The command line of migrations.

mod stores;

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::RangedU64ValueParser};

pub(crate) use stores::MigrateStates;

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    pub(crate) command: MigrateCommand,
}

#[derive(Subcommand)]
pub(crate) enum MigrateCommand {
    /// From the lock table to lock files, in every directory below a path, and back
    #[command(after_help = DYNAMODB_TO_LOCKFILE_HELP)]
    DynamodbToLockfile(DynamodbToLockfile),
    /// Copy states with all their versions to another store
    #[command(after_help = stores::TO_HELP)]
    To(MigrateStates),
    /// Copy states with all their versions from another store
    #[command(after_help = stores::FROM_HELP)]
    From(MigrateStates),
}

#[derive(Args)]
pub(crate) struct DynamodbToLockfile {
    /// Where the directories are; all below it are looked at
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Take this step: 1 adds the second lock, 2 checks that it is in use, 3 takes the first away
    #[arg(long, value_name = "1|2|3", value_parser = RangedU64ValueParser::<u8>::new().range(1..=3))]
    pub(crate) phase: Option<u8>,
    /// Go back to the lock table: phase 3, then 2, then 1
    #[arg(long)]
    pub(crate) reverse: bool,
    /// The lock table: to go back to, or to clear of what an earlier run has left
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// What `terraform init` is given as -backend-config in every directory; can be repeated
    #[arg(long, value_name = "FILE|KEY=VALUE")]
    pub(crate) backend_config: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const MIGRATE_HELP: &str = "\
Examples:
  tidelock migrate dynamodb-to-lockfile infra/
  tidelock migrate dynamodb-to-lockfile infra/ --phase 1
  tidelock migrate to http://127.0.0.1:9470 --other-profile tidelock

Exit status: 0 done, 1 failed, 2 arguments or configuration, 7 a state is locked, or was left as it is.
";

const DYNAMODB_TO_LOCKFILE_HELP: &str = "\
Examples:
  tidelock migrate dynamodb-to-lockfile infra/              where each directory stands, and what comes next
  tidelock migrate dynamodb-to-lockfile infra/ --phase 1    use_lockfile beside dynamodb_table
  tidelock migrate dynamodb-to-lockfile infra/ --phase 2    has every state been written under both?
  tidelock migrate dynamodb-to-lockfile infra/ --phase 3    dynamodb_table goes
  tidelock migrate dynamodb-to-lockfile infra/ --reverse --phase 3 --table terraform-locks

Who locks in the table alone does not keep out who locks by a file alone. So all go through locking by both, and a lock is
taken away only where the other one has been seen in use: each state must have been written last under both. After phases
1 and 3 commit the change, and run `terraform init -reconfigure` wherever the configuration is used. Lock files need
Terraform or OpenTofu 1.10.

Backend blocks are edited in .tf, .tofu, .tf.json and .tofu.json, and settings in the .tfbackend files beside them and in the
files that --backend-config names; every byte that is not about the lock stays. Phase 2 only reads. Phases 1 and 3 show
what they would change and ask. Phase 3 holds the locks of a directory's states, in both forms, while it edits the directory,
and takes their digests out of the table; the same on the way back.

Exit status:
  0  done, or nothing to do
  1  failed or not confirmed; a directory that cannot be taken along; phase 2: a state that was not written under both
  2  arguments, or a terminal is missing to ask at (--yes)
  7  a state is locked, and its directory is as it was; run it again
";
