//! `tidelock keys`: access keys of users.

use std::{
    io::{self, Write},
    time::Duration,
};

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::{Time, diff::visible, iam::Command, limits::IAM_KEYS_PER_USER_MAX};
use zeroize::Zeroizing;

use super::{Key, Place, User};
use crate::{
    args::{CreateKey, Keys, KeysCommand, ListKeys, OneKey},
    exit::{Failure, Status},
};

/// A key that was just made.
#[derive(Deserialize, Serialize)]
struct Made {
    access_key_id: String,
    secret_access_key: String,
    expires_ms: Option<Time>,
}

impl Drop for Made {
    fn drop(&mut self) {
        drop(Zeroizing::new(std::mem::take(&mut self.secret_access_key)));
    }
}

pub(crate) fn run(arguments: Keys, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    match arguments.command {
        KeysCommand::List(asked) => list(asked, out),
        KeysCommand::Create(asked) => {
            let place = Place::of(asked.of)?;
            create(&place, &asked.user, asked.expires, out)
        }
        KeysCommand::Rotate(asked) => rotate(asked, out, err),
        KeysCommand::Disable(asked) => switch(asked, false, out),
        KeysCommand::Enable(asked) => switch(asked, true, out),
        KeysCommand::Delete(asked) => delete(asked, out),
    }
}

fn list(asked: ListKeys, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let account = place.show()?;
    let wanted = |user: &&User| {
        asked
            .user
            .as_ref()
            .is_none_or(|name| user.name.eq_ignore_ascii_case(name))
    };
    let users: Vec<_> = account.users.iter().filter(wanted).collect();
    if let (Some(name), true) = (&asked.user, users.is_empty()) {
        return Err(no_user(name));
    }
    let keys: Vec<_> = users
        .iter()
        .flat_map(|user| user.keys.iter().map(|key| (user.name.as_str(), key)))
        .collect();
    if place.json {
        let of = |(user, key): &(&str, &Key)| {
            json!({ "user": user, "id": key.id, "active": key.active, "created_ms": key.created_ms,
                    "expires_ms": key.expires_ms })
        };
        let keys: Vec<_> = keys.iter().map(of).collect();
        return super::super::print_json(&json!({ "keys": keys }), out);
    }
    writeln!(
        out,
        "{:<20}  {:<20}  {:<8}  {:<10}  EXPIRES",
        "KEY", "USER", "STATE", "MADE"
    )?;
    for (user, key) in keys {
        print(user, key, out)?;
    }
    Ok(())
}

fn print(user: &str, key: &Key, out: &mut dyn Write) -> io::Result<()> {
    let state = if key.active { "active" } else { "disabled" };
    let expires = key.expires_ms.map_or_else(|| "never".to_owned(), day);
    let (id, user, made) = (visible(&key.id), visible(user), day(key.created_ms));
    writeln!(out, "{id:<20}  {user:<20}  {state:<8}  {made:<10}  {expires}")
}

/// A day, as UTC has it.
fn day(Time(ms): Time) -> String {
    let time = jiff::Timestamp::from_millisecond(ms);
    time.map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn create(place: &Place, user: &str, expires: Option<Duration>, out: &mut dyn Write) -> Result<(), Failure> {
    let lasts = expires.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
    let asked = json!({ "account": place.account, "user": user, "expires_in_ms": lasts });
    let made: Made = place.admin.ask(Method::POST, "/admin/iam/key", Some(&asked))?;
    if place.json {
        return super::super::print_json(&made, out);
    }
    writeln!(out, "[default]")?;
    writeln!(out, "aws_access_key_id = {}", visible(&made.access_key_id))?;
    writeln!(
        out,
        "aws_secret_access_key = {}",
        visible(&made.secret_access_key)
    )?;
    if let Some(end) = made.expires_ms {
        writeln!(out, "# ends on {}", day(end))?;
    }
    Ok(())
}

/// The present key goes on working: whoever has it needs time to take the new one.
fn rotate(asked: CreateKey, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let account = place.show()?;
    let mut users = account.users.into_iter();
    let user = users.find(|user| user.name.eq_ignore_ascii_case(&asked.user));
    let user = user.ok_or_else(|| no_user(&asked.user))?;
    if user.keys.len() >= IAM_KEYS_PER_USER_MAX {
        let unused = user.keys.iter().find(|key| !key.active).ok_or_else(|| {
            let ids: Vec<_> = user.keys.iter().map(|key| key.id.as_str()).collect();
            let message = format!(
                "{} has two keys in use, {}; first: tidelock keys disable the one that nothing uses",
                visible(&user.name),
                visible(&ids.join(" and "))
            );
            Failure::new(Status::Refused, message)
        })?;
        place.ask(&Command::DeleteAccessKey {
            user: user.name.clone(),
            id: unused.id.clone(),
        })?;
    }
    create(&place, &user.name, asked.expires, out)?;
    let again = place.again();
    for old in user.keys.iter().filter(|key| key.active) {
        let id = visible(&old.id);
        writeln!(
            err,
            "next: give the new key to whoever has {id}, then: tidelock keys disable {id}{again}"
        )?;
    }
    Ok(())
}

fn switch(asked: OneKey, active: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let (user, id) = (owner(&place, &asked.id)?, asked.id.clone());
    place.ask(&Command::UpdateAccessKey { user, id, active })?;
    let state = if active { "active" } else { "disabled" };
    place.done(&format!("{} is {state}.", visible(&asked.id)), out)
}

fn delete(asked: OneKey, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let (user, id) = (owner(&place, &asked.id)?, asked.id.clone());
    place.ask(&Command::DeleteAccessKey { user, id })?;
    place.done(&format!("Deleted {}.", visible(&asked.id)), out)
}

/// Whose key it is.
fn owner(place: &Place, id: &str) -> Result<String, Failure> {
    let account = place.show()?;
    let mut users = account.users.into_iter();
    let owner = users.find(|user| user.keys.iter().any(|key| key.id == id));
    owner.map(|user| user.name).ok_or_else(|| {
        let message = format!(
            "no user of the account {} has the key {}",
            place.account,
            visible(id)
        );
        Failure::new(Status::Refused, message)
    })
}

fn no_user(name: &str) -> Failure {
    let message = format!(
        "there is no user {}; `tidelock users list` shows those there are",
        visible(name)
    );
    Failure::new(Status::Refused, message)
}
