//! Terraform, run to its end: what it prints is bounded, and what it complains of is picked out.

use std::{path::Path, pin::pin, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tidelock_core::limits::{DRIFT_MS_MAX, DRIFT_PLAN_BYTES_MAX, DRIFT_STOP_MS, DRIFT_WHY_BYTES_MAX};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::watch,
    time,
};
use zeroize::Zeroizing;

use super::DriftError;
use crate::secrets;

/// When to give up.
pub type Stop = watch::Receiver<bool>;

/// Runs it in a directory; answers what it printed. It is asked to end, as by Ctrl-C, when it takes too long or `stop` says
/// so: then it unlocks what it has locked, and ends its providers. Dropping this kills it and its providers.
pub(super) async fn run(
    program: &Path,
    dir: &Path,
    arguments: &[&str],
    mut stop: Stop,
) -> Result<Zeroizing<Vec<u8>>, DriftError> {
    if *stop.borrow() {
        return Err(DriftError::Stopped);
    }
    let step = || step(program, arguments.first().unwrap_or(&""));
    let cannot = |source| DriftError::Program {
        program: program.to_owned(),
        source,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .env("TF_IN_AUTOMATION", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C reaches it by us alone: of two it would take the second for a wish to end at once.
        .process_group(0)
        .spawn()
        .map_err(cannot)?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut ended = pin!(async {
        let (out, err) = tokio::join!(read(out, DRIFT_PLAN_BYTES_MAX), read(err, DRIFT_PLAN_BYTES_MAX));
        Ok((out?, err?, child.wait().await?))
    });
    let why_stopped = tokio::select! {
        ended = &mut ended => {
            let (out, err, status) = ended.map_err(cannot)?;
            group.0 = None;
            return match status.success() {
                true => Ok(out),
                false => Err(DriftError::Failed { step: step(), why: why(&out, &err) }),
            };
        }
        Ok(_) = stop.wait_for(|stop| *stop) => DriftError::Stopped,
        () = time::sleep(Duration::from_millis(DRIFT_MS_MAX)) => DriftError::Endless { step: step() },
    };
    group.signal(Signal::INT);
    // Whoever does not listen is killed.
    if let Ok(Ok(_)) = time::timeout(Duration::from_millis(DRIFT_STOP_MS), ended).await {
        group.0 = None;
    }
    Err(why_stopped)
}

/// Terraform with its providers, which do not notice when it alone is killed; `None` once it has ended, so that its number may
/// be another's. Dropping this kills them.
struct Group(Option<Pid>);

impl Group {
    /// One that has just ended takes no signal.
    fn signal(&self, signal: Signal) {
        let _ = self.0.map(|leader| kill_process_group(leader, signal));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// As it is named in messages.
pub(super) fn step(program: &Path, subcommand: &str) -> String {
    let name = program.file_name().unwrap_or(program.as_os_str());
    format!("{} {subcommand}", name.display())
}

/// All of it, as long as it is not more than `most`: then the rest is read and forgotten, so that its writer can end.
async fn read(stream: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut kept = Zeroizing::new(Vec::new());
    if let Some(mut stream) = stream {
        (&mut stream).take(most).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// A line of `-json`.
#[derive(Deserialize)]
struct Line {
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
}

/// The errors among what it printed; where it printed none as JSON, the end of what it complained of.
fn why(out: &[u8], err: &[u8]) -> String {
    let lines = out.split(|byte| *byte == b'\n');
    let diagnostics = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok()?.diagnostic);
    let errors = diagnostics.filter(|diagnostic| diagnostic.severity == "error");
    let errors: Vec<String> = errors
        .map(|error| match error.detail.is_empty() {
            true => error.summary,
            false => format!("{}: {}", error.summary, error.detail),
        })
        .collect();
    let text = match errors.is_empty() {
        true => plain(&String::from_utf8_lossy(err)),
        false => errors.join("\n"),
    };
    let cut = text.floor_char_boundary(DRIFT_WHY_BYTES_MAX);
    secrets::masked(text[..cut].trim())
}

/// Without the frames around Terraform's messages.
fn plain(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']).trim_end());
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_picked_out_of_what_terraform_prints() {
        let out = b"{\"@level\":\"info\",\"type\":\"version\"}\nnot json\n\
            {\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"warning\",\"summary\":\"Old\",\"detail\":\"d\"}}\n\
            {\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"No\",\"detail\":\"since x\"}}\n\
            {\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"Bare\"}}\n";
        assert_eq!(why(out, b"more"), "No: since x\nBare");
        let err = "\u{2577}\n\u{2502} Error: No value\n\u{2502} \n\u{2502}   on main.tf\n\u{2575}\n";
        assert_eq!(why(b"", err.as_bytes()), "Error: No value\non main.tf");
        let long = "x".repeat(2 * DRIFT_WHY_BYTES_MAX);
        assert_eq!(why(b"", long.as_bytes()).len(), DRIFT_WHY_BYTES_MAX);
    }
}
