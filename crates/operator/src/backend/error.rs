//! Why a directory does not say which state it means.

use std::{
    io,
    path::{Path, PathBuf},
};

use tidelock_core::{
    AddressError,
    limits::{CONFIGURATION_FILES_MAX, WORKSPACE_BYTES_MAX},
};

use super::Place;
use crate::profile::ProfileError;

/// Why there is no backend to use; says what was found where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A file or the directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More files than a configuration has.
    #[error(
        "{} has more than {CONFIGURATION_FILES_MAX} files of configuration; name the state: BUCKET/KEY, or --bucket and --key",
        shown(dir)
    )]
    TooManyFiles {
        /// The directory.
        dir: PathBuf,
    },
    /// A file with a backend block, or a `-backend-config`, cannot be understood.
    #[error("{at}: {why}")]
    Syntax {
        /// The line.
        at: Place,
        /// What is wrong there.
        why: String,
    },
    /// There is no backend block, and never was.
    #[error(
        "no backend block in {}, so its state is a file there{}; name the state: BUCKET/KEY, or --bucket and --key", shown(dir),
        if *terragrunt {
            ". Terragrunt writes the block into its cache: give the directory in .terragrunt-cache with --chdir"
        } else {
            ""
        }
    )]
    None {
        /// The directory.
        dir: PathBuf,
        /// Whether it is one of Terragrunt's.
        terragrunt: bool,
    },
    /// There was a backend block when `init` ran, and there is none any more.
    #[error(
        "init recorded backend \"{kind}\" in {at}, but the configuration has no backend block any more; \
         put it back, run `terraform init -migrate-state`, or name the state: BUCKET/KEY, or --bucket and --key"
    )]
    Removed {
        /// What was recorded.
        kind: String,
        /// Where.
        at: Place,
    },
    /// Two blocks, where Terraform takes one.
    #[error(
        "{second}: a second backend or cloud block, the first is at {first}; Terraform takes one, remove the other"
    )]
    Twice {
        /// The first.
        first: Place,
        /// The second.
        second: Place,
    },
    /// A backend that keeps its state elsewhere.
    #[error(
        "{at}: the state is kept by {}, and only backend \"s3\" and \"http\" are known here; name the state: BUCKET/KEY, or --bucket and --key",
        match kind.as_str() {
            "cloud" => "HCP Terraform (cloud)".to_owned(),
            kind => format!("backend \"{kind}\""),
        }
    )]
    Other {
        /// Its name; `cloud` for the block of that name.
        kind: String,
        /// Where.
        at: Place,
    },
    /// The block is of another kind than what `init` recorded.
    #[error(
        "{at} has backend \"{kind}\", but init recorded \"{recorded}\" in {recorded_at}; run `terraform init -reconfigure`, \
         or -migrate-state to take the state along, or name the state: BUCKET/KEY, or --bucket and --key"
    )]
    KindChanged {
        /// What the block says.
        kind: String,
        /// Where.
        at: Place,
        /// What was recorded.
        recorded: String,
        /// Where.
        recorded_at: Place,
    },
    /// The block, or a `-backend-config`, says something else than what `init` recorded.
    #[error(
        "{at} sets {name}{values} in {recorded_at}, and Terraform would refuse to go on; run `terraform init -reconfigure`, \
         or -migrate-state to take the state along, or name the state: BUCKET/KEY, or --bucket and --key"
    )]
    Changed {
        /// The setting.
        name: String,
        /// ` to …, but init recorded …`; of a secret, that it is another.
        values: String,
        /// Where it is set.
        at: Place,
        /// Where it was recorded.
        recorded_at: Place,
    },
    /// A value that only OpenTofu knows, and `init` has not run.
    #[error(
        "{at}: {name} is computed, which OpenTofu alone takes, and there is no record of `tofu init` to tell its value; run that, \
         give --backend-config {name}=VALUE, or name the state: BUCKET/KEY, or --bucket and --key"
    )]
    Computed {
        /// The setting.
        name: String,
        /// Where.
        at: Place,
    },
    /// A value without which there is no address.
    #[error(
        "{at}: the backend block has no {name}, and init has recorded none; run `terraform init`, \
         give --backend-config {name}=VALUE (or the file that init is given), or name the state: BUCKET/KEY, or --bucket and --key"
    )]
    Missing {
        /// The setting.
        name: &'static str,
        /// Where the block is.
        at: Place,
    },
    /// An `access_key` without its `secret_key`, or the other way round.
    #[error(
        "{at}: a key has two halves, access_key and secret_key; Terraform goes no further with one of them"
    )]
    HalfKey {
        /// Where the half is.
        at: Place,
    },
    /// The workspace's name is none.
    #[error(
        "{at} names the workspace '{name}', which is no name for one (at most {WORKSPACE_BYTES_MAX} bytes, no slash, no blank)"
    )]
    Workspace {
        /// The name, made visible.
        name: String,
        /// The file or variable that has it.
        at: Place,
    },
    /// A workspace, where there is only one state.
    #[error(
        "{at}: backend \"http\" has no workspaces, but '{name}' is selected; `terraform workspace select default`, or unset TF_WORKSPACE"
    )]
    NoWorkspaces {
        /// The name, made visible.
        name: String,
        /// Where the block is.
        at: Place,
    },
    /// An address of `backend "http"` that is none of Tidelock's.
    #[error(
        "{at}: {url} is not of the form http://HOST:PORT/state/BUCKET/KEY; name the state: BUCKET/KEY, or --bucket and --key"
    )]
    NoStateUrl {
        /// The URL, without user and password.
        url: String,
        /// Where.
        at: Place,
    },
    /// Bucket and key do not make an address.
    #[error("{at}: {why}")]
    Address {
        /// Where the block is.
        at: Place,
        /// What is wrong with them.
        why: AddressError,
    },
    /// AWS's shared files cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

fn shown(dir: &Path) -> String {
    if dir == Path::new(".") {
        return "this directory".to_owned();
    }
    dir.display().to_string()
}
