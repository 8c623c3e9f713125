//! An environment in which a client sees nothing of the machine it runs on but `PATH`.
//!
//! A developer's `AWS_PROFILE`, `~/.aws/config` or plugin cache would make a test pass or fail for the wrong reason.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use tempfile::TempDir;

/// A temporary directory that is home, temporary space and workplace of every command made from it.
#[derive(Debug)]
pub struct Hermetic {
    dir: TempDir,
}

impl Default for Hermetic {
    fn default() -> Self {
        Self::new()
    }
}

impl Hermetic {
    /// Makes the directory with an empty home and an empty Terraform CLI configuration.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tidelock-e2e-")
            .tempdir()
            .expect("a temporary directory");
        for sub in ["home", "tmp", "work"] {
            std::fs::create_dir(dir.path().join(sub)).expect("a new directory takes entries");
        }
        std::fs::write(dir.path().join("terraformrc"), "").expect("a new directory takes entries");
        Self { dir }
    }

    /// Gives Terraform this CLI configuration, with the places where it finds providers, say.
    pub fn configure_terraform(&self, text: &str) {
        std::fs::write(self.dir.path().join("terraformrc"), text).expect("a directory of ours takes files");
    }

    /// A directory of this name to work in, made if it is not there yet.
    #[must_use]
    pub fn workdir(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join("work").join(name);
        std::fs::create_dir_all(&path).expect("a new directory takes entries");
        path
    }

    /// The home directory the commands see.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A command with nothing in its environment that a test did not put there.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>, workdir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("LANG", "C.UTF-8")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("TF_CLI_CONFIG_FILE", self.dir.path().join("terraformrc"))
            .current_dir(workdir);
        command
    }
}

/// What a finished command left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it was called, for messages.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Runs the command to its end and keeps all it says.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        let shown = format!("{command:?}")
            .split(" \"")
            .skip(1)
            .collect::<Vec<_>>()
            .join(" \"");
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", command.get_program()));
        Self {
            command: shown,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, if this was the exit status.
    ///
    /// # Panics
    /// With all it said, if it was another.
    pub fn with_status(self, status: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(status),
            "{}: {}",
            self.command,
            self.text()
        );
        self
    }

    /// Both streams in one text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Both streams as they read without the colours, frames and line breaks that Terraform puts into its messages.
    #[must_use]
    pub fn flowing(&self) -> String {
        let text = self.text();
        let mut pieces = text.split("\u{1b}[");
        let mut plain = pieces.next().unwrap_or_default().to_owned();
        plain.extend(
            pieces
                .filter_map(|piece| piece.split_once('m'))
                .map(|(_, rest)| rest),
        );
        let words = plain.split(|c: char| c.is_whitespace() || "│╷╵".contains(c));
        words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The output of a command that must have succeeded.
    #[must_use = "a test that looks at nothing tests little; say `let _` where success is all there is to see"]
    pub fn succeeded(self) -> Self {
        assert!(
            self.status.success(),
            "{} failed ({}):\n{}",
            self.command,
            self.status,
            self.text()
        );
        self
    }

    /// The output of a command that must have failed.
    #[must_use]
    pub fn failed(self) -> Self {
        assert!(
            !self.status.success(),
            "{} succeeded and must not:\n{}",
            self.command,
            self.text()
        );
        self
    }
}
