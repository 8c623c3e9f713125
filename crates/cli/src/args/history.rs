//! The command line of history: versions listed, shown, compared and restored; who changed what, and where it is.
//!
//! ADDRESS comes first and may be left out where a configuration is at hand, which clap has no positional for: the words
//! are taken together, told apart by their number or by the slash that every address has, and explained by usage and help.

use clap::Args;

use super::{Configuration, Server};

#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state; that of the backend block here when absent
    pub(crate) address: Option<String>,
    /// List every version, also those that one apply wrote on its way
    #[arg(long)]
    pub(crate) steps: bool,
    /// List so many of the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Print what is known of every version as one JSON object, written as it is read
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state, that of the backend block here when absent; and which version
    #[arg(required = true, hide = true, num_args = 1..=2, value_name = "[ADDRESS] VERSION")]
    pub(crate) words: Vec<String>,
    /// Show sensitive values too
    #[arg(long)]
    pub(crate) sensitive: bool,
    /// Print the state itself, byte for byte; with --json as the member `state` of the object
    #[arg(long)]
    pub(crate) state: bool,
    /// Print what is known of the version, its resources and its outputs as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state, that of the backend block here when absent; the old version; the new one, `current` when absent
    #[arg(required = true, hide = true, num_args = 1..=3, value_name = "[ADDRESS] A [B]")]
    pub(crate) words: Vec<String>,
    /// Show sensitive values too
    #[arg(long)]
    pub(crate) sensitive: bool,
    /// Print what differs as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state, that of the backend block here when absent; and the version to go back to
    #[arg(required = true, hide = true, num_args = 1..=2, value_name = "[ADDRESS] VERSION")]
    pub(crate) words: Vec<String>,
    /// Do not ask
    #[arg(long, visible_alias = "force")]
    pub(crate) yes: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Blame {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// BUCKET/KEY of the state, that of the backend block here when absent; and the resource
    #[arg(required = true, hide = true, num_args = 1..=2, value_name = "[ADDRESS] RESOURCE")]
    pub(crate) words: Vec<String>,
    /// Print what is known of the versions as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[group(id = "sought", args = ["resource", "id"], required = true, multiple = true)]
pub(crate) struct Find {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The resource: its address or the beginning of it, in whichever module; `*` stands for any text
    pub(crate) resource: Option<String>,
    /// The attribute `id` of the resource
    #[arg(long, value_name = "VALUE")]
    pub(crate) id: Option<String>,
    /// Look only at states whose address begins with this, such as tfstate/env:/
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Print what is found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Gc {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Only states whose address begins with this; all when absent
    pub(crate) prefix: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long = "yes", visible_alias = "force")]
    pub(crate) force: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const SHOW_USAGE: &str = "tidelock show [OPTIONS] [ADDRESS] VERSION";
pub(super) const DIFF_USAGE: &str = "tidelock diff [OPTIONS] [ADDRESS] A [B]";
pub(super) const ROLLBACK_USAGE: &str = "tidelock rollback [OPTIONS] [ADDRESS] VERSION";
pub(super) const BLAME_USAGE: &str = "tidelock blame [OPTIONS] [ADDRESS] RESOURCE";

/// What names a version, and how its state's server is found.
macro_rules! versions_help {
    () => {
        "
A VERSION is its number in `tidelock history`, its S3 version ID, the beginning of one, or `current`. An ADDRESS is BUCKET/KEY;
without one it is that of the backend block of this directory, in the workspace that is selected.
The versions are those of a Tidelock server, or of any S3 bucket. It is the server with --data or --config, and where the
endpoint of the backend block here, of --profile or of AWS_ENDPOINT_URL answers as Tidelock; else, and always with --bucket,
--table or --endpoint, it is the bucket."
    };
}

pub(super) const HISTORY_HELP: &str = concat!(
    "\
Examples:
  tidelock history
  tidelock history tfstate/network/terraform.tfstate --limit 20
  tidelock history --bucket tfstate --key network/terraform.tfstate
  tidelock history tfstate/network/terraform.tfstate --json | jq '.versions[] | select(.changes.removed > 0)'

At a server every version is there, whatever the bucket's versioning says and also after the object was deleted, until
retention ends it. Any other bucket has what its versioning keeps; who wrote it is known where locks are files
(use_lockfile), whose own versions tell, and every state is read to say what changed. What one lock wrote in the course of
one apply is one line, the last version; --steps lists all of them, as --json does. +3 ~1 -0 counts the resource instances
that were added, changed and removed.
On a terminal it goes through $PAGER, else through less.

Exit status: 0 listed, 7 nothing was ever written there; others as in `tidelock --help`.
",
    versions_help!()
);

pub(super) const SHOW_HELP: &str = concat!(
    "\
Examples:
  tidelock show 12
  tidelock show tfstate/network/terraform.tfstate 12 --json | jq '.resources[].address'
  tidelock show tfstate/network/terraform.tfstate 12 --state > old.tfstate

Exit status: 0 shown, 7 there is no such version; others as in `tidelock --help`.
",
    versions_help!()
);

pub(super) const DIFF_HELP: &str = concat!(
    "\
Examples:
  tidelock diff 11
  tidelock diff tfstate/network/terraform.tfstate 11 12
  tidelock diff tfstate/network/terraform.tfstate 11 12 --json | jq '.resources[].address'

From A to B: + only B has it, ~ it differs, - only A has it. A deleted state has nothing in it.

Exit status: 0 nothing differs, 1 something does, 2 or more it could not be compared.
",
    versions_help!()
);

pub(super) const ROLLBACK_HELP: &str = concat!(
    "\
Examples:
  tidelock rollback 11
  tidelock rollback tfstate/network/terraform.tfstate 11 --yes

Shows what will be different from now and asks; without a terminal it needs --yes. Then the old content becomes a new
version with the next serial, in one step that no lock can come between; nothing is lost, and a rollback can be rolled back.
It changes what Terraform remembers and not what exists: run terraform plan before anything else.

Exit status: 0 done, or nothing to do; 1 not confirmed; 7 the state is locked, has changed meanwhile, or has no such
version; others as in `tidelock --help`.
",
    versions_help!()
);

pub(super) const BLAME_HELP: &str = concat!(
    "\
Examples:
  tidelock blame aws_instance.web
  tidelock blame tfstate/network/terraform.tfstate 'module.vpc[\"a\"].aws_subnet.private[0]'
  tidelock blame tfstate/network/terraform.tfstate 'module.vpc*.aws_subnet.private'

RESOURCE is an address as Terraform prints it, or the beginning of one: aws_instance.web means all its instances, module.vpc
all that is in it. `*` stands for any text.

Exit status: 0 found, 7 no version that is kept has such a resource; others as in `tidelock --help`.
",
    versions_help!()
);

pub(super) const FIND_HELP: &str = "\
Examples:
  tidelock find aws_iam_role.ci
  tidelock find 'aws_iam_role.*' --prefix tfstate/env:/
  tidelock find --id i-0123456789abcdef0 --json | jq -r '.found[].address'

Looks at the current version of every state. RESOURCE is an address as Terraform prints it, with its modules or without,
or the beginning of one. Encrypted states cannot be looked into and are named.

Exit status: 0 found, 7 no state has such a resource; others as in `tidelock --help`.

The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

pub(super) const GC_HELP: &str = "\
Examples:
  tidelock gc --dry-run
  tidelock gc tfstate/env:/review- --yes

Ends the versions that retention no longer keeps, and packs those that are not packed yet. The server does both by
itself in time; this does it now. Says what it will do and asks before a version is dropped for good; without a terminal
it needs --yes. In the configuration file of the server:

  [[retention]]
  prefix = \"tfstate/env:/review-\"   # BUCKET or BUCKET/KEY-PREFIX; the longest that fits counts
  keep = 100                         # the newest hundred, and
  keep_for = \"90d\"                   # what was replaced less than 90 days ago; with both, what either keeps

Exit status: 0 done, 1 not confirmed, 7 no state's address begins with PREFIX; others as in `tidelock --help`.

The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
