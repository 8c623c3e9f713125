//! Every operation of every door, asked for by who may not do it.
//!
//! The operations come from the doors' own lists, so that a new one without a case here fails, and one that is answered
//! without having been decided fails too.
#![allow(clippy::unwrap_used, reason = "tests")]

mod actions;
mod cases;
mod teams;
mod unproven;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tidelock_core::{
    Time, Versioning,
    iam::{self, DEFAULT_ACCOUNT},
    kms,
    policy::{Kind, Named, Policy, Rights},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Credential, KmsKeyWanted, RootKey, Service, World};

use crate::{
    Doors, Peer,
    audit::{self, Audit, AuditError, Entry, Mark, Verified, Wanted},
    aws_common::keys::{Key, Keyring},
};
use cases::{Case, Decides, Fixture};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Has no rights at all.
const NOBODY: &str = "AKIANOBODY";
/// May do everything, by a policy.
const ANYBODY: &str = "AKIAANYBODY";
/// May do everything, and is denied everything.
const DENIED: &str = "AKIADENIED";
const BUCKET: &str = "tfstate";

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

/// All doors, and what they say of what they decided.
struct Server {
    doors: Doors,
    kept: Arc<Kept>,
}

impl Server {
    fn over(service: &Arc<Service>, keys: impl IntoIterator<Item = Key>) -> Server {
        let kept = Arc::new(Kept::default());
        let doors = Doors::new(Arc::clone(service), Arc::new(Keyring::new(keys)));
        Server {
            doors: doors.with_audit(kept.clone()),
            kept,
        }
    }
}

/// An audit log that keeps its entries at hand.
#[derive(Default)]
struct Kept(Mutex<Vec<Entry>>);

impl Audit for Kept {
    fn ready(&self) -> Result<(), AuditError> {
        Ok(())
    }

    fn record(&self, entry: Entry) -> BoxFuture<'static, Result<(), AuditError>> {
        self.0.lock().unwrap().push(entry);
        async { Ok(()) }.boxed()
    }

    fn read(&self, _: Wanted) -> BoxStream<'static, Result<Bytes, AuditError>> {
        stream::empty().boxed()
    }

    fn verify(&self, _: Option<Mark>) -> BoxFuture<'static, Result<Verified, AuditError>> {
        async { Ok(Verified::default()) }.boxed()
    }
}

/// What came of a request.
struct Answer {
    status: StatusCode,
    code: String,
    decided: Vec<audit::Decided>,
    text: String,
}

impl Answer {
    fn is_refused(&self) -> bool {
        self.status == StatusCode::FORBIDDEN || self.code == "AccessDeniedException"
    }

    fn was_allowed(&self) -> bool {
        let last = self.decided.last();
        last.is_some_and(|last| last.effect == audit::Effect::Allowed)
    }
}

async fn doors() -> (Server, Fixture) {
    let policy = |effect: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"*","Resource":"*"}}}}"#
        );
        Arc::new(Named {
            name: effect.to_owned(),
            policy: Policy::parse(&text, Kind::Identity).unwrap(),
        })
    };
    let user = |id: &str, identity: Vec<Arc<Named>>| {
        let arn = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/{id}");
        Key::from(Credential {
            rights: Rights {
                identity,
                ..Rights::default()
            },
            ..Credential::of_operator(id.into(), SECRET.into(), arn, DEFAULT_ACCOUNT.into())
        })
    };
    let keys = [
        user(NOBODY, Vec::new()),
        user(ANYBODY, vec![policy("Allow")]),
        user(DENIED, vec![policy("Allow"), policy("Deny")]),
    ];
    let world = Arc::new(RealTime(AtomicU64::new(0)));
    let engine = Arc::new(MemoryEngine::new());
    let service = Arc::new(Service::new(engine, world, RootKey::new(&[1; 32]).into()));
    service.open_keys().await.unwrap();
    service.create_bucket(BUCKET, DEFAULT_ACCOUNT).await.unwrap();
    let versioned = |bucket: &mut tidelock_service::Bucket| bucket.versioning = Versioning::Enabled;
    service.change_bucket(BUCKET, versioned).await.unwrap();
    let fixture = fixture(&service).await;
    (Server::over(&service, keys), fixture)
}

/// A role that the account may take, and a key with an alias.
async fn fixture(service: &Service) -> Fixture {
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{{"AWS":"{DEFAULT_ACCOUNT}"}}}}}}"#
    );
    let role = iam::Command::CreateRole {
        path: "/".to_owned(),
        name: "r".to_owned(),
        trust,
        description: String::new(),
        max_session_secs: 3_600,
        tags: Vec::new(),
    };
    service.change_directory(DEFAULT_ACCOUNT, role).await.unwrap();
    let wanted = KmsKeyWanted {
        account: DEFAULT_ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
        description: String::new(),
        policy: None,
        tags: BTreeMap::new(),
    };
    let key = service.create_kms_key(wanted).await.unwrap();
    let alias = kms::Command::CreateAlias {
        alias: "alias/x".to_owned(),
        key: key.id.clone(),
    };
    service.change_kms(alias).await.unwrap();
    let keys = service.kms().await.unwrap();
    let ciphertext = service.encrypt(&keys, &key, b"text", &BTreeMap::new()).unwrap();
    Fixture {
        key: key.id.clone(),
        ciphertext: STANDARD.encode(ciphertext),
    }
}

/// Sends a request as the holder of a key, or as nobody known.
async fn send(doors: &Server, case: &Case, key: Option<&str>) -> Answer {
    send_body(doors, case, key, Full::new(case.body.clone())).await
}

/// The same, with a body that comes as `body` has it.
async fn send_body<B>(doors: &Server, case: &Case, key: Option<&str>, body: B) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
{
    let mut request = Request::builder()
        .method(case.method.clone())
        .uri(&case.uri)
        .header("host", "127.0.0.1:9470")
        .header("content-length", case.body.len());
    for (name, value) in &case.headers {
        request = request.header(*name, value);
    }
    let mut request = request.body(()).unwrap();
    match (key, case.service) {
        (Some(key), Some(service)) => signed(&mut request, case, key, service),
        (Some(key), None) => {
            let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{SECRET}")));
            request
                .headers_mut()
                .insert("authorization", basic.parse().unwrap());
        }
        (None, _) => {}
    }
    let peer = Peer {
        address: (Ipv4Addr::LOCALHOST, 40_000).into(),
        secure: false,
    };
    let response = doors.doors.handle(request.map(|()| body), peer).await;
    let entry = doors.kept.0.lock().unwrap().pop().unwrap();
    let status = response.status();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        code: entry.code,
        decided: entry.decided,
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// A request of no particular name.
fn case_of(
    service: Option<&'static str>,
    method: http::Method,
    uri: &str,
    headers: Vec<(&'static str, String)>,
    body: &str,
) -> Case {
    Case {
        name: format!("{method} {uri} {headers:?}"),
        service,
        method,
        uri: uri.to_owned(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        decides: Decides::Asks,
    }
}

fn signed(request: &mut Request<()>, case: &Case, key: &str, service: &str) {
    let identity = Credentials::new(key, SECRET, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers().iter();
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let uri = format!("http://127.0.0.1:9470{}", case.uri);
    let signable = SignableRequest::new(
        case.method.as_str(),
        uri,
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(&case.body),
    );
    let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(request);
}

#[test]
fn every_operation_of_every_door_has_a_case() {
    let cases: BTreeSet<String> = cases::all(&Fixture::default())
        .into_iter()
        .map(|case| case.name)
        .collect();
    let listed: BTreeSet<String> = cases::listed().into_iter().collect();
    assert_eq!(
        listed.difference(&cases).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert!(listed.len() > 150, "{}", listed.len());
}

#[tokio::test]
async fn whoever_has_no_rights_can_do_nothing() {
    let (doors, fixture) = doors().await;
    for case in cases::all(&fixture) {
        let answer = send(&doors, &case, Some(NOBODY)).await;
        let right = match case.decides {
            Decides::Asks => answer.is_refused() && !answer.decided.is_empty(),
            Decides::EachByItself => !answer.was_allowed() && !answer.decided.is_empty(),
            Decides::Own => !answer.is_refused(),
            Decides::NotServed => answer.status == StatusCode::NOT_IMPLEMENTED,
        };
        assert!(right, "{}: {} {}", case.name, answer.status, answer.code);
    }
}

#[tokio::test]
async fn whoever_is_denied_everything_can_do_nothing() {
    let (doors, fixture) = doors().await;
    for case in cases::all(&fixture) {
        if matches!(case.decides, Decides::Asks) {
            let answer = send(&doors, &case, Some(DENIED)).await;
            assert!(answer.is_refused(), "{}: {}", case.name, answer.status);
        }
    }
}

/// So the refusals above are for want of rights, and not because the requests are no good.
#[tokio::test]
async fn whoever_may_do_everything_is_never_refused_for_want_of_rights() {
    let count = cases::all(&Fixture::default()).len();
    for at in 0..count {
        // A server of its own each: one operation must not take away what the next is about.
        let (doors, fixture) = doors().await;
        let case = &cases::all(&fixture)[at];
        let answer = send(&doors, case, Some(ANYBODY)).await;
        let asks = matches!(case.decides, Decides::Asks | Decides::EachByItself);
        assert!(
            !answer.is_refused() && (!asks || answer.was_allowed()),
            "{}: {} {}",
            case.name,
            answer.status,
            answer.code
        );
    }
}

#[tokio::test]
async fn whoever_shows_no_key_or_an_unknown_one_can_do_nothing() {
    let (doors, fixture) = doors().await;
    for case in cases::all(&fixture) {
        for key in [None, Some("AKIASTRANGER")] {
            let answer = send(&doors, &case, key).await;
            let refused = matches!(answer.status.as_u16(), 400 | 401 | 403);
            assert!(
                refused && answer.decided.is_empty(),
                "{} by {key:?}: {} {}",
                case.name,
                answer.status,
                answer.code
            );
        }
    }
}
