//! The directory, and what follows from it: credentials and rights with their policies read, ready to decide by.
//!
//! A request must not read documents. So they are read when the directory changes, and only those of whom the change is about.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tidelock_core::{
    iam::{AccessKey, Account, AwsManaged, Change, Directory, Entity, EntityKind, Role, User},
    policy::{Kind, Named, Policy, Principal, PrincipalKind, Rights},
};
use zeroize::Zeroizing;

use super::{purpose, rows};
use crate::{Credential, Error, vault::Vault};

/// What sessions of a role are begun with.
#[derive(Debug)]
pub struct RoleRights {
    /// The role itself: sessions have its account, tags and unique ID, and an ARN and a user ID of their own.
    pub principal: Principal,
    /// Its policies.
    pub identity: Vec<Arc<Named>>,
}

/// All of it as of one moment.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) directory: Arc<Directory>,
    /// Those of users, by access key ID.
    pub(super) credentials: HashMap<String, Arc<Credential>>,
    /// By ARN.
    pub(super) roles: HashMap<String, Arc<RoleRights>>,
    /// Those that can be attached, by ARN.
    pub(super) policies: HashMap<String, Arc<Named>>,
}

impl View {
    /// All of a directory.
    pub(super) fn of(directory: Directory, vault: &Vault) -> Result<View, Error> {
        let mut view = View {
            directory: Arc::new(directory),
            ..View::default()
        };
        let directory = Arc::clone(&view.directory);
        for (id, account) in &directory.accounts {
            for policy in account.policies.values() {
                view.add_policy(id, &policy.arn(id), policy.document())?;
            }
            for user in account.users.values() {
                view.add_user(id, user, vault)?;
            }
            for role in account.roles.values() {
                view.add_role(id, role)?;
            }
        }
        Ok(view)
    }

    /// The view after a change.
    pub(super) fn changed(&self, change: &Change, vault: &Vault) -> Result<View, Error> {
        let mut next = self.clone();
        next.directory = Arc::new(self.directory.changed(change));
        for (account, kind, key) in &change.removes {
            next.forget(account, *kind, key, &self.directory);
        }
        for (account, entity) in &change.puts {
            next.forget(account, entity.kind(), &entity.key(), &self.directory);
            match entity {
                Entity::User(user) => next.add_user(account, user, vault)?,
                Entity::Role(role) => next.add_role(account, role)?,
                Entity::Policy(policy) => {
                    let arn = policy.arn(account);
                    next.add_policy(account, &arn, policy.document())?;
                    next.add_attached(account, &arn, vault)?;
                }
                Entity::Account(_) | Entity::Provider(_) => {}
            }
        }
        Ok(next)
    }

    /// Takes out what follows from something that was in the directory before.
    fn forget(&mut self, account: &str, kind: EntityKind, key: &str, before: &Directory) {
        let Some(of) = before.account(account) else {
            return;
        };
        match kind {
            EntityKind::User => {
                for gone in of.users.get(key).into_iter().flat_map(|user| &user.keys) {
                    self.credentials.remove(&gone.id);
                }
            }
            EntityKind::Role => {
                if let Some(role) = of.roles.get(key) {
                    self.roles.remove(&role.arn(account));
                }
            }
            EntityKind::Policy => {
                if let Some(policy) = of.policies.get(key) {
                    self.policies.remove(&policy.arn(account));
                }
            }
            EntityKind::Account | EntityKind::Provider => {}
        }
    }

    fn add_policy(&mut self, account: &str, arn: &str, document: &str) -> Result<(), Error> {
        let policy = read(account, EntityKind::Policy, arn, arn.to_owned(), document)?;
        self.policies.insert(arn.to_owned(), policy);
        Ok(())
    }

    /// Gives the users and roles to whom a policy is attached their rights anew.
    fn add_attached(&mut self, account: &str, arn: &str, vault: &Vault) -> Result<(), Error> {
        let directory = Arc::clone(&self.directory);
        let has = |attached: &[String]| attached.iter().any(|known| known == arn);
        let of = directory.account(account).into_iter();
        for user in of.clone().flat_map(|of| of.users.values()) {
            if has(&user.attached) {
                self.add_user(account, user, vault)?;
            }
        }
        for role in of.flat_map(|of: &Account| of.roles.values()) {
            if has(&role.attached) {
                self.add_role(account, role)?;
            }
        }
        Ok(())
    }

    fn add_user(&mut self, account: &str, user: &User, vault: &Vault) -> Result<(), Error> {
        if !user.keys.iter().any(|key| key.active) {
            return Ok(());
        }
        let holder = format!("user/{}", user.name);
        let identity = self.identity(account, EntityKind::User, &holder, &user.inline, &user.attached)?;
        let principal = Principal {
            account: account.to_owned(),
            arn: user.arn(account),
            kind: PrincipalKind::User {
                name: user.name.clone(),
            },
            user_id: user.id.clone(),
            tags: user.tags.clone(),
        };
        for key in user.keys.iter().filter(|key| key.active) {
            let credential = Credential {
                access_key_id: key.id.clone(),
                secret: secret(account, user, key, vault)?,
                token: None,
                expires: key.expires,
                principal: principal.clone(),
                rights: Rights {
                    identity: identity.clone(),
                    ..Rights::default()
                },
                session: None,
            };
            self.credentials.insert(key.id.clone(), Arc::new(credential));
        }
        Ok(())
    }

    fn add_role(&mut self, account: &str, role: &Role) -> Result<(), Error> {
        let holder = format!("role/{}", role.name);
        let identity = self.identity(account, EntityKind::Role, &holder, &role.inline, &role.attached)?;
        let arn = role.arn(account);
        let principal = Principal {
            account: account.to_owned(),
            arn: arn.clone(),
            kind: PrincipalKind::Session {
                role_arn: arn.clone(),
                federated: None,
            },
            user_id: role.id.clone(),
            tags: role.tags.clone(),
        };
        self.roles
            .insert(arn, Arc::new(RoleRights { principal, identity }));
        Ok(())
    }

    /// The policies of a user or role.
    pub(super) fn identity(
        &mut self,
        account: &str,
        kind: EntityKind,
        holder: &str,
        inline: &BTreeMap<String, String>,
        attached: &[String],
    ) -> Result<Vec<Arc<Named>>, Error> {
        let mut identity = Vec::with_capacity(inline.len() + attached.len());
        for (name, document) in inline {
            let name = format!("inline policy {name} of {holder}");
            identity.push(read(account, kind, holder, name, document)?);
        }
        for arn in attached {
            if let (None, Some(of_aws)) = (self.policies.get(arn), AwsManaged::of(arn)) {
                self.add_policy("aws", arn, of_aws.document)?;
            }
            let policy = self.policies.get(arn).cloned();
            identity.push(policy.ok_or_else(|| {
                Error::corrupt(
                    &rows::name(account, kind, holder),
                    format!("the policy {arn} is attached and not there"),
                )
            })?);
        }
        Ok(identity)
    }
}

/// Reads a document that was taken before. One that cannot be read might deny something, so there is no going on without it.
fn read(
    account: &str,
    kind: EntityKind,
    key: &str,
    name: String,
    document: &str,
) -> Result<Arc<Named>, Error> {
    let policy = Policy::parse(document, Kind::Identity)
        .map_err(|why| Error::corrupt(&rows::name(account, kind, key), format!("{name}: {why}")))?;
    Ok(Arc::new(Named { name, policy }))
}

fn secret(account: &str, user: &User, key: &AccessKey, vault: &Vault) -> Result<Zeroizing<String>, Error> {
    let corrupt = |why: String| Error::corrupt(&rows::name(account, EntityKind::User, &user.name), why);
    let opened = vault.open(&purpose(&key.id), &key.sealed);
    let opened = opened.map_err(|why| corrupt(why.to_string()))?;
    let text = std::str::from_utf8(&opened).map_err(|_| corrupt("a secret is no text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
