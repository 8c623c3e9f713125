//! The command line of deleting states that nobody needs any more.

use std::time::Duration;

use clap::Args;

use super::Stock;
use crate::duration;

#[derive(Args)]
pub(crate) struct Clean {
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// Look at every state whose key begins with this, instead of the configuration's other workspaces
    #[arg(long, value_name = "PREFIX", conflicts_with = "key")]
    pub(crate) prefix: Option<String>,
    /// Only states that were last written longer ago, such as 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration::parse)]
    pub(crate) older_than: Duration,
    /// A workspace or folder that is needed still, such as a branch that is not merged; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) keep: Vec<String>,
    /// Also states that are not empty: nothing manages their resources afterwards
    #[arg(long)]
    pub(crate) not_empty: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const CLEAN_HELP: &str = "\
Examples:
  tidelock clean
  tidelock clean --older-than 7d --keep staging --keep feature-x
  tidelock clean --bucket acme-states --prefix previews/ --yes --json

In the directory of a configuration it looks at the states of its workspaces, all but `default` and the selected one; with
--prefix at every state below it. A state is empty once `terraform destroy` is through: no resources, no outputs. Each is
locked while it is deleted, as Terraform locks it, and stays if it is locked or was written since it was looked at.

Deleted is what `terraform workspace delete` deletes: the versions stay in the bucket, below a delete marker. A bucket that
keeps no versions is refused. To have one back: tidelock history, tidelock rollback.

Exit status: 0 done, or nothing to do; 1 failed or not confirmed; 2 wrong arguments or nobody to ask; 7 a state was left
because it is locked or was written; others as in `tidelock --help`.";
