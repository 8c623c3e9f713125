//! Which operation a request asks for: method, target and query, looked up in tables.

use http::{HeaderMap, Method};

use super::{
    error::{Code, Error, Result},
    headers::COPY_SOURCE,
    subresource::{SUBRESOURCES, Subresource},
    target::{Query, Target},
};

/// The account that S3 Control is asked about: in each of its requests, and in none of S3.
const S3_CONTROL: &str = "x-amz-account-id";

/// One operation, named as AWS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    /// Reads a part of a bucket's configuration.
    GetSubresource(&'static Subresource),
    /// Writes a part of a bucket's configuration.
    PutSubresource(&'static Subresource),
    /// Removes a part of a bucket's configuration.
    DeleteSubresource(&'static Subresource),
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    GetObjectAttributes,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    GetObjectAcl,
    PutObjectAcl,
    GetObjectLegalHold,
    GetObjectRetention,
    PutObjectLegalHold,
    PutObjectRetention,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    ListParts,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    /// An operation of S3 that is not served.
    Unserved(&'static str),
}

use Operation as Op;

impl Operation {
    /// AWS's name of the operation.
    pub(crate) fn name(self) -> String {
        match self {
            Op::GetSubresource(part) => part.get.to_owned(),
            Op::PutSubresource(part) => part.put.to_owned(),
            Op::DeleteSubresource(part) => part.delete.to_owned(),
            Op::Unserved(name) => name.to_owned(),
            named => format!("{named:?}"),
        }
    }

    /// Finds the operation of a request.
    ///
    /// # Errors
    /// `MethodNotAllowed` when S3 has no such operation.
    pub(crate) fn of(
        method: &Method,
        target: &Target,
        query: &Query,
        headers: &HeaderMap,
    ) -> Result<Operation> {
        let found = match (&target.bucket, &target.key) {
            // Of S3 Control nothing is served. Terraform's provider asks it for a bucket's tags, and then S3 itself.
            _ if headers.contains_key(S3_CONTROL) => None,
            (None, None) => (method == Method::GET).then_some(Op::ListBuckets),
            (None, Some(_)) => return Err(Error::new(Code::InvalidBucketName)),
            (Some(_), None) => of_bucket(method, query),
            (Some(_), Some(_)) => of_object(method, query, headers.contains_key(COPY_SOURCE)),
        };
        found.ok_or_else(|| {
            let kind = match (&target.bucket, &target.key) {
                (None, _) => "SERVICE",
                (_, None) => "BUCKET",
                _ => "OBJECT",
            };
            Error::new(Code::MethodNotAllowed)
                .with("Method", method.as_str())
                .with("ResourceType", kind)
        })
    }
}

/// Operations on a bucket that a query parameter selects, beside [`SUBRESOURCES`].
const BUCKET: &[(Method, &str, Operation)] = &[
    (Method::GET, "location", Op::GetBucketLocation),
    (Method::GET, "versioning", Op::GetBucketVersioning),
    (Method::PUT, "versioning", Op::PutBucketVersioning),
    (Method::GET, "versions", Op::ListObjectVersions),
    (Method::GET, "uploads", Op::ListMultipartUploads),
    (Method::POST, "delete", Op::DeleteObjects),
    (Method::GET, "session", Op::Unserved("CreateSession")),
    (
        Method::POST,
        "metadataTable",
        Op::Unserved("CreateBucketMetadataTableConfiguration"),
    ),
];

fn of_bucket(method: &Method, query: &Query) -> Option<Operation> {
    if let Some(found) = select(BUCKET, method, query) {
        return found;
    }
    if let Some(part) = SUBRESOURCES.iter().find(|part| query.has(part.query)) {
        return part.operation(method);
    }
    match *method {
        Method::GET if query.get("list-type") == Some("2") => Some(Op::ListObjectsV2),
        Method::GET => Some(Op::ListObjects),
        Method::HEAD => Some(Op::HeadBucket),
        Method::PUT => Some(Op::CreateBucket),
        Method::DELETE => Some(Op::DeleteBucket),
        Method::POST => Some(Op::Unserved("PostObject")),
        _ => None,
    }
}

/// Operations on an object that a query parameter selects.
const OBJECT: &[(Method, &str, Operation)] = &[
    (Method::GET, "attributes", Op::GetObjectAttributes),
    (Method::GET, "tagging", Op::GetObjectTagging),
    (Method::PUT, "tagging", Op::PutObjectTagging),
    (Method::DELETE, "tagging", Op::DeleteObjectTagging),
    (Method::GET, "acl", Op::GetObjectAcl),
    (Method::PUT, "acl", Op::PutObjectAcl),
    (Method::GET, "legal-hold", Op::GetObjectLegalHold),
    (Method::PUT, "legal-hold", Op::PutObjectLegalHold),
    (Method::GET, "retention", Op::GetObjectRetention),
    (Method::PUT, "retention", Op::PutObjectRetention),
    (Method::POST, "restore", Op::Unserved("RestoreObject")),
    (Method::POST, "select", Op::Unserved("SelectObjectContent")),
    (Method::GET, "torrent", Op::Unserved("GetObjectTorrent")),
    (Method::PUT, "renameObject", Op::Unserved("RenameObject")),
    (Method::POST, "uploads", Op::CreateMultipartUpload),
    (Method::GET, "uploadId", Op::ListParts),
    (Method::PUT, "uploadId", Op::UploadPart),
    (Method::POST, "uploadId", Op::CompleteMultipartUpload),
    (Method::DELETE, "uploadId", Op::AbortMultipartUpload),
];

fn of_object(method: &Method, query: &Query, copies: bool) -> Option<Operation> {
    match select(OBJECT, method, query) {
        Some(Some(Op::UploadPart)) if copies => return Some(Op::UploadPartCopy),
        Some(found) => return found,
        None => {}
    }
    match *method {
        Method::GET => Some(Op::GetObject),
        Method::HEAD => Some(Op::HeadObject),
        Method::PUT if copies => Some(Op::CopyObject),
        Method::PUT => Some(Op::PutObject),
        Method::DELETE => Some(Op::DeleteObject),
        _ => None,
    }
}

/// What a table says: nothing when no parameter of it is in the query, `Some(None)` when one is but not with that
/// method. HEAD has no such parameters.
fn select(
    table: &'static [(Method, &'static str, Operation)],
    method: &Method,
    query: &Query,
) -> Option<Option<Operation>> {
    if method == Method::HEAD {
        return None;
    }
    let mut named = table.iter().filter(|(_, name, _)| query.has(name)).peekable();
    named.peek()?;
    Some(named.find(|(of, _, _)| of == method).map(|(_, _, found)| *found))
}

/// A request that is an operation.
#[cfg(test)]
pub(crate) struct Reachable {
    pub(crate) name: String,
    pub(crate) served: bool,
    pub(crate) method: Method,
    /// 0 for the service, 1 for a bucket, 2 for an object.
    pub(crate) depth: usize,
    pub(crate) query: String,
    /// Whether it names a source to copy.
    pub(crate) copies: bool,
}

/// Every operation that there is a request for, found by asking for everything that the tables name in every way.
#[cfg(test)]
pub(crate) fn reachable() -> Vec<Reachable> {
    let tables = BUCKET.iter().chain(OBJECT).map(|(_, name, _)| *name);
    let names = tables.chain(SUBRESOURCES.iter().map(|part| part.query));
    let queries: Vec<String> = ["", "list-type=2", "versionId=x"]
        .into_iter()
        .chain(names)
        .map(str::to_owned)
        .collect();
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::POST,
        Method::DELETE,
    ];
    let mut found: Vec<Reachable> = Vec::new();
    for depth in 0..3 {
        let target = Target {
            bucket: (depth > 0).then(|| "bucket".to_owned()),
            key: (depth > 1).then(|| "key".to_owned()),
        };
        for (method, query) in methods
            .iter()
            .flat_map(|method| queries.iter().map(move |query| (method, query)))
        {
            for copies in [false, true] {
                let mut headers = HeaderMap::new();
                if copies {
                    headers.insert(COPY_SOURCE, http::HeaderValue::from_static("bucket/other"));
                }
                let parsed = Query::parse(query).unwrap();
                let Ok(operation) = Operation::of(method, &target, &parsed, &headers) else {
                    continue;
                };
                let name = operation.name();
                if found.iter().all(|known| known.name != name) {
                    found.push(Reachable {
                        name,
                        served: !matches!(operation, Op::Unserved(_)),
                        method: method.clone(),
                        depth,
                        query: query.clone(),
                        copies,
                    });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> std::result::Result<String, &'static str> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let query = Query::parse(parts.uri.query().unwrap_or_default()).unwrap();
        let target = Target::of(&parts, &[]).unwrap();
        Operation::of(&parts.method, &target, &query, &parts.headers)
            .map(Operation::name)
            .map_err(|error| error.code)
    }

    #[test]
    fn every_request_finds_its_operation() {
        for (method, path, name) in [
            (Method::GET, "/", "ListBuckets"),
            (Method::GET, "/?x-id=ListBuckets", "ListBuckets"),
            (Method::PUT, "/b", "CreateBucket"),
            (Method::HEAD, "/b/", "HeadBucket"),
            (Method::GET, "/b?location", "GetBucketLocation"),
            (Method::GET, "/b?list-type=2&prefix=env%3A%2F", "ListObjectsV2"),
            (Method::GET, "/b?prefix=x", "ListObjects"),
            (Method::GET, "/b?versions", "ListObjectVersions"),
            (Method::POST, "/b?delete", "DeleteObjects"),
            (Method::GET, "/b?cors", "GetBucketCors"),
            (Method::PUT, "/b?encryption", "PutBucketEncryption"),
            (Method::DELETE, "/b?tagging", "DeleteBucketTagging"),
            (Method::GET, "/b?object-lock", "GetObjectLockConfiguration"),
            (Method::GET, "/b/k?x-id=GetObject", "GetObject"),
            (Method::HEAD, "/b/k?partNumber=1", "HeadObject"),
            (Method::PUT, "/b/k?partNumber=1&uploadId=u", "UploadPart"),
            (Method::POST, "/b/k?uploads", "CreateMultipartUpload"),
            (Method::POST, "/b/k?uploadId=u", "CompleteMultipartUpload"),
            (Method::DELETE, "/b/k?versionId=v", "DeleteObject"),
            (Method::POST, "/b/k?select&select-type=2", "SelectObjectContent"),
        ] {
            assert_eq!(of(method, path, &[]).as_deref(), Ok(name), "{path}");
        }
        let copy = [("x-amz-copy-source", "b/k")];
        assert_eq!(of(Method::PUT, "/b/l", &copy).as_deref(), Ok("CopyObject"));
        assert_eq!(
            of(Method::PUT, "/b/l?partNumber=1&uploadId=u", &copy).as_deref(),
            Ok("UploadPartCopy")
        );
    }

    #[test]
    fn requests_of_s3_control_are_no_objects() {
        let path = "/000000000000/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab";
        let account = [("x-amz-account-id", "000000000000")];
        for method in [Method::GET, Method::POST, Method::DELETE] {
            assert_eq!(of(method, path, &account), Err("MethodNotAllowed"));
        }
    }

    #[test]
    fn methods_that_s3_does_not_know_are_not_allowed() {
        for (method, path) in [
            (Method::POST, "/"),
            (Method::PATCH, "/b"),
            (Method::POST, "/b/k"),
            (Method::PUT, "/b?location"),
            (Method::DELETE, "/b?versioning"),
            (Method::DELETE, "/b?acl"),
            (Method::PUT, "/b?policyStatus"),
            (Method::OPTIONS, "/b/k"),
        ] {
            assert_eq!(of(method, path, &[]), Err("MethodNotAllowed"), "{path}");
        }
    }
}
