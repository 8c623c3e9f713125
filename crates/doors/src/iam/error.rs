//! The refusals of the directory as IAM puts them. Source: "Errors" of each action in the IAM API reference.

use http::StatusCode;
use tidelock_core::iam::IamError;
use tidelock_service::DirectoryError;

use crate::{aws_common::error::AwsError, status};

impl From<IamError> for AwsError {
    fn from(error: IamError) -> AwsError {
        let (status, code) = match error {
            IamError::NoSuchEntity(_) => (StatusCode::NOT_FOUND, "NoSuchEntity"),
            IamError::EntityAlreadyExists(_) => (StatusCode::CONFLICT, "EntityAlreadyExists"),
            IamError::DeleteConflict(_) => (StatusCode::CONFLICT, "DeleteConflict"),
            IamError::LimitExceeded(_) => (StatusCode::CONFLICT, "LimitExceeded"),
            IamError::MalformedPolicyDocument(_) => (StatusCode::BAD_REQUEST, "MalformedPolicyDocument"),
            IamError::InvalidInput(_) => (StatusCode::BAD_REQUEST, "InvalidInput"),
            IamError::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationError"),
            IamError::AccessDenied(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
        };
        AwsError::new(status, code, error.to_string())
    }
}

pub(super) fn of_directory(error: DirectoryError) -> AwsError {
    match error {
        DirectoryError::Refused(refused) => refused.into(),
        DirectoryError::Service(fault) => {
            let message = match status::of(&fault) {
                StatusCode::SERVICE_UNAVAILABLE => "Too many changes at once; try again.",
                _ => "The request processing has failed because of an unknown error.",
            };
            AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailure", message)
        }
    }
}
