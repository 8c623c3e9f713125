//! `tidelock doctor`: what is wrong with a backend, in plain words, and the command that mends it.

use std::{
    cell::Cell,
    env,
    io::{self, Write},
    ops::ControlFlow,
    path::PathBuf,
    pin::pin,
    process::{Command, ExitCode, Stdio},
};

use serde::Serialize;
use serde_json::Value;
use tidelock_core::diff::visible;
use tidelock_operator::{
    backend::Backend,
    doctor::{self, Event, Finding, Level, Options, Patient},
};
use tidelock_service::World as _;

use crate::{
    args,
    exit::{Failure, Status},
    progress::Progress,
    shell,
    signals::Signals,
    stock,
    world::{Machine, random},
};

/// Bytes of chance in the name of the scratch key.
const NONCE_BYTES: usize = 8;

/// What is printed as it is found.
struct Report<'a> {
    out: &'a mut dyn Write,
    json: bool,
    progress: Progress,
    counts: Counts,
}

/// The last line of `--json`.
#[derive(Default, Serialize)]
struct Counts {
    errors: u64,
    warnings: u64,
    skipped: u64,
}

pub(crate) fn run(
    arguments: args::Doctor,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let mut report = Report {
        out,
        json: arguments.json,
        progress: Progress::start(),
        counts: Counts::default(),
    };
    let dir = arguments
        .stock
        .chdir
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    let found = match stock::find(&arguments.stock, err) {
        Ok(found) => found,
        Err(failure) => {
            // The block may say itself why it cannot be used.
            if arguments.stock.layout.bucket.is_none() {
                let findings = doctor::look_at_block(&dir, version()).unwrap_or_default();
                findings
                    .into_iter()
                    .try_for_each(|finding| report.finding(&finding))?;
            }
            return Err(super::trouble(failure));
        }
    };
    report.head(&found)?;
    let flags = flags(&arguments.stock);
    // A block of another state says nothing of this one.
    let is_its = |backend: &Backend| found.key.as_deref() == Some(backend.address.key());
    let backend = found.backend.filter(is_its);
    let patient = Patient::new(
        found.layout,
        found.key,
        backend.as_ref(),
        flags,
        options(&arguments),
    );
    let told = stock::wait(async {
        if backend.is_some() {
            for finding in patient.look_at_files(&dir, version()).await? {
                report.finding(&finding)?;
            }
        }
        examine(&patient, &mut report).await
    });
    told.map_err(super::trouble)?;
    report.end()
}

/// Looks at everything that is not in a file; Ctrl-C ends it once the scratch key is removed, and a second one at once.
async fn examine(patient: &Patient, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let (mut closed, interrupted) = (None, Cell::new(false));
    let mut tell = |event| match report.event(&event) {
        _ if interrupted.get() => ControlFlow::Break(()),
        Ok(()) => ControlFlow::Continue(()),
        Err(why) => {
            closed = Some(why);
            ControlFlow::Break(())
        }
    };
    {
        let mut examined = pin!(patient.examine(&mut tell));
        tokio::select! {
            _ = &mut examined => {}
            _ = signals.next() => {
                    interrupted.set(true);
                tokio::select! { _ = examined => {}, _ = signals.next() => {} }
                return Err(Failure::new(Status::Failed, "interrupted"));
            }
        }
    }
    closed.map_or(Ok(()), |why| Err(why.into()))
}

impl Report<'_> {
    fn head(&mut self, found: &stock::Found) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let layout = &found.layout;
        write!(
            self.out,
            "s3://{} at {}",
            visible(&layout.bucket),
            visible(&layout.s3.endpoint())
        )?;
        if let Some(table) = &layout.table {
            write!(self.out, ", locked by the table {}", visible(table))?;
        }
        if let Some(key) = &found.key {
            write!(self.out, ", state {}", visible(key))?;
        }
        writeln!(self.out, "\n")?;
        self.out.flush()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Finding(finding) => self.finding(finding),
            Event::Skipped(what) => self.skipped(what),
            Event::Progress(what) => {
                self.progress.show(|| visible(what));
                Ok(())
            }
        }
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let level = match finding.level {
            Level::Error => {
                self.counts.errors += 1;
                "error"
            }
            Level::Warning => {
                self.counts.warnings += 1;
                "warning"
            }
        };
        if self.json {
            return self.line(finding);
        }
        self.progress = Progress::start();
        writeln!(self.out, "{level}: {}", finding.id.name())?;
        writeln!(self.out, "  {}", finding.what)?;
        writeln!(self.out, "  mend: {}\n", finding.mend)?;
        self.out.flush()
    }

    fn skipped(&mut self, what: &str) -> io::Result<()> {
        self.counts.skipped += 1;
        if self.json {
            return self.line(&serde_json::json!({ "skipped": what }));
        }
        self.progress = Progress::start();
        writeln!(self.out, "not looked at: {}\n", visible(what))?;
        self.out.flush()
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    fn end(mut self) -> Result<ExitCode, Failure> {
        self.progress = Progress::start();
        let Counts {
            errors,
            warnings,
            skipped,
        } = self.counts;
        if self.json {
            self.line(&Counts {
                errors,
                warnings,
                skipped,
            })?;
        } else {
            let rest = if skipped > 0 {
                format!("; {skipped} not looked at")
            } else {
                String::new()
            };
            match errors + warnings {
                0 => writeln!(self.out, "nothing is wrong{rest}")?,
                _ => writeln!(self.out, "errors: {errors}, warnings: {warnings}{rest}")?,
            }
        }
        Ok(match errors + warnings {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(Status::Failed as u8),
        })
    }
}

fn options(arguments: &args::Doctor) -> Options {
    Options {
        stale_ms: i64::try_from(arguments.older_than.as_millis()).unwrap_or(i64::MAX),
        now_ms: Machine.now().0,
        nonce: hex::encode(random::<NONCE_BYTES>()),
        read_only: arguments.read_only,
        one_state: arguments.stock.layout.key.is_some(),
    }
}

/// The words that make another command mean the same.
fn flags(stock: &args::Stock) -> String {
    let layout = &stock.layout;
    let chdir = stock.chdir.as_ref().map(|dir| dir.display().to_string());
    let mut flags = String::new();
    for (flag, value) in [
        ("--bucket", &layout.bucket),
        ("--table", &layout.table),
        ("--endpoint", &layout.endpoint),
        ("--region", &layout.region),
        ("--profile", &stock.profile),
        ("--chdir", &chdir),
    ] {
        if let Some(value) = value {
            flags.push_str(&format!(" {flag} {}", shell::quoted(value)));
        }
    }
    for given in &stock.backend_config {
        flags.push_str(&format!(" --backend-config {}", shell::quoted(given)));
    }
    flags
}

/// Major and minor version of the Terraform that would be run here, or else of OpenTofu.
fn version() -> Option<(u32, u32)> {
    let program = ["terraform", "tofu"].into_iter().find_map(shell::on_path)?;
    let said = Command::new(program)
        .args(["version", "-json"])
        .current_dir(env::temp_dir())
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said: Value = serde_json::from_slice(&said.stdout).ok()?;
    let mut parts = said["terraform_version"].as_str()?.split('.');
    let mut number = || parts.next()?.parse().ok();
    Some((number()?, number()?))
}
