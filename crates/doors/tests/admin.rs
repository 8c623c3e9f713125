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
use tidelock_core::{
    Time,
    iam::DEFAULT_ACCOUNT,
    limits::{ADMIN_BODY_BYTES_MAX, RESOURCE_PATTERN_BYTES_MAX},
};
use tidelock_doors::{
    Doors, Peer, Trace,
    aws_common::keys::{Key, Keyring},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Service, World};

const RUN: &str = "/admin/runs/0123456789abcdef";

fn peer() -> Peer {
    Peer {
        address: ([127, 0, 0, 1], 1_234).into(),
        secure: false,
    }
}

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
            tidelock_service::RootKey::new(&[1; 32]).into(),
        ));
        let key =
            |name: &str| Key::of_operator(name.into(), "s3cret".into(), format!("arn:{name}"), "0".into());
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
        let response = self.doors.handle(request.body(body).unwrap(), peer()).await;
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
async fn root_keys_are_shown_by_their_ids_and_rotated_where_the_server_keeps_them() {
    let door = Door::new();
    let (status, shown, _) = door.send(Some("ann"), "GET", "/admin/root-key", "").await;
    let id = tidelock_service::RootKey::new(&[1; 32]).id().to_owned();
    let key = json!({ "id": id, "role": "current", "bodies": 0, "since_ms": null });
    let expected = json!({ "source": "memory", "ours": false, "keys": [key], "rotation": null });
    assert_eq!((status, shown), (200, expected));
    let (status, refused, trace) = door.send(Some("ann"), "POST", "/admin/root-key/rotate", "").await;
    assert_eq!((status, trace.operation.as_str()), (409, "POST root-key"));
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("put a new key before the present one")
    );
    let (status, rotation, _) = door
        .send(Some("ann"), "GET", "/admin/root-key/rotation", "")
        .await;
    assert_eq!((status, rotation), (200, Value::Null));
    for (method, path) in [
        ("GET", "/admin/root-key/rotate"),
        ("POST", "/admin/root-key/rotation"),
        ("POST", "/admin/root-key"),
    ] {
        assert_eq!(
            door.send(Some("ann"), method, path, "").await.0,
            404,
            "{method} {path}"
        );
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
async fn what_is_asked_of_a_history_is_checked() {
    let door = Door::new();
    let long = "a".repeat(RESOURCE_PATTERN_BYTES_MAX + 1);
    for (status, method, path, body) in [
        (404, "GET", "/admin/history", ""),
        (404, "POST", "/admin/history/b/k", ""),
        (400, "GET", "/admin/history/k", ""),
        (400, "GET", "/admin/history/tfstate/k?before=x", ""),
        (400, "GET", "/admin/history/tfstate/k?limit=-1", ""),
        (400, "GET", "/admin/history/tfstate/k.tflock", ""),
        (400, "GET", "/admin/version/tfstate/k", ""),
        (404, "GET", "/admin/version/tfstate/k?version=1", ""),
        (404, "GET", "/admin/version/tfstate/k?version=current", ""),
        (404, "GET", "/admin/body/tfstate/k?version=%00", ""),
        (400, "GET", "/admin/body/tfstate/k?version=%FF", ""),
        (400, "GET", "/admin/blame/tfstate/k", ""),
        (400, "GET", &format!("/admin/blame/tfstate/k?resource={long}"), ""),
        (400, "GET", "/admin/find", ""),
        (400, "GET", "/admin/find?resource=", ""),
        (400, "POST", "/admin/rollback/tfstate/k", r#"{"version":"1"}"#),
        (
            400,
            "POST",
            "/admin/rollback/tfstate/k",
            r#"{"version":1,"force":true}"#,
        ),
        (404, "POST", "/admin/rollback/tfstate/k", r#"{"version":1}"#),
        (400, "POST", "/admin/gc", r#"{"after":"nowhere"}"#),
        (400, "POST", "/admin/gc", r#"{"dry_run":1}"#),
    ] {
        let (got, answer, trace) = door.send(Some("ann"), method, path, body).await;
        assert_eq!(got, status, "{method} {path:.60} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().len() > 10, "{answer}");
        assert_eq!(trace.code, status.to_string());
    }
}

#[tokio::test]
async fn what_is_nowhere_is_an_empty_page() {
    let door = Door::new();
    for (method, path, body, expected) in [
        (
            "GET",
            "/admin/history/tfstate/k",
            "",
            json!([{"versions": []}, {"next": null}]),
        ),
        (
            "GET",
            "/admin/find?resource=a.b",
            "",
            json!([{"found": []}, {"checked": 0}, {"next": null}]),
        ),
        (
            "GET",
            "/admin/states?prefix=tfstate/&after=x",
            "",
            json!([{"states": []}, {"next": null}]),
        ),
        (
            "GET",
            "/admin/blame/tfstate/k?resource=a.b",
            "",
            json!([{"version": null}, {"created": null}, {"next": null}]),
        ),
        (
            "POST",
            "/admin/gc",
            "{}",
            json!([{"states": 0}, {"dropped": 0}, {"bytes": 0}, {"packed": 0}, {"next": null}]),
        ),
    ] {
        let (status, answer, _) = door.send(Some("ann"), method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        for part in expected.as_array().unwrap() {
            let (name, value) = part.as_object().unwrap().iter().next().unwrap();
            assert_eq!(&answer[name], value, "{path}");
        }
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
    let response = door
        .doors
        .handle(request.body(Full::new(Bytes::new())).unwrap(), peer())
        .await;
    assert_eq!(response.extensions().get::<Trace>().unwrap().door, "http");
}

const STATE: &str = r#"{"version":4,"serial":1,"lineage":"l"}"#;
const STATE_MD5: &str = "557699d084e68b9b8d841ce6cda84d57";

#[tokio::test]
async fn a_state_from_elsewhere_is_taken_in_with_what_is_known_of_it_and_once() {
    let door = Door::new();
    door.service
        .create_bucket("tfstate", DEFAULT_ACCOUNT)
        .await
        .unwrap();
    let writer =
        "%7B%22principal%22%3A%22arn%3Abob%22%2C%22access_key_id%22%3A%22B%22%2C%22source%22%3A%22ci%22%7D";
    let lock = "%7B%22id%22%3A%22L%22%2C%22operation%22%3A%22o%22%2C%22who%22%3A%22w%22%2C%22fence%22%3A3%7D";
    let path =
        format!("/admin/import/tfstate/a?written_ms=0&number=7&md5={STATE_MD5}&writer={writer}&lock={lock}");
    let (status, answer, trace) = door.send(Some("ann"), "PUT", &path, STATE).await;
    assert_eq!(
        (status, &answer),
        (200, &json!({ "imported": true, "version": 7 })),
        "{trace:?}"
    );
    let address = tidelock_core::Address::parse("tfstate/a").unwrap();
    let version = door.service.find(&address, None).await.unwrap();
    let by = version.writer.unwrap();
    assert_eq!(
        (by.caller.principal.as_str(), by.lock.unwrap().fence),
        ("arn:bob", 3)
    );
    let (status, answer, _) = door.send(Some("ann"), "PUT", &path, STATE).await;
    assert_eq!(
        (status, answer),
        (200, json!({ "imported": false, "version": null }))
    );
    let gone = format!(
        "/admin/import/tfstate/a?written_ms=1&deleted=true&follows_written_ms=0&follows_md5={STATE_MD5}"
    );
    let (status, ..) = door.send(Some("ann"), "PUT", &gone, "").await;
    assert_eq!(status, 200);
    assert!(door.service.find(&address, None).await.is_err());
}

#[tokio::test]
async fn an_import_that_makes_no_sense_is_refused_and_only_an_import_may_be_large() {
    let door = Door::new();
    door.service
        .create_bucket("tfstate", DEFAULT_ACCOUNT)
        .await
        .unwrap();
    let md5 = format!("md5={STATE_MD5}");
    for query in [
        "",
        &md5,
        "written_ms=x",
        "written_ms=0",
        "written_ms=0&deleted=true",
        &format!("written_ms=0&{md5}&deleted=true"),
        &format!("written_ms=0&{md5}&number=-1"),
        &format!("written_ms=0&{md5}&writer=1"),
        &format!("written_ms=0&{md5}&lock=%7B%7D"),
        &format!("written_ms=0&{md5}&follows_written_ms={}", u64::MAX),
        &format!("written_ms={}&{md5}", i64::MAX),
        "written_ms=0&md5=00000000000000000000000000000000",
    ] {
        let path = format!("/admin/import/tfstate/a?{query}");
        let (status, answer, _) = door.send(Some("ann"), "PUT", &path, STATE).await;
        assert_eq!(status, 400, "{query}: {answer}");
    }
    let large = " ".repeat(ADMIN_BODY_BYTES_MAX as usize + 1);
    let path = format!("/admin/import/tfstate/a?written_ms=0&{md5}");
    let (status, answer, _) = door.send(Some("ann"), "PUT", &path, &large).await;
    assert!(
        status == 400 && answer["error"].as_str().unwrap().contains("send it again"),
        "{answer}"
    );
    for path in [
        "/admin/imports/tfstate/a",
        "/admin/unlock/tfstate/import/a",
        "/admin/import",
    ] {
        let (status, ..) = door.send(Some("ann"), "POST", path, &large).await;
        assert_eq!(status, 400, "{path}");
    }
    let (status, ..) = door.send(None, "PUT", &path, STATE).await;
    assert_eq!(status, 401);
}
