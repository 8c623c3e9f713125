//! Roles.

use super::{
    Change, Entity, EntityKind, IamError, Renamed, Role, Tags,
    change::{Case, NewTags},
    documents, folded, names,
    users::in_the_way,
};
use crate::limits::{IAM_NAME_CHARS_MAX, IAM_ROLES_MAX, IAM_SESSION_SECS_MAX, IAM_SESSION_SECS_MIN};

pub(super) fn find<'a>(case: &'a Case<'_>, name: &str) -> Result<&'a Role, IamError> {
    let role = case.account.roles.get(&folded(name));
    role.map(AsRef::as_ref).ok_or_else(|| IamError::no_role(name))
}

pub(super) fn create(
    case: &Case<'_>,
    (path, name): (&str, &str),
    trust: &str,
    (description, max_session_secs): (&str, u32),
    tags: &NewTags,
) -> Result<Change, IamError> {
    names::check_name(name, "roleName", IAM_NAME_CHARS_MAX)?;
    names::check_path(path)?;
    names::check_description(description)?;
    check_session(max_session_secs)?;
    let trust = documents::check_trust(trust, case.directory)?;
    if case.account.roles.contains_key(&folded(name)) {
        let message = format!("Role with name {name} already exists.");
        return Err(IamError::EntityAlreadyExists(message));
    }
    if case.account.roles.len() >= IAM_ROLES_MAX {
        return Err(IamError::quota("RolesPerAccount", IAM_ROLES_MAX));
    }
    let mut tagged = Tags::new();
    names::tag(&mut tagged, tags)?;
    Ok(case.put(Entity::Role(Role {
        path: path.to_owned(),
        name: name.to_owned(),
        id: names::unique_id("AROA", case.random),
        created: case.now,
        description: description.to_owned(),
        trust,
        max_session_secs,
        tags: tagged,
        inline: Default::default(),
        attached: Vec::new(),
    })))
}

pub(super) fn update(
    case: &Case<'_>,
    name: &str,
    description: Option<&str>,
    max_session_secs: Option<u32>,
) -> Result<Change, IamError> {
    let mut role = find(case, name)?.clone();
    if let Some(description) = description {
        names::check_description(description)?;
        description.clone_into(&mut role.description);
    }
    if let Some(seconds) = max_session_secs {
        check_session(seconds)?;
        role.max_session_secs = seconds;
    }
    Ok(case.put(Entity::Role(role)))
}

pub(super) fn update_trust(case: &Case<'_>, name: &str, trust: &str) -> Result<Change, IamError> {
    let mut role = find(case, name)?.clone();
    role.trust = documents::check_trust(trust, case.directory)?;
    Ok(case.put(Entity::Role(role)))
}

pub(super) fn delete(case: &Case<'_>, name: &str) -> Result<Change, IamError> {
    let role = find(case, name)?;
    if !role.attached.is_empty() {
        return Err(in_the_way("must detach all policies first"));
    }
    if !role.inline.is_empty() {
        return Err(in_the_way("must delete policies first"));
    }
    let account = &case.account.id;
    let renamed = Renamed {
        from: role.arn(account),
        to: role.id.clone(),
        sessions: Some(format!("arn:aws:sts::{account}:assumed-role/{}/", role.name)),
    };
    let change = case.remove(EntityKind::Role, folded(&role.name));
    Ok(change.renaming(case.directory, renamed))
}

fn check_session(seconds: u32) -> Result<(), IamError> {
    let (value, member) = (seconds.to_string(), "maxSessionDuration");
    if seconds < IAM_SESSION_SECS_MIN {
        let least = format!("have value greater than or equal to {IAM_SESSION_SECS_MIN}");
        return Err(IamError::constraint(&value, member, least));
    }
    if seconds > IAM_SESSION_SECS_MAX {
        let most = format!("have value less than or equal to {IAM_SESSION_SECS_MAX}");
        return Err(IamError::constraint(&value, member, most));
    }
    Ok(())
}
