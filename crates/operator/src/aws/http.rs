//! HTTP/1.1 with TLS, connections kept; every wait and every answer is bounded.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tidelock_core::limits::{CLIENT_CONNECT_MS, CLIENT_SILENCE_MS};
use tokio::time;

use super::settings::{Settings, SettingsError};
use crate::{fault::chain, tls};

/// A client of any HTTP server, with its open connections.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer; a request that could not be sent may have been carried out all the same.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Connection(String),
    #[error("nothing was heard for {} s", CLIENT_SILENCE_MS / 1_000)]
    Silence,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

impl Http {
    /// Trusts the certificates that were named, else those of `AWS_CA_BUNDLE` or of the profile's `ca_bundle`, else those of the system.
    pub(crate) fn new(settings: &Settings) -> Result<Http, SettingsError> {
        let bundle = settings.environment.get("AWS_CA_BUNDLE");
        let bundle = bundle.or_else(|| settings.profiles.get(&settings.profile, "ca_bundle"));
        let bundle = bundle.map(|path| settings.environment.path(path));
        let bundle = settings.wanted.ca_bundle.clone().or(bundle);
        let config =
            tls::client(bundle.as_deref()).map_err(|why| SettingsError::Certificates(why.to_string()))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth());
        let mut plain = HttpConnector::new();
        plain.set_connect_timeout(Some(Duration::from_millis(CLIENT_CONNECT_MS)));
        plain.set_nodelay(true);
        plain.enforce_http(false);
        let connector = builder.https_or_http().enable_http1().wrap_connector(plain);
        Ok(Http(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends once, and reads an answer of at most `bytes_max`.
    pub(crate) async fn send(&self, request: Request<Bytes>, bytes_max: u64) -> Result<Answer, Fault> {
        let size = request.body().len() as u64;
        let sent = self.0.request(request.map(Full::new));
        // A large body takes its time on a slow line before the first byte of an answer can be expected.
        let patience = Duration::from_millis(CLIENT_SILENCE_MS + size / SLOWEST_BYTES_PER_MS);
        let answer = time::timeout(patience, sent).await.map_err(|_| Fault::Silence)?;
        let (head, body) = answer.map_err(|why| Fault::Connection(chain(&why)))?.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: read(body, bytes_max).await?,
        })
    }
}

/// Slower lines than this are taken for dead: 64 KB a second.
const SLOWEST_BYTES_PER_MS: u64 = 64;

/// Reads piece by piece, so that neither a silent nor an endless answer is waited for.
async fn read(mut body: Incoming, bytes_max: u64) -> Result<Bytes, Fault> {
    let mut whole = BytesMut::new();
    let silence = Duration::from_millis(CLIENT_SILENCE_MS);
    while let Some(frame) = time::timeout(silence, body.frame())
        .await
        .map_err(|_| Fault::Silence)?
    {
        let frame = frame.map_err(|why| Fault::Connection(chain(&why)))?;
        if let Ok(data) = frame.into_data() {
            if (whole.len() + data.len()) as u64 > bytes_max {
                return Err(Fault::TooLarge(bytes_max));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}
