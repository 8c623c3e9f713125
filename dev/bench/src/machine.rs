//! What the numbers were measured on, and with.

use std::{fs, io::Write as _, os::unix::fs::FileExt as _, process::Command, time::Instant};

use anyhow::{Context, Result};

use crate::{
    servers::{self, Server},
    stats::percentile,
};

/// Syncs that are timed to tell how fast the disk is.
const SYNCS: usize = 200;

/// The kernel states times of processes in this unit on every machine (`USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

/// What else keeps the machine busy, as the kernel's average of the last minute: to be asked for before the run.
pub(crate) fn load() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Names and values, in the order of the report.
pub(crate) fn describe(servers: &[Server], load: &str) -> Result<Vec<(&'static str, String)>> {
    let (p50, p99) = sync_times()?;
    let peers = servers
        .iter()
        .map(|server| server.name)
        .filter(|name| *name != "tidelock");
    let versions: Vec<String> = peers.map(peer_version).collect();
    let mut facts = vec![
        (
            "date",
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        (
            "tidelock",
            format!(
                "{}, commit {}",
                env!("CARGO_PKG_VERSION"),
                said("git", &["rev-parse", "--short", "HEAD"])
            ),
        ),
        ("peers", versions.join("; ")),
        ("compiler", said("rustc", &["--version"])),
        (
            "processor",
            format!("{} cores, {}", cores(), field("/proc/cpuinfo", "model name")),
        ),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", said("uname", &["-sr"])),
        ("other work", format!("load of {load} in the minute before")),
        (
            "disk",
            format!(
                "{}; a 4 KB write with fdatasync takes {p50:.2} ms (p50), {p99:.2} ms (p99)",
                file_system()
            ),
        ),
    ];
    facts.retain(|(_, fact)| !fact.is_empty());
    Ok(facts)
}

/// How many cores there are for all that runs.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// Processor time of all children that have ended and been waited for, and of theirs, in seconds (proc(5), `cutime` and `cstime`).
pub(crate) fn processor_of_children() -> Result<f64> {
    seconds_in("/proc/self/stat", 13)
}

/// Processor time of a process, in seconds (proc(5), `utime` and `stime`).
pub(crate) fn processor_of(pid: u32) -> Result<f64> {
    seconds_in(&format!("/proc/{pid}/stat"), 11)
}

/// The sum of this field behind the name of the program and the next one.
fn seconds_in(path: &str, place: usize) -> Result<f64> {
    let stat = fs::read_to_string(path)?;
    // The name of the program stands in parentheses, and may have spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |place: usize| -> Result<f64> { Ok(fields.get(place).context("a short stat")?.parse()?) };
    Ok((ticks(place)? + ticks(place + 1)?) / TICKS_A_SECOND)
}

/// What the kernel has counted of all cores together, in ticks.
pub(crate) struct Cores {
    busy: f64,
    all: f64,
}

impl Cores {
    /// Up to now.
    pub(crate) fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = first
            .split_whitespace()
            .skip(1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
        let all: f64 = ticks.iter().take(8).sum();
        let idle: f64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self {
            busy: all - idle,
            all,
        })
    }

    /// The share that was busy since then, from 0 to 1.
    pub(crate) fn busy_since(&self) -> Result<f64> {
        let now = Self::now()?;
        Ok((now.busy - self.busy) / (now.all - self.all).max(1.0))
    }
}

fn peer_version(name: &str) -> String {
    let root = servers::root();
    if name == "moto" {
        let python = root.join(".venv/bin/python");
        let script = "import moto, sys; print('moto', moto.__version__, 'on Python', sys.version.split()[0])";
        return said(&python.to_string_lossy(), &["-c", script]);
    }
    let package =
        fs::read_to_string(root.join("target/bench/node_modules/dynalite/package.json")).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&package).unwrap_or_default();
    let version = package["version"].as_str().unwrap_or("of an unknown version");
    format!("{name} {version} on Node.js {}", said("node", &["--version"]))
}

/// Where the temporary directories of the servers are.
fn file_system() -> String {
    let dir = std::env::temp_dir();
    said("stat", &["--file-system", "--format=%T", &dir.to_string_lossy()])
}

/// What one durable commit costs at least.
fn sync_times() -> Result<(f64, f64)> {
    let mut file = tempfile::tempfile().context("a temporary file")?;
    let block = [7; 4096];
    file.write_all(&vec![0; block.len() * SYNCS])?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(SYNCS);
    for number in 0..SYNCS {
        let begun = Instant::now();
        file.write_all_at(&block, (number * block.len()) as u64)?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok((percentile(&times, 50.0), percentile(&times, 99.0)))
}

/// The value of `name: value` or `name : value` in a file of the kernel's.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .and_then(|line| line.split_once(':'));
    line.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// The first line a command prints, for facts that are good to have and no reason to fail.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(servers::root())
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
