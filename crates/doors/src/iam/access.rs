//! What the caller of an operation needs to be allowed: the action of its name, on the ARN of what it is about.
//!
//! Source: "Actions, resources, and condition keys for AWS Identity and Access Management (IAM)", Service Authorization
//! Reference.

use http::StatusCode;
use tidelock_core::iam::Tags;

use super::{
    Ask,
    operations::{On, Operation},
};
use crate::{
    access::{Access, Ask as Asked, Denied, Owner},
    aws_common::error::{AuthError, AwsError},
};

impl From<Denied> for AwsError {
    fn from(denied: Denied) -> AwsError {
        AwsError::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string())
    }
}

/// Refuses an operation on `resource` that its caller may not do.
///
/// # Errors
/// `AccessDenied`; `ExpiredToken` for a session that has ended.
pub(super) fn authorize(
    operation: &Operation,
    resource: &str,
    ask: &Ask<'_>,
    access: &Access,
) -> Result<(), AwsError> {
    if access.is_expired() {
        return Err(AuthError::ExpiredToken(access.caller().access_key_id.clone()).query());
    }
    let owner = Owner::account(ask.account);
    access.may(&asked(operation, resource, ask, &owner))?;
    match renamed(operation, ask) {
        Some(target) => Ok(access.may(&asked(operation, &target, ask, &owner))?),
        None => Ok(()),
    }
}

fn asked<'a>(operation: &Operation, resource: &str, ask: &Ask<'_>, owner: &'a Owner) -> Asked<'a> {
    let mut asked = Asked::new(format!("iam:{}", operation.name), resource, owner);
    for (key, value) in tags(operation, ask).into_iter().flatten() {
        asked = asked.with(format!("aws:ResourceTag/{key}"), value);
        asked = asked.with(format!("iam:ResourceTag/{key}"), value);
    }
    if operation.on != On::Policy
        && let Some(arn) = ask.form.get("PolicyArn")
    {
        asked = asked.with("iam:PolicyARN", arn);
    }
    for (key, value) in ask.form.pairs("Tags", "Key", "Value") {
        asked = asked.with(format!("aws:RequestTag/{key}"), value);
        asked = asked.with("aws:TagKeys", key);
    }
    for key in ask.form.list("TagKeys") {
        asked = asked.with("aws:TagKeys", key);
    }
    asked
}

/// The tags of what an operation is about, if it is there.
fn tags<'a>(operation: &Operation, ask: &'a Ask<'_>) -> Option<&'a Tags> {
    match operation.on {
        On::User => ask.user().ok().map(|user| &user.tags),
        On::Role => ask.role().ok().map(|role| &role.tags),
        On::Policy => ask.policy().ok().map(|policy| &policy.tags),
        On::Provider => ask.provider().ok().map(|provider| &provider.tags),
        On::Key => ask.key_owner().map(|user| &user.tags),
        On::Any => None,
    }
}

/// Who renames a user must be allowed to change both, what it is and what it becomes.
fn renamed(operation: &Operation, ask: &Ask<'_>) -> Option<String> {
    let user = ask.user().ok().filter(|_| operation.name == "UpdateUser")?;
    let path = ask.form.get("NewPath").unwrap_or(&user.path);
    let name = ask.form.get("NewUserName").unwrap_or(&user.name);
    Some(format!("arn:aws:iam::{}:user{path}{name}", ask.account))
}

/// The ARN of what an operation is about, or `*`. What is not there yet, or not any more, has the ARN that it would have.
pub(super) fn resource(operation: &Operation, ask: &Ask<'_>) -> String {
    let found = match operation.on {
        On::User => ask.user_name().ok().map(|name| user(ask, name)),
        On::Role => ask.form.get("RoleName").map(|name| role(ask, name)),
        // What is made is named by its own fields, whatever else the request mentions.
        On::Policy if operation.name == "CreatePolicy" => new_policy(ask),
        On::Policy => ask.form.get("PolicyArn").map(str::to_owned),
        On::Provider if operation.name == "CreateOpenIDConnectProvider" => new_provider(ask),
        On::Provider => ask.form.get("OpenIDConnectProviderArn").map(str::to_owned),
        On::Key => key_owner(ask).map(|name| user(ask, name)),
        On::Any => None,
    };
    found.unwrap_or_else(|| "*".to_owned())
}

fn user(ask: &Ask<'_>, name: &str) -> String {
    match ask.directory.user(ask.account, name) {
        Some(user) => user.arn(ask.account),
        None => made(ask, "user", name),
    }
}

fn role(ask: &Ask<'_>, name: &str) -> String {
    match ask.directory.role(ask.account, name) {
        Some(role) => role.arn(ask.account),
        None => made(ask, "role", name),
    }
}

fn new_policy(ask: &Ask<'_>) -> Option<String> {
    Some(made(ask, "policy", ask.form.get("PolicyName")?))
}

fn new_provider(ask: &Ask<'_>) -> Option<String> {
    let url = ask.form.get("Url")?;
    let url = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
    Some(format!("arn:aws:iam::{}:oidc-provider/{url}", ask.account))
}

/// Whose key is named.
fn key_owner<'a>(ask: &'a Ask<'_>) -> Option<&'a str> {
    let named = ask.form.get("UserName");
    named
        .or_else(|| ask.key_owner().map(|user| user.name.as_str()))
        .or_else(|| ask.user_name().ok())
}

fn made(ask: &Ask<'_>, kind: &str, name: &str) -> String {
    let path = ask.form.get("Path").unwrap_or("/");
    format!("arn:aws:iam::{}:{kind}{path}{name}", ask.account)
}
