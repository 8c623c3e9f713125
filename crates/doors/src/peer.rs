//! What is known of a connection and stands in no request: policies speak of it.

use std::net::SocketAddr;

/// The other end of the connection that a request came on. Headers such as `X-Forwarded-For` change nothing about it,
/// since whoever asks can write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address (`aws:SourceIp`).
    pub address: SocketAddr,
    /// Whether the connection is encrypted (`aws:SecureTransport`).
    pub secure: bool,
}
