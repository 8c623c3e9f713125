//! `tidelock secrets`: goes through states, says where secrets are, and forgets what they are.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tidelock_core::{
    diff::{DiffError, visible},
    limits::{DIFF_STATE_BYTES_MAX, STATES_READ_AT_ONCE},
};
use tidelock_operator::{
    layout::Layout,
    s3,
    secrets::{self, Finding, Found, Kind, Schemas},
};

use super::{count, style};
use crate::{
    args::{self, FailOn},
    exit::{Failure, Status},
    progress::Progress,
    shell, stock,
};

pub(crate) fn run(
    arguments: &args::Secrets,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let mut search = Search {
        schemas: schemas(arguments)?,
        fail_on: &arguments.fail_on,
        json: arguments.json,
        out,
        err,
        tally: Tally::default(),
    };
    if arguments.files.is_empty() {
        let found = stock::find(&arguments.stock, search.err)?;
        match (&arguments.prefix, &found.key) {
            (Some(prefix), _) => stock::wait(search.below(&found.layout, prefix))?,
            (None, Some(key)) => stock::wait(search.one(&found.layout, key))?,
            (None, None) => {
                let message = "which state? Name it with --key, or several with --prefix";
                return Err(Failure::new(Status::Usage, message));
            }
        }
    }
    for file in &arguments.files {
        search.file(file)?;
    }
    search.end()
}

/// A pass over states.
struct Search<'a> {
    schemas: Schemas,
    fail_on: &'a [FailOn],
    json: bool,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    states: u64,
    with_secrets: u64,
    secrets: u64,
    unread: u64,
    is_failing: bool,
}

impl Search<'_> {
    async fn one(&mut self, layout: &Layout, key: &str) -> Result<(), Failure> {
        let body = read(layout, key).await?.ok_or_else(|| {
            let message = format!("there is no state {}/{}", visible(&layout.bucket), visible(key));
            Failure::new(Status::Refused, message)
        })?;
        self.state(&format!("{}/{key}", layout.bucket), &body, true)
    }

    /// Every state below a prefix, a few at once, each told before the next page is asked for.
    async fn below(&mut self, layout: &Layout, prefix: &str) -> Result<(), Failure> {
        let mut progress = Progress::start();
        let mut next = None;
        loop {
            let page = layout
                .s3
                .list_objects(&layout.bucket, prefix, next.as_deref())
                .await?;
            let (mut keys, mut too_large) = (Vec::new(), Vec::new());
            for listed in page.items {
                match listed.size {
                    _ if listed.key.ends_with(".tflock") => {}
                    size if size > DIFF_STATE_BYTES_MAX as u64 => too_large.push(listed.key),
                    _ => keys.push(listed.key),
                }
            }
            for key in too_large {
                self.unread(
                    &format!("{}/{key}", layout.bucket),
                    "it is too large to be a state",
                )?;
            }
            let reads = keys
                .iter()
                .map(|key| async move { (key, read(layout, key).await) });
            let mut reads = stream::iter(reads).buffered(STATES_READ_AT_ONCE);
            while let Some((key, body)) = reads.next().await {
                let name = format!("{}/{key}", layout.bucket);
                match body {
                    Ok(Some(body)) => self.state(&name, &body, false)?,
                    // What is gone since it was listed has no secrets any more.
                    Ok(None) => {}
                    // One that is closed to us says nothing about the others.
                    Err(why) if why.code().is_some_and(is_of_one) => self.unread(&name, &why.to_string())?,
                    Err(why) => return Err(why.into()),
                }
                progress.show(|| format!("{} states, {} secrets", self.tally.states, self.tally.secrets));
            }
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let (name, source): (_, Box<dyn Read>) = match path == Path::new("-") {
            true => ("standard input".to_owned(), Box::new(io::stdin().lock())),
            false => {
                let named =
                    |fault: io::Error| Failure::new(Status::Usage, format!("{}: {fault}", path.display()));
                (
                    path.display().to_string(),
                    Box::new(File::open(path).map_err(named)?),
                )
            }
        };
        let mut body = Vec::new();
        // One byte more says that it is too large.
        let read = source
            .take(DIFF_STATE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut body);
        read.map_err(|fault| Failure::new(Status::Usage, format!("{name}: {fault}")))?;
        self.state(&name, &body, true)
    }

    /// Looks through one state; who named it is told when it is none.
    fn state(&mut self, name: &str, body: &[u8], is_named: bool) -> Result<(), Failure> {
        let found = match secrets::find(body, &self.schemas) {
            Ok(found) => found,
            Err(DiffError::Header(..)) if !is_named => return Ok(()),
            Err(why) => return self.unread(name, &why.to_string()),
        };
        if found.header.encrypted {
            return self.unread(name, "it is encrypted by OpenTofu");
        }
        self.tally.states += 1;
        self.tally.secrets += (found.findings.len() + found.omitted) as u64;
        self.tally.with_secrets += u64::from(!found.findings.is_empty());
        let is_meant = |kind: &Kind| self.fail_on.iter().any(|fail_on| fail_on.means(*kind));
        self.tally.is_failing |= found
            .findings
            .iter()
            .any(|finding| finding.kinds.iter().any(is_meant));
        match self.json {
            true => self.print_lines(name, &found)?,
            false => self.print(name, &found)?,
        }
        // Whoever reads along sees each state as it is done.
        self.out.flush()?;
        Ok(())
    }

    fn unread(&mut self, name: &str, why: &str) -> Result<(), Failure> {
        self.tally.unread += 1;
        match self.json {
            true => writeln!(self.out, "{}", json!({"state": name, "unread": why}))?,
            false => writeln!(
                self.err,
                "{} was not looked through: {}",
                visible(name),
                visible(why)
            )?,
        }
        Ok(())
    }

    fn print(&mut self, name: &str, found: &Found) -> Result<(), Failure> {
        if found.findings.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", style::styled(style::BOLD, &visible(name)))?;
        for finding in &found.findings {
            let path = if finding.path.is_empty() {
                "(value)"
            } else {
                &finding.path
            };
            writeln!(self.out, "  {}  {path}  {}", finding.address, reasons(finding))?;
        }
        if found.omitted > 0 {
            writeln!(self.out, "  and {} more", found.omitted)?;
        }
        Ok(())
    }

    fn print_lines(&mut self, name: &str, found: &Found) -> Result<(), Failure> {
        for finding in &found.findings {
            let mut object = json!(finding);
            object["state"] = name.into();
            writeln!(self.out, "{object}")?;
        }
        if found.omitted > 0 {
            writeln!(self.out, "{}", json!({"state": name, "omitted": found.omitted}))?;
        }
        Ok(())
    }

    fn end(self) -> Result<ExitCode, Failure> {
        let Tally {
            states,
            with_secrets,
            secrets,
            unread,
            is_failing,
        } = self.tally;
        if !self.json {
            let found = match (secrets, states) {
                (_, 0) => "No state was looked through".to_owned(),
                (0, _) => format!("No secret in {}", count(states, "state")),
                _ => format!(
                    "{} in {with_secrets} of {}",
                    count(secrets, "secret"),
                    count(states, "state")
                ),
            };
            let unread = match unread {
                0 => String::new(),
                unread => format!("; {unread} could not be read"),
            };
            writeln!(self.out, "{found}{unread}")?;
        }
        Ok(match is_failing || unread > 0 {
            true => ExitCode::from(Status::Failed as u8),
            false => ExitCode::SUCCESS,
        })
    }
}

/// Whether a refusal is about the object: who may read it, the key it is sealed with, the archive it was moved to.
fn is_of_one(code: &str) -> bool {
    ["AccessDenied", "InvalidObjectState", "InvalidRequest"].contains(&code) || code.starts_with("KMS.")
}

fn reasons(finding: &Finding) -> String {
    let reason = |kind: &Kind| match (kind, finding.token) {
        (Kind::Token, Some(name)) => format!("token ({name})"),
        _ => kind.word().to_owned(),
    };
    let reasons: Vec<String> = finding.kinds.iter().map(reason).collect();
    reasons.join(", ")
}

/// The state's bytes; `None` when there is none.
async fn read(layout: &Layout, key: &str) -> Result<Option<Bytes>, s3::Error> {
    match layout.read(key, None).await {
        Ok(object) => Ok(Some(object.bytes)),
        Err(why) if why.code() == Some("NoSuchKey") => Ok(None),
        Err(why) => Err(why),
    }
}

/// The providers' schemas, where they are wanted.
fn schemas(arguments: &args::Secrets) -> Result<Schemas, Failure> {
    let Some(file) = &arguments.schema else {
        return Ok(Schemas::default());
    };
    let dir = arguments
        .stock
        .chdir
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    let Some(file) = file else {
        return of_terraform(&dir);
    };
    let read = File::open(file)
        .map_err(secrets::SchemaError::Read)
        .and_then(Schemas::read);
    read.map_err(|why| Failure::new(Status::Usage, format!("{}: {why}", file.display())))
}

fn of_terraform(dir: &Path) -> Result<Schemas, Failure> {
    let program = shell::on_path("terraform").or_else(|| shell::on_path("tofu"));
    let program = program.ok_or_else(|| {
        let message = "neither terraform nor tofu is on PATH; --schema=FILE reads what `terraform providers schema -json` printed";
        Failure::new(Status::NoTerraform, message)
    })?;
    let mut child = Command::new(program)
        .args(["providers", "schema", "-json"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let printed = child.stdout.take().map(Schemas::read);
    // Terraform has said on standard error what is wrong.
    if !child.wait()?.success() {
        let message = "`terraform providers schema -json` failed; it needs a directory in which `terraform init` was run";
        return Err(Failure::new(Status::Failed, message));
    }
    let read = printed.unwrap_or_else(|| Ok(Schemas::default()));
    read.map_err(|why| Failure::new(Status::Failed, why))
}
