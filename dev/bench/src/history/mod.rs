//! `just bench-history`: what it costs to keep every version of a state, and to read any of them.
//!
//! Over the service and the embedded engine in a temporary directory, without HTTP: what clients see besides is in the other
//! sections. Versions are made while they are written, so that the memory does not grow with their number.

mod reading;
mod section;
mod store;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Args;
use md5::{Digest as _, Md5};
use tidelock_testkit::States;

pub(crate) use self::section::HEADING;
use self::{
    reading::Readings,
    section::Section,
    store::{Occupied, Store},
};
use crate::{machine, page, progress};

/// The same states every time.
const SEED: u64 = 20_261_121;
/// zstd's own default, and ours.
const PLAIN_LEVEL: i32 = 3;
/// Turns in which writers are timed with the packer beside them and without, and the writes of a turn.
const TURNS: usize = 8;
const WRITES: usize = 8;
/// Versions that are packed at once at the end.
const BACKLOG: usize = 64;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many resources the states have; one measurement for each number.
    #[arg(long, value_delimiter = ',', default_value = "200,5000")]
    resources: Vec<usize>,
    /// How many versions are written.
    #[arg(long, default_value_t = 1000)]
    versions: usize,
    /// Rounds in which the versions are read.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// The page whose section is written.
    #[arg(long, default_value = "docs/reference/benchmarks.md")]
    report: PathBuf,
}

/// The history of one state.
pub(crate) struct Measured {
    resources: usize,
    versions: usize,
    /// Bytes of all versions.
    raw: u64,
    /// Bytes of all versions, each compressed by itself.
    plain: u64,
    occupied: Occupied,
    pace: Pace,
    readings: Readings,
    /// Load of the machine in the minute before.
    load: String,
}

/// How long things took, in milliseconds.
#[derive(Default)]
struct Pace {
    /// Writes with nothing beside them.
    alone: Vec<f64>,
    /// Writes while the packer runs.
    beside: Vec<f64>,
    /// Packing after every write: bytes of the states, and time.
    each: (u64, f64),
    /// Packing many at once.
    backlog: (u64, f64),
}

/// Measures, writes the section, and returns its bars and how many were missed.
pub(crate) fn measure(arguments: &Arguments) -> Result<(String, usize)> {
    let least = TURNS * WRITES + BACKLOG;
    ensure!(arguments.versions > least, "--versions must be more than {least}");
    let load = machine::load();
    let mut measured = Vec::new();
    for &resources in &arguments.resources {
        let one = history(resources, arguments);
        measured.push(one.with_context(|| format!("{resources} resources"))?);
    }
    let section = Section {
        machine: machine::describe(&[], &load)?,
        rounds: arguments.rounds,
        measured,
    };
    page::put_section(&arguments.report, HEADING, &section.text())
        .with_context(|| arguments.report.display().to_string())?;
    Ok((section.bars(), section.missed_bars()))
}

/// The versions of a state on their way into a store.
struct Writing {
    states: States,
    store: Store,
    raw: u64,
    plain: u64,
    /// Of each version, in order.
    digests: Vec<[u8; 16]>,
    pace: Pace,
}

impl Writing {
    /// The next state, counted in.
    fn next(&mut self) -> Result<Bytes> {
        self.states.apply();
        let bytes = self.states.document();
        self.raw += bytes.len() as u64;
        self.plain += zstd::bulk::compress(&bytes, PLAIN_LEVEL)?.len() as u64;
        self.digests.push(Md5::digest(&bytes).into());
        Ok(bytes.into())
    }

    /// Writes with the packer and without it in turn: the ones without go into a store of their own, so that nothing that is
    /// left to be packed is beside them either.
    fn in_turn(&mut self) -> Result<()> {
        let quiet = Store::open()?;
        for _ in 0..TURNS {
            let bytes: Vec<Bytes> = (0..WRITES).map(|_| self.next()).collect::<Result<_>>()?;
            for bytes in &bytes {
                self.pace.alone.push(quiet.write(bytes.clone())?);
            }
            let write = || {
                bytes
                    .iter()
                    .map(|bytes| self.store.write(bytes.clone()))
                    .collect()
            };
            let times: Vec<f64> = self.store.beside_the_packer(write)?;
            self.pace.beside.extend(times);
            self.store.pack()?;
        }
        Ok(())
    }

    fn one_by_one(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let bytes = self.next()?;
            self.pace.each.0 += bytes.len() as u64;
            self.store.write(bytes)?;
            self.pace.each.1 += self.store.pack()?;
            if self.digests.len().is_multiple_of(100) {
                progress(&format!("{} versions", self.digests.len()));
            }
        }
        Ok(())
    }

    fn at_once(&mut self) -> Result<()> {
        for _ in 0..BACKLOG {
            let bytes = self.next()?;
            self.pace.backlog.0 += bytes.len() as u64;
            self.store.write(bytes)?;
        }
        self.pace.backlog.1 = self.store.pack()?;
        Ok(())
    }
}

fn history(resources: usize, arguments: &Arguments) -> Result<Measured> {
    progress(&format!(
        "{} versions of a state of {resources} resources",
        arguments.versions
    ));
    let load = machine::load();
    let mut writing = Writing {
        states: States::new(SEED, resources),
        store: Store::open()?,
        raw: 0,
        plain: 0,
        digests: Vec::new(),
        pace: Pace::default(),
    };
    writing.in_turn()?;
    writing.one_by_one(arguments.versions - TURNS * WRITES - BACKLOG)?;
    writing.at_once()?;
    let occupied = writing.store.occupied(arguments.versions as u64)?;
    progress("reading every version, and comparing it with what was written");
    let readings = Readings::take(&writing.store, &writing.digests, arguments.rounds)?;
    Ok(Measured {
        resources,
        versions: arguments.versions,
        raw: writing.raw,
        plain: writing.plain,
        occupied,
        pace: writing.pace,
        readings,
        load,
    })
}
