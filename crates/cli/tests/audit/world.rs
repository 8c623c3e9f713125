//! A server, its log, and `tidelock audit` beside it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;
use tidelock_testkit::{Client, Hermetic, Output, Request, Response, TestServer};

use crate::common::{BINARY, command};

pub(crate) const STATE: &str = r#"{"version":4,"serial":3,"lineage":"l","outputs":{},"resources":[]}"#;

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) client: Client,
    hermetic: Hermetic,
}

impl World {
    pub(crate) fn new() -> World {
        World::with("")
    }

    /// With these settings in the server's configuration file.
    pub(crate) fn with(settings: &str) -> World {
        let server = TestServer::start_with(BINARY, settings);
        World {
            client: server.client(),
            server,
            hermetic: Hermetic::new(),
        }
    }

    pub(crate) fn send(&mut self, method: &str, target: &str, body: &str) -> Response {
        self.client.send(&Request::new(method, target, body))
    }

    /// Puts a state through S3.
    pub(crate) fn put(&mut self, key: &str) -> Response {
        let answer = self.send("PUT", &format!("/tfstate/{key}"), STATE);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.hermetic, &["audit"]);
        command.args(arguments).env("TIDELOCK_DATA", self.server.data());
        command.stdin(Stdio::null());
        command
    }

    /// `tidelock ARGUMENTS`, run to its end with this exit status.
    pub(crate) fn tidelock(&self, arguments: &[&str], status: i32) -> Output {
        let mut command = command(&self.hermetic, arguments);
        command
            .env("TIDELOCK_DATA", self.server.data())
            .stdin(Stdio::null());
        Output::of(command).with_status(status)
    }

    /// `tidelock audit ARGUMENTS`, run to its end with this exit status.
    pub(crate) fn says(&self, arguments: &[&str], status: i32) -> Output {
        Output::of(self.command(arguments)).with_status(status)
    }

    /// The entries that it prints.
    pub(crate) fn entries(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.says(&[arguments, &["--json"]].concat(), 0);
        let lines = output.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All files of the log, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.server.data().join("audit")).unwrap();
        let paths = names.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some()).collect();
        paths.sort();
        paths
    }
}
