//! `tidelock`: arguments in, exit status out; what lies between is one module a command.

mod admin;
mod args;
mod ask;
mod audit_log;
mod backup_file;
mod commands;
mod config;
mod credentials;
mod data_dir;
mod dial;
mod duration;
mod endpoint;
mod exit;
mod fetch;
mod http;
mod linger;
mod log;
mod open_files;
mod pager;
mod progress;
mod root_key;
mod running;
mod server;
mod shell;
mod signals;
mod stock;
mod store;
mod target;
mod tls;
mod transport;
mod unread;
mod webhook;
mod world;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    args::{Arguments, Command},
    exit::Failure,
};

fn main() -> ExitCode {
    let Arguments { command } = args::parse();
    let failure = match run(command) {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    if !failure.is_closed_pipe() {
        // Where standard error is gone, the status still tells.
        let _ = writeln!(io::stderr(), "tidelock: {:#}", failure.error);
    }
    ExitCode::from(failure.status as u8)
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let (out, err) = (&mut anstream::stdout(), &mut anstream::stderr());
    match command {
        Command::Serve(arguments) => commands::serve::run(arguments, out),
        Command::Env(arguments) => commands::env::run(arguments, out, err),
        Command::Profile(arguments) => commands::profile::run(arguments, out),
        Command::Run(arguments) => return commands::run::run(arguments, err),
        Command::Bootstrap(arguments) => return commands::bootstrap::run(arguments, out, err),
        Command::Locks(arguments) => commands::locks::run(arguments, out, err),
        Command::Unlock(arguments) => commands::grip::unlock(arguments, out, err),
        Command::Watch(arguments) => return commands::watch::run(arguments, out, err),
        Command::Allow(arguments) => commands::grip::allow(arguments, out),
        Command::Freeze(arguments) => commands::grip::freeze(arguments, out),
        Command::Thaw(arguments) => commands::grip::thaw(arguments, out),
        Command::Rescue(arguments) => return commands::rescue::run(arguments, out, err),
        Command::Export(arguments) => commands::export::run(arguments, out),
        Command::Import(arguments) => commands::import::run(arguments, out),
        Command::Migrate(arguments) => return commands::migrate::run(arguments, out, err),
        Command::Clean(arguments) => commands::clean::run(arguments, out, err),
        Command::History(arguments) => commands::history::run(arguments, out, err),
        Command::Show(arguments) => commands::show::run(arguments, out, err),
        Command::Diff(arguments) => return commands::diff::run(arguments, out, err),
        Command::Rollback(arguments) => commands::rollback::run(arguments, out, err),
        Command::Blame(arguments) => commands::blame::run(arguments, out, err),
        Command::Find(arguments) => commands::find::run(arguments, out),
        Command::Gc(arguments) => commands::gc::run(arguments, out, err),
        Command::Users(arguments) => commands::iam::users(arguments, out),
        Command::Keys(arguments) => commands::iam::keys(arguments, out, err),
        Command::Roles(arguments) => commands::iam::roles(arguments, out),
        Command::Accounts(arguments) => commands::iam::accounts(arguments, out),
        Command::RootKey(arguments) => commands::root_key::run(arguments, out, err),
        Command::Backup(arguments) => commands::backup::run(arguments, out, err),
        Command::Restore(arguments) => commands::restore::run(arguments, out, err),
        Command::Verify(arguments) => return commands::verify::run(arguments, out),
        Command::Audit(arguments) => return commands::audit::run(arguments, out),
        Command::Explain(arguments) => commands::explain::explain(arguments, out),
        Command::WhoCan(arguments) => commands::explain::who_can(arguments, out),
        Command::Policy(arguments) => return commands::policy::run(&arguments, out, err),
        Command::Secrets(arguments) => return commands::secrets::run(&arguments, out, err),
        Command::Drift(arguments) => return commands::drift::run(arguments, out),
        Command::Doctor(arguments) => return commands::doctor::run(arguments, out, err),
        Command::Demo(arguments) => commands::demo::run(arguments, out),
    }?;
    Ok(ExitCode::SUCCESS)
}
