//! The admin door: who comes in, what is refused, and how a refusal looks.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tidelock_core::{Time, limits::ADMIN_BODY_BYTES_MAX};
use tidelock_doors::{
    Doors, Trace,
    aws_common::keys::{Key, Keyring},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Service, World};

const RUN: &str = "/admin/runs/0123456789abcdef";

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

/// The doors, to the keys of `ann` and `eve`.
struct Door {
    doors: Doors,
    service: Arc<Service>,
}

impl Door {
    fn new() -> Door {
        let service = Arc::new(Service::new(
            Arc::new(MemoryEngine::new()),
            Arc::new(FakeWorld::default()),
        ));
        let key = |name: &str| Key::new(name.into(), "s3cret".into(), format!("arn:{name}"), "0".into());
        let keyring = Arc::new(Keyring::new([key("ann"), key("eve")]));
        let doors = Doors::new(service.clone(), keyring);
        Door { doors, service }
    }

    async fn send(&self, user: Option<&str>, method: &str, path: &str, body: &str) -> (u16, Value, Trace) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(user) = user {
            let pair = STANDARD.encode(format!("{user}:s3cret"));
            request = request.header("authorization", format!("Basic {pair}"));
        }
        let body = Full::new(Bytes::from(body.to_owned()));
        let peer = ([127, 0, 0, 1], 1_234).into();
        let response = self.doors.handle(request.body(body).unwrap(), peer).await;
        let (status, trace) = (response.status().as_u16(), response.extensions().get().cloned());
        assert_eq!(response.headers()["content-type"], "application/json");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap(), trace.unwrap())
    }

    async fn begin(&self, user: &str) -> (u16, Value) {
        let (status, answer, _) = self.send(Some(user), "PUT", RUN, r#"{"lease_ms":60000}"#).await;
        (status, answer)
    }
}

#[tokio::test]
async fn a_run_is_begun_renewed_and_ended() {
    let door = Door::new();
    let (status, begun) = door.begin("ann").await;
    assert_eq!((status, &begun["id"]), (200, &json!("0123456789abcdef")));
    let (_, renewed) = door.begin("ann").await;
    assert!(renewed["until_ms"].as_i64() > begun["until_ms"].as_i64());
    let run = door.service.run("0123456789abcdef").await.unwrap().unwrap();
    assert_eq!(
        (run.principal.as_str(), run.access_key_id.as_str()),
        ("arn:ann", "ann")
    );
    let (status, _, trace) = door.send(Some("ann"), "DELETE", RUN, "").await;
    assert_eq!(status, 200);
    assert_eq!(
        (trace.door, trace.operation.as_str(), trace.address.as_str()),
        ("admin", "DELETE runs", "0123456789abcdef")
    );
    let (status, answer) = door.begin("ann").await;
    assert_eq!(
        (status, answer),
        (409, json!({"error": "this run was ended; take another ID"}))
    );
}

#[tokio::test]
async fn another_principal_is_told_whose_run_it_is() {
    let door = Door::new();
    door.begin("ann").await;
    let refused = json!({"error": "this run belongs to arn:ann; take another ID"});
    assert_eq!(door.begin("eve").await, (403, refused.clone()));
    let (status, answer, trace) = door.send(Some("eve"), "DELETE", RUN, "").await;
    assert_eq!((status, answer), (403, refused));
    assert_eq!((trace.caller.as_str(), trace.code.as_str()), ("arn:eve", "403"));
}

#[tokio::test]
async fn locks_are_shown_freed_and_frozen() {
    let door = Door::new();
    let send = async |method: &str, path: &str, body: &str| {
        let (status, answer, _) = door.send(Some("ann"), method, path, body).await;
        (status, answer)
    };
    let (status, empty) = send("GET", "/admin/locks", "").await;
    assert_eq!((status, empty), (200, json!({"locks": [], "more": false})));
    let (status, frozen) = send("POST", "/admin/freeze/tfstate/a%20b", r#"{"reason":"audit"}"#).await;
    assert_eq!((status, &frozen["frozen"]["who"]), (200, &json!("arn:ann")));
    let id = frozen["frozen"]["id"].as_str().unwrap();
    let (_, shown) = send("GET", "/admin/locks/tfstate/a%20b", "").await;
    assert_eq!(shown["locks"][0]["doors"], json!(["operator"]));
    assert_eq!(
        (&shown["locks"][0]["since_ms"].is_i64(), &shown["state"]),
        (&true, &Value::Null)
    );
    let (_, listed) = send("GET", "/admin/locks?prefix=tfstate%2Fa", "").await;
    assert_eq!(listed["locks"][0]["address"], json!("tfstate/a b"));
    let (_, listed) = send("GET", "/admin/locks?prefix=tfstate/b", "").await;
    assert_eq!(listed["locks"], json!([]));
    for (status, path, body) in [
        (
            409,
            "/admin/freeze/tfstate/a%20b",
            r#"{"reason":"again","who":"eve"}"#.to_owned(),
        ),
        (409, "/admin/unlock/tfstate/a%20b", format!(r#"{{"id":"{id}"}}"#)),
        (409, "/admin/unlock/tfstate/a%20b", r#"{"id":"other"}"#.to_owned()),
        (404, "/admin/unlock/tfstate/free", r#"{"id":"other"}"#.to_owned()),
        (409, "/admin/thaw/tfstate/free", String::new()),
        (200, "/admin/thaw/tfstate/a%20b", String::new()),
        (
            200,
            "/admin/allow/tfstate/a%20b",
            r#"{"rewind":true,"for_ms":1000}"#.to_owned(),
        ),
    ] {
        let (got, answer) = send("POST", path, &body).await;
        assert_eq!(got, status, "{path} {body}: {answer}");
    }
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_refused_with_a_sentence() {
    let door = Door::new();
    for (status, method, path, body) in [
        (400, "GET", "/admin/locks/nowhere", ""),
        (400, "GET", "/admin/locks/tfstate/a.tflock", ""),
        (400, "GET", "/admin/locks?prefix=%FF", ""),
        (400, "POST", "/admin/freeze/tfstate/a", r#"{"reason":" "}"#),
        (
            400,
            "POST",
            "/admin/freeze/tfstate/a",
            r#"{"reason":"x","until":1}"#,
        ),
        (400, "POST", "/admin/unlock/tfstate/a", r#"{"id":""}"#),
        (400, "POST", "/admin/allow/tfstate/a", r#"{"for_ms":1000}"#),
        (
            400,
            "POST",
            "/admin/allow/tfstate/a",
            r#"{"rewind":true,"for_ms":0}"#,
        ),
        (
            400,
            "POST",
            "/admin/allow/tfstate/a",
            r#"{"rewind":true,"for_ms":86400001}"#,
        ),
        (400, "GET", "/admin/quarantine/tfstate/a?id=x", ""),
        (404, "GET", "/admin/quarantine/tfstate/a?id=1", ""),
        (404, "POST", "/admin/adopt/tfstate/a", r#"{"id":1}"#),
        (404, "POST", "/admin/discard/tfstate/a", r#"{"id":1}"#),
        (404, "GET", "/admin/quarantine", ""),
    ] {
        let (got, answer, _) = door.send(Some("ann"), method, path, body).await;
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().len() > 10);
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_good_key() {
    let door = Door::new();
    for user in [None, Some("stranger"), Some("ann+%00")] {
        for (method, path) in [("PUT", RUN), ("GET", "/admin/"), ("GET", "/admin/no/such")] {
            let (status, answer, trace) = door.send(user, method, path, "{}").await;
            assert_eq!((status, trace.door), (401, "admin"), "{user:?} {method} {path}");
            assert!(answer["error"].as_str().unwrap().contains("tidelock env"));
        }
    }
    assert!(door.service.run("0123456789abcdef").await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_sentence() {
    let door = Door::new();
    let long = format!(r#"{{"lease_ms":{}1}}"#, " ".repeat(ADMIN_BODY_BYTES_MAX as usize));
    for (status, method, path, body) in [
        (404, "PUT", "/admin/", ""),
        (404, "PUT", "/admin/runs", "{}"),
        (404, "PUT", "/admin/runs/", "{}"),
        (404, "PATCH", RUN, ""),
        (404, "GET", "/admin//runs/0123456789abcdef", ""),
        (400, "PUT", "/admin/runs/short", r#"{"lease_ms":60000}"#),
        (
            400,
            "PUT",
            "/admin/runs/0123456789abcdef%FF",
            r#"{"lease_ms":60000}"#,
        ),
        (
            400,
            "PUT",
            "/admin/runs/0123456789abcdef/x",
            r#"{"lease_ms":60000}"#,
        ),
        (400, "PUT", RUN, ""),
        (400, "PUT", RUN, "[60000]"),
        (400, "PUT", RUN, r#"{"lease_ms":-1}"#),
        (400, "PUT", RUN, r#"{"lease_ms":60000,"more":1}"#),
        (400, "PUT", RUN, r#"{"lease_ms":4999}"#),
        (400, "PUT", RUN, &long),
    ] {
        let (got, answer, trace) = door.send(Some("ann"), method, path, body).await;
        assert_eq!(got, status, "{method} {path} {body:.40}: {answer}");
        assert!(answer["error"].as_str().unwrap().len() > 10);
        assert_eq!(trace.code, status.to_string());
    }
}

#[tokio::test]
async fn a_state_may_be_called_admin() {
    let door = Door::new();
    let request = Request::builder()
        .method(Method::GET)
        .uri("/state/admin/runs")
        .header(
            "authorization",
            format!("Basic {}", STANDARD.encode("ann:s3cret")),
        );
    let peer = ([127, 0, 0, 1], 1_234).into();
    let response = door
        .doors
        .handle(request.body(Full::new(Bytes::new())).unwrap(), peer)
        .await;
    assert_eq!(response.extensions().get::<Trace>().unwrap().door, "http");
}
