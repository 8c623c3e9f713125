//! The command line of commands about one state, which is that of the Terraform configuration at hand unless named.

use std::path::PathBuf;

use clap::Args;

use super::{Layout, Server};
use crate::shell;

/// Which configuration is meant, and which server, or which bucket and table, has its state.
#[derive(Args)]
pub(crate) struct Configuration {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) layout: Layout,
    /// What `terraform init` was given as -backend-config; can be repeated
    #[arg(long, value_name = "FILE|KEY=VALUE")]
    pub(crate) backend_config: Vec<String>,
    /// The directory of the configuration, as in `terraform -chdir=DIR` [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
}

impl Configuration {
    /// What has to be said again on a command that names the state itself, for whoever types the next one; each with a
    /// space before it.
    pub(crate) fn again(&self) -> String {
        let layout = &self.layout;
        let given = [
            ("--table", &layout.table),
            ("--endpoint", &layout.endpoint),
            ("--region", &layout.region),
            ("--profile", &self.server.profile),
        ];
        let chdir = self.chdir.as_ref().map(|dir| dir.display().to_string());
        let given = given
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value.clone()?)));
        let more = self
            .backend_config
            .iter()
            .map(|more| ("--backend-config", more.clone()));
        let all = given.chain(chdir.map(|dir| ("--chdir", dir))).chain(more);
        all.map(|(flag, value)| format!(" {flag} {}", shell::quoted(&value)))
            .collect()
    }
}
