//! Writing and deleting bodies: S3's rules for versions, and the lock's right to be the only writer (DESIGN 4.4).

use std::collections::BTreeMap;

use super::{Claim, Command, Kept, Why};
use crate::{
    Body, Caller, Content, Facet, Lock, LockId, LockInfo, Record, Time, Version, VersionId, Versioning,
    Writer, WriterLock, object_lock::ObjectRetention,
};

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
    /// Object Lock keeps it from being deleted.
    Protected,
    /// It is a state, and this caller may not write it, or not this one now.
    State {
        /// The reason.
        why: Why,
        /// Where the body is kept; `None` for a deletion, and for what was here before.
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
    /// Versions that are history alone from now on.
    pub hidden: Vec<Version>,
    /// Versions that are gone for good, with their blobs.
    pub dropped: Vec<Version>,
}

impl Effects {
    /// Takes a version out of what S3 shows. A state is kept all the same: what it was is not the object's to forget.
    pub(super) fn remove(&mut self, version: Version, now: Time) {
        match version.is_state() {
            true => self.hidden.push(Version {
                hidden: Some(now),
                ..version
            }),
            false => self.dropped.push(version),
        }
    }
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
    /// Whether the body is one that was current here before: who copies an older version over the current one means to
    /// go back.
    pub restores: bool,
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
            // What was here before is kept already, and nothing that the caller writes later is made from it.
            if self.restores {
                return Err(Refused::State { why, kept: None });
            }
            record.remember_refusal(&self.caller, &self.claim);
            let kept = Some(record.quarantine(&self.body));
            return Err(Refused::State { why, kept });
        }
        record.saw(&self.caller, now);
        let new = New {
            body: Some(self.body.clone()),
            writer: Some(Writer {
                caller: self.caller.clone(),
                lock: record.writes_under(&self.caller, &self.claim),
            }),
            random: self.random,
        };
        let (version, effects) = push(record, self.versioning, self.older_null.as_ref(), new, now);
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
        if self.restores {
            return Ok(());
        }
        // Following may use the permission up.
        let permitted = record.permission(now).is_some();
        record.may_follow(new, &self.body.md5, now)?;
        record.may_go_on(&self.caller, &self.claim, permitted)
    }
}

/// Whether the current version is a state.
fn is_state(record: &Record) -> bool {
    record.head.as_ref().is_some_and(Version::is_state)
}

/// Refuses to take a state away, or to bring the version behind it back, where `caller` may not write.
fn guard_removal(
    record: &mut Record,
    next: Option<&Version>,
    caller: &Caller,
    now: Time,
) -> Result<(), Refused> {
    if is_state(record) || next.is_some_and(Version::is_state) {
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
            let mut effects = Effects::default();
            if let Some(head) = record.head.take() {
                effects.remove(head, now);
            }
            return Ok(Deleted {
                version: None,
                effects,
            });
        }
        let new = New {
            body: None,
            writer: Some(Writer {
                caller: self.caller.clone(),
                lock: record.writes_under(&self.caller, &Claim::Caller),
            }),
            random: self.random,
        };
        let (marker, effects) = push(record, self.versioning, self.older_null.as_ref(), new, now);
        Ok(Deleted {
            version: Some(marker),
            effects,
        })
    }
}

impl Record {
    /// The lock that a write which was let through is under.
    fn writes_under(&self, caller: &Caller, claim: &Claim) -> Option<WriterLock> {
        let lock = match claim {
            Claim::Caller => self.locks.iter().find(|lock| caller.is(&lock.holder)),
            Claim::Lock(id) => self.locks.iter().find(|lock| Some(&lock.id) == id.as_ref()),
        }?;
        let info = LockInfo::parse(lock.info(&Facet::File).as_bytes()).ok();
        let (operation, who) = info
            .map(|(info, _)| (info.operation, info.who))
            .unwrap_or_default();
        Some(WriterLock {
            id: lock.id.clone(),
            operation,
            who,
            fence: lock.fence,
        })
    }
}

/// What becomes the head.
pub(super) struct New {
    /// `None` for a delete marker.
    pub(super) body: Option<Body>,
    /// `None` where that is not known.
    pub(super) writer: Option<Writer>,
    /// The random half of its ID.
    pub(super) random: u64,
}

/// Puts a new head in front: S3's rules for who keeps which ID and what the `null` version gives way to.
pub(super) fn push(
    record: &mut Record,
    versioning: Versioning,
    older_null: Option<&Version>,
    new: New,
    now: Time,
) -> (Version, Effects) {
    let seq = record.take_seq();
    let id = match versioning {
        Versioning::Enabled => VersionId::new(seq, new.random),
        Versioning::Unversioned | Versioning::Suspended => VersionId::null(),
    };
    let state = new.body.as_ref().and_then(|body| body.state.as_ref());
    let is_plain_state = state.is_some_and(|state| !state.encrypted);
    record.has_history |= state.is_some();
    record.places += u64::from(is_plain_state);
    let version = Version {
        id,
        seq,
        written: now,
        place: is_plain_state.then_some(record.places),
        body: new.body,
        writer: new.writer.map(Box::new),
        hidden: None,
    };
    let mut effects = Effects::default();
    if let Some(former) = record.head.replace(version.clone()) {
        if former.id.is_null() && version.id.is_null() {
            effects.remove(former, now);
        } else {
            if former.id.is_null() {
                record.older_null = Some(former.seq);
            }
            effects.keep = Some(former);
        }
    }
    if version.id.is_null() && record.older_null.take().is_some() {
        older_null
            .iter()
            .for_each(|old| effects.remove((*old).clone(), now));
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
    /// Whether the caller may end a governance retention, and says that it means to.
    pub bypass: bool,
}

impl Command for DeleteVersion {
    type Outcome = Result<Deleted, Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        let head = record.head.as_ref().filter(|head| head.id == self.id);
        if head
            .or(self.older.as_ref())
            .is_some_and(|gone| gone.is_protected(now, self.bypass))
        {
            return Err(Refused::Protected);
        }
        if record.head_is(&self.id) {
            guard_removal(record, self.next.as_ref(), &self.caller, now)?;
            let gone = std::mem::replace(&mut record.head, self.next.clone());
            if self.next.as_ref().is_some_and(|next| next.id.is_null()) {
                record.older_null = None;
            }
            let mut effects = Effects {
                promoted: self.next.clone(),
                ..Effects::default()
            };
            gone.iter().for_each(|gone| effects.remove(gone.clone(), now));
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
        let mut effects = Effects::default();
        effects.remove(older.clone(), now);
        Ok(Deleted {
            version: Some(older.clone()),
            effects,
        })
    }
}

/// What of a version may change after it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// All tags from now on.
    Tags(BTreeMap<String, String>),
    /// The retention from now on.
    Retention {
        /// `None` to end it.
        retention: Option<ObjectRetention>,
        /// Whether the caller may end a governance retention, and says that it means to.
        bypass: bool,
    },
    /// Whether there is a legal hold from now on.
    LegalHold(bool),
}

impl Change {
    /// Makes the change.
    ///
    /// # Errors
    /// [`Refused::Protected`] for a retention that may not become shorter.
    pub fn make(&self, content: &mut Content, now: Time) -> Result<(), Refused> {
        let protection = &mut content.protection;
        match self {
            Change::Tags(tags) => content.tags.clone_from(tags),
            Change::Retention { retention, bypass } => {
                if !protection.may_become(*retention, now, *bypass) {
                    return Err(Refused::Protected);
                }
                protection.retention = *retention;
            }
            Change::LegalHold(on) => protection.legal_hold = Some(*on),
        }
        Ok(())
    }
}

/// Wants the head to be changed so.
#[derive(Clone, Debug)]
pub struct ChangeHead(pub Change);

impl Command for ChangeHead {
    type Outcome = Result<(), Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        let body = record.head.as_mut().and_then(|head| head.body.as_mut());
        body.map_or(Ok(()), |body| self.0.make(&mut body.content, now))
    }
}

/// Wants what is at its end by a bucket's lifecycle to go, unless somebody holds the lock.
#[derive(Clone, Debug)]
pub enum Lapse {
    /// The current version, as by S3's DELETE.
    Current(Box<Delete>),
    /// The current delete marker, which hides nothing, for good.
    Marker,
    /// Older versions, for good.
    Older(Vec<Version>),
}

impl Command for Lapse {
    type Outcome = Result<Effects, Refused>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        let mut effects = Effects::default();
        if let Some(held) = record.locks.first() {
            let why = Why::Locked(Box::new(held.clone()));
            return Err(Refused::State { why, kept: None });
        }
        match self {
            Lapse::Current(delete) => return Ok(delete.apply(record, now)?.effects),
            Lapse::Marker => record.head = None,
            Lapse::Older(older) => {
                for version in older.iter().filter(|version| !version.is_protected(now, false)) {
                    if version.id.is_null() {
                        record.older_null = None;
                    }
                    effects.remove(version.clone(), now);
                }
            }
        }
        Ok(effects)
    }
}

/// Wants older versions gone for good, because nobody keeps them any longer.
#[derive(Clone, Debug)]
pub struct Expire {
    /// Their numbers.
    pub seqs: Vec<u64>,
}

impl Command for Expire {
    type Outcome = ();

    fn apply(&self, record: &mut Record, _now: Time) {
        record.older_null = record.older_null.filter(|seq| !self.seqs.contains(seq));
    }
}

/// An operator makes a state current that is not: an older version, or a write that was refused. Takes the lock, writes, and
/// gives it back in one step.
#[derive(Clone, Debug)]
pub struct Restore {
    /// What for, as the history shows it: `rollback to 7`.
    pub operation: String,
    /// The number of the refused write that is adopted, if it is one.
    pub refused: Option<u64>,
    /// The state with the serial that follows the current one.
    pub body: Body,
    /// The version that the new serial follows, which must still be current.
    pub follows: Option<VersionId>,
    /// Who asks for it.
    pub caller: Caller,
    /// The same as the history shows it: `user@host`.
    pub who: String,
    /// The random half of the new version's ID.
    pub random: u64,
    /// The bucket's versioning.
    pub versioning: Versioning,
    /// The older `null` version, as named by [`Record::older_null`].
    pub older_null: Option<Version>,
}

/// Why a state was not made current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRestored {
    /// There is no refused write of this number.
    Unknown,
    /// Someone holds the lock.
    Locked(Box<Lock>),
    /// The state has changed meanwhile: read it again.
    Overtaken,
}

impl Command for Restore {
    type Outcome = Result<Written, NotRestored>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        // Operators may have frozen the state to be alone with it.
        if let Some(held) = record.locks.iter().find(|lock| !lock.is_freeze()) {
            return Err(NotRestored::Locked(Box::new(held.clone())));
        }
        if record.head.as_ref().map(|head| &head.id) != self.follows.as_ref() {
            return Err(NotRestored::Overtaken);
        }
        if self.refused.is_some() {
            let before = record.quarantined.len();
            record.quarantined.retain(|kept| Some(kept.id) != self.refused);
            if record.quarantined.len() == before {
                return Err(NotRestored::Unknown);
            }
        }
        record.fence += 1;
        let new = New {
            body: Some(self.body.clone()),
            writer: Some(self.writer(record.fence)),
            random: self.random,
        };
        let (version, effects) = push(record, self.versioning, self.older_null.as_ref(), new, now);
        Ok(Written { version, effects })
    }
}

impl Restore {
    /// The lock that was taken for it and given back at once bears the fence as its ID.
    fn writer(&self, fence: u64) -> Writer {
        let id = LockId::try_from(format!("restore-{fence}").as_str());
        let lock = id.ok().map(|id| WriterLock {
            id,
            operation: self.operation.clone(),
            who: self.who.clone(),
            fence,
        });
        Writer {
            caller: self.caller.clone(),
            lock,
        }
    }
}
