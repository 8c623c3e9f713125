//! `tidelock`: arguments in, exit status out; what lies between is one module a command.

mod args;
mod commands;
mod config;
mod credentials;
mod data_dir;
mod exit;
mod http;
mod linger;
mod log;

mod running;
mod server;
mod shell;
mod signals;
mod unread;
mod world;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::{
    args::{Arguments, Command},
    exit::Failure,
};

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let Err(failure) = run(command) else {
        return ExitCode::SUCCESS;
    };
    if !failure.is_closed_pipe() {
        // Where standard error is gone, the status still tells.
        let _ = writeln!(io::stderr(), "tidelock: {:#}", failure.error);
    }
    ExitCode::from(failure.status as u8)
}

fn run(command: Command) -> Result<(), Failure> {
    let (out, err) = (&mut anstream::stdout(), &mut anstream::stderr());
    match command {
        Command::Serve(arguments) => commands::serve::run(arguments, out),
        Command::Env(arguments) => commands::env::run(arguments, out, err),
        Command::Profile(arguments) => commands::profile::run(arguments, out),
        Command::Demo(arguments) => commands::demo::run(arguments, out),
    }
}
