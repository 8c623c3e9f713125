//! Access logs: where a bucket's goes, and the line that a request leaves in it.
//!
//! Source: PutBucketLogging of the Amazon S3 API reference, and "Amazon S3 server access log format" of the user guide.

use http::{HeaderMap, Response, StatusCode, Uri, header, request::Parts};
use http_body::Body as _;
use tidelock_core::Time;
use tidelock_service::{Bucket, Error as ServiceError, Logging};

use super::{
    error::{Code, Error, Result},
    request::{Request, canonical_id, document, empty},
    route::Operation as Op,
    target::Target,
    xml::{Document, Element},
};
use crate::{DoorBody, Trace, aws_common::time::log_time};

const ROOT: &str = "BucketLoggingStatus";

/// PutBucketLogging.
///
/// # Errors
/// `InvalidTargetBucketForLogging`, `MalformedXML`; `NotImplemented` for grants and other names of log objects.
pub(crate) async fn put(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let element = Element::parse(body, ROOT)?;
    let malformed = || Error::new(Code::MalformedXML);
    if !element.has_only_once(&["LoggingEnabled"]) {
        return Err(malformed());
    }
    let logging = match element.child("LoggingEnabled") {
        None => None,
        Some(enabled) => Some(target(request, enabled).await?),
    };
    let change = |bucket: &mut Bucket| bucket.logging.clone_from(&logging);
    request.service.change_bucket(request.bucket()?, change).await?;
    Ok(empty(StatusCode::OK))
}

async fn target(request: &Request<'_>, enabled: &Element) -> Result<Logging> {
    if enabled.child("TargetGrants").is_some() {
        return Err(Error::not_implemented("target grants of access logs"));
    }
    let format = enabled.child("TargetObjectKeyFormat");
    if format.is_some_and(|format| !format.has_only_once(&["SimplePrefix"])) {
        return Err(Error::not_implemented("partitioned names of access logs"));
    }
    let text = |name: &str| enabled.child(name).map(|child| child.raw_text().to_owned());
    let known = enabled.has_only_once(&["TargetBucket", "TargetPrefix", "TargetObjectKeyFormat"]);
    let (Some(bucket), Some(prefix), true) = (text("TargetBucket"), text("TargetPrefix"), known) else {
        return Err(Error::new(Code::MalformedXML));
    };
    let wrong = |message| Error::because(Code::InvalidTargetBucketForLogging, message);
    match request.service.bucket(&bucket).await {
        Err(ServiceError::NoSuchBucket(_)) => Err(wrong("The target bucket for logging does not exist")),
        Err(other) => Err(other.into()),
        Ok(target) if target.owner != request.open_bucket().await?.owner => Err(wrong(
            "The owner for the bucket to be logged and the target bucket must be the same.",
        )),
        Ok(target) if target.object_lock.is_some_and(|lock| lock.default.is_some()) => Err(wrong(
            "The target bucket for logging must not have a default retention",
        )),
        Ok(_) => Ok(Logging { bucket, prefix }),
    }
}

/// What GetBucketLogging answers.
pub(crate) fn shown(logging: &Logging) -> Response<DoorBody> {
    let mut xml = Document::new(ROOT);
    xml.open("LoggingEnabled")
        .text("TargetBucket", &logging.bucket)
        .text("TargetPrefix", &logging.prefix);
    document(xml)
}

/// What a line says of one request.
pub(super) struct Entry<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) target: &'a Target,
    pub(super) operation: Option<Op>,
    pub(super) parts: &'a Parts,
    pub(super) source: &'a str,
    pub(super) response: &'a Response<DoorBody>,
    pub(super) begun: Time,
    pub(super) ended: Time,
}

impl Entry<'_> {
    /// The line, without its end.
    pub(super) fn line(&self, request_id: &str, host_id: &str) -> String {
        let (parts, headers) = (self.parts, self.response.headers());
        let sent = self.response.body().size_hint().exact().unwrap_or_default();
        let took = self.ended.since(self.begun).max(0).to_string();
        let uri = format!(
            "{} {} {:?}",
            parts.method,
            without_signature(&parts.uri),
            parts.version
        );
        let trace = self.response.extensions().get::<Trace>();
        let (caller, code) = trace.map_or(("", ""), |trace| (&*trace.caller, &*trace.code));
        let signed = match parts.headers.contains_key(header::AUTHORIZATION) {
            true => "AuthHeader",
            false => "QueryString",
        };
        let version = headers.get("x-amz-version-id").and_then(|id| id.to_str().ok());
        [
            canonical_id(&self.bucket.owner),
            self.bucket.name.clone(),
            format!("[{}]", log_time(self.begun)),
            dash(self.source),
            dash(caller),
            request_id.to_owned(),
            self.operation_name(),
            dash(&encoded(self.target.key.as_deref().unwrap_or_default())),
            quoted(&uri),
            self.response.status().as_u16().to_string(),
            dash(code),
            dash(
                &Some(sent)
                    .filter(|sent| *sent > 0)
                    .map_or(String::new(), |sent| sent.to_string()),
            ),
            "-".to_owned(),
            took,
            "-".to_owned(),
            quoted(of(&parts.headers, "referer")),
            quoted(of(&parts.headers, "user-agent")),
            dash(version.unwrap_or_default()),
            host_id.to_owned(),
            "SigV4".to_owned(),
            "-".to_owned(),
            signed.to_owned(),
            dash(of(&parts.headers, "host")),
            "-".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
        ]
        .join(" ")
    }

    /// `REST.GET.OBJECT`, `REST.PUT.VERSIONING`.
    fn operation_name(&self) -> String {
        let resource = match self.operation {
            Some(Op::GetSubresource(part) | Op::PutSubresource(part) | Op::DeleteSubresource(part)) => {
                part.query.to_ascii_uppercase()
            }
            Some(Op::GetBucketVersioning | Op::PutBucketVersioning) => "VERSIONING".to_owned(),
            Some(Op::GetBucketLocation) => "LOCATION".to_owned(),
            _ if self.target.key.is_some() => "OBJECT".to_owned(),
            _ => "BUCKET".to_owned(),
        };
        format!("REST.{}.{resource}", self.parts.method)
    }
}

/// What was asked for, without what a presigned URL is signed by: whoever has that may use it.
fn without_signature(uri: &Uri) -> String {
    let pairs = uri.query().unwrap_or_default().split('&');
    let secret = |pair: &&str| {
        pair.get(..6)
            .is_some_and(|name| name.eq_ignore_ascii_case("x-amz-"))
    };
    let query: Vec<&str> = pairs.filter(|pair| !pair.is_empty() && !secret(pair)).collect();
    match query.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), query.join("&")),
    }
}

fn of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or("-")
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// A key as lines have it: nothing in it ends a field or a line.
fn encoded(key: &str) -> String {
    super::list::url(key)
}

/// A text of the client's in quotes, from which nothing breaks out.
fn quoted(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|char| {
            if char == '"' || char.is_control() {
                '?'
            } else {
                char
            }
        })
        .collect();
    format!("\"{text}\"")
}
