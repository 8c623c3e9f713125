//! The section `Waiting in line` of the page: what was measured, how the ideal is reckoned, and whether the bars are met.

use std::fmt::Write as _;

use super::{ALONE, Measured, line::What};
use crate::{
    machine,
    report::{Bar, bar_table, fact_table},
    stats::percentile,
};

pub(crate) const HEADING: &str = "## Waiting in line";

/// What a queue may cost over one after the other without a pause.
const RATIO_MAX: f64 = 1.15;
/// A hundredth of the shortest apply, and more than a commit and two answers take.
const HAND_OVER_MS_MAX: f64 = 20.0;

/// Everything one run measured.
pub(crate) struct Section {
    pub(crate) machine: Vec<(&'static str, String)>,
    /// Ours and the peer in turn.
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
            self.time_table(),
            self.order_table(),
            self.processor_table(),
            self.remarks(),
        ]
        .join("\n")
    }

    fn all_bars(&self) -> Vec<Bar> {
        let ours = self.measured.iter().filter(|one| one.server == "tidelock");
        ours.flat_map(bars_of).collect()
    }

    fn introduction(&self) -> String {
        let facts = fact_table(&self.machine);
        format!(
            "{HEADING}\n\nWritten by `just bench-queue`. Stock `terraform apply -lock-timeout=10m`, many at once on one state: `backend \"s3\"`\n\
             with `use_lockfile = true`, each in a directory of its own that is initialised before, started 50 ms apart. Each replaces one\n\
             `terraform_data` whose provisioner sleeps 2 s, and so holds the lock that long and writes a new serial. A proxy that\n\
             passes on every byte as it is notes when each request came and when its answer began, in the same way at both servers.\n\n\
             The ideal is one after the other without a pause. One apply with nobody beside it, at the same server in the same run\n\
             (median of {ALONE}), takes *alone* from the start of its process to its end, and *held* of that lies between the answer that\n\
             grants it the lock and the answer that releases it. Only the holder can do what is done under the lock; all else can\n\
             overlap, but for the start of the first and the end of the last. So ideal = alone + (N - 1) x held, and whole is from the\n\
             start of the first process to the end of the last. The second ratio puts the sum of what each one held the lock for in\n\
             the race itself in the place of N x held: crowding on the processors is taken out of it, and what is left over 1 is waiting\n\
             while the lock is free. An apply that failed counts in neither; `>=` marks a race that was cut off.\n\n{facts}"
        )
    }

    fn time_table(&self) -> String {
        let mut text = String::from(
            "| applies | server | alone s | held s | ideal s | whole s | whole / ideal | by holds of the race | applied |\n\
             |---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for one in &self.measured {
            let least = if one.race.cut_off { ">= " } else { "" };
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {:.1} | {least}{:.1} | {least}{:.2} | {} | {} |",
                one.clients,
                one.server,
                one.alone.whole,
                one.alone.held,
                one.ideal(),
                one.race.whole(),
                one.ratio(),
                one.ratio_of_holds()
                    .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                one.race.applied
            );
        }
        text
    }

    fn order_table(&self) -> String {
        let mut text = String::from(
            "A hand-over is from the answer to a release to the answer that grants the lock to the next, where somebody waited. Below zero,\n\
             the grant got through first. *Nobody awake*: all who waited slept between two tries when the release came. *Overtaken* are\n\
             clients that had to let a later one go first, which is one that asked for the first time after they had been told to wait;\n\
             *awake* are those of them whose request lay at the server meanwhile. *Two holders*: grants while another still had the lock.\n\n\
             | applies | server | hand-overs | p50 ms | p99 ms | nobody awake | overtaken | awake | lock requests | two holders | lost updates |\n\
             |---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for one in &self.measured {
            let hand_overs = one.line.hand_overs();
            let overtaken = one.line.overtaken();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.1} | {:.1} | {} | {} | {} | {} | {} | {} |",
                one.clients,
                one.server,
                hand_overs.len(),
                hand_over_ms(one, 50.0),
                hand_over_ms(one, 99.0),
                hand_overs.iter().filter(|one| !one.somebody_awake).count(),
                overtaken.clients,
                overtaken.while_awake,
                one.race
                    .exchanges
                    .iter()
                    .filter(|one| one.what == What::Take)
                    .count(),
                one.line.double_grants(),
                one.race.lost_updates
            );
        }
        text
    }

    fn processor_table(&self) -> String {
        let mut text = String::from(
            "Processor time of Terraform itself, for one apply. *At least* is what all of them need on these cores together, and so how\n\
             short any race could be; *busy* is the share of all cores that were in use by anything while it lasted. *Stalls* are how\n\
             late a thread of the bench was that did nothing but sleep for 1 ms again and again: no answer can be sooner than that.\n\n\
             | applies | server | alone s | in the race s | at least s | busy | load before | stall p99 ms | longest ms |\n\
             |---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for one in &self.measured {
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {:.1} | {:.0} % | {} | {:.1} | {:.1} |",
                one.clients,
                one.server,
                one.alone.processor,
                one.race.processor / one.clients as f64,
                one.race.processor / machine::cores() as f64,
                one.race.busy * 100.0,
                one.load,
                percentile(&one.race.stalls, 99.0),
                percentile(&one.race.stalls, 100.0)
            );
        }
        text
    }

    /// The order of the grants, and who failed why.
    fn remarks(&self) -> String {
        let mut text =
            String::from("Order of the grants, each client by its place in the order of first requests:\n\n");
        for one in &self.measured {
            let _ = writeln!(text, "- {} at {}: {}", one.clients, one.server, order(one));
        }
        for one in self.measured.iter().filter(|one| !one.race.failures.is_empty()) {
            let mut said = one.race.failures.clone();
            said.sort();
            said.dedup();
            let _ = writeln!(
                text,
                "- {} of {} at {} failed: {}",
                one.race.failures.len(),
                one.clients,
                one.server,
                said.join("; ")
            );
        }
        text
    }
}

fn bars_of(one: &Measured) -> Vec<Bar> {
    let overtaken = one.line.overtaken();
    let lost = one.race.lost_updates;
    let (p99, ratio) = (hand_over_ms(one, 99.0), one.ratio());
    let bar = |what: String, measured: String, met: bool| Bar {
        what: format!("{} applies: {what}", one.clients),
        measured,
        met,
    };
    vec![
        bar(
            format!("whole time at most {RATIO_MAX} times the ideal"),
            format!("{ratio:.2} times"),
            ratio <= RATIO_MAX && !one.race.cut_off,
        ),
        bar(
            "all apply, one holder at a time, no update lost".to_owned(),
            format!(
                "{} applied, {} grants beside a holder, {lost} lost",
                one.race.applied,
                one.line.double_grants()
            ),
            one.race.applied == one.clients && one.line.double_grants() == 0 && lost == 0,
        ),
        bar(
            "nobody overtaken while awake".to_owned(),
            format!("{} of {} overtaken", overtaken.while_awake, overtaken.clients),
            overtaken.while_awake == 0,
        ),
        bar(
            format!("hand-over p99 at most {HAND_OVER_MS_MAX} ms"),
            format!("{p99:.1} ms"),
            // Without a single hand-over there is no percentile, and nothing that could be late.
            p99 <= HAND_OVER_MS_MAX || one.line.hand_overs().is_empty(),
        ),
    ]
}

fn hand_over_ms(one: &Measured, percent: f64) -> f64 {
    let times: Vec<f64> = one
        .line
        .hand_overs()
        .iter()
        .map(|one| one.seconds * 1e3)
        .collect();
    percentile(&times, percent)
}

/// Places in the order of arrival, in the order of the grants.
fn order(one: &Measured) -> String {
    let arrivals = one.line.arrivals();
    let place = |client: usize| {
        arrivals
            .iter()
            .position(|other| *other == client)
            .map_or(0, |place| place + 1)
    };
    let places: Vec<String> = one
        .line
        .grants()
        .iter()
        .map(|client| place(*client).to_string())
        .collect();
    places.join(" ")
}
