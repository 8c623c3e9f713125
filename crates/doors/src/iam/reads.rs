//! What is told of one thing.

use http::StatusCode;
use tidelock_core::{
    iam::IamError,
    limits::{
        IAM_ATTACHED_MAX, IAM_INLINE_ROLE_CHARS_MAX, IAM_INLINE_USER_CHARS_MAX, IAM_KEYS_PER_USER_MAX,
        IAM_POLICIES_MAX, IAM_POLICY_CHARS_MAX, IAM_POLICY_VERSIONS_MAX, IAM_ROLES_MAX, IAM_TRUST_CHARS_MAX,
        IAM_USERS_MAX,
    },
};

use super::{Ask, show};
use crate::{aws_common::error::AwsError, query::Xml};

type Told = Result<Xml, AwsError>;

pub(super) fn user(ask: &Ask<'_>) -> Told {
    let (user, mut xml) = (ask.user()?, Xml::default());
    xml.node("User", |xml| {
        show::user(xml, ask.account, user);
        show::some_tags(xml, &user.tags);
    });
    Ok(xml)
}

/// A user who was just made; only its own name counts, never the caller's.
pub(super) fn user_made(ask: &Ask<'_>) -> Told {
    ask.form.need("UserName")?;
    user(ask)
}

pub(super) fn user_policy(ask: &Ask<'_>) -> Told {
    ask.form.need("UserName")?;
    let (user, name) = (ask.user()?, ask.form.need("PolicyName")?);
    inline(("UserName", &user.name), name, user.inline.get(name), "user")
}

pub(super) fn role(ask: &Ask<'_>) -> Told {
    let (role, mut xml) = (ask.role()?, Xml::default());
    xml.node("Role", |xml| {
        show::role(xml, ask.account, role);
        show::some_tags(xml, &role.tags);
        xml.node("RoleLastUsed", |_| {});
    });
    Ok(xml)
}

pub(super) fn role_policy(ask: &Ask<'_>) -> Told {
    let (role, name) = (ask.role()?, ask.form.need("PolicyName")?);
    inline(("RoleName", &role.name), name, role.inline.get(name), "role")
}

fn inline(of: (&str, &str), name: &str, document: Option<&String>, word: &str) -> Told {
    let document = document.ok_or_else(|| {
        IamError::NoSuchEntity(format!("The {word} policy with name {name} cannot be found."))
    })?;
    let mut xml = Xml::default();
    xml.leaf(of.0, of.1);
    xml.leaf("PolicyName", name);
    show::document(&mut xml, "PolicyDocument", document);
    Ok(xml)
}

pub(super) fn provider(ask: &Ask<'_>) -> Told {
    let (provider, mut xml) = (ask.provider()?, Xml::default());
    xml.leaf("Url", &provider.url);
    texts(&mut xml, "ClientIDList", &provider.client_ids);
    texts(&mut xml, "ThumbprintList", &provider.thumbprints);
    show::time(&mut xml, "CreateDate", provider.created);
    show::some_tags(&mut xml, &provider.tags);
    Ok(xml)
}

/// A list of texts.
fn texts(xml: &mut Xml, name: &str, texts: &[String]) {
    xml.node(name, |xml| {
        for text in texts {
            xml.leaf("member", text);
        }
    });
}

pub(super) fn provider_made(ask: &Ask<'_>) -> Told {
    let url = ask.form.need("Url")?;
    let url = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
    let arn = format!("arn:aws:iam::{}:oidc-provider/{url}", ask.account);
    let provider = ask.directory.provider_of(&arn);
    let provider = provider.ok_or_else(|| IamError::no_provider(&arn))?;
    let mut xml = Xml::default();
    xml.leaf("OpenIDConnectProviderArn", &arn);
    show::some_tags(&mut xml, &provider.tags);
    Ok(xml)
}

/// The result of what has one without anything in it.
pub(super) fn nothing(_: &Ask<'_>) -> Told {
    Ok(Xml::default())
}

/// Answers for a kind of thing of which there is none here.
pub(super) fn no_such(ask: &Ask<'_>, field: &str, kind: &str) -> Told {
    let name = ask.form.need(field)?;
    Err(IamError::NoSuchEntity(format!("{kind} {name} cannot be found.")).into())
}

pub(super) fn no_login_profile(ask: &Ask<'_>) -> Told {
    let message = format!("Login Profile for User {} cannot be found.", ask.user()?.name);
    Err(AwsError::new(StatusCode::NOT_FOUND, "NoSuchEntity", message))
}

/// How many there are of what, and may be.
pub(super) fn summary(ask: &Ask<'_>) -> Told {
    let own = ask.own()?;
    let counts = [
        ("Users", own.users.len()),
        ("UsersQuota", IAM_USERS_MAX),
        ("Roles", own.roles.len()),
        ("RolesQuota", IAM_ROLES_MAX),
        ("Policies", own.policies.len()),
        ("PoliciesQuota", IAM_POLICIES_MAX),
        ("Providers", own.providers.len()),
        ("Groups", 0),
        ("InstanceProfiles", 0),
        ("MFADevices", 0),
        ("ServerCertificates", 0),
        ("AccessKeysPerUserQuota", IAM_KEYS_PER_USER_MAX),
        ("AttachedPoliciesPerUserQuota", IAM_ATTACHED_MAX),
        ("AttachedPoliciesPerRoleQuota", IAM_ATTACHED_MAX),
        ("VersionsPerPolicyQuota", IAM_POLICY_VERSIONS_MAX),
        ("PolicySizeQuota", IAM_POLICY_CHARS_MAX),
        ("UserPolicySizeQuota", IAM_INLINE_USER_CHARS_MAX),
        ("RolePolicySizeQuota", IAM_INLINE_ROLE_CHARS_MAX),
        ("AssumeRolePolicySizeQuota", IAM_TRUST_CHARS_MAX),
    ];
    let mut xml = Xml::default();
    xml.node("SummaryMap", |xml| {
        for (name, count) in counts {
            xml.node("entry", |xml| {
                xml.leaf("key", name);
                xml.leaf("value", &count.to_string());
            });
        }
    });
    Ok(xml)
}
