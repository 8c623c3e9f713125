//! Which actions on which resources an operation of DynamoDB is, and the condition keys that it brings.
//!
//! Source: "Actions, resources, and condition keys for Amazon DynamoDB" in the Service Authorization Reference, and "Using
//! IAM policy conditions for fine-grained access control" in the developer guide.

use base64::{Engine, engine::general_purpose::STANDARD};
use tidelock_core::Address;

use super::{
    error::Error,
    items::{DIGEST_SUFFIX, Items},
    naming::split,
    request::Request,
    table::LOCK_ID,
    value::{Item, Value},
};
use crate::{
    access::{Access, Ask, Denied, Owner, bucket_owner, object_arn},
    audit::Touched,
};

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        Error::AccessDenied(denied.to_string())
    }
}

/// Refuses an operation on tables whose caller may not do it. Those on items are asked for where their keys are known.
///
/// # Errors
/// `AccessDeniedException`; `ExpiredTokenException` for a session that has ended.
pub(super) async fn may(access: &Access, operation: &str, request: &Request) -> Result<(), Error> {
    if access.is_over(None).await? {
        return Err(Error::ExpiredToken);
    }
    let action = format!("dynamodb:{operation}");
    let tables = match operation {
        "RestoreTableToPointInTime" => restored(request),
        _ => named(operation, request).into_iter().collect(),
    };
    if tables.is_empty() {
        let owner = Owner::account(access.account());
        return Ok(access.may(&Ask::new(action, "*", &owner))?);
    }
    for table in &tables {
        let owner = Owner::account(split(table).0);
        access.may(&Ask::new(action.clone(), arn(access, table), &owner))?;
    }
    Ok(())
}

/// The tables that a restore is about: the one it reads, and the one it makes.
fn restored(request: &Request) -> Vec<String> {
    let members = ["SourceTableArn", "SourceTableName", "TargetTableName"];
    let named = members.into_iter().filter_map(|member| {
        let name = request.text(member).ok().flatten()?;
        request.home.stored(name, member).ok()
    });
    named.collect()
}

/// Refuses an operation on the items of a table that is not there, unless the caller may know that.
///
/// # Errors
/// `AccessDeniedException`.
pub(super) fn may_miss(access: &Access, operation: &str, stored: &str) -> Result<(), Error> {
    let owner = Owner::account(split(stored).0);
    let ask = Ask::new(format!("dynamodb:{operation}"), arn(access, stored), &owner);
    Ok(access.may(&ask)?)
}

/// The table that an operation is about: the name under which it is stored. Each reads one member alone, and so must this,
/// or a request could name one table here and another there.
fn named(operation: &str, request: &Request) -> Option<String> {
    match operation {
        "ListTagsOfResource" | "TagResource" | "UntagResource" | "GetResourcePolicy" => {
            let arn = request.text("ResourceArn").ok().flatten()?;
            request.home.stored(arn, "ResourceArn").ok()
        }
        _ => request.table_name().ok(),
    }
}

fn arn(access: &Access, stored: &str) -> String {
    let (account, name) = split(stored);
    format!("arn:aws:dynamodb:{}:{account}:table/{name}", access.region())
}

impl Items<'_> {
    /// Refuses an operation on the items with these keys, or on all there are.
    ///
    /// # Errors
    /// `AccessDeniedException`; `ExpiredTokenException` for a session that has ended and holds no lock here.
    pub(super) async fn may(&self, operation: &str, keys: &[&Item]) -> Result<(), Error> {
        for key in keys {
            self.access.touches(Touched::at(self.shown(key)));
        }
        let states: Vec<Address> = keys.iter().filter_map(|key| self.state(key)).collect();
        let only = states.first().filter(|_| keys.len() == 1);
        if self.access.is_over(only).await? {
            return Err(Error::ExpiredToken);
        }
        let own = self.owner();
        let on_items = self.ask(operation, keys, &own);
        if states.len() < keys.len() || states.is_empty() {
            self.access.may(&on_items)?;
        }
        for state in &states {
            let owner = bucket_owner(self.access, state.bucket()).await?;
            let asks = [on_items.clone(), Ask::on_state("tidelock:Lock", state, &owner)];
            match operation {
                // Whose the state is has no say in the tables of others.
                _ if !self.is_home(&owner) && !self.is_own() => self.access.may(&on_items)?,
                "DeleteItem" => {
                    let force = Ask::on_state("tidelock:ForceUnlock", state, &owner);
                    self.access.may_release(&asks, force)?;
                }
                _ => self.access.may_any(&asks)?,
            }
            self.may_state(operation, state, &owner)?;
        }
        Ok(())
    }

    /// Refuses whoever has no right on the state itself, since one lock table is as good as another: whoever may make tables
    /// would else lock, and unlock, the states of everybody. Every client that locks a state reads it; across accounts it
    /// has to be one that writes it.
    fn may_state(&self, operation: &str, state: &Address, owner: &Owner) -> Result<(), Error> {
        if owner.absent {
            return Ok(());
        }
        let own = |action| Ask::on_state(action, state, owner);
        let file = |action| Ask::new(action, lock_file(state), owner);
        let mut asks = vec![own("s3:PutObject"), file("s3:PutObject"), own("tidelock:Lock")];
        if self.is_home(owner) || matches!(operation, "GetItem" | "BatchGetItem" | "Query") {
            asks.insert(0, own("s3:GetObject"));
        }
        if operation == "DeleteItem" {
            asks.extend([file("s3:DeleteObject"), own("tidelock:ForceUnlock")]);
        }
        let allowed = asks
            .iter()
            .find(|ask| self.access.allows(std::slice::from_ref(*ask)));
        Ok(self.access.may(allowed.unwrap_or(&asks[0]))?)
    }

    /// Whether the caller may see the digest that stands under this key.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) async fn may_see(&self, key: &Item) -> Result<bool, Error> {
        let Some(state) = self.state(key) else {
            return Ok(true);
        };
        let owner = bucket_owner(self.access, state.bucket()).await?;
        Ok(owner.absent || self.is_home(&owner) || {
            let read = Ask::on_state("s3:GetObject", &state, &owner);
            self.access.allows(&[read])
        })
    }

    /// Whether the table is of the account whose the state is.
    fn is_home(&self, owner: &Owner) -> bool {
        split(&self.table.name).0 == owner.account
    }

    /// Whether the table is of the caller's account.
    fn is_own(&self) -> bool {
        split(&self.table.name).0 == self.access.account()
    }

    /// Refuses a search through the items, or through those of one hash key.
    ///
    /// # Errors
    /// As [`Items::may`].
    pub(super) async fn may_search(&self, operation: &str, leading: Option<&Item>) -> Result<(), Error> {
        if self.access.is_over(None).await? {
            return Err(Error::ExpiredToken);
        }
        let own = self.owner();
        let keys: Vec<&Item> = leading.into_iter().collect();
        self.access.may(&self.ask(operation, &keys, &own))?;
        if let Some(state) = leading.and_then(|key| self.state(key)) {
            let owner = bucket_owner(self.access, state.bucket()).await?;
            self.may_state(operation, &state, &owner)?;
        }
        Ok(())
    }

    /// Whether the caller may end a lock that is another's.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) async fn may_force(&self, address: &Address, key: &Item) -> Result<bool, Error> {
        let own = self.owner();
        let owner = bucket_owner(self.access, address.bucket()).await?;
        let delete = match owner.absent || self.is_home(&owner) {
            true => self.ask("DeleteItem", &[key], &own),
            false => Ask::new("s3:DeleteObject", lock_file(address), &owner),
        };
        Ok(self
            .access
            .allows(&[delete, Ask::on_state("tidelock:ForceUnlock", address, &owner)]))
    }

    fn owner(&self) -> Owner {
        Owner::account(split(&self.table.name).0)
    }

    fn ask<'a>(&self, operation: &str, keys: &[&Item], owner: &'a Owner) -> Ask<'a> {
        let ask = Ask::new(
            format!("dynamodb:{operation}"),
            arn(self.access, &self.table.name),
            owner,
        );
        let hash = &self.description.key.hash.name;
        let leading = keys.iter().filter_map(|key| key.get(hash)).map(text);
        leading.fold(ask, |ask, value| ask.with("dynamodb:LeadingKeys", value))
    }

    /// The state that an item of a lock table is about: as its lock, or as its digest.
    fn state(&self, key: &Item) -> Option<Address> {
        if !self.description.is_lock_table() {
            return None;
        }
        let Some(Value::S(id)) = key.get(LOCK_ID) else {
            return None;
        };
        Address::parse(id.strip_suffix(DIGEST_SUFFIX).unwrap_or(id)).ok()
    }
}

/// The ARN of a state's lock file.
fn lock_file(state: &Address) -> String {
    object_arn(state.bucket(), &format!("{}.tflock", state.key()))
}

/// A key's value as policies write it.
fn text(value: &Value) -> String {
    match value {
        Value::S(text) => text.clone(),
        Value::N(number) => number.to_string(),
        Value::B(bytes) => STANDARD.encode(bytes),
        // No other type can be a key.
        _ => String::new(),
    }
}
