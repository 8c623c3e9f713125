//! One call on its way: built, signed, sent, and sent again while that may help.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use tidelock_core::limits::{CLIENT_PAUSE_MS, CLIENT_TRIES_MAX};
use tokio::time;

use super::{
    Client,
    error::{Error, Subject, Why},
};
use crate::aws::{Answer, Fault};

/// A clock that is off by less is no reason for a refusal; S3 allows 15 minutes.
const SKEW_MS: i64 = 60_000;

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
        let mut tries = 1;
        loop {
            let answered = self.try_once(call, bytes_max).await?;
            let why = match answered {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) => self.refused(&answer),
                Err(fault) => (
                    Why::of_fault(&fault, &self.endpoint()),
                    !matches!(fault, Fault::TooLarge(_)),
                ),
            };
            let (why, again) = why;
            if !again || tries == CLIENT_TRIES_MAX {
                return Err(call.error(why));
            }
            time::sleep(pause(tries)).await;
            tries += 1;
        }
    }

    /// The outer error is one that no further try would mend.
    async fn try_once(&self, call: &Call<'_>, bytes_max: u64) -> Result<Result<Answer, Fault>, Error> {
        let unsigned = |why: String| call.error(Why::Unsigned(why));
        let key = self.identity.credentials(&self.settings, &self.http).await;
        let key = key.map_err(|why| unsigned(why.to_string()))?;
        let target = self.endpoint.target(call.bucket, call.key, &call.query);
        let mut request = Request::builder().method(call.method.clone()).uri(&target);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request
            .body(call.body.clone())
            .map_err(|why| unsigned(why.to_string()))?;
        let host = request
            .uri()
            .authority()
            .map(|host| HeaderValue::from_str(host.as_str()));
        if let Some(Ok(host)) = host {
            request.headers_mut().insert(header::HOST, host);
        }
        self.signer
            .sign(&mut request, &key, self.ahead_ms.load(Ordering::Relaxed))
            .map_err(unsigned)?;
        Ok(self.http.send(request, bytes_max).await)
    }

    /// What was said, and whether to ask again.
    fn refused(&self, answer: &Answer) -> (Why, bool) {
        let region = answer
            .headers
            .get("x-amz-bucket-region")
            .and_then(|region| region.to_str().ok());
        let why = Why::of_answer(answer.status, region.map(str::to_owned), &answer.body);
        let overloaded = answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED
            || answer.status == StatusCode::TOO_MANY_REQUESTS;
        let code = match &why {
            Why::Refused { code, .. } => code.as_str(),
            _ => "",
        };
        let again = overloaded || matches!(code, "RequestTimeout" | "SlowDown" | "OperationAborted");
        // HEAD has no code; a wrong clock is a 403 there like any other.
        let is_skew =
            answer.status == StatusCode::FORBIDDEN && matches!(code, "RequestTimeTooSkewed" | "403");
        (why, again || (is_skew && self.learn_time(answer)))
    }

    /// Takes over the server's time; whether that changes anything.
    fn learn_time(&self, answer: &Answer) -> bool {
        let date = answer
            .headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok());
        let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else {
            return false;
        };
        let ours = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ours = i64::try_from(ours.as_millis()).unwrap_or(i64::MAX);
        let ahead = theirs.timestamp().as_millisecond().saturating_sub(ours);
        let before = self.ahead_ms.swap(ahead, Ordering::Relaxed);
        ahead.abs_diff(before) > SKEW_MS.unsigned_abs()
    }
}

/// Twice as long each time, less a part that differs between clients, so that they do not come back together.
fn pause(tries: u32) -> Duration {
    let whole = CLIENT_PAUSE_MS << (tries - 1);
    let nanos = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_nanos();
    Duration::from_millis(whole - u64::from(nanos) % (whole / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_reach_zero() {
        for tries in 1..CLIENT_TRIES_MAX {
            let whole = u128::from(CLIENT_PAUSE_MS << (tries - 1));
            let pause = pause(tries).as_millis();
            assert!(pause > whole / 2 && pause <= whole, "{tries}: {pause}");
        }
    }
}
