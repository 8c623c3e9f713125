//! The command line of root keys.

use clap::{Args, Subcommand};

use super::Server;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RootKey {
    #[command(subcommand)]
    pub(crate) command: Option<RootKeyCommand>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Print what the server knows as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum RootKeyCommand {
    /// Put a new root key in place, and seal the keys of all bodies anew under it
    #[command(after_help = ROTATE_HELP)]
    Rotate(Rotate),
}

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Wait until everything is sealed anew, and show how far it is
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print the rotation as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const ROOT_KEY_HELP: &str = concat!(
    "\
Examples:
  tidelock root-key
  tidelock root-key --json | jq -r '.keys[] | select(.role == \"former\") | .id'
  tidelock root-key rotate --wait

Every stored body is sealed under a key of its own, and that under the current root key. Former ones open what they have
sealed. IDs tell nothing of the keys.
",
    super::operator::server_help!()
);

const ROTATE_HELP: &str = concat!(
    "\
Examples:
  tidelock root-key rotate
  tidelock root-key rotate --wait
  tidelock root-key rotate --json

Where the root key is in a file, the server makes the new one, and takes the old one out when nothing needs it any more.
Where it comes from a variable or a command: put a new key before the present one, one on a line, and restart the server
first; this then says when the old line may go. The server goes on answering, and a restart goes on with it.

Exit status: 0 begun, or with --wait done; 1 with --wait, something could not be sealed anew; 7 a rotation is going on, or
the server cannot write the key; others as in `tidelock --help`.
",
    super::operator::server_help!()
);
