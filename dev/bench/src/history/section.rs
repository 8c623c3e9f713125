//! The section `Keeping every version` of the page: what was measured, and whether the bars are met.

use std::fmt::Write as _;

use super::{BACKLOG, Measured, TURNS, WRITES, reading::Read};
use crate::{
    report::{Bar, bar_table, fact_table},
    stats::{median, percentile},
};

pub(crate) const HEADING: &str = "## Keeping every version";

/// The bars are about states and histories of at least this size.
const RESOURCES: usize = 5_000;
const VERSIONS: usize = 1_000;
/// What may be kept of a raw byte, in per cent.
const KEPT_MAX: f64 = 0.3;
/// The speed of the newest version over that of a copy that is neither compressed nor sealed.
const NEWEST_MIN: f64 = 0.5;
/// The time of the slowest version over that of the newest.
const SLOWEST_MAX: f64 = 10.0;

/// Everything one run measured.
pub(crate) struct Section {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) rounds: usize,
    pub(crate) measured: Vec<Measured>,
}

impl Section {
    /// How many bars were not met.
    pub(crate) fn missed_bars(&self) -> usize {
        self.all_bars().iter().filter(|bar| !bar.met).count()
    }

    /// The table of the bars.
    pub(crate) fn bars(&self) -> String {
        bar_table(&self.all_bars())
    }

    /// The section, heading and all.
    pub(crate) fn text(&self) -> String {
        [
            self.introduction(),
            self.bars(),
            self.size_table(),
            self.pace_table(),
            self.reading_table(),
        ]
        .join("\n")
    }

    fn all_bars(&self) -> Vec<Bar> {
        let of_size = |one: &&Measured| one.resources >= RESOURCES && one.versions >= VERSIONS;
        self.measured.iter().filter(of_size).flat_map(bars_of).collect()
    }

    fn introduction(&self) -> String {
        let facts = fact_table(&self.machine);
        format!(
            "{HEADING}\n\nWritten by `just bench-history`. Made-up states (`dev/testkit/src/states.rs`) that Terraform itself would write byte for\n\
             byte: modules, the AWS provider's resources, one apply after another that changes 1 % of the resources. Through the\n\
             service and the embedded engine, without HTTP; every version is read back and compared before the page is written.\n\n\
             {facts}"
        )
    }

    fn size_table(&self) -> String {
        let mut text = String::from(
            "Kept is all that lies in the engine: bodies with their keys and tails, and all rows, among them what each version changed.\n\
             The file is SQLite's, with its log and with the room that large bodies have left and later ones will take. *Alone* is each\n\
             version compressed by itself with zstd, level 3.\n\n\
             | resources | versions | newest MB | whole copies MB | alone | kept | bodies MB | rows MB | file MB |\n\
             |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for one in &self.measured {
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {:.0} | {:.2} % | {:.3} % | {:.1} | {:.1} | {:.1} |",
                one.resources,
                one.versions,
                mb(one.readings.bytes),
                mb(one.raw),
                100.0 * one.plain as f64 / one.raw as f64,
                one.kept(),
                mb(one.occupied.blobs),
                mb(one.occupied.rows),
                mb(one.occupied.files)
            );
        }
        text
    }

    fn pace_table(&self) -> String {
        let mut text = format!(
            "Packing makes a version the difference from a newer one, reads it back, compares the states by resource, and commits.\n\
             Its speed is in raw bytes of states: after every write, and {BACKLOG} versions at once. A write is from the call to its\n\
             answer, which means \"on disk\"; {TURNS} times {WRITES} writes without a pause with the packer running beside them, in turn with\n\
             the same writes into a store where nothing is packed.\n\n\
             | resources | packing each MB/s | {BACKLOG} at once MB/s | write alone p50 ms | p99 ms | beside the packer p50 ms | p99 ms | load before |\n\
             |---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for one in &self.measured {
            let speed = |(bytes, ms): (u64, f64)| mb(bytes) / ms * 1e3;
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
                one.resources,
                speed(one.pace.each),
                speed(one.pace.backlog),
                median(&one.pace.alone),
                percentile(&one.pace.alone, 99.0),
                median(&one.pace.beside),
                percentile(&one.pace.beside, 99.0),
                one.load
            );
        }
        text
    }

    fn reading_table(&self) -> String {
        let mut text = format!(
            "Reading in pieces of 1 MiB, as the server does; medians of {} rounds in which all of these take turns. *Steps* are the\n\
             versions that have to be unpacked after the one that stands alone. The copy is the newest version's bytes in the same\n\
             engine, neither compressed nor sealed, with the same look at the version's row before. *At once* is all of it in one piece\n\
             of memory. The slowest was looked for among all versions.\n\n\
             | resources | what | version | steps | ms | over the newest | at once ms |\n\
             |---:|---|---:|---:|---:|---:|---:|\n",
            self.rounds
        );
        for one in &self.measured {
            let all = &one.readings;
            let mut row = |what: &str, version: &str, ms: f64, at_once: Option<f64>| {
                let at_once = at_once.map_or_else(String::new, |ms| format!("{ms:.2}"));
                let ratio = ms / all.newest.ms;
                let _ = writeln!(
                    text,
                    "| {} | {what} | {version} | {ms:.2} | {ratio:.2} | {at_once} |",
                    one.resources
                );
            };
            let place = |read: &Read| format!("{} | {}", read.version, read.steps);
            row("copy", "|", all.copy, Some(all.copy_at_once));
            row(
                "newest",
                &place(&all.newest),
                all.newest.ms,
                Some(all.newest_at_once),
            );
            row("middle", &place(&all.middle), all.middle.ms, None);
            row("oldest", &place(&all.oldest), all.oldest.ms, None);
            row("slowest", &place(&all.slowest), all.slowest.ms, None);
        }
        text
    }
}

impl Measured {
    /// Bytes kept of a hundred raw ones.
    fn kept(&self) -> f64 {
        100.0 * (self.occupied.blobs + self.occupied.rows) as f64 / self.raw as f64
    }
}

fn bars_of(one: &Measured) -> [Bar; 3] {
    let of = format!("{} versions of {} resources", one.versions, one.resources);
    let (newest, slowest) = (
        one.readings.copy / one.readings.newest.ms,
        one.readings.slowest.ms / one.readings.newest.ms,
    );
    [
        Bar {
            what: format!("{of}: kept at most {KEPT_MAX} % of their bytes"),
            measured: format!("{:.3} %", one.kept()),
            met: one.kept() <= KEPT_MAX,
        },
        Bar {
            what: format!(
                "{of}: the newest is read at {NEWEST_MIN} times the speed of an uncompressed copy at least"
            ),
            measured: format!("{newest:.2} times"),
            met: newest >= NEWEST_MIN,
        },
        Bar {
            what: format!("{of}: any is read in at most {SLOWEST_MAX} times the time of the newest"),
            measured: format!("{slowest:.1} times"),
            met: slowest <= SLOWEST_MAX,
        },
    ]
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
