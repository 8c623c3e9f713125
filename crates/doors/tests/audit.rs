//! What the doors tell the audit log, and what they do while it cannot be written.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use http::Request;
use http_body_util::{BodyExt, Full};
use tidelock_core::Time;
use tidelock_doors::{
    Doors, Peer,
    audit::{Audit, AuditError, CLIENT_GONE, Entry, Mark, Verified, Wanted},
    aws_common::keys::{Key, Keyring},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Service, World};

const STATE: &str = r#"{"version":4,"serial":3,"lineage":"l","outputs":{},"resources":[]}"#;
const LOCK: &str = r#"{"ID":"11111111-1111-1111-1111-111111111111","Operation":"apply"}"#;

#[derive(Default)]
struct FakeWorld(AtomicI64);

impl World for FakeWorld {
    fn now(&self) -> Time {
        Time(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// A log in memory, which can be told to fail.
#[derive(Default)]
struct Kept {
    entries: Mutex<Vec<Entry>>,
    closed: AtomicBool,
    fails: AtomicBool,
    hangs: AtomicBool,
}

impl Audit for Kept {
    fn ready(&self) -> Result<(), AuditError> {
        match self.closed.load(Ordering::Relaxed) {
            true => Err(AuditError("cannot be written: the disk is full".to_owned())),
            false => Ok(()),
        }
    }

    fn record(&self, entry: Entry) -> BoxFuture<'static, Result<(), AuditError>> {
        self.entries.lock().unwrap().push(entry);
        let fails = self.fails.load(Ordering::Relaxed);
        let hangs = self.hangs.load(Ordering::Relaxed);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            match fails {
                true => Err(AuditError("cannot be written: the disk is full".to_owned())),
                false => Ok(()),
            }
        }
        .boxed()
    }

    fn read(&self, _: Wanted) -> BoxStream<'static, Result<Bytes, AuditError>> {
        stream::empty().boxed()
    }

    fn verify(&self, _: Option<Mark>) -> BoxFuture<'static, Result<Verified, AuditError>> {
        async { Ok(Verified::default()) }.boxed()
    }
}

struct Door {
    doors: Doors,
    kept: Arc<Kept>,
    world: Arc<FakeWorld>,
}

impl Door {
    async fn new() -> Door {
        let root_key = tidelock_service::RootKey::new(&[1; 32]);
        let world = Arc::new(FakeWorld::default());
        let service = Service::new(Arc::new(MemoryEngine::new()), world.clone(), root_key.into());
        service.create_bucket("tfstate", "000000000000").await.unwrap();
        let key = Key::of_operator("AKIAANN".into(), "s3cret".into(), "arn:ann".into(), "0".into());
        let kept = Arc::new(Kept::default());
        let doors = Doors::new(Arc::new(service), Arc::new(Keyring::new([key]))).with_audit(kept.clone());
        Door { doors, kept, world }
    }

    fn request(user: &str, secret: &str, method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
        let pair = STANDARD.encode(format!("{user}:{secret}"));
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Basic {pair}"));
        let request = request.header("content-length", body.len());
        request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let peer = Peer {
            address: ([192, 0, 2, 7], 1_234).into(),
            secure: true,
        };
        let response = self.doors.handle(request, peer).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn as_ann(&self, method: &str, path: &str, body: &str) -> u16 {
        let request = Door::request("AKIAANN", "s3cret", method, path, body);
        self.send(request).await.0
    }

    fn last(&self) -> Entry {
        self.kept.entries.lock().unwrap().last().unwrap().clone()
    }
}

#[tokio::test]
async fn an_entry_says_who_did_what_from_where_to_which_version() {
    let door = Door::new().await;
    assert_eq!(door.as_ann("LOCK", "/state/tfstate/a%20b", LOCK).await, 200);
    let locked = door.last();
    assert_eq!(
        (locked.operation.as_str(), locked.lock.as_str()),
        ("LOCK", "11111111-1111-1111-1111-111111111111")
    );
    let query = "?ID=11111111-1111-1111-1111-111111111111";
    let path = format!("/state/tfstate/a%20b{query}");
    assert_eq!(door.as_ann("POST", &path, STATE).await, 200);
    let entry = door.last();
    assert_eq!(
        (entry.door.as_str(), entry.address.as_str()),
        ("http", "tfstate/a b")
    );
    assert_eq!(
        (entry.principal.as_str(), entry.access_key_id.as_str()),
        ("arn:ann", "AKIAANN")
    );
    assert_eq!((entry.source.as_str(), entry.secure), ("192.0.2.7", true));
    assert_eq!(
        (entry.status, entry.serial, entry.version.as_str()),
        (200, Some(3), "1")
    );
    assert_eq!(entry.request_id.len(), 16);
}

#[tokio::test]
async fn who_is_not_known_leaves_an_entry_that_says_who_it_claimed_to_be() {
    let door = Door::new().await;
    let wrong = Door::request("AKIAANN", "guess", "GET", "/state/tfstate/a", "");
    assert_eq!(door.send(wrong).await.0, 401);
    let entry = door.last();
    assert_eq!(
        (entry.access_key_id.as_str(), entry.principal.as_str()),
        ("AKIAANN", "")
    );
    assert!(entry.is_denied());
    // A secret where the name should be is not kept.
    let swapped = Door::request("wJalrXUtnFEMI/K7MDENG", "AKIAANN", "GET", "/state/tfstate/a", "");
    assert_eq!(door.send(swapped).await.0, 401);
    assert_eq!(door.last().access_key_id, "");
    let presigned = "/tfstate/a?X-Amz-Signature=5ec2e7&X-Amz-Credential=x";
    let unsigned = Request::get(presigned).body(Full::default()).unwrap();
    let status = door.send(unsigned).await.0;
    let text = serde_json::to_string(&door.last()).unwrap();
    assert!(status >= 400 && !text.contains("5ec2e7"), "{text}");
}

#[tokio::test]
async fn who_only_asks_whether_a_server_is_there_was_refused_nothing() {
    let door = Door::new().await;
    let bare = |method, path| Request::builder().method(method).uri(path).body(Full::default());
    assert_eq!(door.send(bare("HEAD", "/").unwrap()).await.0, 405);
    assert!(!door.last().is_denied());
    for (method, path) in [
        ("HEAD", "/tfstate"),
        ("GET", "/"),
        ("HEAD", "/?X-Amz-Signature=5ec2e7"),
    ] {
        assert!(door.send(bare(method, path).unwrap()).await.0 >= 400);
        let entry = door.last();
        assert!(
            entry.is_denied() || entry.status == 400,
            "{method} {path}: {}",
            entry.status
        );
    }
}

#[tokio::test]
async fn a_request_whose_client_hangs_up_leaves_an_entry_all_the_same() {
    let door = Door::new().await;
    assert_eq!(door.as_ann("LOCK", "/state/tfstate/a", LOCK).await, 200);
    let other = LOCK.replace("1111-", "2222-");
    assert_eq!(door.as_ann("LOCK", "/state/tfstate/a", &other).await, 423);
    let request = Door::request("AKIAANN", "s3cret", "LOCK", "/state/tfstate/a", &other);
    // Who comes again later than a retry would is held, and is dropped here while it waits.
    door.world.0.fetch_add(1_000, Ordering::Relaxed);
    assert!(door.send(request).now_or_never().is_none());
    let entry = door.last();
    assert_eq!((entry.status, entry.code.as_str()), (499, CLIENT_GONE));
    assert_eq!(
        (entry.principal.as_str(), entry.door.as_str()),
        ("arn:ann", "http")
    );
}

#[tokio::test]
async fn nothing_is_done_while_nothing_can_be_kept_of_it() {
    let door = Door::new().await;
    door.kept.closed.store(true, Ordering::Relaxed);
    let (status, body) = door
        .send(Door::request(
            "AKIAANN",
            "s3cret",
            "POST",
            "/state/tfstate/a",
            STATE,
        ))
        .await;
    assert_eq!(status, 503);
    assert!(
        body.contains("disk is full") && body.contains("nothing is done"),
        "{body}"
    );
    assert_eq!(door.as_ann("GET", "/admin/locks", "").await, 503);
    let unsigned = Request::get("/tfstate/a").body(Full::default()).unwrap();
    let (status, body) = door.send(unsigned).await;
    assert_eq!(status, 503);
    assert!(body.contains("<Code>ServiceUnavailable</Code>"), "{body}");
    assert_eq!(door.kept.entries.lock().unwrap().len(), 0);
    door.kept.closed.store(false, Ordering::Relaxed);
    assert_eq!(door.as_ann("GET", "/state/tfstate/a", "").await, 404);
}

#[tokio::test]
async fn a_lock_whose_entry_cannot_be_written_is_not_granted() {
    let door = Door::new().await;
    door.kept.fails.store(true, Ordering::Relaxed);
    assert_eq!(door.as_ann("LOCK", "/state/tfstate/a", LOCK).await, 503);
    door.kept.fails.store(false, Ordering::Relaxed);
    another_gets_it(&door).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_entry_is_being_written_does_not_keep_the_lock() {
    let door = Door::new().await;
    door.kept.hangs.store(true, Ordering::Relaxed);
    {
        let locking = door.as_ann("LOCK", "/state/tfstate/a", LOCK);
        tokio::pin!(locking);
        // It is done, and its entry is on its way to the file.
        while door.kept.entries.lock().unwrap().is_empty() {
            tokio::select! {
                biased;
                status = &mut locking => panic!("answered {status} before its entry was written"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    door.kept.hangs.store(false, Ordering::Relaxed);
    another_gets_it(&door).await;
}

async fn another_gets_it(door: &Door) {
    let other = LOCK.replace("1111-", "2222-");
    // Taking the lock back is a task of its own.
    loop {
        match door.as_ann("LOCK", "/state/tfstate/a", &other).await {
            200 => break,
            status => assert_eq!(status, 423),
        }
        tokio::task::yield_now().await;
    }
}
