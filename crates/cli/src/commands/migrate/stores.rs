//! `tidelock migrate to` and `migrate from`: states with their versions between two stores.

use std::{
    env,
    io::Write,
    ops::ControlFlow,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use tidelock_core::diff::visible;
use tidelock_operator::{
    aws::{Access, Environment, Settings, Wanted},
    layout::{Layout, Want},
    transfer::{Error, OPERATION, Outcome, Plan, Selection, Transfer},
};

use crate::{
    args,
    ask::confirm,
    commands::{
        count, grip, print_json,
        transfer::{Done, Refused},
    },
    exit::{Failure, Status},
    progress::{Progress, bytes},
    signals::Signals,
    stock,
    world::uuid,
};

/// Which of the two is the target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    To,
    From,
}

pub(super) fn run(
    arguments: args::MigrateStates,
    direction: Direction,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let found = stock::find(&arguments.stock, err)?;
    let is_of_directory = found.backend.is_some() && arguments.stock.layout.bucket.is_none();
    let selection = selection(&arguments, found.key);
    stock::wait(async {
        let other = other(&arguments, &found.layout, err).await?;
        let transfer = transfer(&arguments, direction, found.layout, other)?;
        transfer.check_target().await?;
        let plan = plan(&transfer, &selection).await?;
        print_plan(&transfer, &selection, &plan, err)?;
        confirm("copy them", arguments.yes, err)?;
        let mut done = Done::default();
        let copied = copy(&transfer, &selection, &mut done).await;
        let is_moving = is_of_directory && direction == Direction::To && copied.is_ok();
        match arguments.json {
            true => print_json(&done, out)?,
            false => print_done(&transfer, &done, is_moving, out)?,
        }
        match (copied, done.judged()) {
            (Ok(()), judged) => judged.map(|()| ExitCode::SUCCESS),
            (Err(why), Ok(())) => Err(why),
            (Err(why), Err(refused)) => {
                writeln!(err, "{:#}", refused.error)?;
                Err(why)
            }
        }
    })
}

/// The state of the directory, or what is named.
fn selection(arguments: &args::MigrateStates, key: Option<String>) -> Selection {
    match (&arguments.prefix, key) {
        (Some(prefix), _) => Selection::Prefix(prefix.clone()),
        (None, Some(key)) => Selection::Key(key),
        (None, None) => Selection::Prefix(String::new()),
    }
}

/// The other store. A table that was not named counts if it is there.
async fn other(
    arguments: &args::MigrateStates,
    ours: &Layout,
    err: &mut dyn Write,
) -> Result<Layout, Failure> {
    let mut wanted = Wanted {
        profile: arguments.other_profile.clone(),
        region: arguments.other_region.clone(),
        ..Wanted::default()
    };
    match arguments.other.as_str() {
        "aws" => {
            let region = Settings::load(Environment::new(env::vars_os()), wanted.clone())?;
            let region = region.region().to_owned();
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            let of = |service: &str| {
                (
                    service.to_owned(),
                    format!("https://{service}.{region}.amazonaws.com{suffix}"),
                )
            };
            wanted.endpoints = ["s3", "dynamodb"].map(of).into();
        }
        url => wanted.endpoint = Some(url.to_owned()),
    }
    let access = Access::new(Settings::load(Environment::new(env::vars_os()), wanted)?)?;
    let bucket = arguments.other_bucket.as_ref().unwrap_or(&ours.bucket).clone();
    let table = arguments.other_table.as_ref().or(ours.table.as_ref()).cloned();
    let mut other = Layout::new(access, bucket, table)?;
    if let (Some(table), None) = (&other.table, &arguments.other_table)
        && !has_table(&other, table).await?
    {
        writeln!(
            err,
            "note: {} has no table {}: states are locked there by lock files alone",
            other.dynamodb.endpoint(),
            visible(table)
        )?;
        other.table = None;
    }
    Ok(other)
}

async fn has_table(layout: &Layout, table: &str) -> Result<bool, Failure> {
    match layout.dynamodb.get_item(table, &layout.item_name("")).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
        Err(error) => Err(Failure::new(Status::Failed, visible(&error.to_string()))),
    }
}

fn transfer(
    arguments: &args::MigrateStates,
    direction: Direction,
    ours: Layout,
    other: Layout,
) -> Result<Transfer, Failure> {
    if ours.s3.endpoint() == other.s3.endpoint() && ours.bucket == other.bucket {
        let message = format!(
            "{} is the store that the states are in; name another endpoint, or another bucket of it with --other-bucket",
            place(&other)
        );
        return Err(Failure::new(Status::Usage, message));
    }
    let (from, to) = match direction {
        Direction::To => (ours, other),
        Direction::From => (other, ours),
    };
    let want = Want {
        id: arguments.resume.clone().unwrap_or_else(uuid),
        operation: OPERATION.to_owned(),
        who: grip::who(),
        info: format!("from {} to {}", place(&from), place(&to)),
        created: jiff::Timestamp::now().to_string(),
    };
    Ok(Transfer::new(from, to, want, arguments.resume.is_some())?)
}

fn place(layout: &Layout) -> String {
    format!("s3://{} at {}", layout.bucket, layout.s3.endpoint())
}

async fn plan(transfer: &Transfer, selection: &Selection) -> Result<Plan, Failure> {
    let (mut plan, mut progress) = (Plan::default(), Progress::start());
    let mut states = transfer.states(selection);
    while let Some(history) = states.next().await? {
        plan.objects += 1;
        plan.versions += history.bodies.len() as u64;
        plan.bytes += history.bytes();
        progress.show(|| format!("{} objects; now {}", plan.objects, visible(&history.key)));
    }
    if plan.objects > 0 {
        return Ok(plan);
    }
    let what = match selection {
        Selection::Key(key) => format!("no state {key}"),
        Selection::Prefix(prefix) if prefix.is_empty() => "no states".to_owned(),
        Selection::Prefix(prefix) => format!("no state whose key begins with {prefix}"),
    };
    let message = format!("{} has {what}", place(transfer.from()));
    Err(Failure::new(Status::Refused, visible(&message)))
}

fn print_plan(
    transfer: &Transfer,
    selection: &Selection,
    plan: &Plan,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let what = match selection {
        Selection::Key(key) => key.clone(),
        Selection::Prefix(prefix) if prefix.is_empty() => "every state".to_owned(),
        Selection::Prefix(prefix) => format!("every state below {prefix}"),
    };
    let locks = |layout: &Layout| match &layout.table {
        Some(table) => format!("lock files and the table {table}"),
        None => "lock files".to_owned(),
    };
    let (from, to) = (transfer.from(), transfer.to());
    for (name, text) in [
        ("from", format!("{}, locked by {}", place(from), locks(from))),
        ("to", format!("{}, locked by {}", place(to), locks(to))),
        ("what", what),
        (
            "size",
            format!(
                "{} with {}, {}; those that are there already are not copied again",
                count(plan.objects, "object"),
                count(plan.versions, "version"),
                bytes(plan.bytes)
            ),
        ),
    ] {
        writeln!(err, "{name:<6}{}", visible(&text))?;
    }
    Ok(())
}

/// Copies state by state. A signal ends it between two versions, with the locks released.
async fn copy(transfer: &Transfer, selection: &Selection, done: &mut Done) -> Result<(), Failure> {
    let is_stopped = AtomicBool::new(false);
    let mut signals = Signals::listen()?;
    let copying = copy_all(transfer, selection, done, &is_stopped);
    tokio::pin!(copying);
    loop {
        tokio::select! {
            copied = &mut copying => return copied,
            _ = signals.next() => is_stopped.store(true, Ordering::Relaxed),
        }
    }
}

async fn copy_all(
    transfer: &Transfer,
    selection: &Selection,
    done: &mut Done,
    is_stopped: &AtomicBool,
) -> Result<(), Failure> {
    let mut progress = Progress::start();
    let mut states = transfer.states(selection);
    while let Some(history) = states.next().await? {
        let (mut copied, mut size) = (0, 0);
        let mut watch = |bytes: u64| {
            (copied, size) = (copied + 1, size + bytes);
            progress.show(|| {
                format!(
                    "{}; now {}: {copied} versions",
                    done.told(),
                    visible(&history.key)
                )
            });
            match is_stopped.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let outcome = match is_stopped.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => transfer.copy(&history, &mut watch).await,
        };
        (done.copied, done.bytes) = (done.copied + copied, done.bytes + size);
        settle(done, &transfer.from().item_name(&history.key), outcome)?;
    }
    Ok(())
}

fn settle(done: &mut Done, address: &str, outcome: Result<Outcome, Error>) -> Result<(), Failure> {
    match outcome {
        Ok(Outcome::NoState) => {}
        Ok(Outcome::Done { there, .. } | Outcome::WentOn { there }) => {
            done.states += 1;
            done.there += there;
        }
        Err(error) if error.is_of_one_state() => done.refused.push(Refused {
            address: address.to_owned(),
            why: error.to_string(),
        }),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn print_done(
    transfer: &Transfer,
    done: &Done,
    has_directory: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let to = visible(&place(transfer.to()));
    writeln!(out, "Copied to {to}: {}", done.told())?;
    if has_directory && done.refused.is_empty() {
        writeln!(
            out,
            "\nWhere they were they still are. Name the new place in the backend block, or in the environment, and then:\n\n  \
             terraform init -reconfigure\n\nWhat is written to the old place until then comes with the same command again."
        )?;
    }
    Ok(())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match &error {
            Error::NoBucket(_) | Error::NotVersioned(_) => Status::Refused,
            _ => Status::Failed,
        };
        Failure::new(status, visible(&error.to_string()))
    }
}
