//! The key pair that a client signs with, kept in AWS's own file format so that any tool can read it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use tidelock_operator::{ini, keys::Keys};
use zeroize::Zeroizing;

use crate::world;

const SECTION: &str = "tidelock";
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
/// AWS's prefix of a long-lived access key.
const ID_PREFIX: &str = "AKIA";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An access key. Has no `Debug`: the secret must not reach a log.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Zeroizing<String>,
}

impl Credentials {
    /// A new pair, of AWS's lengths: 20 characters and 40, the latter safe in shells and URLs.
    pub(crate) fn generate() -> Self {
        let digits = world::random::<16>().map(|byte| char::from(BASE32[usize::from(byte % 32)]));
        let secret = Zeroizing::new(world::random::<30>());
        Self {
            access_key_id: ID_PREFIX.chars().chain(digits).collect(),
            secret_access_key: Zeroizing::new(URL_SAFE.encode(*secret)),
        }
    }

    /// Reads the section `[tidelock]`; the message names what is missing.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| {
            ini::value(text, SECTION, key).ok_or_else(|| {
                format!("no {key} in [{SECTION}]; put it back, or delete the file for a new pair")
            })
        };
        Ok(Self {
            access_key_id: value(ID)?.to_owned(),
            secret_access_key: Zeroizing::new(value(SECRET)?.to_owned()),
        })
    }

    /// The file's text.
    pub(crate) fn to_ini(&self) -> Zeroizing<String> {
        let (id, secret) = (&self.access_key_id, self.secret_access_key.as_str());
        Zeroizing::new(format!("[{SECTION}]\n{ID} = {id}\n{SECRET} = {secret}\n"))
    }
}

impl From<Keys> for Credentials {
    /// Tidelock's own keys have no session.
    fn from(keys: Keys) -> Self {
        Self {
            access_key_id: keys.access_key_id,
            secret_access_key: Zeroizing::new(keys.secret_access_key),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_pair_looks_like_awss_and_reads_back() {
        let made = Credentials::generate();
        assert_eq!((made.access_key_id.len(), made.secret_access_key.len()), (20, 40));
        assert!(made.access_key_id.starts_with("AKIA"));
        let read = Credentials::parse(&made.to_ini()).unwrap();
        assert_eq!(read.access_key_id, made.access_key_id);
        assert_eq!(*read.secret_access_key, *made.secret_access_key);
        assert_ne!(
            *made.secret_access_key,
            *Credentials::generate().secret_access_key
        );
    }

    #[test]
    fn a_file_without_a_secret_is_refused_and_not_shown() {
        let why = Credentials::parse("[tidelock]\naws_access_key_id = AKIAX\n")
            .err()
            .unwrap();
        assert!(why.contains(SECRET) && !why.contains("AKIAX"));
    }
}
