//! One stored body of an object, or the marker that says it was deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Caller, LockId, StateHeader, Time, object_lock::Protection};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Box<Writer>>,
    /// Since when it is history alone: overwritten or deleted as far as S3's rules go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Time>,
    /// Which one it is among the plain states of its address, from 1; they are stored as what differs from one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
}

impl Version {
    /// The lock it was written under.
    #[must_use]
    pub fn lock(&self) -> Option<&WriterLock> {
        self.writer.as_ref()?.lock.as_ref()
    }

    /// Whether Object Lock keeps it from being deleted now; `bypass`: also by who may end governance.
    #[must_use]
    pub fn is_protected(&self, now: Time, bypass: bool) -> bool {
        let body = self.body.as_ref();
        body.is_some_and(|body| body.content.protection.holds(now, bypass))
    }

    /// Whether it is a state, and so is kept whatever becomes of the object.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.state.is_some())
    }
}

/// Who wrote a version, and under which lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Writer {
    /// Who.
    pub caller: Caller,
    /// The lock it held; `None` for a write without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<WriterLock>,
}

/// The lock that a version was written under, as its holder described it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WriterLock {
    /// Its ID.
    pub id: LockId,
    /// `OperationTypeApply`, `rollback`, …
    pub operation: String,
    /// `user@host`.
    pub who: String,
    /// The fence it was granted under.
    pub fence: u64,
}

/// Where a version's bytes are and what is known of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Body {
    /// How the bytes lie in the engine.
    pub stored: Stored,
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

/// How a body's bytes lie in the engine: compressed, and sealed under a key of its own. The rules never look inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stored {
    /// The blob that holds the sealed pieces, one behind the other.
    pub blob: BlobId,
    /// The length of each sealed piece, in bytes.
    pub pieces: Vec<u32>,
    /// The number of the version at the same address that this is what differs from; `None` when it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// The key, itself sealed.
    pub key: SealedKey,
}

impl Stored {
    /// Its length in the engine, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|length| u64::from(*length)).sum()
    }
}

/// The key of one body, sealed under a root key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealedKey {
    /// Which root key, by its ID.
    pub root: String,
    /// Nonce, sealed key and tag, in Base64.
    pub sealed: String,
    /// The KMS key, by its ID, that the key was sealed under before; so that a new root key concerns the outer seal alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<String>,
}

/// What a writer said about a body; the rules never look inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// Response headers to give back, lower-case names: content type, user metadata, checksums, encryption.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Object tags; may change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What keeps it from being deleted; may change too.
    #[serde(default, skip_serializing_if = "Protection::is_none")]
    pub protection: Protection,
}
