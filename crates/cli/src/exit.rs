//! Exit statuses: a script can tell what went wrong without reading the message.

use std::{fmt::Display, io};

/// As `tidelock --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Failed = 1,
    Usage = 2,
    DataDirectory = 3,
    NotRunning = 4,
    NotOurs = 5,
    NoTerraform = 6,
    Refused = 7,
    /// Of `tidelock run` alone, and shells' own: the command cannot be run.
    CannotRun = 126,
    /// The same: there is no such command.
    NoCommand = 127,
}

/// How a command ends when it does not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    /// Who, what, and what to do next; may span lines.
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Display) -> Self {
        Self {
            status,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Whether standard output was closed by its reader, which is no fault worth a message.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        let fault = self.error.downcast_ref::<io::Error>();
        fault.is_some_and(|fault| fault.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            status: Status::Failed,
            error,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            status: Status::Failed,
            error: error.into(),
        }
    }
}
