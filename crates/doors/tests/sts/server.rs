//! All doors over memory with a clock that tests move, two accounts, and requests to STS and S3.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tidelock_core::{
    Time,
    iam::{Command, DEFAULT_ACCOUNT, Holder},
};
use tidelock_doors::{
    Doors, Peer,
    aws_common::keys::{Key, Keyring},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{KeyLocation, KeyReading, KeySource, RootKey, Service, World};

/// The account beside the default one.
pub(crate) const OTHER: &str = "210987654321";
/// 2026-11-21T12:00:00Z.
pub(crate) const NOON_MS: i64 = 1_795_262_400_000;

/// A clock that stands still, and dice.
pub(crate) struct Clock {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl World for Clock {
    fn now(&self) -> Time {
        Time(self.now.load(Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 16] {
        let drawn = u128::from(self.drawn.fetch_add(1, Ordering::Relaxed) + 1);
        drawn
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }
}

/// The documents of issuers.
#[derive(Default)]
pub(crate) struct Web(Mutex<HashMap<String, String>>);

impl KeySource for Web {
    fn read<'a>(&'a self, location: &'a KeyLocation) -> KeyReading<'a> {
        let KeyLocation::Url(url) = location else {
            panic!("no issuer here has a file");
        };
        let found = self.0.lock().unwrap().get(url).cloned();
        Box::pin(async {
            found
                .map(Bytes::from)
                .ok_or_else(|| "no route to host".to_owned())
        })
    }
}

/// An access key, and the token if it is a session's.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// All doors over memory.
pub(crate) struct Server {
    doors: Doors,
    pub(crate) service: Arc<Service>,
    pub(crate) clock: Arc<Clock>,
    web: Arc<Web>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> String {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = self
            .text
            .split_once(&open)
            .and_then(|(_, rest)| rest.split_once(&close));
        text.map(|(text, _)| text.replace("&quot;", "\""))
            .unwrap_or_default()
    }

    pub(crate) fn pair(&self) -> Pair {
        assert_eq!(self.status, 200, "{}", self.text);
        Pair {
            id: self.element("AccessKeyId"),
            secret: self.element("SecretAccessKey"),
            token: Some(self.element("SessionToken")),
        }
    }

    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status, self.element("Code").as_str()),
            (status, code),
            "{}",
            self.text
        );
        self.element("Message")
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        let clock = Arc::new(Clock {
            now: AtomicI64::new(NOON_MS),
            drawn: AtomicU64::new(0),
        });
        let web = Arc::new(Web::default());
        let service = Service::new(
            Arc::new(MemoryEngine::new()),
            clock.clone(),
            RootKey::new(&[1; 32]).into(),
        );
        let service = Arc::new(service.with_oidc(Vec::new(), web.clone()));
        service.recover().await.unwrap();
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
        let server = Server {
            doors: doors(&service, Server::operator()),
            service,
            clock,
            web,
        };
        let other = Command::CreateAccount {
            id: OTHER.to_owned(),
            name: "other".to_owned(),
        };
        server.ask(DEFAULT_ACCOUNT, other).await;
        server
    }

    pub(crate) fn operator() -> Pair {
        Pair {
            id: "AKIATIDELOCKOPERATOR".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        }
    }

    /// As after a start with a new key pair of the operator.
    pub(crate) fn renew_operator(&mut self, pair: Pair) {
        self.doors = doors(&self.service, pair);
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.now.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn publish(&self, url: &str, document: &Value) {
        self.web
            .0
            .lock()
            .unwrap()
            .insert(url.to_owned(), document.to_string());
    }

    pub(crate) async fn ask(&self, account: &str, command: Command) {
        self.service.change_directory(account, command).await.unwrap();
    }

    /// A new user with these statements, and its access key.
    pub(crate) async fn user(&self, account: &str, name: &str, statements: Value) -> Pair {
        let user = Command::CreateUser {
            path: "/".to_owned(),
            name: name.to_owned(),
            tags: Vec::new(),
        };
        self.ask(account, user).await;
        self.give(account, Holder::User(name.to_owned()), statements)
            .await;
        let key = self.service.create_access_key(account, name, None).await.unwrap();
        Pair {
            id: key.id,
            secret: key.secret.to_string(),
            token: None,
        }
    }

    /// A new role of the default account that trusts as `trust` says, with these statements. Its ARN.
    pub(crate) async fn role(&self, name: &str, trust: Value, statements: Value) -> String {
        let role = Command::CreateRole {
            path: "/".to_owned(),
            name: name.to_owned(),
            trust: document(trust),
            description: String::new(),
            max_session_secs: 7_200,
            tags: vec![("team".to_owned(), "infra".to_owned())],
        };
        self.ask(DEFAULT_ACCOUNT, role).await;
        self.give(DEFAULT_ACCOUNT, Holder::Role(name.to_owned()), statements)
            .await;
        format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/{name}")
    }

    pub(crate) async fn give(&self, account: &str, of: Holder, statements: Value) {
        let put = Command::PutInline {
            of,
            name: "own".to_owned(),
            document: document(statements),
        };
        self.ask(account, put).await;
    }

    /// Asks STS, signed with this pair or not at all.
    pub(crate) async fn sts(&self, pair: Option<&Pair>, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)));
        let form = pairs
            .chain(["Version=2011-06-15".to_owned()])
            .collect::<Vec<_>>()
            .join("&");
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.send(pair, "sts", ("POST", "/"), &headers, form).await
    }

    pub(crate) async fn assume(&self, pair: &Pair, role: &str, more: &[(&str, &str)]) -> Answer {
        let fields = [
            ("Action", "AssumeRole"),
            ("RoleArn", role),
            ("RoleSessionName", "job-1"),
        ];
        self.sts(Some(pair), &[&fields[..], more].concat()).await
    }

    /// Puts an object.
    pub(crate) async fn put(&self, pair: &Pair, key: &str, body: &str) -> Answer {
        let path = format!("/tfstate/{key}");
        self.send(Some(pair), "s3", ("PUT", &path), &[], body.to_owned())
            .await
    }

    pub(crate) async fn send(
        &self,
        pair: Option<&Pair>,
        service: &'static str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:9470");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.header("content-length", body.len()).body(()).unwrap();
        if let Some(pair) = pair {
            self.sign(pair, service, &mut request, &body);
        }
        let peer = Peer {
            address: ([127, 0, 0, 1], 40_000).into(),
            secure: false,
        };
        let request = request.map(|()| Full::new(Bytes::from(body)));
        let response = self.doors.handle(request, peer).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    fn sign(&self, pair: &Pair, service: &str, request: &mut Request<()>, body: &str) {
        let (id, secret, token) = (&pair.id, &pair.secret, pair.token.clone());
        let identity = Credentials::new(id, secret, token, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let now = self.clock.now().0.try_into().unwrap();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://127.0.0.1:9470{}", request.uri());
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let body = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(request);
    }
}

/// All doors, for the operator with this key and for everybody in the directory.
fn doors(service: &Arc<Service>, operator: Pair) -> Doors {
    let arn = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/tidelock");
    let key = Key::of_operator(operator.id, operator.secret, arn, DEFAULT_ACCOUNT.to_owned());
    let keyring = Keyring::new([key]).with_directory(service.clone());
    Doors::new(service.clone(), Arc::new(keyring))
}

/// A policy of these statements.
pub(crate) fn document(statements: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// A statement that lets these principals assume a role.
pub(crate) fn trusts(principal: &str) -> Value {
    json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}])
}

/// A statement that allows an action on everything.
pub(crate) fn allows(action: &str) -> Value {
    json!([{"Effect": "Allow", "Action": action, "Resource": "*"}])
}
