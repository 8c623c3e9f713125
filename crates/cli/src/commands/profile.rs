//! `tidelock profile`: shows the plan for the user's AWS files, and carries it out.

use std::io::Write;

use serde_json::json;
use tidelock_operator::{
    ini::Change,
    profile::{self, FilePlan, Plan, ProfileError, Wanted},
};

use crate::{
    args, config,
    exit::{Failure, Status},
    running::Running,
};

/// Plans, prints, and applies unless it is a dry run.
pub(crate) fn run(arguments: args::Profile, out: &mut dyn Write) -> Result<(), Failure> {
    let running = Running::of(arguments.place)?;
    let [config, credentials] = config::aws_files()?;
    let plan = profile::inspect(&Wanted {
        name: &arguments.name,
        endpoint: &running.endpoint.url,
        ca_bundle: running.endpoint.ca.as_deref(),
        access_key_id: &running.credentials.access_key_id,
        secret_access_key: &running.credentials.secret_access_key,
        config: &config,
        credentials: &credentials,
        force: arguments.force,
    })?;
    if !arguments.dry_run {
        profile::apply(&plan)?;
    }
    if arguments.json {
        let object = as_json(&plan, &arguments.name, &running.endpoint.url, arguments.dry_run);
        return super::print_json(&object, out);
    }
    print(&plan, arguments.dry_run, out)?;
    if !arguments.dry_run {
        writeln!(
            out,
            "\nIn the backend block:\n\n  profile = \"{}\"",
            arguments.name
        )?;
    }
    Ok(())
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let status = match error {
            ProfileError::Name(_) => Status::Usage,
            ProfileError::NotOurs { .. } => Status::NotOurs,
            ProfileError::Twice { .. }
            | ProfileError::Read { .. }
            | ProfileError::Changed { .. }
            | ProfileError::Write { .. } => Status::Failed,
        };
        Self {
            status,
            error: error.into(),
        }
    }
}

fn print(plan: &Plan, dry_run: bool, out: &mut dyn Write) -> std::io::Result<()> {
    for file in &plan.files {
        let what = match (file.is_needed(), dry_run) {
            (false, _) => "is as wanted",
            (true, true) => "would change:",
            (true, false) => "changed:",
        };
        writeln!(out, "{} {what}", file.path.display())?;
        if file.tightens {
            writeln!(out, "  mode     0600, it was open to others")?;
        }
        for (header, change) in file.sections.iter().filter(|_| file.is_needed()) {
            writeln!(out, "  {:<8} [{header}]", word(*change))?;
        }
    }
    Ok(())
}

fn as_json(plan: &Plan, name: &str, endpoint: &str, dry_run: bool) -> serde_json::Value {
    let file = |file: &FilePlan| {
        let sections = file
            .sections
            .iter()
            .map(|(header, change)| json!({"section": header, "change": word(*change)}));
        json!({
            "path": file.path,
            "creates": file.creates,
            "tightens": file.tightens,
            "sections": sections.collect::<Vec<_>>(),
        })
    };
    let files: Vec<_> = plan.files.iter().map(file).collect();
    json!({"profile": name, "endpoint": endpoint, "dry_run": dry_run, "files": files})
}

fn word(change: Change) -> &'static str {
    match change {
        Change::None => "keep",
        Change::Add => "add",
        Change::Update => "update",
        Change::Replace => "replace",
    }
}
