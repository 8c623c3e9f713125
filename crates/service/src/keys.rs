//! Root keys, and the keys of bodies that they seal.
//!
//! Every stored body has a key of its own, drawn when it is stored and kept beside it, sealed under the root key. A new root
//! key therefore costs some hundred bytes a body, not the bodies. Where S3 names a KMS key, the body's key is sealed under that
//! one first. AES-256-GCM throughout, by aws-lc-rs.

use std::sync::Arc;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use tidelock_core::{BlobId, SealedKey, Version, kms::KmsError};
use zeroize::Zeroizing;

use crate::{Error, Service, World, kms::Kms};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// A key that seals the keys of bodies. Debug does not show it.
#[derive(Clone)]
pub struct RootKey {
    id: String,
    key: Arc<LessSafeKey>,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKey({})", self.id)
    }
}

impl RootKey {
    /// A root key of these bytes, which must be random.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> RootKey {
        let mut named = digest::Context::new(&digest::SHA256);
        named.update(b"tidelock root key id");
        named.update(bytes);
        RootKey {
            id: hex::encode(&named.finish().as_ref()[..8]),
            key: Arc::new(aead_key(bytes)),
        }
    }

    /// Its name, which tells nothing of it: 16 hexadecimal characters.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The root key that seals now, and those whose work is still about.
#[derive(Clone, Debug)]
pub struct RootKeys {
    /// What is stored from now on is sealed under this one.
    pub current: RootKey,
    /// What was stored before may need one of these.
    pub former: Vec<RootKey>,
}

impl From<RootKey> for RootKeys {
    fn from(current: RootKey) -> RootKeys {
        RootKeys {
            current,
            former: Vec::new(),
        }
    }
}

impl RootKeys {
    /// The one of this ID.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&RootKey> {
        std::iter::once(&self.current)
            .chain(&self.former)
            .find(|key| key.id == id)
    }
}

/// Why what is stored could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// None of the root keys is the one that is needed.
    #[error(
        "it is sealed under root key {0}, which this server does not have; put that key back from a backup, on a line behind the current one"
    )]
    NoRootKey(String),
    /// The bytes are not those that were sealed.
    #[error("{0}")]
    Damaged(&'static str),
    /// The KMS key under which it is sealed cannot be used.
    #[error(transparent)]
    Kms(KmsError),
}

/// All that stored bodies are sealed and opened with, as it is at one moment.
#[derive(Clone)]
pub(crate) struct Ring {
    pub(crate) roots: Arc<RootKeys>,
    pub(crate) kms: Arc<Kms>,
}

impl Service {
    /// What stored bodies are sealed and opened with, as it is now: never kept for another body.
    pub(crate) async fn ring(&self) -> Result<Ring, Error> {
        Ok(Ring {
            kms: self.kms().await?,
            roots: self.keys(),
        })
    }
}

/// The key of one stored body.
pub(crate) struct BodyKey {
    key: LessSafeKey,
    blob: BlobId,
}

impl BodyKey {
    /// A new one for what will be stored as `blob`, and its sealed form: under this KMS key, if one is named.
    pub(crate) fn draw(
        ring: &Ring,
        kms: Option<&str>,
        blob: BlobId,
        world: &dyn World,
    ) -> Result<(BodyKey, SealedKey), KmsError> {
        let bytes = draw(world);
        let key = BodyKey {
            key: aead_key(&bytes),
            blob,
        };
        let Some(id) = kms else {
            return Ok((key, wrap(&ring.roots.current, blob, &bytes[..], world)));
        };
        let inner = ring.kms.seal_body_key(id, blob, &bytes[..], world)?;
        let mut sealed = wrap(&ring.roots.current, blob, &inner, world);
        sealed.kms = Some(id.to_owned());
        Ok((key, sealed))
    }

    /// The key of a stored body.
    pub(crate) fn open(ring: &Ring, blob: BlobId, sealed: &SealedKey) -> Result<BodyKey, OpenError> {
        // First, so that who may not read it learns nothing else.
        let inner = match &sealed.kms {
            Some(id) => Some(ring.kms.usable(id).map_err(OpenError::Kms)?),
            None => None,
        };
        let mut bytes = unwrap_any(&ring.roots, blob, sealed)?;
        if let Some(key) = inner {
            bytes = ring
                .kms
                .open_body_key(&key, blob, &bytes)
                .map_err(OpenError::Kms)?;
        }
        let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| NOT_ITS_KEY)?;
        Ok(BodyKey {
            key: aead_key(bytes),
            blob,
        })
    }

    /// Seals a piece in place. Which one of how many it is cannot be changed either.
    pub(crate) fn seal(&self, piece: u32, of: u32, bytes: &mut Vec<u8>) {
        let aad = Aad::from(self.place(piece, of));
        self.key
            .seal_in_place_append_tag(nonce(piece), aad, bytes)
            .expect("a piece is far shorter than what AES-GCM can seal");
    }

    /// Opens a piece in place; what comes back is its first bytes.
    pub(crate) fn unseal<'a>(&self, piece: u32, of: u32, bytes: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
        let aad = Aad::from(self.place(piece, of));
        match self.key.open_in_place(nonce(piece), aad, bytes) {
            Ok(opened) => Ok(opened),
            Err(_) => Err(OpenError::Damaged("its bytes are not those that were stored")),
        }
    }

    fn place(&self, piece: u32, of: u32) -> [u8; 24] {
        let mut place = [0; 24];
        place[..16].copy_from_slice(&self.blob.0);
        place[16..20].copy_from_slice(&piece.to_be_bytes());
        place[20..].copy_from_slice(&of.to_be_bytes());
        place
    }
}

/// Draws a key.
pub(crate) fn draw(world: &dyn World) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for half in bytes.chunks_mut(16) {
        half.copy_from_slice(&Zeroizing::new(world.random())[..]);
    }
    bytes
}

/// Seals the key of a stored body under the current root key; `false` when it is under that one already.
pub(crate) fn rewrap(
    roots: &RootKeys,
    blob: BlobId,
    key: &mut SealedKey,
    world: &dyn World,
) -> Result<bool, OpenError> {
    if key.root == roots.current.id {
        return Ok(false);
    }
    let bytes = unwrap_any(roots, blob, key)?;
    *key = SealedKey {
        kms: key.kms.take(),
        ..wrap(&roots.current, blob, &bytes, world)
    };
    Ok(true)
}

/// The same for a version's body. One that cannot be opened stays as it is: whoever reads it, or rotates, will say so.
pub(crate) fn rewrap_version(roots: &RootKeys, version: &mut Version, world: &dyn World) {
    if let Some(body) = &mut version.body {
        let _ = rewrap(roots, body.stored.blob, &mut body.stored.key, world);
    }
}

/// Bytes with something in them that is sealed under the current root key, on their way to the engine. They hold the keys as
/// long as they are: so a rotation sees whether anybody may still commit what is under a former one.
pub(crate) fn uncommitted(bytes: Bytes, roots: &Arc<RootKeys>) -> Bytes {
    Bytes::from_owner(Uncommitted {
        bytes,
        _roots: Arc::clone(roots),
    })
}

struct Uncommitted {
    bytes: Bytes,
    _roots: Arc<RootKeys>,
}

impl AsRef<[u8]> for Uncommitted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Seals the key of a body.
pub(crate) fn wrap(root: &RootKey, blob: BlobId, bytes: &[u8], world: &dyn World) -> SealedKey {
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&world.random()[..NONCE_LEN]);
    let mut sealed = Vec::with_capacity(bytes.len() + MAX_TAG_LEN);
    sealed.extend_from_slice(bytes);
    root.key
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(blob.0),
            &mut sealed,
        )
        .expect("a key is far shorter than what AES-GCM can seal");
    SealedKey {
        root: root.id.clone(),
        sealed: STANDARD.encode([&nonce[..], &sealed].concat()),
        kms: None,
    }
}

const NOT_ITS_KEY: OpenError = OpenError::Damaged("its sealed key is not the one that was stored");

/// Opens a key that was sealed under the root key alone.
pub(crate) fn unwrap(
    roots: &RootKeys,
    blob: BlobId,
    sealed: &SealedKey,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, OpenError> {
    let opened = unwrap_any(roots, blob, sealed)?;
    let opened: &[u8; KEY_BYTES] = opened.as_slice().try_into().map_err(|_| NOT_ITS_KEY)?;
    Ok(Zeroizing::new(*opened))
}

/// Opens what is sealed under the root key: a key, or one that is sealed under a KMS key too.
fn unwrap_any(roots: &RootKeys, blob: BlobId, sealed: &SealedKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let root = roots.find(&sealed.root);
    let root = root.ok_or_else(|| OpenError::NoRootKey(sealed.root.clone()))?;
    let bytes = STANDARD.decode(&sealed.sealed).map_err(|_| NOT_ITS_KEY)?;
    let (nonce, sealed) = bytes.split_first_chunk().ok_or(NOT_ITS_KEY)?;
    let mut opened = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = root
        .key
        .open_in_place(nonce, Aad::from(blob.0), &mut opened)
        .map_err(|_| NOT_ITS_KEY)?
        .len();
    opened.truncate(length);
    Ok(opened)
}

/// Every piece of a body has its number as its nonce: the key seals nothing else.
fn nonce(piece: u32) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..4].copy_from_slice(&piece.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

pub(crate) fn aead_key(bytes: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("an AES-256 key has 32 bytes"))
}
