//! Stock Terraform, or `TIDELOCK_TERRAFORM=tofu`, against the binary: what a user does in a day, with each way of locking.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod day;
mod faults;
mod keys;
mod locking;
mod migration;
mod sizes;

use std::path::PathBuf;

use serde_json::Value;
use tidelock_testkit::{
    BUCKET, Backend, BackendConfig, Client, Hermetic, Request, TABLE, Terraform, TestServer,
};

/// Of each function named, a test for the lock file, the table, both, and http.
macro_rules! with_each_backend {
    ($($test:ident)*) => { $(
        mod $test {
            use tidelock_testkit::Backend;
            #[test] fn lock_file() { super::$test(Backend::LockFile); }
            #[test] fn table() { super::$test(Backend::Table); }
            #[test] fn both() { super::$test(Backend::Both); }
            #[test] fn http() { super::$test(Backend::Http); }
        }
    )* };
}
pub(crate) use with_each_backend;

/// Of each function named, a test for the three ways of locking that `backend "s3"` has.
macro_rules! with_each_s3_backend {
    ($($test:ident)*) => { $(
        mod $test {
            use tidelock_testkit::Backend;
            #[test] fn lock_file() { super::$test(Backend::LockFile); }
            #[test] fn table() { super::$test(Backend::Table); }
            #[test] fn both() { super::$test(Backend::Both); }
        }
    )* };
}
pub(crate) use with_each_s3_backend;

/// The smallest thing that Terraform can look after, with an output that shows it.
const THING: &str = r#"
resource "terraform_data" "thing" { input = "first" }
output "thing" { value = terraform_data.thing.output }
"#;

/// A server, a sealed-off environment and the program under test.
struct World {
    server: TestServer,
    hermetic: Hermetic,
    terraform: PathBuf,
}

impl World {
    /// `None` where there is no terraform and none is required.
    fn new() -> Option<Self> {
        let terraform = Terraform::find()?;
        let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
        Some(Self {
            server,
            hermetic: Hermetic::new(),
            terraform,
        })
    }

    /// An initialised working directory with this backend and these resources.
    fn project(&self, name: &str, config: &BackendConfig, resources: &str) -> Terraform<'_> {
        let terraform = self.directory(name);
        terraform.write("main.tf", config.hcl(&self.server) + resources);
        terraform.ok(&["init"]);
        terraform
    }

    /// An empty working directory.
    fn directory(&self, name: &str) -> Terraform<'_> {
        Terraform::new(&self.terraform, &self.hermetic, &self.server, name)
    }

    /// The bytes of the state as the backend's own door gives them.
    fn stored(&self, config: &BackendConfig) -> Vec<u8> {
        let mut client = self.server.client();
        let response = match config.backend {
            Backend::Http => client.send_basic(&Request::new("GET", &config.http_path(), "")),
            _ => client.send(&Request::new("GET", &config.s3_path(), "")),
        };
        assert_eq!(response.status, 200, "{}", response.text());
        response.body
    }

    /// The info of the lock that is held, as the backend's own door shows it.
    fn holder(&self, config: &BackendConfig) -> Value {
        let mut client = self.server.client();
        match config.backend {
            Backend::LockFile | Backend::Both => {
                let lock = client.send(&Request::new("GET", &format!("{}.tflock", config.s3_path()), ""));
                assert_eq!(lock.status, 200, "{}", lock.text());
                lock.json()
            }
            Backend::Table => {
                let key = serde_json::json!({"LockID": {"S": format!("{BUCKET}/{}", config.key)}});
                let body = serde_json::json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
                let item = client
                    .send(&Request::dynamodb("GetItem", body.to_string()))
                    .json();
                serde_json::from_str(item["Item"]["Info"]["S"].as_str().unwrap()).unwrap()
            }
            Backend::Http => {
                let refused = lock_over_http(&mut client, config);
                assert_eq!(refused.0, 423, "the lock is held");
                refused.1
            }
        }
    }

    /// Whether anyone at all can take the lock; looks by taking it.
    fn is_unlocked(&self, config: &BackendConfig) -> bool {
        let mut client = self.server.client();
        let free = lock_over_http(&mut client, config).0 == 200;
        if free {
            let unlocked = client.send_basic(&Request::new("UNLOCK", &config.http_path(), OTHER_LOCK));
            assert_eq!(unlocked.status, 200, "{}", unlocked.text());
        }
        free
    }
}

const OTHER_LOCK: &str = r#"{"ID":"0b0e5cbb-9d5c-4d7f-8a53-6e4b8a4f7d10","Operation":"look","Info":"","Who":"the test","Version":"1.11.4","Created":"2026-11-21T09:00:00Z","Path":""}"#;

fn lock_over_http(client: &mut Client, config: &BackendConfig) -> (u16, Value) {
    let response = client.send_basic(&Request::new("LOCK", &config.http_path(), OTHER_LOCK));
    (
        response.status,
        serde_json::from_slice(&response.body).unwrap_or_default(),
    )
}
