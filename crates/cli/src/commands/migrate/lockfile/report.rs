//! What is told of a migration, to people and as JSON.

use std::io::Write;

use serde::Serialize;
use tidelock_core::diff::visible;
use tidelock_operator::migrate::{Directory, Evidence, Leftover, Plan, Stand, Step, Survey, Target};

use crate::{
    args::DynamodbToLockfile,
    exit::{Failure, Status},
    shell,
};

#[derive(Serialize)]
pub(super) struct Report {
    phase: Option<u8>,
    reverse: bool,
    pub(super) directories: Vec<Told>,
    /// Files of Terragrunt's that people change themselves.
    terragrunt: Vec<String>,
    pub(super) tables: Vec<Leftover>,
    pub(super) notes: Vec<String>,
}

/// One directory.
#[derive(Serialize)]
pub(super) struct Told {
    pub(super) path: String,
    /// By what it locked before.
    locks: Vec<Stand>,
    /// Whether `init` has recorded another way of locking.
    needs_init: bool,
    pub(super) states: Vec<Evidence>,
    edits: Vec<ToldEdit>,
    /// Why it cannot be taken along.
    pub(super) stops: Vec<String>,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Changed,
    Locked,
    Failed,
}

#[derive(Serialize)]
struct ToldEdit {
    file: String,
    lines: Vec<usize>,
    change: String,
}

impl Told {
    fn of(directory: &Directory) -> Told {
        Told {
            path: directory.path.display().to_string(),
            locks: directory.stands(),
            needs_init: directory.targets.iter().any(Target::needs_init),
            states: Vec::new(),
            edits: Vec::new(),
            stops: directory.troubles.clone(),
            outcome: None,
        }
    }

    fn is_stopped(&self) -> bool {
        !self.stops.is_empty() || self.states.iter().any(|state| !state.is_both())
    }
}

impl Report {
    pub(super) fn of(arguments: &DynamodbToLockfile, survey: &Survey) -> Report {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        Report {
            phase: arguments.phase,
            reverse: arguments.reverse,
            directories: survey.directories.iter().map(Told::of).collect(),
            terragrunt: survey.terragrunt.iter().map(shown).collect(),
            tables: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What a step would change, and what it must not.
    pub(super) fn take_plan(&mut self, plan: &Plan<'_>) {
        let change = match &plan.step {
            Step::AddLockFile => "+ use_lockfile = true".to_owned(),
            Step::DropTable => "- dynamodb_table".to_owned(),
            Step::AddTable(table) => format!("+ dynamodb_table = \"{table}\""),
            Step::DropLockFile => "- use_lockfile".to_owned(),
        };
        for (planned, told) in plan.directories.iter().zip(&mut self.directories) {
            told.stops.clone_from(&planned.stops);
            let edits = planned.edits.iter().map(|edit| ToldEdit {
                file: edit.path.display().to_string(),
                lines: edit.lines.clone(),
                change: change.clone(),
            });
            told.edits.extend(edits);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.directories.iter().any(Told::is_stopped)
    }

    pub(super) fn has_edits(&self) -> bool {
        self.directories.iter().any(|told| !told.edits.is_empty())
    }

    /// How the command ends, where that is not well.
    pub(super) fn status(&self) -> Option<Status> {
        let mut stopped = self
            .directories
            .iter()
            .filter(|told| told.is_stopped())
            .peekable();
        stopped.peek()?;
        let is_locked = |told: &Told| told.outcome == Some(Outcome::Locked);
        match stopped.all(is_locked) {
            true => Some(Status::Refused),
            false => Some(Status::Failed),
        }
    }

    pub(super) fn print_plan(&self, err: &mut dyn Write) -> Result<(), Failure> {
        for told in &self.directories {
            for edit in &told.edits {
                let lines: Vec<String> = edit.lines.iter().map(usize::to_string).collect();
                let (file, lines) = (visible(&edit.file), lines.join(","));
                writeln!(err, "{file}:{lines}  {}", edit.change)?;
            }
        }
        Ok(())
    }

    pub(super) fn print(&self, arguments: &DynamodbToLockfile, out: &mut dyn Write) -> Result<(), Failure> {
        if self.directories.is_empty() {
            let path = arguments.path.display().to_string();
            writeln!(
                out,
                "There is no directory with a backend \"s3\" in {} or below.",
                visible(&path)
            )?;
        }
        for told in &self.directories {
            told.print(self, out)?;
        }
        for path in &self.terragrunt {
            let path = visible(path);
            writeln!(
                out,
                "\n{path}: Terragrunt writes the backend block from this; change its remote_state yourself, in the same phases"
            )?;
        }
        for note in &self.notes {
            writeln!(out, "\nnote: {note}")?;
        }
        for left in &self.tables {
            print_table(left, out)?;
        }
        self.print_next(arguments, out)
    }

    fn print_next(&self, arguments: &DynamodbToLockfile, out: &mut dyn Write) -> Result<(), Failure> {
        let has = |stand| self.directories.iter().any(|told| told.locks.contains(&stand));
        if self
            .directories
            .iter()
            .any(|told| told.outcome == Some(Outcome::Changed))
        {
            writeln!(
                out,
                "\nCommit the change; wherever the configuration is used, the next command is: terraform init -reconfigure"
            )?;
        }
        let command = |rest: &str| {
            let path = shell::quoted(&arguments.path.display().to_string());
            let command = format!("{} migrate dynamodb-to-lockfile {path} {rest}", shell::own_name());
            command.trim_end().to_owned()
        };
        let (first, both) = match arguments.reverse {
            false => (has(Stand::Table), has(Stand::Both)),
            true => (has(Stand::LockFile), has(Stand::Both)),
        };
        let next = match (arguments.phase, arguments.reverse) {
            _ if self.is_stopped() => return self.print_stopped(&command(&self.again()), out),
            (None, false) if first => "--phase 1",
            (None, true) if first => "--reverse --phase 3 --table TABLE",
            (None, false) | (Some(1), false) if first || both => "--phase 2",
            (None, true) | (Some(3), true) if first || both => "--reverse --phase 2",
            (Some(2), false) if both => "--phase 3",
            (Some(2), true) if both => "--reverse --phase 1",
            _ if self.directories.is_empty() => return Ok(()),
            _ => {
                writeln!(out, "\nDone: nothing is left to do here.")?;
                return Ok(());
            }
        };
        writeln!(out, "\nNext: {}", command(next))?;
        Ok(())
    }

    /// Where the step leads.
    fn after(&self) -> Stand {
        match (self.phase, self.reverse) {
            (Some(1), true) => Stand::Table,
            (Some(3), false) => Stand::LockFile,
            _ => Stand::Both,
        }
    }

    fn again(&self) -> String {
        let phase = self.phase.map(|phase| format!("--phase {phase}"));
        let reverse = self.reverse.then(|| "--reverse".to_owned());
        let parts: Vec<String> = reverse.into_iter().chain(phase).collect();
        parts.join(" ")
    }

    fn print_stopped(&self, again: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let stopped = self.directories.iter().filter(|told| told.is_stopped()).count();
        let all = self.directories.len();
        writeln!(
            out,
            "\n{stopped} of {all} directories cannot go on yet. Then again: {again}"
        )?;
        Ok(())
    }
}

impl Told {
    fn print(&self, report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
        let locks: Vec<&str> = self.locks.iter().map(|stand| words(*stand)).collect();
        let outcome = match self.outcome {
            Some(Outcome::Changed) => format!(" -> {}", words(report.after())),
            Some(Outcome::Locked) => ": left as it was".to_owned(),
            Some(Outcome::Failed) => ": failed".to_owned(),
            None => String::new(),
        };
        let locks = match locks.is_empty() {
            true => "not known".to_owned(),
            false => locks.join(", "),
        };
        writeln!(out, "{:<40} {locks}{outcome}", visible(&self.path))?;
        if self.needs_init && report.phase.is_none() {
            writeln!(
                out,
                "  init has recorded another way of locking: terraform init -reconfigure"
            )?;
        }
        for state in &self.states {
            writeln!(out, "  {:<60} {}", visible(&state.address), proof(state))?;
        }
        for stop in &self.stops {
            writeln!(out, "  stop: {}", visible(stop))?;
        }
        Ok(())
    }
}

fn words(stand: Stand) -> &'static str {
    match stand {
        Stand::Nothing => "no lock",
        Stand::Table => "table",
        Stand::Both => "table and lock file",
        Stand::LockFile => "lock file",
    }
}

fn proof(state: &Evidence) -> &'static str {
    match (state.one_lock, state.by_table, state.by_lock_file) {
        (true, _, _) => "ok: Tidelock has one lock for both",
        (false, true, true) => "ok: written under both",
        (false, true, false) => {
            "not written under a lock file yet, or the bucket keeps no versions to show it: apply a change with the new block"
        }
        (false, false, true) => {
            "the table has no digest of it, or another: whoever wrote it last did not use the table; put it \
             there, and apply a change with the new block"
        }
        (false, false, false) => "written with neither the table nor a lock file",
    }
}

fn print_table(left: &Leftover, out: &mut dyn Write) -> Result<(), Failure> {
    let table = visible(&left.table);
    if left.items > 0 {
        let names: Vec<String> = left.names.iter().map(|name| visible(name)).collect();
        let (items, names) = (left.items, names.join(", "));
        writeln!(
            out,
            "\nThe table {table} cannot go yet: it still has {items} items ({names}), of states that no directory here has."
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "\nThe table {table} is empty and can go, once every checkout has the change; where Terraform made it, with its resource, \
         else:\n  aws dynamodb delete-table --table-name {}\nDo not wait for long: a checkout that still locks in the table alone does not see the lock files, and is \
         stopped only when the table is gone.",
        shell::quoted(&left.table)
    )?;
    Ok(())
}
