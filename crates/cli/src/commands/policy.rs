//! `tidelock policy`: the least IAM policy of a backend, why it is as it is, and how another compares.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use tidelock_core::{diff::visible, limits::POLICY_BYTES_MAX};
use tidelock_operator::{
    backend::Backend,
    files,
    policy::{self, CheckError, Report, Statement, Subject, Workspaces},
};

use super::style;
use crate::{
    args,
    exit::{Failure, Status},
    stock::{self, Found},
};

/// How many actions of one finding are named; the rest is counted.
const ACTIONS_SHOWN: usize = 6;

pub(crate) fn run(
    arguments: &args::Policy,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let found = stock::find(&arguments.stock, err)?;
    let subject = subject(arguments, &found)?;
    let role = arguments.role.into();
    if let Some(file) = &arguments.check {
        let report = check(file, &subject, role)?;
        match arguments.json {
            true => super::print_json(&report, out)?,
            false => print_report(&report, arguments.role, out)?,
        }
        return Ok(match report.is_exact() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Status::Failed as u8),
        });
    }
    let statements = policy::statements(&subject, role);
    match (arguments.explain, arguments.json) {
        (false, _) => super::print_json(&policy::document(&statements), out)?,
        (true, true) => super::print_json(&explained(&statements), out)?,
        (true, false) => explain(&statements, out)?,
    }
    advise(&subject, found.backend.as_ref(), err)?;
    Ok(ExitCode::SUCCESS)
}

/// What the backend says, and over it what is named.
fn subject(arguments: &args::Policy, found: &Found) -> Result<Subject, Failure> {
    let named = &arguments.stock.layout;
    let mut subject = match &found.backend {
        Some(backend) => Subject::of(backend),
        None => Subject {
            bucket: found.layout.bucket.clone(),
            workspace_prefix: "env:".to_owned(),
            lock_file: named.table.is_none(),
            ..Subject::default()
        },
    };
    if let Some(key) = &named.key {
        subject.key.clone_from(key);
    }
    if subject.key.is_empty() {
        let message = "whose states? Name the state of the workspace `default` with --key";
        return Err(Failure::new(Status::Usage, message));
    }
    subject.table = found.layout.table.clone();
    subject.lock_file |= arguments.lock_file;
    subject.region = named.region.clone().or(subject.region);
    subject.kms_key = arguments.kms_key.clone().or(subject.kms_key);
    if let Some(account) = &arguments.account {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("--account '{}' is not twelve digits", visible(account));
            return Err(Failure::new(Status::Usage, message));
        }
        subject.account = Some(account.clone());
    }
    if !arguments.workspaces.is_empty() {
        subject.workspaces = Workspaces::Only(arguments.workspaces.clone());
    }
    Ok(subject)
}

fn check(file: &Path, subject: &Subject, role: policy::Role) -> Result<Report, Failure> {
    let path = if file == Path::new("-") {
        PathBuf::from("/dev/stdin")
    } else {
        file.to_owned()
    };
    let cannot = |why: String| Failure::new(Status::Usage, format!("{}: {why}", file.display()));
    let text = files::read_text(&path, POLICY_BYTES_MAX as u64).map_err(|fault| cannot(fault.to_string()))?;
    let text = text.ok_or_else(|| cannot("there is no such file".to_owned()))?;
    policy::check(&text, subject, role).map_err(|fault| match fault {
        CheckError::Policy(_) | CheckError::Json(_) => cannot(fault.to_string()),
    })
}

/// What the policy itself does not say.
fn advise(subject: &Subject, backend: Option<&Backend>, err: &mut dyn Write) -> Result<(), Failure> {
    if let Some(role) = backend.and_then(|backend| backend.wanted.roles.last()) {
        writeln!(
            err,
            "note: the block assumes {}: attach it to that role; who runs Terraform needs sts:AssumeRole on it",
            visible(&role.arn)
        )?;
    }
    let has_arns = subject.table.is_some() || subject.kms_key.is_some();
    if has_arns && subject.region.is_none() {
        writeln!(
            err,
            "note: the region is not known; name it with --region to narrow the policy"
        )?;
    }
    if has_arns && subject.account.is_none() {
        writeln!(
            err,
            "note: the account is not known; name it with --account to narrow the policy"
        )?;
    }
    Ok(())
}

fn explain(statements: &[Statement], out: &mut dyn Write) -> Result<(), Failure> {
    for (at, statement) in statements.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        writeln!(out, "{gap}{}", style::styled(style::BOLD, statement.sid))?;
        for resource in &statement.resources {
            writeln!(out, "  on {}", visible(resource))?;
        }
        for (_, key, values) in &statement.conditions {
            writeln!(out, "  where {key} is {}", visible(&values.join(", ")))?;
        }
        for action in &statement.actions {
            writeln!(out, "    {}\n      {}", action.action, action.calls)?;
        }
    }
    writeln!(
        out,
        "\ninit also asks STS who it is (GetCallerIdentity), which needs no permission."
    )?;
    Ok(())
}

fn explained(statements: &[Statement]) -> serde_json::Value {
    let each = statements.iter().map(|statement| {
        let conditions = statement.conditions.iter();
        let conditions = conditions
            .map(|(operator, key, values)| json!({"operator": operator, "key": key, "values": values}));
        json!({
            "sid": statement.sid,
            "resources": statement.resources,
            "conditions": conditions.collect::<Vec<_>>(),
            "actions": statement.actions,
        })
    });
    json!({"statements": each.collect::<Vec<_>>()})
}

fn print_report(report: &Report, role: args::PolicyRole, out: &mut dyn Write) -> Result<(), Failure> {
    for missing in &report.missing {
        writeln!(out, "missing   {}", style::styled(style::BOLD, missing.action))?;
        for on in &missing.on {
            writeln!(out, "          on {}", visible(on))?;
        }
        if let Some(statement) = &missing.denied_by {
            writeln!(out, "          denied by {}", visible(statement))?;
        }
        writeln!(out, "          needed: {}", missing.calls)?;
    }
    for excess in &report.excess {
        let shown: Vec<String> = excess
            .actions
            .iter()
            .take(ACTIONS_SHOWN)
            .map(|action| visible(action))
            .collect();
        let more = match excess.actions.len().saturating_sub(ACTIONS_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let statement = style::styled(style::BOLD, &visible(&excess.statement));
        writeln!(out, "too much  {statement}: {}{more}", shown.join(", "))?;
        writeln!(out, "          {}", visible(&excess.why))?;
    }
    for assumed in &report.assumed {
        let (statement, keys) = (visible(&assumed.statement), visible(&assumed.keys.join(", ")));
        let taken = if assumed.allows { "was met" } else { "was not met" };
        writeln!(out, "assumed   {statement}: that its condition on {keys} {taken}")?;
    }
    let role = role.word();
    match report.is_exact() {
        true => writeln!(
            out,
            "the policy allows what the role {role} needs, and nothing else"
        )?,
        false => writeln!(
            out,
            "\n{} missing, {} too much for the role {role}; `tidelock policy --role {role}` prints one that fits",
            report.missing.len(),
            report.excess.len()
        )?,
    }
    Ok(())
}
