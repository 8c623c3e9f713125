//! One stored body of an object, or the marker that says it was deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{StateHeader, Time};

/// A version's name in S3's terms: `null`, or 32 hexadecimal characters whose first half is the sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    /// The ID that S3 gives to what was written while versioning was not enabled.
    #[must_use]
    pub fn null() -> VersionId {
        VersionId("null".to_owned())
    }

    /// A new ID. The random half keeps IDs from being guessed and from coming back.
    #[must_use]
    pub fn new(seq: u64, random: u64) -> VersionId {
        VersionId(format!("{seq:016x}{random:016x}"))
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// The sequence number inside, unless the ID is `null` or not one of ours.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        (self.0.len() == 32)
            .then(|| self.0.get(..16))
            .flatten()
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
    }

    /// The ID as clients see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for VersionId {
    fn from(text: &str) -> VersionId {
        VersionId(text.to_owned())
    }
}

impl std::fmt::Display for VersionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a blob in the engine, in hexadecimal where it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(pub [u8; 16]);

impl From<BlobId> for String {
    fn from(id: BlobId) -> String {
        hex::encode(id.0)
    }
}

impl TryFrom<String> for BlobId {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<BlobId, hex::FromHexError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(BlobId(id))
    }
}

/// A bucket's versioning, as S3 knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never enabled: a write replaces what was there.
    #[default]
    Unversioned,
    /// Every write adds a version.
    Enabled,
    /// Writes replace the `null` version, older versions stay.
    Suspended,
}

/// One immutable version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Its name in S3's terms.
    pub id: VersionId,
    /// Its place in the address's history; grows with every write.
    pub seq: u64,
    /// When it was written.
    pub written: Time,
    /// The body; `None` for a delete marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// Where a version's bytes are and what is known of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Body {
    /// The blob that holds the bytes.
    pub blob: BlobId,
    /// Length in bytes.
    pub size: u64,
    /// MD5 of the bytes, in hexadecimal: the digest that Terraform keeps beside its table lock.
    pub md5: String,
    /// S3's ETag without quotes: the MD5, or that of the parts' MD5s with `-N`.
    pub etag: String,
    /// The header, when the bytes are a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateHeader>,
    /// What the writer said about the bytes.
    #[serde(default)]
    pub content: Content,
    /// The sizes of the parts it was uploaded in, when it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_sizes: Vec<u64>,
    /// The multipart upload that made it, so that a repeated completion is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
}

/// What a writer said about a body; the rules never look inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// Response headers to give back, lower-case names: content type, user metadata, checksums, encryption.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Object tags. The one thing of a version that may change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
