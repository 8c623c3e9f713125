//! Which root keys there are, what each of them still seals, and how far a rotation is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidelock_core::{Time, limits::SCAN_PAGE_ROWS};

use super::holder::{Holder, SPACES};
use crate::{Error, Service, rows};

/// The root keys, as the admin door shows them. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysStatus {
    /// Where they are kept.
    pub source: String,
    /// Whether the server writes that itself.
    pub ours: bool,
    /// The keys: the current one first, then the former ones, then those that are missing.
    pub keys: Vec<KeyStatus>,
    /// The rotation that goes on, or the last one since the start.
    pub rotation: Option<RotationStatus>,
}

/// What a root key is to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// It seals what is stored from now on.
    Current,
    /// It opens what it has sealed.
    Former,
    /// Something is sealed under it, and this server does not have it.
    Missing,
}

/// One root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyStatus {
    /// Its ID, which tells nothing of it.
    pub id: String,
    /// What it is to this server.
    pub role: KeyRole,
    /// How many bodies are sealed under it.
    pub bodies: u64,
    /// Since when it is the current one.
    pub since_ms: Option<Time>,
}

/// How far a rotation is, or how it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotationStatus {
    /// When it began, or went on after a start.
    pub began_ms: Time,
    /// When it ended.
    pub ended_ms: Option<Time>,
    /// How many bodies it has looked at.
    pub checked: u64,
    /// How many of them it has sealed anew.
    pub wrapped: u64,
    /// The bodies that it could not, the first hundred, and why.
    pub failed: Vec<String>,
    /// The former keys that nothing needs any more.
    pub retired: Vec<String>,
    /// Why it stopped, if it did. The next one goes on.
    pub fault: Option<String>,
}

impl RotationStatus {
    /// Whether it goes on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended_ms.is_none()
    }

    pub(super) fn begun(now: Time, retired: Vec<String>) -> RotationStatus {
        RotationStatus {
            began_ms: now,
            ended_ms: None,
            checked: 0,
            wrapped: 0,
            failed: Vec::new(),
            retired,
            fault: None,
        }
    }
}

impl Service {
    /// The root keys, and how many bodies each of them seals: a look at every row that has one.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn root_keys(&self) -> Result<KeysStatus, Error> {
        let mut counts = self.count_bodies().await?;
        let (keys, rotation) = (self.keys(), self.rotation());
        let ours = self.rotation.is_ours();
        let retired = rotation.as_ref().map_or(&[][..], |rotation| &rotation.retired);
        let mut bodies = |id: &str| counts.remove(id).unwrap_or_default();
        let mut listed = vec![KeyStatus {
            id: keys.current.id().to_owned(),
            role: KeyRole::Current,
            bodies: bodies(keys.current.id()),
            since_ms: self.key_since().await?,
        }];
        let former = keys.former.iter().map(|key| key.id().to_owned());
        // What has been taken out of our file is no key of ours any more.
        for id in former.filter(|id| !(ours && retired.contains(id))) {
            listed.push(KeyStatus {
                bodies: bodies(&id),
                role: KeyRole::Former,
                since_ms: None,
                id,
            });
        }
        listed.extend(counts.into_iter().map(|(id, bodies)| KeyStatus {
            id,
            role: KeyRole::Missing,
            bodies,
            since_ms: None,
        }));
        Ok(KeysStatus {
            source: self.rotation.name(),
            ours,
            keys: listed,
            rotation,
        })
    }

    /// The IDs of the keys that something may be sealed under, the current one first.
    pub(crate) fn needed_keys(&self) -> Vec<String> {
        let (keys, rotation) = (self.keys(), self.rotation());
        let retired = rotation.map(|rotation| rotation.retired).unwrap_or_default();
        let ids = std::iter::once(&keys.current).chain(&keys.former);
        let ids = ids.map(|key| key.id().to_owned());
        ids.filter(|id| !retired.contains(id)).collect()
    }

    async fn count_bodies(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut counts = BTreeMap::new();
        for mut range in SPACES.map(rows::space) {
            loop {
                let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
                let Some((last, _)) = page.last() else {
                    break;
                };
                range.start = rows::after(last);
                for (row, entry) in &page {
                    if let Some(stored) = Holder::decode(row, &entry.value)?.stored() {
                        *counts.entry(std::mem::take(&mut stored.key.root)).or_default() += 1;
                    }
                }
                // Decoding a page takes milliseconds, and others want this thread.
                tokio::task::yield_now().await;
            }
        }
        Ok(counts)
    }
}
