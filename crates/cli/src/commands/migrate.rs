//! `tidelock migrate`: states, or the way they are locked, from one place to another.

mod lockfile;
mod stores;

use std::{io::Write, process::ExitCode};

use stores::Direction;

use crate::{
    args::{self, MigrateCommand},
    exit::Failure,
};

pub(crate) fn run(
    arguments: args::Migrate,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    match arguments.command {
        MigrateCommand::DynamodbToLockfile(arguments) => lockfile::run(arguments, out, err),
        MigrateCommand::To(arguments) => stores::run(arguments, Direction::To, out, err),
        MigrateCommand::From(arguments) => stores::run(arguments, Direction::From, out, err),
    }
}
