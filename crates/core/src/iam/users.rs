//! Users.

use super::{
    Change, Directory, Entity, EntityKind, IamError, Renamed, Tags, User,
    change::{Case, NewTags},
    folded, names,
};
use crate::limits::{IAM_NAME_CHARS_MAX, IAM_USERS_MAX};

pub(super) fn find<'a>(case: &'a Case<'_>, name: &str) -> Result<&'a User, IamError> {
    let user = case.account.users.get(&folded(name));
    user.map(AsRef::as_ref).ok_or_else(|| IamError::no_user(name))
}

pub(super) fn create(case: &Case<'_>, path: &str, name: &str, tags: &NewTags) -> Result<Change, IamError> {
    names::check_name(name, "userName", IAM_NAME_CHARS_MAX)?;
    names::check_path(path)?;
    check_free(case, name)?;
    if case.account.users.len() >= IAM_USERS_MAX {
        return Err(IamError::quota("UsersPerAccount", IAM_USERS_MAX));
    }
    let mut tagged = Tags::new();
    names::tag(&mut tagged, tags)?;
    Ok(case.put(Entity::User(User {
        path: path.to_owned(),
        name: name.to_owned(),
        id: names::unique_id("AIDA", case.random),
        created: case.now,
        tags: tagged,
        inline: Default::default(),
        attached: Vec::new(),
        keys: Vec::new(),
    })))
}

pub(super) fn update(
    case: &Case<'_>,
    name: &str,
    new_path: Option<&str>,
    new_name: Option<&str>,
) -> Result<Change, IamError> {
    let was = find(case, name)?;
    let mut user = was.clone();
    if let Some(path) = new_path {
        names::check_path(path)?;
        path.clone_into(&mut user.path);
    }
    if let Some(name) = new_name {
        names::check_name(name, "newUserName", IAM_NAME_CHARS_MAX)?;
        name.clone_into(&mut user.name);
    }
    let (old, new) = (folded(&was.name), folded(&user.name));
    if old != new {
        check_free(case, &user.name)?;
    }
    let account = &case.account.id;
    let renamed = Renamed {
        from: was.arn(account),
        to: user.arn(account),
        sessions: None,
    };
    let mut change = case.put(Entity::User(user));
    if old != new {
        change.removes.push((account.clone(), EntityKind::User, old));
    }
    Ok(match renamed.from == renamed.to {
        true => change,
        false => change.renaming(case.directory, renamed),
    })
}

pub(super) fn delete(case: &Case<'_>, name: &str) -> Result<Change, IamError> {
    let user = find(case, name)?;
    if !user.keys.is_empty() {
        return Err(in_the_way("must delete access keys first"));
    }
    if !user.attached.is_empty() {
        return Err(in_the_way("must detach all policies first"));
    }
    if !user.inline.is_empty() {
        return Err(in_the_way("must delete policies first"));
    }
    let renamed = Renamed {
        from: user.arn(&case.account.id),
        to: user.id.clone(),
        sessions: None,
    };
    let change = case.remove(EntityKind::User, folded(&user.name));
    Ok(change.renaming(case.directory, renamed))
}

pub(super) fn in_the_way(what: &str) -> IamError {
    IamError::DeleteConflict(format!("Cannot delete entity, {what}."))
}

fn check_free(case: &Case<'_>, name: &str) -> Result<(), IamError> {
    let is_taken =
        case.account.users.contains_key(&folded(name)) || Directory::is_operator(&case.account.id, name);
    match is_taken {
        true => Err(IamError::EntityAlreadyExists(format!(
            "User with name {name} already exists."
        ))),
        false => Ok(()),
    }
}
