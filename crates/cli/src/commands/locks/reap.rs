//! `tidelock locks reap`: frees the locks that were left behind, after it has said which.

use std::{io::Write, time::Duration};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tidelock_core::limits::LOCK_READS_MAX;

use crate::{
    args,
    ask::confirm,
    commands::{
        count,
        held::Held,
        old::{Seen, Source},
    },
    duration::written,
    exit::{Failure, Status},
    progress::Progress,
    shell,
    stock::wait,
};

/// What became of the old locks.
#[derive(Default, Serialize)]
struct Done {
    freed: Vec<Held>,
    /// Those that their holders freed before their turn came.
    gone: Vec<Held>,
    failed: Vec<Left>,
    /// How many locks are younger, of a run that lives, or of unknown age.
    others: usize,
}

/// A lock that could not be freed.
#[derive(Serialize)]
struct Left {
    #[serde(flatten)]
    held: Held,
    why: String,
}

/// Shows the plan, asks, and frees.
pub(super) fn run(arguments: args::Reap, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let source = Source::find(arguments.prefix.as_deref(), arguments.configuration, err)?;
    let mut seen = wait(source.older(arguments.older_than))?;
    spare_living(&mut seen);
    if seen.more {
        writeln!(
            err,
            "note: the server shows only a part of its locks; do it again for the rest"
        )?;
    }
    if let Some(left_out) = &seen.left_out {
        writeln!(err, "note: {:#}", left_out.error)?;
    }
    let is_whole = seen.left_out.is_none();
    let mut done = Done {
        others: seen.others,
        ..Done::default()
    };
    if !seen.old.is_empty() {
        show_plan(&seen, arguments.older_than, &source, err)?;
        confirm(
            &format!("free {}", count(seen.old.len() as u64, "lock")),
            arguments.yes,
            err,
        )?;
        free(&source, seen.old, &mut done)?;
    }
    match arguments.json {
        true => crate::commands::print_json(&done, out)?,
        false => print(&done, is_whole, out)?,
    }
    match done.failed.len() {
        0 if is_whole => Ok(()),
        0 => Err(Failure::new(Status::Failed, "not every lock could be looked at")),
        some => {
            let message = format!("{} could not be freed", count(some as u64, "lock"));
            Err(Failure::new(Status::Failed, message))
        }
    }
}

/// However long a run goes on, it has left nothing behind while it renews its lease.
fn spare_living(seen: &mut Seen) {
    let all = seen.old.len();
    seen.old.retain(|held| !held.lives);
    seen.others += all - seen.old.len();
}

fn show_plan(seen: &Seen, older_than: Duration, source: &Source, err: &mut dyn Write) -> Result<(), Failure> {
    let than = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
    writeln!(err, "Held for longer than {}:", written(than))?;
    for held in &seen.old {
        writeln!(err, "  {}", held.line(seen.now_ms))?;
    }
    if seen.others > 0 {
        writeln!(
            err,
            "{} stay: younger, of a run that lives, or nobody knows since when.",
            seen.others
        )?;
    }
    match source.fences() {
        true => writeln!(err, "\nWhat their holders still write will be refused.")?,
        false => writeln!(
            err,
            "\nNobody refuses what their holders still write, if they are at work after all."
        )?,
    }
    Ok(())
}

/// Several at a time; what fails does not keep the rest.
fn free(source: &Source, old: Vec<Held>, done: &mut Done) -> Result<(), Failure> {
    let mut progress = Progress::start();
    let (mut count, all) = (0, old.len());
    wait(async {
        let freeing = stream::iter(old).map(|held| async { (source.free(&held).await, held) });
        let mut freeing = std::pin::pin!(freeing.buffered(LOCK_READS_MAX));
        while let Some((freed, held)) = freeing.next().await {
            count += 1;
            progress.show(|| format!("freed {count} of {all}"));
            match freed {
                Ok(true) => done.freed.push(held),
                Ok(false) => done.gone.push(held),
                Err(failure) => done.failed.push(Left {
                    held,
                    why: format!("{:#}", failure.error),
                }),
            }
        }
        Ok(())
    })
}

fn print(done: &Done, is_whole: bool, out: &mut dyn Write) -> Result<(), Failure> {
    for held in &done.freed {
        writeln!(out, "freed   {}", held.name())?;
    }
    for held in &done.gone {
        writeln!(out, "gone    {}", held.name())?;
    }
    for left in &done.failed {
        writeln!(out, "failed  {}: {}", left.held.name(), left.why)?;
    }
    if done.freed.is_empty() && done.gone.is_empty() && done.failed.is_empty() {
        match done.others {
            0 if is_whole => writeln!(out, "Nothing is locked.")?,
            0 => {}
            1 => writeln!(
                out,
                "Nothing to free: 1 lock is younger, of a run that lives, or nobody knows since when it is held."
            )?,
            some => writeln!(
                out,
                "Nothing to free: {some} locks are younger, of runs that live, or nobody knows since when they are held."
            )?,
        }
    } else if !done.failed.is_empty() {
        writeln!(out, "\nnext: {} locks", shell::own_name())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_run_that_lives_is_not_freed_whatever_its_age() {
        let held = |id: &str, lives: bool| Held {
            address: "states/app".to_owned(),
            id: id.to_owned(),
            operation: String::new(),
            who: String::new(),
            since_ms: Some(0),
            doors: Vec::new(),
            lives,
        };
        let mut seen = Seen {
            old: vec![held("lives", true), held("left", false)],
            others: 1,
            ..Seen::default()
        };
        spare_living(&mut seen);
        assert_eq!((seen.old, seen.others), (vec![held("left", false)], 2));
    }
}
