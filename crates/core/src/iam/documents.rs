//! What a policy must be to be taken: of a size, of the grammar, and about principals that exist.

use super::{Directory, IamError, principals::resolve_principals};
use crate::{
    limits::{IAM_DOCUMENT_CHARS_MAX, IAM_TRUST_CHARS_MAX},
    policy::{Kind, Policy},
};

/// The characters of a document that count towards a limit: AWS leaves white space out.
pub(super) fn counted(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// Refuses what is no policy of identities.
pub(super) fn check_identity(document: &str) -> Result<(), IamError> {
    check(document, Kind::Identity)
}

/// Refuses what is no trust policy, or trusts somebody who does not exist. What comes back is to be kept.
pub(super) fn check_trust(document: &str, directory: &Directory) -> Result<String, IamError> {
    check(document, Kind::Trust)?;
    if counted(document) > IAM_TRUST_CHARS_MAX {
        return Err(IamError::quota("ACLSizePerRole", IAM_TRUST_CHARS_MAX));
    }
    let resolved = resolve_principals(document, directory).map_err(|unknown| {
        IamError::MalformedPolicyDocument(format!("Invalid principal in policy: \"AWS\":\"{unknown}\""))
    })?;
    Ok(resolved.unwrap_or_else(|| document.to_owned()))
}

fn check(document: &str, kind: Kind) -> Result<(), IamError> {
    if document.len() > IAM_DOCUMENT_CHARS_MAX {
        return Err(IamError::quota("PolicySize", IAM_DOCUMENT_CHARS_MAX));
    }
    let parsed = Policy::parse(document, kind);
    parsed
        .map(drop)
        .map_err(|why| IamError::MalformedPolicyDocument(why.to_string()))
}
