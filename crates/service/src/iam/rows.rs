//! The rows of the directory: `a|ACCOUNT|KIND|NAME`, the name as it is looked up.

use std::ops::Range;

use bytes::Bytes;
use tidelock_core::iam::{Entity, EntityKind};

use crate::{
    Error,
    rows::{decode, encode, space},
};

/// All of them.
pub(super) fn all() -> Range<Vec<u8>> {
    space(b'a')
}

/// The row of what has this kind and key in this account.
pub(super) fn name(account: &str, kind: EntityKind, key: &str) -> Vec<u8> {
    [b"a", account.as_bytes(), word(kind).as_bytes(), key.as_bytes()].join(&0)
}

/// A row and what it holds.
pub(super) fn write(account: &str, entity: &Entity) -> (Vec<u8>, Bytes) {
    let value = match entity {
        Entity::Account(account) => encode(account),
        Entity::User(user) => encode(user),
        Entity::Role(role) => encode(role),
        Entity::Policy(policy) => encode(policy),
        Entity::Provider(provider) => encode(provider),
    };
    (name(account, entity.kind(), &entity.key()), value)
}

/// The account of a row, and what it holds.
pub(super) fn read<'a>(row: &'a [u8], value: &[u8]) -> Result<(&'a str, Entity), Error> {
    let mut parts = row.splitn(4, |byte| *byte == 0).skip(1);
    let mut next = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (account, kind) = (next().unwrap_or_default(), next().unwrap_or_default());
    let entity = match kind {
        "account" => Entity::Account(decode(row, value)?),
        "user" => Entity::User(decode(row, value)?),
        "role" => Entity::Role(decode(row, value)?),
        "policy" => Entity::Policy(decode(row, value)?),
        "provider" => Entity::Provider(decode(row, value)?),
        _ => return Err(Error::corrupt(row, "the directory has no such kind of row")),
    };
    Ok((account, entity))
}

fn word(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Account => "account",
        EntityKind::User => "user",
        EntityKind::Role => "role",
        EntityKind::Policy => "policy",
        EntityKind::Provider => "provider",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidelock_core::{Time, iam::OidcProvider};

    use super::*;

    #[test]
    fn what_is_written_is_read_back_with_its_account() {
        let provider = Entity::Provider(OidcProvider {
            url: "issuer.example/a".to_owned(),
            client_ids: vec!["sts.amazonaws.com".to_owned()],
            thumbprints: Vec::new(),
            tags: Default::default(),
            created: Time(7),
        });
        let (row, value) = write("123456789012", &provider);
        assert!(all().contains(&row));
        assert_eq!(read(&row, &value).unwrap(), ("123456789012", provider));
        assert!(read(b"a\x00123456789012\0group\0x", &value).is_err());
    }
}
