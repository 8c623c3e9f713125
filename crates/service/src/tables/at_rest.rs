//! Items as they lie in the engine: plain, or sealed under the vault's key where their table says so.

use bytes::Bytes;
use tidelock_core::Address;

use super::{ITEM, ItemChange, ItemError, ItemRow, LOCK, SEALED, Table};
use crate::{Error, Service, rows, to_the_end};

/// Items that are stored anew at a time.
pub(super) const PAGE_ROWS: usize = 64;

/// What a sealed item is sealed for: it opens in its own place only.
fn purpose(row: &[u8]) -> String {
    format!("item {}", hex::encode(row))
}

impl Service {
    /// What is stored in an item's row.
    pub(super) async fn read_item(&self, row: &[u8], value: &Bytes) -> Result<ItemRow, Error> {
        let text = || {
            std::str::from_utf8(value.get(1..).unwrap_or_default()).map_err(|why| Error::corrupt(row, why))
        };
        match value.first() {
            Some(&ITEM) => Ok(ItemRow::Item(value.slice(1..))),
            Some(&SEALED) => {
                let opened = self.vault().await?.open(&purpose(row), text()?);
                let opened = opened.map_err(|why| Error::corrupt(row, why))?;
                Ok(ItemRow::Item(Bytes::copy_from_slice(&opened)))
            }
            Some(&LOCK) => Address::parse(text()?)
                .map(ItemRow::Lock)
                .map_err(|why| Error::corrupt(row, why)),
            Some(_) | None => Err(Error::corrupt(row, "neither an item nor a lock")),
        }
    }

    /// An item as its row in this table holds it.
    pub(super) async fn stored_item(&self, table: &Table, row: &[u8], item: &[u8]) -> Result<Bytes, Error> {
        if !table.sealed {
            return Ok([&[ITEM], item].concat().into());
        }
        let sealed = self.seal_secret(&purpose(row), item).await?;
        Ok([&[SEALED], sealed.as_bytes()].concat().into())
    }

    /// Stores all items of a table anew, as it says now whether they are sealed. What is kept of its past stays sealed.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`] when the table is deleted meanwhile.
    pub async fn store_items_anew(&self, table: &Table) -> Result<(), Error> {
        let (service, table) = (self.clone(), table.clone());
        to_the_end(async move {
            let mut after = Vec::new();
            loop {
                let page = service.rows_after(&table, &after).await?;
                let Some((last, _)) = page.last() else {
                    return service.seal_past(&table).await;
                };
                after.clone_from(last);
                for (key, _) in &page {
                    service.store_anew(&table, key).await?;
                }
            }
        })
        .await
    }

    /// The next keys of a table, with what is stored under them; an empty key comes before all.
    pub(super) async fn rows_after(
        &self,
        table: &Table,
        after: &[u8],
    ) -> Result<Vec<(Vec<u8>, Bytes)>, Error> {
        let prefix = rows::item(&table.id, &[]);
        let range = rows::after(&rows::item(&table.id, after))..rows::after_prefix(&prefix);
        let page = self.engine.scan(range, PAGE_ROWS).await?;
        let rows = page.into_iter();
        Ok(rows
            .map(|(row, entry)| (row[prefix.len()..].to_vec(), entry.value))
            .collect())
    }

    async fn store_anew(&self, table: &Table, key: &[u8]) -> Result<(), Error> {
        let same = |row: Option<&ItemRow>| {
            let change = match row {
                Some(ItemRow::Item(item)) => ItemChange::Put(item.clone()),
                Some(ItemRow::Lock(_)) | None => ItemChange::Keep,
            };
            Ok::<_, std::convert::Infallible>((change, ()))
        };
        let changed = self.change_item(table, key, same).await;
        changed.map_err(|error| match error {
            ItemError::Service(error) => error,
            ItemError::Door(never) => match never {},
        })
    }
}
