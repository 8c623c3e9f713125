//! One attempt at changing an address: the record as loaded, and the batch that will replace it.

use bytes::Bytes;
use tidelock_core::{
    Address, Command, Facet, Lock, Record, Version, decide, decide::Effects, limits::CONFLICT_RETRIES_MAX,
};
use tidelock_engine::{Batch, Committed, Expect};

use crate::{
    Error, Service,
    rows::{self, ObjectRow},
};

/// The attempts a use case may make. Losing one means that somebody else won.
pub(crate) const TURNS: std::ops::Range<usize> = 0..CONFLICT_RETRIES_MAX;

/// One attempt.
pub(crate) struct Turn {
    pub(crate) address: Address,
    /// The record, as loaded and then as decided.
    pub(crate) record: Record,
    pub(crate) batch: Batch,
    expect: Expect,
    changed: bool,
}

impl Turn {
    /// Lets the rules judge `command`, and keeps the record that follows from it.
    pub(crate) fn decide<C: Command>(&mut self, command: &C, service: &Service) -> C::Outcome {
        let (next, outcome) = decide(&self.record, command, service.now());
        self.changed |= next != self.record;
        self.record = next;
        outcome
    }

    /// Applies what a decision does to the versions behind the head.
    pub(crate) fn apply(&mut self, effects: &Effects) {
        if let Some(version) = &effects.keep {
            self.batch
                .puts
                .push((rows::version(&self.address, version.seq), rows::encode(version)));
        }
        if let Some(version) = &effects.promoted {
            self.batch.deletes.push(rows::version(&self.address, version.seq));
        }
        for version in &effects.dropped {
            self.batch.deletes.push(rows::version(&self.address, version.seq));
            self.batch
                .drop_blobs
                .extend(version.body.as_ref().map(|body| body.blob.0));
        }
    }

    /// Shows and hides the views that depend on which facets the lock has.
    pub(crate) async fn show_facets(&mut self, before: Option<Lock>, service: &Service) -> Result<(), Error> {
        let facets = |lock: Option<&Lock>| lock.map_or_else(Vec::new, |lock| lock.facets.clone());
        let (old, new) = (facets(before.as_ref()), facets(self.record.lock.as_ref()));
        for form in old.iter().filter(|form| !new.contains(form)) {
            self.batch.deletes.extend(self.view_row(&form.facet));
        }
        for form in new.iter().filter(|form| !old.contains(form)) {
            let Some(row) = self.view_row(&form.facet) else {
                continue;
            };
            let view = match &form.facet {
                Facet::File => {
                    let since = self
                        .record
                        .lock
                        .as_ref()
                        .map(|lock| lock.since)
                        .unwrap_or_default();
                    rows::encode(&ObjectRow::LockFile(crate::locks::lock_file(&form.info, since)))
                }
                Facet::Table { .. } => {
                    self.batch.checks.push((row.clone(), service.vacant(&row).await?));
                    crate::tables::lock_view(&self.address)
                }
                Facet::Http => continue,
            };
            self.batch.puts.push((row, view));
        }
        Ok(())
    }

    fn view_row(&self, facet: &Facet) -> Option<Vec<u8>> {
        match facet {
            Facet::File => Some(rows::object(self.address.bucket(), &self.address.lock_file_key())),
            Facet::Table { table, row } => Some(rows::item(table, row)),
            Facet::Http => None,
        }
    }

    /// Commits the turn. `false` when somebody else changed something first: take another turn.
    pub(crate) async fn commit(mut self, service: &Service) -> Result<bool, Error> {
        if !self.changed && self.batch.puts.is_empty() && self.batch.deletes.is_empty() {
            return Ok(true);
        }
        let row = rows::record(&self.address);
        if self.record.is_void() {
            self.batch.deletes.push(row.clone());
        } else {
            let value: Bytes = rows::encode(&ObjectRow::Record(Box::new(self.record)));
            self.batch.puts.push((row.clone(), value));
        }
        self.batch.checks.push((row, self.expect));
        service.commit(self.batch).await
    }
}

impl Service {
    /// Starts a turn: the record as it is now.
    pub(crate) async fn turn(&self, address: &Address) -> Result<Turn, Error> {
        let (record, expect) = self.load(address).await?;
        Ok(Turn {
            address: address.clone(),
            record,
            batch: Batch::default(),
            expect,
            changed: false,
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
                ObjectRow::Record(record) => Ok((*record, Expect::At(entry.revision))),
                ObjectRow::LockFile(_) => Err(Error::corrupt(
                    &row,
                    "a lock file stands where a record should be",
                )),
            },
        }
    }

    /// Whether the batch was applied; a conflict is not an error but a reason for another turn.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<bool, Error> {
        Ok(matches!(self.engine.commit(batch).await?, Committed::Done(_)))
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
