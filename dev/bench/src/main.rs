//! `just bench`: what a lock cycle, a state and the server itself cost, beside moto and dynalite in the same run.
//!
//! One client for all servers, each server with its own defaults, rounds interleaved so that a slow minute of the
//! machine meets them all; ratios come from the medians of the rounds. Ours is the only one that keeps anything on disk.

mod load;
mod machine;
mod memory;
mod release_build;
mod report;
mod servers;
mod stats;
mod work;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use crate::{load::Plan, report::Report, servers::Servers};

/// Measure the server and write docs/reference/benchmarks.md.
#[derive(Parser)]
struct Arguments {
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

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the progress and the outcome of a command"
)]
fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(report) => {
            let missed = report.missed_bars();
            println!("{}", report.bars());
            ExitCode::from(u8::from(missed > 0))
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Report> {
    let load = machine::load();
    let release_build = arguments.build.then(release_build::measure).transpose()?;
    let memory = memory::measure()?;
    let servers = Servers::start()?;
    let plan = Plan {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
    };
    let locks = load::lock_cycles(&servers, &plan)?;
    let states = load::states(&servers, &plan)?;
    let machine = machine::describe(&servers, &load)?;
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
    Ok(report)
}

/// Says what is being measured, for whoever waits.
#[allow(clippy::print_stderr, reason = "progress of a command that takes minutes")]
fn progress(text: &str) {
    eprintln!("bench: {text}");
}
