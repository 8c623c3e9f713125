//! A server with made-up states, and the commands of history run beside it.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidelock_testkit::{Client, Hermetic, Output, Request, Response, TestServer};

use crate::common::{BINARY, command};

pub(crate) const ADDRESS: &str = "tfstate/app/terraform.tfstate";
pub(crate) const ANN: &str = "aws-sdk-go-v2/1.30 ci/7 https://ci.example/job/7";
pub(crate) const BOB: &str = "aws-sdk-go-v2/1.30 ci/8";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) hermetic: Hermetic,
    pub(crate) client: Client,
}

impl World {
    pub(crate) fn new() -> World {
        World::with("")
    }

    /// With these settings in the server's configuration file.
    pub(crate) fn with(settings: &str) -> World {
        let server = TestServer::start_with(BINARY, settings);
        let client = server.client();
        World {
            server,
            hermetic: Hermetic::new(),
            client,
        }
    }

    /// `tidelock ARGUMENTS` beside the server, without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.hermetic, arguments);
        command
            .env("TIDELOCK_DATA", self.server.data())
            .stdin(Stdio::null());
        command.env("USER", "op");
        command
    }

    /// The same, run to its end with this exit status.
    pub(crate) fn says(&self, arguments: &[&str], status: i32) -> Output {
        Output::of(self.command(arguments)).with_status(status)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.says(arguments, 0);
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// The same on a terminal, with these variables set.
    pub(crate) fn on_terminal(&self, arguments: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = self.terminal(arguments);
        command.stdin(Stdio::null()).envs(variables.iter().copied());
        Output::of(command)
    }

    /// The same on a terminal where somebody types `answer`; the exit status, and what is on the screen.
    pub(crate) fn typed(&self, arguments: &str, answer: &str) -> (Option<i32>, String) {
        let mut command = self.terminal(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut keys = child.stdin.as_ref().unwrap();
        keys.write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    fn terminal(&self, arguments: &str) -> Command {
        let mut command = self.hermetic.command("script", &self.hermetic.workdir("work"));
        let line = format!("{BINARY} {arguments} --data {}", self.server.data().display());
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm");
        command
    }

    pub(crate) fn send(&mut self, method: &str, target: &str, body: impl Into<Vec<u8>>) -> Response {
        self.client.send(&Request::new(method, target, body))
    }

    pub(crate) fn lock(&mut self, address: &str, agent: &str, id: &str) {
        let info = json!({"ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": format!("{id}@host\u{9b}2J"), "Version": "1.11.4",
            "Created": "2026-11-21T08:00:00Z", "Path": address});
        let request = Request::new("PUT", &format!("/{address}.tflock"), info.to_string());
        let request = request.header("user-agent", agent).header("if-none-match", "*");
        assert_eq!(self.client.send(&request).status, 200);
    }

    pub(crate) fn unlock(&mut self, address: &str, agent: &str) {
        let request = Request::new("DELETE", &format!("/{address}.tflock"), "");
        let freed = self.client.send(&request.header("user-agent", agent));
        assert_eq!(freed.status, 204, "{}", freed.text());
    }

    pub(crate) fn write(&mut self, address: &str, agent: &str, body: impl Into<Vec<u8>>) {
        let target = format!("/{}", address.replace(':', "%3A"));
        let request = Request::new("PUT", &target, body);
        let written = self.client.send(&request.header("user-agent", agent));
        assert_eq!(written.status, 200, "{}", written.text());
    }

    /// An apply of Ann's that writes these states one after another under one lock.
    pub(crate) fn apply(&mut self, address: &str, lock: &str, states: &[String]) {
        self.lock(address, ANN, lock);
        for state in states {
            self.write(address, ANN, state.as_str());
        }
        self.unlock(address, ANN);
    }

    /// Waits until the server has counted what every version changed.
    pub(crate) fn counted(&self, address: &str) {
        let begun = Instant::now();
        loop {
            let listed = self.json(&["history", address, "--json"]);
            let versions = listed["versions"].as_array().unwrap();
            let is_plain = |version: &&Value| version["serial"].is_u64() && version["encrypted"] == false;
            if versions
                .iter()
                .filter(is_plain)
                .all(|version| version["changes"].is_object())
            {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{listed:#}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A state of `aws_s3_bucket`s, each with its `NAME=VALUE`, the value in a tag and in a sensitive attribute.
pub(crate) fn state(serial: u64, buckets: &[(&str, &str)]) -> String {
    let resource = |(name, value): &(&str, &str)| {
        let (module, name) = name
            .rsplit_once('/')
            .map_or((None, *name), |(module, name)| (Some(module), name));
        let mut resource = json!({"mode": "managed", "type": "aws_s3_bucket", "name": name,
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": [
            {"schema_version": 0, "attributes": {"id": format!("id-{name}"), "tags": {"Name": value}, "key": format!("hush-{value}")},
             "sensitive_attributes": [[{"type": "get_attr", "value": "key"}]]},
        ]});
        if let Some(module) = module {
            resource["module"] = json!(module);
        }
        resource
    };
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l",
        "outputs": {"count": {"value": buckets.len(), "type": "number"}, "password": {"value": format!("hush-{serial}"), "type": "string", "sensitive": true}},
        "resources": buckets.iter().map(resource).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A text without what differs from run to run: ages, times, keys, IDs, the name of the program; and with single spaces.
pub(crate) fn told(text: &str) -> String {
    let words = |line: &str| {
        let mut told: Vec<String> = Vec::new();
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let bare = word.trim_end_matches([',', ')']);
            let tail = &word[bare.len()..];
            let is_time = bare.len() == 20 && bare.starts_with("20") && bare.ends_with('Z');
            let is_id = bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = bare.trim_end_matches(['s', 'm']);
            let is_age = number.len() + 1 == bare.len() && number.parse::<u64>().is_ok();
            let known = match bare {
                _ if is_age => "AGE",
                _ if is_time => "TIME",
                _ if is_id => "ID",
                "ago" => {
                    told.pop();
                    "AGO"
                }
                _ if bare.starts_with("AKIA") => "KEY",
                _ if bare == BINARY => "tidelock",
                other => other,
            };
            told.push(format!("{known}{tail}"));
        }
        told.join(" ")
    };
    let lines = text.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        format!("{:indent$}{}", "", words(line))
    });
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}
