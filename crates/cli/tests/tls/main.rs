//! TLS of the server: real clients trust it and find it, files change under it, and a connection's end means what it meant.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod authority;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod files;
mod issuer;
mod own;
mod policy;
mod refused;
mod wire;

use tidelock_testkit::TestServer;

/// A server with an authority of its own.
fn server() -> TestServer {
    TestServer::start_with(common::BINARY, "tls = { self_signed = true }\n")
}
