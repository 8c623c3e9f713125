//! One small sealed row that tells at the start whether the root keys are those of this store.
//!
//! Without it a server with somebody else's key would start, take writes under that, and fail on every read.

use serde::{Deserialize, Serialize};
use tidelock_core::{BlobId, SealedKey, Time};
use tidelock_engine::{Batch, Expect};

use super::KeyError;
use crate::{Error, RootKeys, Service, keys, rows};

/// It is sealed as the key of a body is; this stands for the body's blob, and none has it: they are drawn.
const NO_BLOB: BlobId = BlobId([0; 16]);

#[derive(Serialize, Deserialize)]
struct Check {
    key: SealedKey,
    /// Since when the root key is this one.
    since: Time,
}

impl Service {
    /// Fails when none of the keys opens what the newest bodies are sealed under. Remembers the current one.
    pub(super) async fn check_keys(&self) -> Result<(), KeyError> {
        let keys = self.keys();
        let Some((check, _)) = self.check_row().await? else {
            return Ok(self.put_check(&keys).await?);
        };
        if keys::unwrap(&keys, NO_BLOB, &check.key).is_err() {
            let given = std::iter::once(&keys.current).chain(&keys.former);
            return Err(KeyError::Wrong {
                needed: check.key.root,
                source_name: self.rotation.name(),
                given: given.map(|key| key.id()).collect::<Vec<_>>().join(", "),
            });
        }
        if check.key.root != keys.current.id() {
            self.put_check(&keys).await?;
        }
        Ok(())
    }

    /// Remembers the current key as the one that the newest bodies are sealed under, and seals the vault's key under it too.
    pub(super) async fn put_check(&self, keys: &RootKeys) -> Result<(), Error> {
        let expect = self
            .check_row()
            .await?
            .map_or(Expect::Absent, |(_, expect)| expect);
        let check = Check {
            key: keys::wrap(&keys.current, NO_BLOB, &[0; keys::KEY_BYTES], &*self.world),
            since: self.now(),
        };
        let row = rows::key_check();
        let mut batch = Batch {
            checks: vec![(row.clone(), expect)],
            puts: vec![(row, rows::encode(&check))],
            ..Batch::default()
        };
        self.vault_under(keys, &mut batch).await?;
        match self.commit(batch).await? {
            true => Ok(()),
            false => Err(Error::Busy("the root key".to_owned())),
        }
    }

    /// Since when the current key is the current one.
    pub(super) async fn key_since(&self) -> Result<Option<Time>, Error> {
        let check = self.check_row().await?.map(|(check, _)| check);
        Ok(check.map(|check| check.since))
    }

    async fn check_row(&self) -> Result<Option<(Check, Expect)>, Error> {
        let row = rows::key_check();
        let entry = self.engine.get(&row).await?;
        let decode = |entry: tidelock_engine::Entry| {
            Ok((rows::decode(&row, &entry.value)?, Expect::At(entry.revision)))
        };
        entry.map(decode).transpose()
    }
}
