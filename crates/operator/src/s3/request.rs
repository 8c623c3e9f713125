//! One call on its way: built, signed, sent, and sent again while that may help.

use bytes::Bytes;
use http::{Method, Request};

use super::{
    Client, SERVICE,
    error::{self, Error, Subject},
};
use crate::aws::{Answer, Why};

/// What is to be asked.
pub(super) struct Call<'a> {
    name: &'static str,
    method: Method,
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    query: Vec<(&'static str, &'a str)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl<'a> Call<'a> {
    pub(super) fn of_bucket(name: &'static str, method: Method, bucket: &'a str) -> Call<'a> {
        Call::of_object(name, method, bucket, "", None)
    }

    pub(super) fn of_object(
        name: &'static str,
        method: Method,
        bucket: &'a str,
        key: &'a str,
        version: Option<&'a str>,
    ) -> Call<'a> {
        Call {
            name,
            method,
            bucket,
            key,
            version,
            query: version
                .map(|version| ("versionId", version))
                .into_iter()
                .collect(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn query(self, query: Vec<(&'static str, &'a str)>) -> Call<'a> {
        Call { query, ..self }
    }

    pub(super) fn error(&self, why: Why) -> Error {
        Error {
            call: self.name,
            subject: Subject::object(self.bucket, self.key, self.version),
            why,
        }
    }
}

impl Client {
    /// Sends until there is an answer that trying again would not change.
    pub(super) async fn send(&self, call: &Call<'_>, bytes_max: u64) -> Result<Answer, Error> {
        let target = self.endpoint.target(call.bucket, call.key, &call.query);
        let mut request = Request::builder().method(call.method.clone()).uri(&target);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(call.body.clone());
        let request = request.map_err(|why| call.error(Why::Unsigned(why.to_string())))?;
        let code = |answer: &Answer| match refused(answer) {
            Why::Refused { code, .. } => code,
            _ => String::new(),
        };
        match self.access.call("s3", &request, bytes_max, code).await {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => Err(call.error(refused(&answer))),
            Err(none) => Err(call.error(Why::unanswered(none, SERVICE, &self.endpoint()))),
        }
    }
}

/// What was said.
fn refused(answer: &Answer) -> Why {
    let region = answer
        .headers
        .get("x-amz-bucket-region")
        .and_then(|region| region.to_str().ok());
    error::refused(answer.status, region.map(str::to_owned), &answer.body)
}
