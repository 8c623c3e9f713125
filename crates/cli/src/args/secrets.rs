//! The command line of `tidelock secrets`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidelock_operator::secrets;

use super::Stock;

#[derive(Args)]
pub(crate) struct Secrets {
    /// States as files, `-` being standard input, instead of those of a bucket
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// Every state whose key begins so; '' for all of the bucket
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["files", "key"])]
    pub(crate) prefix: Option<String>,
    /// Look also for what providers mark as sensitive: run `terraform providers schema -json` here, or read what it printed
    #[arg(long, value_name = "FILE", require_equals = true)]
    #[allow(clippy::option_option, reason = "without a file it is made here")]
    pub(crate) schema: Option<Option<PathBuf>>,
    /// Exit with 1 if there is a secret of this kind; several with commas
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    pub(crate) fail_on: Vec<FailOn>,
    /// Print a JSON object a line: each secret, and each state that cannot be read
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any of them
    Any,
    /// Marked in the state itself
    Sensitive,
    /// Marked in a provider's schema
    Schema,
    /// In the form of a known token
    Token,
    /// Looks random, or is called a password
    Entropy,
}

impl FailOn {
    pub(crate) fn means(self, kind: secrets::Kind) -> bool {
        match self {
            FailOn::Any => true,
            FailOn::Sensitive => kind == secrets::Kind::Sensitive,
            FailOn::Schema => kind == secrets::Kind::Schema,
            FailOn::Token => kind == secrets::Kind::Token,
            FailOn::Entropy => kind == secrets::Kind::Entropy,
        }
    }
}

pub(super) const SECRETS_HELP: &str = "\
Examples:
  tidelock secrets
  tidelock secrets --schema --fail-on token,entropy
  tidelock secrets --bucket states --prefix team-a/ --json
  terraform state pull | tidelock secrets -

Says at which address and attribute a state has a secret in plain text, and why it counts as one. No value is ever printed, nor a
part of one.
  sensitive  the state marks it: it comes from a sensitive variable, output or attribute
  schema     the provider marks it (only with --schema, in an initialised directory)
  token      it has the form of a known token, such as GitHub's, or one is in it, also in base64
  entropy    it looks random, or its name says password, secret, token and the like

Exit status: 0 looked through, whatever was found; 1 there is a secret of a kind that --fail-on names, or a state cannot be read;
2 wrong arguments or no backend; 6 neither terraform nor tofu was found for --schema; 7 there is no such state.";
