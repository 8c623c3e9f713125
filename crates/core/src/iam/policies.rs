//! Policies that an account makes, and their versions.

use super::{
    AwsManaged, Change, Entity, EntityKind, IamError, ManagedPolicy, PolicyVersion, Tags,
    change::{Case, NewTags},
    documents, folded, names,
};
use crate::limits::{
    IAM_POLICIES_MAX, IAM_POLICY_CHARS_MAX, IAM_POLICY_NAME_CHARS_MAX, IAM_POLICY_VERSIONS_MAX,
};

/// A policy of the case's own account.
pub(super) fn find<'a>(case: &'a Case<'_>, arn: &str) -> Result<&'a ManagedPolicy, IamError> {
    let own = arn.starts_with(&format!("arn:aws:iam::{}:", case.account.id));
    let policy = case.directory.policy_of(arn).filter(|_| own);
    policy.ok_or_else(|| IamError::no_policy(arn))
}

/// The same, to change it.
fn changeable(case: &Case<'_>, arn: &str) -> Result<ManagedPolicy, IamError> {
    if AwsManaged::is_arn(arn) {
        let message = format!("Policy {arn} is managed by AWS and cannot be changed.");
        return Err(IamError::AccessDenied(message));
    }
    find(case, arn).cloned()
}

pub(super) fn create(
    case: &Case<'_>,
    (path, name): (&str, &str),
    description: &str,
    document: &str,
    tags: &NewTags,
) -> Result<Change, IamError> {
    names::check_name(name, "policyName", IAM_POLICY_NAME_CHARS_MAX)?;
    names::check_path(path)?;
    names::check_description(description)?;
    check_document(document)?;
    if case.account.policies.contains_key(&folded(name)) {
        return Err(IamError::EntityAlreadyExists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if case.account.policies.len() >= IAM_POLICIES_MAX {
        return Err(IamError::quota("PoliciesPerAccount", IAM_POLICIES_MAX));
    }
    let mut tagged = Tags::new();
    names::tag(&mut tagged, tags)?;
    let first = PolicyVersion {
        document: document.to_owned(),
        created: case.now,
    };
    Ok(case.put(Entity::Policy(ManagedPolicy {
        path: path.to_owned(),
        name: name.to_owned(),
        id: names::unique_id("ANPA", case.random),
        created: case.now,
        updated: case.now,
        description: description.to_owned(),
        tags: tagged,
        versions: [(1, first)].into(),
        default: 1,
        last: 1,
    })))
}

pub(super) fn delete(case: &Case<'_>, arn: &str) -> Result<Change, IamError> {
    let policy = changeable(case, arn)?;
    if case.account.attachments(arn) > 0 {
        let message = "Cannot delete a policy attached to entities.";
        return Err(IamError::DeleteConflict(message.to_owned()));
    }
    if policy.versions.len() > 1 {
        let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                       versions. The default version is deleted with the policy.";
        return Err(IamError::DeleteConflict(message.to_owned()));
    }
    Ok(case.remove(EntityKind::Policy, folded(&policy.name)))
}

pub(super) fn create_version(
    case: &Case<'_>,
    arn: &str,
    document: &str,
    set_default: bool,
) -> Result<Change, IamError> {
    let mut policy = changeable(case, arn)?;
    check_document(document)?;
    if policy.versions.len() >= IAM_POLICY_VERSIONS_MAX {
        return Err(IamError::LimitExceeded(format!(
            "A managed policy can have up to {IAM_POLICY_VERSIONS_MAX} versions. Before you create a new version, you must \
             delete an existing version."
        )));
    }
    policy.last = policy.last.saturating_add(1);
    let version = PolicyVersion {
        document: document.to_owned(),
        created: case.now,
    };
    policy.versions.insert(policy.last, version);
    if set_default {
        policy.default = policy.last;
    }
    Ok(put(case, policy))
}

pub(super) fn set_default(case: &Case<'_>, arn: &str, version: u32) -> Result<Change, IamError> {
    let mut policy = changeable(case, arn)?;
    check_version(&policy, arn, version)?;
    policy.default = version;
    Ok(put(case, policy))
}

pub(super) fn delete_version(case: &Case<'_>, arn: &str, version: u32) -> Result<Change, IamError> {
    let mut policy = changeable(case, arn)?;
    check_version(&policy, arn, version)?;
    if policy.default == version {
        let message = "Cannot delete the default version of a policy.";
        return Err(IamError::DeleteConflict(message.to_owned()));
    }
    policy.versions.remove(&version);
    Ok(put(case, policy))
}

fn put(case: &Case<'_>, mut policy: ManagedPolicy) -> Change {
    policy.updated = case.now;
    case.put(Entity::Policy(policy))
}

fn check_version(policy: &ManagedPolicy, arn: &str, version: u32) -> Result<(), IamError> {
    match policy.versions.contains_key(&version) {
        true => Ok(()),
        false => Err(IamError::NoSuchEntity(format!(
            "Policy {arn} version v{version} does not exist or is not attachable."
        ))),
    }
}

fn check_document(document: &str) -> Result<(), IamError> {
    documents::check_identity(document)?;
    match documents::counted(document) <= IAM_POLICY_CHARS_MAX {
        true => Ok(()),
        false => Err(IamError::quota("PolicySize", IAM_POLICY_CHARS_MAX)),
    }
}
