//! What is in an account, as it is stored: a row each.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::folded;
use crate::Time;

/// Tags by their keys.
pub type Tags = BTreeMap<String, String>;

/// An account. Its row holds what is its own; what is in it has rows of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// Users, by [`folded`] name.
    #[serde(skip)]
    pub users: BTreeMap<String, Arc<User>>,
    /// Roles, by [`folded`] name.
    #[serde(skip)]
    pub roles: BTreeMap<String, Arc<Role>>,
    /// The policies that it has made, by [`folded`] name.
    #[serde(skip)]
    pub policies: BTreeMap<String, Arc<ManagedPolicy>>,
    /// OIDC providers, by their URL without the scheme.
    #[serde(skip)]
    pub providers: BTreeMap<String, Arc<OidcProvider>>,
}

impl Account {
    /// How many users and roles a policy is attached to.
    #[must_use]
    pub fn attachments(&self, arn: &str) -> usize {
        let users = self.users.values().map(|user| &user.attached);
        let roles = self.roles.values().map(|role| &role.attached);
        let has = |attached: &&Vec<String>| attached.iter().any(|known| known == arn);
        users.chain(roles).filter(has).count()
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `/`, or `/some/where/`.
    pub path: String,
    /// As it was written when it was made.
    pub name: String,
    /// `AIDA…`; a user of the same name that is made later has another one.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Inline policies: documents by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inline: BTreeMap<String, String>,
    /// ARNs of the policies attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<String>,
    /// Its access keys, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<AccessKey>,
}

impl User {
    /// Its ARN, as a user of `account`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:user{}{}", self.path, self.name)
    }
}

/// An access key of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// The secret, sealed by the service; opened for nothing but signatures.
    pub sealed: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created: Time,
    /// From when on it is of no use, if it ends by itself. Not AWS's: `tidelock keys create --expires`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// `/`, or `/some/where/`.
    pub path: String,
    /// As it was written when it was made.
    pub name: String,
    /// `AROA…`; a role of the same name that is made later has another one.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// What people say of it; IAM tells none from an empty one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its trust policy. A user or role in it that is gone stands there by its ID, so that nobody inherits its trust.
    pub trust: String,
    /// The longest session, in seconds.
    pub max_session_secs: u32,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Inline policies: documents by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inline: BTreeMap<String, String>,
    /// ARNs of the policies attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<String>,
}

impl Role {
    /// Its ARN, as a role of `account`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }
}

/// A policy that can be attached to users and roles of its account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// `/`, or `/some/where/`.
    pub path: String,
    /// As it was written when it was made.
    pub name: String,
    /// `ANPA…`
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// When its versions last changed.
    pub updated: Time,
    /// What people say of it; never changed afterwards.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Its versions by number: 1 is `v1`. Numbers are not used again.
    pub versions: BTreeMap<u32, PolicyVersion>,
    /// The version in force.
    pub default: u32,
    /// The highest number that was ever given.
    pub last: u32,
}

impl ManagedPolicy {
    /// Its ARN, as a policy of `account`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:policy{}{}", self.path, self.name)
    }

    /// The document in force.
    #[must_use]
    pub fn document(&self) -> &str {
        let version = self.versions.get(&self.default);
        version.map_or("", |version| version.document.as_str())
    }
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// The document.
    pub document: String,
    /// When it was made.
    pub created: Time,
}

/// An issuer of tokens that an account trusts to say who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Without the scheme: `token.actions.githubusercontent.com`.
    pub url: String,
    /// The audiences it is trusted for.
    pub client_ids: Vec<String>,
    /// Kept and given back; tokens are verified by their keys.
    pub thumbprints: Vec<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// When it was made.
    pub created: Time,
}

impl OidcProvider {
    /// Its ARN, as a provider of `account`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:oidc-provider/{}", self.url)
    }
}

/// What a row of the directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// An account, without what is in it.
    Account(Account),
    /// A user with its keys.
    User(User),
    /// A role.
    Role(Role),
    /// A policy with its versions.
    Policy(ManagedPolicy),
    /// An OIDC provider.
    Provider(OidcProvider),
}

impl Entity {
    /// Which kind of row.
    #[must_use]
    pub fn kind(&self) -> EntityKind {
        match self {
            Entity::Account(_) => EntityKind::Account,
            Entity::User(_) => EntityKind::User,
            Entity::Role(_) => EntityKind::Role,
            Entity::Policy(_) => EntityKind::Policy,
            Entity::Provider(_) => EntityKind::Provider,
        }
    }

    /// What tells it from others of its kind in its account.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Entity::Account(_) => String::new(),
            Entity::User(user) => folded(&user.name),
            Entity::Role(role) => folded(&role.name),
            Entity::Policy(policy) => folded(&policy.name),
            Entity::Provider(provider) => provider.url.clone(),
        }
    }
}

/// The kinds of rows of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// An account.
    Account,
    /// A user.
    User,
    /// A role.
    Role,
    /// A policy.
    Policy,
    /// An OIDC provider.
    Provider,
}
