//! Everything about one address that must change together: its lock, its fence, its head, who was refused.

use serde::{Deserialize, Serialize};

use crate::{
    Caller, LockId, Time, Version, VersionId,
    limits::{REFUSAL_MS, REFUSALS_MAX, TOMBSTONE_MS},
};

/// The form in which a door takes and shows a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Facet {
    /// The object `KEY.tflock`.
    File,
    /// An item of a DynamoDB table.
    Table {
        /// The table's id (not its name, which a later table may bear).
        table: String,
        /// Where in the table the item is shown: the door's own encoding of its key.
        row: Vec<u8>,
    },
    /// The LOCK method of `backend "http"`.
    Http,
}

/// One facet of a lock, with the info as the holder wrote it through that door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetForm {
    /// Which door's form.
    pub facet: Facet,
    /// The lock info, byte for byte.
    pub info: String,
}

/// The exclusive right to write one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The ID, the same through every facet.
    pub id: LockId,
    /// Who holds it.
    pub holder: Caller,
    /// When it was granted.
    pub since: Time,
    /// The fence it was granted under.
    pub fence: u64,
    /// The facets it has now; never empty.
    pub facets: Vec<FacetForm>,
    /// The facets that it had and that were taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<FacetForm>,
    /// When the last of those was taken off.
    #[serde(default)]
    pub gone_at: Time,
}

impl Lock {
    /// The info for who looks through the door of `facet`: that facet's own text, else the first there is.
    #[must_use]
    pub fn info(&self, facet: &Facet) -> &str {
        let forms = || self.facets.iter().chain(&self.gone);
        let own = forms().find(|form| form.facet == *facet);
        own.or_else(|| forms().next()).map_or("", |form| &form.info)
    }
}

/// The end of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The lock as it was when its last facet was taken off.
    pub lock: Lock,
    /// When.
    pub at: Time,
    /// The call that ended it, as its client's SDK names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
}

/// An acquire that was refused because another ID held the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The ID that was refused.
    pub id: LockId,
    /// Who asked.
    pub caller: Caller,
    /// When it was last refused.
    pub at: Time,
}

/// The one record of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How many locks were ever granted here. Never restarts, so a record with a fence is never deleted.
    pub fence: u64,
    /// The lock, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// The last lock that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_release: Option<Release>,
    /// Who was refused lately, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// The current version; `None` when there is no version at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Version>,
    /// The sequence number of the `null` version, when that is not the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_null: Option<u64>,
    /// The sequence number that the next version gets.
    #[serde(default)]
    pub next_seq: u64,
}

impl Record {
    /// The current version, when it is a body and not a delete marker.
    #[must_use]
    pub fn visible(&self) -> Option<&Version> {
        self.head.as_ref().filter(|head| head.body.is_some())
    }

    /// Whether nothing would be lost by deleting the record.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.fence == 0 && self.lock.is_none() && self.head.is_none()
    }

    /// The lock that `caller` sees: the one that is held, or for a moment the last one, if it ended after this caller
    /// was refused because of it. Stock clients look at the holder only after their refusal, and give up for good
    /// when there is none (hashicorp/terraform#32690).
    #[must_use]
    pub fn seen_by(&self, caller: &Caller, now: Time) -> Option<&Lock> {
        if let Some(lock) = &self.lock {
            return Some(lock);
        }
        let release = self.last_release.as_ref()?;
        let fresh = (0..TOMBSTONE_MS).contains(&now.since(release.at));
        let waits = |refusal: &Refusal| {
            refusal.caller == *caller && (0..TOMBSTONE_MS).contains(&release.at.since(refusal.at))
        };
        (fresh && self.refusals.iter().any(waits)).then_some(&release.lock)
    }

    /// Remembers a refusal, and forgets the ones that no longer matter.
    pub(crate) fn remember_refusal(&mut self, id: &LockId, caller: &Caller, now: Time) {
        self.refusals
            .retain(|old| old.id != *id && now.since(old.at) < REFUSAL_MS);
        if self.refusals.len() == REFUSALS_MAX {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal {
            id: id.clone(),
            caller: caller.clone(),
            at: now,
        });
    }

    /// The next version's sequence number.
    pub(crate) fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }

    /// Whether the head bears this ID.
    pub(crate) fn head_is(&self, id: &VersionId) -> bool {
        self.head.as_ref().is_some_and(|head| head.id == *id)
    }
}
