//! Taking in a version that was written elsewhere, as a part of the history that it belongs to.
//!
//! A history is imported oldest version first. Each one goes behind those that are there, at the time at which it was
//! written; so what is here must be older, and be the history's own beginning or something that the version advances.

use super::{
    Command, Written,
    object::{Effects, New, push},
};
use crate::{
    Body, Lock, Record, StateHeader, Time, Version, Versioning, Writer,
    limits::{IMPORT_AHEAD_MS_MAX, IMPORT_NUMBERS_SKIPPED_MAX},
};

/// Wants a version that was written elsewhere to become the current one.
#[derive(Clone, Debug)]
pub struct Import {
    /// The state; `None` when it was deleted.
    pub body: Option<Body>,
    /// When it was written.
    pub written: Time,
    /// Its number there, which it keeps where that is free; 0 for none.
    pub number: u64,
    /// Who wrote it, as far as that is known.
    pub writer: Option<Writer>,
    /// What stands before it in the history that is imported, if anything does.
    pub follows: Option<Fingerprint>,
    /// The newest version of the address when there is no current one: it was deleted without a mark.
    pub last: Option<Version>,
    /// The random half of the new version's ID.
    pub random: u64,
    /// The bucket's versioning.
    pub versioning: Versioning,
    /// The older `null` version, as named by [`Record::older_null`].
    pub older_null: Option<Version>,
}

/// Enough to know a version by, here and elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// When it was written.
    pub written: Time,
    /// The MD5 of the state; `None` when it was deleted.
    pub md5: Option<String>,
}

/// Why a version was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotImported {
    /// Someone holds the lock.
    Locked(Box<Lock>),
    /// What is here is not older.
    Newer(Box<Version>),
    /// What is here is older and of another history: another lineage, a serial that is not lower, or no state at all.
    Apart(Box<Version>),
    /// It says that it was written in time to come.
    Ahead,
}

impl Command for Import {
    /// `None` when that version is here already, or says that something was deleted that is not there.
    type Outcome = Result<Option<Written>, NotImported>;

    fn apply(&self, record: &mut Record, now: Time) -> Self::Outcome {
        // Operators may have frozen the state to be alone with it.
        if let Some(held) = record.locks.iter().find(|lock| !lock.is_freeze()) {
            return Err(NotImported::Locked(Box::new(held.clone())));
        }
        if self.written.since(now) > IMPORT_AHEAD_MS_MAX {
            return Err(NotImported::Ahead);
        }
        let last = record.head.as_ref().or(self.last.as_ref());
        if last.is_some_and(|last| fingerprint(last) == self.fingerprint()) {
            return Ok(None);
        }
        last.map_or(Ok(()), |last| self.may_follow(last))?;
        if self.body.is_none() && self.versioning == Versioning::Unversioned {
            return Ok(self.removed(record));
        }
        let skipped = self.number.saturating_sub(record.next_seq);
        if (1..=IMPORT_NUMBERS_SKIPPED_MAX).contains(&skipped) {
            record.next_seq = self.number - 1;
        }
        let new = New {
            body: self.body.clone(),
            writer: self.writer.clone(),
            random: self.random,
        };
        let (version, effects) = push(
            record,
            self.versioning,
            self.older_null.as_ref(),
            new,
            self.written,
        );
        Ok(Some(Written { version, effects }))
    }
}

impl Import {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            written: self.written,
            md5: self.body.as_ref().map(|body| body.md5.clone()),
        }
    }

    /// Whether it may stand behind what is here.
    fn may_follow(&self, last: &Version) -> Result<(), NotImported> {
        // A version that S3 no longer shows was the state until then.
        if last.hidden.unwrap_or(last.written) > self.written {
            return Err(NotImported::Newer(Box::new(last.clone())));
        }
        match self.follows.as_ref() == Some(&fingerprint(last)) || self.advances(last) {
            true => Ok(()),
            false => Err(NotImported::Apart(Box::new(last.clone()))),
        }
    }

    /// Whether it may stand behind a version that its own history does not know.
    fn advances(&self, last: &Version) -> bool {
        let Some(new) = self.body.as_ref().and_then(|body| body.state.as_ref()) else {
            return false;
        };
        let goes_on =
            |old: &StateHeader| (old.lineage == new.lineage && old.serial < new.serial) || old.empty;
        match &last.body {
            // What was deleted gives way to anything that came later.
            None => true,
            Some(_) if last.hidden.is_some() => true,
            Some(body) => body.state.as_ref().is_some_and(goes_on),
        }
    }

    /// Without versioning a deletion leaves no mark.
    fn removed(&self, record: &mut Record) -> Option<Written> {
        let version = record.head.take()?;
        let mut effects = Effects::default();
        effects.remove(version.clone(), self.written);
        Some(Written { version, effects })
    }
}

fn fingerprint(version: &Version) -> Fingerprint {
    Fingerprint {
        written: version.written,
        md5: version.body.as_ref().map(|body| body.md5.clone()),
    }
}
