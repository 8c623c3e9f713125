//! Why a change of the directory was refused: AWS's codes and, where people look for them, AWS's words.

/// A refusal. Source: the errors of each action in the IAM API reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IamError {
    /// What was named is not there.
    #[error("{0}")]
    NoSuchEntity(String),
    /// The name is taken.
    #[error("{0}")]
    EntityAlreadyExists(String),
    /// Something still hangs on what should go.
    #[error("{0}")]
    DeleteConflict(String),
    /// More than there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// A policy that is none, or names somebody who does not exist.
    #[error("{0}")]
    MalformedPolicyDocument(String),
    /// What cannot be meant.
    #[error("{0}")]
    InvalidInput(String),
    /// A value without the form that it has to have.
    #[error("1 validation error detected: {0}")]
    Validation(String),
    /// AWS's own policies are nobody's to change.
    #[error("{0}")]
    AccessDenied(String),
}

impl IamError {
    /// A value of `member` that does not have the form it must have.
    pub(super) fn constraint(value: &str, member: &str, constraint: impl std::fmt::Display) -> IamError {
        IamError::Validation(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    /// There is no such user.
    #[must_use]
    pub fn no_user(name: &str) -> IamError {
        IamError::NoSuchEntity(format!("The user with name {name} cannot be found."))
    }

    /// There is no such role.
    #[must_use]
    pub fn no_role(name: &str) -> IamError {
        IamError::NoSuchEntity(format!("The role with name {name} cannot be found."))
    }

    /// There is no such policy.
    #[must_use]
    pub fn no_policy(arn: &str) -> IamError {
        IamError::NoSuchEntity(format!("Policy {arn} was not found."))
    }

    /// There is no such OIDC provider.
    #[must_use]
    pub fn no_provider(arn: &str) -> IamError {
        IamError::NoSuchEntity(format!("OpenIDConnect Provider not found for arn {arn}"))
    }

    pub(super) fn quota(of: &str, max: usize) -> IamError {
        IamError::LimitExceeded(format!("Cannot exceed quota for {of}: {max}"))
    }
}
