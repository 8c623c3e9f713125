//! The section `What deciding and auditing costs` of the page.

use std::fmt::Write as _;

use super::{Cost, Idle, Row};
use crate::{
    report::{door, fact_table, megabytes},
    stats::median,
};

pub(crate) const HEADING: &str = "## What deciding and auditing costs";

/// Everything one run measured.
pub(crate) struct Section {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    /// What the older build says of itself, if there is one.
    pub(crate) older: Option<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) idle: Vec<Idle>,
}

impl Section {
    /// The section, heading and all.
    pub(crate) fn text(&self) -> String {
        [self.introduction(), self.work_table(), self.idle_table()].join("\n")
    }

    fn introduction(&self) -> String {
        let facts = fact_table(&self.machine);
        let older = self.older.as_ref().map_or_else(String::new, |older| {
            format!("*Before* is an older build ({older}), asked by its operator. ")
        });
        format!(
            "{HEADING}\n\nWritten by `just bench-access`. The same work on one server, in turns: by the operator, whom only explicit denies stop;\n\
             by a user of IAM whose policy allows what a state and its lock need and no more; and in a session of a role with that\n\
             policy. Every request is judged, and leaves an entry in the audit log before its answer. {older}{} rounds, {} s each for\n\
             lock cycles. *Processor* is what the server uses for one operation, by the kernel's count, medians of the rounds; ratios\n\
             are to the first line of each group, medians of the ratios of the rounds.\n\n{facts}",
            self.rounds, self.seconds
        )
    }

    fn work_table(&self) -> String {
        let mut text = String::from(
            "| door | what | clients | who | a second | p50 ms | p99 ms | ratio | processor µs | ratio | failed |\n\
             |---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            for cost in &row.contestants {
                let measured = &cost.measured;
                let first = &row.contestants[0];
                let of_first = |values: fn(&Cost) -> &[f64]| shown_ratio(values(cost), values(first));
                let processor = match cost.processor_us.is_empty() {
                    true => String::new(),
                    false => format!("{:.0}", median(&cost.processor_us)),
                };
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {:.0} | {:.2} | {:.2} | {} | {processor} | {} | {} |",
                    door(row.door),
                    row.what,
                    row.clients,
                    measured.server,
                    measured.rate(),
                    measured.latency(50.0),
                    measured.latency(99.0),
                    of_first(|cost| &cost.measured.rates),
                    of_first(|cost| &cost.processor_us),
                    measured.failures,
                );
            }
        }
        text
    }

    fn idle_table(&self) -> String {
        let mut text = String::from(
            "A server that nobody has spoken to, and from the start of its process to where it listens: on an empty directory, and\n\
             on one that it was killed on.\n\n| build | memory | first start ms | start ms |\n|---|---:|---:|---:|\n",
        );
        for one in &self.idle {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} |",
                one.build,
                megabytes(one.bytes),
                median(&one.first),
                median(&one.again)
            );
        }
        text
    }
}

/// The median of the ratios of the rounds; nothing where there is none.
fn shown_ratio(these: &[f64], those: &[f64]) -> String {
    let ratios: Vec<f64> = these.iter().zip(those).map(|(this, that)| this / that).collect();
    match ratios.is_empty() {
        true => String::new(),
        false => format!("{:.2}", median(&ratios)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_middle_round() {
        assert_eq!(shown_ratio(&[2.0, 9.0, 3.0], &[1.0, 1.0, 1.0]), "3.00");
        assert_eq!(shown_ratio(&[], &[]), "");
    }
}
