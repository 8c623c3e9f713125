//! What an error of the service is in HTTP, for the doors whose protocol is no more than that.

use http::StatusCode;
use tidelock_service::Error;

/// The status of an error, which is logged here where people must look at it. A door that means something else by one of them
/// answers that one before.
pub(crate) fn of(error: &Error) -> StatusCode {
    match error {
        Error::NoSuchBucket(_)
        | Error::NoSuchKey { .. }
        | Error::NoSuchVersion { .. }
        | Error::NoSuchUpload(_)
        | Error::NoSuchTable(_) => StatusCode::NOT_FOUND,
        Error::LockFile(_)
        | Error::TooManyBuckets
        | Error::TooManyFacets(_)
        | Error::InvalidPart(_)
        | Error::InvalidPartOrder
        | Error::PartTooSmall { .. }
        | Error::BadDigest(_) => StatusCode::BAD_REQUEST,
        // Of 403 Terraform says "invalid auth", which would lead its user astray.
        Error::Kms(_)
        | Error::BucketExists(_)
        | Error::BucketNotEmpty(_)
        | Error::StaysVersioned(_)
        | Error::NotVersioned(_)
        | Error::TableExists(_)
        | Error::State { .. }
        | Error::Occupied => StatusCode::CONFLICT,
        Error::Protected(_) => StatusCode::FORBIDDEN,
        Error::Precondition { .. } => StatusCode::PRECONDITION_FAILED,
        Error::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Damaged { .. } => {
            tracing::error!(%error, "a stored state cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Error::Engine(fault) => {
            tracing::error!(%fault, "the engine failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
