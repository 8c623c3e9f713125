//! The binary as a user runs it: whole output, exit status, signals.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use tidelock_testkit::{Credentials, Hermetic, Output};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tidelock");

/// A loaded machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `tidelock` in a directory of its own, to its end.
pub(crate) fn tidelock(hermetic: &Hermetic, arguments: &[&str]) -> Output {
    Output::of(command(hermetic, arguments))
}

pub(crate) fn command(hermetic: &Hermetic, arguments: &[&str]) -> Command {
    let mut command = hermetic.command(BINARY, &hermetic.workdir("work"));
    command.args(arguments);
    command
}

/// `tidelock serve` that this test talks to, signals, and waits for.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    pub(crate) first_line: String,
    pub(crate) endpoint: String,
}

impl Serving {
    /// Starts on any free port and waits for its first line.
    pub(crate) fn start(hermetic: &Hermetic, data: &Path) -> Self {
        let data = data.to_str().unwrap();
        Self::of(
            command(hermetic, &["serve", "--listen", "127.0.0.1:0", "--data", data]),
            data,
        )
    }

    pub(crate) fn of(command: Command, name: &str) -> Self {
        Self::logging_to(None, command, name)
    }

    /// With this as standard error, instead of the file that [`Serving::log`] reads.
    pub(crate) fn logging_to(stderr: Option<fs::File>, mut command: Command, name: &str) -> Self {
        let log = std::env::temp_dir().join(format!("tidelock-{}.log", name.replace('/', "-")));
        let file = fs::File::create(&log).unwrap();
        let stderr = stderr.unwrap_or(file);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).unwrap();
        let endpoint = first_line
            .split([' ', ','])
            .find(|word| word.starts_with("http://") || word.starts_with("https://"))
            .unwrap_or_default()
            .to_owned();
        assert!(
            !endpoint.is_empty(),
            "{first_line}{}",
            fs::read_to_string(&log).unwrap()
        );
        Self {
            child,
            stdout,
            log,
            first_line,
            endpoint,
        }
    }

    pub(crate) fn authority(&self) -> &str {
        self.endpoint.split_once("://").unwrap().1
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log says this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "no '{text}' in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end; answers exit status, the rest of standard output, and the log.
    pub(crate) fn finish(mut self) -> (i32, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), rest, self.log())
    }

    /// SIGTERM, and what [`Serving::finish`] answers.
    pub(crate) fn stop(self) -> (i32, String, String) {
        self.signal("TERM");
        self.finish()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}

/// The key pair in a data directory.
pub(crate) fn credentials(data: &Path) -> Credentials {
    let text = fs::read_to_string(data.join("credentials")).unwrap();
    let value = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    Credentials {
        access_key_id: value("aws_access_key_id"),
        secret_access_key: value("aws_secret_access_key"),
    }
}
