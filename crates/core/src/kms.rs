//! Keys of the Key Management Service: what is known of each, and the rules by which they change.
//!
//! Nothing here sees key material: it is drawn and sealed by who carries the changes out, and stands here as text. Source of
//! the rules: "Key states of AWS KMS keys" and the API reference of AWS KMS, version 2014-11-01.

mod change;
mod error;
mod names;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Time;
pub use change::{Change, Command, NewKey, change};
pub use error::KmsError;
pub use names::{is_alias_name, is_reserved_alias};

/// The alias of the key under which S3 seals what names none.
pub const S3_ALIAS: &str = "alias/aws/s3";

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsKey {
    /// Its ID, a UUID.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The region of the request that made it; part of its ARN and of nothing else.
    pub region: String,
    /// When it was made.
    pub created: Time,
    /// What its owner says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it can be used.
    pub state: KeyState,
    /// Whether it was made on first use, as AWS's own keys are: nobody changes those.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aws_managed: bool,
    /// The text of its policy.
    pub policy: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it gets new material by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Its material, the oldest first: the last seals, all of them open.
    pub materials: Vec<Material>,
    /// Its aliases, with `alias/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, AliasTimes>,
}

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// It seals and opens.
    Enabled,
    /// It does neither until somebody enables it.
    Disabled,
    /// It does neither, and its material is destroyed at this time.
    PendingDeletion(Time),
}

/// A key gets new material by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How often, in days.
    pub days: u32,
    /// When next.
    pub next: Time,
}

/// One piece of key material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Its number, from 1.
    pub number: u32,
    /// Since when it seals.
    pub since: Time,
    /// Whether somebody asked for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_demand: bool,
    /// The material, sealed.
    pub sealed: String,
}

/// When an alias was made and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasTimes {
    /// When it was made.
    pub created: Time,
    /// When it got this key.
    pub updated: Time,
}

impl KmsKey {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{}:key/{}", self.region, self.account, self.id)
    }

    /// The ARN of one of its aliases.
    #[must_use]
    pub fn alias_arn(&self, alias: &str) -> String {
        format!("arn:aws:kms:{}:{}:{alias}", self.region, self.account)
    }

    /// Makes sure that it seals and opens now.
    ///
    /// # Errors
    /// [`KmsError::Disabled`], [`KmsError::InvalidState`].
    pub fn check_usable(&self) -> Result<(), KmsError> {
        match self.state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(KmsError::Disabled(format!("{} is disabled.", self.arn()))),
            KeyState::PendingDeletion(_) => self.check_kept(),
        }
    }

    /// Makes sure that it is not to be deleted.
    ///
    /// # Errors
    /// [`KmsError::InvalidState`].
    pub fn check_kept(&self) -> Result<(), KmsError> {
        match self.state {
            KeyState::Enabled | KeyState::Disabled => Ok(()),
            KeyState::PendingDeletion(_) => Err(KmsError::InvalidState(format!(
                "{} is pending deletion.",
                self.arn()
            ))),
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        matches!(self.state, KeyState::PendingDeletion(at) if at <= now)
    }

    /// Whether it is to get new material. A key that is not in use waits with it.
    #[must_use]
    pub fn is_rotation_due(&self, now: Time) -> bool {
        self.state == KeyState::Enabled && self.rotation.is_some_and(|rotation| rotation.next <= now)
    }
}

/// All keys, of all accounts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    by_id: BTreeMap<String, Arc<KmsKey>>,
    /// Account and alias, to the ID.
    by_alias: BTreeMap<(String, String), String>,
}

impl Keys {
    /// Puts a key in, in place of what it was.
    pub fn put(&mut self, key: Arc<KmsKey>) {
        self.remove(&key.id);
        for alias in key.aliases.keys() {
            self.by_alias
                .insert((key.account.clone(), alias.clone()), key.id.clone());
        }
        self.by_id.insert(key.id.clone(), key);
    }

    /// Takes a key out, with its aliases.
    pub fn remove(&mut self, id: &str) {
        if let Some(former) = self.by_id.remove(id) {
            self.by_alias
                .retain(|(account, _), other| *account != former.account || other != id);
        }
    }

    /// A key by its ID.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<KmsKey>> {
        self.by_id.get(id)
    }

    /// The keys of all accounts, by ID.
    pub fn all(&self) -> impl Iterator<Item = &Arc<KmsKey>> {
        self.by_id.values()
    }

    /// The keys of an account, by ID.
    pub fn of<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a Arc<KmsKey>> {
        self.all().filter(move |key| key.account == account)
    }

    /// The key that has this alias in an account.
    #[must_use]
    pub fn with_alias(&self, account: &str, alias: &str) -> Option<&Arc<KmsKey>> {
        let id = self.by_alias.get(&(account.to_owned(), alias.to_owned()))?;
        self.by_id.get(id)
    }
}
