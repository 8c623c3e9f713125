//! Which version in a bucket last changed a resource, and which made it: the history walked from its newest end.

use std::collections::{BTreeMap, BTreeSet};

use tidelock_core::{
    Pattern,
    diff::{Contents, Kind, Sensitive},
    limits::BLAME_TOUCHES_MAX,
};

use super::{Error, Layout, Version, Walk};

/// Who changed a resource.
#[derive(Clone, Debug, Default)]
pub struct Blame {
    /// The newest version that changed it.
    pub version: Option<Version>,
    /// The ID of the version that this one was compared with; none for the first.
    pub against: Option<String>,
    /// What it did to the resource, or to each of those that the pattern means, by their addresses.
    pub changes: BTreeMap<String, Kind>,
    /// The version before which there was no such resource, the last time that it came.
    pub created: Option<Version>,
    /// Whether the newest state is encrypted, so that nothing could be looked for.
    pub sealed: bool,
}

impl Layout {
    /// Which version last changed what `pattern` means. What one lock wrote counts as one change, by its last version.
    /// `looking` hears of every version that is looked at.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn blame(
        &self,
        key: &str,
        pattern: &Pattern,
        mut looking: impl FnMut(&Version),
    ) -> Result<Blame, Error> {
        let mut walk = self.versions(key);
        let mut blame = Blame::default();
        let newest = walk.peek().await?.and_then(|newest| newest.header.as_ref());
        blame.sealed = newest.is_some_and(|newest| newest.encrypted);
        if blame.sealed {
            return Ok(blame);
        }
        let Some(mut newer) = next(&mut walk).await? else {
            return Ok(blame);
        };
        let mut there = meant(&newer, pattern);
        while blame.created.is_none() {
            looking(&newer);
            let older = next(&mut walk).await?;
            let touches = touches(&newer, older.as_ref(), pattern);
            if !touches.is_empty() {
                undo(&touches, &mut there);
                blame.note(&newer, older.as_ref(), touches, there.is_empty());
            }
            match older {
                Some(older) => newer = older,
                None => break,
            }
        }
        Ok(blame)
    }
}

impl Blame {
    /// Takes down what one version did.
    fn note(
        &mut self,
        version: &Version,
        older: Option<&Version>,
        touches: BTreeMap<String, Kind>,
        is_creation: bool,
    ) {
        self.created = is_creation.then(|| version.clone());
        if self.version.is_none() {
            self.version = Some(version.clone());
            self.against = older.map(|older| older.listed.version.clone());
            self.changes = touches.into_iter().take(BLAME_TOUCHES_MAX).collect();
        }
    }
}

/// The last state that the next older lock wrote; what cannot be looked into is passed over.
async fn next(walk: &mut Walk<'_>) -> Result<Option<Version>, Error> {
    while let Some(version) = walk.next().await? {
        if version.header.as_ref().is_none_or(|header| header.encrypted) {
            continue;
        }
        while walk.peek().await?.is_some_and(|older| older.is_step_of(&version)) {
            walk.next().await?;
        }
        return Ok(Some(version));
    }
    Ok(None)
}

/// The addresses in a state that `pattern` means.
fn meant(version: &Version, pattern: &Pattern) -> BTreeSet<String> {
    let bytes = version.object.iter().map(|object| &object.bytes);
    let contents = bytes.filter_map(|bytes| Contents::read(bytes, Sensitive::Hide).ok());
    let resources = contents.flat_map(|contents| contents.resources);
    let current = resources.filter(|resource| resource.deposed.is_none());
    let addresses = current.map(|resource| resource.address);
    addresses.filter(|address| pattern.matches(address)).collect()
}

/// What happened between two states to the resources that `pattern` means; a deposed object is a change of its instance.
fn touches(newer: &Version, older: Option<&Version>, pattern: &Pattern) -> BTreeMap<String, Kind> {
    let diff = newer.differs(older);
    let changes = diff.into_iter().flat_map(|diff| diff.resources);
    let meant = changes.filter(|change| pattern.matches(&change.address));
    let mut touches = BTreeMap::new();
    for change in meant {
        match change.deposed {
            Some(_) => drop(touches.entry(change.address).or_insert(Kind::Changed)),
            None => drop(touches.insert(change.address, change.kind)),
        }
    }
    touches
}

/// Takes back what a version did to the resources that were there after it.
fn undo(touches: &BTreeMap<String, Kind>, there: &mut BTreeSet<String>) {
    for (address, kind) in touches {
        match kind {
            Kind::Added => drop(there.remove(address)),
            Kind::Removed => drop(there.insert(address.clone())),
            Kind::Changed => {}
        }
    }
}
