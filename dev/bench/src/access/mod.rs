//! `just bench-access`: what it costs that every request is judged by policies and leaves an entry in the audit log.
//!
//! The operator, a user of IAM and a session of a role do the same work on one server, in turns; an older build does it
//! beside them where one is given. The processor time of the server is counted too: it says more than a rate does on a
//! machine where others work.

mod section;
mod users;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Args;
use tidelock_testkit::TestServer;

pub(crate) use self::section::HEADING;
use self::section::Section;
use crate::{
    load::{Measured, cycle, write_and_read},
    machine, page, progress,
    servers::{self, Door, Server},
    work::state,
};

/// One client shows what a request costs by itself, many show what all of them share.
const CLIENTS: [usize; 2] = [1, 64];
/// A state, and how often it is written and read in a round.
const STATE_BYTES: usize = 1_000_000;
const STATES: usize = 15;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// An older build to measure beside this one, as the operator.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Rounds of every measurement.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of every measurement of lock cycles in every round, after half a second of warm-up.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// The page whose section is written.
    #[arg(long, default_value = "docs/reference/benchmarks.md")]
    report: PathBuf,
}

/// Somebody who works, and the process that answers.
struct Contestant {
    server: Server,
    pid: u32,
}

/// What all contestants did in one kind of measurement.
struct Row {
    door: Door,
    what: &'static str,
    clients: usize,
    contestants: Vec<Cost>,
}

/// What one of them did.
struct Cost {
    measured: Measured,
    /// Processor time of the server for each operation, in microseconds, one value a round.
    processor_us: Vec<f64>,
}

/// What a build costs that nobody asks for anything.
struct Idle {
    build: &'static str,
    /// `VmRSS` of a fresh server that nobody has spoken to.
    bytes: u64,
    /// Milliseconds of starts on an empty directory, and on one that was used.
    first: Vec<f64>,
    again: Vec<f64>,
}

/// Measures, writes the section, and returns its bars, of which there are none.
pub(crate) fn measure(arguments: &Arguments) -> Result<(String, usize)> {
    let load = machine::load();
    let ours = std::env::current_exe()?.with_file_name("tidelock");
    let older = arguments.before.iter().map(|binary| ("before", binary));
    let builds: Vec<_> = older.chain([("now", &ours)]).collect();
    let idle = idle(&builds, arguments.rounds)?;
    let before = arguments
        .before
        .as_ref()
        .map(|binary| servers::start(binary))
        .transpose()?;
    let now = servers::start(&ours)?;
    let contestants = contestants(before.as_ref(), &now)?;
    let rows = rows(&contestants, arguments)?;
    let section = Section {
        machine: machine::describe(&[], &load)?,
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        older: arguments.before.as_ref().map(|binary| {
            machine::said(
                &binary.canonicalize().unwrap_or_default().to_string_lossy(),
                &["--version"],
            )
        }),
        rows,
        idle,
    };
    page::put_section(&arguments.report, HEADING, &section.text())
        .with_context(|| arguments.report.display().to_string())?;
    Ok((section.text(), 0))
}

fn contestants(before: Option<&TestServer>, now: &TestServer) -> Result<Vec<Contestant>> {
    let operator = |name, server: &TestServer| Contestant {
        server: Server::ours(name, server, server.credentials(), None),
        pid: server.pid(),
    };
    let mut all: Vec<Contestant> = before
        .into_iter()
        .map(|server| operator("before", server))
        .collect();
    all.push(operator("operator", now));
    let user = users::user(now)?;
    let (session, token) = users::session(now, &user)?;
    for (name, credentials, token) in [("user", user, None), ("session", session, Some(token))] {
        all.push(Contestant {
            server: Server::ours(name, now, &credentials, token),
            pid: now.pid(),
        });
    }
    Ok(all)
}

fn rows(contestants: &[Contestant], arguments: &Arguments) -> Result<Vec<Row>> {
    let row = |door, what, clients| Row {
        door,
        what,
        clients,
        contestants: contestants.iter().map(Cost::new).collect(),
    };
    let mut locks: Vec<Row> = Vec::new();
    for door in [Door::S3, Door::DynamoDb] {
        locks.extend(CLIENTS.map(|clients| row(door, "lock cycle", clients)));
    }
    let mut write = row(Door::S3, "write of 1 MB", 1);
    let mut read = row(Door::S3, "read of 1 MB", 1);
    for round in 0..arguments.rounds {
        progress(&format!("round {}", round + 1));
        // Each round begins with another one, so that none is always the first after a pause.
        let turns = (0..contestants.len()).map(|turn| (round + turn) % contestants.len());
        for row in &mut locks {
            for index in turns.clone() {
                let (one, cost) = (&contestants[index], &mut row.contestants[index]);
                let time = Duration::from_secs(arguments.seconds);
                let begun = machine::processor_of(one.pid)?;
                let cycles = cycle(&one.server, row.door, row.clients, time, &mut cost.measured)
                    .with_context(|| format!("{} at {:?}", one.server.name, row.door))?;
                cost.used(machine::processor_of(one.pid)? - begun, cycles);
            }
        }
        let bodies: Vec<String> = (0..=STATES)
            .map(|step| state(STATE_BYTES, (round * (STATES + 1) + step + 1) as u64))
            .collect();
        for index in turns {
            let worker = contestants[index].server.worker(Door::S3, 1_000 + index as u64);
            let (writes, reads) = write_and_read(worker, &bodies)?;
            for (row, times) in [(&mut write, writes), (&mut read, reads)] {
                let seconds = times.iter().sum::<f64>() / 1e3;
                row.contestants[index].measured.add(seconds, times);
            }
        }
    }
    locks.extend([write, read]);
    Ok(locks)
}

impl Cost {
    fn new(contestant: &Contestant) -> Self {
        Self {
            measured: Measured::new(&contestant.server),
            processor_us: Vec::new(),
        }
    }

    fn used(&mut self, seconds: f64, operations: usize) {
        self.processor_us.push(seconds * 1e6 / operations.max(1) as f64);
    }
}

fn idle(builds: &[(&'static str, &PathBuf)], rounds: usize) -> Result<Vec<Idle>> {
    progress("starts, and memory of idle servers");
    let mut all: Vec<Idle> = Vec::new();
    for (build, binary) in builds {
        let server = servers::start(binary)?;
        std::thread::sleep(Duration::from_secs(2));
        all.push(Idle {
            build,
            bytes: server.memory().resident,
            first: Vec::new(),
            again: Vec::new(),
        });
    }
    for _ in 0..rounds {
        for (idle, (_, binary)) in all.iter_mut().zip(builds) {
            let begun = Instant::now();
            let mut server = servers::start(binary)?;
            idle.first.push(begun.elapsed().as_secs_f64() * 1e3);
            server.kill9();
            let begun = Instant::now();
            server.restart_elsewhere();
            idle.again.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(all)
}
