//! The wiring: a data directory, the engine in it, the service over that, the doors over the service, one port.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use serde_json::json;
use tidelock_core::{Caller, Versioning};
use tidelock_doors::{
    Doors,
    aws_common::keys::{Key, Keyring},
    dynamodb,
};
use tidelock_engine::EmbeddedEngine;
use tidelock_service::{self as service, Service};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{self, JoinHandle},
};

use crate::{
    credentials::Credentials,
    data_dir::DataDir,
    exit::{Failure, Status},
    http,
    world::Machine,
};

/// The bucket of a first start, as the printed backend block names it.
const BUCKET: &str = "tfstate";
/// The lock table of a first start.
const TABLE: &str = "terraform-locks";
/// There is one account; twelve digits, as clients check.
const ACCOUNT: &str = "000000000000";

/// A server that answers until it is stopped.
pub(crate) struct Server {
    data: DataDir,
    address: SocketAddr,
    credentials: Credentials,
    first_start: bool,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    engine: Arc<EmbeddedEngine>,
}

impl Server {
    /// Opens the data directory, makes what a first start must make, and answers on `listen`.
    pub(crate) async fn start(
        data: DataDir,
        listen: &str,
        locks: service::Settings,
    ) -> Result<Self, Failure> {
        let engine = open(&data).await?;
        let service = Service::new(engine.clone(), Arc::new(Machine)).with_settings(locks);
        let service = Arc::new(service);
        service.recover().await.map_err(store_failed)?;
        let (credentials, first_start) = match data.credentials()? {
            Some(credentials) => (credentials, false),
            None => (make_first(&data, &service).await?, true),
        };
        data.check_root_key()?;
        let doors = Arc::new(Doors::new(service.clone(), keyring(&credentials)));
        let listener = listen_on(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let handler = move |request, peer| {
            let doors = Arc::clone(&doors);
            async move { doors.handle(request, peer).await }
        };
        let accepting = tokio::spawn(http::run(listener, handler, stopping));
        let server = Self {
            data,
            address,
            credentials,
            first_start,
            service,
            stop,
            accepting,
            engine,
        };
        server.data.write_endpoint(&server.endpoint())?;
        Ok(server)
    }

    /// Stops accepting, waits for the requests in flight, and closes the data directory.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // Whoever asks from here on must not be sent to a server that is going away.
        let removed = self.data.remove_endpoint();
        self.stop.send_replace(true);
        self.service.stop_waiting();
        self.accepting.await.context("the accepting task failed")?;
        self.engine.close().await;
        Ok(removed.context("the endpoint file cannot be removed")?)
    }

    /// Where a client of this machine reaches it, such as `http://127.0.0.1:9470`.
    pub(crate) fn endpoint(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory it works on.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// The key pair it was started with.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether this start made the credentials and all that goes with them.
    pub(crate) fn is_first_start(&self) -> bool {
        self.first_start
    }
}

/// Opens the store; from here on no other server can.
async fn open(data: &DataDir) -> Result<Arc<EmbeddedEngine>, Failure> {
    let path = data.path().to_owned();
    let opened = task::spawn_blocking(move || EmbeddedEngine::open(&path))
        .await
        .context("opening the store failed")?;
    opened.map(Arc::new).map_err(|fault| Failure {
        status: Status::DataDirectory,
        error: fault.into(),
    })
}

/// Makes what is not there yet. The credentials come last, so that a start that was cut short is a first start again.
async fn make_first(data: &DataDir, service: &Service) -> Result<Credentials, Failure> {
    // Where there is a bucket there was a root key, and a new one would not open what that one sealed.
    if service.buckets().await.map_err(store_failed)?.is_empty() {
        data.make_root_key()?;
    }
    make_bucket(service).await.map_err(store_failed)?;
    make_table(service).await?;
    let credentials = Credentials::generate();
    data.write_credentials(&credentials)?;
    Ok(credentials)
}

async fn make_bucket(service: &Service) -> Result<(), service::Error> {
    match service.create_bucket(BUCKET).await {
        Ok(_) | Err(service::Error::BucketExists(_)) => {}
        Err(fault) => return Err(fault),
    }
    service
        .change_bucket(BUCKET, |bucket| bucket.versioning = Versioning::Enabled)
        .await
        .map(drop)
}

/// Through the door, which alone knows what a table's description is.
async fn make_table(service: &Service) -> Result<(), Failure> {
    if service.table(TABLE).await.is_ok() {
        return Ok(());
    }
    let caller = Caller {
        principal: principal(),
        ..Caller::default()
    };
    let request = json!({
        "TableName": TABLE,
        "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let answer = dynamodb::handle(service, &caller, "CreateTable", None, request.to_string().into()).await;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(Failure::new(
        Status::DataDirectory,
        format!("cannot make the table {TABLE}: {}", answer.status()),
    ))
}

/// The one user of the one account.
fn principal() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/tidelock")
}

/// The one key pair there is.
fn keyring(credentials: &Credentials) -> Arc<Keyring> {
    let key = Key::new(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.to_string(),
        principal(),
        ACCOUNT.to_owned(),
    );
    Arc::new(Keyring::new([key]))
}

fn store_failed(fault: service::Error) -> Failure {
    Failure {
        status: Status::DataDirectory,
        error: fault.into(),
    }
}

async fn listen_on(listen: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|fault| {
        let (status, next) = match fault.kind() {
            std::io::ErrorKind::AddrInUse => (
                Status::Failed,
                "; another program has that port, choose one with --listen",
            ),
            std::io::ErrorKind::InvalidInput => (
                Status::Usage,
                "; write it as ADDRESS:PORT, such as 127.0.0.1:9470",
            ),
            _ => (Status::Failed, ""),
        };
        Failure::new(status, format!("cannot listen on {listen}: {fault}{next}"))
    })
}
