//! The S3 door: the part of Amazon S3's REST API that state backends and their tools use, over the service.
//!
//! A request is routed ([`route`]), its body taken and held to its headers (`aws_common::payload`), and answered by one
//! function for each operation. `KEY.tflock` is a view of the lock of `KEY` ([`lock_file`]), everything else is an object.

mod access;
mod acl;
mod bucket;
mod checksums;
mod conditions;
mod copy;
mod delete;
mod encryption;
mod error;
mod headers;
mod lifecycle;
mod list;
mod lock_file;
mod logging;
mod multipart;
mod object;
mod object_lock;
mod policy;
mod presigned;
mod range;
mod read;
mod request;
mod route;
mod subresource;
mod tagging;
mod target;
mod uploads;
mod versions;
mod xml;

pub use bucket::block_public_access;
#[cfg(test)]
pub(crate) use route::{Reachable, reachable as operations};

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, header, request::Parts};
use tidelock_core::limits::{LOCK_INFO_BYTES_MAX, OBJECT_BYTES_MAX, XML_BYTES_MAX};
use tidelock_service::{Bucket, Service};

use self::{
    error::{Code, Error, Result},
    logging::Entry,
    presigned::restore_hoisted,
    request::{Request, set},
    route::Operation as Op,
    target::{Query, Target},
};
use crate::{
    DoorBody, Trace,
    access::{Access, bucket_owner},
    aws_common::{
        error::{AuthError, AwsError},
        payload::{self, Rules},
        request_id::RequestIds,
        sigv4::Verified,
    },
    full,
};

/// The S3 door, for one request.
pub(crate) struct Door<'a> {
    pub(crate) service: &'a Arc<Service>,
    /// Names below which a further label is a bucket.
    pub(crate) hosts: &'a [String],
    pub(crate) ids: &'a RequestIds,
}

impl Door<'_> {
    /// Answers a request whose signature was verified.
    pub(crate) async fn handle<B>(
        &self,
        verified: Verified,
        mut access: Access,
        mut parts: Parts,
        body: B,
    ) -> Response<DoorBody>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let begun = self.service.now();
        let source = access.caller().source.clone();
        let mut found = None;
        let mut trace = trace(&parts);
        trace.caller.clone_from(&access.caller().principal);
        let answer = async {
            let target = Target::of(&parts, self.hosts)?;
            trace.address = target.address();
            let query = Query::parse(parts.uri.query().unwrap_or_default())?;
            restore_hoisted(&query, &mut parts.headers);
            let operation = Op::of(&parts.method, &target, &query, &parts.headers)?;
            trace.operation = operation.name();
            found = Some(operation);
            access::add_keys(&mut access, &parts.headers, begun.since(verified.signed));
            let bucket = target.bucket.as_deref().unwrap_or_default();
            let mut request = Request {
                service: self.service,
                caller: access.caller(),
                identity: &verified.identity,
                owner: bucket_owner(&access, bucket).await?,
                access: &access,
                outputs_only: false,
                target,
                query,
                headers: &parts.headers,
                head: parts.method == Method::HEAD,
            };
            access::authorize(&mut request, operation).await?;
            request.check_owner().await?;
            let rules = rules(operation, &request)?;
            let body = payload::read(&parts.headers, verified.payload, body, rules).await?;
            let answer = answer(operation, &request, body).await;
            answer.map_err(|error| access::without_absence(&request, operation, error))
        };
        let answer = answer.await;
        let logged = self.logged(&parts, &access).await;
        let mut response = self.finish(&parts, trace, answer);
        set(&mut response, "x-amz-bucket-region", &verified.identity.region);
        if let Some((target, bucket)) = logged {
            let entry = Entry {
                bucket: &bucket,
                target: &target,
                operation: found,
                parts: &parts,
                source: &source,
                response: &response,
                begun,
                ended: self.service.now(),
            };
            let line = entry.line(&self.ids.request_id, &self.ids.id_2);
            self.service.log_access(&bucket.name, &line);
        }
        response
    }

    /// What a request names, and its bucket where that has an access log.
    async fn logged(&self, parts: &Parts, access: &Access) -> Option<(Target, Arc<Bucket>)> {
        let target = Target::of(parts, self.hosts).ok()?;
        // Without the bucket there is no log of it.
        let bucket = access.bucket(target.bucket.as_deref()?).await.ok()?;
        bucket.logging.is_some().then_some((target, bucket))
    }

    /// Answers a request whose signature was not accepted.
    pub(crate) fn refuse(&self, error: &AuthError, parts: &Parts) -> Response<DoorBody> {
        let mut trace = trace(parts);
        let target = Target::of(parts, self.hosts).ok();
        if let Some(target) = &target {
            trace.address = target.address();
        }
        // `tidelock` asks so who is there, and S3 has no such operation: nobody is refused anything by it.
        let is_of_nothing = *error == AuthError::MissingAuthentication
            && parts.method == Method::HEAD
            && target.is_some_and(|target| target.bucket.is_none());
        let error = match is_of_nothing {
            true => Error::new(Code::MethodNotAllowed),
            false => error.into(),
        };
        self.finish(parts, trace, Err(error))
    }

    /// Puts on what every answer carries.
    fn finish(
        &self,
        parts: &Parts,
        mut trace: Trace,
        answer: Result<Response<DoorBody>>,
    ) -> Response<DoorBody> {
        let mut response = answer.unwrap_or_else(|error| {
            error.code.clone_into(&mut trace.code);
            refusal(&error, parts, &format!("/{}", trace.address), self.ids)
        });
        set(&mut response, "x-amz-request-id", &self.ids.request_id);
        set(&mut response, "x-amz-id-2", &self.ids.id_2);
        response.extensions_mut().insert(trace);
        response
    }
}

/// Refuses while nothing can be done.
pub(crate) fn unavailable(why: &AwsError, ids: &RequestIds) -> Response<DoorBody> {
    let error = Error::because(Code::ServiceUnavailable, why.message.clone());
    let mut response = Response::new(full(error.document("", &ids.request_id, &ids.id_2)));
    *response.status_mut() = error.status;
    set(&mut response, header::CONTENT_TYPE.as_str(), "application/xml");
    response
}

/// What the log says of a request of which nothing is known yet.
fn trace(parts: &Parts) -> Trace {
    Trace {
        door: "s3",
        address: parts.uri.path().trim_start_matches('/').to_owned(),
        ..Trace::default()
    }
}

/// An error's answer: the document, but for HEAD and 304, which have none.
fn refusal(error: &Error, parts: &Parts, resource: &str, ids: &RequestIds) -> Response<DoorBody> {
    let bare = parts.method == Method::HEAD || error.status == http::StatusCode::NOT_MODIFIED;
    let body = match bare {
        true => full(""),
        false => full(error.document(resource, &ids.request_id, &ids.id_2)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = error.status;
    if !bare {
        set(&mut response, header::CONTENT_TYPE.as_str(), "application/xml");
    }
    for (name, value) in &error.headers {
        set(&mut response, name, value);
    }
    response
}

/// How large a body an operation takes, and whether the checksum headers speak of it.
fn rules(operation: Op, request: &Request<'_>) -> Result<Rules> {
    let max_bytes = match operation {
        Op::PutObject if request.address()?.locked_by_file().is_some() => LOCK_INFO_BYTES_MAX as u64,
        Op::PutObject | Op::UploadPart => OBJECT_BYTES_MAX,
        _ => XML_BYTES_MAX as u64,
    };
    Ok(Rules {
        max_bytes,
        checksum_is_of_body: operation != Op::CompleteMultipartUpload,
    })
}

/// The table of operations.
async fn answer(operation: Op, request: &Request<'_>, body: payload::Body) -> Result<Response<DoorBody>> {
    match operation {
        Op::ListBuckets => bucket::list(request).await,
        Op::CreateBucket => bucket::create(request, &body.bytes).await,
        Op::HeadBucket => bucket::head(request).await,
        Op::DeleteBucket => bucket::delete(request).await,
        Op::GetBucketLocation => bucket::location(request).await,
        Op::GetBucketVersioning => bucket::versioning(request).await,
        Op::PutBucketVersioning => bucket::set_versioning(request, &body.bytes).await,
        Op::GetSubresource(part) => bucket::get_part(request, part).await,
        Op::PutSubresource(part) => bucket::put_part(request, part, &body.bytes).await,
        Op::DeleteSubresource(part) => bucket::delete_part(request, part).await,
        Op::ListObjects => list::v1(request).await,
        Op::ListObjectsV2 => list::v2(request).await,
        Op::ListObjectVersions => versions::list(request).await,
        Op::PutObject => object::put(request, body).await,
        Op::CopyObject => copy::object(request).await,
        Op::GetObject | Op::HeadObject => read::get(request).await,
        Op::GetObjectAttributes => read::attributes(request).await,
        Op::DeleteObject => delete::object(request).await,
        Op::DeleteObjects => delete::batch(request, &body).await,
        Op::GetObjectTagging => tagging::get(request).await,
        Op::PutObjectTagging => tagging::put(request, &body.bytes).await,
        Op::DeleteObjectTagging => tagging::delete(request).await,
        Op::GetObjectAcl => acl::of_object(request).await,
        Op::PutObjectAcl => acl::put_object(request, &body.bytes).await,
        Op::GetObjectLegalHold => object_lock::legal_hold(request).await,
        Op::GetObjectRetention => object_lock::retention(request).await,
        Op::PutObjectLegalHold => object_lock::put_legal_hold(request, &body.bytes).await,
        Op::PutObjectRetention => object_lock::put_retention(request, &body.bytes).await,
        Op::CreateMultipartUpload => multipart::create(request).await,
        Op::UploadPart => multipart::put_part(request, body).await,
        Op::UploadPartCopy => copy::part(request).await,
        Op::CompleteMultipartUpload => multipart::complete(request, &body.bytes).await,
        Op::AbortMultipartUpload => multipart::abort(request).await,
        Op::ListParts => uploads::parts(request).await,
        Op::ListMultipartUploads => uploads::list(request).await,
        Op::Unserved(name) => Err(Error::not_implemented(name)),
    }
}
