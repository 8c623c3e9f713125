//! The files of a certificate, its key and the clients' authority: read and checked, and known again.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ServerSessionMemoryCache, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tidelock_core::limits::{TLS_FILE_BYTES_MAX, TLS_SESSIONS_MAX};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

/// Where they are.
pub(super) struct Files {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
}

/// What tells whether a file is still the same: of each its device, inode, size and times, or that it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen(Vec<Option<[i64; 7]>>);

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is longer than {TLS_FILE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    #[error("{} holds no {what} in PEM", path.display())]
    Nothing { path: PathBuf, what: &'static str },
    #[error("the key in {} is not the one of the certificate in {}", key.display(), cert.display())]
    NotItsKey { cert: PathBuf, key: PathBuf },
    #[error("{} cannot be used: {why}", path.display())]
    Unusable { path: PathBuf, why: String },
}

/// The hosts that a certificate is for.
pub(super) struct Names(CertificateDer<'static>);

impl Names {
    pub(super) fn include(&self, name: &ServerName<'_>) -> bool {
        EndEntityCert::try_from(&self.0).is_ok_and(|cert| cert.verify_is_valid_for_subject_name(name).is_ok())
    }

    /// The first one that is a host's own.
    pub(super) fn first(&self) -> Option<&str> {
        let cert = EndEntityCert::try_from(&self.0).ok()?;
        cert.valid_dns_names().find(|name| !name.contains('*'))
    }
}

impl Files {
    /// What the file system says of them now.
    pub(super) fn seen(&self) -> Seen {
        let all = [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()];
        let of = |path: &PathBuf| {
            let known = fs::metadata(path).ok()?;
            let numbers = [known.dev(), known.ino(), known.size()].map(u64::cast_signed);
            let [device, inode, size] = numbers;
            let (changed, written) = (known.ctime_nsec(), known.mtime_nsec());
            Some([
                device,
                inode,
                size,
                known.ctime(),
                changed,
                known.mtime(),
                written,
            ])
        };
        Seen(all.into_iter().flatten().map(of).collect())
    }

    /// Reads and checks them.
    pub(super) fn load(&self) -> Result<(Arc<ServerConfig>, Names), FileError> {
        let chain = certificates(&self.cert)?;
        let names = chain.first().cloned().map(Names);
        let names = names.ok_or_else(|| nothing(&self.cert, "certificate"))?;
        let pem = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| nothing(&self.key, "private key"))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match &self.client_ca {
            Some(path) => verifier(path, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| unusable(&self.cert, &why))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key);
        let mut config = config.map_err(|why| match why {
            rustls::Error::InconsistentKeys(_) => FileError::NotItsKey {
                cert: self.cert.clone(),
                key: self.key.clone(),
            },
            why => unusable(&self.cert, &why),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = ServerSessionMemoryCache::new(TLS_SESSIONS_MAX);
        Ok((Arc::new(config), names))
    }
}

/// Takes the clients whose certificates one of these authorities has signed, and no others.
fn verifier(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|why| unusable(path, &why))?;
    }
    WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
        .build()
        .map_err(|why| unusable(path, &why))
}

/// All certificates of a file, one at least.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let pem = read(path)?;
    let all = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|why| unusable(path, &why))?;
    match all.is_empty() {
        true => Err(nothing(path, "certificate")),
        false => Ok(all),
    }
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let cannot = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    // As long as may be from the start: what grows leaves copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(TLS_FILE_BYTES_MAX + 1));
    let file = File::open(path).map_err(cannot)?;
    let most = TLS_FILE_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    match bytes.len() > TLS_FILE_BYTES_MAX {
        true => Err(FileError::TooLong(path.to_owned())),
        false => Ok(bytes),
    }
}

fn nothing(path: &Path, what: &'static str) -> FileError {
    let path = path.to_owned();
    FileError::Nothing { path, what }
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> FileError {
    let (path, why) = (path.to_owned(), why.to_string());
    FileError::Unusable { path, why }
}
