//! A server with a client, and the command line in a home of its own.

use std::{fs, path::Path, process::Stdio};

use serde_json::Value;
use tidelock_testkit::{Client, Hermetic, Output, Request, TestServer};

use crate::common::{BINARY, command};

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) hermetic: Hermetic,
    client: Client,
}

/// A state that no other one is like.
pub(crate) fn state(serial: u64, lineage: &str) -> Vec<u8> {
    let resource =
        format!(r#"{{"mode":"managed","type":"t","name":"n{serial}","provider":"p","instances":[]}}"#);
    format!(
        "{{\n  \"version\": 4, \"serial\": {serial}, \"lineage\": \"{lineage}\",\n  \"outputs\": {{}}, \"resources\": [{resource}]\n}}\n"
    )
    .into()
}

impl World {
    pub(crate) fn new() -> World {
        let server = TestServer::start(BINARY);
        World {
            client: server.client(),
            server,
            hermetic: Hermetic::new(),
        }
    }

    /// A path in a directory that ends with the test.
    pub(crate) fn path(&self, name: &str) -> String {
        self.hermetic
            .workdir("work")
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn put(&mut self, key: &str, body: &[u8]) {
        let response = self.client.send(&Request::new("PUT", &target(key), body));
        assert_eq!(response.status, 200, "{key}: {}", response.text());
    }

    pub(crate) fn delete(&mut self, key: &str) {
        assert_eq!(
            self.client.send(&Request::new("DELETE", &target(key), "")).status,
            204
        );
    }

    pub(crate) fn aws_mb(&self, bucket: &str) {
        let mut client = self.server.client();
        assert_eq!(
            client
                .send(&Request::new("PUT", &format!("/{bucket}"), ""))
                .status,
            200
        );
        let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let enable = Request::new("PUT", &format!("/{bucket}?versioning"), on);
        assert_eq!(client.send(&enable).status, 200);
    }

    /// Somebody takes the lock.
    pub(crate) fn lock(&self, key: &str) {
        let info = r#"{"ID":"11111111-2222-3333-4444-555555555555","Operation":"OperationTypeApply","Who":"ann@host"}"#;
        let put = Request::new("PUT", &format!("{}.tflock", target(key)), info).header("if-none-match", "*");
        assert_eq!(self.server.client().send(&put).status, 200);
    }

    /// `tidelock ARGUMENTS --data …`, without a terminal.
    pub(crate) fn says(&self, arguments: &[&str], status: i32) -> Output {
        let mut command = command(&self.hermetic, arguments);
        command.arg("--data").arg(self.server.data()).stdin(Stdio::null());
        Output::of(command).with_status(status)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments, 0).stdout).unwrap()
    }

    /// What must survive a journey, of every version, newest first.
    pub(crate) fn history(&self, key: &str) -> Vec<Value> {
        let address = format!("tfstate/{key}");
        let mut command = command(&self.hermetic, &["history", &address, "--json"]);
        command.arg("--data").arg(self.server.data()).stdin(Stdio::null());
        let output = Output::of(command);
        if output.stderr.contains("is kept") {
            return Vec::new();
        }
        let listing: Value = serde_json::from_str(&output.succeeded().stdout).unwrap();
        let kept = [
            "version",
            "written_ms",
            "serial",
            "lineage",
            "size",
            "md5",
            "writer",
            "lock",
            "deleted",
            "current",
        ];
        let versions = listing["versions"].as_array().unwrap().iter();
        versions
            .map(|version| {
                kept.iter()
                    .map(|name| ((*name).to_owned(), version[*name].clone()))
                    .collect()
            })
            .collect()
    }

    /// The bytes of every version, newest first.
    pub(crate) fn bodies(&self, key: &str) -> Vec<String> {
        let numbers = self
            .history(key)
            .into_iter()
            .filter(|version| version["deleted"] == false);
        let address = format!("tfstate/{key}");
        let show = |version: Value| {
            let number = version["version"].to_string();
            self.says(&["show", "--state", &address, &number], 0).stdout
        };
        numbers.map(show).collect()
    }
}

/// A history without what S3 does not keep of a deletion: who deleted, and exactly when.
pub(crate) fn without_deletions(mut history: Vec<Value>) -> Vec<Value> {
    for version in history.iter_mut().filter(|version| version["deleted"] == true) {
        version["writer"] = Value::Null;
        version["written_ms"] = Value::Null;
    }
    history
}

fn target(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    format!("/tfstate/{}", key.bytes().map(encode).collect::<String>())
}

/// Everything below a directory, without what differs between any two servers: the versions' S3 IDs are inside.
pub(crate) fn files(root: &str) -> Vec<String> {
    fn walk(root: &Path, place: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            found.push(format!("/{}", path.strip_prefix(root).unwrap().display()));
            if path.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(root), Path::new(root), &mut found);
    found.sort();
    found
}
