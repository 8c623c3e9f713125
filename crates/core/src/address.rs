//! `bucket/key`, the name of one state, which is also Terraform's lock path and the table's `LockID`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{BUCKET_BYTES_MAX, BUCKET_BYTES_MIN, KEY_BYTES_MAX};

/// What a lock file's name adds to its state's key.
pub const LOCK_FILE_SUFFIX: &str = ".tflock";

/// The name of one state or object: a bucket and a key in it, both as the client wrote them, never normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    bucket: String,
    key: String,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The bucket's name is not one that S3 would take.
    #[error("the specified bucket is not valid: {0:?}")]
    Bucket(String),
    /// The key is longer than S3 allows.
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    /// The key is empty or contains a NUL character.
    #[error("the key is empty or contains a NUL character")]
    Key,
    /// There is no `/` between bucket and key.
    #[error("an address is written BUCKET/KEY")]
    NoSlash,
}

impl Address {
    /// An address from its parts.
    ///
    /// # Errors
    /// When either part is outside what S3 allows.
    pub fn new(bucket: &str, key: &str) -> Result<Address, AddressError> {
        check_bucket(bucket)?;
        if key.len() > KEY_BYTES_MAX {
            return Err(AddressError::KeyTooLong);
        }
        if key.is_empty() || key.contains('\0') {
            return Err(AddressError::Key);
        }
        Ok(Address {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// An address as Terraform writes it in `LockID`: everything before the first slash is the bucket.
    ///
    /// # Errors
    /// When there is no slash, or either part is outside what S3 allows.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (bucket, key) = text.split_once('/').ok_or(AddressError::NoSlash)?;
        Address::new(bucket, key)
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key in the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The address whose lock this name shows, when it is the name of a lock file.
    #[must_use]
    pub fn locked_by_file(&self) -> Option<Address> {
        let key = self
            .key
            .strip_suffix(LOCK_FILE_SUFFIX)
            .filter(|key| !key.is_empty())?;
        Some(Address {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
        })
    }

    /// The key of the file that shows this address's lock.
    #[must_use]
    pub fn lock_file_key(&self) -> String {
        format!("{}{LOCK_FILE_SUFFIX}", self.key)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

/// Checks a bucket's name by S3's rules for general purpose buckets.
///
/// # Errors
/// [`AddressError::Bucket`] with the name.
pub fn check_bucket(name: &str) -> Result<(), AddressError> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let fine = (BUCKET_BYTES_MIN..=BUCKET_BYTES_MAX).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && edge(name.chars().next())
        && edge(name.chars().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if fine {
        Ok(())
    } else {
        Err(AddressError::Bucket(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_written() {
        for key in ["env:/dev/a b//c", "ünï/код", "env%3A/x", " /"] {
            let address = Address::new("tfstate", key).unwrap();
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn a_lock_file_names_the_state_it_locks() {
        let file = Address::new("tfstate", "a/b.tflock").unwrap();
        assert_eq!(file.locked_by_file().unwrap().to_string(), "tfstate/a/b");
        assert_eq!(Address::new("tfstate", ".tflock").unwrap().locked_by_file(), None);
    }

    #[test]
    fn names_outside_s3s_rules_are_refused() {
        for bucket in [
            "",
            "ab",
            "Upper",
            "a..b",
            "-ab",
            "192.168.0.1",
            "a_b",
            &"x".repeat(64),
        ] {
            assert!(Address::new(bucket, "k").is_err(), "{bucket}");
        }
        assert_eq!(
            Address::new("abc", &"k".repeat(1_025)),
            Err(AddressError::KeyTooLong)
        );
        assert_eq!(Address::new("abc", "a\0b"), Err(AddressError::Key));
        assert_eq!(Address::parse("abc"), Err(AddressError::NoSlash));
    }
}
