//! `tidelock show`: one version, who wrote it and what is in it.

use std::io::Write;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tidelock_core::{
    Time,
    diff::{Contents, Output, Resource, Sensitive, visible},
    limits::DIFF_TEXT_CHARS_MAX,
};
use tidelock_service::Form;

use super::{
    locks, style,
    versions::{self, Entry, Name, Place},
};
use crate::{
    args,
    exit::{Failure, Status},
    pager,
};

/// Everything about a version, as `--json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    resources: Option<&'a [Resource]>,
    outputs: Option<&'a [Output]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a RawValue>,
}

pub(crate) fn run(arguments: args::Show, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (address, version) = versions::with_version(arguments.words)?;
    let place = Place::find(address.as_deref(), arguments.configuration, err)?;
    let entry = place.entry(&version)?;
    let body = if entry.deleted {
        Bytes::new()
    } else {
        place.body(&entry)?
    };
    if arguments.state && !arguments.json {
        return print_state(&entry, &body, out);
    }
    let sensitive = match arguments.sensitive {
        true => Sensitive::Show,
        false => Sensitive::Hide,
    };
    // Any object may be stored; only a state has something to show inside.
    let contents = match entry.serial {
        Some(_) => Some(Contents::read(&body, sensitive).map_err(anyhow::Error::from)?),
        None => None,
    };
    let contents = contents.filter(|contents| !contents.sealed);
    if arguments.json {
        let shown = Shown {
            entry: &entry,
            resources: contents.as_ref().map(|contents| contents.resources.as_slice()),
            outputs: contents.as_ref().map(|contents| contents.outputs.as_slice()),
            state: (arguments.state && entry.serial.is_some())
                .then(|| serde_json::from_slice(&body))
                .transpose()
                .map_err(anyhow::Error::from)?,
        };
        return super::print_json(&shown, out);
    }
    let now = place.now()?;
    pager::paged(out, |out| {
        print_entry(&place, &entry, now, out)?;
        if let Some(contents) = &contents {
            print_contents(contents, out)?;
        }
        print_next(&place, &entry, out)
    })
}

/// An empty file would pass for a state that was read.
fn print_state(entry: &Entry, body: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    if entry.deleted {
        let message = format!(
            "version {} deleted the state; there is nothing in it",
            entry.version
        );
        return Err(Failure::new(Status::Refused, message));
    }
    Ok(out.write_all(body)?)
}

fn print_entry(place: &Place, entry: &Entry, now: Time, out: &mut dyn Write) -> Result<(), Failure> {
    let title = format!("{}, version {}", visible(&place.address), entry.version);
    let current = if entry.current { "  (current)" } else { "" };
    writeln!(out, "{}{current}\n", style::styled(style::BOLD, &title))?;
    let mut line = |label: &str, text: &str| writeln!(out, "{label:<10} {text}");
    let when = |time| format!("{}, {}", versions::ago(now, time), versions::clock(time));
    let wrote = if entry.deleted { "deleted" } else { "written" };
    line(wrote, &when(entry.written_ms))?;
    if let Some(since) = entry.hidden_ms {
        line("hidden", &format!("{}: S3 no longer shows it", when(since)))?;
    }
    match versions::operation(entry) {
        operation if entry.lock.is_some() => line("by", &format!("{}, {operation}", versions::who(entry)))?,
        _ => line("by", &versions::who(entry))?,
    }
    if let Some(writer) = &entry.writer {
        line("", &locks::caller(writer))?;
        if let Some(token) = &writer.run_token {
            line("run", &locks::run_words(token))?;
        }
    }
    if let Some(lock) = &entry.lock {
        let fence = lock.fence.map(|fence| format!(", fence {fence}"));
        let fence = fence.unwrap_or_default();
        line("lock", &format!("{}{fence}", visible(&lock.id)))?;
    }
    if let Some(serial) = entry.serial {
        line("serial", &serial.to_string())?;
    }
    if let Some(lineage) = &entry.lineage {
        line("lineage", &visible(lineage))?;
    }
    if let Some(version) = &entry.terraform_version {
        line("terraform", &visible(version))?;
    }
    if let Some(changes) = &entry.changes {
        line("changed", &style::counts(changes, 0))?;
    }
    if let (Some(size), Some(md5)) = (entry.size, &entry.md5) {
        line("size", &format!("{size} bytes, MD5 {}", visible(md5)))?;
    }
    if let (Some(stored), Some(form)) = (entry.stored_bytes, entry.form) {
        let form = match form {
            Form::Whole => "by itself",
            Form::Delta => "as what differs from another version",
        };
        line("stored", &format!("{stored} bytes, {form}"))?;
    }
    if matches!(entry.version, Name::Number(_)) {
        line("S3 id", &visible(&entry.id))?;
    }
    if entry.encrypted {
        line("contents", "encrypted; only who has the key can look into it")?;
    }
    Ok(())
}

fn print_contents(contents: &Contents, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "\n{:<10} {}", "resources", contents.resources.len())?;
    for resource in &contents.resources {
        write!(out, "  {}", resource.address)?;
        if let Some(key) = &resource.deposed {
            write!(out, " (deposed {})", visible(key))?;
        }
        match &resource.id {
            Some(id) => writeln!(out, "  id {}", versions::cut(&visible(id), DIFF_TEXT_CHARS_MAX))?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "\n{:<10} {}", "outputs", contents.outputs.len())?;
    for output in &contents.outputs {
        let value = match &output.value {
            Some(value) => versions::cut(&visible(value.as_json()), DIFF_TEXT_CHARS_MAX),
            None if output.sensitive => "(sensitive value)".to_owned(),
            None => "null".to_owned(),
        };
        writeln!(out, "  {} = {value}", output.name)?;
    }
    Ok(())
}

fn print_next(place: &Place, entry: &Entry, out: &mut dyn Write) -> Result<(), Failure> {
    let number = entry.version.to_string();
    if entry.current || entry.deleted {
        writeln!(out, "\nnext: {}", place.command("history", &[]))?;
        return Ok(());
    }
    writeln!(out, "\nnext: {}", place.command("diff", &[&number]))?;
    writeln!(out, "      {}", place.command("rollback", &[&number]))?;
    Ok(())
}
