//! The past of a table's items: kept where its table says so, and restored as of any moment into a table of its own.
//!
//! Each change leaves what was there before it. So an item as of a moment is what the first change after that moment found,
//! and what is there now if there was none. Locks are no items and have no past; neither have digests, which are computed.

use bytes::Bytes;
use tidelock_core::{Time, limits::SCAN_PAGE_ROWS};
use tidelock_engine::{Batch, Entry, Expect};

use super::{ITEM, ItemRow, Past, Table, at_rest::PAGE_ROWS};
use crate::{Error, Service, rows, to_the_end};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Stands for an item that was not there; no stored item is that short.
const NOTHING: &[u8] = b"-";

impl Past {
    /// The earliest moment that can be restored.
    #[must_use]
    pub fn earliest(&self, now: Time) -> Time {
        self.since.max(now.plus_ms(-i64::from(self.days) * DAY_MS))
    }
}

impl Service {
    /// What a change leaves of the item before it, if that is kept.
    pub(super) async fn past_of(
        &self,
        table: &Table,
        key: &[u8],
        before: Option<Entry>,
    ) -> Result<Option<(Vec<u8>, Bytes)>, Error> {
        if table.past.is_none() {
            return Ok(None);
        }
        let (revision, value) = match before {
            Some(entry) => (
                entry.revision,
                self.sealed_past(table, key, &entry.value)
                    .await?
                    .unwrap_or(entry.value),
            ),
            None => (0, Bytes::from_static(NOTHING)),
        };
        let row = rows::past_item(&table.id, key, self.now(), revision);
        Ok(Some((row, value)))
    }

    /// What was stored for an item, sealed, if its table wants that and it is not.
    async fn sealed_past(&self, table: &Table, key: &[u8], value: &Bytes) -> Result<Option<Bytes>, Error> {
        match value.split_first() {
            Some((&ITEM, item)) if table.sealed => {
                let row = rows::item(&table.id, key);
                Ok(Some(self.stored_item(table, &row, item).await?))
            }
            _ => Ok(None),
        }
    }

    /// Seals what is kept of the table's past, where that was not done when it was kept.
    pub(super) async fn seal_past(&self, table: &Table) -> Result<(), Error> {
        let mut range = rows::prefixed(rows::past_items(&table.id));
        loop {
            let page = self.engine.scan(range.clone(), PAGE_ROWS).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            range.start = rows::after(last);
            for (row, entry) in page {
                let key = rows::key_and_time(&row, &table.id).map_or(&[][..], |(key, _)| key);
                if let Some(sealed) = self.sealed_past(table, key, &entry.value).await? {
                    // What has been forgotten meanwhile stays so.
                    let batch = Batch {
                        checks: vec![(row.clone(), Expect::At(entry.revision))],
                        puts: vec![(row, sealed)],
                        ..Batch::default()
                    };
                    self.commit(batch).await?;
                }
            }
        }
    }

    /// Keeps the past of a table for so many days from now on, or none of it.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`].
    pub async fn keep_past(&self, name: &str, days: Option<u32>) -> Result<Table, Error> {
        let now = self.now();
        let table = self
            .change_table(name, |table| {
                let since = table.past.map_or(now, |past| past.since);
                table.past = days.map(|days| Past { since, days });
            })
            .await?;
        if days.is_none() {
            self.delete_all(rows::past_items(&table.id)).await?;
        }
        Ok(table)
    }

    /// Forgets what is older than the table says.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn forget_past(&self, table: &Table) -> Result<(), Error> {
        let Some(past) = table.past else {
            return Ok(());
        };
        let earliest = past.earliest(self.now());
        let mut range = rows::prefixed(rows::past_items(&table.id));
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            range.start = rows::after(last);
            let is_old = |row: &[u8]| rows::key_and_time(row, &table.id).is_some_and(|(_, at)| at < earliest);
            let deletes: Vec<_> = page
                .into_iter()
                .map(|(row, _)| row)
                .filter(|row| is_old(row))
                .collect();
            if !deletes.is_empty() {
                self.commit(Batch {
                    deletes,
                    ..Batch::default()
                })
                .await?;
            }
        }
    }

    /// Makes a table `name` with the items that `source` had at a moment of its past; `sealed` as in `create_table`.
    ///
    /// # Errors
    /// [`Error::TableExists`].
    pub async fn restore_table(
        &self,
        source: &Table,
        name: &str,
        document: String,
        sealed: bool,
        at: Time,
    ) -> Result<Table, Error> {
        let table = Table {
            name: name.to_owned(),
            id: hex::encode(self.random()),
            created: self.now(),
            document,
            closing: false,
            restoring: true,
            sealed,
            past: None,
        };
        let table = self.enter_table(table).await?;
        let (service, source) = (self.clone(), source.clone());
        to_the_end(async move {
            service.copy_items(&source, &table).await?;
            // What changes while this goes on has left its past behind, and is put right here.
            service.put_past(&source, &table, at).await?;
            service
                .change_table(&table.name, |table| table.restoring = false)
                .await
        })
        .await
    }

    async fn copy_items(&self, source: &Table, target: &Table) -> Result<(), Error> {
        let mut after = Vec::new();
        loop {
            let page = self.rows_after(source, &after).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after.clone_from(last);
            let mut batch = Batch::default();
            for (key, value) in page {
                self.copy_item(source, target, &key, &value, &mut batch).await?;
            }
            self.commit(batch).await?;
        }
    }

    /// Puts what was stored for an item of one table into another one.
    async fn copy_item(
        &self,
        source: &Table,
        target: &Table,
        key: &[u8],
        value: &Bytes,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let item = self.read_item(&rows::item(&source.id, key), value).await?;
        if let ItemRow::Item(item) = item {
            let row = rows::item(&target.id, key);
            let value = self.stored_item(target, &row, &item).await?;
            batch.puts.push((row, value));
        }
        Ok(())
    }

    async fn put_past(&self, source: &Table, target: &Table, at: Time) -> Result<(), Error> {
        let mut range = rows::prefixed(rows::past_items(&source.id));
        let mut done: Option<Vec<u8>> = None;
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            range.start = rows::after(last);
            let mut batch = Batch::default();
            for (row, entry) in &page {
                let Some((key, time)) = rows::key_and_time(row, &source.id) else {
                    return Err(Error::corrupt(row, "it says no key and time"));
                };
                if time <= at || done.as_deref() == Some(key) {
                    continue;
                }
                done = Some(key.to_vec());
                if entry.value == NOTHING {
                    batch.deletes.push(rows::item(&target.id, key));
                } else {
                    self.copy_item(source, target, key, &entry.value, &mut batch)
                        .await?;
                }
            }
            self.commit(batch).await?;
        }
    }
}
