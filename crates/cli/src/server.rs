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
use tidelock_engine::{EmbeddedEngine, Engine};
use tidelock_service::{self as service, RootKeys, Service};
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
    root_key::Source,
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
    packing: JoinHandle<()>,
    engine: Arc<EmbeddedEngine>,
}

impl Server {
    /// Opens the data directory, makes what a first start must make, and answers on `listen`.
    pub(crate) async fn start(
        data: DataDir,
        listen: &str,
        root_key: &Source,
        settings: service::Settings,
    ) -> Result<Self, Failure> {
        let engine = open(&data).await?;
        let keys = root_keys(root_key, &engine).await?;
        let service = Service::new(engine.clone(), Arc::new(Machine), keys)
            .with_settings(settings)
            .with_key_store(Arc::new(root_key.clone()));
        let service = Arc::new(service);
        service.open_keys().await.map_err(|why| Failure {
            status: Status::DataDirectory,
            error: why.into(),
        })?;
        service.recover().await.map_err(store_failed)?;
        let (credentials, first_start) = match data.credentials()? {
            Some(credentials) => (credentials, false),
            None => (make_first(&data, &service).await?, true),
        };
        let doors = Arc::new(Doors::new(service.clone(), keyring(&credentials)));
        let listener = listen_on(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let packing = tokio::spawn(Service::clone(&service).keep_packing(stopping.clone()));
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
            packing,
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
        self.packing.await.context("the packing task failed")?;
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

/// The root keys. A first one is made only for a store with nothing in it: it would not open what another one sealed.
async fn root_keys(source: &Source, engine: &EmbeddedEngine) -> Result<RootKeys, Failure> {
    let anything = engine.scan(Vec::new()..vec![u8::MAX], 1).await;
    if anything.map_err(|fault| store_failed(fault.into()))?.is_empty() {
        source.make()?;
    }
    source.load().await
}

/// Makes what is not there yet. The credentials come last, so that a start that was cut short is a first start again.
async fn make_first(data: &DataDir, service: &Service) -> Result<Credentials, Failure> {
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
