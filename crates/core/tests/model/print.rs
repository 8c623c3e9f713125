//! What tells one world from another.

use std::hash::{DefaultHasher, Hash, Hasher};

use tidelock_core::{
    Record, Time,
    limits::{RELEASE_REPEAT_MS, TOMBSTONE_MS, WAITER_FORGET_MS},
};

use crate::world::{NOW, POLL_MS, Step, World};

impl World {
    /// A hash of all that matters. What no rule reads is left out, as numbers that only grow, and times for people; and
    /// what is long past is past.
    pub(crate) fn fingerprint(&self) -> u64 {
        let record = essence(&self.record);
        let mut clients = self.clients.clone();
        for client in &mut clients {
            match &mut client.step {
                Step::Asleep(since) => *since = (*since).max(NOW.plus_ms(-POLL_MS)),
                Step::Held { until, .. } => *until = (*until).max(NOW),
                Step::Gone => (client.base, client.writes) = (0, 0),
                _ => {}
            }
        }
        let mut hasher = DefaultHasher::new();
        (record, clients, &self.adrift, &self.undone).hash(&mut hasher);
        (&self.fenced, &self.looks, self.faults, self.passes).hash(&mut hasher);
        hasher.finish()
    }
}

/// The record without what no rule reads.
fn essence(record: &Record) -> Record {
    let mut record = record.clone();
    let cap = |time: &mut Time, ms: i64| *time = (*time).max(NOW.plus_ms(-ms));
    for lock in &mut record.locks {
        (lock.fence, lock.seen) = (record.fence - lock.fence, NOW);
        cap(&mut lock.gone_at, RELEASE_REPEAT_MS);
        if lock.gone.is_empty() {
            lock.gone_at = NOW;
        }
        if lock.ticket.is_none() {
            lock.since = NOW;
        }
    }
    if let Some(last) = &mut record.last_release {
        (last.lock.fence, last.lock.ticket) = (0, None);
        (last.lock.since, last.lock.seen, last.lock.gone_at) = (NOW, NOW, NOW);
        cap(&mut last.at, TOMBSTONE_MS);
    }
    for ended in &mut record.ended {
        cap(&mut ended.at, RELEASE_REPEAT_MS);
    }
    for waiter in &mut record.waiters {
        cap(&mut waiter.last, WAITER_FORGET_MS);
    }
    for fenced in &mut record.fenced {
        (fenced.fence, fenced.at) = (0, NOW);
    }
    if let Some(head) = &mut record.head {
        (head.seq, head.written) = (0, NOW);
    }
    (record.fence, record.next_seq) = (0, 0);
    record.quarantined.clear();
    record
}
