//! The backend blocks that users have, one for each way of locking.

use crate::{BUCKET, REGION, TABLE, server::TestServer};

/// A way to keep state and to lock it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `backend "s3"` with `use_lockfile`.
    LockFile,
    /// `backend "s3"` with `dynamodb_table`.
    Table,
    /// `backend "s3"` with both, as one does while moving from the table to the file.
    Both,
    /// `backend "http"` with `lock_address` and `unlock_address`.
    Http,
}

/// A backend block: where one state is, and how it is locked.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// How it is locked.
    pub backend: Backend,
    /// The key in the bucket; the same for all four.
    pub key: String,
}

impl BackendConfig {
    /// The state `key`, locked in this way.
    #[must_use]
    pub fn new(backend: Backend, key: &str) -> Self {
        Self {
            backend,
            key: key.to_owned(),
        }
    }

    /// The `terraform` block that names this backend on this server.
    #[must_use]
    pub fn hcl(&self, server: &TestServer) -> String {
        let (kind, settings) = match self.backend {
            Backend::LockFile => ("s3", self.s3_settings("use_lockfile = true")),
            Backend::Table => ("s3", self.s3_settings(&format!("dynamodb_table = \"{TABLE}\""))),
            Backend::Both => (
                "s3",
                self.s3_settings(&format!("use_lockfile = true\ndynamodb_table = \"{TABLE}\"")),
            ),
            Backend::Http => ("http", self.http_settings(server)),
        };
        format!("terraform {{\nbackend \"{kind}\" {{\n{settings}\n}}\n}}\n")
    }

    /// The path of this state at the http door.
    #[must_use]
    pub fn http_path(&self) -> String {
        format!("/state/{BUCKET}/{}", encode_path(&self.key))
    }

    /// The path of this state's object at the s3 door.
    #[must_use]
    pub fn s3_path(&self) -> String {
        format!("/{BUCKET}/{}", encode_path(&self.key))
    }

    fn s3_settings(&self, locking: &str) -> String {
        let key = serde_json::Value::from(self.key.as_str());
        format!("bucket = \"{BUCKET}\"\nkey = {key}\nregion = \"{REGION}\"\n{locking}")
    }

    fn http_settings(&self, server: &TestServer) -> String {
        let address = format!("{}{}", server.endpoint(), self.http_path());
        format!("address = \"{address}\"\nlock_address = \"{address}\"\nunlock_address = \"{address}\"")
    }
}

/// Percent-encodes all but the unreserved characters and `/`, as S3 clients do.
fn encode_path(key: &str) -> String {
    let mut path = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path += &format!("%{byte:02X}");
        }
    }
    path
}
