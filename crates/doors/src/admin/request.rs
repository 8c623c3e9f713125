//! A request of the admin door, read once and strictly.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use tidelock_core::{Address, Caller};
use tidelock_service::{By, Service};

use super::{PREFIX, Refusal};
use crate::aws_common::payload;

/// A request, as far as every operation needs it.
pub(super) struct Request<'a> {
    pub(super) service: &'a Arc<Service>,
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
        caller: Caller,
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
            caller,
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

    /// Whether the path names one of what it is about.
    pub(super) fn names_one(&self) -> bool {
        !self.name.is_empty()
    }

    /// The address that the path names.
    pub(super) fn address(&self) -> Result<Address, Refusal> {
        let address = Address::parse(&self.name);
        address.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, format!("{why}; not {:?}", self.name)))
    }

    /// A parameter of the query, percent-decoded.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<String>, Refusal> {
        let pairs = self
            .query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let value = pairs
            .rev()
            .find_map(|(key, value)| (key == name).then_some(value));
        let decode = |value| percent_decode_str(value).decode_utf8();
        let value = value.map(decode).transpose();
        let value = value.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the query is not UTF-8"))?;
        Ok(value.map(|value| value.into_owned()))
    }

    /// The same, of a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let value = self.parameter(name)?;
        let number = value.map(|value| value.parse()).transpose();
        number.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, format!("{name} is to be a number")))
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
