//! Somewhere to keep states that speaks S3 and DynamoDB: a Tidelock server, or moto, which nobody here wrote.
//!
//! What a test says of one must hold of the other.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use crate::{
    REGION,
    client::{Client, Request},
    hermetic::Hermetic,
    server::{Credentials, TestServer, show},
    terraform::Terraform,
    wait_until,
};

/// Which implementation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `tidelock serve`.
    Tidelock,
    /// `moto_server` from PyPI.
    Moto,
}

/// A place for states.
#[derive(Debug)]
pub struct Store {
    /// Which implementation it is.
    pub kind: Kind,
    /// `http://HOST:PORT` of all its services.
    pub endpoint: String,
    /// A key that may do everything.
    pub credentials: Credentials,
    server: Option<TestServer>,
}

/// The one moto of a test program. It ends when its standard input does, which is when the program does.
static MOTO: OnceLock<Option<Moto>> = OnceLock::new();

struct Moto {
    _process: Child,
    endpoint: String,
}

impl Store {
    /// A Tidelock server of the test's own, and moto: one for the whole program, so that names have to be one's own.
    /// Without Python only the first, unless `TIDELOCK_REQUIRE_PYTHON=1` makes that a failure.
    #[must_use]
    pub fn both(binary: &str) -> Vec<Store> {
        [Some(Store::tidelock(binary)), Store::moto()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// A Tidelock server.
    #[must_use]
    pub fn tidelock(binary: &str) -> Store {
        let server = TestServer::start(binary);
        Store {
            kind: Kind::Tidelock,
            endpoint: server.endpoint().to_owned(),
            credentials: server.credentials().clone(),
            server: Some(server),
        }
    }

    /// moto.
    #[must_use]
    pub fn moto() -> Option<Store> {
        let moto = MOTO
            .get_or_init(|| python().map(|python| Moto::start(&python)))
            .as_ref()?;
        Some(Store {
            kind: Kind::Moto,
            endpoint: moto.endpoint.clone(),
            credentials: Credentials {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            },
            server: None,
        })
    }

    /// The server, where it is Tidelock.
    #[must_use]
    pub fn server(&self) -> Option<&TestServer> {
        self.server.as_ref()
    }

    /// A client for requests of one's own.
    #[must_use]
    pub fn client(&self) -> Client {
        let authority = self.endpoint.trim_start_matches("http://");
        Client::new(authority, self.credentials.clone())
    }

    /// Makes a versioned bucket.
    pub fn bucket(&self, name: &str) {
        let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.must(&Request::new("PUT", &format!("/{name}"), ""));
        self.must(&Request::new("PUT", &format!("/{name}?versioning"), on));
    }

    /// Makes a lock table.
    pub fn table(&self, name: &str) {
        let table = serde_json::json!({
            "TableName": name,
            "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.must(&Request::dynamodb("CreateTable", table.to_string()));
    }

    /// Writes an object; `key` as it stands in a URL.
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) {
        self.must(&Request::new("PUT", &format!("/{bucket}/{key}"), body));
    }

    fn must(&self, request: &Request) {
        let answer = self.client().send(request);
        assert!(
            (200..300).contains(&answer.status),
            "{request:?}: {}",
            answer.text()
        );
    }

    /// Points a command at it.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &self.credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.credentials.secret_access_key)
    }

    /// Terraform in a directory of this name.
    #[must_use]
    pub fn terraform<'a>(&self, binary: &Path, hermetic: &'a Hermetic, name: &str) -> Terraform<'a> {
        Terraform::at(binary, hermetic, &self.endpoint, &self.credentials, name)
    }
}

impl Moto {
    fn start(python: &Path) -> Moto {
        // moto says nothing of a port that it chose itself.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("a listener has an address").port();
        drop(free);
        let program = format!(
            "import os, sys, threading\n\
             threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n\
             from moto.server import main\n\
             main(['--host', '127.0.0.1', '--port', '{port}'])"
        );
        let process = Command::new(python)
            .args(["-B", "-c", &program])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        let authority = format!("127.0.0.1:{port}");
        wait_until("moto answers", || TcpStream::connect(&authority).is_ok());
        Moto {
            _process: process,
            endpoint: format!("http://{authority}"),
        }
    }
}

/// The Python with moto, boto3 and the AWS CLI: `TIDELOCK_PYTHON`, or that of `.venv`.
///
/// Where there is none the test is to be skipped, unless `TIDELOCK_REQUIRE_PYTHON=1` makes that a failure.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let named = std::env::var_os("TIDELOCK_PYTHON").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = named.unwrap_or_else(|| root.join(".venv/bin/python"));
    if python.exists() {
        return Some(python);
    }
    let reason = format!(
        "no {}: run `bash dev/setup.sh python`, or name another with TIDELOCK_PYTHON",
        python.display()
    );
    assert!(
        std::env::var("TIDELOCK_REQUIRE_PYTHON").as_deref() != Ok("1"),
        "{reason}"
    );
    show(&format!("skipped: {reason}"));
    None
}
