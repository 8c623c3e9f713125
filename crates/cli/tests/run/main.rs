//! `tidelock run`: the command's life, and what becomes of its locks.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod life;
mod locks;
mod signals;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use tidelock_testkit::{Hermetic, TestServer};

/// A loaded machine; what is waited for takes milliseconds, or the shortest lease.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and an environment without anything of this machine's.
struct World {
    server: TestServer,
    hermetic: Hermetic,
}

impl World {
    fn new() -> World {
        World {
            server: TestServer::start(common::BINARY),
            hermetic: Hermetic::new(),
        }
    }

    /// `tidelock run` with these arguments, in the directory `work`.
    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = common::command(&self.hermetic, &["run", "--data"]);
        command.arg(self.server.data()).args(arguments);
        command
    }

    fn path(&self, file: &str) -> PathBuf {
        self.hermetic.workdir("work").join(file)
    }
}

/// Waits until it holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The file's text, once it has this line.
fn wait_for_line(path: &Path, line: &str) -> String {
    let text = || fs::read_to_string(path).unwrap_or_default();
    wait_until(&format!("{line} in {}: {}", path.display(), text()), || {
        text().lines().any(|other| other == line)
    });
    text()
}

fn kill(signal: &str, target: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{signal}"), "--", target])
        .status();
    assert!(sent.unwrap().success(), "kill -{signal} {target}");
}
