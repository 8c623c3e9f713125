//! What no decent client sends: each is refused with the code AWS has for it, stores nothing and costs no memory.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod bodies;
mod documents;
mod http_door;
mod identity;
mod sockets;

use serde_json::json;
use tidelock_testkit::{BUCKET, Client, Request, Response, TABLE, TestServer};

/// What a server may grow by, whatever is thrown at it (and does not stay).
const GROWTH_BYTES_MAX: u64 = 64 << 20;

/// A fresh server, and how large it was before it met the world.
struct World {
    server: TestServer,
    client: Client,
    resident: u64,
}

impl World {
    fn new() -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
        let client = server.client();
        let resident = server.memory().resident;
        Self {
            server,
            client,
            resident,
        }
    }

    /// The request is refused with this status and this code.
    #[track_caller]
    fn refused(&mut self, request: &Request, status: u16, code: &str) -> Response {
        let response = self.client.send(request);
        refusal(
            &response,
            &format!("{} {}", request.method, request.target),
            status,
            code,
        );
        response
    }

    /// The DynamoDB operation is refused with this code.
    #[track_caller]
    fn refused_json(&mut self, operation: &str, body: impl Into<Vec<u8>>, code: &str) -> Response {
        let response = self.client.send(&Request::dynamodb(operation, body));
        refusal(&response, operation, 400, code);
        response
    }

    /// These very bytes are refused with this status and this code.
    #[track_caller]
    fn refused_bytes(&mut self, bytes: &[u8], status: u16, code: &str) -> Response {
        let response = self.client.send_bytes(bytes).unwrap();
        refusal(
            &response,
            &String::from_utf8_lossy(&bytes[..bytes.len().min(200)]),
            status,
            code,
        );
        response
    }

    /// No object, no version, no open upload, no item and no lock; and the server is as small as before.
    #[track_caller]
    fn nothing_happened(mut self) {
        let mut client = self.server.client();
        let mut get = |target: &str| client.send(&Request::new("GET", target, "")).text();
        for (query, element) in [
            ("list-type=2", "<Key>"),
            ("versions=", "<Key>"),
            ("uploads=", "<Upload>"),
        ] {
            let listed = get(&format!("/{BUCKET}?{query}"));
            assert!(
                listed.contains("<Name>tfstate</Name>") || listed.contains("<Bucket>tfstate</Bucket>"),
                "{listed}"
            );
            assert!(!listed.contains(element), "{listed}");
        }
        let scanned = self.server.client().send(&Request::dynamodb(
            "Scan",
            json!({"TableName": TABLE}).to_string(),
        ));
        assert_eq!(scanned.json()["Count"], 0, "{}", scanned.text());
        self.still_small();
    }

    /// The server runs and has not grown beyond reason.
    #[track_caller]
    fn still_small(&mut self) {
        assert!(
            self.server.is_running(),
            "the server is gone:\n{}",
            self.server.log()
        );
        let peak = self.server.memory().peak;
        assert!(
            peak < self.resident + GROWTH_BYTES_MAX,
            "from {} to {peak} bytes",
            self.resident
        );
    }
}

#[track_caller]
fn refusal(response: &Response, what: &str, status: u16, code: &str) {
    let got = (response.status, response.code());
    assert_eq!(got, (status, code.to_owned()), "{what}: {}", response.text());
}
