//! A server, a sealed-off environment and the program under test, and what a test may want to know of them.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tidelock_testkit::{
    BUCKET, Backend, BackendConfig, Client, Hermetic, LossyProxy, Output, Request, Response, Running, TABLE,
    Terraform, TestServer, hold_until_released, wait_until,
};

const BINARY: &str = env!("CARGO_BIN_EXE_tidelock");

/// A server, a sealed-off environment and the program under test.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) hermetic: Hermetic,
    pub(crate) terraform: PathBuf,
}

impl World {
    /// `None` where there is no terraform and none is required.
    pub(crate) fn new() -> Option<Self> {
        Self::with_settings("")
    }

    /// With these settings in the server's configuration file.
    pub(crate) fn with_settings(settings: &str) -> Option<Self> {
        let terraform = Terraform::find()?;
        let server = TestServer::start_with(BINARY, settings);
        Some(Self {
            server,
            hermetic: Hermetic::new(),
            terraform,
        })
    }

    /// An initialised working directory with this backend and these resources.
    pub(crate) fn project(&self, name: &str, config: &BackendConfig, resources: &str) -> Terraform<'_> {
        let terraform = self.directory(name);
        terraform.write("main.tf", config.hcl(&self.server) + resources);
        terraform.ok(&["init"]);
        terraform
    }

    /// The same, by way of a proxy.
    pub(crate) fn project_through(
        &self,
        proxy: &LossyProxy,
        name: &str,
        config: &BackendConfig,
        resources: &str,
    ) -> Terraform<'_> {
        let terraform = self.directory(name).through(proxy.endpoint());
        let block = config
            .hcl(&self.server)
            .replace(self.server.endpoint(), proxy.endpoint());
        terraform.write("main.tf", block + resources);
        terraform.ok(&["init"]);
        terraform
    }

    /// An empty working directory.
    pub(crate) fn directory(&self, name: &str) -> Terraform<'_> {
        Terraform::new(&self.terraform, &self.hermetic, &self.server, name)
    }

    /// An apply that holds the lock until the test writes the file `release`.
    pub(crate) fn holding(&self, name: &str, config: &BackendConfig) -> (Terraform<'_>, Running) {
        let terraform = self.project(name, config, &hold(name));
        let running = terraform.start(&["apply", "-auto-approve"]);
        terraform.wait_for("started");
        (terraform, running)
    }

    /// The bytes of the state as the backend's own door gives them.
    pub(crate) fn stored(&self, config: &BackendConfig) -> Vec<u8> {
        let mut client = self.server.client();
        let response = match config.backend {
            Backend::Http => client.send_basic(&Request::new("GET", &config.http_path(), "")),
            _ => client.send(&Request::new("GET", &config.s3_path(), "")),
        };
        assert_eq!(response.status, 200, "{}", response.text());
        response.body
    }

    /// The info of the lock that is held, as the backend's own door shows it.
    pub(crate) fn holder(&self, config: &BackendConfig) -> Value {
        let mut client = self.server.client();
        match config.backend {
            Backend::LockFile | Backend::Both => {
                let lock = client.send(&Request::new("GET", &format!("{}.tflock", config.s3_path()), ""));
                assert_eq!(lock.status, 200, "{}", lock.text());
                lock.json()
            }
            Backend::Table => {
                let key = json!({"LockID": {"S": format!("{BUCKET}/{}", config.key)}});
                let body = json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
                let item = client
                    .send(&Request::dynamodb("GetItem", body.to_string()))
                    .json();
                serde_json::from_str(item["Item"]["Info"]["S"].as_str().unwrap()).unwrap()
            }
            Backend::Http => {
                let refused = lock_over_http(&mut client, config, &look());
                assert_eq!(refused.status, 423, "the lock is held");
                refused.json()
            }
        }
    }

    /// Whether anyone at all can take the lock; looks by taking it.
    pub(crate) fn is_unlocked(&self, config: &BackendConfig) -> bool {
        let (mut client, look) = (self.server.client(), look());
        let free = lock_over_http(&mut client, config, &look).status == 200;
        if free {
            let unlocked = client.send_basic(&Request::new("UNLOCK", &config.http_path(), look));
            assert_eq!(unlocked.status, 200, "{}", unlocked.text());
        }
        free
    }

    /// Runs `tidelock` as an operator does on the server's machine.
    pub(crate) fn tidelock(&self, arguments: &[&str]) -> Output {
        let mut command = self.hermetic.command(BINARY, &self.hermetic.workdir("operator"));
        command.args(arguments).arg("--data").arg(self.server.data());
        Output::of(command)
    }

    /// Asks the admin door something about this state.
    pub(crate) fn admin(&self, method: &str, what: &str, config: &BackendConfig, body: &Value) -> Response {
        admin(&self.server, method, what, config, body)
    }

    /// Who waits, in line; for each, whether its request is held at this moment.
    pub(crate) fn line(&self, config: &BackendConfig) -> Vec<bool> {
        line(&self.server, config)
    }

    /// Waits until the line looks like this.
    pub(crate) fn wait_for_line(&self, config: &BackendConfig, expected: &[bool]) {
        wait_until(&format!("the line is {expected:?}"), || {
            self.line(config) == expected
        });
    }
}

/// A resource that this apply makes anew, whoever made it before, and that lasts until there is a file `release`.
pub(crate) fn hold(name: &str) -> String {
    let anew = format!("triggers_replace = \"{name}\"\n  provisioner");
    hold_until_released().replacen("provisioner", &anew, 1)
}

/// Asks the admin door of `server` something about this state.
pub(crate) fn admin(
    server: &TestServer,
    method: &str,
    what: &str,
    config: &BackendConfig,
    body: &Value,
) -> Response {
    let (path, query) = what
        .split_once('?')
        .map_or((what, String::new()), |(path, query)| (path, format!("?{query}")));
    let target = format!("/admin/{path}{}{query}", config.s3_path());
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    server.client().send_basic(&Request::new(method, &target, body))
}

/// Who waits at `server`, in line; for each, whether its request is held at this moment.
pub(crate) fn line(server: &TestServer, config: &BackendConfig) -> Vec<bool> {
    let status = admin(server, "GET", "locks", config, &Value::Null);
    assert_eq!(status.status, 200, "{}", status.text());
    let status = status.json();
    let waiters = status["waiters"].as_array().unwrap();
    waiters
        .iter()
        .map(|waiter| waiter["held"].as_bool().unwrap())
        .collect()
}

/// A lock info of the test's own; each has another ID, because one that comes back is a waiter.
fn look() -> String {
    static LOOKS: AtomicU64 = AtomicU64::new(1);
    let number = LOOKS.fetch_add(1, Ordering::Relaxed);
    json!({
        "ID": format!("0b0e5cbb-9d5c-4d7f-8a53-{number:012x}"),
        "Operation": "look",
        "Info": "",
        "Who": "the test",
        "Version": "1.11.4",
        "Created": "2026-11-21T09:00:00Z",
        "Path": "",
    })
    .to_string()
}

fn lock_over_http(client: &mut Client, config: &BackendConfig, look: &str) -> Response {
    client.send_basic(&Request::new("LOCK", &config.http_path(), look))
}
