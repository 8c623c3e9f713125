//! The command line of commands on any S3 bucket and DynamoDB table in which Terraform keeps its states.

use std::path::PathBuf;

use clap::Args;

/// Where states are kept; what is not named is found as Terraform would find it.
#[derive(Args, Clone, Default)]
pub(crate) struct Layout {
    /// The bucket, instead of the backend block's
    #[arg(long, value_name = "BUCKET")]
    pub(crate) bucket: Option<String>,
    /// The key of the state in the bucket
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The lock table (dynamodb_table)
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// The endpoint of S3 and DynamoDB, such as http://127.0.0.1:9000, where it is not AWS's own
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// AWS's region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}

impl Layout {
    /// Whether any of it was named.
    pub(crate) fn is_named(&self) -> bool {
        [&self.bucket, &self.key, &self.table, &self.endpoint, &self.region]
            .iter()
            .any(|named| named.is_some())
    }
}

/// The same, and which configuration and AWS profile are meant.
#[derive(Args, Clone, Default)]
pub(crate) struct Stock {
    #[command(flatten)]
    pub(crate) layout: Layout,
    /// The AWS profile to work with
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// What `terraform init` was given as -backend-config; can be repeated
    #[arg(long, value_name = "FILE|KEY=VALUE")]
    pub(crate) backend_config: Vec<String>,
    /// The directory of the configuration, as in `terraform -chdir=DIR` [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
}
