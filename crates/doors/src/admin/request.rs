//! A request of the admin door, read once and strictly.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use tidelock_core::{Address, Caller};
use tidelock_service::{By, Service};

use super::{PREFIX, Refusal};
use crate::{access::Access, audit::Audit, aws_common::payload};

/// A request, as far as every operation needs it.
pub(super) struct Request<'a> {
    pub(super) service: &'a Arc<Service>,
    /// The audit log, where there is one.
    pub(super) log: Option<&'a Arc<dyn Audit>>,
    pub(super) access: Access,
    pub(super) caller: Caller,
    pub(super) method: Method,
    /// The first word of the path: what it is about.
    pub(super) what: String,
    /// The rest of the path, percent-decoded; empty when it names nothing.
    pub(super) name: String,
    query: String,
    pub(super) body: Bytes,
}

impl<'a> Request<'a> {
    pub(super) async fn read<B>(
        service: &'a Arc<Service>,
        log: Option<&'a Arc<dyn Audit>>,
        access: Access,
        parts: Parts,
        body: B,
    ) -> Result<Request<'a>, Refusal>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let bytes_max = super::body_bytes_max(parts.uri.path());
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let (what, name) = path.split_once('/').unwrap_or((path, ""));
        let name = percent_decode_str(name).decode_utf8();
        let name = name.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the path is not UTF-8"))?;
        let (what, name) = (what.to_owned(), name.into_owned());
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let collected = payload::collect(&parts.headers, body, bytes_max).await;
        let (body, _) = collected.map_err(|error| Refusal::new(error.s3().status, error.to_string()))?;
        Ok(Request {
            service,
            log,
            caller: access.caller().clone(),
            access,
            method: parts.method,
            what,
            name,
            query,
            body,
        })
    }

    /// Who asks, as they name themselves.
    pub(super) fn by<'b>(&'b self, who: &'b str) -> By<'b> {
        match who {
            "" => By::from(&self.caller),
            who => By {
                caller: &self.caller,
                who,
            },
        }
    }

    /// What is answered to a request that is none of this door.
    pub(super) fn not_there(&self) -> Refusal {
        let one = if self.names_one() { "/…" } else { "" };
        let (method, what) = (&self.method, &self.what);
        let message = format!("there is no {method} {PREFIX}{what}{one}");
        Refusal::new(StatusCode::NOT_FOUND, message)
    }

    /// Whether the path names one of what it is about.
    pub(super) fn names_one(&self) -> bool {
        !self.name.is_empty()
    }

    /// The address that the path names.
    pub(super) fn address(&self) -> Result<Address, Refusal> {
        let address = Address::parse(&self.name);
        address.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, format!("{why}; not {:?}", self.name)))
    }

    /// All values of a parameter of the query, percent-decoded.
    pub(super) fn parameters(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let pairs = self
            .query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let values = pairs.filter(|(key, _)| *key == name);
        let decoded = values.map(|(_, value)| percent_decode_str(value).decode_utf8());
        let decoded: Result<Vec<_>, _> = decoded
            .map(|value| value.map(|value| value.into_owned()))
            .collect();
        decoded.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the query is not UTF-8"))
    }

    /// The last value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self.parameters(name)?.pop())
    }

    /// The same, of one that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        let value = self.parameter(name)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, format!("{name} is missing")))
    }

    /// The same, of a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let value = self.parameter(name)?;
        let number = value.map(|value| value.parse()).transpose();
        number.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, format!("{name} is to be a number")))
    }

    /// The same, of what is so or not.
    pub(super) fn is_true(&self, name: &str) -> Result<bool, Refusal> {
        match self.parameter(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("{name} is to be true or false"),
            )),
        }
    }

    /// The body, which must be the JSON object that `T` describes.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let bad = |why: String| Refusal::new(StatusCode::BAD_REQUEST, format!("the body is no good: {why}"));
        // serde would take an array for the fields in their order.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(bad("it is no JSON object".to_owned()));
        }
        serde_json::from_slice(&self.body).map_err(|why| bad(why.to_string()))
    }
}
