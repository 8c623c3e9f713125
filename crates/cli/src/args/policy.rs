//! The command line of `tidelock policy`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidelock_operator::policy;

use super::Stock;

#[derive(Args)]
pub(crate) struct Policy {
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// Who it is for
    #[arg(long, value_enum, default_value = "writer")]
    pub(crate) role: Role,
    /// Only this workspace, `default` being one too; can be repeated [default: all of them]
    #[arg(long = "workspace", value_name = "NAME")]
    pub(crate) workspaces: Vec<String>,
    /// States are locked by a file, also where --table is given; without a backend block and --table they are anyway
    #[arg(long)]
    pub(crate) lock_file: bool,
    /// The KMS key that states are sealed under, where it is the bucket's and not the block's: an ARN, an ID or an alias
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
    /// The account of the table and the KMS key, in twelve digits
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Say of each action which call needs it, instead of printing the policy
    #[arg(long)]
    pub(crate) explain: bool,
    /// Compare with the policy in this file (`-`: standard input): what it lacks, and what it allows beyond
    #[arg(long, value_name = "FILE", conflicts_with = "explain")]
    pub(crate) check: Option<PathBuf>,
    /// Print what --explain or --check says as JSON; the policy is JSON anyway
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Reads states, locks nothing
    Reader,
    /// Plans, applies, makes workspaces, frees locks
    Writer,
    /// A writer that also works with history, with every lock, and looks at settings
    Operator,
}

impl Role {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Writer => "writer",
            Role::Operator => "operator",
        }
    }
}

impl From<Role> for policy::Role {
    fn from(role: Role) -> policy::Role {
        match role {
            Role::Reader => policy::Role::Reader,
            Role::Writer => policy::Role::Writer,
            Role::Operator => policy::Role::Operator,
        }
    }
}

pub(super) const POLICY_HELP: &str = "\
Examples:
  tidelock policy > policy.json
  tidelock policy --role reader --workspace prod
  tidelock policy --explain
  aws iam get-role-policy --role-name ci --policy-name states | tidelock policy --check -
  tidelock policy --bucket states --key app/terraform.tfstate --region eu-west-1 --kms-key alias/states

Prints the least IAM policy with which Terraform works with the backend in this directory, or with the one that is named. It
asks no server. Where the region or the account is not known, a * stands in the ARNs of the table and the key.

--check asks the policy for every request that the role makes, and for every known action on what it should not reach. A
condition that only a request can meet, such as on aws:SourceIp, counts as met where it allows and as not met where it
denies, and is listed.

Exit status: 0 printed, or the policy is exact; 1 something is missing or too much; 2 wrong arguments, no backend, or the file
is no policy.";
