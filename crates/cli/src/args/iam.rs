//! The command line of accounts, users, access keys and roles.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::Server;
use crate::duration;

/// In which account, on which server, and how to print.
#[derive(Args)]
pub(crate) struct Of {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The account, twelve digits [default: the server's first]
    #[arg(long, value_name = "ID", default_value = tidelock_core::iam::DEFAULT_ACCOUNT, hide_default_value = true)]
    pub(crate) account: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Users {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// List the users, with their keys and policies
    #[command(after_help = USERS_LIST_HELP)]
    List(Of),
    /// Make a user; it may do nothing until it gets a policy
    #[command(after_help = USERS_CREATE_HELP)]
    Create(CreateUser),
    /// Delete a user
    #[command(after_help = USERS_DELETE_HELP)]
    Delete(Delete),
    /// Attach a policy to a user
    #[command(after_help = USERS_ATTACH_HELP)]
    Attach(Attach),
    /// Take an attached policy off a user
    #[command(after_help = USERS_ATTACH_HELP)]
    Detach(Attach),
    /// Put, show or delete a policy that is this user's own
    #[command(after_help = USERS_POLICY_HELP, subcommand_required = true, arg_required_else_help = true)]
    Policy(Inline),
}

#[derive(Args)]
pub(crate) struct Roles {
    #[command(subcommand)]
    pub(crate) command: RolesCommand,
}

#[derive(Subcommand)]
pub(crate) enum RolesCommand {
    /// List the roles, with their policies
    #[command(after_help = ROLES_LIST_HELP)]
    List(Of),
    /// Make a role; it may do nothing until it gets a policy
    #[command(after_help = ROLES_CREATE_HELP)]
    Create(CreateRole),
    /// Replace a role's trust policy: who may take it
    #[command(after_help = ROLES_TRUST_HELP)]
    Trust(Trust),
    /// Delete a role; its sessions end at once
    #[command(after_help = ROLES_DELETE_HELP)]
    Delete(Delete),
    /// Attach a policy to a role
    #[command(after_help = ROLES_ATTACH_HELP)]
    Attach(Attach),
    /// Take an attached policy off a role
    #[command(after_help = ROLES_ATTACH_HELP)]
    Detach(Attach),
    /// Put, show or delete a policy that is this role's own
    #[command(after_help = ROLES_POLICY_HELP, subcommand_required = true, arg_required_else_help = true)]
    Policy(Inline),
}

#[derive(Args)]
pub(crate) struct CreateUser {
    #[command(flatten)]
    pub(crate) of: Of,
    /// The user's name
    pub(crate) name: String,
    /// Where it stands among the users, such as /ci/
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: String,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Args)]
pub(crate) struct CreateRole {
    #[command(flatten)]
    pub(crate) of: Of,
    /// The role's name
    pub(crate) name: String,
    /// A file with its trust policy; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// Where it stands among the roles, such as /ci/
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: String,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
    /// The longest session, 1h to 12h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    pub(crate) max_session: Duration,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Args)]
pub(crate) struct Trust {
    #[command(flatten)]
    pub(crate) of: Of,
    /// The role's name
    pub(crate) name: String,
    /// A file with the trust policy; - is standard input
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Whose name it is
    pub(crate) name: String,
    /// With its keys and policies, which otherwise keep it
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Whose name it is
    pub(crate) name: String,
    /// The policy: its ARN, or the name of one of the account's or of AWS's
    pub(crate) policy: String,
}

#[derive(Args)]
pub(crate) struct Inline {
    #[command(subcommand)]
    pub(crate) command: InlineCommand,
}

#[derive(Subcommand)]
pub(crate) enum InlineCommand {
    /// Put a policy from a file
    Put(PutInline),
    /// Show a policy
    Show(OneInline),
    /// Delete a policy
    Delete(OneInline),
}

#[derive(Args)]
pub(crate) struct PutInline {
    #[command(flatten)]
    pub(crate) one: OneInline,
    /// A file with the policy; - is standard input
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct OneInline {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Whose policy it is
    pub(crate) name: String,
    /// The policy's name
    pub(crate) policy: String,
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// List access keys
    #[command(after_help = KEYS_LIST_HELP)]
    List(ListKeys),
    /// Make an access key, and print its secret this once
    #[command(after_help = KEYS_CREATE_HELP)]
    Create(CreateKey),
    /// Make a new key beside the present one, which goes on working until it is disabled
    #[command(after_help = KEYS_ROTATE_HELP)]
    Rotate(CreateKey),
    /// Switch a key off
    #[command(after_help = KEYS_SWITCH_HELP)]
    Disable(OneKey),
    /// Switch a key on again
    #[command(after_help = KEYS_SWITCH_HELP)]
    Enable(OneKey),
    /// Delete a key
    #[command(after_help = KEYS_SWITCH_HELP)]
    Delete(OneKey),
}

#[derive(Args)]
pub(crate) struct ListKeys {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Of this user alone
    pub(crate) user: Option<String>,
}

#[derive(Args)]
pub(crate) struct CreateKey {
    #[command(flatten)]
    pub(crate) of: Of,
    /// The user's name
    pub(crate) user: String,
    /// When the key ends by itself, such as 90d or 12h; never when absent
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct OneKey {
    #[command(flatten)]
    pub(crate) of: Of,
    /// The key's ID
    pub(crate) id: String,
}

#[derive(Args)]
pub(crate) struct Accounts {
    #[command(subcommand)]
    pub(crate) command: AccountsCommand,
}

#[derive(Subcommand)]
pub(crate) enum AccountsCommand {
    /// List the accounts
    #[command(after_help = ACCOUNTS_HELP)]
    List(ListAccounts),
    /// Make an account
    #[command(after_help = ACCOUNTS_HELP)]
    Create(CreateAccount),
}

#[derive(Args)]
pub(crate) struct ListAccounts {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CreateAccount {
    #[command(flatten)]
    pub(crate) server: Server,
    /// What people call it
    pub(crate) name: String,
    /// Its twelve digits; drawn when absent
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) id: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `KEY=VALUE`.
fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A span that may be given in days.
fn lifetime(text: &str) -> Result<Duration, String> {
    const DAY_SECS: u64 = 24 * 60 * 60;
    let Some(days) = text.strip_suffix('d') else {
        return duration::parse(text).map_err(|_| "write a number and d, h, m or s, such as 90d".to_owned());
    };
    let days = days
        .parse::<u32>()
        .map_err(|_| "write a number and d, h, m or s, such as 90d")?;
    Ok(Duration::from_secs(u64::from(days) * DAY_SECS))
}

pub(super) const USERS_HELP: &str = concat!(
    "\
Examples:
  tidelock users create runner --path /ci/
  tidelock users attach runner AmazonS3ReadOnlyAccess
  tidelock users policy put runner states states.json
  tidelock keys create runner

Users, keys, roles and policies are those of IAM: Terraform's provider and `aws iam` show and change the same.

Exit status: 0 done, 7 there is no such user, or something is in the way; others as in `tidelock --help`.
",
    super::operator::server_help!()
);

const USERS_LIST_HELP: &str = concat!(
    "\
Examples:
  tidelock users list
  tidelock users list --account 123456789012
  tidelock users list --json | jq -r '.users[].arn'
",
    super::operator::server_help!()
);

const USERS_CREATE_HELP: &str = concat!(
    "\
Examples:
  tidelock users create runner
  tidelock users create runner --path /ci/ --tag team=network
",
    super::operator::server_help!()
);

const USERS_DELETE_HELP: &str = concat!(
    "\
Examples:
  tidelock users delete runner
  tidelock users delete runner --force

Who takes the name later is somebody else: policies that trusted this user do not trust the next one.
",
    super::operator::server_help!()
);

const USERS_ATTACH_HELP: &str = concat!(
    "\
Examples:
  tidelock users attach runner AmazonS3ReadOnlyAccess
  tidelock users attach runner arn:aws:iam::000000000000:policy/states
  tidelock users detach runner AmazonS3ReadOnlyAccess
",
    super::operator::server_help!()
);

const USERS_POLICY_HELP: &str = concat!(
    "\
Examples:
  tidelock users policy put runner states states.json
  tidelock users policy show runner states
  tidelock users policy delete runner states
",
    super::operator::server_help!()
);

pub(super) const ROLES_HELP: &str = concat!(
    "\
Examples:
  tidelock roles create ci --trust trust.json --max-session 2h
  tidelock roles attach ci AmazonS3FullAccess
  tidelock roles policy put ci states states.json
  tidelock roles list

Who may take a role is said by its trust policy; every user, role and account in it must exist.

Exit status: 0 done, 7 there is no such role, or something is in the way; others as in `tidelock --help`.
",
    super::operator::server_help!()
);

const ROLES_LIST_HELP: &str = concat!(
    "\
Examples:
  tidelock roles list
  tidelock roles list --json | jq -r '.roles[] | select(.name == \"ci\") | .trust'
",
    super::operator::server_help!()
);

const ROLES_CREATE_HELP: &str = concat!(
    "\
Examples:
  tidelock roles create ci --trust trust.json
  tidelock roles create ci --trust trust.json --path /ci/ --max-session 2h --tag team=network
",
    super::operator::server_help!()
);

const ROLES_TRUST_HELP: &str = concat!(
    "\
Examples:
  tidelock roles trust ci trust.json
",
    super::operator::server_help!()
);

const ROLES_DELETE_HELP: &str = concat!(
    "\
Examples:
  tidelock roles delete ci
  tidelock roles delete ci --force
",
    super::operator::server_help!()
);

const ROLES_ATTACH_HELP: &str = concat!(
    "\
Examples:
  tidelock roles attach ci AmazonS3FullAccess
  tidelock roles detach ci AmazonS3FullAccess
",
    super::operator::server_help!()
);

const ROLES_POLICY_HELP: &str = concat!(
    "\
Examples:
  tidelock roles policy put ci states states.json
  tidelock roles policy show ci states
  tidelock roles policy delete ci states
",
    super::operator::server_help!()
);

pub(super) const KEYS_HELP: &str = concat!(
    "\
Examples:
  tidelock keys create runner --expires 90d
  tidelock keys list
  tidelock keys rotate runner
  tidelock keys disable AKIA…

These are the access keys of users. The root key, which seals what is stored, is `tidelock root-key`.

Exit status: 0 done, 7 there is no such user or key, or the user has two already; others as in `tidelock --help`.
",
    super::operator::server_help!()
);

const KEYS_LIST_HELP: &str = concat!(
    "\
Examples:
  tidelock keys list
  tidelock keys list runner --json
",
    super::operator::server_help!()
);

const KEYS_CREATE_HELP: &str = concat!(
    "\
Examples:
  tidelock keys create runner
  tidelock keys create runner --expires 90d
  tidelock keys create runner --json | jq -r .secret_access_key

The secret is shown now and never again: the server keeps it sealed, for signatures alone.
",
    super::operator::server_help!()
);

const KEYS_ROTATE_HELP: &str = concat!(
    "\
Examples:
  tidelock keys rotate runner
  tidelock keys rotate runner --expires 90d

A user has two keys at most. One that is disabled gives way; of two that are in use, disable one first.
",
    super::operator::server_help!()
);

const KEYS_SWITCH_HELP: &str = concat!(
    "\
Examples:
  tidelock keys disable AKIAIOSFODNN7EXAMPLE
  tidelock keys enable AKIAIOSFODNN7EXAMPLE
  tidelock keys delete AKIAIOSFODNN7EXAMPLE

It counts from the next request on.
",
    super::operator::server_help!()
);

pub(super) const ACCOUNTS_HELP: &str = concat!(
    "\
Examples:
  tidelock accounts list
  tidelock accounts create staging
  tidelock accounts create staging --id 123456789012
  tidelock users create runner --account 123456789012

Each account has users, roles, policies, buckets, tables and keys of its own. The operator may work in all of them.
",
    super::operator::server_help!()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_may_be_days() {
        assert_eq!(lifetime("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(lifetime("2h"), Ok(Duration::from_secs(7_200)));
        for text in ["", "d", "90", "-1d", "1w", "99999999999d"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_has_a_key() {
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(tag("=b").is_err() && tag("a").is_err());
    }
}
