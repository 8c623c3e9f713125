//! What is kept sealed in rows and is no body: the secrets of access keys, the material of KMS keys, what session tokens carry.
//!
//! All of it is under one vault key, drawn once and kept in a row of its own, sealed under the root key. That row is
//! rewritten in the batch that brings a new root key; tokens that are out in the world stay good. AES-256-GCM, by aws-lc-rs.

use aws_lc_rs::aead::{Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tidelock_core::{BlobId, SealedKey};
use tidelock_engine::{Batch, Expect};
use zeroize::Zeroizing;

use crate::{
    Error, RootKeys, Service, World,
    keys::{self, KEY_BYTES},
    rows,
};

/// The vault's key is sealed as that of a body is; this stands for the body's blob, and none has it: they are drawn.
const BLOB: BlobId = BlobId(*b"tidelock's vault");

/// The row of the vault's key.
#[derive(Serialize, Deserialize)]
struct VaultRow {
    key: SealedKey,
}

/// What is sealed is not what was sealed for this purpose here.
#[derive(Debug, thiserror::Error)]
#[error("what is sealed for {purpose} cannot be opened: it was changed, or sealed for something else")]
pub struct VaultError {
    purpose: String,
}

/// Seals and opens small secrets.
pub struct Vault {
    key: LessSafeKey,
}

impl Vault {
    /// Seals `plain`. It opens for the same `purpose` only, which so names what it belongs to. Base64.
    pub fn seal(&self, world: &dyn World, purpose: &str, plain: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&world.random()[..NONCE_LEN]);
        let mut sealed = Vec::with_capacity(plain.len() + MAX_TAG_LEN);
        sealed.extend_from_slice(plain);
        let aad = Aad::from(purpose.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("a secret is far shorter than what AES-GCM can seal");
        STANDARD.encode([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for `purpose`.
    ///
    /// # Errors
    /// [`VaultError`] for anything else.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let wrong = || VaultError {
            purpose: purpose.to_owned(),
        };
        let bytes = STANDARD.decode(sealed).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let (nonce, aad) = (
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(purpose.as_bytes()),
        );
        let length = self
            .key
            .open_in_place(nonce, aad, &mut opened)
            .map_err(|_| wrong())?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

impl Service {
    /// Seals a small secret, as [`Vault::seal`].
    ///
    /// # Errors
    /// When there is no vault to be had.
    pub async fn seal_secret(&self, purpose: &str, plain: &[u8]) -> Result<String, Error> {
        Ok(self.vault().await?.seal(&*self.world, purpose, plain))
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// When there is no vault to be had, or it is not what was sealed.
    pub async fn open_secret(&self, purpose: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let opened = self.vault().await?.open(purpose, sealed);
        opened.map_err(|why| Error::corrupt(&rows::vault(), why))
    }

    /// The vault. Its key is drawn when it is first asked for.
    ///
    /// # Errors
    /// When the engine fails, or the key cannot be opened.
    pub async fn vault(&self) -> Result<&Vault, Error> {
        self.vault.get_or_try_init(|| self.open_vault()).await
    }

    /// Adds to a batch that the vault's key is sealed under the current one of `roots`.
    pub(crate) async fn vault_under(&self, roots: &RootKeys, batch: &mut Batch) -> Result<(), Error> {
        let row = rows::vault();
        let Some(entry) = self.engine.get(&row).await? else {
            return Ok(());
        };
        let mut sealed: VaultRow = rows::decode(&row, &entry.value)?;
        let anew = keys::rewrap(roots, BLOB, &mut sealed.key, &*self.world);
        anew.map_err(|why| Error::corrupt(&row, why))?;
        batch.checks.push((row.clone(), Expect::At(entry.revision)));
        batch.puts.push((row, rows::encode(&sealed)));
        Ok(())
    }

    async fn open_vault(&self) -> Result<Vault, Error> {
        let row = rows::vault();
        let (roots, world) = (self.keys(), &*self.world);
        let bytes = match self.engine.get(&row).await? {
            Some(entry) => {
                let sealed: VaultRow = rows::decode(&row, &entry.value)?;
                keys::unwrap(&roots, BLOB, &sealed.key).map_err(|why| Error::corrupt(&row, why))?
            }
            None => {
                let bytes = keys::draw(world);
                let key = keys::wrap(&roots.current, BLOB, &bytes[..], world);
                let batch = Batch {
                    checks: vec![(row.clone(), Expect::Absent)],
                    puts: vec![(row, rows::encode(&VaultRow { key }))],
                    ..Batch::default()
                };
                if !self.commit(batch).await? {
                    return Err(Error::Busy("the vault's key".to_owned()));
                }
                bytes
            }
        };
        Ok(Vault::of(&bytes))
    }
}

impl Vault {
    fn of(bytes: &[u8; KEY_BYTES]) -> Vault {
        Vault {
            key: keys::aead_key(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidelock_core::Time;

    use super::*;

    struct Dice;

    impl World for Dice {
        fn now(&self) -> Time {
            Time(0)
        }

        fn random(&self) -> [u8; 16] {
            [7; 16]
        }
    }

    #[test]
    fn a_secret_opens_for_its_own_purpose_and_unchanged_only() {
        let vault = Vault::of(&[1; KEY_BYTES]);
        let sealed = vault.seal(&Dice, "access-key A", b"secret");
        assert_eq!(*vault.open("access-key A", &sealed).unwrap(), b"secret");
        assert!(vault.open("access-key B", &sealed).is_err());
        assert!(Vault::of(&[2; KEY_BYTES]).open("access-key A", &sealed).is_err());
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(
                vault.open("access-key A", &STANDARD.encode(&bytes)).is_err(),
                "{at}"
            );
            bytes[at] ^= 1;
        }
        for short in ["", "AAAA", "no base64!"] {
            assert!(vault.open("access-key A", short).is_err(), "{short}");
        }
    }
}
