//! Writing and deleting bodies: S3's rules for versions, and the lock's right to be the only writer (DESIGN 4.4).

use std::collections::BTreeMap;

use super::{Claim, Command, Kept, Why};
use crate::{Body, Caller, Facet, Lock, Record, Time, Version, VersionId, Versioning};

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
    /// It is a state, and this caller may not write it, or not this one now.
    State {
        /// The reason.
        why: Why,
        /// Where the body is kept; `None` for a deletion.
        kept: Option<Kept>,
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
    /// Who writes.
    pub caller: Caller,
    /// How it shows that it holds the lock.
    pub claim: Claim,
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
        self.precondition.check(record)?;
        if let Err(why) = self.guard(record, now) {
            record.remember_refusal(&self.caller, &self.claim);
            let kept = Some(record.quarantine(&self.body));
            return Err(Refused::State { why, kept });
        }
        record.saw(&self.caller, now);
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

impl Write {
    /// Bodies that are no states, over what is none, follow S3's rules alone.
    fn guard(&self, record: &mut Record, now: Time) -> Result<(), Why> {
        if self.body.state.is_some() || is_state(record) {
            record.may_write(&self.caller, &self.claim)?;
        }
        let Some(new) = &self.body.state else {
            return Ok(());
        };
        // Following may use the permission up.
        let permitted = record.permission(now).is_some();
        record.may_follow(new, &self.body.md5, now)?;
        record.may_go_on(&self.caller, &self.claim, permitted)
    }
}

/// Whether the current version is a state.
fn is_state(record: &Record) -> bool {
    record.head.as_ref().is_some_and(holds_state)
}

fn holds_state(version: &Version) -> bool {
    let body = version.body.as_ref();
    body.is_some_and(|body| body.state.is_some())
}

/// Refuses to take a state away, or to bring the version behind it back, where `caller` may not write.
fn guard_removal(
    record: &mut Record,
    next: Option<&Version>,
    caller: &Caller,
    now: Time,
) -> Result<(), Refused> {
    if is_state(record) || next.is_some_and(holds_state) {
        let may = record.may_write(caller, &Claim::Caller);
        may.map_err(|why| Refused::State { why, kept: None })?;
        record.saw(caller, now);
    }
    Ok(())
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
    /// Who deletes.
    pub caller: Caller,
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
        guard_removal(record, None, &self.caller, now)?;
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
    /// Who deletes.
    pub caller: Caller,
    /// The newest of the older versions: the next head, should the head be the one to go.
    pub next: Option<Version>,
}

impl Command for DeleteVersion {
    type Outcome = Result<Deleted, Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        if record.head_is(&self.id) {
            guard_removal(record, self.next.as_ref(), &self.caller, now)?;
            let gone = std::mem::replace(&mut record.head, self.next.clone());
            if self.next.as_ref().is_some_and(|next| next.id.is_null()) {
                record.older_null = None;
            }
            let effects = Effects {
                promoted: self.next.clone(),
                dropped: gone.iter().cloned().collect(),
                ..Effects::default()
            };
            return Ok(Deleted {
                version: gone,
                effects,
            });
        }
        let Some(older) = &self.older else {
            return Ok(Deleted::default());
        };
        if older.id.is_null() {
            record.older_null = None;
        }
        let effects = Effects {
            dropped: vec![older.clone()],
            ..Effects::default()
        };
        Ok(Deleted {
            version: Some(older.clone()),
            effects,
        })
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

/// An operator makes a refused write the current version after all: takes the lock, writes, and gives it back in one step.
#[derive(Clone, Debug)]
pub struct Adopt {
    /// The number of the refused write.
    pub id: u64,
    /// Its state with the serial that follows the current one.
    pub body: Body,
    /// The version that the new serial follows, which must still be current.
    pub follows: Option<VersionId>,
    /// The random half of the new version's ID.
    pub random: u64,
    /// The bucket's versioning.
    pub versioning: Versioning,
    /// The older `null` version, as named by [`Record::older_null`].
    pub older_null: Option<Version>,
}

/// Why a refused write was not adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAdopted {
    /// There is none of this number.
    Unknown,
    /// Someone holds the lock.
    Locked(Box<Lock>),
    /// The state has changed meanwhile: read it again.
    Overtaken,
}

impl Command for Adopt {
    type Outcome = Result<Written, NotAdopted>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        // Operators may have frozen the state to be alone with it.
        if let Some(held) = record.locks.iter().find(|lock| !lock.has(&Facet::Operator)) {
            return Err(NotAdopted::Locked(Box::new(held.clone())));
        }
        if record.head.as_ref().map(|head| &head.id) != self.follows.as_ref() {
            return Err(NotAdopted::Overtaken);
        }
        let before = record.quarantined.len();
        record.quarantined.retain(|kept| kept.id != self.id);
        if record.quarantined.len() == before {
            return Err(NotAdopted::Unknown);
        }
        record.fence += 1;
        let (older_null, body) = (self.older_null.as_ref(), Some(&self.body));
        let (version, effects) = push(record, self.versioning, older_null, self.random, now, body);
        Ok(Written { version, effects })
    }
}
