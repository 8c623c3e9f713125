//! S3's errors: code, status, AWS's own message, and the XML they travel in.
//!
//! Source of codes, statuses and messages: "Error responses" of the Amazon S3 API reference, and answers of S3 itself.

use std::borrow::Cow;

use http::StatusCode;
use tidelock_core::{
    Address, AddressError,
    decide::Why,
    kms::KmsError,
    limits::{OBJECT_BYTES_MAX, PART_BYTES_MIN},
};
use tidelock_service::{EngineError, Error as ServiceError};

use super::xml::Document;
use crate::aws_common::{
    error::{AuthError, AwsError},
    payload::PayloadError,
};

macro_rules! codes {
    ($($code:ident $status:literal $message:literal,)*) => {
        /// An error code of S3, spelt as S3 spells it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($code,)* }

        impl Code {
            /// The code as it stands in the answer.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Code::$code => stringify!($code),)* }
            }

            /// The HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                let status = match self { $(Code::$code => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// What S3 says when it has nothing more exact to say.
            fn message(self) -> &'static str {
                match self { $(Code::$code => $message,)* }
            }
        }
    };
}

codes! {
    AccessControlListNotSupported 400 "The bucket does not allow ACLs",
    AccessDenied 403 "Access Denied",
    BadDigest 400 "The Content-MD5 you specified did not match what we received.",
    BadRequest 400 "Bad Request",
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it.",
    BucketNotEmpty 409 "The bucket you tried to delete is not empty",
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size",
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size",
    IllegalVersioningConfigurationException 400 "The Versioning element must be specified",
    InternalError 500 "We encountered an internal error. Please try again.",
    InvalidArgument 400 "Invalid Argument",
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    InvalidBucketName 400 "The specified bucket is not valid.",
    InvalidBucketState 409 "The request is not valid with the current state of the bucket.",
    InvalidPart 400 "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    InvalidPartNumber 416 "The requested partnumber is not satisfiable",
    InvalidPartOrder 400 "The list of parts was not in ascending order. Parts must be ordered by part number.",
    InvalidRange 416 "The requested range is not satisfiable",
    InvalidRequest 400 "Invalid Request",
    InvalidStorageClass 400 "The storage class you specified is not valid",
    InvalidTargetBucketForLogging 400 "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants for the log-delivery group.",
    InvalidTag 400 "The TagValue you have provided is invalid",
    InvalidURI 400 "Couldn't parse the specified URI.",
    MalformedPolicy 400 "Policies must be valid JSON and the first byte must be '{'",
    KeyTooLongError 400 "Your key is too long",
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema",
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size",
    MethodNotAllowed 405 "The specified method is not allowed against this resource.",
    NoSuchBucket 404 "The specified bucket does not exist",
    NoSuchBucketPolicy 404 "The bucket policy does not exist",
    NoSuchConfiguration 404 "The specified configuration does not exist.",
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist",
    NoSuchKey 404 "The specified key does not exist.",
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist",
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration",
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found",
    NoSuchTagSet 404 "The TagSet does not exist",
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    NoSuchVersion 404 "The specified version does not exist.",
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration",
    NotImplemented 501 "A header you provided implies functionality that is not implemented",
    NotModified 304 "Not Modified",
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket",
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found",
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold",
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found",
    ServiceUnavailable 503 "Service is unable to handle request.",
    SlowDown 503 "Please reduce your request rate.",
    StateFenced 409 "The lock under which this state was written is not held any more.",
    StateLocked 423 "Someone else holds the lock of this state.",
    StateNotAdvancing 409 "This state does not follow the current one.",
    TooManyBuckets 400 "You have attempted to create more buckets than allowed",
}

/// A refusal, on its way to the client.
#[derive(Debug)]
pub(crate) struct Error {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// S3's code.
    pub(crate) code: &'static str,
    message: Cow<'static, str>,
    /// Further elements of the document, such as `Key` or `ActualObjectSize`.
    details: Vec<(&'static str, String)>,
    /// Headers of the answer, such as `x-amz-delete-marker`.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What the operations return.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The error with S3's own message.
    pub(crate) fn new(code: Code) -> Error {
        Error::because(code, code.message())
    }

    /// The error with a message of our own, or one that S3 words by the case.
    pub(crate) fn because(code: Code, message: impl Into<Cow<'static, str>>) -> Error {
        Error {
            status: code.status(),
            code: code.name(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// `InvalidArgument` on a named argument, as S3 shows it.
    pub(crate) fn argument(message: impl Into<Cow<'static, str>>, name: &str, value: &str) -> Error {
        Error::because(Code::InvalidArgument, message)
            .with("ArgumentName", name)
            .with("ArgumentValue", value)
    }

    /// `PreconditionFailed`, naming the condition.
    pub(crate) fn precondition(condition: &str) -> Error {
        Error::new(Code::PreconditionFailed).with("Condition", condition)
    }

    /// `NotImplemented`, naming the operation: S3's own message speaks of a header only.
    pub(crate) fn not_implemented(what: &str) -> Error {
        Error::because(
            Code::NotImplemented,
            format!("Tidelock does not implement {what}; nothing was changed"),
        )
    }

    /// Adds an element to the document.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Error {
        self.details.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Error {
        self.headers.push((name, value.into()));
        self
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The document, for the resource and the request that it answers.
    pub(crate) fn document(&self, resource: &str, request_id: &str, host_id: &str) -> String {
        let mut document = Document::bare("Error");
        document.text("Code", self.code).text("Message", &self.message);
        for (name, value) in &self.details {
            document.text(name, value);
        }
        document
            .text("Resource", resource)
            .text("RequestId", request_id)
            .text("HostId", host_id);
        document.finish()
    }
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Error {
        Error {
            status: error.status,
            code: error.code,
            message: error.message.into(),
            details: error.details,
            headers: Vec::new(),
        }
    }
}

impl From<&AuthError> for Error {
    fn from(error: &AuthError) -> Error {
        error.s3().into()
    }
}

impl From<PayloadError> for Error {
    fn from(error: PayloadError) -> Error {
        error.s3().into()
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Error {
        match error {
            AddressError::Bucket(name) => Error::new(Code::InvalidBucketName).with("BucketName", name),
            AddressError::KeyTooLong => Error::new(Code::KeyTooLongError),
            AddressError::Key | AddressError::NoSlash => {
                Error::because(Code::InvalidArgument, error.to_string())
            }
        }
    }
}

/// The one place where what the service answers becomes what S3 answers (a table, and as long as one).
impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Error {
        match error {
            ServiceError::NoSuchBucket(name) => Error::new(Code::NoSuchBucket).with("BucketName", name),
            ServiceError::BucketExists(name) => {
                Error::new(Code::BucketAlreadyOwnedByYou).with("BucketName", name)
            }
            ServiceError::TooManyBuckets => Error::new(Code::TooManyBuckets),
            ServiceError::BucketNotEmpty(name) => Error::new(Code::BucketNotEmpty).with("BucketName", name),
            ServiceError::NoSuchKey { address, marker } => {
                let error = Error::new(Code::NoSuchKey).with("Key", address.key());
                match marker {
                    Some(marker) => error
                        .with_header("x-amz-delete-marker", "true")
                        .with_header("x-amz-version-id", marker.id.as_str()),
                    None => error,
                }
            }
            ServiceError::NoSuchVersion { address, version } => Error::new(Code::NoSuchVersion)
                .with("Key", address.key())
                .with("VersionId", version),
            ServiceError::LockFile(address) => lock_file(&address),
            ServiceError::TooManyFacets(_) => Error::because(Code::InvalidRequest, error.to_string()),
            ServiceError::Precondition { condition } => Error::precondition(condition),
            ServiceError::State { ref why, .. } => Error::because(refusal_code(why), error.to_string()),
            ServiceError::StaysVersioned(_) => Error::because(
                Code::InvalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            ),
            ServiceError::NotVersioned(_) => Error::because(
                Code::InvalidBucketState,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ),
            ServiceError::Protected(_) => Error::because(
                Code::AccessDenied,
                "Access Denied because object protected by object lock.",
            ),
            ServiceError::NoSuchUpload(id) => Error::new(Code::NoSuchUpload).with("UploadId", id),
            ServiceError::InvalidPart(number) => {
                Error::new(Code::InvalidPart).with("PartNumber", number.to_string())
            }
            ServiceError::InvalidPartOrder => Error::new(Code::InvalidPartOrder),
            ServiceError::PartTooSmall { number, size } => Error::new(Code::EntityTooSmall)
                .with("ProposedSize", size.to_string())
                .with("MinSizeAllowed", PART_BYTES_MIN.to_string())
                .with("PartNumber", number.to_string()),
            ServiceError::Kms(why) => kms(&why),
            ServiceError::TooLarge => {
                Error::new(Code::EntityTooLarge).with("MaxSizeAllowed", OBJECT_BYTES_MAX.to_string())
            }
            ServiceError::BadDigest(words) => Error::because(Code::BadDigest, words),
            // No operation of this door names a table or an item; a fault of ours if one appears.
            ServiceError::NoSuchTable(_) | ServiceError::TableExists(_) | ServiceError::Occupied => {
                Error::new(Code::InternalError)
            }
            ServiceError::Damaged { .. } => {
                tracing::error!(%error, "a stored body cannot be read");
                Error::because(Code::InternalError, error.to_string())
            }
            ServiceError::Busy(_) => Error::new(Code::SlowDown),
            ServiceError::Engine(engine) => engine_fault(&engine),
        }
    }
}

/// What the KMS says, as S3 passes it on.
fn kms(why: &KmsError) -> Error {
    let code = match why {
        KmsError::NotFound(_) | KmsError::InvalidArn(_) => "KMS.NotFoundException",
        KmsError::Disabled(_) => "KMS.DisabledException",
        KmsError::InvalidState(_) => "KMS.KMSInvalidStateException",
        // Nothing that S3 asks of the KMS comes to one of these; a fault of ours if one appears.
        KmsError::AlreadyExists(_)
        | KmsError::LimitExceeded(_)
        | KmsError::MalformedPolicy(_)
        | KmsError::InvalidAlias(_)
        | KmsError::Tag(_)
        | KmsError::Unsupported(_)
        | KmsError::Validation(_)
        | KmsError::InvalidCiphertext
        | KmsError::IncorrectKey
        | KmsError::AccessDenied(_) => "KMS.InternalException",
    };
    Error {
        code,
        ..Error::because(Code::InvalidRequest, why.to_string())
    }
}

/// Codes of our own: S3 has none for a state that must not be written, and clients show them as they come.
fn refusal_code(why: &Why) -> Code {
    match why {
        Why::Locked(_) => Code::StateLocked,
        Why::Fenced(_) | Why::NotHeld(_) | Why::AfterRefusal => Code::StateFenced,
        Why::Rewind { .. } | Why::Relineage { .. } => Code::StateNotAdvancing,
    }
}

fn engine_fault(error: &EngineError) -> Error {
    match error {
        EngineError::Uncertain(why) => {
            tracing::error!(why, "the store did not confirm a commit");
            Error::new(Code::InternalError)
        }
        EngineError::Unavailable(why) => {
            tracing::error!(why, "the store is not available");
            Error::new(Code::ServiceUnavailable)
        }
        EngineError::Corrupt(why) => {
            tracing::error!(why, "the store is damaged");
            Error::because(
                Code::InternalError,
                "What is stored here is damaged; see the server's log",
            )
        }
    }
}

fn lock_file(address: &Address) -> Error {
    Error::because(
        Code::InvalidRequest,
        format!(
            "{address} is the lock file of a state: it can be written (with Terraform's lock info), read, deleted and \
             listed, and nothing else"
        ),
    )
}
