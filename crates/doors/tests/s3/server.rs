//! A server of all doors over memory, and signed requests to it.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tidelock_core::Time;
use tidelock_doors::{
    Doors, Peer,
    aws_common::keys::{Key, Keyring},
};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{Service, World};

pub(crate) const ACCESS_KEY_ID: &str = "AKIATIDELOCKTEST0001";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const ACCOUNT: &str = "123456789012";
/// The key of somebody in another account.
const OTHER_KEY_ID: &str = "AKIATIDELOCKTEST0002";
pub(crate) const OTHER_ACCOUNT: &str = "210987654321";

struct RealTime(AtomicU64);

impl World for RealTime {
    fn now(&self) -> Time {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Time(now.as_millis() as i64)
    }

    fn random(&self) -> [u8; 16] {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        u128::from(count)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }
}

/// All doors over memory.
#[derive(Clone)]
pub(crate) struct Server(Arc<Doors>, Arc<Service>);

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    /// An empty server.
    pub(crate) fn new() -> Server {
        Server::over(Arc::new(MemoryEngine::new()))
    }

    /// The same, over another engine.
    pub(crate) fn over(engine: Arc<dyn Engine>) -> Server {
        let key = |id: &str, account: &str| {
            let arn = format!("arn:aws:iam::{account}:user/test");
            Key::of_operator(id.into(), SECRET.into(), arn, account.into())
        };
        let keys = [key(ACCESS_KEY_ID, ACCOUNT), key(OTHER_KEY_ID, OTHER_ACCOUNT)];
        let service = Arc::new(Service::new(
            engine,
            Arc::new(RealTime(AtomicU64::new(0))),
            tidelock_service::RootKey::new(&[1; 32]).into(),
        ));
        let doors = Doors::new(Arc::clone(&service), Arc::new(Keyring::new(keys)));
        Server(Arc::new(doors), service)
    }

    /// A server with one bucket.
    pub(crate) async fn with_bucket(bucket: &str) -> Server {
        let server = Server::new();
        server.put(&format!("/{bucket}")).ok().await;
        server
    }

    /// The same, with versioning.
    pub(crate) async fn with_versions(bucket: &str) -> Server {
        let server = Server::with_bucket(bucket).await;
        server.set_versioning(bucket, "Enabled").await;
        server
    }

    pub(crate) async fn set_versioning(&self, bucket: &str, status: &str) {
        let xml = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.put(&format!("/{bucket}?versioning")).body(xml).ok().await;
    }

    /// Has the access logs delivered that wait.
    pub(crate) async fn deliver_access_logs(&self) {
        self.1.deliver_access_logs().await;
    }

    /// Serves on a loopback port, until the test's runtime ends.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let doors = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Ok((stream, address)) = listener.accept().await {
                let peer = Peer {
                    address,
                    secure: false,
                };
                let doors = Arc::clone(&doors);
                let answer = service_fn(move |request| {
                    let doors = Arc::clone(&doors);
                    async move { Ok::<_, Infallible>(doors.handle(request, peer).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        address
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn head(&self, path: &str) -> Call {
        self.call(Method::HEAD, path)
    }

    pub(crate) fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call {
            server: self.clone(),
            method,
            path: path.to_owned(),
            headers: vec![("host".to_owned(), "127.0.0.1:9470".to_owned())],
            body: Bytes::new(),
            presigned: false,
            key_id: ACCESS_KEY_ID,
        }
    }
}

/// A request in the making.
pub(crate) struct Call {
    server: Server,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    presigned: bool,
    key_id: &'static str,
}

impl Call {
    /// Sends as somebody in another account.
    pub(crate) fn of_other_account(mut self) -> Call {
        self.key_id = OTHER_KEY_ID;
        self
    }

    /// Signs in the query instead of a header.
    pub(crate) fn presigned(mut self) -> Call {
        self.presigned = true;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Call {
        self.headers.retain(|(old, _)| old != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    /// Signs, sends and takes the whole answer.
    pub(crate) async fn send(self) -> Answer {
        let length = self.body.len().to_string();
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.header("content-length", length).body(()).unwrap();
        self.sign(&mut request);
        let request = request.map(|()| Full::new(self.body.clone()));
        let peer = Peer {
            address: (Ipv4Addr::LOCALHOST, 40_000).into(),
            secure: false,
        };
        let (parts, body) = self.server.0.handle(request, peer).await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    fn sign(&self, request: &mut Request<()>) {
        let identity = Credentials::new(self.key_id, SECRET, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        if self.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(60));
        } else {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let uri = format!("http://127.0.0.1:9470{}", self.path);
        let body = match self.presigned {
            true => SignableBody::UnsignedPayload,
            false => SignableBody::Bytes(&self.body),
        };
        let signable = SignableRequest::new(self.method.as_str(), uri, headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(request);
    }

    /// Sends, and expects success.
    pub(crate) async fn ok(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await;
        assert!(
            answer.status.is_success(),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        answer
    }

    /// Sends, and expects this error.
    pub(crate) async fn refused(self, status: u16, code: &str) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await;
        let got = answer.element("Code").unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status.as_u16(), got.as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
        answer
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("(not text)")
    }

    /// The text of the first element of that name, as it is written.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all elements of that name, as they are written.
    pub(crate) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let pieces = self.text().split(open.as_str()).skip(1);
        pieces
            .filter_map(|piece| piece.split(close.as_str()).next())
            .collect()
    }

    /// The text of a header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
    }
}
