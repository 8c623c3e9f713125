//! What is told of managed policies, an account's own and AWS's.

use tidelock_core::{
    Time,
    iam::{AWS_MANAGED, AwsManaged, IamError, ManagedPolicy},
};

use super::{
    Ask, changes,
    lists::{Page, is_under},
    show,
};
use crate::{
    aws_common::error::AwsError,
    query::{Xml, invalid},
};

type Told = Result<Xml, AwsError>;

/// When AWS made the first of its policies.
const AWS_MADE: Time = Time(1_423_247_986_000);

/// A policy, whoever keeps it.
enum Found<'a> {
    Own(&'a ManagedPolicy),
    OfAws(&'static AwsManaged),
}

impl Found<'_> {
    fn arn(&self, account: &str) -> String {
        match self {
            Found::Own(policy) => policy.arn(account),
            Found::OfAws(policy) => policy.arn(),
        }
    }

    fn path(&self) -> &str {
        match self {
            Found::Own(policy) => &policy.path,
            Found::OfAws(_) => "/",
        }
    }

    fn name(&self) -> &str {
        match self {
            Found::Own(policy) => &policy.name,
            Found::OfAws(policy) => policy.name,
        }
    }

    /// As lists show it.
    fn show(&self, xml: &mut Xml, ask: &Ask<'_>) {
        let arn = self.arn(ask.account);
        let attached = ask
            .directory
            .account(ask.account)
            .map_or(0, |own| own.attachments(&arn));
        let (id, default, created, updated) = match self {
            Found::Own(policy) => (policy.id.as_str(), policy.default, policy.created, policy.updated),
            Found::OfAws(policy) => (policy.id, 1, AWS_MADE, AWS_MADE),
        };
        xml.leaf("PolicyName", self.name());
        xml.leaf("PolicyId", id);
        xml.leaf("Arn", &arn);
        xml.leaf("Path", self.path());
        xml.leaf("DefaultVersionId", &format!("v{default}"));
        xml.leaf("AttachmentCount", &attached.to_string());
        xml.leaf("PermissionsBoundaryUsageCount", "0");
        xml.leaf("IsAttachable", "true");
        show::time(xml, "CreateDate", created);
        show::time(xml, "UpdateDate", updated);
    }

    /// As it is shown alone.
    fn show_all(&self, xml: &mut Xml, ask: &Ask<'_>) {
        self.show(xml, ask);
        match self {
            Found::Own(policy) => {
                let description = Some(policy.description.as_str());
                xml.maybe("Description", description.filter(|text| !text.is_empty()));
                show::some_tags(xml, &policy.tags);
            }
            Found::OfAws(policy) => xml.leaf("Description", policy.description),
        }
    }
}

fn find<'a>(ask: &'a Ask<'_>) -> Result<Found<'a>, AwsError> {
    match AwsManaged::of(ask.form.need("PolicyArn")?) {
        Some(policy) => Ok(Found::OfAws(policy)),
        None => Ok(Found::Own(ask.policy()?)),
    }
}

pub(super) fn policy(ask: &Ask<'_>) -> Told {
    let (found, mut xml) = (find(ask)?, Xml::default());
    xml.node("Policy", |xml| found.show_all(xml, ask));
    Ok(xml)
}

pub(super) fn made(ask: &Ask<'_>) -> Told {
    let name = ask.form.need("PolicyName")?;
    let own = &ask.own()?.policies;
    let made = own.get(&tidelock_core::iam::folded(name));
    let made = made.ok_or_else(|| IamError::no_policy(name))?;
    let mut xml = Xml::default();
    xml.node("Policy", |xml| Found::Own(made).show_all(xml, ask));
    Ok(xml)
}

pub(super) fn list(ask: &Ask<'_>) -> Told {
    let (with_aws, with_own) = match ask.form.get("Scope") {
        None | Some("All") => (true, true),
        Some("AWS") => (true, false),
        Some("Local") => (false, true),
        Some(other) => return Err(invalid(format!("Scope is All, AWS or Local, not {other}"))),
    };
    let own = ask.own()?;
    let of_aws = AWS_MANAGED.iter().filter(|_| with_aws).map(Found::OfAws);
    let local = own.policies.values().filter(|_| with_own);
    let mut all: Vec<_> = of_aws
        .chain(local.map(|policy| Found::Own(policy)))
        .filter(|found| is_under(&ask.form, found.path()))
        .map(|found| (found.arn(ask.account), found))
        .filter(|(arn, _)| ask.form.get("OnlyAttached") != Some("true") || own.attachments(arn) > 0)
        .collect();
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let page = Page::of(&ask.form, all.iter().map(|(arn, found)| (arn.as_str(), found)))?;
    let mut xml = Xml::default();
    xml.members("Policies", &page.items, |xml, found| found.show(xml, ask));
    page.end(&mut xml);
    Ok(xml)
}

/// A version: its number, whether it is in force, since when it is there.
fn show_version(xml: &mut Xml, document: Option<&str>, number: u32, is_default: bool, created: Time) {
    if let Some(document) = document {
        show::document(xml, "Document", document);
    }
    xml.leaf("VersionId", &format!("v{number}"));
    xml.leaf("IsDefaultVersion", if is_default { "true" } else { "false" });
    show::time(xml, "CreateDate", created);
}

pub(super) fn version(ask: &Ask<'_>) -> Told {
    let number = changes::version(&ask.form)?;
    let (document, is_default, created) = match find(ask)? {
        Found::Own(policy) => {
            let version = policy
                .versions
                .get(&number)
                .ok_or_else(|| no_version(ask, number))?;
            (
                version.document.as_str(),
                policy.default == number,
                version.created,
            )
        }
        Found::OfAws(policy) if number == 1 => (policy.document, true, AWS_MADE),
        Found::OfAws(_) => return Err(no_version(ask, number)),
    };
    let mut xml = Xml::default();
    xml.node("PolicyVersion", |xml| {
        show_version(xml, Some(document), number, is_default, created);
    });
    Ok(xml)
}

fn no_version(ask: &Ask<'_>, number: u32) -> AwsError {
    let arn = ask.form.get("PolicyArn").unwrap_or_default();
    let message = format!("Policy {arn} version v{number} does not exist or is not attachable.");
    IamError::NoSuchEntity(message).into()
}

/// The version that was just made: the one of the highest number.
pub(super) fn version_made(ask: &Ask<'_>) -> Told {
    let (policy, mut xml) = (ask.policy()?, Xml::default());
    let created = policy
        .versions
        .get(&policy.last)
        .map_or(policy.updated, |version| version.created);
    xml.node("PolicyVersion", |xml| {
        show_version(xml, None, policy.last, policy.default == policy.last, created);
    });
    Ok(xml)
}

pub(super) fn versions(ask: &Ask<'_>) -> Told {
    let versions: Vec<_> = match find(ask)? {
        Found::Own(policy) => policy
            .versions
            .iter()
            .rev()
            .map(|(number, version)| (*number, *number == policy.default, version.created))
            .collect(),
        Found::OfAws(_) => vec![(1, true, AWS_MADE)],
    };
    let mut xml = Xml::default();
    xml.members("Versions", versions, |xml, (number, is_default, created)| {
        show_version(xml, None, number, is_default, created);
    });
    xml.leaf("IsTruncated", "false");
    Ok(xml)
}

/// The users and roles that a policy is attached to.
pub(super) fn entities(ask: &Ask<'_>) -> Told {
    let arn = find(ask)?.arn(ask.account);
    let wanted = |kind| ask.form.get("EntityFilter").is_none_or(|filter| filter == kind);
    let has = |attached: &[String], path: &str| attached.contains(&arn) && is_under(&ask.form, path);
    let own = ask.own()?;
    let users = own
        .users
        .values()
        .filter(|user| wanted("User") && has(&user.attached, &user.path));
    let roles = own
        .roles
        .values()
        .filter(|role| wanted("Role") && has(&role.attached, &role.path));
    let keys = users
        .map(|user| (format!("user/{}", user.name), &user.name, &user.id))
        .chain(roles.map(|role| (format!("role/{}", role.name), &role.name, &role.id)));
    let mut all: Vec<_> = keys.collect();
    all.sort_unstable();
    let page = Page::of(&ask.form, all.iter().map(|one| (one.0.as_str(), one)))?;
    let mut xml = Xml::default();
    xml.node("PolicyGroups", |_| {});
    for (list, kind, prefix) in [("PolicyUsers", "User", "user/"), ("PolicyRoles", "Role", "role/")] {
        let of = page.items.iter().filter(|(key, ..)| key.starts_with(prefix));
        xml.members(list, of, |xml, (_, name, id)| {
            xml.leaf(&format!("{kind}Name"), name);
            xml.leaf(&format!("{kind}Id"), id);
        });
    }
    page.end(&mut xml);
    Ok(xml)
}
