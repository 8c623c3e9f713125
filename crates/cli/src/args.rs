//! The command line: what can be said, and the help that explains it.

mod audit;
mod backup;
mod bootstrap;
mod clean;
mod configuration;
mod doctor;
mod drift;
mod explain;
mod history;
mod iam;
mod locks;
mod migrate;
mod overview;
mod policy;
mod root_key;
mod secrets;
mod stock;
#[macro_use]
mod operator;
mod tls;
mod transfer;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::duration;
pub(crate) use audit::{Audit, AuditCommand, AuditList, AuditVerify};
pub(crate) use backup::{Backup, Restore, Verify};
pub(crate) use bootstrap::{Bootstrap, Form};
pub(crate) use clean::Clean;
pub(crate) use configuration::Configuration;
pub(crate) use doctor::Doctor;
pub(crate) use drift::Drift;
pub(crate) use explain::{Explain, WhoCan};
pub(crate) use history::{Blame, Diff, Find, Gc, History, Rollback, Show};
pub(crate) use iam::{
    Accounts, AccountsCommand, Attach, CreateKey, CreateUser, Delete, Inline, InlineCommand, Keys,
    KeysCommand, ListKeys, Of, OneInline, OneKey, PutInline, Roles, RolesCommand, Trust, Users, UsersCommand,
};
pub(crate) use locks::{ListLocks, Locks, LocksCommand, Reap, Unlock, Watch};
pub(crate) use migrate::{DynamodbToLockfile, Migrate, MigrateCommand, MigrateStates};
pub(crate) use operator::{
    Address, Allow, Freeze, Rescue, RescueChange, RescueCommand, RescueDiff, RescueShow, Server,
};
pub(crate) use policy::{Policy, Role as PolicyRole};
pub(crate) use root_key::{RootKey, RootKeyCommand, Rotate};
pub(crate) use secrets::{FailOn, Secrets};
pub(crate) use stock::{Layout, Stock};

pub(crate) use tls::Tls;
pub(crate) use transfer::{Elsewhere, Export, Import};

/// What was said; where that is no command, this ends the program with the reason or the help.
pub(crate) fn parse() -> Arguments {
    let matches = overview::grouped(Arguments::command()).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Terraform's S3 + DynamoDB state backend as one binary, and tools for states on AWS and any S3.
#[derive(Parser)]
#[command(name = "tidelock", version, after_help = ROOT_HELP, arg_required_else_help = true)]
#[command(
    subcommand_required = true,
    disable_help_subcommand = false,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a race of two `terraform apply` for one state, on a temporary server
    #[command(display_order = overview::SERVER, after_help = DEMO_HELP)]
    Demo(Demo),
    /// Run the server
    #[command(display_order = overview::SERVER, after_help = SERVE_HELP)]
    Serve(Serve),
    /// Print the variables that point Terraform and the AWS CLI at the running server
    #[command(display_order = overview::SERVER, after_help = ENV_HELP)]
    Env(Env),
    /// Write an AWS profile that points a backend at the running server, and nothing else
    #[command(display_order = overview::SERVER, after_help = PROFILE_HELP)]
    Profile(Profile),
    /// Run a command whose locks end with it, however it ends
    #[command(display_order = overview::SERVER, after_help = RUN_HELP)]
    Run(Run),
    /// Set up a bucket for states, and a lock table where one is wanted
    #[command(display_order = overview::BACKENDS, after_help = bootstrap::BOOTSTRAP_HELP)]
    Bootstrap(Bootstrap),
    /// Say what is wrong with a backend, and what mends it
    #[command(display_order = overview::BACKENDS, after_help = doctor::DOCTOR_HELP)]
    Doctor(Doctor),
    /// Print the least IAM policy of a backend, or compare one with it
    #[command(display_order = overview::BACKENDS, after_help = policy::POLICY_HELP)]
    Policy(Policy),
    /// Find secrets in states, without printing them
    #[command(display_order = overview::BACKENDS, after_help = secrets::SECRETS_HELP)]
    Secrets(Secrets),
    /// Say where reality differs from the states, in many directories at once
    #[command(display_order = overview::BACKENDS, after_help = drift::DRIFT_HELP)]
    Drift(Drift),
    /// Delete empty states that nobody needs any more, as of merged branches; versions stay
    #[command(display_order = overview::BACKENDS, after_help = clean::CLEAN_HELP)]
    Clean(Clean),
    /// Copy states to another store and from it, or go from a lock table to lock files
    #[command(display_order = overview::BACKENDS, after_help = migrate::MIGRATE_HELP, subcommand_required = true, arg_required_else_help = true)]
    Migrate(Migrate),
    /// Show who holds locks, who waits for them, and what to do about it
    #[command(display_order = overview::LOCKS, after_help = locks::LOCKS_HELP)]
    Locks(Locks),
    /// Free a lock whose holder is gone
    #[command(display_order = overview::LOCKS, after_help = locks::UNLOCK_HELP, override_usage = locks::UNLOCK_USAGE)]
    Unlock(Unlock),
    /// Say which locks are held for too long, once or again and again
    #[command(display_order = overview::LOCKS, after_help = locks::WATCH_HELP)]
    Watch(Watch),
    /// List the versions of a state: when, who, what for, what changed
    #[command(display_order = overview::VERSIONS, after_help = history::HISTORY_HELP)]
    History(History),
    /// Show a version: who wrote it, what is in it; or the state itself
    #[command(display_order = overview::VERSIONS, after_help = history::SHOW_HELP, override_usage = history::SHOW_USAGE)]
    Show(Show),
    /// Compare two versions by resource, attribute and output
    #[command(display_order = overview::VERSIONS, after_help = history::DIFF_HELP, override_usage = history::DIFF_USAGE)]
    Diff(Diff),
    /// Make an older version the current one, with the next serial
    #[command(display_order = overview::VERSIONS, after_help = history::ROLLBACK_HELP, override_usage = history::ROLLBACK_USAGE)]
    Rollback(Rollback),
    /// Say which version, run and person last changed a resource
    #[command(display_order = overview::VERSIONS, after_help = history::BLAME_HELP, override_usage = history::BLAME_USAGE)]
    Blame(Blame),
    /// Find a resource across all states
    #[command(display_order = overview::STATES, after_help = history::FIND_HELP)]
    Find(Find),
    /// Lock a state for people: nobody writes it until it is thawed
    #[command(display_order = overview::STATES, after_help = operator::FREEZE_HELP)]
    Freeze(Freeze),
    /// End a freeze
    #[command(display_order = overview::STATES, after_help = operator::THAW_HELP)]
    Thaw(Address),
    /// Permit one write that goes back in the state's history, or replaces it by another
    #[command(display_order = overview::STATES, after_help = operator::ALLOW_HELP)]
    Allow(Allow),
    /// Look at refused state writes, make one current, or drop it
    #[command(display_order = overview::STATES, after_help = operator::RESCUE_HELP, subcommand_required = true, arg_required_else_help = true)]
    Rescue(Rescue),
    /// End the versions that retention no longer keeps, now
    #[command(display_order = overview::STATES, after_help = history::GC_HELP)]
    Gc(Gc),
    /// Users: who may ask the server for something
    #[command(display_order = overview::ACCESS, after_help = iam::USERS_HELP, subcommand_required = true, arg_required_else_help = true)]
    Users(Users),
    /// Access keys of users: make, rotate, switch off
    #[command(display_order = overview::ACCESS, after_help = iam::KEYS_HELP, subcommand_required = true, arg_required_else_help = true)]
    Keys(Keys),
    /// Roles: what users and CI jobs may become for a while
    #[command(display_order = overview::ACCESS, after_help = iam::ROLES_HELP, subcommand_required = true, arg_required_else_help = true)]
    Roles(Roles),
    /// Accounts, each with users, roles, buckets and tables of its own
    #[command(display_order = overview::ACCESS, after_help = iam::ACCOUNTS_HELP, subcommand_required = true, arg_required_else_help = true)]
    Accounts(Accounts),
    /// List who may do something, and by which statement
    #[command(display_order = overview::ACCESS, after_help = explain::WHO_CAN_HELP)]
    WhoCan(WhoCan),
    /// Say which statement of which policy decided a request, or would decide one
    #[command(display_order = overview::ACCESS, after_help = explain::EXPLAIN_HELP)]
    Explain(Explain),
    /// Show who asked for what and what became of it, or verify that none of it was changed
    #[command(display_order = overview::ACCESS, after_help = audit::AUDIT_HELP)]
    Audit(Audit),
    /// Take in states with all their versions from a directory or an S3 bucket
    #[command(display_order = overview::DATA, after_help = transfer::IMPORT_HELP)]
    Import(Import),
    /// Copy states with all their versions to a directory or an S3 bucket
    #[command(display_order = overview::DATA, after_help = transfer::EXPORT_HELP)]
    Export(Export),
    /// Write everything that a running server has into one file
    #[command(display_order = overview::DATA, after_help = backup::BACKUP_HELP)]
    Backup(Backup),
    /// Make a data directory of a backup
    #[command(display_order = overview::DATA, after_help = backup::RESTORE_HELP)]
    Restore(Restore),
    /// Decode everything that is stored and compare it with its digests
    #[command(display_order = overview::DATA, after_help = backup::VERIFY_HELP)]
    Verify(Verify),
    /// Show the root keys, which seal what is stored, or put a new one in place
    #[command(display_order = overview::DATA, after_help = root_key::ROOT_KEY_HELP)]
    RootKey(RootKey),
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Address to listen on; port 0 takes any free port [default: 127.0.0.1:9470]
    #[arg(long, env = "TIDELOCK_LISTEN", value_name = "ADDR", hide_env_values = true)]
    pub(crate) listen: Option<String>,
    /// How to write the log, which goes to standard error [default: human]
    #[arg(
        long,
        env = "TIDELOCK_LOG_FORMAT",
        value_name = "FORMAT",
        hide_env_values = true
    )]
    pub(crate) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) tls: Tls,
}

#[derive(Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print a JSON object instead of shell commands
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Name of the profile
    #[arg(long, default_value = "tidelock")]
    pub(crate) name: String,
    /// Replace a profile of that name that this command did not write
    #[arg(long)]
    pub(crate) force: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the plan as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The AWS profile to work with; that of a Tidelock server is written by `tidelock profile`
    #[arg(long, env = "TIDELOCK_PROFILE", value_name = "NAME", hide_env_values = true)]
    pub(crate) profile: Option<String>,
    /// How long the locks outlast this machine if it dies, such as 90s, 5m, 2h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) lease: Duration,
    /// Words to show with the locks beside the run's ID and the CI job's link
    #[arg(long, value_name = "TEXT")]
    pub(crate) token: Option<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// The program to race, instead of `terraform` or else `tofu` from PATH
    #[arg(long, env = "TIDELOCK_TERRAFORM", value_name = "PATH", hide_env_values = true)]
    pub(crate) terraform: Option<PathBuf>,
}

/// Where the server's data is: the same for the server and for the commands that look for it.
#[derive(Args)]
pub(crate) struct Place {
    /// The data directory [default: ./tidelock-data]
    #[arg(long, env = "TIDELOCK_DATA", value_name = "DIR", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// A TOML file with `data`, `listen`, `hosts`, `log_format`, `plans`, `stale`, `stale_after`, `root_key`, `retention`, `tls`, `plain_http`, `oidc`, `audit`; flags and variables come before it
    #[arg(long, env = "TIDELOCK_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Human,
    Json,
}

const ROOT_HELP: &str = "\
Start here:
  tidelock demo            see two applies race for one state
  tidelock serve           run the server; the first start says what to type next
  tidelock doctor          in a directory with a backend \"s3\" block: what is wrong with it
  tidelock COMMAND --help  arguments, examples and exit statuses of a command

Exit status:
  0  done
  1  failed; the message says why
  2  wrong arguments or configuration
  3  the data directory cannot be used: in use by another server, of another format, not ours, no root key
  4  no server is running on that data directory, or none answers where it was named
  5  the profile is there already and was not written by tidelock
  6  neither Terraform nor OpenTofu was found, or it is too old
  7  the state is locked, or what was named is not there (any more)";

const SERVE_HELP: &str = "\
Examples:
  tidelock serve
  tidelock serve --data /var/lib/tidelock --listen 127.0.0.1:9470 --log-format json
  TIDELOCK_DATA=/var/lib/tidelock tidelock serve
  tidelock serve --listen 0.0.0.0:9470 --tls-cert state.pem --tls-key state.key
  tidelock serve --tls-self-signed

Beyond this machine it listens with TLS only, unless --plain-http says that a proxy in front does TLS. In the file of
--config: tls = { cert = \"FILE\", key = \"FILE\", client_ca = \"FILE\" } or tls = { self_signed = true }, plain_http = true.

In the file of --config, and only there:
  hosts = [\"state.example.org\"]   the server's names: what stands before one, as in tfstate.state.example.org, is a bucket
  plans = \"shared\"      plans do not wait for plans; \"exclusive\": they do, as on AWS
  stale = \"report\"      a lock whose holder is silent stays; \"remove\": the next caller takes it over
  stale_after = \"2h\"    how long a holder is silent before its lock counts as stale
  root_key = { file = \"/etc/tidelock/root.key\" }   where the root key is, instead of root.key in the data directory;
  root_key = { env = \"TIDELOCK_ROOT_KEY\" }         or in a variable;
  root_key = { command = [\"PROGRAM\", \"ARG\"] }      or what a program prints
  audit = { file = \"/var/log/tidelock/audit.jsonl\" }   the audit log's entries go there too, for a collector; or \"stdout\"
  [[oidc]]                               who else says who somebody is, for AssumeRoleWithWebIdentity:
  issuer = \"https://gitlab.com\"          as its tokens have it in `iss`
  audiences = [\"https://state.example\"]  those that its tokens must be for
  [[retention]]                          when old versions end; without such a rule, never. The longest prefix counts:
  prefix = \"tfstate/env:/review-\"        BUCKET or BUCKET/KEY-PREFIX
  keep = 100                             the newest hundred stay,
  keep_for = \"90d\"                       and all that were replaced less than 90 days ago; either may be left out

The first start makes the data directory, credentials, a root key, the bucket `tfstate` and the table
`terraform-locks`. SIGTERM or Ctrl-C finishes the requests in flight and stops; a second one stops at once.";

const ENV_HELP: &str = "\
Examples:
  eval \"$(tidelock env)\" && terraform init
  tidelock env --data /var/lib/tidelock --json

AWS_ENDPOINT_URL sends every AWS client in this shell to the server, the provider \"aws\" included.
Where the configuration has that provider, use `tidelock profile`.";

const PROFILE_HELP: &str = "\
Examples:
  tidelock profile --dry-run
  tidelock profile --name state --data /var/lib/tidelock

Then, in the backend block: profile = \"tidelock\". The provider \"aws\" keeps its own account.
The files are ~/.aws/config and ~/.aws/credentials, or those of AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.";

const RUN_HELP: &str = "\
Examples:
  tidelock run -- terraform apply -auto-approve
  tidelock run --lease 5m --token nightly -- make deploy
  tidelock run --profile tidelock -- terraform apply

Locks that COMMAND takes are freed when it ends, and when the lease ends because this machine died. Whoever then
still writes is refused. Nothing has to be set up: COMMAND inherits TF_APPEND_USER_AGENT and AWS_SDK_UA_APP_ID, which
Terraform, OpenTofu and AWS clients send along. For backend \"http\" set TF_HTTP_USERNAME and TF_HTTP_PASSWORD
to the access key and its secret before, and not in the backend block.

The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

Exit status: that of COMMAND, or 128 and the number of the signal that ended it; 126 when COMMAND cannot be run, 127
when there is none; 1, 2, 4 as `tidelock --help` says, when the run could not begin and COMMAND was not started.";

const DEMO_HELP: &str = "\
Examples:
  tidelock demo
  tidelock demo --terraform /opt/tofu/tofu

Takes about 10 seconds, needs no network, and leaves nothing behind.";
