//! `just bench-queue`: how much of the time is lost when many wait for one lock, beside `moto_server` in the same run.
//!
//! What would be ideal is measured first, on the same server and through the same proxy: one apply with nobody beside it.

mod line;
mod proxy;
mod race;
mod section;
mod stalls;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

pub(crate) use self::section::HEADING;
use self::{
    line::{Exchange, Line},
    race::{Field, Race},
    section::Section,
};
use crate::{
    machine, page, progress,
    servers::{self, Peer, Server, Servers},
    stats::median,
};

/// Applies without company, beside the first one, which makes the state.
const ALONE: usize = 3;

/// Longer than one apply alone takes on any machine.
const ALONE_CAP: Duration = Duration::from_secs(60);

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many apply at once; one measurement for each number.
    #[arg(long, value_delimiter = ',', default_value = "8,32")]
    clients: Vec<usize>,
    /// Seconds after which a race is cut off and its time given as "at least"; the lock timeout of the clients is 600.
    #[arg(long, default_value_t = 600)]
    cap_seconds: u64,
    /// The page whose section is written.
    #[arg(long, default_value = "docs/reference/benchmarks.md")]
    report: PathBuf,
}

/// One apply with nobody beside it: medians, in seconds.
pub(crate) struct Alone {
    /// From the start of the process to its end.
    whole: f64,
    /// From the answer that granted the lock to the answer that released it.
    held: f64,
    /// Processor time.
    processor: f64,
}

impl Alone {
    /// What `clients` need at least, one after the other: nobody can overlap what is done under the lock, and all
    /// but the first and the last can overlap the rest.
    fn ideal(&self, clients: usize) -> f64 {
        self.beside_the_lock() + self.held * clients as f64
    }

    fn beside_the_lock(&self) -> f64 {
        self.whole - self.held
    }
}

/// One race at one server, and what would have been ideal there.
pub(crate) struct Measured {
    server: &'static str,
    clients: usize,
    alone: Alone,
    race: Race,
    line: Line,
    /// Load of the machine in the minute before.
    load: String,
}

impl Measured {
    /// What the race would take at best. Who failed held nothing up, and does not count.
    fn ideal(&self) -> f64 {
        let served = if self.race.cut_off {
            self.clients
        } else {
            self.line.holds().len()
        };
        self.alone.ideal(served)
    }

    /// Whole time over ideal serial time; a lower bound where the race was cut off.
    fn ratio(&self) -> f64 {
        self.race.whole() / self.ideal()
    }

    /// The same with the time each one held the lock in this very race: what is left is the queue's own.
    fn ratio_of_holds(&self) -> Option<f64> {
        let held: f64 = self.line.holds().iter().sum();
        (!self.race.cut_off).then(|| self.race.whole() / (self.alone.beside_the_lock() + held))
    }
}

/// Measures, writes the section, and returns its bars and how many were missed.
pub(crate) fn measure(arguments: &Arguments) -> Result<(String, usize)> {
    let load = machine::load();
    progress("starting tidelock and moto");
    let servers = Servers::start(&[Peer::Moto])?;
    let mut measured = Vec::new();
    for &clients in &arguments.clients {
        for server in &servers.all {
            let cap = Duration::from_secs(arguments.cap_seconds);
            let race = one_race(server, clients, cap);
            measured.push(race.with_context(|| format!("{clients} applies at {}", server.name))?);
        }
    }
    let mut machine = machine::describe(&servers.all, &load)?;
    machine.push(("terraform", machine::said("terraform", &["version"])));
    let section = Section { machine, measured };
    page::put_section(&arguments.report, HEADING, &section.text())
        .with_context(|| arguments.report.display().to_string())?;
    Ok((section.bars(), section.missed_bars()))
}

fn one_race(server: &Server, clients: usize, cap: Duration) -> Result<Measured> {
    ensure!(clients > 0, "no race without clients");
    progress(&format!(
        "{}: terraform init in {clients} directories, then one apply alone",
        server.name
    ));
    let mut field = Field::prepare(server, clients)?;
    let alone = alone(&mut field)?;
    let load = machine::load();
    progress(&format!(
        "{}: {clients} applies at once, ideally {:.1} s; one alone takes {:.2} s, {:.2} s of it under the lock",
        server.name,
        alone.ideal(clients),
        alone.whole,
        alone.held
    ));
    let race = field.race(clients, cap)?;
    keep_timeline(server.name, clients, &race.exchanges)?;
    let line = Line::of(&race.exchanges, &race.ended);
    let measured = Measured {
        server: server.name,
        clients,
        alone,
        race,
        line,
        load,
    };
    progress(&format!(
        "{}: {:.1} s, {:.2} times the ideal; {} of {clients} applied",
        server.name,
        measured.race.whole(),
        measured.ratio(),
        measured.race.applied
    ));
    Ok(measured)
}

/// The first apply makes the state and warms the server up; the others replace what is there, as every one of the race does.
fn alone(field: &mut Field<'_>) -> Result<Alone> {
    let (mut whole, mut held, mut processor) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..=ALONE {
        let race = field.race(1, ALONE_CAP)?;
        ensure!(
            race.applied == 1,
            "one apply alone does not succeed: {}",
            race.failures.join("; ")
        );
        if turn > 0 {
            whole.push(race.whole());
            processor.push(race.processor);
            held.extend(Line::of(&race.exchanges, &race.ended).holds());
        }
    }
    Ok(Alone {
        whole: median(&whole),
        held: median(&held),
        processor: median(&processor),
    })
}

/// Every exchange of the race as a line of comma-separated values, for whoever wants to know why.
fn keep_timeline(server: &str, clients: usize, exchanges: &[Exchange]) -> Result<()> {
    let dir = servers::root().join("target/bench");
    fs::create_dir_all(&dir)?;
    let lines: String = exchanges
        .iter()
        .map(|one| {
            let answered = one
                .answered
                .map_or_else(String::new, |answered| format!("{answered:.6}"));
            format!(
                "{},{:?},{:.6},{answered},{}\n",
                one.client, one.what, one.asked, one.status
            )
        })
        .collect();
    let text = format!("client,what,asked_s,answered_s,status\n{lines}");
    Ok(fs::write(
        dir.join(format!("queue-{server}-{clients}.csv")),
        text,
    )?)
}
