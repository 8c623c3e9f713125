//! What can go wrong in a KMS request, in AWS's own codes and words, and the one place that maps it to HTTP.

use http::StatusCode;
use serde_json::{Value as Json, json};
use tidelock_core::kms::KmsError;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What the rules of keys say.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The body is not the JSON the operation takes.
    #[error("{0}")]
    Serialization(String),
    /// The target names no operation of AWS's.
    #[error("")]
    UnknownOperation,
    /// There are no grants, so no token stands for one.
    #[error("There are no grants here, so there is no such grant token.")]
    InvalidGrantToken,
    /// The key does not do what is asked.
    #[error("{0}")]
    InvalidKeyUsage(String),
    /// The place to go on from is not one.
    #[error("Could not deserialize marker")]
    InvalidMarker,
    /// The caller's session has ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// All is well, and nothing was to be done.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// The store could not answer; nothing has happened, and trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed, and the change may have happened.
    #[error("{0}")]
    Internal(String),
}

/// What the operations return.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Shorthand for AWS's sentence about one member that breaks a constraint of the API's model.
pub(crate) fn invalid<T>(value: &str, member: &str, rule: &str) -> Result<T> {
    let message = format!(
        "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: Member must {rule}"
    );
    Err(KmsError::Validation(message).into())
}

impl From<tidelock_service::Error> for Error {
    fn from(error: tidelock_service::Error) -> Error {
        use tidelock_service::Error as Service;
        match error {
            Service::Kms(why) => Error::Kms(why),
            Service::Busy(_) => Error::Unavailable(error.to_string()),
            Service::Engine(fault) => {
                tracing::error!(%fault, "the engine failed");
                Error::Internal(fault.to_string())
            }
            // No operation of this door is about one of these; a fault of ours if one appears.
            Service::NoSuchBucket(_)
            | Service::BucketExists(_)
            | Service::BucketNotEmpty(_)
            | Service::TooManyBuckets
            | Service::TooManyFacets(_)
            | Service::StaysVersioned(_)
            | Service::NotVersioned(_)
            | Service::Protected(_)
            | Service::NoSuchKey { .. }
            | Service::NoSuchVersion { .. }
            | Service::LockFile(_)
            | Service::Precondition { .. }
            | Service::State { .. }
            | Service::NoSuchUpload(_)
            | Service::InvalidPart(_)
            | Service::InvalidPartOrder
            | Service::PartTooSmall { .. }
            | Service::TooLarge
            | Service::BadDigest(_)
            | Service::NoSuchTable(_)
            | Service::TableExists(_)
            | Service::Occupied
            | Service::Damaged { .. } => Error::Internal(error.to_string()),
        }
    }
}

impl Error {
    /// The HTTP status that AWS answers with.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::Kms(_)
            | Error::Serialization(_)
            | Error::UnknownOperation
            | Error::InvalidGrantToken
            | Error::InvalidKeyUsage(_)
            | Error::InvalidMarker
            | Error::ExpiredToken => StatusCode::BAD_REQUEST,
            Error::DryRun => StatusCode::PRECONDITION_FAILED,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// AWS's name of it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Error::Kms(why) => why.code(),
            Error::Serialization(_) => "SerializationException",
            Error::UnknownOperation => "UnknownOperationException",
            Error::InvalidGrantToken => "InvalidGrantTokenException",
            Error::InvalidKeyUsage(_) => "InvalidKeyUsageException",
            Error::InvalidMarker => "InvalidMarkerException",
            Error::ExpiredToken => "ExpiredTokenException",
            Error::DryRun => "DryRunOperationException",
            Error::Unavailable(_) => "DependencyTimeoutException",
            Error::Internal(_) => "KMSInternalException",
        }
    }

    /// The error body.
    pub(crate) fn body(&self) -> Json {
        let mut body = json!({ "__type": self.code() });
        let message = self.to_string();
        if !message.is_empty() {
            body["message"] = json!(message);
        }
        body
    }
}
