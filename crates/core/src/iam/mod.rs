//! Accounts and who is in them: users with their access keys, roles, policies, OIDC providers.
//!
//! The whole directory is in memory. It changes by one command at a time, judged here and nowhere else; what came
//! of it is rows, which the service stores before anybody sees the change.

mod accounts;
mod aws_managed;
mod change;
mod documents;
mod entities;
mod error;
mod holders;
mod keys;
mod names;
mod policies;
mod principals;
mod providers;
mod roles;
mod users;

use std::{collections::BTreeMap, sync::Arc};

pub use accounts::drawn_account_id;
pub use aws_managed::{AWS_MANAGED, AwsManaged};
pub use change::{Change, Command, Holder, NewTags, Tagged, change};
pub use entities::{
    AccessKey, Account, Entity, EntityKind, ManagedPolicy, OidcProvider, PolicyVersion, Role, Tags, User,
};
pub use error::IamError;
pub use names::access_key_id;
pub use principals::{Renamed, rename_principal, resolve_principals};

/// The account that every server has. Its operator is not in the directory.
pub const DEFAULT_ACCOUNT: &str = "000000000000";

/// The operator's user in it, whose key pair is in the data directory.
pub const OPERATOR_USER: &str = "tidelock";

/// Every account, by its twelve digits. Cheap to clone: what does not change is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The accounts.
    pub accounts: BTreeMap<String, Arc<Account>>,
}

/// The directory of a new server: one account with nothing in it, which no row stands for.
impl Default for Directory {
    fn default() -> Directory {
        let first = Account {
            id: DEFAULT_ACCOUNT.to_owned(),
            name: "default".to_owned(),
            ..Account::default()
        };
        Directory {
            accounts: BTreeMap::from([(first.id.clone(), Arc::new(first))]),
        }
    }
}

impl Directory {
    /// An account by its twelve digits.
    #[must_use]
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).map(Arc::as_ref)
    }

    /// A user of an account, whatever the case of its name.
    #[must_use]
    pub fn user(&self, account: &str, name: &str) -> Option<&User> {
        self.account(account)?.users.get(&folded(name)).map(Arc::as_ref)
    }

    /// A role of an account, whatever the case of its name.
    #[must_use]
    pub fn role(&self, account: &str, name: &str) -> Option<&Role> {
        self.account(account)?.roles.get(&folded(name)).map(Arc::as_ref)
    }

    /// A role by its ARN, which tells its path too.
    #[must_use]
    pub fn role_of(&self, arn: &str) -> Option<&Role> {
        let (account, name) = named(arn, "role/")?;
        self.role(account, name).filter(|role| role.arn(account) == arn)
    }

    /// A user by its ARN, which tells its path too.
    #[must_use]
    pub fn user_of(&self, arn: &str) -> Option<&User> {
        let (account, name) = named(arn, "user/")?;
        self.user(account, name).filter(|user| user.arn(account) == arn)
    }

    /// A policy that an account has made, by its ARN.
    #[must_use]
    pub fn policy_of(&self, arn: &str) -> Option<&ManagedPolicy> {
        let (account, name) = named(arn, "policy/")?;
        let policy = self.account(account)?.policies.get(&folded(name))?;
        (policy.arn(account) == arn).then_some(policy)
    }

    /// An OIDC provider by its ARN.
    #[must_use]
    pub fn provider_of(&self, arn: &str) -> Option<&OidcProvider> {
        let (account, resource) = parted(arn)?;
        let url = resource.strip_prefix("oidc-provider/")?;
        self.account(account)?.providers.get(url).map(Arc::as_ref)
    }

    /// Puts what a row of `account` says in its place; as a start reads it, and as a change leaves it.
    pub fn put(&mut self, account: &str, entity: Entity) {
        let of = Arc::make_mut(self.accounts.entry(account.to_owned()).or_default());
        match entity {
            Entity::Account(account) => {
                of.id = account.id;
                of.name = account.name;
                of.created = account.created;
            }
            Entity::User(user) => drop(of.users.insert(folded(&user.name), Arc::new(user))),
            Entity::Role(role) => drop(of.roles.insert(folded(&role.name), Arc::new(role))),
            Entity::Policy(policy) => drop(of.policies.insert(folded(&policy.name), Arc::new(policy))),
            Entity::Provider(provider) => {
                drop(of.providers.insert(provider.url.clone(), Arc::new(provider)));
            }
        }
    }

    /// Takes out what stands in `account` under this kind and key (see [`Entity::key`]).
    pub fn remove(&mut self, account: &str, kind: EntityKind, key: &str) {
        let Some(of) = self.accounts.get_mut(account).map(Arc::make_mut) else {
            return;
        };
        match kind {
            EntityKind::Account => drop(self.accounts.remove(account)),
            EntityKind::User => drop(of.users.remove(key)),
            EntityKind::Role => drop(of.roles.remove(key)),
            EntityKind::Policy => drop(of.policies.remove(key)),
            EntityKind::Provider => drop(of.providers.remove(key)),
        }
    }
}

/// A name as it is looked up: IAM keeps the case of names and tells none apart by it.
#[must_use]
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The account and what is behind it, of an ARN of IAM.
fn parted(arn: &str) -> Option<(&str, &str)> {
    arn.strip_prefix("arn:aws:iam::")?.split_once(':')
}

/// The account and the name, of an ARN of IAM whose resource begins with `kind` and may have a path.
fn named<'a>(arn: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let (account, resource) = parted(arn)?;
    let name = resource.strip_prefix(kind)?;
    Some((account, name.rsplit_once('/').map_or(name, |(_, name)| name)))
}
