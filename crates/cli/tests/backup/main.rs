//! `tidelock backup`, `restore` and `verify`, against servers that go on writing and disks that do not keep what they got.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod received;
mod refused;
mod whole;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use common::BINARY;
use serde_json::{Value, json};
use tidelock_testkit::{BUCKET, Client, Hermetic, Output, Request, Rng, TestServer};

/// A server, and a place for files beside it.
struct World {
    server: TestServer,
    hermetic: Hermetic,
    client: Client,
}

impl World {
    fn new() -> World {
        let server = TestServer::start(BINARY);
        World {
            client: server.client(),
            server,
            hermetic: Hermetic::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.hermetic.workdir("work").join(name)
    }

    /// `tidelock ARGUMENTS`, in the place for files.
    fn says(&self, arguments: &[&str], status: i32) -> Output {
        let mut command = common::command(&self.hermetic, arguments);
        command.stdin(Stdio::null());
        Output::of(command).with_status(status)
    }

    /// The same about this server.
    fn of_server(&self, arguments: &[&str], status: i32) -> Output {
        let data = self.server.data();
        self.says(&[arguments, &["--data", data.to_str().unwrap()]].concat(), status)
    }

    fn json(&self, arguments: &[&str], status: i32) -> Value {
        let output = self.says(&[arguments, &["--json"]].concat(), status);
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// Writes a state; its version ID.
    fn write(&mut self, name: &str, serial: u64) -> String {
        write(&mut self.client, name, serial)
    }

    /// A backup with the keys in it.
    fn backup(&self, name: &str) -> PathBuf {
        let _ = self.of_server(&["backup", "--with-keys", name], 0);
        self.path(name)
    }

    /// What stands beside one another in the place for files.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn write(client: &mut Client, name: &str, serial: u64) -> String {
    let response = client.send(&Request::new("PUT", &path(name), state(name, serial)));
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("x-amz-version-id").unwrap().to_owned()
}

fn path(name: &str) -> String {
    format!("/{BUCKET}/{name}/terraform.tfstate")
}

/// A state that does not compress to nothing.
fn state(name: &str, serial: u64) -> String {
    let text = Rng::new(serial).text(20_000);
    let outputs = json!({"text": {"value": text, "type": "string"}});
    json!({"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": name, "outputs": outputs, "resources": []})
        .to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
