//! Everything about one address that must change together: its locks, its fence, its queue, its head.

use serde::{Deserialize, Serialize};

use crate::{
    Caller, Ended, Facet, Fenced, Lock, LockId, Release, Time, Version, VersionId, Waiter,
    limits::TOMBSTONE_MS,
};

/// An operator's permission for one write that does not advance the state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowance {
    /// Whether the serial may fall or stay (`state push -force`).
    pub rewind: bool,
    /// Whether another lineage may take over.
    pub relineage: bool,
    /// Until when.
    pub until: Time,
    /// Who permits it.
    pub by: Caller,
}

/// A refused state write that is kept aside, as the record knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its number at this address.
    pub id: u64,
    /// The MD5 of its bytes, so that a body that is sent again is kept once.
    pub md5: String,
    /// How many bytes it has; 0 where that was not yet written down.
    #[serde(default)]
    pub size: u64,
}

/// The one record of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// How many locks were ever granted here. Never restarts, so a record with a fence is never deleted.
    pub fence: u64,
    /// The locks that are held: none, one that is exclusive, or any number of shared ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// The last lock that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_release: Option<Release>,
    /// The locks that ended lately, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
    /// Who was refused lately, in the order of their first refusal; among them who waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiters: Vec<Waiter>,
    /// Whose lock was ended by someone else, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fenced: Vec<Fenced>,
    /// Who had a state write refused and has not taken the lock since, longest ago first: what it writes next was made
    /// from what was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Caller>,
    /// What an operator permits, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowance>,
    /// The state writes that were refused, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantined>,
    /// The current version; `None` when there is no version at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Version>,
    /// The sequence number of the `null` version, when that is not the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_null: Option<u64>,
    /// The sequence number that the next version gets.
    #[serde(default)]
    pub next_seq: u64,
    /// Whether a state was ever written here. Its versions outlive the object, and their numbers must not come back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_history: bool,
    /// How many plain states were ever written here; see [`Version::place`].
    #[serde(default)]
    pub places: u64,
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
        self.fence == 0
            && self.locks.is_empty()
            && self.head.is_none()
            && self.allowed.is_none()
            && self.quarantined.is_empty()
            && !self.has_history
    }

    /// The lock with this ID.
    #[must_use]
    pub fn lock(&self, id: &LockId) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.id == *id)
    }

    /// The lock that `caller` means when it speaks of the lock through the door of `facet` and names none: its own,
    /// and rather the one it took through that door; else whichever is held.
    #[must_use]
    pub fn meant_by(&self, caller: &Caller, facet: &Facet) -> Option<&Lock> {
        let rank = |lock: &&Lock| (!caller.is(&lock.holder), !lock.has(facet));
        self.locks.iter().min_by_key(rank)
    }

    /// The lock that `caller` sees through the door of `facet`: one that is held, or for a moment the last one.
    ///
    /// Stock clients look at the holder only after their refusal, and give up for good when there is none
    /// (hashicorp/terraform#32690); and who has set both ways of locking breaks a lock through the file and then looks for
    /// the item, whichever of them it was taken by.
    #[must_use]
    pub fn seen_by(&self, caller: &Caller, facet: &Facet, now: Time) -> Option<&Lock> {
        if let Some(lock) = self.meant_by(caller, facet) {
            return Some(lock);
        }
        let release = self.last_release.as_ref()?;
        let fresh = |ms: i64| (0..TOMBSTONE_MS).contains(&ms);
        let refused = |waiter: &Waiter| caller.is(&waiter.caller) && fresh(release.at.since(waiter.last));
        let broke = release.forced && caller.is(&release.by) && release.facet != *facet;
        (fresh(now.since(release.at)) && (broke || self.waiters.iter().any(refused))).then_some(&release.lock)
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
