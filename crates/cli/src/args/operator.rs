//! The command line of operators: freezes, permissions, refused writes.

use std::{env, path::Path, time::Duration};

use clap::{Args, Subcommand};

use super::Place;
use crate::duration;

/// Which server is meant, and the key for it.
#[derive(Args)]
pub(crate) struct Server {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The AWS profile to work with; that of a Tidelock server is written by `tidelock profile`
    #[arg(long, env = "TIDELOCK_PROFILE", value_name = "NAME", hide_env_values = true)]
    pub(crate) profile: Option<String>,
}

impl Server {
    /// What has to be typed again to reach the same server, each one word.
    pub(crate) fn again(&self) -> Vec<String> {
        let typed = [
            ("data", "TIDELOCK_DATA", self.place.data.as_deref()),
            ("config", "TIDELOCK_CONFIG", self.place.config.as_deref()),
            (
                "profile",
                "TIDELOCK_PROFILE",
                self.profile.as_deref().map(Path::new),
            ),
        ];
        // What a variable says it will say the next time too.
        let typed = typed.into_iter().filter_map(|(flag, variable, value)| {
            let value = value.filter(|value| env::var_os(variable).is_none_or(|said| said != *value))?;
            Some(format!("--{flag}={}", value.display()))
        });
        typed.collect()
    }
}

#[derive(Args)]
#[group(id = "step", args = ["rewind", "relineage"], required = true, multiple = true)]
pub(crate) struct Allow {
    #[command(flatten)]
    pub(crate) server: Server,
    /// BUCKET/KEY of the state
    pub(crate) address: String,
    /// Let the serial fall or stay, as `terraform state push -force` does
    #[arg(long)]
    pub(crate) rewind: bool,
    /// Let a state of another lineage replace this one
    #[arg(long)]
    pub(crate) relineage: bool,
    /// How long to wait for the write, such as 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub(crate) lasts: Duration,
    /// Print the permission as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Freeze {
    #[command(flatten)]
    pub(crate) server: Server,
    /// BUCKET/KEY of the state
    pub(crate) address: String,
    /// Why; Terraform shows it to those who are kept out
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Print the freeze as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A state, and how to print what comes of it.
#[derive(Args)]
pub(crate) struct Address {
    #[command(flatten)]
    pub(crate) server: Server,
    /// BUCKET/KEY of the state
    pub(crate) address: String,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Rescue {
    #[command(subcommand)]
    pub(crate) command: RescueCommand,
}

#[derive(Subcommand)]
pub(crate) enum RescueCommand {
    /// List the refused writes of a state
    #[command(after_help = RESCUE_LIST_HELP)]
    List(Address),
    /// Show who wrote one, when, and why it was refused; or the state itself
    #[command(after_help = RESCUE_SHOW_HELP)]
    Show(RescueShow),
    /// Show what differs between the current state and a refused one
    #[command(after_help = RESCUE_DIFF_HELP)]
    Diff(RescueDiff),
    /// Make a refused state the current one, with the next serial
    #[command(after_help = RESCUE_ADOPT_HELP)]
    Adopt(RescueChange),
    /// Drop a refused write for good
    #[command(after_help = RESCUE_DISCARD_HELP)]
    Discard(RescueChange),
}

/// One refused write.
#[derive(Args)]
pub(crate) struct RescueOne {
    #[command(flatten)]
    pub(crate) state: Address,
    /// Its number in `tidelock rescue list`; the newest when absent
    #[arg(value_name = "N")]
    pub(crate) number: Option<u64>,
}

#[derive(Args)]
pub(crate) struct RescueShow {
    #[command(flatten)]
    pub(crate) one: RescueOne,
    /// Print the refused state itself, byte for byte
    #[arg(long, conflicts_with = "json")]
    pub(crate) state: bool,
}

#[derive(Args)]
pub(crate) struct RescueDiff {
    #[command(flatten)]
    pub(crate) one: RescueOne,
    /// Show sensitive values too
    #[arg(long)]
    pub(crate) sensitive: bool,
}

#[derive(Args)]
pub(crate) struct RescueChange {
    #[command(flatten)]
    pub(crate) state: Address,
    /// Its number in `tidelock rescue list`; may be left out when only one is kept
    #[arg(value_name = "N")]
    pub(crate) number: Option<u64>,
    /// Do not ask
    #[arg(long = "yes", visible_alias = "force")]
    pub(crate) force: bool,
}

/// How every one of these finds its server.
macro_rules! server_help {
    () => {
        "\nThe server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    };
}
pub(super) use server_help;

pub(super) const ALLOW_HELP: &str = concat!(
    "\
Examples:
  tidelock allow tfstate/network/terraform.tfstate --rewind
  tidelock allow tfstate/network/terraform.tfstate --relineage --for 1h

Then push: terraform state push -force old.tfstate. The permission is used up by the first write that needs it.
",
    server_help!()
);

pub(super) const FREEZE_HELP: &str = concat!(
    "\
Examples:
  tidelock freeze tfstate/network/terraform.tfstate --reason 'moving to the new account, ask ann'
  tidelock thaw tfstate/network/terraform.tfstate

Terraform shows it as a lock with the operation \"freeze\" and the reason; no force-unlock ends it.

Exit status: 0 frozen, 7 somebody holds the lock; others as in `tidelock --help`.
",
    server_help!()
);

pub(super) const THAW_HELP: &str = concat!(
    "\
Examples:
  tidelock thaw tfstate/network/terraform.tfstate

Exit status: 0 thawed, 7 it was not frozen; others as in `tidelock --help`.
",
    server_help!()
);

pub(super) const RESCUE_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue list tfstate/network/terraform.tfstate
  tidelock rescue diff tfstate/network/terraform.tfstate 4
  tidelock rescue show tfstate/network/terraform.tfstate 4 --state > rescued.tfstate
  tidelock rescue adopt tfstate/network/terraform.tfstate 4

A state write that is refused is kept, so that nothing Terraform knew of is lost. To adopt one makes it current
with the next serial; it shows what differs first, and asks.

Exit status of diff: 0 nothing differs, 1 something does, 2 or more it could not be compared. Of the others: 0 done,
1 not confirmed, 7 the state is locked or there is no such write; others as in `tidelock --help`.
",
    server_help!()
);

const RESCUE_LIST_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue list tfstate/network/terraform.tfstate
  tidelock rescue list tfstate/network/terraform.tfstate --json | jq '.refused[].reason'
",
    server_help!()
);

const RESCUE_SHOW_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue show tfstate/network/terraform.tfstate 4
  tidelock rescue show tfstate/network/terraform.tfstate 4 --state > rescued.tfstate

Exit status: 0 done, 7 there is no such write; others as in `tidelock --help`.
",
    server_help!()
);

const RESCUE_DIFF_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue diff tfstate/network/terraform.tfstate
  tidelock rescue diff tfstate/network/terraform.tfstate 4 --sensitive

From the current state to the refused one: + only the refused one has it, ~ it differs, - only the current one has it.

Exit status: 0 nothing differs, 1 something does, 2 or more it could not be compared.
",
    server_help!()
);

const RESCUE_ADOPT_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue adopt tfstate/network/terraform.tfstate 4
  tidelock rescue adopt tfstate/network/terraform.tfstate 4 --yes

Shows what differs and asks; without a terminal it needs --yes. Then: terraform plan.

Exit status: 0 done, 1 not confirmed, 7 the state is locked or there is no such write; others as in `tidelock --help`.
",
    server_help!()
);

const RESCUE_DISCARD_HELP: &str = concat!(
    "\
Examples:
  tidelock rescue discard tfstate/network/terraform.tfstate 4
  tidelock rescue discard tfstate/network/terraform.tfstate 4 --yes

Asks; without a terminal it needs --yes. A dropped write cannot be had back.

Exit status: 0 done, 1 not confirmed, 7 there is no such write; others as in `tidelock --help`.
",
    server_help!()
);
