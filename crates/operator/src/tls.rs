//! Whom a client trusts.

use std::path::Path;

use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The certificates cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TrustError(String);

/// What a client of TLS servers begins with, who trusts the certificates in `bundle` and no others; without one, those
/// of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the system's.
///
/// # Errors
/// When there are no certificates, or one of the bundle's cannot be read.
pub fn client(bundle: Option<&Path>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TrustError> {
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|why| TrustError(why.to_string()))?;
    match bundle {
        Some(path) => Ok(builder.with_root_certificates(roots_of(path)?)),
        None => builder
            .with_native_roots()
            .map_err(|why| TrustError(why.to_string())),
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, TrustError> {
    let wrong = |why: String| TrustError(format!("{}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|why| wrong(why.to_string()))? {
        let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
        roots.add(certificate).map_err(|why| wrong(why.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(wrong("it holds no certificate".to_owned())),
        false => Ok(roots),
    }
}
