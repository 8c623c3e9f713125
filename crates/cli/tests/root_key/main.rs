//! Root keys of a real server: where they come from, what is refused, and a new one in place of the old, through crashes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod rotation;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Serving, credentials};
use tidelock_testkit::{Client, Hermetic, Output, Request};

/// An environment without anything of this machine's, a configuration file, and a data directory beside it.
struct World {
    hermetic: Hermetic,
    place: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl World {
    fn new(configuration: &str) -> World {
        let hermetic = Hermetic::new();
        let place = hermetic.workdir("place");
        let world = World {
            hermetic,
            place,
            variables: Vec::new(),
        };
        world.configure(configuration);
        world
    }

    fn configure(&self, configuration: &str) {
        fs::write(self.place.join("tidelock.toml"), configuration).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = common::command(&self.hermetic, arguments);
        command.arg("--data").arg(self.data());
        command.arg("--config").arg(self.place.join("tidelock.toml"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn says(&self, arguments: &[&str], status: i32) -> Output {
        Output::of(self.command(arguments)).with_status(status)
    }

    fn start(&self) -> Serving {
        let command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        Serving::of(command, self.place.to_str().unwrap())
    }

    /// The server does not start; what it says about that.
    fn refused(&self) -> String {
        let output = self.says(&["serve", "--listen", "127.0.0.1:0"], 3);
        // Whatever was in a file, a variable or a command's answer.
        assert!(!output.text().contains(&key(1)) && !output.text().contains(&key(2)));
        output.stderr
    }

    fn client(&self, server: &Serving) -> Client {
        Client::new(server.authority(), credentials(&self.data()))
    }

    /// Ends a rotation that goes on by itself.
    fn await_rotation(&self) {
        tidelock_testkit::wait_until("the rotation ends", || {
            let shown = self.says(&["root-key", "--json"], 0);
            let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
            let rotation = &shown["rotation"];
            assert!(rotation["fault"].is_null(), "{rotation}");
            rotation.is_null() || !rotation["ended_ms"].is_null()
        });
    }
}

/// A root key as text.
fn key(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

fn write(client: &mut Client, key: &str, serial: u64) {
    let put = Request::new("PUT", &format!("/tfstate/{key}"), state(serial));
    let answer = client.send(&put);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn reads(client: &mut Client, key: &str, serial: u64) {
    let answer = client.send(&Request::new("GET", &format!("/tfstate/{key}"), ""));
    assert_eq!((answer.status, answer.text()), (200, state(serial)));
}

fn state(serial: u64) -> String {
    tidelock_testkit::state_document(serial, "6f7a1e0c-8d6e-4f57-9b1a-0f6a3c1d2e4b", "")
}

/// The lines of a file of keys.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
