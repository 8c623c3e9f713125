//! The command line of commands about one state, which is that of the Terraform configuration at hand unless named.

use std::path::PathBuf;

use clap::Args;

use super::Server;

/// Which configuration is meant, and which server has its state.
#[derive(Args)]
pub(crate) struct Configuration {
    #[command(flatten)]
    pub(crate) server: Server,
    /// What `terraform init` was given as -backend-config; can be repeated
    #[arg(long, value_name = "FILE|KEY=VALUE")]
    pub(crate) backend_config: Vec<String>,
    /// The directory of the configuration, as in `terraform -chdir=DIR` [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
}
