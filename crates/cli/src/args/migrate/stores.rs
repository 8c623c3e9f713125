//! The command line of moving states between two stores.

use clap::Args;

use super::super::Stock;

#[derive(Args)]
pub(crate) struct MigrateStates {
    /// The other store: an endpoint of S3 and DynamoDB such as http://127.0.0.1:9470, or `aws`
    #[arg(value_name = "ENDPOINT|aws")]
    pub(crate) other: String,
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// Every state whose key begins with this, instead of one; '' is all of the bucket
    #[arg(long, value_name = "PREFIX", conflicts_with = "key")]
    pub(crate) prefix: Option<String>,
    /// The bucket of the other store [default: one of the same name]
    #[arg(long, value_name = "BUCKET")]
    pub(crate) other_bucket: Option<String>,
    /// The lock table of the other store [default: one of the same name, if it is there]
    #[arg(long, value_name = "TABLE")]
    pub(crate) other_table: Option<String>,
    /// AWS's region of the other store
    #[arg(long, value_name = "REGION")]
    pub(crate) other_region: Option<String>,
    /// The AWS profile to reach the other store with
    #[arg(long, value_name = "NAME")]
    pub(crate) other_profile: Option<String>,
    /// Take over the locks of an earlier run that is dead, by their ID
    #[arg(long, value_name = "ID")]
    pub(crate) resume: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

macro_rules! rest {
    () => {
        "
Run in the directory of a configuration it moves the state of its workspace; --prefix moves every state below it. Each state
is locked in both stores while it is copied, as Terraform locks it: by the file beside it, and by the item where there is a
table. Versions go in oldest first and are compared by MD5, and the digest in the table follows. Nothing is taken away from
where the states are. Objects that are no states stay there.

Interrupted, it goes on where it was: run the same command again. Only where it was killed its two locks are left; the next
run names them, and takes them over with --resume ID.

The other store is reached with --other-profile, else with the keys of the environment. A bucket is made by
`tidelock bootstrap`. States that are locked, or that the other store has other versions of, are left as they are.

Exit status: 0 done, 1 failed or not confirmed, 2 wrong arguments or nobody to ask, 7 there is no such state, or a state was
left as it is."
    };
}

pub(super) const TO_HELP: &str = concat!(
    "\
Examples:
  tidelock migrate to http://127.0.0.1:9470 --other-profile tidelock
  tidelock migrate to aws --prefix '' --other-region eu-central-1 --other-profile prod --other-bucket acme-states
  tidelock migrate to https://minio.example --bucket states --prefix network/ --yes --json
",
    rest!()
);

pub(super) const FROM_HELP: &str = concat!(
    "\
Examples:
  tidelock migrate from aws --other-region eu-central-1 --other-profile prod
  tidelock migrate from https://minio.example --bucket states --prefix '' --yes
",
    rest!()
);
