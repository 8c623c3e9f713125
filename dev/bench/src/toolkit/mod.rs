//! `just bench-toolkit`: how soon and with how much memory the operator's commands answer on a large bucket.
//!
//! One server with many states and versions, and one with a hundredth of them: what a command needs must not grow with the
//! bucket, and its first line must not wait for the last.

mod fill;
mod section;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tidelock_testkit::{BUCKET, REGION, TABLE, TestServer};

pub(crate) use self::section::HEADING;
use self::{fill::Size, section::Section};
use crate::{machine, page, progress, servers, stats::median};

/// How often the memory of a command is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The smaller bucket has this part of everything.
const SMALLER: usize = 100;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// States in the large bucket.
    #[arg(long, default_value_t = 10_000)]
    states: usize,
    /// Versions in all.
    #[arg(long, default_value_t = 100_000)]
    versions: usize,
    /// States that are locked, half of them by a file and half by the table.
    #[arg(long, default_value_t = 1_000)]
    locks: usize,
    /// Rounds of every measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The page whose section is written.
    #[arg(long, default_value = "docs/reference/benchmarks.md")]
    report: PathBuf,
}

/// One command on both buckets.
struct Row {
    command: &'static str,
    small: Run,
    large: Run,
}

/// What a command did, one value a round.
#[derive(Default)]
struct Run {
    /// Milliseconds from its start to its first line.
    first: Vec<f64>,
    /// Milliseconds to its end.
    whole: Vec<f64>,
    /// The most resident memory that was seen, in bytes.
    peak: Vec<f64>,
    lines: usize,
}

/// The commands, as they are typed behind `tidelock`, with what names the bucket added.
const COMMANDS: [&str; 3] = ["locks", "history --key long.tfstate", "doctor"];

/// Measures, writes the section, and returns its bars.
pub(crate) fn measure(arguments: &Arguments) -> Result<(String, usize)> {
    let load = machine::load();
    let ours = std::env::current_exe()?.with_file_name("tidelock");
    let large = Size {
        states: arguments.states,
        versions: arguments.versions,
        locks: arguments.locks,
    };
    let mut servers = Vec::new();
    for size in [large.part(SMALLER), large] {
        progress(&format!("{} states, {} versions", size.states, size.versions));
        let server = servers::start(&ours)?;
        fill::fill(&server, size)?;
        servers.push(server);
    }
    let mut rows: Vec<Row> = COMMANDS.map(Row::new).into();
    for round in 0..arguments.rounds {
        progress(&format!("round {}", round + 1));
        for row in &mut rows {
            row.small.once(&ours, &servers[0], row.command)?;
            row.large.once(&ours, &servers[1], row.command)?;
        }
    }
    let section = Section {
        machine: machine::describe(&[], &load)?,
        rounds: arguments.rounds,
        small: large.part(SMALLER),
        large,
        rows,
    };
    page::put_section(&arguments.report, HEADING, &section.text())
        .with_context(|| arguments.report.display().to_string())?;
    Ok((section.bars(), section.missed_bars()))
}

impl Row {
    fn new(command: &'static str) -> Row {
        let (small, large) = (Run::default(), Run::default());
        Row {
            command,
            small,
            large,
        }
    }
}

impl Run {
    /// Runs it once more, to its end.
    fn once(&mut self, binary: &Path, server: &TestServer, command: &str) -> Result<()> {
        let home = tempfile::tempdir()?;
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(command.split(' '))
            .args([
                "--bucket",
                BUCKET,
                "--table",
                TABLE,
                "--endpoint",
                server.endpoint(),
            ])
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &server.credentials().access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &server.credentials().secret_access_key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut errors = child.stderr.take().context("it was asked for")?;
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let memory = thread::spawn(move || peak_of(&status));
        let (mut first, mut lines) = (None, 0);
        for line in BufReader::new(child.stdout.take().context("it was asked for")?).split(b'\n') {
            line?;
            first.get_or_insert_with(|| begun.elapsed());
            lines += 1;
        }
        let code = child.wait()?.code();
        let whole = begun.elapsed();
        let text = errors.join().unwrap_or_default();
        // The findings of some are a status of 1.
        ensure!(
            matches!(code, Some(0 | 1)),
            "tidelock {command} ended with {code:?}: {text}"
        );
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        self.first.push(ms(first.unwrap_or(whole)));
        self.whole.push(ms(whole));
        self.peak.push(memory.join().unwrap_or_default() as f64);
        self.lines = lines;
        Ok(())
    }

    fn median(&self, values: fn(&Run) -> &Vec<f64>) -> f64 {
        median(values(self))
    }
}

/// The most resident memory of a process, in bytes, as the kernel counts it until the process is gone.
fn peak_of(status: &Path) -> u64 {
    let mut peak = 0;
    while let Ok(text) = fs::read_to_string(status) {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else { break };
        let kilobytes = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        peak = peak.max(kilobytes * 1_024_u64);
        thread::sleep(LOOK);
    }
    peak
}
