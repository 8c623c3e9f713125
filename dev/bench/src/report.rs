//! `docs/reference/benchmarks.md`: the numbers, what they were measured on, and whether they meet the bars.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;

use crate::{
    access, history,
    load::{LockCycles, Measured, Plan, States},
    memory::Memory,
    page, queue,
    release_build::ReleaseBuild,
    servers::Door,
    toolkit,
};

/// The cycles a lock costs on a busy team's server, against the emulator most people test with.
const LOCK_RATIO_MIN: f64 = 10.0;
const LOCK_RATIO_CLIENTS: usize = 64;
/// Small enough to run beside anything.
const IDLE_BYTES_MAX: u64 = 40_000_000;
/// The body, once more while it is packed, and room for the rest.
const PEAK_RATIO_MAX: f64 = 3.0;
/// What a contributor waits for at most.
const BUILD_SECONDS_MAX: f64 = 360.0;

const BUILD_HEADING: &str = "## Release build";

/// Everything one run measured.
pub(crate) struct Report {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) plan: Plan,
    pub(crate) locks: Vec<LockCycles>,
    pub(crate) states: Vec<States>,
    pub(crate) memory: Memory,
    pub(crate) release_build: Option<ReleaseBuild>,
}

/// A bar, what was measured against it, and whether it is met.
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// The table of what a run ran on.
pub(crate) fn fact_table(facts: &[(&'static str, String)]) -> String {
    let rows = facts
        .iter()
        .map(|(name, value)| format!("| {name} | {value} |\n"));
    rows.fold("| | |\n|---|---|\n".to_owned(), |table, row| table + &row)
}

/// The bars as a table.
pub(crate) fn bar_table(bars: &[Bar]) -> String {
    let mut text = String::from("| bar | measured | met |\n|---|---|---|\n");
    for Bar { what, measured, met } in bars {
        let _ = writeln!(
            text,
            "| {what} | {measured} | {} |",
            if *met { "yes" } else { "**no**" }
        );
    }
    text
}

impl Report {
    /// How many bars were not met.
    pub(crate) fn missed_bars(&self) -> usize {
        self.all_bars().iter().filter(|bar| !bar.met).count()
    }

    /// The table of the bars.
    pub(crate) fn bars(&self) -> String {
        bar_table(&self.all_bars())
    }

    /// Writes the page; what was not measured this time stays as it was.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let before = fs::read_to_string(path).unwrap_or_default();
        let kept = |heading| page::section(&before, heading).unwrap_or_default();
        let build = self.release_build.as_ref().map(|build| self.build_section(build));
        let parts = [
            self.introduction(),
            self.lock_section(),
            self.state_section(),
            self.memory_section(),
            build.unwrap_or_else(|| kept(BUILD_HEADING).to_owned()),
            kept(queue::HEADING).to_owned(),
            kept(history::HEADING).to_owned(),
            kept(access::HEADING).to_owned(),
            kept(toolkit::HEADING).to_owned(),
        ];
        page::write(path, &parts.each_ref().map(String::as_str))
    }

    fn all_bars(&self) -> Vec<Bar> {
        let mut bars: Vec<Bar> = self
            .locks
            .iter()
            .filter(|row| row.clients == LOCK_RATIO_CLIENTS)
            .filter_map(|row| Some((row, ratio(&row.servers, "moto")?)))
            .map(|(row, ratio)| Bar {
                what: format!(
                    "lock cycles of 64 clients, {} door: at least {LOCK_RATIO_MIN} times moto's",
                    door(row.door)
                ),
                measured: format!("{ratio:.1} times"),
                met: ratio >= LOCK_RATIO_MIN,
            })
            .collect();
        bars.push(Bar {
            what: format!(
                "memory of the idle server: at most {} MB",
                IDLE_BYTES_MAX / 1_000_000
            ),
            measured: megabytes(self.memory.idle),
            met: self.memory.idle <= IDLE_BYTES_MAX,
        });
        bars.push(Bar {
            what: format!("memory while it takes a 40 MB state: at most {PEAK_RATIO_MAX} times the body"),
            measured: format!("{:.2} times", self.memory.ratio()),
            met: self.memory.ratio() <= PEAK_RATIO_MAX,
        });
        bars.extend(self.release_build.as_ref().map(|build| Bar {
            what: format!("clean release build on two cores: at most {BUILD_SECONDS_MAX} s"),
            measured: format!("{:.0} s", build.seconds),
            met: build.seconds <= BUILD_SECONDS_MAX,
        }));
        bars
    }

    fn introduction(&self) -> String {
        let facts = fact_table(&self.machine);
        format!(
            "# Benchmarks\n\nWritten by `just bench`, save for the sections of `just bench-queue`, `just bench-history`,\n\
             `just bench-access` and `just bench-toolkit`; do not edit. One client program speaks to all servers over loopback and signs\n\
             every request; clients and servers share the processor. {} rounds, interleaved: in every round each measurement meets every\n\
             server in turn. Rates are medians of the rounds, latencies are over all rounds, ratios are ours over theirs.\n\
             Every server runs with its own defaults: Tidelock's answers mean \"on disk\" (one durable commit each for acquire,\n\
             release and state write), moto and dynalite keep everything in memory.\n\n{facts}\n## Bars\n\n{}",
            self.plan.rounds,
            self.bars()
        )
    }

    fn lock_section(&self) -> String {
        let mut text = format!(
            "## Lock cycles\n\nAcquire, read back, release: three requests. Every client has an address of its own. {} s a round.\n\n\
             | door | clients | server | cycles/s | p50 ms | p99 ms | ratio | failed |\n|---|---:|---|---:|---:|---:|---:|---:|\n",
            self.plan.seconds
        );
        for row in &self.locks {
            for server in &row.servers {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {:.0} | {:.2} | {:.2} | {} | {} |",
                    door(row.door),
                    row.clients,
                    server.server,
                    server.rate(),
                    server.latency(50.0),
                    server.latency(99.0),
                    shown_ratio(&row.servers, server),
                    server.failures
                );
            }
        }
        text
    }

    fn state_section(&self) -> String {
        let mut text = String::from(
            "## State write and read\n\nOne client; `PutObject` of a new state, then `GetObject` of it, compared byte for byte.\n\n\
             | state | operation | server | p50 ms | p99 ms | MB/s | ratio |\n|---|---|---|---:|---:|---:|---:|\n",
        );
        for row in &self.states {
            for server in &row.servers {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {:.2} | {:.2} | {:.0} | {} |",
                    row.size,
                    row.operation,
                    server.server,
                    server.latency(50.0),
                    server.latency(99.0),
                    server.rate() * row.bytes as f64 / 1e6,
                    shown_ratio(&row.servers, server)
                );
            }
        }
        text
    }

    fn memory_section(&self) -> String {
        let Memory {
            idle,
            put,
            multipart,
            body,
        } = self.memory;
        let peak = |bytes: u64| format!("{} | {:.2}", megabytes(bytes), bytes as f64 / body as f64);
        format!(
            "## Memory\n\nResident memory of the process, each on a freshly started server.\n\n| | | times the body |\n|---|---:|---:|\n\
             | idle (`VmRSS`) | {} | |\n| peak (`VmHWM`), {} state in one `PutObject` | {} |\n\
             | peak, the same in parts of 5 MiB, five at a time | {} |\n",
            megabytes(idle),
            megabytes(body),
            peak(put),
            peak(multipart)
        )
    }

    fn build_section(&self, build: &ReleaseBuild) -> String {
        let date = self.machine.first().map_or("", |(_, date)| date);
        let costly: String = build
            .costly
            .iter()
            .map(|(name, seconds)| format!("| {name} | {seconds:.1} |\n"))
            .collect();
        format!(
            "{BUILD_HEADING}\n\nFrom nothing, two jobs, sources at hand, {date}: **{:.0} s**, {} crates, a binary of {}.\n\
             The most costly crates, with their build scripts, in seconds of one job:\n\n| crate | s |\n|---|---:|\n{costly}",
            build.seconds,
            build.crates,
            megabytes(build.binary_bytes)
        )
    }
}

pub(crate) fn door(door: Door) -> &'static str {
    match door {
        Door::S3 => "s3",
        Door::DynamoDb => "dynamodb",
    }
}

/// Our rate over theirs.
fn ratio(servers: &[Measured], peer: &str) -> Option<f64> {
    let ours = servers.first()?;
    let theirs = servers.iter().find(|server| server.server == peer)?;
    Some(ours.rate() / theirs.rate())
}

fn shown_ratio(servers: &[Measured], server: &Measured) -> String {
    match servers.first() {
        Some(ours) if ours.server != server.server => {
            ratio(servers, server.server).map_or_else(String::new, |ratio| format!("{ratio:.1}"))
        }
        _ => String::new(),
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
