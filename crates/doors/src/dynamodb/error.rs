//! What can go wrong in a DynamoDB request, in AWS's own codes and words, and the one place that maps it to HTTP.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{
    naming::split,
    value::{Item, item_to_json},
};

/// A refused request. The message is what the client's user reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request breaks a rule that AWS checks before or while touching the item.
    #[error("{0}")]
    Validation(String),
    /// The condition did not hold; with the item as it is, when the caller asked for it.
    #[error("The conditional request failed")]
    ConditionalCheckFailed(Option<Box<Item>>),
    /// The table (or the tagged resource) does not exist.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The table exists already.
    #[error("{0}")]
    ResourceInUse(String),
    /// The body is not the JSON the operation takes.
    #[error("{0}")]
    Serialization(String),
    /// The caller may not do it.
    #[error("{0}")]
    AccessDenied(String),
    /// The caller's session has ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The target names no operation of this door.
    #[error("")]
    UnknownOperation,
    /// What one operation alone answers.
    #[error("{message}")]
    Special {
        /// The bare code.
        code: &'static str,
        /// What the client's user reads.
        message: String,
    },
    /// The store could not answer; nothing has happened, and trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed, and the change may have happened.
    #[error("{0}")]
    Internal(String),
}

/// Shorthand for the most frequent error.
pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Validation(message.into()))
}

impl From<tidelock_service::Error> for Error {
    fn from(error: tidelock_service::Error) -> Error {
        use tidelock_service::Error as Service;
        match error {
            Service::NoSuchTable(name) => {
                let name = split(&name).1;
                Error::ResourceNotFound(format!("Requested resource not found: Table: {name} not found"))
            }
            Service::TableExists(name) => {
                Error::ResourceInUse(format!("Table already exists: {}", split(&name).1))
            }
            Service::Occupied | Service::TooManyFacets(_) => Error::Validation(error.to_string()),
            Service::Busy(_) => Error::Unavailable(error.to_string()),
            Service::Engine(fault) => {
                tracing::error!(%fault, "the engine failed");
                Error::Internal(fault.to_string())
            }
            Service::NoSuchBucket(_)
            | Service::BucketExists(_)
            | Service::BucketNotEmpty(_)
            | Service::TooManyBuckets
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
            | Service::Kms(_)
            | Service::Damaged { .. }
            | Service::BadDigest(_) => Error::Internal(error.to_string()),
        }
    }
}

impl Error {
    /// The HTTP status that AWS answers with.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::Validation(_)
            | Error::ConditionalCheckFailed(_)
            | Error::ResourceNotFound(_)
            | Error::ResourceInUse(_)
            | Error::Serialization(_)
            | Error::Special { .. }
            | Error::AccessDenied(_)
            | Error::ExpiredToken
            | Error::UnknownOperation => StatusCode::BAD_REQUEST,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `__type` of the error body, with the namespace each AWS error comes from.
    pub(crate) fn kind(&self) -> String {
        let kind = match self {
            Error::Special { code, .. } => return format!("com.amazonaws.dynamodb.v20120810#{code}"),
            Error::Validation(_) => "com.amazon.coral.validate#ValidationException",
            Error::ConditionalCheckFailed(_) => {
                "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            }
            Error::ResourceNotFound(_) => "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            Error::ResourceInUse(_) => "com.amazonaws.dynamodb.v20120810#ResourceInUseException",
            Error::Serialization(_) => "com.amazon.coral.service#SerializationException",
            Error::AccessDenied(_) => "com.amazon.coral.service#AccessDeniedException",
            Error::ExpiredToken => "com.amazon.coral.service#ExpiredTokenException",
            Error::UnknownOperation => "com.amazon.coral.service#UnknownOperationException",
            Error::Unavailable(_) => "com.amazon.coral.availability#ServiceUnavailableException",
            Error::Internal(_) => "com.amazonaws.dynamodb.v20120810#InternalServerError",
        };
        kind.to_owned()
    }

    /// The error's bare name, for the log.
    pub(crate) fn code(&self) -> String {
        let kind = self.kind();
        kind.split_once('#')
            .map_or(String::new(), |(_, code)| code.to_owned())
    }

    /// The error body.
    pub(crate) fn body(&self) -> Json {
        let mut body = json!({ "__type": self.kind() });
        match self {
            Error::UnknownOperation => {}
            Error::Serialization(message) => body["Message"] = json!(message),
            Error::ExpiredToken => body["message"] = json!(self.to_string()),
            Error::AccessDenied(message) => body["Message"] = json!(message),
            Error::ConditionalCheckFailed(item) => {
                body["message"] = json!(self.to_string());
                if let Some(item) = item {
                    body["Item"] = item_to_json(item);
                }
            }
            Error::Validation(message)
            | Error::ResourceNotFound(message)
            | Error::ResourceInUse(message)
            | Error::Special { message, .. }
            | Error::Unavailable(message)
            | Error::Internal(message) => body["message"] = json!(message),
        }
        body
    }
}
