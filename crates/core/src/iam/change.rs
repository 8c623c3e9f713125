//! A command, and what becomes of the directory by it.

use serde::{Deserialize, Serialize};

use super::{
    Account, Directory, Entity, EntityKind, IamError, Renamed, accounts, holders, keys, policies,
    principals::rename_principal, providers, roles, users,
};
use crate::Time;

/// Tags as they come: keys may be there twice, which is refused.
pub type NewTags = Vec<(String, String)>;

/// A user or a role: what has policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// A user by its name.
    User(String),
    /// A role by its name.
    Role(String),
}

/// Whatever may have tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tagged {
    /// A user or role.
    Holder(Holder),
    /// A policy by its ARN.
    Policy(String),
    /// An OIDC provider by its ARN.
    Provider(String),
}

/// What is asked of an account. The fields are those of the actions in the IAM API reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "the fields are called and meant as in the API reference"
)]
pub enum Command {
    /// A new account.
    CreateAccount { id: String, name: String },
    /// A new user.
    CreateUser {
        path: String,
        name: String,
        tags: NewTags,
    },
    /// Another path or name of a user.
    UpdateUser {
        name: String,
        new_path: Option<String>,
        new_name: Option<String>,
    },
    /// A user without keys and policies goes.
    DeleteUser { name: String },
    /// A new key of a user, drawn and sealed by the service, and so never asked for from outside.
    #[serde(skip)]
    CreateAccessKey {
        user: String,
        id: String,
        sealed: String,
        expires: Option<Time>,
    },
    /// A key in use, or not.
    UpdateAccessKey { user: String, id: String, active: bool },
    /// A key goes.
    DeleteAccessKey { user: String, id: String },
    /// A new role.
    CreateRole {
        path: String,
        name: String,
        trust: String,
        description: String,
        max_session_secs: u32,
        tags: NewTags,
    },
    /// Another description or longest session of a role.
    UpdateRole {
        name: String,
        description: Option<String>,
        max_session_secs: Option<u32>,
    },
    /// Another trust policy.
    UpdateTrust { name: String, trust: String },
    /// A role without policies goes.
    DeleteRole { name: String },
    /// A new policy.
    CreatePolicy {
        path: String,
        name: String,
        description: String,
        document: String,
        tags: NewTags,
    },
    /// A policy that is nowhere attached goes, with its one version.
    DeletePolicy { arn: String },
    /// A new version of a policy.
    CreatePolicyVersion {
        arn: String,
        document: String,
        set_default: bool,
    },
    /// Another version in force.
    SetDefaultPolicyVersion { arn: String, version: u32 },
    /// A version goes that is not in force.
    DeletePolicyVersion { arn: String, version: u32 },
    /// A new document of an inline policy, or a new inline policy.
    PutInline {
        of: Holder,
        name: String,
        document: String,
    },
    /// An inline policy goes.
    DeleteInline { of: Holder, name: String },
    /// A policy counts for a user or role.
    Attach { of: Holder, arn: String },
    /// And no longer.
    Detach { of: Holder, arn: String },
    /// Tags beside those there are.
    Tag { of: Tagged, tags: NewTags },
    /// Tags go.
    Untag { of: Tagged, keys: Vec<String> },
    /// A new OIDC provider.
    CreateProvider {
        url: String,
        client_ids: Vec<String>,
        thumbprints: Vec<String>,
        tags: NewTags,
    },
    /// An OIDC provider goes.
    DeleteProvider { arn: String },
    /// One more audience.
    AddClientId { arn: String, client_id: String },
    /// One audience less.
    RemoveClientId { arn: String, client_id: String },
    /// Other thumbprints.
    UpdateThumbprints { arn: String, thumbprints: Vec<String> },
}

/// What becomes of the directory: rows to put and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What is new or other, with its account.
    pub puts: Vec<(String, Entity)>,
    /// What is gone: account, kind, and [`Entity::key`]. Nothing that is in `puts` too.
    pub removes: Vec<(String, EntityKind, String)>,
    /// Who is called otherwise from now on in policies that name principals. The trust policies of roles are changed so
    /// in `puts`; those of buckets and keys are not in the directory.
    pub renamed: Option<Renamed>,
}

impl Change {
    pub(super) fn put(account: &str, entity: Entity) -> Change {
        Change {
            puts: vec![(account.to_owned(), entity)],
            ..Change::default()
        }
    }

    pub(super) fn remove(account: &str, kind: EntityKind, key: String) -> Change {
        Change {
            removes: vec![(account.to_owned(), kind, key)],
            ..Change::default()
        }
    }

    /// The same, with somebody called otherwise in the trust policies of all roles of all accounts.
    pub(super) fn renaming(mut self, directory: &Directory, renamed: Renamed) -> Change {
        for (account, of) in &directory.accounts {
            for (key, role) in &of.roles {
                let is_going = self
                    .removes
                    .iter()
                    .any(|(id, kind, gone)| (id, *kind, gone) == (account, EntityKind::Role, key));
                if let Some(trust) = rename_principal(&role.trust, &renamed).filter(|_| !is_going) {
                    let mut role = super::Role::clone(role);
                    role.trust = trust;
                    self.puts.push((account.clone(), Entity::Role(role)));
                }
            }
        }
        self.renamed = Some(renamed);
        self
    }
}

impl Directory {
    /// The directory after a change.
    #[must_use]
    pub fn changed(&self, change: &Change) -> Directory {
        let mut next = self.clone();
        for (account, kind, key) in &change.removes {
            next.remove(account, *kind, key);
        }
        for (account, entity) in &change.puts {
            next.put(account, entity.clone());
        }
        next
    }
}

/// What a rule sees.
pub(super) struct Case<'a> {
    pub(super) directory: &'a Directory,
    pub(super) account: &'a Account,
    pub(super) now: Time,
    /// Drawn for this one change, which makes one ID at most.
    pub(super) random: [u8; 16],
}

impl Case<'_> {
    pub(super) fn put(&self, entity: Entity) -> Change {
        Change::put(&self.account.id, entity)
    }

    pub(super) fn remove(&self, kind: EntityKind, key: String) -> Change {
        Change::remove(&self.account.id, kind, key)
    }
}

/// What `command`, asked of `account`, makes of `directory`. `random` becomes part of the ID of what is made.
///
/// # Errors
/// Any [`IamError`]; then nothing is to change.
pub fn change(
    directory: &Directory,
    account: &str,
    command: &Command,
    now: Time,
    random: [u8; 16],
) -> Result<Change, IamError> {
    if let Command::CreateAccount { id, name } = command {
        return accounts::create(directory, id, name, now);
    }
    let account = directory
        .account(account)
        .ok_or_else(|| IamError::NoSuchEntity(format!("The account {account} cannot be found.")))?;
    let case = Case {
        directory,
        account,
        now,
        random,
    };
    judge(&case, command)
}

/// A table: one line a command.
#[rustfmt::skip]
fn judge(case: &Case<'_>, command: &Command) -> Result<Change, IamError> {
    match command {
        Command::CreateAccount { id, name } => accounts::create(case.directory, id, name, case.now),
        Command::CreateUser { path, name, tags } => users::create(case, path, name, tags),
        Command::UpdateUser { name, new_path, new_name } =>
            users::update(case, name, new_path.as_deref(), new_name.as_deref()),
        Command::DeleteUser { name } => users::delete(case, name),
        Command::CreateAccessKey { user, id, sealed, expires } => keys::create(case, user, id, sealed, *expires),
        Command::UpdateAccessKey { user, id, active } => keys::update(case, user, id, *active),
        Command::DeleteAccessKey { user, id } => keys::delete(case, user, id),
        Command::CreateRole { path, name, trust, description, max_session_secs, tags } =>
            roles::create(case, (path, name), trust, (description, *max_session_secs), tags),
        Command::UpdateRole { name, description, max_session_secs } =>
            roles::update(case, name, description.as_deref(), *max_session_secs),
        Command::UpdateTrust { name, trust } => roles::update_trust(case, name, trust),
        Command::DeleteRole { name } => roles::delete(case, name),
        Command::CreatePolicy { path, name, description, document, tags } =>
            policies::create(case, (path, name), description, document, tags),
        Command::DeletePolicy { arn } => policies::delete(case, arn),
        Command::CreatePolicyVersion { arn, document, set_default } =>
            policies::create_version(case, arn, document, *set_default),
        Command::SetDefaultPolicyVersion { arn, version } => policies::set_default(case, arn, *version),
        Command::DeletePolicyVersion { arn, version } => policies::delete_version(case, arn, *version),
        Command::PutInline { of, name, document } => holders::put_inline(case, of, name, document),
        Command::DeleteInline { of, name } => holders::delete_inline(case, of, name),
        Command::Attach { of, arn } => holders::attach(case, of, arn),
        Command::Detach { of, arn } => holders::detach(case, of, arn),
        Command::Tag { of, tags } => holders::tag(case, of, tags),
        Command::Untag { of, keys } => holders::untag(case, of, keys),
        Command::CreateProvider { url, client_ids, thumbprints, tags } =>
            providers::create(case, url, (client_ids, thumbprints), tags),
        Command::DeleteProvider { arn } => providers::delete(case, arn),
        Command::AddClientId { arn, client_id } => providers::add_client_id(case, arn, client_id),
        Command::RemoveClientId { arn, client_id } => providers::remove_client_id(case, arn, client_id),
        Command::UpdateThumbprints { arn, thumbprints } => providers::update_thumbprints(case, arn, thumbprints),
    }
}
