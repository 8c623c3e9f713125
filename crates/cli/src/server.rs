//! The wiring: a data directory, the engine in it, the service over that, the doors over the service, one port.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use serde_json::json;
use tidelock_core::{Caller, Versioning, iam::DEFAULT_ACCOUNT};
use tidelock_doors::{
    Doors,
    aws_common::keys::{Key, Keyring},
    block_public_access, dynamodb,
};
use tidelock_engine::{EmbeddedEngine, Engine};
use tidelock_service::{self as service, RootKeys, Service};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{self, JoinHandle},
};

use crate::{
    audit_log::{AuditLog, Collector},
    config::{Settings, Transport},
    credentials::Credentials,
    data_dir::DataDir,
    endpoint::Endpoint,
    exit::{Failure, Status},
    fetch::Issuers,
    http,
    root_key::Source,
    tls,
    world::Machine,
};

/// The bucket of a first start, as the printed backend block names it.
const BUCKET: &str = "tfstate";
/// The lock table of a first start.
const TABLE: &str = "terraform-locks";

/// A server that answers until it is stopped.
pub(crate) struct Server {
    data: DataDir,
    endpoint: Endpoint,
    credentials: Credentials,
    first_start: bool,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    /// What runs beside the requests until the stop, by what it does.
    chores: Vec<(&'static str, JoinHandle<()>)>,
    engine: Arc<EmbeddedEngine>,
    audit: Arc<AuditLog>,
}

impl Server {
    /// Opens the data directory, makes what a first start must make, and answers where the settings say.
    pub(crate) async fn start(data: DataDir, settings: Settings) -> Result<Self, Failure> {
        let engine = open(&data).await?;
        let keys = root_keys(&settings.root_key, &engine).await?;
        let audit = Arc::new(open_audit(&data, settings.collector)?);
        let service = Service::new(engine.clone(), Arc::new(Machine), keys)
            .with_witness(audit.clone())
            .with_settings(settings.service)
            .with_oidc(settings.issuers, Arc::new(Issuers))
            .with_key_store(Arc::new(settings.root_key));
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
        let listener = listen_on(&settings.listen).await?;
        let doors = Doors::new(service.clone(), keyring(&credentials, &service))
            .with_hosts(settings.hosts)
            .with_audit(audit.clone());
        let doors = Arc::new(doors);
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let (tls, keeper) = match &settings.transport {
            Transport::Loopback | Transport::PlainHttp => (None, None),
            Transport::Tls(tls) => {
                let (tls, keeper) = tls::start(tls, &data, &settings.listen, address.ip())?;
                (Some(tls), Some(keeper))
            }
        };
        let endpoint = endpoint(address, keeper.as_ref());
        let mut chores = chores(&service, &stopping);
        chores.extend(keeper.map(|keeper| ("certificates", tokio::spawn(keeper.keep(stopping.clone())))));
        let handler = move |request, peer| {
            let doors = Arc::clone(&doors);
            async move { doors.handle(request, peer).await }
        };
        let accepting = tokio::spawn(http::run(listener, tls, handler, stopping));
        let server = Self {
            data,
            endpoint,
            credentials,
            first_start,
            service,
            stop,
            accepting,
            chores,
            engine,
            audit,
        };
        server.data.write_endpoint(&server.endpoint)?;
        Ok(server)
    }

    /// Stops accepting, waits for the requests in flight, and closes the data directory.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // Whoever asks from here on must not be sent to a server that is going away.
        let removed = self.data.remove_endpoint();
        self.stop.send_replace(true);
        self.service.stop_waiting();
        self.audit.stop_following();
        self.accepting.await.context("the accepting task failed")?;
        for (name, chore) in self.chores {
            chore
                .await
                .with_context(|| format!("the task of {name} failed"))?;
        }
        self.audit.close().await;
        self.engine.close().await;
        Ok(removed.context("the endpoint file cannot be removed")?)
    }

    /// Where a client of this machine reaches it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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

/// Where clients of this machine find what listens on `address`.
fn endpoint(address: SocketAddr, tls: Option<&tls::Keeper>) -> Endpoint {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let reached = SocketAddr::new(ip, address.port());
    let Some(tls) = tls else {
        return Endpoint::plain(format!("http://{reached}"));
    };
    Endpoint {
        url: format!("https://{}:{}", tls.host(ip), address.port()),
        connect: Some(reached.to_string()),
        ca: tls.ca(),
    }
}

/// What the service does by itself, each in a task of its own.
fn chores(service: &Service, stop: &watch::Receiver<bool>) -> Vec<(&'static str, JoinHandle<()>)> {
    let expiring = dynamodb::keep_expiring(service.clone(), stop.clone());
    vec![
        (
            "packing",
            tokio::spawn(service.clone().keep_packing(stop.clone())),
        ),
        ("keys", tokio::spawn(service.clone().keep_kms(stop.clone()))),
        ("expiry of items", tokio::spawn(expiring)),
        (
            "access logs",
            tokio::spawn(service.clone().keep_access_logs(stop.clone())),
        ),
        (
            "lifecycle rules",
            tokio::spawn(service.clone().keep_lifecycles(stop.clone())),
        ),
    ]
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

/// Opens the audit log, which goes with the store.
fn open_audit(data: &DataDir, collector: Option<Collector>) -> Result<AuditLog, Failure> {
    AuditLog::open(data.path(), collector).map_err(|fault| {
        let place = data.path().display();
        Failure::new(
            Status::DataDirectory,
            format!("cannot open the audit log in {place}: {fault}"),
        )
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
    let created = service.create_bucket_with(BUCKET, DEFAULT_ACCOUNT, block_public_access);
    match created.await {
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
    let request = json!({
        "TableName": TABLE,
        "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let request = request.to_string().into();
    let caller = Caller {
        principal: principal(),
        ..Caller::default()
    };
    let answer = dynamodb::as_operator(service, &caller, "CreateTable", None, request).await;
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
    format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/tidelock")
}

/// The operator's key pair, and those of everybody in the directory.
fn keyring(credentials: &Credentials, service: &Arc<Service>) -> Arc<Keyring> {
    let key = Key::of_operator(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.to_string(),
        principal(),
        DEFAULT_ACCOUNT.to_owned(),
    );
    Arc::new(Keyring::new([key]).with_directory(Arc::clone(service)))
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
