//! `tidelock explain` and `tidelock who-can`: which statement decides, and what would have to be added.

use std::io::Write;

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidelock_core::{Time, diff::visible};
use tidelock_doors::audit::{Decided, Effect, Entry};

use super::versions;
use crate::{
    admin::{self, Admin},
    args,
    exit::{Failure, Status},
};

/// What the policies say of somebody.
#[derive(Deserialize, Serialize)]
struct Answer {
    principal: String,
    /// Whether it is the key pair of the data directory, which may do everything.
    #[serde(default)]
    operator: bool,
    decided: Decided,
}

/// Everybody who may.
#[derive(Deserialize, Serialize)]
struct WhoCan {
    action: String,
    resource: String,
    can: Vec<Answer>,
    checked: u64,
}

pub(crate) fn explain(arguments: args::Explain, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    match (arguments.words.as_slice(), &arguments.principal) {
        ([id], None) => request(&admin, id, arguments.json, out),
        ([action, resource], Some(principal)) => {
            let mut pairs = vec![("principal", principal.as_str())];
            pairs.extend(asked(action, resource, &arguments.context));
            let answer: Answer =
                admin.ask(Method::GET, &admin::with_query("/admin/explain", &pairs), None)?;
            match arguments.json {
                true => super::print_json(&answer, out)?,
                false => print(&answer.decided, &answer.principal, out)?,
            }
            refuse(answer.decided.effect != Effect::Allowed)
        }
        _ => {
            let message = "give the id of a request; or --principal, an action and a resource";
            Err(Failure::new(Status::Usage, message))
        }
    }
}

pub(crate) fn who_can(arguments: args::WhoCan, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = Admin::of(arguments.server)?;
    let pairs: Vec<_> = asked(&arguments.action, &arguments.resource, &arguments.context).collect();
    let found: WhoCan = admin.ask(Method::GET, &admin::with_query("/admin/who-can", &pairs), None)?;
    if arguments.json {
        return super::print_json(&found, out);
    }
    writeln!(
        out,
        "{} on {}:\n",
        visible(&found.action),
        visible(&found.resource)
    )?;
    for one in &found.can {
        let by = match one.operator {
            true => "the operator: the key pair in the data directory".to_owned(),
            false => by(&one.decided),
        };
        writeln!(out, "  {}\n    {}", visible(&one.principal), by)?;
    }
    writeln!(out, "\n{} of {} users and roles", found.can.len(), found.checked)?;
    Ok(())
}

fn asked<'a>(
    action: &'a str,
    resource: &'a str,
    context: &'a [String],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let context = context.iter().map(|pair| ("context", pair.as_str()));
    [("action", action), ("resource", resource)]
        .into_iter()
        .chain(context)
}

/// What the log says of a request.
fn request(admin: &Admin, id: &str, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let line: Value = admin.ask(Method::GET, &admin::path("explain", id), None)?;
    if as_json {
        return super::print_json(&line, out);
    }
    let entry: Entry = serde_json::from_value(line).map_err(anyhow::Error::from)?;
    let who = if entry.principal.is_empty() {
        "somebody not known"
    } else {
        &entry.principal
    };
    let operation = visible(&format!("{} {} {}", entry.door, entry.operation, entry.address));
    writeln!(
        out,
        "{}  {}\n  asked by {} at {}, {}\n  answered {} {}\n",
        versions::clock(Time(entry.time_ms)),
        operation.trim_end(),
        visible(who),
        visible(&entry.source),
        if entry.secure {
            "encrypted"
        } else {
            "not encrypted"
        },
        entry.status,
        visible(&entry.code),
    )?;
    for decided in &entry.decided {
        print(decided, who, out)?;
    }
    if entry.decided.is_empty() {
        writeln!(out, "{}", unasked(&entry))?;
    } else if entry.status >= 400 && !entry.is_denied() {
        writeln!(
            out,
            "The policies allowed it; the answer has another reason: {}.",
            visible(&entry.code)
        )?;
    }
    refuse(entry.is_denied())
}

/// Why the policies were not asked.
fn unasked(entry: &Entry) -> &'static str {
    match entry.is_denied() {
        true => {
            "Nobody was asked: who sent it did not prove who they are. The access key, its secret, its session token or the clock is wrong."
        }
        false => "No policy had to be asked.",
    }
}

fn print(decided: &Decided, who: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let what = visible(&format!("{} on {}", decided.action, decided.resource));
    match decided.effect {
        Effect::Allowed => writeln!(out, "allowed: {what}\n  {}", by(decided))?,
        Effect::DeniedExplicitly => writeln!(
            out,
            "denied: {what}\n  {}\n  A deny counts whatever else allows it: change that statement.",
            by(decided)
        )?,
        Effect::NotAllowed => {
            let missing = match decided.missing.as_str() {
                "" => "policy",
                missing => missing,
            };
            let statement = statement(decided, who);
            writeln!(
                out,
                "not allowed: {what}\n  No {missing} allows it. What is missing for {}:\n  {}",
                visible(who),
                visible(&statement.to_string())
            )?;
        }
    }
    Ok(())
}

/// What would allow it: in the policy of a role, a bucket or a key it says whom, and a trust policy has no resource.
fn statement(decided: &Decided, who: &str) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Action": decided.action });
    if decided.missing == "resource-based policy" && who.starts_with("arn:") {
        statement["Principal"] = json!({ "AWS": who });
    }
    if statement["Principal"].is_null() || !decided.action.starts_with("sts:") {
        statement["Resource"] = json!(decided.resource);
    }
    statement
}

/// The statements that decided.
fn by(decided: &Decided) -> String {
    let by = decided
        .by
        .iter()
        .map(|by| format!("{} of {} ({})", by.statement, by.policy, by.source));
    let by: Vec<_> = by.collect();
    match by.is_empty() {
        true => "by no statement: it needs none".to_owned(),
        false => visible(&format!("by {}", by.join(" and "))),
    }
}

/// A script can tell by the exit status.
fn refuse(is_refused: bool) -> Result<(), Failure> {
    match is_refused {
        true => Err(Failure::new(Status::Refused, "it is not allowed")),
        false => Ok(()),
    }
}
