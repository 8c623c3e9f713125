//! Which version last changed a resource, and which made it: the history walked from its newest end, one lock at a time.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Pattern, Time, Version,
    diff::{Contents, Diff, Kind, Sensitive},
    limits::{BLAME_BYTES_MAX, BLAME_ROWS_MAX, BLAME_TOUCHES_MAX, SCAN_PAGE_ROWS_MIN},
};

use crate::{Entry, Error, OperatorError, Service, bodies::beside, packing::Changed};

/// Who changed a resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Blame {
    /// What was asked for.
    pub resource: String,
    /// The server's time, which ages are counted by.
    pub now_ms: Time,
    /// The newest version that changed it; none in this part of the history.
    pub version: Option<Entry>,
    /// The number of the version that this one was compared with; none for the first.
    pub against: Option<u64>,
    /// What it did to the resource, or to each of those that the pattern means.
    pub changes: Vec<Touch>,
    /// The version before which there was no such resource, the last time that it came.
    pub created: Option<Entry>,
    /// Before which version to go on looking, when this part of the history did not tell everything.
    pub next: Option<u64>,
}

/// What happened to one resource instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// As Terraform prints it.
    pub address: String,
    /// What happened.
    pub kind: Kind,
}

impl Service {
    /// Which version last changed what `pattern` means, among those that are older than `before`; as much of the history as
    /// one answer may take. What one lock wrote counts as one change, by its last version.
    ///
    /// # Errors
    /// [`OperatorError::Senseless`] when the state is encrypted; [`Error::LockFile`], [`Error::Damaged`].
    pub async fn blame(
        &self,
        address: &Address,
        pattern: &Pattern,
        resource: &str,
        before: Option<u64>,
    ) -> Result<Blame, OperatorError> {
        let mut walk = Walk::begin(self, address, before);
        let mut blame = Blame {
            resource: resource.to_owned(),
            now_ms: self.now(),
            version: None,
            against: None,
            changes: Vec::new(),
            created: None,
            next: None,
        };
        if walk.peek().await?.is_some_and(|newest| newest.place.is_none()) {
            return Err(OperatorError::Senseless(
                "the state is encrypted: only who has its key can tell what changed in it",
            ));
        }
        let Some(mut newer) = walk.next().await? else {
            return Ok(blame);
        };
        let mut there = walk.meant(&mut newer, pattern).await?;
        loop {
            let mut older = walk.next().await?;
            let touches = walk.touches(&mut newer, older.as_mut(), pattern).await?;
            if let Some(touches) = touches.filter(|touches| !touches.is_empty()) {
                undo(&touches, &mut there);
                let entry = self.entry(address, newer.version, walk.head).await?;
                let is_creation = there.is_empty();
                blame.note(entry, older.as_ref(), touches, is_creation);
            }
            match older {
                Some(next) if blame.created.is_none() => newer = next,
                _ => return Ok(blame),
            }
            if walk.rows > BLAME_ROWS_MAX || walk.bytes > BLAME_BYTES_MAX {
                blame.next = Some(newer.version.seq + 1);
                return Ok(blame);
            }
        }
    }
}

impl Blame {
    /// Takes down what one version did.
    fn note(&mut self, entry: Entry, older: Option<&Group>, touches: Vec<Touch>, is_creation: bool) {
        if is_creation {
            self.created = Some(entry.clone());
        }
        if self.version.is_none() {
            self.version = Some(entry);
            self.against = older.map(|older| older.version.seq);
            self.changes = touches.into_iter().take(BLAME_TOUCHES_MAX).collect();
        }
    }
}

/// Takes back what a version did to the resources that were there after it.
fn undo(touches: &[Touch], there: &mut BTreeSet<String>) {
    for touch in touches {
        match touch.kind {
            Kind::Added => drop(there.remove(&touch.address)),
            Kind::Removed => drop(there.insert(touch.address.clone())),
            Kind::Changed => {}
        }
    }
}

/// What one lock wrote: its last version stands for all.
struct Group {
    version: Version,
    /// Whether the first state of all that were ever written is among them.
    is_first: bool,
    /// The state, once it has been read.
    bytes: Option<Bytes>,
}

/// The states of an address from the newest to the oldest, one lock at a time.
struct Walk<'a> {
    service: &'a Service,
    address: &'a Address,
    /// The number of the current version.
    head: Option<u64>,
    loaded: VecDeque<Version>,
    /// Before which version to load more; none when all are loaded.
    next: Option<u64>,
    /// What has been looked at.
    rows: usize,
    bytes: u64,
}

impl<'a> Walk<'a> {
    fn begin(service: &'a Service, address: &'a Address, before: Option<u64>) -> Walk<'a> {
        Walk {
            service,
            address,
            head: None,
            loaded: VecDeque::new(),
            next: Some(before.unwrap_or(u64::MAX)),
            rows: 0,
            bytes: 0,
        }
    }

    /// The next older version that is a state.
    async fn peek(&mut self) -> Result<Option<&Version>, Error> {
        loop {
            while self.loaded.front().is_some_and(|version| !version.is_state()) {
                self.loaded.pop_front();
            }
            let Some(before) = self.next.filter(|_| self.loaded.is_empty()) else {
                return Ok(self.loaded.front());
            };
            let page = self
                .service
                .versions_before(self.address, Some(before), SCAN_PAGE_ROWS_MIN);
            let (head, versions) = page.await?;
            self.head = head;
            self.rows += versions.len();
            self.next = versions.last().map(|last| last.seq);
            self.loaded = versions.into();
        }
    }

    /// What the next older lock wrote; encrypted states are passed over.
    async fn next(&mut self) -> Result<Option<Group>, Error> {
        while self.peek().await?.is_some_and(|version| version.place.is_none()) {
            self.loaded.pop_front();
        }
        let Some(version) = self.loaded.pop_front() else {
            return Ok(None);
        };
        let lock = version.lock().map(|lock| lock.id.clone());
        let mut group = Group {
            is_first: version.place == Some(1),
            version,
            bytes: None,
        };
        while lock.is_some()
            && let Some(older) = self.peek().await?
            && older.lock().map(|lock| &lock.id) == lock.as_ref()
        {
            group.is_first |= older.place == Some(1);
            self.loaded.pop_front();
        }
        Ok(Some(group))
    }

    /// A state's bytes.
    async fn read(&mut self, group: &mut Group) -> Result<Bytes, Error> {
        if let Some(bytes) = &group.bytes {
            return Ok(bytes.clone());
        }
        let Some(body) = &group.version.body else {
            return Ok(Bytes::new());
        };
        self.bytes += body.size;
        let bytes = self
            .service
            .read_all(self.address, group.version.seq, body)
            .await?;
        Ok(group.bytes.insert(bytes).clone())
    }

    /// The addresses in a state that `pattern` means.
    async fn meant(&mut self, group: &mut Group, pattern: &Pattern) -> Result<BTreeSet<String>, Error> {
        let (bytes, pattern) = (self.read(group).await?, pattern.clone());
        beside(bytes.len(), move || {
            let contents = Contents::read(&bytes, Sensitive::Hide);
            let resources = contents.map(|contents| contents.resources).unwrap_or_default();
            let current = resources
                .into_iter()
                .filter(|resource| resource.deposed.is_none());
            let addresses = current.map(|resource| resource.address);
            addresses.filter(|address| pattern.matches(address)).collect()
        })
        .await
    }

    /// What happened to the resources that `pattern` means between two states; `None` where that cannot be told.
    async fn touches(
        &mut self,
        newer: &mut Group,
        older: Option<&mut Group>,
        pattern: &Pattern,
    ) -> Result<Option<Vec<Touch>>, Error> {
        let changed = self.service.changed(self.address, &newer.version).await?;
        if let Some(changed) = changed.filter(|changed| !changed.and_more) {
            return Ok(Some(changed.touches(pattern)));
        }
        let old = match older {
            Some(older) => self.read(older).await?,
            None if newer.is_first => Bytes::from_static(NOTHING),
            None => return Ok(None),
        };
        let (new, pattern) = (self.read(newer).await?, pattern.clone());
        beside(old.len().max(new.len()), move || {
            let diff = Diff::between(&old, &new, Sensitive::Hide).ok()?;
            Some(Changed::all(&diff, None).touches(&pattern))
        })
        .await
    }
}

/// A state with nothing in it.
const NOTHING: &[u8] = br#"{"version":4,"serial":0,"lineage":""}"#;
