//! The command line of backups: to make one, to restore it, to verify what is stored.

use std::path::PathBuf;

use clap::Args;

use super::{Place, operator::Server};

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Where to write it; `-` for standard output
    pub(crate) file: PathBuf,
    /// Put the root key and the access key into it; only on the server's machine
    #[arg(long, conflicts_with = "profile")]
    pub(crate) with_keys: bool,
    /// Replace a file that is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Print what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The backup; `-` for standard input
    pub(crate) file: PathBuf,
    /// The root key, where it is not in the backup
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: Option<PathBuf>,
    /// Do not decode every body; what is damaged is then found when it is read
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print what was restored as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) server: Server,
    /// BUCKET or BUCKET/KEY-PREFIX: only what begins with it
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Look into a backup instead of asking a server
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub(crate) backup: Option<PathBuf>,
    /// Look into the data directory of a server that is stopped
    #[arg(long, conflicts_with_all = ["profile", "backup"])]
    pub(crate) offline: bool,
    /// The root key of the backup, where it is not in it
    #[arg(long, value_name = "FILE", requires = "backup")]
    pub(crate) root_key: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const BACKUP_HELP: &str = "\
Examples:
  tidelock backup tidelock-$(date +%F).tar
  tidelock backup --with-keys --data /var/lib/tidelock /mnt/safe/tidelock.tar
  tidelock backup - | ssh backup.example 'cat > tidelock.tar'

Everything as of one moment while the server goes on: states with all their versions, locks, buckets, tables. FILE appears
when all of it is there and has been checked. It is a tar with SHA-256 sums; `tidelock restore` reads it.

The states in it are sealed with the server's root key, which is not in it unless you say --with-keys: keep that key
elsewhere, or there is nothing to restore. With --with-keys, who has the file has everything.

Exit status: 0 done, 1 failed, 2 FILE is there already; others as in `tidelock --help`.
The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

pub(super) const RESTORE_HELP: &str = "\
Examples:
  tidelock restore tidelock.tar --data /var/lib/tidelock
  tidelock restore tidelock.tar --data /tmp/drill --root-key /mnt/safe/root.key
  tidelock restore - --data /var/lib/tidelock < tidelock.tar

Into a directory that is empty or not there yet; it appears when all of it is restored and every state in it has been
decoded and compared with its digests. Then: tidelock serve --data DIR. Locks are held as they were. The root key is that of
--root-key, else the one in the backup, else that of `root_key` in the file of --config.

Exit status: 0 restored, 1 the backup is damaged, 2 the root key is missing or another one, 3 DIR is not empty.
In all but the first case DIR is as it was.";

pub(super) const VERIFY_HELP: &str = "\
Examples:
  tidelock verify
  tidelock verify tfstate/network/
  tidelock verify --backup tidelock.tar --root-key /mnt/safe/root.key
  tidelock verify --offline --data /var/lib/tidelock

Reads every version of every state, refused writes and parts of uploads that are under way; each is opened, decoded and
compared with its size and its digests. What is damaged is named, and is never served. A backup opens with the root key of
--root-key, else the one in it, else the one of --data or --config.

Exit status: 0 all is well, 1 something is damaged, 2 or more it could not be verified, as in `tidelock --help`; 7 nothing
begins with PREFIX.
The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
