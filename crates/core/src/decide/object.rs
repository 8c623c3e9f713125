//! Writing and deleting bodies: S3's rules for versions, and the lock's right to be the only writer (DESIGN 4.4).

use std::collections::BTreeMap;

use super::Command;
use crate::{Body, Lock, LockId, Record, Time, Version, VersionId, Versioning};

/// A condition on the current version, as S3 puts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// `If-None-Match: *`: there is no current version. A delete marker counts as none.
    pub absent: bool,
    /// `If-Match`: the current version bears one of these ETags, or any at all for `*`.
    pub etags: Option<Vec<String>>,
}

impl Precondition {
    fn check(&self, record: &Record) -> Result<(), Refused> {
        let etag = record
            .visible()
            .and_then(|head| head.body.as_ref())
            .map(|body| &body.etag);
        match (etag, &self.etags) {
            (Some(_), _) if self.absent => Err(Refused::Precondition {
                condition: "If-None-Match",
            }),
            (None, Some(_)) => Err(Refused::Absent),
            (Some(etag), Some(wanted)) if !wanted.iter().any(|one| one == "*" || one == etag) => {
                Err(Refused::Precondition {
                    condition: "If-Match",
                })
            }
            _ => Ok(()),
        }
    }
}

/// Why a body was not written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The named condition does not hold.
    Precondition {
        /// `If-Match` or `If-None-Match`.
        condition: &'static str,
    },
    /// `If-Match` on what does not exist.
    Absent,
    /// The caller named a lock, and another one is held.
    Locked {
        /// The lock that is held.
        held: Box<Lock>,
    },
}

/// What a decision does to the versions behind the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The former head, to be kept as an older version.
    pub keep: Option<Version>,
    /// The older version that became the head, to be taken off the older ones.
    pub promoted: Option<Version>,
    /// Versions that are gone for good, with their blobs.
    pub dropped: Vec<Version>,
}

/// Wants a body to become the current version.
#[derive(Clone, Debug)]
pub struct Write {
    /// The body.
    pub body: Body,
    /// The random half of the new version's ID.
    pub random: u64,
    /// The bucket's versioning.
    pub versioning: Versioning,
    /// S3's conditions.
    pub precondition: Precondition,
    /// The lock that the caller says it writes under, where the door carries one.
    pub lock_id: Option<LockId>,
    /// The older `null` version, as named by [`Record::older_null`].
    pub older_null: Option<Version>,
}

/// A body that became the current version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new head.
    pub version: Version,
    /// What happened to the versions behind it.
    pub effects: Effects,
}

impl Command for Write {
    type Outcome = Result<Written, Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        if let (Some(id), Some(held)) = (&self.lock_id, &record.lock)
            && *id != held.id
        {
            return Err(Refused::Locked {
                held: Box::new(held.clone()),
            });
        }
        self.precondition.check(record)?;
        let (version, effects) = push(
            record,
            self.versioning,
            self.older_null.as_ref(),
            self.random,
            now,
            Some(&self.body),
        );
        Ok(Written { version, effects })
    }
}

/// Wants there to be no current version (S3's DELETE without a version id).
#[derive(Clone, Debug)]
pub struct Delete {
    /// The random half of the delete marker's ID.
    pub random: u64,
    /// The bucket's versioning.
    pub versioning: Versioning,
    /// S3's conditions.
    pub precondition: Precondition,
    /// The older `null` version, as named by [`Record::older_null`].
    pub older_null: Option<Version>,
}

/// How a deletion ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The delete marker that was made, or the version that was removed.
    pub version: Option<Version>,
    /// What happened to the versions.
    pub effects: Effects,
}

impl Command for Delete {
    type Outcome = Result<Deleted, Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        self.precondition.check(record)?;
        if self.versioning == Versioning::Unversioned {
            let dropped: Vec<Version> = record.head.take().into_iter().collect();
            return Ok(Deleted {
                version: None,
                effects: Effects {
                    dropped,
                    ..Effects::default()
                },
            });
        }
        let (marker, effects) = push(
            record,
            self.versioning,
            self.older_null.as_ref(),
            self.random,
            now,
            None,
        );
        Ok(Deleted {
            version: Some(marker),
            effects,
        })
    }
}

/// Puts a new head in front: S3's rules for who keeps which ID and what the `null` version gives way to.
fn push(
    record: &mut Record,
    versioning: Versioning,
    older_null: Option<&Version>,
    random: u64,
    now: Time,
    body: Option<&Body>,
) -> (Version, Effects) {
    let seq = record.take_seq();
    let id = match versioning {
        Versioning::Enabled => VersionId::new(seq, random),
        Versioning::Unversioned | Versioning::Suspended => VersionId::null(),
    };
    let version = Version {
        id,
        seq,
        written: now,
        body: body.cloned(),
    };
    let mut effects = Effects::default();
    if let Some(former) = record.head.replace(version.clone()) {
        if former.id.is_null() && version.id.is_null() {
            effects.dropped.push(former);
        } else {
            if former.id.is_null() {
                record.older_null = Some(former.seq);
            }
            effects.keep = Some(former);
        }
    }
    if version.id.is_null() && record.older_null.take().is_some() {
        effects.dropped.extend(older_null.cloned());
    }
    (version, effects)
}

/// Wants one version gone for good.
#[derive(Clone, Debug)]
pub struct DeleteVersion {
    /// The version that was found under the ID, when it is an older one.
    pub older: Option<Version>,
    /// The ID.
    pub id: VersionId,
    /// The newest of the older versions: the next head, should the head be the one to go.
    pub next: Option<Version>,
}

impl Command for DeleteVersion {
    type Outcome = Deleted;

    fn apply(&self, record: &mut Record, _now: Time) -> Deleted {
        if record.head_is(&self.id) {
            let gone = std::mem::replace(&mut record.head, self.next.clone());
            if self.next.as_ref().is_some_and(|next| next.id.is_null()) {
                record.older_null = None;
            }
            let effects = Effects {
                promoted: self.next.clone(),
                dropped: gone.iter().cloned().collect(),
                ..Effects::default()
            };
            return Deleted {
                version: gone,
                effects,
            };
        }
        let Some(older) = &self.older else {
            return Deleted::default();
        };
        if older.id.is_null() {
            record.older_null = None;
        }
        let effects = Effects {
            dropped: vec![older.clone()],
            ..Effects::default()
        };
        Deleted {
            version: Some(older.clone()),
            effects,
        }
    }
}

/// Wants the head to bear other tags.
#[derive(Clone, Debug)]
pub struct SetTags {
    /// The version that must still be the head.
    pub id: VersionId,
    /// All tags from now on.
    pub tags: BTreeMap<String, String>,
}

impl Command for SetTags {
    /// Whether the version was the head, and now bears the tags.
    type Outcome = bool;

    fn apply(&self, record: &mut Record, _now: Time) -> bool {
        let head = record.head.as_mut().filter(|head| head.id == self.id);
        let body = head.and_then(|head| head.body.as_mut());
        body.map(|body| body.content.tags.clone_from(&self.tags))
            .is_some()
    }
}
