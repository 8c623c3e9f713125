//! `tidelock bootstrap`: shows what a bucket for states lacks, asks, and has it made so.

use std::{io::Write, process::ExitCode};

use serde_json::{Value, json};
use tidelock_core::diff::visible;
use tidelock_operator::{
    bootstrap::{self, Error, News, Plan, Setting, Verdict, Wanted, print},
    layout::Layout,
};

use super::{count, style};
use crate::{
    args::{self, Form},
    ask::confirm,
    exit::{Failure, Status},
    progress::Progress,
    stock::{self, Found},
};

pub(crate) fn run(
    arguments: args::Bootstrap,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let found = stock::find(&arguments.stock, err)?;
    let wanted = wanted(&arguments, &found);
    let layout = &found.layout;
    let plan = stock::wait(async { Ok(bootstrap::inspect(layout, &wanted).await?) })?;
    if let Some(form) = arguments.print {
        out.write_all(code(form, &plan, &found).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    // Under --json standard output has one object, so that the plan goes where the question goes.
    let shown: &mut dyn Write = if arguments.json { &mut *err } else { &mut *out };
    show(&plan, shown)?;
    if arguments.dry_run || plan.is_done() {
        return end(&plan, None, &arguments, &found, out);
    }
    let what = format!("change {} of s3://{}", changes(&plan), wanted.bucket);
    confirm(&visible(&what), arguments.yes, err)?;
    let after = stock::wait(carry_out(layout, &wanted, &plan, err))?;
    end(&after, Some(&plan), &arguments, &found, out)
}

/// For how long replaced versions are kept, and how many in any case, where nobody says so: a quarter's mistakes.
const KEEP_DAYS: u32 = 90;
const KEEP_VERSIONS: u32 = 100;

fn wanted(arguments: &args::Bootstrap, found: &Found) -> Wanted {
    let layout = &found.layout;
    let of_block = layout.encryption.kms_key.clone();
    Wanted {
        bucket: layout.bucket.clone(),
        region: layout.access.region().to_owned(),
        kms_key: arguments.kms_key.clone().or(of_block),
        table_kms_key: arguments.table_kms_key.clone(),
        allow: arguments.allow.clone(),
        tags: arguments.tag.iter().cloned().collect(),
        ends_versions: arguments.keep_days.is_some() || arguments.keep_versions.is_some(),
        keep_days: arguments.keep_days.unwrap_or(KEEP_DAYS),
        keep_versions: arguments.keep_versions.unwrap_or(KEEP_VERSIONS),
        table: layout.table.clone(),
        over_tls: layout.s3.endpoint().starts_with("https://"),
    }
}

fn code(form: Form, plan: &Plan, found: &Found) -> String {
    let reached = reached(&found.layout);
    match form {
        Form::Hcl => print::hcl(plan),
        Form::Cloudformation => print::cloudformation(plan),
        Form::AwsCli => print::aws_cli(plan, &reached),
        Form::Backend => print::backend(&plan.target, key(found), &reached),
    }
}

/// The endpoints that are not AWS's own.
fn reached(layout: &Layout) -> print::Reached {
    let own = |url: String| (!url.contains(".amazonaws.com")).then_some(url);
    print::Reached {
        s3: own(layout.s3.endpoint()),
        dynamodb: own(layout.dynamodb.endpoint().to_owned()),
    }
}

/// The key of the state, as the backend block has it.
fn key(found: &Found) -> &str {
    let of_block = found.backend.as_ref().map(|backend| backend.key.as_str());
    let named = found.key.as_deref().filter(|_| found.backend.is_none());
    named.or(of_block).unwrap_or("terraform.tfstate")
}

async fn carry_out(
    layout: &Layout,
    wanted: &Wanted,
    plan: &Plan,
    err: &mut dyn Write,
) -> Result<Plan, Failure> {
    let (mut told, mut progress) = (Ok(()), Progress::start());
    let after = bootstrap::apply(layout, wanted, plan, |news| match news {
        News::Done(setting) => {
            let line = visible(&format!("{}: {}", setting.part, setting.wanted));
            told = writeln!(err, "done  {line}");
        }
        News::Waiting(setting) => progress.show(|| format!("waiting for the {}", setting.part)),
    })
    .await?;
    told?;
    Ok(after)
}

fn show(plan: &Plan, out: &mut dyn Write) -> Result<(), Failure> {
    for setting in &plan.settings {
        let (sign, text) = match &setting.verdict {
            Verdict::AsWanted => (' ', setting.wanted.clone()),
            Verdict::Stricter => (
                ' ',
                format!("{} (stricter than {}, stays)", found(setting), setting.wanted),
            ),
            Verdict::Change(_) if setting.found.is_none() => ('+', setting.wanted.clone()),
            Verdict::Change(_) => ('~', format!("{} -> {}", found(setting), setting.wanted)),
            Verdict::LeftOut(why) => (' ', format!("left out: {why}")),
            Verdict::Impossible(why) => ('!', format!("{}, not {}: {why}", found(setting), setting.wanted)),
        };
        let line = visible(&format!("{sign} {:<22} {text}", setting.part.to_string()));
        write!(out, "{}", style::signs(&(line + "\n")))?;
    }
    for note in &plan.notes {
        writeln!(out, "note: {}", visible(note))?;
    }
    Ok(())
}

fn found(setting: &Setting) -> &str {
    setting.found.as_deref().unwrap_or("nothing")
}

fn changes(plan: &Plan) -> String {
    let settings = plan.settings.iter();
    let changes = settings.filter(|setting| setting.step().is_some()).count();
    count(changes as u64, "setting")
}

/// Says what it has come to, and ends with 1 where something is not as wanted. `before` is the plan that was carried out.
fn end(
    plan: &Plan,
    before: Option<&Plan>,
    arguments: &args::Bootstrap,
    found: &Found,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let is_so = plan.is_done() && plan.impossible().next().is_none();
    if arguments.json {
        super::print_json(&as_json(plan, before.is_some(), &found.layout), out)?;
    } else {
        say(plan, before, is_so, out)?;
        if is_so && before.is_some() && found.backend.is_none() {
            let block = print::backend(&plan.target, key(found), &reached(&found.layout));
            writeln!(
                out,
                "\nIn a configuration that keeps its state there:\n\n{}",
                block.trim_end()
            )?;
        }
    }
    Ok(if is_so {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Status::Failed as u8)
    })
}

fn say(plan: &Plan, before: Option<&Plan>, is_so: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let is_same = |one: &Setting, other: &Setting| (one.part, &one.verdict) == (other.part, &other.verdict);
    let known = |setting: &Setting| {
        before.is_none_or(|before| before.settings.iter().any(|other| is_same(other, setting)))
    };
    for setting in plan.settings.iter().filter(|setting| !known(setting)) {
        let (sign, text) = match &setting.verdict {
            Verdict::LeftOut(why) => (' ', format!("left out: {why}")),
            Verdict::Impossible(why) => ('!', why.clone()),
            _ => continue,
        };
        let line = visible(&format!("{sign} {:<22} {text}", setting.part.to_string()));
        writeln!(out, "{line}")?;
    }
    match (is_so, before.is_some()) {
        (true, true) => writeln!(out, "\nEverything is as wanted now.")?,
        (true, false) => writeln!(out, "\nNothing to do: everything is as wanted.")?,
        (false, _) if plan.is_done() => {
            writeln!(
                out,
                "\nWhat is marked with ! is not as wanted, and no change can mend it."
            )?;
        }
        (false, _) => writeln!(out, "\n{} would change.", changes(plan))?,
    }
    Ok(())
}

fn as_json(plan: &Plan, changed: bool, layout: &Layout) -> Value {
    let setting = |setting: &Setting| {
        let (verdict, why) = match &setting.verdict {
            Verdict::AsWanted => ("as_wanted", None),
            Verdict::Stricter => ("stricter", None),
            Verdict::Change(_) => ("change", None),
            Verdict::LeftOut(why) => ("left_out", Some(why)),
            Verdict::Impossible(why) => ("impossible", Some(why)),
        };
        json!({
            "name": setting.part.to_string(),
            "wanted": setting.wanted,
            "found": setting.found,
            "verdict": verdict,
            "why": why,
        })
    };
    json!({
        "bucket": layout.bucket,
        "table": layout.table,
        "region": plan.target.region,
        "settings": plan.settings.iter().map(setting).collect::<Vec<_>>(),
        "notes": plan.notes,
        "changed": changed,
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            status: Status::Failed,
            error: error.into(),
        }
    }
}
