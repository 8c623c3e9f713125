//! A lock as the commands about many locks know it, wherever it was seen: on a server, or in a bucket and a table.

use std::time::Duration;

use serde::Serialize;
use tidelock_core::{LockInfo, diff::visible};
use tidelock_operator::layout::{Facet, Lock, United};
use tidelock_service::{LockStatus, Status};

use super::locks::is_freeze;
use crate::duration::written;

/// A lock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Held {
    /// `BUCKET/KEY` of the state.
    pub(crate) address: String,
    pub(crate) id: String,
    /// In Terraform's words; empty when the holder did not say.
    pub(crate) operation: String,
    /// Likewise.
    pub(crate) who: String,
    /// Since when, where that is known.
    pub(crate) since_ms: Option<i64>,
    /// How it was taken: `file`, `table`, `http`.
    pub(crate) doors: Vec<String>,
    /// Whether it is of a run that renews its lease: nobody has left it behind.
    #[serde(skip)]
    pub(crate) lives: bool,
}

impl Held {
    /// The locks of a state on a server; a freeze is none, as people end it.
    pub(crate) fn of_server(status: &Status) -> impl Iterator<Item = Held> + '_ {
        let held = |lock: &LockStatus| Held {
            address: status.address.clone(),
            id: lock.id.to_string(),
            operation: lock.operation.clone(),
            who: lock.who.clone(),
            since_ms: Some(lock.since_ms.0),
            doors: lock.doors.clone(),
            lives: lock.lease_until_ms.is_some() && !lock.ended,
        };
        status.locks.iter().filter(|lock| !is_freeze(lock)).map(held)
    }

    /// A lock in a bucket and a table.
    pub(crate) fn of_stock(bucket: &str, lock: &United) -> Held {
        let said = |get: fn(&LockInfo) -> &String| lock.info().map(get).cloned().unwrap_or_default();
        let door = |lock: &Lock| match lock.facet {
            Facet::File => "file".to_owned(),
            Facet::Table => "table".to_owned(),
        };
        Held {
            address: format!("{bucket}/{}", lock.key),
            id: lock.id.clone(),
            operation: said(|info| &info.operation),
            who: said(|info| &info.who),
            since_ms: lock.since_ms(),
            doors: lock.forms.iter().map(door).collect(),
            lives: false,
        }
    }

    /// Whether it is held for so long; not, where nobody knows.
    pub(crate) fn is_older(&self, now_ms: i64, than: Duration) -> bool {
        let than = i64::try_from(than.as_millis()).unwrap_or(i64::MAX);
        self.since_ms
            .is_some_and(|since| now_ms.saturating_sub(since) >= than)
    }

    /// `WHO, OPERATION`, as far as it is said.
    pub(crate) fn said(&self) -> String {
        let said = [&self.who, &self.operation]
            .into_iter()
            .filter(|text| !text.is_empty());
        let said: Vec<String> = said.map(|text| visible(text)).collect();
        match said.is_empty() {
            true => "somebody who did not say who".to_owned(),
            false => said.join(", "),
        }
    }

    /// `for 2h 5m`, as far as it is known.
    pub(crate) fn age(&self, now_ms: i64) -> String {
        match self.since_ms {
            Some(since) => format!("for {}", written(now_ms.saturating_sub(since))),
            None => "nobody knows since when".to_owned(),
        }
    }

    /// All of it in a line.
    pub(crate) fn line(&self, now_ms: i64) -> String {
        let (address, id) = (visible(&self.address), visible(&self.id));
        format!("{address}: {}, {}, lock {id}", self.said(), self.age(now_ms))
    }

    /// Which one it is.
    pub(crate) fn name(&self) -> String {
        format!(
            "{}: {}, lock {}",
            visible(&self.address),
            self.said(),
            visible(&self.id)
        )
    }
}
