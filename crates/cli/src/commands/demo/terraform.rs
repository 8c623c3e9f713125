//! The Terraform or OpenTofu of this machine, run in an environment of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use anyhow::Context;
use tokio::process::Command;

use crate::{
    commands::env::REGION,
    exit::{Failure, Status},
    server::Server,
    shell,
};

const MISSING: &str = "\
neither `terraform` nor `tofu` is on PATH, and the demo races two of them. Install one:

  Terraform  https://developer.hashicorp.com/terraform/install
  OpenTofu   https://opentofu.org/docs/intro/install

or name it with --terraform PATH";

/// The first version that locks with a file in the bucket, in Terraform and in OpenTofu.
const OLDEST: (u32, u32) = (1, 10);

/// A program that speaks Terraform.
pub(crate) struct Terraform {
    program: PathBuf,
    /// Such as `Terraform v1.11.4`.
    pub(crate) version: String,
    home: PathBuf,
}

/// How one run ended, with all it said.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
}

impl Terraform {
    /// The program given, or the one on PATH, provided it is new enough. Runs with `home` as its home directory.
    pub(crate) async fn find(given: Option<PathBuf>, home: &Path) -> Result<Self, Failure> {
        let found = shell::terraform(given)?;
        let program = found.ok_or_else(|| Failure::new(Status::NoTerraform, MISSING))?;
        // Whatever the user has configured must neither change the demo nor be changed by it.
        fs::write(home.join("terraform.rc"), "")?;
        let mut terraform = Self {
            program,
            version: String::new(),
            home: home.to_owned(),
        };
        let ran = terraform.run(home, &[], &["version"]).await;
        let ran = ran.map_err(|failure| Failure {
            status: Status::NoTerraform,
            ..failure
        })?;
        terraform.version = ran.said.lines().next().unwrap_or_default().trim().to_owned();
        match number(&terraform.version) {
            Some(version) if version >= OLDEST => Ok(terraform),
            _ => Err(Failure::new(
                Status::NoTerraform,
                format!(
                    "{} says it is '{}'; the demo needs 1.10 or newer",
                    terraform.program.display(),
                    terraform.version
                ),
            )),
        }
    }

    /// Runs it in `directory` with `variables`, until it ends; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        directory: &Path,
        variables: &[(&str, &str)],
        words: &[&str],
    ) -> Result<Ran, Failure> {
        let output = Command::new(&self.program)
            .args(words)
            .current_dir(directory)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("TF_CLI_CONFIG_FILE", self.home.join("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let said = [output.stdout, output.stderr]
            .map(|said| String::from_utf8_lossy(&said).into_owned())
            .concat();
        Ok(Ran {
            status: output.status,
            said,
        })
    }
}

/// The variables that `tidelock env` would print for this server.
pub(crate) fn variables(server: &Server) -> [(&'static str, String); 4] {
    let credentials = server.credentials();
    [
        ("AWS_ENDPOINT_URL", server.endpoint().url.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.to_string()),
        ("AWS_REGION", REGION.to_owned()),
    ]
}

/// Major and minor of `Terraform v1.11.4`.
fn number(version: &str) -> Option<(u32, u32)> {
    let (_, number) = version.split_once(" v")?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_say_their_version_alike() {
        assert_eq!(number("Terraform v1.11.4"), Some((1, 11)));
        assert_eq!(number("OpenTofu v1.10.0-beta1"), Some((1, 10)));
        assert_eq!(number("usage: terraform"), None);
    }
}
