//! Users, keys, roles and accounts for `tidelock users`, `keys`, `roles` and `accounts`:
//! `GET /admin/iam/accounts` lists the accounts, `GET /admin/iam/account?id=ID` shows what is in one,
//! `POST /admin/iam/command` does one of `tidelock_core::iam::Command`, `POST /admin/iam/key` makes an access key.
//!
//! The rules and the limits are those of the IAM door. Secrets are told once, by what makes them.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::{
    Time,
    iam::{
        AWS_MANAGED, AccessKey, Account, Command, DEFAULT_ACCOUNT, Holder, IamError, Role, Tagged, Tags,
        User, drawn_account_id,
    },
};
use tidelock_service::DirectoryError;

use super::{Refusal, json, request::Request};
use crate::{DoorBody, audit::Touched};

pub(super) fn show(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let directory = request.service.directory();
    match request.name.as_str() {
        "accounts" => {
            let accounts: Vec<_> = directory.accounts.values().map(|of| brief(of)).collect();
            Ok(json(&json!({ "accounts": accounts })))
        }
        "account" => {
            let id = request.parameter("id")?;
            let id = id.as_deref().unwrap_or(DEFAULT_ACCOUNT);
            let account = directory.account(id).ok_or_else(|| {
                let message =
                    format!("there is no account {id}; `tidelock accounts list` shows those there are");
                Refusal::new(StatusCode::NOT_FOUND, message)
            })?;
            Ok(json(&shown(account)))
        }
        _ => Err(request.not_there()),
    }
}

/// What a command is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default = "default_account")]
    account: String,
    command: Command,
}

/// What a key is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyAsked {
    #[serde(default = "default_account")]
    account: String,
    user: String,
    #[serde(default)]
    expires_in_ms: Option<u64>,
}

fn default_account() -> String {
    DEFAULT_ACCOUNT.to_owned()
}

pub(super) async fn change(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let service = request.service;
    match request.name.as_str() {
        "command" => {
            let mut asked: Asked = request.json()?;
            let mut answer = json!({});
            if let Command::CreateAccount { id, .. } = &mut asked.command {
                if id.is_empty() {
                    *id = drawn_account_id(service.random());
                }
                answer = json!({ "id": id });
            }
            request.access.touches(about(&asked.account, &asked.command));
            service.change_directory(&asked.account, asked.command).await?;
            Ok(json(&answer))
        }
        "key" => {
            let asked: KeyAsked = request.json()?;
            let lasts = asked
                .expires_in_ms
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
            let expires = lasts.map(|ms| service.now().plus_ms(ms));
            let made = service
                .create_access_key(&asked.account, &asked.user, expires)
                .await?;
            let what = format!(
                "arn:aws:iam::{}:user/{} CreateAccessKey {}",
                asked.account, asked.user, made.id
            );
            request.access.touches(Touched::at(what));
            Ok(json(&json!({
                "access_key_id": made.id,
                "secret_access_key": made.secret.as_str(),
                "expires_ms": expires,
            })))
        }
        _ => Err(request.not_there()),
    }
}

/// Of whom or what, which command, and with what: for the audit log, which has no other place for it.
fn about(account: &str, command: &Command) -> Touched {
    let (whom, with) = subject(command);
    let whom = match whom.starts_with("arn:") {
        true => whom,
        false => format!("arn:aws:iam::{account}:{whom}"),
    };
    let name = serde_json::to_value(command).ok();
    let name = name
        .as_ref()
        .and_then(|command| command.as_object()?.keys().next());
    let name = name.map(String::as_str).unwrap_or_default();
    Touched::at(format!("{whom} {name} {with}").trim_end())
}

// tidy: table
#[rustfmt::skip]
fn subject(command: &Command) -> (String, &str) {
    let held = |of: &Holder| match of {
        Holder::User(name) => format!("user/{name}"),
        Holder::Role(name) => format!("role/{name}"),
    };
    match command {
        Command::CreateAccount { id, .. } => (format!("arn:aws:iam::{id}:root"), ""),
        Command::CreateUser { name, .. } | Command::UpdateUser { name, .. } | Command::DeleteUser { name } =>
            (format!("user/{name}"), ""),
        Command::CreateAccessKey { user, id, .. } | Command::UpdateAccessKey { user, id, .. }
        | Command::DeleteAccessKey { user, id } => (format!("user/{user}"), id),
        Command::CreateRole { name, .. } | Command::UpdateRole { name, .. } | Command::UpdateTrust { name, .. }
        | Command::DeleteRole { name } => (format!("role/{name}"), ""),
        Command::CreatePolicy { name, .. } => (format!("policy/{name}"), ""),
        Command::PutInline { of, name, .. } | Command::DeleteInline { of, name } => (held(of), name),
        Command::Attach { of, arn } | Command::Detach { of, arn } => (held(of), arn),
        Command::Tag { of: Tagged::Holder(of), .. } | Command::Untag { of: Tagged::Holder(of), .. } => (held(of), ""),
        Command::CreateProvider { url, .. } => ("oidc-provider".to_owned(), url),
        Command::DeletePolicy { arn } | Command::CreatePolicyVersion { arn, .. }
        | Command::SetDefaultPolicyVersion { arn, .. } | Command::DeletePolicyVersion { arn, .. }
        | Command::Tag { of: Tagged::Policy(arn) | Tagged::Provider(arn), .. }
        | Command::Untag { of: Tagged::Policy(arn) | Tagged::Provider(arn), .. }
        | Command::DeleteProvider { arn } | Command::AddClientId { arn, .. }
        | Command::RemoveClientId { arn, .. } | Command::UpdateThumbprints { arn, .. } => (arn.clone(), ""),
    }
}

impl From<DirectoryError> for Refusal {
    fn from(error: DirectoryError) -> Refusal {
        let refused = match error {
            DirectoryError::Refused(refused) => refused,
            DirectoryError::Service(fault) => return fault.into(),
        };
        let status = match refused {
            IamError::NoSuchEntity(_) => StatusCode::NOT_FOUND,
            IamError::EntityAlreadyExists(_) | IamError::DeleteConflict(_) | IamError::LimitExceeded(_) => {
                StatusCode::CONFLICT
            }
            IamError::MalformedPolicyDocument(_) | IamError::InvalidInput(_) | IamError::Validation(_) => {
                StatusCode::BAD_REQUEST
            }
            IamError::AccessDenied(_) => StatusCode::FORBIDDEN,
        };
        Refusal::new(status, refused.to_string())
    }
}

fn brief(account: &Account) -> serde_json::Value {
    json!({
        "id": account.id,
        "name": account.name,
        "created_ms": account.created,
        "users": account.users.len(),
        "roles": account.roles.len(),
        "policies": account.policies.len(),
    })
}

/// What is shown of an account.
#[derive(Serialize)]
struct AccountShown<'a> {
    id: &'a str,
    name: &'a str,
    users: Vec<UserShown<'a>>,
    roles: Vec<RoleShown<'a>>,
    policies: Vec<PolicyShown<'a>>,
    providers: Vec<ProviderShown<'a>>,
    /// Those of AWS that can be attached too.
    aws_policies: Vec<String>,
}

#[derive(Serialize)]
struct UserShown<'a> {
    name: &'a str,
    id: &'a str,
    arn: String,
    created_ms: Time,
    tags: &'a Tags,
    attached: &'a [String],
    inline: &'a BTreeMap<String, String>,
    keys: Vec<KeyShown<'a>>,
}

/// A key without its secret, sealed or not.
#[derive(Serialize)]
struct KeyShown<'a> {
    id: &'a str,
    active: bool,
    created_ms: Time,
    expires_ms: Option<Time>,
}

#[derive(Serialize)]
struct RoleShown<'a> {
    name: &'a str,
    id: &'a str,
    arn: String,
    created_ms: Time,
    description: &'a str,
    max_session_secs: u32,
    trust: &'a str,
    tags: &'a Tags,
    attached: &'a [String],
    inline: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct PolicyShown<'a> {
    name: &'a str,
    arn: String,
    document: &'a str,
}

#[derive(Serialize)]
struct ProviderShown<'a> {
    url: &'a str,
    arn: String,
    client_ids: &'a [String],
}

fn shown(account: &Account) -> AccountShown<'_> {
    let id = account.id.as_str();
    AccountShown {
        id,
        name: &account.name,
        users: account.users.values().map(|user| user_shown(id, user)).collect(),
        roles: account.roles.values().map(|role| role_shown(id, role)).collect(),
        policies: account
            .policies
            .values()
            .map(|policy| PolicyShown {
                name: &policy.name,
                arn: policy.arn(id),
                document: policy.document(),
            })
            .collect(),
        providers: account
            .providers
            .values()
            .map(|provider| ProviderShown {
                url: &provider.url,
                arn: provider.arn(id),
                client_ids: &provider.client_ids,
            })
            .collect(),
        aws_policies: AWS_MANAGED.iter().map(|policy| policy.arn()).collect(),
    }
}

fn user_shown<'a>(account: &str, user: &'a User) -> UserShown<'a> {
    let key = |key: &'a AccessKey| KeyShown {
        id: &key.id,
        active: key.active,
        created_ms: key.created,
        expires_ms: key.expires,
    };
    UserShown {
        name: &user.name,
        id: &user.id,
        arn: user.arn(account),
        created_ms: user.created,
        tags: &user.tags,
        attached: &user.attached,
        inline: &user.inline,
        keys: user.keys.iter().map(key).collect(),
    }
}

fn role_shown<'a>(account: &str, role: &'a Role) -> RoleShown<'a> {
    RoleShown {
        name: &role.name,
        id: &role.id,
        arn: role.arn(account),
        created_ms: role.created,
        description: &role.description,
        max_session_secs: role.max_session_secs,
        trust: &role.trust,
        tags: &role.tags,
        attached: &role.attached,
        inline: &role.inline,
    }
}
