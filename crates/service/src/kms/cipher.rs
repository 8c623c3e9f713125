//! What a key seals by itself: small texts with an encryption context, and the keys of bodies.
//!
//! A ciphertext names its key and the key's material, so that it opens without being told either: a version, the key's ID, the
//! number of the material, a nonce, and what AES-256-GCM makes. All of it is authenticated, with the encryption context.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::aead::{Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce};
use tidelock_core::{
    BlobId,
    kms::{KmsError, KmsKey},
};
use zeroize::Zeroizing;

use super::Kms;
use crate::{Service, World};

/// An encryption context: what must be said again to decrypt.
type Context = BTreeMap<String, String>;

const FORMAT: u8 = 1;

/// The format, the ID and the material's number.
const HEAD_BYTES: usize = 1 + 16 + 4;

/// What a ciphertext is of: so that the key of a body is no text that anybody may have decrypted.
enum What<'a> {
    Text(&'a Context),
    BodyKey(BlobId),
}

impl What<'_> {
    /// What is authenticated beside the text: lengths first, so that no two contexts come to the same.
    fn bound_to(&self, head: &[u8]) -> Vec<u8> {
        let mut bound = head.to_vec();
        match self {
            What::Text(context) => {
                bound.push(b't');
                for text in context.iter().flat_map(|(name, value)| [name, value]) {
                    bound.extend_from_slice(&(text.len() as u64).to_be_bytes());
                    bound.extend_from_slice(text.as_bytes());
                }
            }
            What::BodyKey(blob) => {
                bound.push(b'b');
                bound.extend_from_slice(&blob.0);
            }
        }
        bound
    }
}

impl Kms {
    /// The key under which something was encrypted, which says so.
    ///
    /// # Errors
    /// [`KmsError::InvalidCiphertext`]; [`KmsError::AccessDenied`], in AWS's words, when the key is gone.
    pub fn key_of(&self, ciphertext: &[u8]) -> Result<&Arc<KmsKey>, KmsError> {
        let head = ciphertext.first_chunk::<HEAD_BYTES>();
        let head = head
            .filter(|head| head[0] == FORMAT)
            .ok_or(KmsError::InvalidCiphertext)?;
        self.keys.get(&id_of(&head[1..17])).ok_or_else(|| {
            KmsError::AccessDenied(
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or \
                 you are not allowed to access."
                    .to_owned(),
            )
        })
    }

    /// Decrypts a text, provided that its key can be used now.
    ///
    /// # Errors
    /// [`KmsError::InvalidCiphertext`], [`KmsError::Disabled`], [`KmsError::InvalidState`].
    pub fn decrypt(&self, ciphertext: &[u8], context: &Context) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.key_of(ciphertext)?.check_usable()?;
        self.open(ciphertext, &What::Text(context))
    }

    pub(crate) fn seal_body_key(
        &self,
        id: &str,
        blob: BlobId,
        key: &[u8],
        world: &dyn World,
    ) -> Result<Vec<u8>, KmsError> {
        let kms_key = self.usable(id)?;
        self.seal(&kms_key, &What::BodyKey(blob), key, world)
    }

    pub(crate) fn open_body_key(
        &self,
        key: &KmsKey,
        blob: BlobId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        match self.key_of(sealed) {
            Ok(other) if other.id == key.id => self.open(sealed, &What::BodyKey(blob)),
            _ => Err(KmsError::InvalidCiphertext),
        }
    }

    fn seal(
        &self,
        key: &KmsKey,
        what: &What<'_>,
        plain: &[u8],
        world: &dyn World,
    ) -> Result<Vec<u8>, KmsError> {
        let opened = self.opened.get(&key.id);
        let newest = opened.and_then(|opened| opened.materials.last_key_value());
        let (number, material) = newest.ok_or(KmsError::InvalidCiphertext)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + NONCE_LEN + plain.len() + MAX_TAG_LEN);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&hex::decode(key.id.replace('-', "")).unwrap_or_default());
        sealed.extend_from_slice(&number.to_be_bytes());
        let bound = what.bound_to(&sealed);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&world.random()[..NONCE_LEN]);
        sealed.extend_from_slice(&nonce);
        let mut text = plain.to_vec();
        material
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut text)
            .expect("a text is far shorter than what AES-GCM can seal");
        sealed.append(&mut text);
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8], what: &What<'_>) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let wrong = || KmsError::InvalidCiphertext;
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES).ok_or_else(wrong)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let material = self.material(head).ok_or_else(wrong)?;
        let mut opened = Zeroizing::new(text.to_vec());
        let (nonce, bound) = (
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(what.bound_to(head)),
        );
        let length = material
            .open_in_place(nonce, bound, &mut opened)
            .map_err(|_| wrong())?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    fn material(&self, head: &[u8]) -> Option<&LessSafeKey> {
        let number = u32::from_be_bytes(*head.last_chunk()?);
        self.opened.get(&id_of(head.get(1..17)?))?.materials.get(&number)
    }
}

impl Service {
    /// Encrypts a text under a key, provided that the key can be used now.
    ///
    /// # Errors
    /// [`KmsError::Disabled`], [`KmsError::InvalidState`].
    pub fn encrypt(
        &self,
        kms: &Kms,
        key: &KmsKey,
        plain: &[u8],
        context: &Context,
    ) -> Result<Vec<u8>, KmsError> {
        key.check_usable()?;
        kms.seal(key, &What::Text(context), plain, &*self.world)
    }
}

/// The ID whose bytes these are.
fn id_of(bytes: &[u8]) -> String {
    let hex = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use tidelock_core::{
        Time,
        kms::{Command, NewKey, change},
    };

    use super::*;
    use crate::{keys::aead_key, kms::Opened};

    struct Dice;

    impl World for Dice {
        fn now(&self) -> Time {
            Time(0)
        }

        fn random(&self) -> [u8; 16] {
            [7; 16]
        }
    }

    const ID: &str = "01234567-89ab-4def-8123-456789abcdef";

    fn with_a_key() -> Kms {
        let mut kms = Kms::default();
        let new = NewKey {
            id: ID.to_owned(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            description: String::new(),
            policy: None,
            tags: BTreeMap::new(),
            sealed: String::new(),
        };
        let made = change(&kms.keys, &Command::Create(new), Time(0)).unwrap();
        let opened = Opened {
            materials: BTreeMap::from([(1, aead_key(&[1; 32]))]),
            policy: None,
        };
        kms = kms.after(&made, vec![Arc::new(opened)]);
        kms
    }

    #[test]
    fn the_key_of_a_body_is_no_text_that_is_decrypted_and_opens_in_its_place_only() {
        let kms = with_a_key();
        let (place, other) = (BlobId([1; 16]), BlobId([2; 16]));
        let sealed = kms.seal_body_key(ID, place, &[3; 32], &Dice).unwrap();
        let key = Arc::clone(kms.key_of(&sealed).unwrap());
        assert_eq!(*kms.open_body_key(&key, place, &sealed).unwrap(), [3; 32]);
        assert!(kms.open_body_key(&key, other, &sealed).is_err());
        assert_eq!(
            kms.decrypt(&sealed, &Context::new()),
            Err(KmsError::InvalidCiphertext)
        );
        let text = kms
            .seal(&key, &What::Text(&Context::new()), &[3; 32], &Dice)
            .unwrap();
        assert!(kms.open_body_key(&key, place, &text).is_err());
    }
}
