//! `just bench`: what a lock cycle, a state and the server itself cost, beside moto and dynalite in the same run;
//! `just bench-queue`: what waiting for one lock costs; `just bench-history`: what keeping every version costs;
//! `just bench-access`: what policies and the audit log cost; `just bench-toolkit`: the operator's commands on a large bucket.
//!
//! One client for all servers, each server with its own defaults, rounds interleaved so that a slow minute of the
//! machine meets them all; ratios come from the medians of the rounds. Ours is the only one that keeps anything on disk.

mod access;
mod history;
mod load;
mod machine;
mod memory;
mod page;
mod queue;
mod release_build;
mod report;
mod servers;
mod stats;
mod toolkit;
mod work;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{
    load::Plan,
    report::Report,
    servers::{Peer, Servers},
};

/// Measure the server and write docs/reference/benchmarks.md.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Rounds of every measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of every measurement of lock cycles in every round, after half a second of warm-up.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Also build the release from nothing, which takes minutes; without it the last result stays in the report.
    #[arg(long)]
    build: bool,
    /// Where the report goes.
    #[arg(long, default_value = "docs/reference/benchmarks.md")]
    report: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Measure applies that wait for each other instead, and write that section of the page.
    ///
    /// Example: tidelock-bench queue --clients 8
    Queue(queue::Arguments),
    /// Measure what it costs to keep every version of a state instead, and write that section of the page.
    ///
    /// Example: tidelock-bench history --resources 200 --versions 100
    History(history::Arguments),
    /// Measure what policies and the audit log cost instead, and write that section of the page.
    ///
    /// Example: tidelock-bench access --before ../older/target/release/tidelock
    Access(access::Arguments),
    /// Measure the operator's commands on a large bucket instead, and write that section of the page.
    ///
    /// Example: tidelock-bench toolkit --states 1000 --versions 10000
    Toolkit(toolkit::Arguments),
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the progress and the outcome of a command"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Queue(arguments)) => queue::measure(arguments),
        Some(Command::History(arguments)) => history::measure(arguments),
        Some(Command::Access(arguments)) => access::measure(arguments),
        Some(Command::Toolkit(arguments)) => toolkit::measure(arguments),
        None => measure(&arguments),
    };
    match outcome {
        Ok((bars, missed)) => {
            println!("{bars}");
            ExitCode::from(u8::from(missed > 0))
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, writes the page, and returns its bars and how many were missed.
fn measure(arguments: &Arguments) -> Result<(String, usize)> {
    let load = machine::load();
    let release_build = arguments.build.then(release_build::measure).transpose()?;
    let memory = memory::measure()?;
    progress("starting tidelock, moto and dynalite");
    let servers = Servers::start(&[Peer::Moto, Peer::Dynalite])?;
    let plan = Plan {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
    };
    let locks = load::lock_cycles(&servers, &plan)?;
    let states = load::states(&servers, &plan)?;
    let machine = machine::describe(&servers.all, &load)?;
    let report = Report {
        machine,
        plan,
        locks,
        states,
        memory,
        release_build,
    };
    report
        .write(&arguments.report)
        .with_context(|| arguments.report.display().to_string())?;
    Ok((report.bars(), report.missed_bars()))
}

/// Says what is being measured, for whoever waits.
#[allow(clippy::print_stderr, reason = "progress of a command that takes minutes")]
fn progress(text: &str) {
    eprintln!("bench: {text}");
}
