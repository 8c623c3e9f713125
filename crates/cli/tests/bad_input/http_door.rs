//! The door of `backend "http"`: who may not come in, and locks that are none.

use tidelock_testkit::{Credentials, Request, basic_auth};

use crate::World;

const LOCK: &str = r#"{"ID":"6c9e0c3c-6f1c-4a3e-8d8f-52ad5be83bb1","Operation":"OperationTypeApply","Info":"","Who":"alice@one","Version":"1.11.4","Created":"2026-11-21T09:00:00Z","Path":""}"#;
const OTHER: &str = r#"{"ID":"0e1f7d0a-45f5-4a3b-9c53-6d0b9c9d7f10","Operation":"OperationTypePlan","Info":"","Who":"bob@two","Version":"1.11.4","Created":"2026-11-21T09:00:01Z","Path":""}"#;

fn state(method: &str, body: &str) -> Request {
    Request::new(method, "/state/tfstate/a.tfstate", body)
}

#[test]
fn nobody_comes_in_without_the_right_password() {
    let mut world = World::new();
    let authority = world.server.authority().to_owned();
    let id = world.server.credentials().access_key_id.clone();
    let basic = |id: &str, secret: &str| {
        basic_auth(&Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
        })
    };
    let (wrong, nobody) = (basic(&id, "wrong"), basic("", ""));
    for value in [
        "",
        "Basic",
        &nobody,
        &wrong,
        "Basic dXNlcjpwYXNz",
        "Basic %%%",
        "Bearer x",
    ] {
        for method in ["GET", "POST", "LOCK", "UNLOCK", "DELETE"] {
            let authorization = if value.is_empty() {
                String::new()
            } else {
                format!("authorization: {value}\r\n")
            };
            let length = LOCK.len();
            let text = format!(
                "{method} /state/tfstate/a.tfstate HTTP/1.1\r\nhost: {authority}\r\n{authorization}content-length: {length}\r\n\r\n{LOCK}"
            );
            let response = world.client.send_bytes(text.as_bytes()).unwrap();
            assert!(
                (400..=403).contains(&response.status),
                "{method} {value}: {} {}",
                response.status,
                response.text()
            );
        }
    }
    world.nothing_happened();
}

#[test]
fn a_lock_that_is_none_is_refused() {
    let mut world = World::new();
    let long = format!(r#"{{"ID":"{}"}}"#, "x".repeat(32 << 10));
    for body in [
        "",
        "no json",
        "[]",
        "{}",
        r#"{"ID":""}"#,
        r#"{"ID":5}"#,
        r#"{"id":"x"}"#,
        &long,
    ] {
        let response = world.server.client().send_basic(&state("LOCK", body));
        assert!(
            [400, 413].contains(&response.status),
            "{body:.60}: {} {}",
            response.status,
            response.text()
        );
    }
    assert_eq!(
        world.client.send_basic(&state("LOCK", LOCK)).status,
        200,
        "it is still free"
    );
    assert_eq!(world.client.send_basic(&state("UNLOCK", LOCK)).status, 200);
    world.nothing_happened();
}

#[test]
fn only_the_holder_unlocks_and_writes() {
    let mut world = World::new();
    assert_eq!(world.client.send_basic(&state("LOCK", LOCK)).status, 200);
    for request in [state("LOCK", OTHER), state("UNLOCK", OTHER)] {
        let refused = world.client.send_basic(&request);
        assert!(
            [409, 423].contains(&refused.status),
            "{}: {} {}",
            request.method,
            refused.status,
            refused.text()
        );
        assert_eq!(
            refused.json()["Who"],
            "alice@one",
            "the holder is named: {}",
            refused.text()
        );
    }
    let body = r#"{"version":4,"serial":1,"lineage":"x","outputs":{},"resources":[]}"#;
    let other_id = "0e1f7d0a-45f5-4a3b-9c53-6d0b9c9d7f10";
    let foreign = Request::new("POST", &format!("/state/tfstate/a.tfstate?ID={other_id}"), body);
    let refused = world.client.send_basic(&foreign);
    assert!(
        [409, 423].contains(&refused.status),
        "{} {}",
        refused.status,
        refused.text()
    );
    assert_eq!(world.client.send_basic(&state("UNLOCK", LOCK)).status, 200);
    world.nothing_happened();
}

#[test]
fn what_is_no_state_is_not_served() {
    let mut world = World::new();
    assert!([204, 404].contains(&world.client.send_basic(&state("GET", "")).status));
    for (method, path) in [
        ("GET", "/state/"),
        ("GET", "/state/tfstate"),
        ("GET", "/state/tfstate/"),
        ("POST", "/state//a"),
    ] {
        let response = world.client.send_basic(&Request::new(method, path, ""));
        assert!(
            [400, 404].contains(&response.status),
            "{path}: {}",
            response.status
        );
    }
    // Not 404: to Terraform that is a state which is still to be made, and all its resources with it.
    for method in ["GET", "POST", "DELETE"] {
        let response = world
            .client
            .send_basic(&Request::new(method, "/state/no-such-bucket/a", "{}"));
        assert_eq!(response.status, 400, "{method}: {}", response.text());
    }
    assert_eq!(world.client.send_basic(&state("PATCH", "{}")).status, 405);
    world.nothing_happened();
}
