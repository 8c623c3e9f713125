//! Items as the door shows and writes them: plain ones, the views of locks, and the digests of states.
//!
//! In a lock table the item `LockID = ADDRESS` is the lock of that address, through whichever door it was taken, and
//! `LockID = ADDRESS-md5` shows the digest of the state that is kept here, so that it cannot drift (DESIGN 4.5).

use std::sync::OnceLock;

use bytes::Bytes;
use tidelock_core::{
    Address, Caller, Facet, Lock, LockId, LockInfo,
    decide::{Release, Released},
    limits::CONFLICT_RETRIES_MAX,
};
use tidelock_service::{ItemChange, ItemError, ItemRow, LockRequest, Locking, Service, Table, described};

use super::{
    access,
    error::{Error, invalid},
    naming::split,
    table::{Description, LOCK_ID},
    value::{Item, Value, item_from_json, item_to_json},
    write::{Action, Decision, Write},
};
use crate::{access::Access, audit::Touched, untold::Untold};

/// What Terraform calls the holder's description in a lock item.
const INFO: &str = "Info";
/// What Terraform calls the MD5 in a digest item.
const DIGEST: &str = "Digest";
/// What Terraform adds to an address for its digest item.
pub(super) const DIGEST_SUFFIX: &str = "-md5";

/// One table, opened for one caller.
pub(crate) struct Items<'a> {
    pub(crate) service: &'a Service,
    pub(crate) caller: &'a Caller,
    pub(crate) access: &'a Access,
    pub(crate) table: Table,
    pub(crate) description: Description,
    /// What the client's SDK names the call by.
    pub(crate) invocation: Option<String>,
    /// The lock that the call has been granted.
    pub(crate) granted: OnceLock<Untold>,
}

/// How a write of a plain item went.
enum Plain {
    /// Done, with the attributes of the answer.
    Done(Option<Item>),
    /// Not at all: the item has become a lock.
    LockTaken,
}

fn not_found() -> Error {
    Error::ResourceNotFound("Requested resource not found".to_owned())
}

impl<'a> Items<'a> {
    /// Opens a table for an operation on its items.
    pub(crate) async fn open(
        service: &'a Service,
        access: &'a Access,
        operation: &str,
        name: &str,
    ) -> Result<Items<'a>, Error> {
        let table = match service.table(name).await {
            Ok(table) if !table.closing && !table.restoring => table,
            Ok(_) | Err(tidelock_service::Error::NoSuchTable(_)) => {
                access::may_miss(access, operation, name)?;
                return Err(not_found());
            }
            Err(other) => return Err(other.into()),
        };
        let description = describe(&table)?;
        Ok(Items {
            service,
            caller: access.caller(),
            access,
            table,
            description,
            invocation: None,
            granted: OnceLock::new(),
        })
    }

    /// What its clients call the table.
    pub(crate) fn name(&self) -> &str {
        split(&self.table.name).1
    }

    /// The item with this key, as this caller sees it.
    pub(crate) async fn get(&self, key: &Item) -> Result<Option<Item>, Error> {
        if let Some(address) = self.lock_address(key)
            && let Some(lock) = self
                .service
                .look(&address, self.caller, &self.facet(&address))
                .await?
        {
            return Ok(Some(self.lock_item(&address, &lock)));
        }
        let row = self.service.item(&self.table, &self.row(key)).await?;
        let stored = row.as_ref().map(plain).transpose()?.flatten();
        let digest = self.digest(key).await?;
        Ok(with_digest(key, stored, digest))
    }

    /// A stored row as a listing shows it; a lock that has just ended is gone.
    pub(crate) async fn show(&self, row: &ItemRow) -> Result<Option<Item>, Error> {
        let stored = plain(row)?;
        let key = match (row, &stored) {
            (ItemRow::Lock(address), _) => lock_key(address),
            (ItemRow::Item(_), Some(item)) => self.description.key.key_of(item),
            (ItemRow::Item(_), None) => return Ok(None),
        };
        if let Some(address) = self.lock_address(&key)
            && let Some(lock) = self.held(&address).await?
        {
            return Ok(Some(self.lock_item(&address, &lock)));
        }
        let digest = match self.may_see(&key).await? {
            true => self.digest(&key).await?,
            false => None,
        };
        Ok(with_digest(&key, stored, digest))
    }

    /// Does a write; the attributes of the answer, if it asked for any.
    pub(crate) async fn write(&self, write: &Write) -> Result<Option<Item>, Error> {
        let address = self.lock_address(&write.key);
        if let (Action::Put(item), Some(address)) = (&write.action, &address)
            && let Some((id, info)) = lock_of(item)
        {
            return self.take_lock(write, address, id, info).await;
        }
        let looked = match (&write.action, &address) {
            // A condition says better than a look what is meant.
            (Action::Delete, Some(address)) if write.is_unconditional() => {
                self.service.take_look(address, self.caller)
            }
            _ => None,
        };
        for _ in 0..CONFLICT_RETRIES_MAX {
            let lock = match &address {
                Some(address) => self.held(address).await?.map(|lock| (address, lock)),
                None => None,
            };
            let Some((address, lock)) = lock else {
                match self.write_plain(write).await {
                    Ok(Plain::Done(attributes)) => return Ok(attributes),
                    Ok(Plain::LockTaken) => continue,
                    Err(Error::ConditionalCheckFailed(None))
                        if self.gave_back(address.as_ref(), write).await? =>
                    {
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                }
            };
            if matches!(write.action, Action::Delete) {
                // What the caller means to delete is gone already, and what is there now is another's.
                let another = looked.as_ref().is_some_and(|looked| *looked != lock.id);
                if another || self.repeats_release(address).await? {
                    return Ok(None);
                }
            }
            if lock.is_freeze() {
                return refuse_thaw(address, &lock);
            }
            let view = self.lock_item(address, &lock);
            let Decision { attributes, .. } = write.decide(Some(&view))?;
            match write.action {
                Action::Delete if self.give_back(address, &lock).await? => return Ok(attributes),
                Action::Delete => {}
                Action::Put(_) | Action::Update(_) => return refuse_overwrite(address, &lock),
            }
        }
        Err(Error::Unavailable(
            "The lock keeps changing hands; try again".to_owned(),
        ))
    }

    /// A put of a lock item takes the lock. The condition is judged while nobody holds it: held by the same ID the
    /// put is a repetition and succeeds, held by another it fails, whatever the condition says.
    async fn take_lock(
        &self,
        write: &Write,
        address: &Address,
        id: LockId,
        info: &str,
    ) -> Result<Option<Item>, Error> {
        let held = self.held(address).await?;
        let mut attributes = None;
        if held.is_none() {
            let row = self.service.item(&self.table, &self.row(&write.key)).await?;
            let stored = row.as_ref().map(plain).transpose()?.flatten();
            attributes = write.decide(stored.as_ref())?.attributes;
        }
        let wanted = LockRequest {
            id,
            info: info.to_owned(),
            facet: self.facet(address),
            caller: self.caller.clone(),
        };
        match self.service.acquire(address, &wanted).await {
            Ok(Locking::Granted(grant)) => {
                self.access.touches(Touched::lock_of(address, &wanted.id));
                // One call puts one lock item; a batch of them answers for its first.
                let _ = self.granted.set(Untold::new(*grant));
                Ok(attributes)
            }
            Ok(Locking::Refused { held }) => Err(write.failed(Some(&self.lock_item(address, &held)))),
            Err(tidelock_service::Error::Occupied) => invalid(format!(
                "The lock of {address} cannot be taken: the item {address} exists and is not a lock; delete it first"
            )),
            Err(other) => Err(other.into()),
        }
    }

    async fn held(&self, address: &Address) -> Result<Option<Lock>, Error> {
        let facet = self.facet(address);
        Ok(self.service.held(address, self.caller, &facet).await?)
    }

    /// Whether the lock that was seen is given back; if not, it has changed meanwhile.
    async fn give_back(&self, address: &Address, seen: &Lock) -> Result<bool, Error> {
        let may_force = self.may_force(address, &lock_key(address)).await?;
        let release = Release {
            id: Some(seen.id.clone()),
            facet: self.facet(address),
            caller: self.caller.clone(),
            invocation: self.invocation.clone(),
            may_force,
        };
        match self.service.release(address, &release).await? {
            Released::Free | Released::FacetOff => {
                self.access.touches(Touched::lock_of(address, &seen.id));
                Ok(true)
            }
            Released::Refused { held } if held.id == seen.id => refuse_force(address, &held),
            Released::NotHeld | Released::Refused { .. } => Ok(false),
        }
    }

    /// Whether this call is the retry of one that gave a lock of the address back, and whose answer was lost: what is
    /// held now is another's.
    async fn repeats_release(&self, address: &Address) -> Result<bool, Error> {
        match &self.invocation {
            Some(invocation) => Ok(self.service.was_released_by(address, invocation).await?),
            None => Ok(false),
        }
    }

    /// Whether a delete under the condition of a lock's info repeats the release of that lock, whose answer was lost.
    async fn gave_back(&self, address: Option<&Address>, write: &Write) -> Result<bool, Error> {
        let (Some(address), Action::Delete) = (address, &write.action) else {
            return Ok(false);
        };
        if self
            .service
            .item(&self.table, &self.row(&write.key))
            .await?
            .is_some()
        {
            return Ok(false);
        }
        for info in write.texts() {
            let Ok((_, id)) = LockInfo::parse(info.as_bytes()) else {
                continue;
            };
            let mut view = lock_key(address);
            view.insert(INFO.to_owned(), Value::S(info.to_owned()));
            let release = Release {
                id: Some(id),
                facet: self.facet(address),
                caller: self.caller.clone(),
                invocation: None,
                may_force: false,
            };
            if write.check(Some(&view)).is_ok()
                && matches!(
                    self.service.release(address, &release).await?,
                    Released::Free | Released::FacetOff
                )
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn write_plain(&self, write: &Write) -> Result<Plain, Error> {
        let digest = self.digest(&write.key).await?;
        let key = self.row(&write.key);
        let changed = self.service.change_item(&self.table, &key, |row| {
            if let Some(ItemRow::Lock(_)) = row {
                return Ok((ItemChange::Keep, Plain::LockTaken));
            }
            let stored = row.map(plain).transpose()?.flatten();
            let current = with_digest(&write.key, stored, digest.clone());
            let Decision { next, attributes } = write.decide(current.as_ref())?;
            let change = match next {
                Some(item) => ItemChange::Put(encode(&item)),
                None if row.is_none() => ItemChange::Keep,
                None => ItemChange::Delete,
            };
            Ok((change, Plain::Done(attributes)))
        });
        changed.await.map_err(|error| match error {
            ItemError::Door(error) => error,
            ItemError::Service(tidelock_service::Error::NoSuchTable(_)) => not_found(),
            ItemError::Service(error) => error.into(),
        })
    }

    /// The bytes the item with this key is stored under.
    pub(crate) fn row(&self, key: &Item) -> Vec<u8> {
        self.description.key.key_bytes(key)
    }

    /// The address whose lock the item with this key is, if it can be one.
    fn lock_address(&self, key: &Item) -> Option<Address> {
        let address = Address::parse(self.lock_id(key)?).ok()?;
        address.locked_by_file().is_none().then_some(address)
    }

    /// What the log calls the item with this key: its hash key, where that is a text.
    pub(super) fn shown(&self, key: &Item) -> String {
        match key.get(&self.description.key.hash.name) {
            Some(Value::S(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn lock_id<'k>(&self, key: &'k Item) -> Option<&'k str> {
        match key.get(LOCK_ID) {
            Some(Value::S(id)) if self.description.is_lock_table() => Some(id),
            _ => None,
        }
    }

    /// The digest to show under this key: that of the state whose digest item it is, if the state is kept here.
    async fn digest(&self, key: &Item) -> Result<Option<String>, Error> {
        let state = self.lock_id(key).and_then(|id| id.strip_suffix(DIGEST_SUFFIX));
        match state.map(Address::parse) {
            Some(Ok(address)) if address.locked_by_file().is_none() => {
                Ok(self.service.head_md5(&address).await?)
            }
            _ => Ok(None),
        }
    }

    fn facet(&self, address: &Address) -> Facet {
        Facet::Table {
            table: self.table.id.clone(),
            row: self.row(&lock_key(address)),
        }
    }

    fn lock_item(&self, address: &Address, lock: &Lock) -> Item {
        let mut item = lock_key(address);
        item.insert(
            INFO.to_owned(),
            Value::S(lock.info(&self.facet(address)).to_owned()),
        );
        item
    }
}

/// The door's own description of a table.
pub(crate) fn describe(table: &Table) -> Result<Description, Error> {
    serde_json::from_str(&table.document).map_err(|why| {
        Error::Internal(format!(
            "The stored description of table {} cannot be read: {why}",
            table.name
        ))
    })
}

fn lock_key(address: &Address) -> Item {
    Item::from([(LOCK_ID.to_owned(), Value::S(address.to_string()))])
}

/// The ID and info of an item that is Terraform's lock item and nothing more: what has other attributes is a plain
/// item, because a lock has no place to keep them.
fn lock_of(item: &Item) -> Option<(LockId, &str)> {
    match item.get(INFO) {
        Some(Value::S(info)) if item.len() == 2 => LockInfo::parse(info.as_bytes())
            .ok()
            .map(|(_, id)| (id, info.as_str())),
        _ => None,
    }
}

fn with_digest(key: &Item, stored: Option<Item>, digest: Option<String>) -> Option<Item> {
    let Some(digest) = digest else {
        return stored;
    };
    let mut item = stored.unwrap_or_else(|| key.clone());
    item.insert(DIGEST.to_owned(), Value::S(digest));
    Some(item)
}

/// The stored item of a row, which a lock's view has none of.
pub(crate) fn plain(row: &ItemRow) -> Result<Option<Item>, Error> {
    match row {
        ItemRow::Lock(_) => Ok(None),
        ItemRow::Item(bytes) => {
            let json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes)
                .map_err(|why| Error::Internal(format!("A stored item cannot be read: {why}")))?;
            item_from_json(&json).map(Some)
        }
    }
}

fn encode(item: &Item) -> Bytes {
    item_to_json(item).to_string().into()
}

fn refuse_overwrite<T>(address: &Address, lock: &Lock) -> Result<T, Error> {
    invalid(format!(
        "The item {address} is a lock, held by {}; it can be deleted, which releases the lock, but not overwritten or updated",
        described(lock)
    ))
}

fn refuse_force<T>(address: &Address, lock: &Lock) -> Result<T, Error> {
    Err(Error::AccessDenied(format!(
        "The lock of {address} is held by {}; to end it for them takes dynamodb:DeleteItem on the table or \
         tidelock:ForceUnlock on the state",
        described(lock)
    )))
}

fn refuse_thaw<T>(address: &Address, lock: &Lock) -> Result<T, Error> {
    invalid(format!(
        "{address} is frozen by {}. An operator thaws it: tidelock thaw {address}",
        described(lock)
    ))
}
