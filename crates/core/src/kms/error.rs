//! What can go wrong with keys, in AWS's own names and words.

/// Why something was not done. The message is what AWS says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// There is no such key or alias.
    #[error("{0}")]
    NotFound(String),
    /// The key is disabled.
    #[error("{0}")]
    Disabled(String),
    /// The key's state does not allow it.
    #[error("{0}")]
    InvalidState(String),
    /// The alias exists already.
    #[error("{0}")]
    AlreadyExists(String),
    /// There are as many as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// The policy is none, or locks its owner out.
    #[error("{0}")]
    MalformedPolicy(String),
    /// The name of an alias is not one.
    #[error("{0}")]
    InvalidAlias(String),
    /// An ARN is not that of a key.
    #[error("{0}")]
    InvalidArn(String),
    /// A tag is not one.
    #[error("{0}")]
    Tag(String),
    /// This is not done with keys of this kind.
    #[error("{0}")]
    Unsupported(String),
    /// A value is out of its bounds.
    #[error("{0}")]
    Validation(String),
    /// What is to be decrypted was not encrypted here, or not with this encryption context.
    #[error("")]
    InvalidCiphertext,
    /// What is to be decrypted was encrypted with another key than the one that is named.
    #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
    IncorrectKey,
    /// Nobody may do that with a key of AWS's.
    #[error("{0}")]
    AccessDenied(String),
}

impl KmsError {
    /// AWS's name of it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            KmsError::NotFound(_) => "NotFoundException",
            KmsError::Disabled(_) => "DisabledException",
            KmsError::InvalidState(_) => "KMSInvalidStateException",
            KmsError::AlreadyExists(_) => "AlreadyExistsException",
            KmsError::LimitExceeded(_) => "LimitExceededException",
            KmsError::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            KmsError::InvalidAlias(_) => "InvalidAliasNameException",
            KmsError::InvalidArn(_) => "InvalidArnException",
            KmsError::Tag(_) => "TagException",
            KmsError::Unsupported(_) => "UnsupportedOperationException",
            KmsError::Validation(_) => "ValidationException",
            KmsError::InvalidCiphertext => "InvalidCiphertextException",
            KmsError::IncorrectKey => "IncorrectKeyException",
            KmsError::AccessDenied(_) => "AccessDeniedException",
        }
    }
}
