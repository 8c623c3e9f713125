//! The way to a server: connects, and under TLS makes sure that it is the right one.

use std::{
    env, fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    client::conn::http1::{self, SendRequest},
    http::uri::Authority,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tidelock_operator::{
    fault::chain,
    tls::{self, TrustError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

use crate::{
    endpoint::Endpoint,
    exit::{Failure, Status},
};

/// The variables that name the certificate which a server may ask for, and its key.
const CLIENT: [&str; 2] = ["TIDELOCK_CLIENT_CERT", "TIDELOCK_CLIENT_KEY"];

/// What rustls says when a server asks for a certificate and gets none; under TLS 1.3 it says so with the first answer.
pub(crate) const CERTIFICATE_REQUIRED: &str = "CertificateRequired";

/// An open connection.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How to get to a server.
pub(crate) struct Way {
    /// `HOST:PORT`, as the URL has it.
    authority: String,
    /// The same, where the machine is that answers.
    connect: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    NoAnswer(String),
    /// Somebody answers who cannot prove to be the server.
    Untrusted(String),
}

impl Way {
    /// The way to an endpoint of the form `http://HOST:PORT` or `https://HOST:PORT`.
    pub(crate) fn to(endpoint: &Endpoint) -> Result<Way, Failure> {
        let trust = || trust(endpoint.ca.as_deref());
        Way::with_trust(&endpoint.url, endpoint.connect.as_deref(), trust)
    }

    /// The same, where somebody else says whom to trust.
    pub(crate) fn with_trust(
        url: &str,
        connect: Option<&str>,
        trust: impl FnOnce() -> Result<ClientConfig, Failure>,
    ) -> Result<Way, Failure> {
        let bad = || {
            let message =
                format!("the endpoint {url} is not of the form http://HOST:PORT or https://HOST:PORT");
            Failure::new(Status::Usage, message)
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(bad()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let parsed: Authority = authority.parse().map_err(|_| bad())?;
        if parsed.host().is_empty() || authority.contains('@') {
            return Err(bad());
        }
        let authority = match parsed.port() {
            Some(_) => authority.to_owned(),
            None => format!("{authority}:{port}"),
        };
        let tls = match scheme {
            "https" => {
                let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
                Some((Arc::new(trust()?).into(), name))
            }
            _ => None,
        };
        Ok(Way {
            connect: connect.unwrap_or(&authority).to_owned(),
            authority,
            tls,
        })
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether `url` is of this server.
    pub(crate) fn leads_to(&self, url: &str) -> bool {
        let (scheme, port) = match self.tls {
            Some(_) => ("https://", ":443"),
            None => ("http://", ":80"),
        };
        let own = [Some(self.authority.as_str()), self.authority.strip_suffix(port)];
        let rest = url.strip_prefix(scheme);
        rest.and_then(|rest| rest.split('/').next())
            .is_some_and(|authority| own.contains(&Some(authority)))
    }

    /// Connects for HTTP/1.1; the connection ends with the set beside it.
    pub(crate) async fn open(
        &self,
    ) -> Result<(SendRequest<Full<Bytes>>, JoinSet<hyper::Result<()>>), DialError> {
        let stream = self.connect().await?;
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|why| DialError::NoAnswer(chain(&why)))?;
        let mut connected = JoinSet::new();
        connected.spawn(connection);
        Ok((sender, connected))
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Io>, DialError> {
        let stream = TcpStream::connect(&self.connect).await;
        let stream = stream.map_err(|why| DialError::NoAnswer(chain(&why)))?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Box::new(stream));
        };
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(why) if is_distrust(&why) => Err(DialError::Untrusted(chain(&why))),
            Err(why) => Err(DialError::NoAnswer(chain(&why))),
        }
    }
}

fn is_distrust(why: &io::Error) -> bool {
    let why = why.get_ref().and_then(|why| why.downcast_ref());
    matches!(why, Some(rustls::Error::InvalidCertificate(_)))
}

/// Trusts `ca`, else the certificates of `AWS_CA_BUNDLE`, else the system's.
fn trust(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let bundle = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    let bundle = ca.map(Path::to_owned).or(bundle.map(PathBuf::from));
    let trusting = tls::client(bundle.as_deref())?;
    match client_certificate()? {
        None => Ok(trusting.with_no_client_auth()),
        Some((chain, key)) => trusting
            .with_client_auth_cert(chain, key)
            .map_err(|why| unusable(&why)),
    }
}

impl From<TrustError> for Failure {
    fn from(why: TrustError) -> Failure {
        Failure::new(Status::Usage, format!("no certificates to trust: {why}"))
    }
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The certificate and its key that the environment names.
fn client_certificate() -> Result<Option<ClientCertificate>, Failure> {
    let path = |name| env::var_os(name).filter(|path| !path.is_empty());
    let [cert, key] = CLIENT.map(path);
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        _ => return Err(unusable(&"one is set without the other")),
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(|chain| chain.collect());
    let chain = chain.map_err(|why| unusable(&why))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|why| unusable(&why))?;
    Ok(Some((chain, key)))
}

fn unusable(why: &dyn fmt::Display) -> Failure {
    let [cert, key] = CLIENT;
    Failure::new(Status::Usage, format!("{cert} and {key} cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn way(url: &str) -> Result<Way, Failure> {
        Way::to(&Endpoint::plain(url.to_owned()))
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (endpoint, authority) in [
            ("http://127.0.0.1:9470", "127.0.0.1:9470"),
            ("http://[::1]:9470/", "[::1]:9470"),
            ("http://state.example", "state.example:80"),
        ] {
            assert_eq!(way(endpoint).unwrap().authority, authority);
        }
        for endpoint in [
            "",
            "http://",
            "https://",
            "127.0.0.1:9470",
            "ftp://127.0.0.1:9470",
            "http://127.0.0.1:9470/x",
            "http://user:secret@127.0.0.1:9470",
            "http://a b",
        ] {
            let failure = way(endpoint).err().unwrap();
            assert_eq!(failure.status, Status::Usage, "{endpoint}");
        }
    }

    #[test]
    fn only_a_url_of_this_very_server_is_its_own() {
        let server = way("http://127.0.0.1:9470").unwrap();
        for url in ["http://127.0.0.1:9470/state/tfstate/a", "http://127.0.0.1:9470"] {
            assert!(server.leads_to(url), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:9470/state",
            "http://127.0.0.1:94701/state",
            "https://127.0.0.1:9470/state",
            "http://127.0.0.1/state",
        ] {
            assert!(!server.leads_to(url), "{url}");
        }
        assert!(
            way("http://state.example")
                .unwrap()
                .leads_to("http://state.example/state/a")
        );
    }
}
