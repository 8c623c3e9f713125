//! Requests as somebody else's client would write them: for who wants to know what becomes of those.

use bytes::Bytes;
use http::Method;
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;

use super::{Client, Error, request::Call};
use crate::aws::Answer;

/// One request, to the header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe<'a> {
    /// The call, in S3's words.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) query: Vec<(&'static str, &'a str)>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Client {
    /// Sends it; a refusal is an error.
    pub(crate) async fn probe(&self, probe: Probe<'_>) -> Result<Answer, Error> {
        let mut call =
            Call::of_object(probe.name, probe.method, probe.bucket, probe.key, None).query(probe.query);
        call.headers = probe.headers;
        call.body = probe.body;
        self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await
    }
}
