//! Tables and their items, as the DynamoDB door needs them: opaque documents under ordered keys.

mod at_rest;
mod past;

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidelock_core::{Address, Time, limits::SCAN_PAGE_ROWS};
use tidelock_engine::{Batch, Expect, Revision};

use crate::{Error, Service, rows, to_the_end, turn::TURNS};

/// First byte of a stored item.
const ITEM: u8 = b'i';
/// First byte of a stored item that is sealed.
const SEALED: u8 = b's';
/// First byte of a lock's view; the rest is the address.
const LOCK: u8 = b'l';

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its id: a table of the same name that is made later has another one, and none of this one's items.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// The door's own description: schema, billing, tags.
    pub document: String,
    /// Set while its items are removed before its deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closing: bool,
    /// Set while it is filled with what another table once had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restoring: bool,
    /// Whether its items are sealed at rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// Since when and how long its past is kept, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
}

/// What is kept of a table's past: every moment since `since`, and of the last `days` days, can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Since when it is kept.
    pub since: Time,
    /// For how many days.
    pub days: u32,
}

/// What is stored under an item's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemRow {
    /// A plain item, in the door's own encoding.
    Item(Bytes),
    /// The view of this address's lock.
    Lock(Address),
}

/// What is to become of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemChange {
    /// It stays as it is.
    Keep,
    /// It becomes this.
    Put(Bytes),
    /// It goes.
    Delete,
}

/// Why an item was not changed: the service's reason or the door's own.
#[derive(Debug)]
pub enum ItemError<X> {
    /// The service's.
    Service(Error),
    /// The door's.
    Door(X),
}

impl<X, E: Into<Error>> From<E> for ItemError<X> {
    fn from(error: E) -> ItemError<X> {
        ItemError::Service(error.into())
    }
}

/// In which order to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// By ascending key.
    Forward,
    /// By descending key.
    Backward,
}

impl Service {
    /// Makes a table; `sealed` if its items are to be sealed at rest.
    ///
    /// # Errors
    /// [`Error::TableExists`].
    pub async fn create_table(&self, name: &str, document: String, sealed: bool) -> Result<Table, Error> {
        let table = Table {
            name: name.to_owned(),
            id: hex::encode(self.random()),
            created: self.now(),
            document,
            closing: false,
            restoring: false,
            sealed,
            past: None,
        };
        self.enter_table(table).await
    }

    async fn enter_table(&self, table: Table) -> Result<Table, Error> {
        let row = rows::table(&table.name);
        let batch = Batch {
            checks: vec![(row.clone(), Expect::Absent)],
            puts: vec![(row, rows::encode(&table))],
            ..Batch::default()
        };
        if self.commit(batch).await? {
            Ok(table)
        } else {
            Err(Error::TableExists(table.name))
        }
    }

    /// A table by its name; one whose `closing` is set is about to go.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`].
    pub async fn table(&self, name: &str) -> Result<Table, Error> {
        Ok(self.open_table(name).await?.0)
    }

    async fn open_table(&self, name: &str) -> Result<(Table, Revision), Error> {
        let row = rows::table(name);
        let entry = self
            .engine
            .get(&row)
            .await?
            .ok_or_else(|| Error::NoSuchTable(name.to_owned()))?;
        Ok((rows::decode(&row, &entry.value)?, entry.revision))
    }

    /// Up to `limit` tables whose name comes after `after`, by name.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn list_tables(&self, after: &str, limit: usize) -> Result<Vec<Table>, Error> {
        let mut range = rows::space(b't');
        if !after.is_empty() {
            range.start = [rows::table(after).as_slice(), &[0]].concat();
        }
        let page = self.engine.scan(range, limit).await?;
        page.iter()
            .map(|(row, entry)| rows::decode(row, &entry.value))
            .collect()
    }

    /// Changes a table's description.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`].
    pub async fn change_table(&self, name: &str, change: impl Fn(&mut Table) + Send) -> Result<Table, Error> {
        for _ in TURNS {
            let (mut table, revision) = self.open_table(name).await?;
            change(&mut table);
            let row = rows::table(name);
            let batch = Batch {
                checks: vec![(row.clone(), Expect::At(revision))],
                puts: vec![(row, rows::encode(&table))],
                ..Batch::default()
            };
            if self.commit(batch).await? {
                return Ok(table);
            }
        }
        Err(Error::Busy(name.to_owned()))
    }

    /// Deletes a table with all its items. Locks that were taken through it are not items and stay.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`].
    pub async fn delete_table(&self, name: &str) -> Result<Table, Error> {
        let (service, name) = (self.clone(), name.to_owned());
        to_the_end(async move {
            let table = service.change_table(&name, |table| table.closing = true).await?;
            service.finish_table(&table).await?;
            Ok(table)
        })
        .await
    }

    /// Removes the items of a table that takes no writes any more, and then the table.
    async fn finish_table(&self, table: &Table) -> Result<(), Error> {
        for rows in [rows::item(&table.id, &[]), rows::past_items(&table.id)] {
            self.delete_all(rows).await?;
        }
        for _ in TURNS {
            // Somebody else may have finished the same deletion, and a new table may bear the name.
            let revision = match self.open_table(&table.name).await {
                Ok((now, revision)) if now.id == table.id => revision,
                Ok(_) | Err(Error::NoSuchTable(_)) => return Ok(()),
                Err(other) => return Err(other),
            };
            let row = rows::table(&table.name);
            let batch = Batch {
                checks: vec![(row.clone(), Expect::At(revision))],
                deletes: vec![row],
                ..Batch::default()
            };
            if self.commit(batch).await? {
                return Ok(());
            }
        }
        Err(Error::Busy(table.name.clone()))
    }

    /// Deletes all rows that start with `prefix`.
    async fn delete_all(&self, prefix: Vec<u8>) -> Result<(), Error> {
        loop {
            let page = self
                .engine
                .scan(rows::prefixed(prefix.clone()), SCAN_PAGE_ROWS)
                .await?;
            if page.is_empty() {
                return Ok(());
            }
            let deletes = page.into_iter().map(|(row, _)| row).collect();
            self.commit(Batch {
                deletes,
                ..Batch::default()
            })
            .await?;
        }
    }

    /// Goes on with deletions that a crash cut short, and takes away what is half restored.
    pub(crate) async fn recover_tables(&self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let page = self.list_tables(&after, SCAN_PAGE_ROWS).await?;
            for table in page.iter().filter(|table| table.closing || table.restoring) {
                self.finish_table(table).await?;
            }
            match page.last().filter(|_| page.len() == SCAN_PAGE_ROWS) {
                Some(last) => after.clone_from(&last.name),
                None => return Ok(()),
            }
        }
    }

    /// What is stored under an item's key.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn item(&self, table: &Table, key: &[u8]) -> Result<Option<ItemRow>, Error> {
        let row = rows::item(&table.id, key);
        match self.engine.get(&row).await? {
            Some(entry) => Ok(Some(self.read_item(&row, &entry.value).await?)),
            None => Ok(None),
        }
    }

    /// Up to `limit` items of a table, keys and rows, in the given order.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn scan_items(
        &self,
        table: &Table,
        keys: Range<Vec<u8>>,
        limit: usize,
        order: ScanOrder,
    ) -> Result<Vec<(Vec<u8>, ItemRow)>, Error> {
        let range = rows::item(&table.id, &keys.start)..rows::item(&table.id, &keys.end);
        let page = match order {
            ScanOrder::Forward => self.engine.scan(range, limit).await?,
            ScanOrder::Backward => self.engine.scan_back(range, limit).await?,
        };
        let prefix = rows::item(&table.id, &[]).len();
        let mut items = Vec::with_capacity(page.len());
        for (row, entry) in &page {
            items.push((row[prefix..].to_vec(), self.read_item(row, &entry.value).await?));
        }
        Ok(items)
    }

    /// Reads an item, lets the door decide, and writes what it decided, as one step: `decide` runs again when
    /// somebody else changed the item first.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], also when the table was deleted or made anew meanwhile; whatever `decide` returns.
    pub async fn change_item<R: Send, X: Send>(
        &self,
        table: &Table,
        key: &[u8],
        mut decide: impl FnMut(Option<&ItemRow>) -> Result<(ItemChange, R), X> + Send,
    ) -> Result<R, ItemError<X>> {
        let row = rows::item(&table.id, key);
        for _ in TURNS {
            let (now, revision) = self.open_table(&table.name).await?;
            if now.id != table.id || now.closing {
                return Err(Error::NoSuchTable(table.name.clone()).into());
            }
            let entry = self.engine.get(&row).await?;
            let current = match &entry {
                Some(entry) => Some(self.read_item(&row, &entry.value).await?),
                None => None,
            };
            let (change, outcome) = decide(current.as_ref()).map_err(ItemError::Door)?;
            let before = entry
                .as_ref()
                .map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            let mut batch = Batch {
                checks: vec![
                    (rows::table(&table.name), Expect::At(revision)),
                    (row.clone(), before),
                ],
                ..Batch::default()
            };
            match change {
                ItemChange::Keep => return Ok(outcome),
                ItemChange::Put(item) => {
                    let value = self.stored_item(&now, &row, &item).await?;
                    batch.puts.push((row.clone(), value));
                }
                ItemChange::Delete => batch.deletes.push(row.clone()),
            }
            batch.puts.extend(self.past_of(&now, key, entry).await?);
            if self.commit(batch).await? {
                return Ok(outcome);
            }
        }
        Err(Error::Busy(table.name.clone()).into())
    }

    /// What a lock must find, to be shown under this item row: nothing, or an older view. `None` where a plain item is.
    pub(crate) async fn vacant(&self, row: &[u8]) -> Result<Option<Expect>, Error> {
        Ok(match self.engine.get(row).await? {
            None => Some(Expect::Absent),
            Some(entry) if entry.value.first() == Some(&LOCK) => Some(Expect::At(entry.revision)),
            Some(_) => None,
        })
    }
}

/// The stored form of a lock's view.
pub(crate) fn lock_view(address: &Address) -> Bytes {
    [&[LOCK], address.to_string().as_bytes()].concat().into()
}
