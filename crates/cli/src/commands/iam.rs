//! `tidelock users`, `keys`, `roles` and `accounts`: who may ask the server for something, for those who do not write it in
//! Terraform.

mod holders;
mod keys;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidelock_core::{
    Time,
    diff::visible,
    iam::{Command, DEFAULT_ACCOUNT, Holder},
    limits::IAM_DOCUMENT_CHARS_MAX,
};

use crate::{
    admin::Admin,
    args::{Accounts, AccountsCommand, CreateUser, Of, Roles, RolesCommand, Trust, Users, UsersCommand},
    exit::{Failure, Status},
};
pub(crate) use keys::run as keys;

/// An account, as the server shows it.
#[derive(Deserialize, Serialize)]
struct Account {
    id: String,
    name: String,
    users: Vec<User>,
    roles: Vec<Role>,
    policies: Vec<Policy>,
    aws_policies: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct User {
    name: String,
    id: String,
    arn: String,
    created_ms: Time,
    tags: BTreeMap<String, String>,
    attached: Vec<String>,
    inline: BTreeMap<String, String>,
    keys: Vec<Key>,
}

#[derive(Deserialize, Serialize)]
struct Key {
    id: String,
    active: bool,
    created_ms: Time,
    expires_ms: Option<Time>,
}

#[derive(Deserialize, Serialize)]
struct Role {
    name: String,
    id: String,
    arn: String,
    created_ms: Time,
    description: String,
    max_session_secs: u32,
    trust: String,
    tags: BTreeMap<String, String>,
    attached: Vec<String>,
    inline: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
struct Policy {
    name: String,
    arn: String,
}

/// An account on a server.
struct Place {
    admin: Admin,
    account: String,
    json: bool,
}

impl Place {
    fn of(of: Of) -> Result<Place, Failure> {
        Ok(Place {
            admin: Admin::of(of.server)?,
            account: of.account,
            json: of.json,
        })
    }

    fn show(&self) -> Result<Account, Failure> {
        let account =
            percent_encoding::utf8_percent_encode(&self.account, percent_encoding::NON_ALPHANUMERIC);
        self.admin
            .ask(Method::GET, &format!("/admin/iam/account?id={account}"), None)
    }

    /// Has the server do it.
    fn ask(&self, command: &Command) -> Result<Value, Failure> {
        let asked = json!({ "account": self.account, "command": command });
        self.admin.ask(Method::POST, "/admin/iam/command", Some(&asked))
    }

    /// What the next command needs to be about the same account, with a space before it.
    fn again(&self) -> String {
        let of = match self.account == DEFAULT_ACCOUNT {
            true => String::new(),
            false => format!(" --account {}", visible(&self.account)),
        };
        of + &visible(&self.admin.again)
    }

    /// Says that it is done.
    fn done(&self, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
        match self.json {
            true => super::print_json(&json!({ "done": what }), out),
            false => Ok(writeln!(out, "{what}")?),
        }
    }
}

pub(crate) fn users(arguments: Users, out: &mut dyn Write) -> Result<(), Failure> {
    let user = Holder::User;
    match arguments.command {
        UsersCommand::List(of) => list_users(&Place::of(of)?, out),
        UsersCommand::Create(asked) => create_user(asked, out),
        UsersCommand::Delete(asked) => holders::delete_user(asked, out),
        UsersCommand::Attach(asked) => holders::attach(asked, user, out),
        UsersCommand::Detach(asked) => holders::detach(asked, user, out),
        UsersCommand::Policy(asked) => holders::inline(asked, user, out),
    }
}

pub(crate) fn roles(arguments: Roles, out: &mut dyn Write) -> Result<(), Failure> {
    let role = Holder::Role;
    match arguments.command {
        RolesCommand::List(of) => list_roles(&Place::of(of)?, out),
        RolesCommand::Create(asked) => {
            let place = Place::of(asked.of)?;
            place.ask(&Command::CreateRole {
                path: asked.path,
                trust: document(&asked.trust)?,
                description: asked.description,
                max_session_secs: u32::try_from(asked.max_session.as_secs()).unwrap_or(u32::MAX),
                tags: asked.tags,
                name: asked.name.clone(),
            })?;
            place.done(&format!("Made the role {}.", visible(&asked.name)), out)
        }
        RolesCommand::Trust(asked) => trust(asked, out),
        RolesCommand::Delete(asked) => holders::delete_role(asked, out),
        RolesCommand::Attach(asked) => holders::attach(asked, role, out),
        RolesCommand::Detach(asked) => holders::detach(asked, role, out),
        RolesCommand::Policy(asked) => holders::inline(asked, role, out),
    }
}

pub(crate) fn accounts(arguments: Accounts, out: &mut dyn Write) -> Result<(), Failure> {
    match arguments.command {
        AccountsCommand::List(asked) => {
            let listing: Value = Admin::of(asked.server)?.ask(Method::GET, "/admin/iam/accounts", None)?;
            if asked.json {
                return super::print_json(&listing, out);
            }
            writeln!(out, "{:<12}  {:>5}  {:>5}  NAME", "ACCOUNT", "USERS", "ROLES")?;
            for account in listing["accounts"].as_array().into_iter().flatten() {
                let text = |name: &str| visible(account[name].as_str().unwrap_or_default());
                let count = |name: &str| account[name].as_u64().unwrap_or_default();
                writeln!(
                    out,
                    "{:<12}  {:>5}  {:>5}  {}",
                    text("id"),
                    count("users"),
                    count("roles"),
                    text("name")
                )?;
            }
            Ok(())
        }
        AccountsCommand::Create(asked) => {
            let command = Command::CreateAccount {
                id: asked.id,
                name: asked.name,
            };
            let body = json!({ "command": command });
            let made: Value =
                Admin::of(asked.server)?.ask(Method::POST, "/admin/iam/command", Some(&body))?;
            if asked.json {
                return super::print_json(&made, out);
            }
            let id = visible(made["id"].as_str().unwrap_or_default());
            Ok(writeln!(out, "Made the account {id}.")?)
        }
    }
}

fn list_users(place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let account = place.show()?;
    if place.json {
        return super::print_json(&json!({ "users": account.users }), out);
    }
    if account.users.is_empty() {
        writeln!(out, "No users. next: tidelock users create NAME{}", place.again())?;
        return Ok(());
    }
    writeln!(out, "{:<20}  {:>4}  POLICIES", "USER", "KEYS")?;
    for user in &account.users {
        let policies = policies(&user.attached, &user.inline);
        let (name, keys) = (visible(&user.name), user.keys.len());
        writeln!(out, "{name:<20}  {keys:>4}  {policies}")?;
    }
    Ok(())
}

fn list_roles(place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let account = place.show()?;
    if place.json {
        return super::print_json(&json!({ "roles": account.roles }), out);
    }
    if account.roles.is_empty() {
        let again = place.again();
        writeln!(
            out,
            "No roles. next: tidelock roles create NAME --trust FILE{again}"
        )?;
        return Ok(());
    }
    writeln!(out, "{:<48}  POLICIES", "ROLE")?;
    for role in &account.roles {
        let policies = policies(&role.attached, &role.inline);
        writeln!(out, "{:<48}  {policies}", visible(&role.arn))?;
    }
    Ok(())
}

/// The names of policies, attached ones without what stands before their names.
fn policies(attached: &[String], inline: &BTreeMap<String, String>) -> String {
    let attached = attached
        .iter()
        .map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned());
    let inline = inline.keys().map(|name| format!("{name} (its own)"));
    let all: Vec<_> = attached.chain(inline).collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => visible(&all.join(", ")),
    }
}

fn create_user(asked: CreateUser, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    place.ask(&Command::CreateUser {
        path: asked.path,
        name: asked.name.clone(),
        tags: asked.tags,
    })?;
    let name = visible(&asked.name);
    let again = place.again();
    place.done(
        &format!("Made the user {name}. next: tidelock keys create {name}{again}"),
        out,
    )
}

fn trust(asked: Trust, out: &mut dyn Write) -> Result<(), Failure> {
    let place = Place::of(asked.of)?;
    place.ask(&Command::UpdateTrust {
        name: asked.name.clone(),
        trust: document(&asked.file)?,
    })?;
    place.done(
        &format!("Who may take {} has changed.", visible(&asked.name)),
        out,
    )
}

/// Reads a policy from a file, or from standard input for `-`.
fn document(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let max = IAM_DOCUMENT_CHARS_MAX as u64 + 1;
    let read = match path.to_str() {
        Some("-") => io::stdin().take(max).read_to_string(&mut text),
        _ => File::open(path).and_then(|file| file.take(max).read_to_string(&mut text)),
    };
    read.map_err(|why| Failure::new(Status::Usage, format!("cannot read {}: {why}", path.display())))?;
    Ok(text)
}
