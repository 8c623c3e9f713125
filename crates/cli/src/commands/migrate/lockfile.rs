//! `tidelock migrate dynamodb-to-lockfile`: where each directory stands, and one step of the way.

mod report;

use std::{collections::BTreeMap, env, io::Write, process::ExitCode, time::Duration};

use tidelock_core::diff::visible;
use tidelock_operator::{
    aws::Environment,
    layout::Want,
    migrate::{self, MigrateError, Plan, Stand, Step, StepError, Steps, Survey, Target},
};
use tokio::time;

use self::report::{Outcome, Report};
use crate::{
    args::DynamodbToLockfile,
    ask::confirm,
    commands::{grip::who, print_json},
    exit::{Failure, Status},
    progress::Progress,
    signals::Signals,
    stock,
    world::uuid,
};

pub(super) fn run(
    arguments: DynamodbToLockfile,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let survey = migrate::survey(&arguments.path, &arguments.backend_config, &variable)?;
    let mut report = Report::of(&arguments, &survey);
    if let Some(step) = step(&arguments)? {
        let plan = migrate::plan(&survey, step)?;
        report.take_plan(&plan);
        stock::wait(go(&arguments, &survey, &plan, &mut report, err))?;
    }
    match arguments.json {
        true => print_json(&report, out)?,
        false => report.print(&arguments, out)?,
    }
    let status = report.status();
    Ok(status.map_or(ExitCode::SUCCESS, |status| ExitCode::from(status as u8)))
}

/// The step that a phase takes, or looks whether it may be taken; `None` where there is only to be told where all stand.
fn step(arguments: &DynamodbToLockfile) -> Result<Option<Step>, Failure> {
    Ok(match (arguments.phase, arguments.reverse) {
        (None, _) => None,
        (Some(1), false) => Some(Step::AddLockFile),
        (Some(_), false) => Some(Step::DropTable),
        (Some(3), true) => {
            let table = arguments.table.clone().ok_or_else(|| {
                Failure::new(Status::Usage, "which table to go back to? Name it: --table TABLE")
            })?;
            Some(Step::AddTable(table))
        }
        (Some(_), true) => Some(Step::DropLockFile),
    })
}

async fn go(
    arguments: &DynamodbToLockfile,
    survey: &Survey,
    plan: &Plan<'_>,
    report: &mut Report,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    if plan.step.drops() {
        look(survey, report).await;
        // A lock goes everywhere or nowhere: who is left with the other one alone would not be kept out.
        if report.is_stopped() {
            return Ok(());
        }
    }
    if arguments.phase == Some(2) {
        return Ok(());
    }
    if report.has_edits() {
        if !arguments.json {
            report.print_plan(err)?;
        }
        let what = match plan.step {
            Step::DropTable => "edit these files and clear the digests of their states",
            Step::AddLockFile | Step::AddTable(_) | Step::DropLockFile => "edit these files",
        };
        confirm(what, arguments.yes, err)?;
    }
    take(arguments, plan, report).await?;
    if plan.step == Step::DropTable && report.status().is_none() {
        tables(arguments, survey, report).await?;
    }
    Ok(())
}

/// How each state was locked when it was written last.
async fn look(survey: &Survey, report: &mut Report) {
    let (environment, mut progress) = (Environment::new(env::vars_os()), Progress::start());
    for (directory, told) in survey.directories.iter().zip(&mut report.directories) {
        progress.show(|| format!("looking at the states of {}", visible(&told.path)));
        for target in directory.targets.iter().filter(is_on_both) {
            match migrate::check(target, &environment).await {
                Ok(states) => told.states.extend(states),
                Err(error) => told.stops.push(visible(&error.to_string())),
            }
        }
    }
}

fn is_on_both(target: &&Target) -> bool {
    target.stand() == Stand::Both
}

async fn take(arguments: &DynamodbToLockfile, plan: &Plan<'_>, report: &mut Report) -> Result<(), Failure> {
    // A directory that is begun is finished, or its locks would stay.
    let mut signals = Signals::listen()?;
    let environment = Environment::new(env::vars_os());
    let mut steps = Steps::new(plan.step.clone(), environment, want(), arguments.table.clone());
    let mut progress = Progress::start();
    for (planned, told) in plan.directories.iter().zip(&mut report.directories) {
        if !planned.stops.is_empty() {
            continue;
        }
        if time::timeout(Duration::ZERO, signals.next()).await.is_ok() {
            told.stops
                .push("interrupted before this one; run the command again".to_owned());
            break;
        }
        progress.show(|| format!("changing {}", visible(&told.path)));
        told.outcome = match steps.take(planned).await {
            Ok(()) if planned.edits.is_empty() => None,
            Ok(()) => Some(Outcome::Changed),
            Err(error) => {
                told.stops.push(sentence(&error));
                Some(match error {
                    StepError::Locked { .. } => Outcome::Locked,
                    _ => Outcome::Failed,
                })
            }
        };
    }
    Ok(())
}

/// Who keeps others out while files are edited.
fn want() -> Want {
    Want {
        id: uuid(),
        operation: "migrate".to_owned(),
        who: who(),
        info: "tidelock migrate dynamodb-to-lockfile edits the configuration".to_owned(),
        created: jiff::Timestamp::now().to_string(),
    }
}

fn sentence(error: &StepError) -> String {
    let StepError::Locked { locks, .. } = error else {
        return visible(&error.to_string());
    };
    let holder = locks.iter().find_map(|lock| lock.parsed.as_ref());
    let holder = match (holder, locks.first()) {
        (Some(info), _) => format!(
            " by {} ({}) since {}, ID {}; run the command again when it is done",
            info.who, info.operation, info.created, info.id
        ),
        (None, Some(lock)) => format!(
            " by something that is not as Terraform writes it, ID {}; `tidelock locks` shows it",
            lock.name()
        ),
        (None, None) => " by somebody who has gone again; run the command again".to_owned(),
    };
    visible(&format!("{error}{holder}"))
}

/// What the tables still have that nobody below the path uses any more.
async fn tables(arguments: &DynamodbToLockfile, survey: &Survey, report: &mut Report) -> Result<(), Failure> {
    let mut found: BTreeMap<_, (&Target, String)> = BTreeMap::new();
    let targets = survey.directories.iter().flat_map(|directory| &directory.targets);
    for target in targets {
        let backend = &target.between.backend;
        if let Some(table) = backend.table.clone().or_else(|| arguments.table.clone()) {
            let place = (
                backend.wanted.endpoints.get("dynamodb"),
                &backend.region,
                &backend.profile,
            );
            found.entry((place, table.clone())).or_insert((target, table));
        }
    }
    let environment = Environment::new(env::vars_os());
    for (target, table) in found.into_values() {
        match migrate::leftover(target, &table, &environment).await {
            Ok(left) => report.tables.push(left),
            Err(error) => report.notes.push(visible(&error.to_string())),
        }
    }
    Ok(())
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Failure {
        let status = match error {
            MigrateError::Read { .. } => Status::Failed,
            MigrateError::TooMany { .. } | MigrateError::TableName(_) => Status::Usage,
        };
        Failure::new(status, error)
    }
}
