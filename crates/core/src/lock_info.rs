//! Terraform's LockInfo: who holds a lock, as the client that took it wrote it down.
//!
//! Source of the fields: `internal/states/statemgr/locker.go` of Terraform and OpenTofu. The text is kept byte for
//! byte, because OpenTofu deletes a lock item only if `Info` is exactly what it wrote.

use serde::{Deserialize, Serialize};

use crate::limits::{LOCK_ID_BYTES_MAX, LOCK_INFO_BYTES_MAX};

/// The ID of one lock: a UUID where Terraform made it, any short text otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockId(String);

impl LockId {
    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for LockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for LockId {
    type Error = LockInfoError;

    fn try_from(id: &str) -> Result<LockId, LockInfoError> {
        if id.is_empty() || id.len() > LOCK_ID_BYTES_MAX {
            return Err(LockInfoError::Id);
        }
        Ok(LockId(id.to_owned()))
    }
}

/// The fields of a lock info that people are shown; whatever else it says stays in the text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LockInfo {
    /// The lock's ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// `OperationTypeApply`, `OperationTypePlan`, `init`, …
    #[serde(default)]
    pub operation: String,
    /// `user@host`.
    #[serde(default)]
    pub who: String,
    /// The client's version.
    #[serde(default)]
    pub version: String,
    /// When the client says it took the lock, RFC 3339.
    #[serde(default)]
    pub created: String,
    /// The state's path as the client knows it.
    #[serde(default)]
    pub path: String,
}

/// Why a text is not a lock info.
#[derive(Debug, thiserror::Error)]
pub enum LockInfoError {
    /// Longer than [`LOCK_INFO_BYTES_MAX`].
    #[error("a lock info is at most {LOCK_INFO_BYTES_MAX} bytes")]
    TooLong,
    /// The `ID` is missing, empty or longer than [`LOCK_ID_BYTES_MAX`].
    #[error("a lock info needs an ID of 1 to {LOCK_ID_BYTES_MAX} bytes")]
    Id,
    /// Not a JSON object, of which serde would take an array for the fields in their order.
    #[error("this is not Terraform's lock info: it is no JSON object")]
    NoObject,
    /// Not the JSON object that Terraform writes.
    #[error("this is not Terraform's lock info: {0}")]
    Json(#[from] serde_json::Error),
}

impl LockInfo {
    /// Reads a lock info, and its ID as the lock knows it.
    ///
    /// # Errors
    /// When the text is too long, is not JSON of that form, or names no usable ID.
    pub fn parse(text: &[u8]) -> Result<(LockInfo, LockId), LockInfoError> {
        if text.len() > LOCK_INFO_BYTES_MAX {
            return Err(LockInfoError::TooLong);
        }
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(LockInfoError::NoObject);
        }
        let info: LockInfo = serde_json::from_slice(text)?;
        let id = LockId::try_from(info.id.as_str())?;
        Ok((info, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = r#"{"ID":"1f0a","Operation":"OperationTypeApply","Info":"","Who":"ann@ci","Version":"1.11.4","Created":"2026-11-21T08:00:00Z","Path":"tfstate/app"}"#;

    #[test]
    fn terraforms_own_text_is_read() {
        let (info, id) = LockInfo::parse(INFO.as_bytes()).unwrap();
        assert_eq!(
            (id.as_str(), info.who.as_str(), info.path.as_str()),
            ("1f0a", "ann@ci", "tfstate/app")
        );
    }

    #[test]
    fn what_names_no_lock_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"ID":""}"#,
            r#"{"ID":7}"#,
            "[]",
            r#"["1f0a","OperationTypeApply"]"#,
            "null",
            &format!(r#"{{"ID":"{}"}}"#, "x".repeat(257)),
        ] {
            assert!(LockInfo::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
