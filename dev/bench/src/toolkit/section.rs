//! The section `The toolkit on a large bucket` of the page.

use std::fmt::Write as _;

use super::{Row, fill::Size};
use crate::report::{fact_table, megabytes};

pub(crate) const HEADING: &str = "## The toolkit on a large bucket";

/// By when the first line of an answer is there, in milliseconds.
const FIRST_MS: f64 = 1_000.0;

/// Memory counts as flat when a hundred times as much in the bucket takes at most this many times as much of it.
const FLAT: f64 = 1.5;

/// Everything one run measured.
pub(crate) struct Section {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) rounds: usize,
    pub(crate) small: Size,
    pub(crate) large: Size,
    pub(crate) rows: Vec<Row>,
}

impl Section {
    /// The section, heading and all.
    pub(crate) fn text(&self) -> String {
        [self.introduction(), self.bars(), self.table()].join("\n")
    }

    /// What is demanded, and whether it holds.
    pub(crate) fn bars(&self) -> String {
        let mut text = String::from("| bar | measured | met |\n|---|---|---|\n");
        for (bar, measured, met) in self.judged() {
            let _ = writeln!(
                text,
                "| {bar} | {measured} | {} |",
                if met { "yes" } else { "no" }
            );
        }
        text
    }

    /// How many do not hold.
    pub(crate) fn missed_bars(&self) -> usize {
        self.judged().iter().filter(|(_, _, met)| !met).count()
    }

    fn judged(&self) -> Vec<(String, String, bool)> {
        let bars = self.rows.iter().flat_map(|row| {
            let first = row.large.median(|run| &run.first);
            let grown = row.large.median(|run| &run.peak) / row.small.median(|run| &run.peak).max(1.0);
            [
                (
                    format!("`{}`: first line within a second", row.command),
                    format!("{first:.0} ms"),
                    first <= FIRST_MS,
                ),
                (
                    format!("`{}`: memory does not grow with the bucket", row.command),
                    format!("{grown:.2} times"),
                    grown <= FLAT,
                ),
            ]
        });
        bars.collect()
    }

    fn introduction(&self) -> String {
        let (small, large) = (self.small, self.large);
        let facts = fact_table(&self.machine);
        format!(
            "{HEADING}\n\nWritten by `just bench-toolkit`. The commands on stock S3 and DynamoDB (`--bucket`, `--table`, `--endpoint`) against a local\n\
             server: a bucket with {} states, {} versions and {} locks, and one with {}, {} and {}. One state has {} of the versions.\n\
             Medians of {} rounds; memory is the most that the process had at once (`VmHWM`).\n\n{facts}",
            large.states,
            large.versions,
            large.locks,
            small.states,
            small.versions,
            small.locks,
            large.long(),
            self.rounds
        )
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "| command | bucket | first line ms | whole ms | lines | memory |\n|---|---|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            for (name, run) in [("small", &row.small), ("large", &row.large)] {
                let _ = writeln!(
                    text,
                    "| `{}` | {name} | {:.0} | {:.0} | {} | {} |",
                    row.command,
                    run.median(|run| &run.first),
                    run.median(|run| &run.whole),
                    run.lines,
                    megabytes(run.median(|run| &run.peak) as u64),
                );
            }
        }
        text
    }
}
