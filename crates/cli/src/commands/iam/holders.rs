//! What users and roles have in common: policies, and how they are deleted.

use std::io::Write;

use serde_json::Value;
use tidelock_core::{
    diff::visible,
    iam::{Command, Holder},
};

use super::{Account, Place, document};
use crate::{
    args::{Attach, Delete, Inline, InlineCommand, OneInline, PutInline},
    exit::{Failure, Status},
};

type OfKind = fn(String) -> Holder;

pub(super) fn attach(asked: Attach, kind: OfKind, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let arn = arn(&place.show()?, &asked.policy)?;
    let of = kind(asked.name.clone());
    place.ask(&Command::Attach { of, arn: arn.clone() })?;
    place.done(&format!("{} has {}.", visible(&asked.name), visible(&arn)), out)
}

pub(super) fn detach(asked: Attach, kind: OfKind, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    let arn = arn(&place.show()?, &asked.policy)?;
    let of = kind(asked.name.clone());
    place.ask(&Command::Detach { of, arn: arn.clone() })?;
    let said = format!("{} no longer has {}.", visible(&asked.name), visible(&arn));
    place.done(&said, out)
}

/// A policy by its ARN, or by its name among those of the account and then AWS's.
fn arn(account: &Account, policy: &str) -> Result<String, Failure> {
    if policy.starts_with("arn:") {
        return Ok(policy.to_owned());
    }
    let own = account.policies.iter().find(|own| own.name == policy);
    let of_aws = || {
        account
            .aws_policies
            .iter()
            .find(|arn| arn.rsplit('/').next() == Some(policy))
    };
    let found = own.map(|own| &own.arn).or_else(of_aws).cloned();
    found.ok_or_else(|| {
        let of_aws = account
            .aws_policies
            .iter()
            .filter_map(|arn| arn.rsplit('/').next());
        let known = account.policies.iter().map(|own| own.name.as_str()).chain(of_aws);
        let known = known.collect::<Vec<_>>().join(", ");
        Failure::new(
            Status::Refused,
            format!(
                "there is no policy {}; there are {}",
                visible(policy),
                visible(&known)
            ),
        )
    })
}

pub(super) fn inline(asked: Inline, kind: OfKind, out: &mut dyn Write) -> Result<(), Failure> {
    match asked.command {
        InlineCommand::Put(PutInline { one, file }) => {
            let place = Place::of(one.of)?;
            place.ask(&Command::PutInline {
                of: kind(one.name.clone()),
                name: one.policy.clone(),
                document: document(&file)?,
            })?;
            let said = format!("{} has its policy {}.", visible(&one.name), visible(&one.policy));
            place.done(&said, out)
        }
        InlineCommand::Show(one) => show_inline(one, kind, out),
        InlineCommand::Delete(one) => {
            let place = Place::of(one.of)?;
            let command = Command::DeleteInline {
                of: kind(one.name.clone()),
                name: one.policy.clone(),
            };
            place.ask(&command)?;
            let said = format!("{} no longer has {}.", visible(&one.name), visible(&one.policy));
            place.done(&said, out)
        }
    }
}

/// The document as it was put: it is to be edited and put again.
fn show_inline(one: OneInline, kind: OfKind, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(one.of)?;
    let account = place.show()?;
    let inline = match kind(one.name.clone()) {
        Holder::User(name) => account
            .users
            .iter()
            .find(|user| user.name.eq_ignore_ascii_case(&name))
            .map(|user| &user.inline),
        Holder::Role(name) => account
            .roles
            .iter()
            .find(|role| role.name.eq_ignore_ascii_case(&name))
            .map(|role| &role.inline),
    };
    let document = inline.and_then(|inline| inline.get(&one.policy)).ok_or_else(|| {
        let (name, policy) = (visible(&one.name), visible(&one.policy));
        Failure::new(
            Status::Refused,
            format!("{name} has no policy {policy} of its own"),
        )
    })?;
    match place.json {
        true => {
            let document: Value = serde_json::from_str(document).map_err(anyhow::Error::from)?;
            super::super::print_json(&document, out)
        }
        false => Ok(writeln!(out, "{}", document.trim_end())?),
    }
}

pub(super) fn delete_user(asked: Delete, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    if asked.force {
        let account = place.show()?;
        let mut users = account.users.iter();
        if let Some(user) = users.find(|user| user.name.eq_ignore_ascii_case(&asked.name)) {
            for key in &user.keys {
                place.ask(&Command::DeleteAccessKey {
                    user: user.name.clone(),
                    id: key.id.clone(),
                })?;
            }
            strip(
                &place,
                &Holder::User(user.name.clone()),
                &user.attached,
                user.inline.keys(),
            )?;
        }
    }
    let name = asked.name.clone();
    place.ask(&Command::DeleteUser { name })?;
    place.done(&format!("Deleted the user {}.", visible(&asked.name)), out)
}

pub(super) fn delete_role(asked: Delete, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    if asked.force {
        let account = place.show()?;
        let mut roles = account.roles.iter();
        if let Some(role) = roles.find(|role| role.name.eq_ignore_ascii_case(&asked.name)) {
            strip(
                &place,
                &Holder::Role(role.name.clone()),
                &role.attached,
                role.inline.keys(),
            )?;
        }
    }
    let name = asked.name.clone();
    place.ask(&Command::DeleteRole { name })?;
    place.done(&format!("Deleted the role {}.", visible(&asked.name)), out)
}

/// Takes all policies off.
fn strip<'a>(
    place: &Place,
    of: &Holder,
    attached: &[String],
    inline: impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    for arn in attached {
        let (of, arn) = (of.clone(), arn.clone());
        place.ask(&Command::Detach { of, arn })?;
    }
    for name in inline {
        let (of, name) = (of.clone(), name.clone());
        place.ask(&Command::DeleteInline { of, name })?;
    }
    Ok(())
}
