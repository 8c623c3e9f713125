//! The commands that requests ask for.

use tidelock_core::iam::{Command, Holder, NewTags, Tagged};

use super::Ask;
use crate::{
    aws_common::error::AwsError,
    query::{Form, invalid},
};

type Asked = Result<Command, AwsError>;

/// The longest session of a role that does not say one, in seconds (AWS's own).
const SESSION_SECS: u32 = 3_600;

pub(super) fn create_user(ask: &Ask<'_>) -> Asked {
    no_boundary(&ask.form)?;
    Ok(Command::CreateUser {
        path: path(&ask.form),
        name: owned(&ask.form, "UserName")?,
        tags: tags(&ask.form),
    })
}

pub(super) fn update_user(ask: &Ask<'_>) -> Asked {
    Ok(Command::UpdateUser {
        name: owned(&ask.form, "UserName")?,
        new_path: ask.form.get("NewPath").map(str::to_owned),
        new_name: ask.form.get("NewUserName").map(str::to_owned),
    })
}

pub(super) fn delete_user(ask: &Ask<'_>) -> Asked {
    let name = owned(&ask.form, "UserName")?;
    Ok(Command::DeleteUser { name })
}

pub(super) fn create_role(ask: &Ask<'_>) -> Asked {
    no_boundary(&ask.form)?;
    Ok(Command::CreateRole {
        path: path(&ask.form),
        name: owned(&ask.form, "RoleName")?,
        trust: owned(&ask.form, "AssumeRolePolicyDocument")?,
        description: ask.form.get("Description").unwrap_or_default().to_owned(),
        max_session_secs: session_secs(&ask.form)?.unwrap_or(SESSION_SECS),
        tags: tags(&ask.form),
    })
}

pub(super) fn update_role(ask: &Ask<'_>) -> Asked {
    Ok(Command::UpdateRole {
        name: owned(&ask.form, "RoleName")?,
        description: ask.form.given("Description").map(str::to_owned),
        max_session_secs: session_secs(&ask.form)?,
    })
}

pub(super) fn update_role_description(ask: &Ask<'_>) -> Asked {
    Ok(Command::UpdateRole {
        name: owned(&ask.form, "RoleName")?,
        description: Some(ask.form.get("Description").unwrap_or_default().to_owned()),
        max_session_secs: None,
    })
}

pub(super) fn update_trust(ask: &Ask<'_>) -> Asked {
    Ok(Command::UpdateTrust {
        name: owned(&ask.form, "RoleName")?,
        trust: owned(&ask.form, "PolicyDocument")?,
    })
}

pub(super) fn delete_role(ask: &Ask<'_>) -> Asked {
    let name = owned(&ask.form, "RoleName")?;
    Ok(Command::DeleteRole { name })
}

pub(super) fn create_policy(ask: &Ask<'_>) -> Asked {
    Ok(Command::CreatePolicy {
        path: path(&ask.form),
        name: owned(&ask.form, "PolicyName")?,
        description: ask.form.get("Description").unwrap_or_default().to_owned(),
        document: owned(&ask.form, "PolicyDocument")?,
        tags: tags(&ask.form),
    })
}

pub(super) fn delete_policy(ask: &Ask<'_>) -> Asked {
    let arn = owned(&ask.form, "PolicyArn")?;
    Ok(Command::DeletePolicy { arn })
}

pub(super) fn create_policy_version(ask: &Ask<'_>) -> Asked {
    Ok(Command::CreatePolicyVersion {
        arn: owned(&ask.form, "PolicyArn")?,
        document: owned(&ask.form, "PolicyDocument")?,
        set_default: ask.form.get("SetAsDefault") == Some("true"),
    })
}

pub(super) fn set_default_policy_version(ask: &Ask<'_>) -> Asked {
    Ok(Command::SetDefaultPolicyVersion {
        arn: owned(&ask.form, "PolicyArn")?,
        version: version(&ask.form)?,
    })
}

pub(super) fn delete_policy_version(ask: &Ask<'_>) -> Asked {
    Ok(Command::DeletePolicyVersion {
        arn: owned(&ask.form, "PolicyArn")?,
        version: version(&ask.form)?,
    })
}

pub(super) fn put_user_policy(ask: &Ask<'_>) -> Asked {
    put_inline(ask, user(ask)?)
}

pub(super) fn put_role_policy(ask: &Ask<'_>) -> Asked {
    put_inline(ask, role(ask)?)
}

pub(super) fn delete_user_policy(ask: &Ask<'_>) -> Asked {
    delete_inline(ask, user(ask)?)
}

pub(super) fn delete_role_policy(ask: &Ask<'_>) -> Asked {
    delete_inline(ask, role(ask)?)
}

pub(super) fn attach_user_policy(ask: &Ask<'_>) -> Asked {
    attach(ask, user(ask)?)
}

pub(super) fn attach_role_policy(ask: &Ask<'_>) -> Asked {
    attach(ask, role(ask)?)
}

pub(super) fn detach_user_policy(ask: &Ask<'_>) -> Asked {
    detach(ask, user(ask)?)
}

pub(super) fn detach_role_policy(ask: &Ask<'_>) -> Asked {
    detach(ask, role(ask)?)
}

pub(super) fn tag_user(ask: &Ask<'_>) -> Asked {
    Ok(tag(ask, Tagged::Holder(user(ask)?)))
}

pub(super) fn tag_role(ask: &Ask<'_>) -> Asked {
    Ok(tag(ask, Tagged::Holder(role(ask)?)))
}

pub(super) fn tag_policy(ask: &Ask<'_>) -> Asked {
    Ok(tag(ask, Tagged::Policy(owned(&ask.form, "PolicyArn")?)))
}

pub(super) fn tag_provider(ask: &Ask<'_>) -> Asked {
    Ok(tag(ask, Tagged::Provider(provider(ask)?)))
}

pub(super) fn untag_user(ask: &Ask<'_>) -> Asked {
    Ok(untag(ask, Tagged::Holder(user(ask)?)))
}

pub(super) fn untag_role(ask: &Ask<'_>) -> Asked {
    Ok(untag(ask, Tagged::Holder(role(ask)?)))
}

pub(super) fn untag_policy(ask: &Ask<'_>) -> Asked {
    Ok(untag(ask, Tagged::Policy(owned(&ask.form, "PolicyArn")?)))
}

pub(super) fn untag_provider(ask: &Ask<'_>) -> Asked {
    Ok(untag(ask, Tagged::Provider(provider(ask)?)))
}

pub(super) fn create_provider(ask: &Ask<'_>) -> Asked {
    Ok(Command::CreateProvider {
        url: owned(&ask.form, "Url")?,
        client_ids: list(&ask.form, "ClientIDList"),
        thumbprints: list(&ask.form, "ThumbprintList"),
        tags: tags(&ask.form),
    })
}

pub(super) fn delete_provider(ask: &Ask<'_>) -> Asked {
    let arn = provider(ask)?;
    Ok(Command::DeleteProvider { arn })
}

pub(super) fn add_client_id(ask: &Ask<'_>) -> Asked {
    Ok(Command::AddClientId {
        arn: provider(ask)?,
        client_id: owned(&ask.form, "ClientID")?,
    })
}

pub(super) fn remove_client_id(ask: &Ask<'_>) -> Asked {
    Ok(Command::RemoveClientId {
        arn: provider(ask)?,
        client_id: owned(&ask.form, "ClientID")?,
    })
}

pub(super) fn update_thumbprints(ask: &Ask<'_>) -> Asked {
    Ok(Command::UpdateThumbprints {
        arn: provider(ask)?,
        thumbprints: list(&ask.form, "ThumbprintList"),
    })
}

fn user(ask: &Ask<'_>) -> Result<Holder, AwsError> {
    Ok(Holder::User(owned(&ask.form, "UserName")?))
}

fn role(ask: &Ask<'_>) -> Result<Holder, AwsError> {
    Ok(Holder::Role(owned(&ask.form, "RoleName")?))
}

fn provider(ask: &Ask<'_>) -> Result<String, AwsError> {
    owned(&ask.form, "OpenIDConnectProviderArn")
}

fn put_inline(ask: &Ask<'_>, of: Holder) -> Asked {
    Ok(Command::PutInline {
        of,
        name: owned(&ask.form, "PolicyName")?,
        document: owned(&ask.form, "PolicyDocument")?,
    })
}

fn delete_inline(ask: &Ask<'_>, of: Holder) -> Asked {
    let name = owned(&ask.form, "PolicyName")?;
    Ok(Command::DeleteInline { of, name })
}

fn attach(ask: &Ask<'_>, of: Holder) -> Asked {
    let arn = owned(&ask.form, "PolicyArn")?;
    Ok(Command::Attach { of, arn })
}

fn detach(ask: &Ask<'_>, of: Holder) -> Asked {
    let arn = owned(&ask.form, "PolicyArn")?;
    Ok(Command::Detach { of, arn })
}

fn tag(ask: &Ask<'_>, of: Tagged) -> Command {
    let tags = tags(&ask.form);
    Command::Tag { of, tags }
}

fn untag(ask: &Ask<'_>, of: Tagged) -> Command {
    let keys = list(&ask.form, "TagKeys");
    Command::Untag { of, keys }
}

fn owned(form: &Form, name: &str) -> Result<String, AwsError> {
    form.need(name).map(str::to_owned)
}

fn path(form: &Form) -> String {
    form.get("Path").unwrap_or("/").to_owned()
}

fn tags(form: &Form) -> NewTags {
    let pairs = form.pairs("Tags", "Key", "Value").into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn list(form: &Form, name: &str) -> Vec<String> {
    form.list(name).into_iter().map(str::to_owned).collect()
}

fn session_secs(form: &Form) -> Result<Option<u32>, AwsError> {
    let Some(text) = form.get("MaxSessionDuration") else {
        return Ok(None);
    };
    let seconds = text.parse();
    Ok(Some(seconds.map_err(|_| {
        invalid(format!("MaxSessionDuration is a number of seconds, not {text}"))
    })?))
}

/// The number of a version, which is called `v1` and so on.
pub(super) fn version(form: &Form) -> Result<u32, AwsError> {
    let text = form.need("VersionId")?;
    let number = text
        .strip_prefix('v')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{text}' at 'versionId' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"
        ))
    })
}

/// A boundary that was taken and did not bound would be a lie.
fn no_boundary(form: &Form) -> Result<(), AwsError> {
    match form.get("PermissionsBoundary") {
        None => Ok(()),
        Some(_) => Err(AwsError::new(
            http::StatusCode::BAD_REQUEST,
            "InvalidInput",
            "Tidelock has no permissions boundaries; leave PermissionsBoundary out",
        )),
    }
}
