//! One attempt at changing an address: the record as loaded, and the batch that will replace it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use tidelock_core::{
    Address, Command, Facet, FacetForm, Lock, LockId, Record, Ticket, Time, Version, decide,
    decide::{Effects, Written},
    limits::{CONFLICT_RETRIES_MAX, LOCK_TURN_PLACES, SCAN_PAGE_ROWS, SCAN_PAGE_ROWS_MIN},
};
use tidelock_engine::{Batch, Committed, Expect};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    Error, Service, keys,
    rows::{self, ObjectRow},
    to_the_end,
    waiting::Bell,
};

/// The attempts a use case may make. Losing one means that somebody else won.
pub(crate) const TURNS: std::ops::Range<usize> = 0..CONFLICT_RETRIES_MAX;

/// A request that has been granted the lock, and how to reach it if it is still there.
type Granted = (LockId, Ticket, Option<Arc<Bell>>);

/// One attempt.
pub(crate) struct Turn {
    pub(crate) address: Address,
    /// The record, as loaded and then as decided.
    pub(crate) record: Record,
    pub(crate) batch: Batch,
    expect: Expect,
    changed: bool,
    /// Versions that move to rows of their own, or stay there and change.
    kept: Vec<Version>,
    /// The locks as loaded, whose views stand in listings and tables.
    locks: Vec<Lock>,
}

impl Turn {
    /// Lets the rules judge `command`, and keeps the record that follows from it.
    pub(crate) fn decide<C: Command>(&mut self, command: &C, service: &Service) -> C::Outcome {
        let (next, outcome) = decide(&self.record, command, service.now());
        self.changed |= next != self.record;
        self.record = next;
        outcome
    }

    /// Whether the version of this number is the current one.
    pub(crate) fn is_head(&self, seq: u64) -> bool {
        self.record.head.as_ref().is_some_and(|head| head.seq == seq)
    }

    /// An older version, on the condition that it stays as it is: what a turn moves must not be stored anew meanwhile.
    pub(crate) async fn older(&mut self, service: &Service, seq: u64) -> Result<Option<Version>, Error> {
        let row = rows::version(&self.address, seq);
        let Some(entry) = service.engine.get(&row).await? else {
            return Ok(None);
        };
        let version = rows::decode(&row, &entry.value)?;
        self.batch.checks.push((row, Expect::At(entry.revision)));
        Ok(Some(version))
    }

    /// Adds what a write leaves behind: its blob, what becomes of the versions before it, and work for the packer.
    pub(crate) fn written(&mut self, written: &Written, blob: Bytes) {
        self.apply(&written.effects);
        let body = written.version.body.as_ref();
        let blob = body.map(|body| (body.stored.blob.0, blob));
        self.batch.put_blobs.extend(blob);
        if written.version.place.is_some() {
            self.batch
                .puts
                .push((rows::unpacked(&self.address), Bytes::new()));
        }
    }

    /// Applies what a decision does to the versions behind the head.
    pub(crate) fn apply(&mut self, effects: &Effects) {
        self.kept.extend(effects.keep.clone());
        self.kept.extend(effects.hidden.iter().cloned());
        if let Some(version) = &effects.promoted {
            self.batch.deletes.push(rows::version(&self.address, version.seq));
        }
        for version in &effects.dropped {
            self.batch.deletes.push(rows::version(&self.address, version.seq));
            self.batch
                .drop_blobs
                .extend(version.body.as_ref().map(|body| body.stored.blob.0));
        }
    }

    /// Lets go of the held requests that could not be shown where they ask, because a plain item stands there by now:
    /// that is their own misfortune, and nobody else's. They look again, and are told.
    pub(crate) async fn pass_over_hidden(&mut self, service: &Service) -> Result<(), Error> {
        for waiter in &mut self.record.waiters {
            let (Some(hold), Facet::Table { table, row }) = (&waiter.hold, &waiter.facet) else {
                continue;
            };
            if service.vacant(&rows::item(table, row)).await?.is_none() {
                service
                    .waiting
                    .bell(hold.ticket)
                    .inspect(|bell| bell.wake.notify_one());
                waiter.hold = None;
            }
        }
        Ok(())
    }

    /// Shows and hides the views that depend on which facets the locks have. `false` when one cannot be shown because a
    /// plain item stands in its place: the turn is lost.
    pub(crate) async fn show_facets(&mut self, service: &Service) -> Result<bool, Error> {
        let locks = self.record.locks.clone();
        let (old, new) = (views(&self.locks), views(&locks));
        for (form, _) in &old {
            if !new.iter().any(|(other, _)| other.facet == form.facet) {
                self.batch.deletes.extend(self.view_row(&form.facet));
            }
        }
        for (form, since) in new.iter().filter(|view| !old.contains(view)) {
            let Some(row) = self.view_row(&form.facet) else {
                continue;
            };
            let view = match &form.facet {
                Facet::File => {
                    rows::encode(&ObjectRow::LockFile(crate::locks::lock_file(&form.info, *since)))
                }
                Facet::Table { .. } => {
                    let Some(vacant) = service.vacant(&row).await? else {
                        return Ok(false);
                    };
                    self.batch.checks.push((row.clone(), vacant));
                    crate::tables::lock_view(&self.address)
                }
                Facet::Http | Facet::Operator => continue,
            };
            self.batch.puts.push((row, view));
        }
        match (self.locks.is_empty(), locks.is_empty()) {
            (true, false) => self.batch.puts.push((rows::locked(&self.address), Bytes::new())),
            (false, true) => self.batch.deletes.push(rows::locked(&self.address)),
            (true, true) | (false, false) => {}
        }
        Ok(true)
    }

    fn view_row(&self, facet: &Facet) -> Option<Vec<u8>> {
        match facet {
            Facet::File => Some(rows::object(self.address.bucket(), &self.address.lock_file_key())),
            Facet::Table { table, row } => Some(rows::item(table, row)),
            Facet::Http | Facet::Operator => None,
        }
    }

    /// Commits the turn. `false` when somebody else changed something first: take another turn.
    pub(crate) async fn commit(mut self, service: &Service) -> Result<bool, Error> {
        let has_work = !(self.kept.is_empty() && self.batch.puts.is_empty() && self.batch.deletes.is_empty());
        if !self.changed && !has_work {
            return Ok(true);
        }
        let row = rows::record(&self.address);
        let granted = self.granted(service);
        // A rotation of the root key looks at each row once: what moves to another meanwhile must be under the new one there.
        let roots = service.keys();
        for mut version in self.kept {
            keys::rewrap_version(&roots, &mut version, &*service.world);
            let row = rows::version(&self.address, version.seq);
            let value = keys::uncommitted(rows::encode(&version), &roots);
            self.batch.puts.push((row, value));
        }
        if self.record.is_void() {
            self.batch.deletes.push(row.clone());
        } else {
            if let Some(head) = &mut self.record.head {
                keys::rewrap_version(&roots, head, &*service.world);
            }
            let value = rows::encode(&ObjectRow::Record(Box::new(self.record)));
            let value = keys::uncommitted(value, &roots);
            self.batch.puts.push((row.clone(), value));
        }
        self.batch.checks.push((row, self.expect));
        if granted.is_empty() {
            return service.commit(self.batch).await;
        }
        // The engine does what it was told also when whoever asked is gone, and then nobody would wake the next in line.
        let (service, address, batch) = (service.clone(), self.address, self.batch);
        to_the_end(async move { service.commit_grants(&address, batch, &granted).await }).await
    }

    /// The requests that this turn has granted the lock, and how to reach those that are still there.
    fn granted(&self, service: &Service) -> Vec<Granted> {
        let of = |locks: &[Lock]| -> Vec<(LockId, Ticket)> {
            let tickets = locks.iter().map(|lock| Some((lock.id.clone(), lock.ticket?)));
            tickets.flatten().collect()
        };
        let (before, mut granted) = (of(&self.locks), of(&self.record.locks));
        granted.retain(|grant| !before.contains(grant));
        let reached = granted
            .into_iter()
            .map(|(id, ticket)| (id, ticket, service.waiting.bell(ticket)));
        reached.collect()
    }
}

/// What the doors show of the locks: each facet once, by the first lock that has it.
fn views(locks: &[Lock]) -> Vec<(FacetForm, Time)> {
    let mut views: Vec<(FacetForm, Time)> = Vec::new();
    for lock in locks {
        for form in &lock.facets {
            if !views.iter().any(|(shown, _)| shown.facet == form.facet) {
                views.push((form.clone(), lock.since));
            }
        }
    }
    views
}

/// Has the turns about the lock of one address come one after the other. Beside one another all but one would lose
/// and load the record anew: hundreds of waiters that come at once would take minutes.
pub(crate) struct InTurn(Vec<Mutex<()>>);

impl Default for InTurn {
    fn default() -> InTurn {
        InTurn((0..LOCK_TURN_PLACES).map(|_| Mutex::default()).collect())
    }
}

impl InTurn {
    pub(crate) async fn wait(&self, address: &Address) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let place = hasher.finish() % LOCK_TURN_PLACES as u64;
        self.0[place as usize].lock().await
    }
}

impl Service {
    /// Starts a turn: the record as it is now.
    pub(crate) async fn turn(&self, address: &Address) -> Result<Turn, Error> {
        let (record, expect) = self.load(address).await?;
        Ok(Turn {
            address: address.clone(),
            locks: record.locks.clone(),
            record,
            batch: Batch::default(),
            expect,
            changed: false,
            kept: Vec::new(),
        })
    }

    /// The record of an address; a fresh one where nothing was ever stored.
    pub(crate) async fn load(&self, address: &Address) -> Result<(Record, Expect), Error> {
        if address.locked_by_file().is_some() {
            return Err(Error::LockFile(address.clone()));
        }
        let row = rows::record(address);
        match self.engine.get(&row).await? {
            None => Ok((Record::default(), Expect::Absent)),
            Some(entry) => match rows::decode(&row, &entry.value)? {
                ObjectRow::Record(mut record) => {
                    record.let_go(|ticket| self.waiting.is_held(ticket));
                    self.sightings.note(&mut record);
                    Ok((*record, Expect::At(entry.revision)))
                }
                ObjectRow::LockFile(_) => Err(Error::corrupt(
                    &row,
                    "a lock file stands where a record should be",
                )),
            },
        }
    }

    /// Commits a batch that grants the lock to these requests, and has them look.
    async fn commit_grants(
        &self,
        address: &Address,
        batch: Batch,
        granted: &[Granted],
    ) -> Result<bool, Error> {
        let committed = self.commit(batch).await;
        // What failed may have been applied all the same.
        for (id, ticket, bell) in granted.iter().filter(|_| !matches!(committed, Ok(false))) {
            // Its client may have gone since the decision.
            if !bell.as_ref().is_some_and(|bell| bell.ring()) {
                self.spawn_take_back(address, id, *ticket);
            }
        }
        committed
    }

    /// Whether the batch was applied; a conflict is not an error but a reason for another turn.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<bool, Error> {
        Ok(matches!(self.engine.commit(batch).await?, Committed::Done(_)))
    }

    /// Up to `limit` versions that are older than `before`, newest first; with those that are history alone, or without.
    pub(crate) async fn older_versions(
        &self,
        address: &Address,
        before: u64,
        limit: usize,
        hidden: bool,
    ) -> Result<Vec<Version>, Error> {
        let (mut found, mut range) = (Vec::new(), rows::versions(address, before));
        let rows = limit.clamp(SCAN_PAGE_ROWS_MIN, SCAN_PAGE_ROWS);
        while found.len() < limit {
            let page = self.engine.scan(range.clone(), rows).await?;
            for (row, entry) in &page {
                let version: Version = rows::decode(row, &entry.value)?;
                if hidden || version.hidden.is_none() {
                    found.push(version);
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == rows => range.start = [last.as_slice(), &[0]].concat(),
                _ => break,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// An older version by its sequence number.
    pub(crate) async fn older(&self, address: &Address, seq: u64) -> Result<Option<Version>, Error> {
        let row = rows::version(address, seq);
        self.engine
            .get(&row)
            .await?
            .map(|entry| rows::decode(&row, &entry.value))
            .transpose()
    }
}
