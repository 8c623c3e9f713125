//! What users and roles have in common: inline policies, attached policies, tags.

use std::collections::BTreeMap;

use super::{
    AwsManaged, Change, Entity, IamError, Role, Tags, User,
    change::{Case, Holder, NewTags, Tagged},
    documents, names, policies, providers, roles, users,
};
use crate::limits::{
    IAM_ATTACHED_MAX, IAM_INLINE_ROLE_CHARS_MAX, IAM_INLINE_USER_CHARS_MAX, IAM_POLICY_NAME_CHARS_MAX,
};

/// A user or role that is being changed.
enum Held {
    User(User),
    Role(Role),
}

impl Held {
    fn find(case: &Case<'_>, of: &Holder) -> Result<Held, IamError> {
        Ok(match of {
            Holder::User(name) => Held::User(users::find(case, name)?.clone()),
            Holder::Role(name) => Held::Role(roles::find(case, name)?.clone()),
        })
    }

    fn inline(&mut self) -> &mut BTreeMap<String, String> {
        match self {
            Held::User(user) => &mut user.inline,
            Held::Role(role) => &mut role.inline,
        }
    }

    fn attached(&mut self) -> &mut Vec<String> {
        match self {
            Held::User(user) => &mut user.attached,
            Held::Role(role) => &mut role.attached,
        }
    }

    fn tags(&mut self) -> &mut Tags {
        match self {
            Held::User(user) => &mut user.tags,
            Held::Role(role) => &mut role.tags,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Held::User(_) => "user",
            Held::Role(_) => "role",
        }
    }

    fn name(&self) -> &str {
        match self {
            Held::User(user) => &user.name,
            Held::Role(role) => &role.name,
        }
    }

    fn put(self, case: &Case<'_>) -> Change {
        case.put(match self {
            Held::User(user) => Entity::User(user),
            Held::Role(role) => Entity::Role(role),
        })
    }
}

pub(super) fn put_inline(
    case: &Case<'_>,
    of: &Holder,
    name: &str,
    document: &str,
) -> Result<Change, IamError> {
    let mut held = Held::find(case, of)?;
    names::check_name(name, "policyName", IAM_POLICY_NAME_CHARS_MAX)?;
    documents::check_identity(document)?;
    held.inline().insert(name.to_owned(), document.to_owned());
    let max = match held {
        Held::User(_) => IAM_INLINE_USER_CHARS_MAX,
        Held::Role(_) => IAM_INLINE_ROLE_CHARS_MAX,
    };
    let size: usize = held
        .inline()
        .values()
        .map(|document| documents::counted(document))
        .sum();
    if size > max {
        return Err(IamError::LimitExceeded(format!(
            "Maximum policy size of {max} bytes exceeded for {} {}",
            held.word(),
            held.name()
        )));
    }
    Ok(held.put(case))
}

pub(super) fn delete_inline(case: &Case<'_>, of: &Holder, name: &str) -> Result<Change, IamError> {
    let mut held = Held::find(case, of)?;
    if held.inline().remove(name).is_none() {
        return Err(IamError::NoSuchEntity(format!(
            "The {} policy with name {name} cannot be found.",
            held.word()
        )));
    }
    Ok(held.put(case))
}

pub(super) fn attach(case: &Case<'_>, of: &Holder, arn: &str) -> Result<Change, IamError> {
    let mut held = Held::find(case, of)?;
    if AwsManaged::of(arn).is_none() && policies::find(case, arn).is_err() {
        let message = format!("Policy {arn} does not exist or is not attachable.");
        return Err(IamError::NoSuchEntity(message));
    }
    if held.attached().iter().any(|attached| attached == arn) {
        return Ok(Change::default());
    }
    if held.attached().len() >= IAM_ATTACHED_MAX {
        let of = match held {
            Held::User(_) => "PoliciesPerUser",
            Held::Role(_) => "PoliciesPerRole",
        };
        return Err(IamError::quota(of, IAM_ATTACHED_MAX));
    }
    held.attached().push(arn.to_owned());
    Ok(held.put(case))
}

pub(super) fn detach(case: &Case<'_>, of: &Holder, arn: &str) -> Result<Change, IamError> {
    let mut held = Held::find(case, of)?;
    let before = held.attached().len();
    held.attached().retain(|attached| attached != arn);
    match held.attached().len() == before {
        true => Err(IamError::no_policy(arn)),
        false => Ok(held.put(case)),
    }
}

pub(super) fn tag(case: &Case<'_>, of: &Tagged, tags: &NewTags) -> Result<Change, IamError> {
    retag(case, of, |tagged| names::tag(tagged, tags))
}

pub(super) fn untag(case: &Case<'_>, of: &Tagged, keys: &[String]) -> Result<Change, IamError> {
    retag(case, of, |tagged| {
        let gone: Vec<_> = keys.iter().map(|key| key.to_lowercase()).collect();
        tagged.retain(|key, _| !gone.contains(&key.to_lowercase()));
        Ok(())
    })
}

fn retag(
    case: &Case<'_>,
    of: &Tagged,
    change: impl FnOnce(&mut Tags) -> Result<(), IamError>,
) -> Result<Change, IamError> {
    Ok(match of {
        Tagged::Holder(of) => {
            let mut held = Held::find(case, of)?;
            change(held.tags())?;
            held.put(case)
        }
        Tagged::Policy(arn) => {
            let mut policy = policies::find(case, arn)?.clone();
            change(&mut policy.tags)?;
            case.put(Entity::Policy(policy))
        }
        Tagged::Provider(arn) => {
            let mut provider = providers::find(case, arn)?.clone();
            change(&mut provider.tags)?;
            case.put(Entity::Provider(provider))
        }
    })
}
