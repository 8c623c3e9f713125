//! `tidelock clean`: states that nobody needs any more, shown, and deleted under their locks.

use std::{io::Write, time::Duration};

use serde::Serialize;
use tidelock_core::diff::visible;
use tidelock_operator::{
    clean::{self, Contents, Criteria, Error, Found, Look, Scope, Verdict},
    layout::{Layout, Want},
};
use tokio::time;

use super::{count, grip, print_json};
use crate::{
    args,
    ask::confirm,
    duration::written,
    exit::{Failure, Status},
    progress::Progress,
    signals::Signals,
    stock,
    world::uuid,
};

/// What was found, and what became of it.
#[derive(Default, Serialize)]
struct Report {
    deleted: Vec<Found>,
    refused: Vec<Refused>,
    kept: Kept,
}

/// A state that was to go and is still there.
#[derive(Serialize)]
struct Refused {
    key: String,
    why: String,
}

/// How many states stay, and why.
#[derive(Default, Serialize)]
struct Kept {
    not_empty: u64,
    young: u64,
    named: u64,
}

pub(crate) fn run(arguments: args::Clean, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let found = stock::find(&arguments.stock, err)?;
    let scope = match (&arguments.prefix, &found.backend) {
        (Some(prefix), _) => Scope::Prefix(prefix.clone()),
        (None, Some(backend)) => Scope::of(backend),
        (None, None) => {
            let message = "which states? Name what their keys begin with: --prefix PREFIX";
            return Err(Failure::new(Status::Usage, message));
        }
    };
    let layout = found.layout;
    stock::wait(async {
        clean::check_versioned(&layout).await?;
        let now_ms = jiff::Timestamp::now().as_millisecond() + layout.access.ahead_ms();
        let age_ms = i64::try_from(arguments.older_than.as_millis()).unwrap_or(i64::MAX);
        let criteria = Criteria {
            scope,
            before_ms: now_ms.saturating_sub(age_ms),
            with_contents: arguments.not_empty,
            keep: arguments.keep,
        };
        let mut report = Report::default();
        let going = look(&layout, &criteria, &mut report.kept).await?;
        let mut ended = Ok(());
        if !going.is_empty() {
            print_plan(&layout, &going, now_ms, err)?;
            confirm(&question(&going), arguments.yes, err)?;
            ended = delete(&layout, going, &mut report).await;
        }
        match arguments.json {
            true => print_json(&report, out)?,
            false => print(&layout, &report, out)?,
        }
        // What was deleted before is told all the same.
        ended?;
        judged(&report)
    })
}

async fn look(layout: &Layout, criteria: &Criteria, kept: &mut Kept) -> Result<Vec<Found>, Failure> {
    let (mut going, mut looked_at, mut progress) = (Vec::new(), 0_u64, Progress::start());
    let mut look = Look::new(layout, criteria);
    while let Some(found) = look.next().await? {
        looked_at += 1;
        progress.show(|| {
            format!(
                "{looked_at} looked at, {} to go; now {}",
                going.len(),
                visible(&found.key)
            )
        });
        match found.verdict {
            Verdict::Goes(_) => going.push(found),
            Verdict::NotEmpty => kept.not_empty += 1,
            Verdict::Young => kept.young += 1,
            Verdict::Named => kept.named += 1,
            Verdict::NoState => {}
        }
    }
    Ok(going)
}

fn print_plan(layout: &Layout, going: &[Found], now_ms: i64, err: &mut dyn Write) -> Result<(), Failure> {
    writeln!(
        err,
        "In s3://{} at {}:",
        visible(&layout.bucket),
        layout.s3.endpoint()
    )?;
    for found in going {
        let Verdict::Goes(contents) = &found.verdict else {
            continue;
        };
        writeln!(
            err,
            "  {}  {}, serial {}, last written {} ago",
            visible(&found.key),
            told(contents),
            contents.serial,
            written(now_ms.saturating_sub(found.written_ms))
        )?;
    }
    Ok(())
}

fn told(contents: &Contents) -> String {
    match (contents.empty, contents.resources) {
        (true, _) => "empty".to_owned(),
        (false, None) => "encrypted".to_owned(),
        (false, Some(0)) => "outputs only".to_owned(),
        (false, Some(1)) => "1 RESOURCE".to_owned(),
        (false, Some(resources)) => format!("{resources} RESOURCES"),
    }
}

fn question(going: &[Found]) -> String {
    let is_full = |found: &&Found| matches!(&found.verdict, Verdict::Goes(contents) if !contents.empty);
    let states = states(going.len());
    let versions = if going.len() == 1 {
        "its versions"
    } else {
        "their versions"
    };
    match going.iter().filter(is_full).count() {
        0 => format!("delete {states}, keeping {versions}"),
        full => format!("delete {states}, {full} of them not empty, keeping {versions}"),
    }
}

fn states(number: usize) -> String {
    count(number as u64, "state")
}

async fn delete(layout: &Layout, going: Vec<Found>, report: &mut Report) -> Result<(), Failure> {
    let (mut progress, mut signals) = (Progress::start(), Signals::listen()?);
    let all = going.len();
    for (done, found) in going.into_iter().enumerate() {
        // A state that is begun is finished, or its lock would stay.
        if time::timeout(Duration::ZERO, signals.next()).await.is_ok() {
            let message = format!(
                "interrupted: {} left; run the same command again",
                states(all - done)
            );
            return Err(Failure::new(Status::Failed, message));
        }
        progress.show(|| format!("{} deleted; now {}", report.deleted.len(), visible(&found.key)));
        let want = Want {
            id: uuid(),
            operation: "clean".to_owned(),
            who: grip::who(),
            info: "the state is being deleted".to_owned(),
            created: jiff::Timestamp::now().to_string(),
        };
        match clean::delete(layout, &found, &want).await {
            Ok(()) => report.deleted.push(found),
            Err(error @ (Error::Locked { .. } | Error::Changed(_))) => report.refused.push(Refused {
                key: found.key,
                why: error.to_string(),
            }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn print(layout: &Layout, report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    let kept = &report.kept;
    let stay = [
        (kept.not_empty, "not empty"),
        (kept.young, "too young"),
        (kept.named, "named by --keep"),
    ];
    let stay: Vec<String> = stay
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, why)| format!("{number} {why}"))
        .collect();
    let stay = match stay.is_empty() {
        true => String::new(),
        false => format!("; left: {}", stay.join(", ")),
    };
    match report.deleted.as_slice() {
        [] => writeln!(out, "Nothing was deleted{stay}.")?,
        deleted => {
            writeln!(
                out,
                "Deleted {}{stay}. Their versions are kept; to see those of one:",
                states(deleted.len())
            )?;
            let (bucket, key) = (&layout.bucket, &deleted[0].key);
            let (bucket, key) = (crate::shell::quoted(bucket), crate::shell::quoted(key));
            writeln!(
                out,
                "\n  {} history --bucket {bucket} --key {key}",
                crate::shell::own_name()
            )?;
        }
    }
    Ok(())
}

fn judged(report: &Report) -> Result<(), Failure> {
    let lines: Vec<String> = report
        .refused
        .iter()
        .map(|refused| visible(&refused.why))
        .collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Status::Refused, lines.join("\n"))),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match error {
            Error::Locked { .. } | Error::Changed(_) | Error::NotVersioned(_) => Status::Refused,
            Error::LockStays { .. } | Error::Store(_) => Status::Failed,
        };
        Failure::new(status, visible(&error.to_string()))
    }
}
