//! Access keys of users.

use super::{AccessKey, Change, Entity, IamError, change::Case, users};
use crate::{Time, limits::IAM_KEYS_PER_USER_MAX};

pub(super) fn create(
    case: &Case<'_>,
    user: &str,
    id: &str,
    sealed: &str,
    expires: Option<Time>,
) -> Result<Change, IamError> {
    let mut user = users::find(case, user)?.clone();
    if user.keys.len() >= IAM_KEYS_PER_USER_MAX {
        return Err(IamError::quota("AccessKeysPerUser", IAM_KEYS_PER_USER_MAX));
    }
    if expires.is_some_and(|expires| expires <= case.now) {
        let message = "The access key would expire before it is used.";
        return Err(IamError::InvalidInput(message.to_owned()));
    }
    user.keys.push(AccessKey {
        id: id.to_owned(),
        sealed: sealed.to_owned(),
        active: true,
        created: case.now,
        expires,
    });
    Ok(case.put(Entity::User(user)))
}

pub(super) fn update(case: &Case<'_>, user: &str, id: &str, active: bool) -> Result<Change, IamError> {
    let mut user = users::find(case, user)?.clone();
    let key = user.keys.iter_mut().find(|key| key.id == id);
    key.ok_or_else(|| no_key(id))?.active = active;
    Ok(case.put(Entity::User(user)))
}

pub(super) fn delete(case: &Case<'_>, user: &str, id: &str) -> Result<Change, IamError> {
    let mut user = users::find(case, user)?.clone();
    let before = user.keys.len();
    user.keys.retain(|key| key.id != id);
    match user.keys.len() == before {
        true => Err(no_key(id)),
        false => Ok(case.put(Entity::User(user))),
    }
}

fn no_key(id: &str) -> IamError {
    IamError::NoSuchEntity(format!("The Access Key with id {id} cannot be found."))
}
