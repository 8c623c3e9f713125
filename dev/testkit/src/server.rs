//! A server process of the real binary on a directory of its own, which can be killed and started again.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::client::Client;

/// A debug build on a loaded machine of two cores; a healthy start takes a twentieth of a second.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The configuration file's name.
const CONFIGURATION: &str = "tidelock.toml";

/// How much of the server's log a failed test shows.
const LOG_LINES_SHOWN: usize = 60;

/// An access key as the server's first start makes it.
#[derive(Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Resident memory of the server as the kernel counts it, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now (`VmRSS`).
    pub resident: u64,
    /// The most since the start, or since [`TestServer::reset_peak`] (`VmHWM`).
    pub peak: u64,
}

/// `tidelock serve` on a temporary directory; stopped and removed on drop.
#[derive(Debug)]
pub struct TestServer {
    binary: PathBuf,
    dir: TempDir,
    child: Child,
    endpoint: String,
    credentials: Credentials,
}

impl TestServer {
    /// Starts the binary on an empty directory and any free port, and waits until it says where it listens.
    ///
    /// `binary` is `env!("CARGO_BIN_EXE_tidelock")`; `TIDELOCK_BINARY` names another build to test instead.
    #[must_use]
    pub fn start(binary: &str) -> Self {
        Self::start_with(binary, "")
    }

    /// Starts it with these settings in its configuration file.
    #[must_use]
    pub fn start_with(binary: &str, settings: &str) -> Self {
        let binary = std::env::var_os("TIDELOCK_BINARY").map_or_else(|| binary.into(), PathBuf::from);
        let dir = tempfile::Builder::new()
            .prefix("tidelock-server-")
            .tempdir()
            .expect("a temporary directory");
        std::fs::write(dir.path().join(CONFIGURATION), settings).expect("a new directory takes files");
        let (child, endpoint) = spawn(&binary, dir.path(), "127.0.0.1:0");
        let credentials = read_credentials(&dir.path().join("data/credentials"));
        Self {
            binary,
            dir,
            child,
            endpoint,
            credentials,
        }
    }

    /// `http://127.0.0.1:PORT`, or `https://…` where the settings say so.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn authority(&self) -> &str {
        let (_, authority) = self.endpoint.split_once("://").expect("it is a URL");
        authority
    }

    /// The certificate of whom a client has to trust, with the settings `tls = { self_signed = true }`.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.data().join("tls/ca.pem")
    }

    /// The access key of the first start.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A raw signed client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.authority(), self.credentials.clone())
    }

    /// A client whose access key this server does not know.
    #[must_use]
    pub fn stranger(&self) -> Client {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        Client::new(self.authority(), credentials)
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    /// Ends the process with SIGKILL, as a crash would, and waits until it is gone.
    pub fn kill9(&mut self) {
        self.child.kill().expect("a child of ours can be signalled");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Starts again on the same directory and the same port; the process must have been killed.
    pub fn restart(&mut self) {
        let authority = self.authority().to_owned();
        (self.child, self.endpoint) = spawn(&self.binary, self.dir.path(), &authority);
    }

    /// Starts again on the same directory and any free port, for tests that restart often: in between,
    /// somebody else may take the old one.
    pub fn restart_elsewhere(&mut self) {
        (self.child, self.endpoint) = spawn(&self.binary, self.dir.path(), "127.0.0.1:0");
    }

    /// Starts on the same directory and kills that start too, before or after it is ready.
    pub fn start_and_kill(&mut self, after: Duration) {
        self.child = launch(&self.binary, self.dir.path(), "127.0.0.1:0");
        std::thread::sleep(after);
        self.kill9();
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// The resident memory of the process.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let field = |name: &str| -> u64 {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .expect("the kernel states it");
            let kib = line.split_whitespace().nth(1).expect("a number follows");
            kib.parse::<u64>().expect("a number follows") * 1024
        };
        Memory {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
        }
    }

    /// Makes the peak start over from what is resident now (proc(5), `clear_refs` value 5).
    pub fn reset_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(&path, "5").unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill9();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            show(&format!("the server's log ends:\n{}", shown.join("\n")));
        }
    }
}

/// Test output, captured by the test harness unless the test fails.
#[allow(clippy::print_stderr, reason = "the harness shows it with the failed test")]
pub(crate) fn show(text: &str) {
    eprintln!("{text}");
}

/// Starts `serve`.
fn launch(binary: &Path, dir: &Path, listen: &str) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("server.log"))
        .expect("a new directory takes entries");
    Command::new(binary)
        .args(["serve", "--log-format", "json", "--listen", listen, "--data"])
        .arg(dir.join("data"))
        .arg("--config")
        .arg(dir.join(CONFIGURATION))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()))
}

/// Starts `serve` and returns it with the first URL of its own that it prints.
fn spawn(binary: &Path, dir: &Path, listen: &str) -> (Child, String) {
    let mut child = launch(binary, dir, listen);
    let stdout = child.stdout.take().expect("it was asked for");
    let (send, receive) = mpsc::channel();
    // The reader outlives the first line: a server whose stdout nobody reads would one day stand still.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(endpoint) = endpoint_in(&line) {
                let _ = send.send(endpoint);
            }
        }
    });
    let begun = Instant::now();
    match receive.recv_timeout(START_LIMIT) {
        Ok(endpoint) => (child, endpoint),
        Err(reason) => {
            let _ = child.kill();
            let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
            panic!(
                "no address from the server after {:?} ({reason}); its log:\n{log}",
                begun.elapsed()
            );
        }
    }
}

/// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT` of a line that states one.
fn endpoint_in(line: &str) -> Option<String> {
    ["http", "https"].iter().find_map(|scheme| {
        let start = format!("{scheme}://127.0.0.1:");
        let port = &line[line.find(&start)? + start.len()..];
        let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        Some(format!("{start}{}", &port[..end]))
    })
}

/// Reads the credentials file, an AWS-style INI.
fn read_credentials(path: &Path) -> Credentials {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let value = |name: &str| -> String {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == name)
            .unwrap_or_else(|| panic!("{} has no {name}", path.display()))
            .1
            .trim()
            .trim_matches('"')
            .to_owned()
    };
    Credentials {
        access_key_id: value("aws_access_key_id"),
        secret_access_key: value("aws_secret_access_key"),
    }
}
