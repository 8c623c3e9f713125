//! Items whose time has come are deleted, where their table says which attribute tells it.
//!
//! As on AWS this happens some time later, and until then such an item is read, counted and written like any other. A lock is
//! no item and never expires. DynamoDB developer guide, "How it works: DynamoDB Time to Live (TTL)".

use std::time::Duration;

use tidelock_core::{
    Time,
    limits::{HASH_KEY_BYTES_MAX, ITEM_EXPIRY_SWEEP_MS, ITEM_PAGE_ROWS, LIST_TABLES_MAX},
};
use tidelock_service::{ItemChange, ItemError, ItemRow, ScanOrder, Service, Table};
use tokio::{sync::watch, time};

use super::{
    error::Error,
    items::{describe, plain},
    value::{Item, Value},
};

/// What expired longer ago than this stays, as on AWS: its attribute was hardly meant as a time. Five years.
const EXPIRED_SECONDS_MAX: i64 = 5 * 365 * 24 * 60 * 60;

/// Deletes what has expired, and forgets the past of tables that is older than they say, until `stop` says so.
pub async fn keep_expiring(service: Service, mut stop: watch::Receiver<bool>) {
    let mut sweep = time::interval(Duration::from_millis(ITEM_EXPIRY_SWEEP_MS));
    sweep.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = sweep.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        tokio::select! {
            () = expire(&service) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Does that once.
pub async fn expire(service: &Service) {
    let mut after = String::new();
    loop {
        let page = match service.list_tables(&after, LIST_TABLES_MAX).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "expired items could not be looked for; the next sweep tries again");
                return;
            }
        };
        let Some(last) = page.last() else {
            return;
        };
        after.clone_from(&last.name);
        for table in page.iter().filter(|table| !table.closing && !table.restoring) {
            if let Err(error) = expire_in(service, table).await {
                tracing::warn!(table = table.name, %error, "expired items could not be deleted; the next sweep tries again");
            }
        }
    }
}

async fn expire_in(service: &Service, table: &Table) -> Result<(), Error> {
    service.forget_past(table).await?;
    let Some(attribute) = describe(table)?.time_to_live else {
        return Ok(());
    };
    let mut keys = Vec::new()..vec![u8::MAX; HASH_KEY_BYTES_MAX + 1];
    loop {
        let page = service
            .scan_items(table, keys.clone(), ITEM_PAGE_ROWS, ScanOrder::Forward)
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        keys.start = [last.as_slice(), &[0]].concat();
        for (key, row) in &page {
            if is_over(row, &attribute, service.now())? {
                delete(service, table, key, &attribute).await?;
            }
        }
    }
}

/// Deletes the item if it has expired still: it may have been written anew.
async fn delete(service: &Service, table: &Table, key: &[u8], attribute: &str) -> Result<(), Error> {
    let now = service.now();
    let changed = service.change_item(table, key, |row| {
        let over = row.map(|row| is_over(row, attribute, now)).transpose()?;
        let change = match over {
            Some(true) => ItemChange::Delete,
            Some(false) | None => ItemChange::Keep,
        };
        Ok((change, ()))
    });
    changed.await.map_err(|error| match error {
        ItemError::Door(error) => error,
        ItemError::Service(error) => error.into(),
    })
}

fn is_over(row: &ItemRow, attribute: &str, now: Time) -> Result<bool, Error> {
    let item = plain(row)?;
    Ok(item.is_some_and(|item| has_expired(&item, attribute, now)))
}

fn has_expired(item: &Item, attribute: &str, now: Time) -> bool {
    let Some(Value::N(number)) = item.get(attribute) else {
        return false;
    };
    // Times are whole seconds; of what has a fraction the whole ones count.
    let text = number.to_string();
    let whole = text.split('.').next().unwrap_or_default().parse::<i64>();
    let now = now.0 / 1_000;
    whole.is_ok_and(|at| at < now && at >= now - EXPIRED_SECONDS_MAX)
}
