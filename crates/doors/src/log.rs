//! One line a request: door, operation, address, caller, outcome, time.

use std::time::Duration;

use http::{Method, Request, Response};

use crate::{DoorBody, Peer};

/// What a door knows of a request and only a door can tell; it travels in the answer's extensions.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// `s3`, `dynamodb`, `sts`, `http`, `admin`.
    pub door: &'static str,
    /// The operation, in the protocol's own name.
    pub operation: String,
    /// What it was about: an address, a bucket, a table.
    pub address: String,
    /// The principal, once it is known.
    pub caller: String,
    /// The error's code, when it was refused.
    pub code: String,
}

/// The line in the making.
pub(crate) struct Line {
    method: Method,
    path: String,
    peer: Peer,
}

impl Line {
    pub(crate) fn of<B>(request: &Request<B>, peer: Peer) -> Line {
        // The query stays out: in a presigned URL it holds the signature.
        Line {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            peer,
        }
    }

    pub(crate) fn write(self, response: &Response<DoorBody>, request_id: &str, took: Duration) {
        let unknown = Trace::default();
        let trace = response.extensions().get::<Trace>().unwrap_or(&unknown);
        let operation = if trace.operation.is_empty() {
            self.method.as_str()
        } else {
            &trace.operation
        };
        let address = if trace.address.is_empty() {
            &self.path
        } else {
            &trace.address
        };
        tracing::info!(
            target: "tidelock::request",
            door = trace.door,
            operation,
            address = address.trim_start_matches('/'),
            caller = trace.caller,
            source = %self.peer.address.ip(),
            status = response.status().as_u16(),
            code = trace.code,
            us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id,
        );
    }
}
