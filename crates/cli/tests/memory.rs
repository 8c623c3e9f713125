//! How much memory the server takes: nothing much when idle, a few times the body while it takes a large state.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use tidelock_testkit::{Memory, Request, Rng, TestServer, state_document};

const MIB: u64 = 1 << 20;

/// The bars of the project.
const IDLE_BYTES_MAX: u64 = 40 * MIB;
const BODY_BYTES: u64 = 40 * MIB;
const PEAK_PER_BODY_MAX: u64 = 3;

#[test]
fn an_idle_server_is_small() {
    let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
    let Memory { resident, peak } = server.memory();
    report(&format!(
        "idle: {} KiB resident, {} KiB at most",
        resident / 1024,
        peak / 1024
    ));
    assert!(resident <= IDLE_BYTES_MAX, "{resident} bytes");
}

#[test]
fn a_large_state_through_s3_takes_three_times_its_size_at_most() {
    let state = large_state();
    measure("s3", &Request::new("PUT", "/tfstate/large.tfstate", state), false);
}

#[test]
fn a_large_state_through_http_takes_three_times_its_size_at_most() {
    let state = large_state();
    measure(
        "http",
        &Request::new("POST", "/state/tfstate/large.tfstate", state),
        true,
    );
}

#[test]
fn reading_a_large_state_takes_three_times_its_size_at_most() {
    let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
    let idle = server.memory().resident;
    let mut client = server.client();
    let state = large_state();
    assert_eq!(
        client
            .send(&Request::new("PUT", "/tfstate/large.tfstate", state.clone()))
            .status,
        200
    );
    server.reset_peak();
    let read = client.send(&Request::new("GET", "/tfstate/large.tfstate", ""));
    assert!(read.body == state.as_bytes());
    check("s3 read", idle, server.memory().peak);
}

fn measure(door: &str, request: &Request, basic: bool) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
    let mut client = server.client();
    let idle = server.memory().resident;
    for round in ["first", "second"] {
        server.reset_peak();
        let response = if basic {
            client.send_basic(request)
        } else {
            client.send(request)
        };
        assert_eq!(response.status, 200, "{}", response.text());
        check(&format!("{door} write, {round}"), idle, server.memory().peak);
    }
}

fn check(what: &str, idle: u64, peak: u64) {
    let over = peak.saturating_sub(idle);
    let tenths = over * 10 / BODY_BYTES;
    report(&format!(
        "{what}: idle {} MiB, peak {} MiB, {}.{} times the body",
        idle / MIB,
        peak / MIB,
        tenths / 10,
        tenths % 10
    ));
    assert!(over <= PEAK_PER_BODY_MAX * BODY_BYTES, "{over} bytes over idle");
}

fn large_state() -> String {
    let padding = Rng::new(40).text(BODY_BYTES as usize - state_document(1, "", "").len());
    state_document(1, "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", &padding)
}

#[allow(clippy::print_stderr, reason = "a measured figure is what the test is for")]
fn report(figure: &str) {
    eprintln!("{figure}");
}
