//! The one thread that writes. Everything queued while a commit is on its way to the disk goes into the next
//! transaction, so the price of a sync is shared and throughput grows with load.

use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use tidelock_core::limits::{EMBEDDED_GROUP_BATCHES_MAX, EMBEDDED_GROUP_BYTES_MAX};
use tokio::sync::{mpsc::Receiver, oneshot};

use super::{
    directory::DirectoryLock,
    fault::{is_disk_full, is_failed_sync, nothing_happened},
    query,
};
use crate::{Batch, Committed, EngineError, Revision};

/// A batch on its way, and who waits for it. Nobody may wait any more: it is committed all the same.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Committed, EngineError>>,
}

/// The writing connection and what it knows.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    last_revision: Revision,
    /// Why nothing is written any more until a restart has read again what the disk really holds.
    stopped: Option<String>,
    /// Let go after the connection.
    _lock: Arc<DirectoryLock>,
}

/// How a group failed as a whole.
#[derive(Debug)]
enum Failure {
    /// It did not begin: somebody else has locked the file, or the disk fails. No batch is to blame.
    NotBegun(rusqlite::Error),
    /// None of it is on disk.
    Nothing(rusqlite::Error),
    /// It may be on disk.
    Uncertain(rusqlite::Error),
}

impl Writer {
    pub(super) fn new(connection: Connection, lock: Arc<DirectoryLock>) -> rusqlite::Result<Writer> {
        let last_revision = query::last_revision(&connection)?;
        Ok(Writer {
            connection,
            last_revision,
            stopped: None,
            _lock: lock,
        })
    }

    /// Serves the queue until every sender is gone.
    pub(super) fn run(mut self, mut queue: Receiver<Job>) -> Writer {
        while let Some(first) = queue.blocking_recv() {
            let group = collect(first, &mut queue);
            self.serve(group);
        }
        self
    }

    fn serve(&mut self, group: Vec<Job>) {
        if let Some(reason) = &self.stopped {
            return refuse(group, || EngineError::Unavailable(reason.clone()));
        }
        match self.transact(&group) {
            Ok(outcomes) => {
                for (job, outcome) in group.into_iter().zip(outcomes) {
                    // The caller may have gone away.
                    let _ = job.answer.send(Ok(outcome));
                }
            }
            // Which batch it was is not known; alone, each answers for itself.
            Err(Failure::Nothing(_)) if group.len() > 1 => {
                group.into_iter().for_each(|job| self.serve(vec![job]))
            }
            Err(Failure::Nothing(error) | Failure::NotBegun(error)) => {
                refuse(group, || nothing_happened(&error))
            }
            Err(Failure::Uncertain(error)) => refuse(group, || EngineError::Uncertain(error.to_string())),
        }
    }

    /// One transaction for all of them, or none of it.
    fn transact(&mut self, group: &[Job]) -> Result<Vec<Committed>, Failure> {
        let result = self.apply_and_commit(group);
        if let Err(failure) = &result {
            self.stop_if_the_disk_is_in_doubt(failure);
        }
        let (outcomes, last_revision) = result?;
        self.last_revision = last_revision;
        Ok(outcomes)
    }

    fn apply_and_commit(&mut self, group: &[Job]) -> Result<(Vec<Committed>, Revision), Failure> {
        let mut last_revision = self.last_revision;
        let begin = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        // Dropped before its commit, it is rolled back.
        let transaction = begin.map_err(Failure::NotBegun)?;
        let outcomes = apply(&transaction, group, &mut last_revision).map_err(Failure::Nothing)?;
        match transaction.commit() {
            Ok(()) => Ok((outcomes, last_revision)),
            // What makes a transaction count is the last frame written to the log: with no place for it there is none.
            Err(error) if is_disk_full(&error) => Err(Failure::Nothing(error)),
            Err(error) => Err(Failure::Uncertain(error)),
        }
    }

    fn stop_if_the_disk_is_in_doubt(&mut self, failure: &Failure) {
        let error = match failure {
            Failure::Uncertain(error) => error,
            Failure::Nothing(error) | Failure::NotBegun(error) if is_failed_sync(error) => error,
            Failure::Nothing(_) | Failure::NotBegun(_) => return,
        };
        tracing::error!(%error, "a commit failed on its way to the disk: no more are taken until a restart");
        self.stopped = Some(format!(
            "a commit failed on its way to the disk ({error}); check the disk, then restart the server"
        ));
    }
}

/// Each batch sees what those before it did; a conflict has written nothing, so nothing has to be undone.
fn apply(
    connection: &Connection,
    group: &[Job],
    last_revision: &mut Revision,
) -> rusqlite::Result<Vec<Committed>> {
    let before = *last_revision;
    let mut outcomes = Vec::with_capacity(group.len());
    for Job { batch, .. } in group {
        if query::holds(connection, batch)? {
            *last_revision += 1;
            query::apply(connection, batch, *last_revision)?;
            outcomes.push(Committed::Done(*last_revision));
        } else {
            outcomes.push(Committed::Conflict);
        }
    }
    if *last_revision != before {
        query::set_last_revision(connection, *last_revision)?;
    }
    Ok(outcomes)
}

fn collect(first: Job, queue: &mut Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.batch.bytes();
    let mut group = vec![first];
    while group.len() < EMBEDDED_GROUP_BATCHES_MAX && bytes < EMBEDDED_GROUP_BYTES_MAX {
        let Ok(job) = queue.try_recv() else { break };
        bytes += job.batch.bytes();
        group.push(job);
    }
    group
}

fn refuse(group: Vec<Job>, error: impl Fn() -> EngineError) {
    for job in group {
        // The caller may have gone away.
        let _ = job.answer.send(Err(error()));
    }
}

#[cfg(test)]
mod tests;
