//! TLS of the server: the certificate that it shows, the ones that it asks for, and both anew when their files change.

mod accept;
mod files;
mod own;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use rustls::{ServerConfig, pki_types::ServerName};
use tidelock_core::limits::{TLS_FILES_LOOK_MS, TLS_OWN_LOOK_MS};
use tidelock_operator::files::bits_for_others;
use tokio::{
    sync::watch,
    task,
    time::{self, Instant},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    data_dir::DataDir,
    exit::{Failure, Status},
};
pub(crate) use accept::accept;
use files::{FileError, Files, Seen};
use own::Own;

/// The permission bits that let in who is neither the owner nor of the group.
const FOR_EVERYBODY: u32 = 0o007;

/// What `serve` was told about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) certificate: Certificate,
    /// Whose certificates clients must show; without it they show none.
    pub(crate) client_ca: Option<PathBuf>,
}

/// Where the server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    Files { cert: PathBuf, key: PathBuf },
    SelfSigned,
}

/// What connections are accepted with.
#[derive(Clone)]
pub(crate) struct Tls(watch::Receiver<Arc<ServerConfig>>);

/// What follows the files.
pub(crate) struct Keeper {
    files: Files,
    own: Option<Own>,
    /// The files as they were when they were loaded.
    loaded: Seen,
    /// The files as they were when they could not be loaded, and whether that has been said.
    failed: Option<(Seen, bool)>,
    names: files::Names,
    config: watch::Sender<Arc<ServerConfig>>,
}

/// Loads the files, and makes those first that are the server's own. `listen` is what it was told to listen on, and `ip`
/// what became of that.
pub(crate) fn start(
    settings: &Settings,
    data: &DataDir,
    listen: &str,
    ip: IpAddr,
) -> Result<(Tls, Keeper), Failure> {
    let unusable = |why: &dyn std::fmt::Display| Failure::new(Status::DataDirectory, why.to_string());
    let (cert, key, own) = match &settings.certificate {
        Certificate::Files { cert, key } => {
            if bits_for_others(key).is_ok_and(|bits| bits & FOR_EVERYBODY != 0) {
                tracing::warn!("everybody on this machine can read the key in {}", key.display());
            }
            (cert.clone(), key.clone(), None)
        }
        Certificate::SelfSigned => {
            let own = Own::new(data.tls(), own::names(listen, ip));
            own.keep(jiff::Timestamp::now()).map_err(|why| unusable(&why))?;
            (own.cert(), own.key(), Some(own))
        }
    };
    let files = Files {
        cert,
        key,
        client_ca: settings.client_ca.clone(),
    };
    let loaded = files.seen();
    let (config, names) = files
        .load()
        .map_err(|why| Failure::new(Status::Usage, why.to_string()))?;
    let (config, receiver) = watch::channel(config);
    let keeper = Keeper {
        files,
        own,
        loaded,
        failed: None,
        names,
        config,
    };
    Ok((Tls(receiver), keeper))
}

impl Tls {
    /// What the next connection is accepted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.borrow()))
    }
}

impl Keeper {
    /// By which name a client of this machine reaches a server on `ip`: the certificate has to be for it.
    pub(crate) fn host(&self, ip: IpAddr) -> String {
        let url_host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        if self.names.include(&ServerName::from(ip)) {
            return url_host;
        }
        match self.names.first() {
            Some(name) => name.to_owned(),
            None => {
                tracing::warn!(
                    "the certificate in {} names no host that could stand in an endpoint",
                    self.files.cert.display()
                );
                url_host
            }
        }
    }

    /// The authority's certificate that clients have to trust, when it is the server's own.
    pub(crate) fn ca(&self) -> Option<PathBuf> {
        self.own.as_ref().map(Own::ca)
    }

    /// Looks at the files again and again, until `stop` turns true.
    pub(crate) async fn keep(mut self, mut stop: watch::Receiver<bool>) {
        let mut renewed = Instant::now();
        loop {
            let pause = time::sleep(Duration::from_millis(TLS_FILES_LOOK_MS));
            tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = pause => {}
            }
            let is_due = renewed.elapsed() >= Duration::from_millis(TLS_OWN_LOOK_MS);
            if is_due {
                renewed = Instant::now();
            }
            // A file system may take its time.
            let looked = task::spawn_blocking(move || {
                self.look(is_due);
                self
            });
            match looked.await {
                Ok(keeper) => self = keeper,
                Err(fault) => return tracing::error!(%fault, "the certificate is not looked after any more"),
            }
        }
    }

    fn look(&mut self, is_due: bool) {
        if let Some(own) = self.own.as_ref().filter(|_| is_due)
            && let Err(why) = own.keep(jiff::Timestamp::now())
        {
            tracing::warn!("the server's own certificate cannot be renewed: {why}");
        }
        let seen = self.files.seen();
        if seen == self.loaded {
            return self.failed = None;
        }
        match self.files.load() {
            Ok((config, names)) => {
                self.config.send_replace(config);
                (self.loaded, self.failed, self.names) = (seen, None, names);
                let cert = self.files.cert.display();
                tracing::info!("the certificate was read anew from {cert}: new connections are shown it");
            }
            Err(why) => self.note(seen, &why),
        }
    }

    /// Says what is wrong with the files, once, and not while somebody is about to write the second of two.
    fn note(&mut self, seen: Seen, why: &FileError) {
        let told = match &self.failed {
            Some((failed, told)) if *failed == seen => *told,
            _ => return self.failed = Some((seen, false)),
        };
        if !told {
            tracing::warn!("the new certificate is not used, the one from before stays: {why}");
            self.failed = Some((seen, true));
        }
    }
}
