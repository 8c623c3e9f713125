//! The servers under measurement: ours, moto_server and dynalite, each a process of its own with its own defaults.

use std::{
    env,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tidelock_testkit::{BUCKET, Client, Credentials, Request, TABLE, TestServer};

use crate::work::Worker;

/// Python needs seconds to import moto.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A door of AWS that a server answers at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// S3: lock files and states.
    S3,
    /// DynamoDB: lock items.
    DynamoDb,
}

/// A server that runs, with the bucket and the table that the work needs.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) doors: &'static [Door],
    authority: String,
    credentials: Credentials,
    /// The token that belongs to the credentials, where they are a session's.
    token: Option<String>,
}

impl Server {
    /// Ours, for whoever has these credentials.
    pub(crate) fn ours(
        name: &'static str,
        server: &TestServer,
        credentials: &Credentials,
        token: Option<String>,
    ) -> Self {
        Self {
            name,
            doors: &[Door::S3, Door::DynamoDb],
            authority: server.authority().to_owned(),
            credentials: credentials.clone(),
            token,
        }
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// What it takes signatures of.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.authority, self.credentials.clone())
    }

    /// Worker `number` at this door.
    pub(crate) fn worker(&self, door: Door, number: u64) -> Worker {
        Worker::new(self.client(), self.token.clone(), door, number)
    }
}

/// A server that ours is measured against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// `moto_server`, in Python: S3 and DynamoDB.
    Moto,
    /// In JavaScript: DynamoDB alone.
    Dynalite,
}

impl Peer {
    fn start(self) -> Result<(Server, Process)> {
        match self {
            Peer::Moto => start_peer("moto", &[Door::S3, Door::DynamoDb], moto_command),
            Peer::Dynalite => start_peer("dynalite", &[Door::DynamoDb], dynalite_command),
        }
    }
}

/// All servers of a run, ours first. They end with it.
pub(crate) struct Servers {
    pub(crate) all: Vec<Server>,
    _ours: TestServer,
    _peers: Vec<Process>,
}

impl Servers {
    /// Starts ours and these peers, and makes the bucket and the table where they are not there by themselves.
    pub(crate) fn start(peers: &[Peer]) -> Result<Self> {
        let ours = start_ours()?;
        let mut all = vec![Server::ours("tidelock", &ours, ours.credentials(), None)];
        let mut processes = Vec::new();
        for peer in peers {
            let (server, process) = peer.start()?;
            all.push(server);
            processes.push(process);
        }
        Ok(Self {
            all,
            _ours: ours,
            _peers: processes,
        })
    }

    /// The servers that answer at this door.
    pub(crate) fn at(&self, door: Door) -> Vec<&Server> {
        self.all
            .iter()
            .filter(|server| server.doors.contains(&door))
            .collect()
    }
}

/// A process that ends when this value does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // A process that is gone already is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Our release binary, on an empty directory.
pub(crate) fn start_ours() -> Result<TestServer> {
    start(&env::current_exe()?.with_file_name("tidelock"))
}

/// This binary of ours, on an empty directory.
pub(crate) fn start(binary: &Path) -> Result<TestServer> {
    ensure!(
        binary.exists(),
        "{}: build it first: cargo build --release --package tidelock",
        binary.display()
    );
    Ok(TestServer::start(&binary.to_string_lossy()))
}

/// The root of the workspace, below which `dev/setup.sh peers` puts the others.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn moto_command(port: u16) -> Command {
    let mut command = Command::new(root().join(".venv/bin/moto_server"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command
}

fn dynalite_command(port: u16) -> Command {
    let mut command = Command::new("node");
    command
        .arg(root().join("target/bench/node_modules/dynalite/cli.js"))
        .args(["--port", &port.to_string()]);
    command
}

fn start_peer(
    name: &'static str,
    doors: &'static [Door],
    command: impl FnOnce(u16) -> Command,
) -> Result<(Server, Process)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = command(port);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut process =
        Process(child.with_context(|| format!("{name}: fetch it first: bash dev/setup.sh peers"))?);
    let credentials = Credentials {
        access_key_id: "AKIABENCH".into(),
        secret_access_key: "bench".into(),
    };
    let server = Server {
        name,
        doors,
        authority: format!("127.0.0.1:{port}"),
        credentials,
        token: None,
    };
    let begun = Instant::now();
    while TcpStream::connect(&server.authority).is_err() {
        if let Some(status) = process.0.try_wait()? {
            bail!("{name} ended at its start ({status}): fetch it first: bash dev/setup.sh peers");
        }
        ensure!(
            begun.elapsed() < START_LIMIT,
            "{name} does not listen after {START_LIMIT:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    make_bucket_and_table(&server).with_context(|| name)?;
    Ok((server, process))
}

fn make_bucket_and_table(server: &Server) -> Result<()> {
    let mut client = server.client();
    if server.doors.contains(&Door::S3) {
        let answer = client.try_send(&Request::new("PUT", &format!("/{BUCKET}"), ""))?;
        ensure!(
            answer.status == 200,
            "CreateBucket: {} {}",
            answer.status,
            answer.text()
        );
    }
    let table = serde_json::json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
    });
    let answer = client.try_send(&Request::dynamodb("CreateTable", table.to_string()))?;
    ensure!(
        answer.status == 200,
        "CreateTable: {} {}",
        answer.status,
        answer.text()
    );
    // dynalite takes half a second, as AWS takes its time.
    let begun = Instant::now();
    let describe = Request::dynamodb("DescribeTable", format!(r#"{{"TableName":"{TABLE}"}}"#));
    while client.try_send(&describe)?.json()["Table"]["TableStatus"] != "ACTIVE" {
        ensure!(
            begun.elapsed() < START_LIMIT,
            "the table is not active after {START_LIMIT:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
