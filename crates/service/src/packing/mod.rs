//! Work on history in the background: older states become what differs from newer ones, what each version changed is
//! counted, and what nobody keeps any longer is dropped.
//!
//! A write leaves a mark in its own batch, so nothing is forgotten by a crash; the mark goes when the address is done and
//! nobody has written since. Every step is one batch of its own, on the condition that the version is still what it was:
//! writers never wait for the packer, and whatever it has not done is done the next time.

mod changes;
mod expire;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::{
    Address, Body, Version,
    limits::{
        BODY_BUDGET_MIB, GC_PAGE_STATES, PACK_PAUSE_MS, PACK_PAUSES_MAX, PACKED_TOGETHER_BYTES,
        PACKED_TOGETHER_MAX, RETENTION_SWEEP_MS, SCAN_PAGE_ROWS_MIN,
    },
};
use tidelock_engine::{Batch, EngineError, Expect};
use tokio::{
    sync::{Notify, watch},
    time::{Duration, MissedTickBehavior, interval, sleep},
};

use crate::{
    Error, Service,
    bodies::{Sealing, beside, check_delta, seal_delta},
    rows,
};
pub(crate) use changes::Changed;
use window::Step;

/// Wakes the packer.
#[derive(Default)]
pub(crate) struct Packing {
    wake: Notify,
    /// Whether all addresses are to be looked through.
    everywhere: AtomicBool,
}

impl Packing {
    /// There may be work anywhere that could not be done before: a KMS key can be used again.
    pub(crate) fn look_everywhere(&self) {
        self.everywhere.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// There is work, if this version is a plain state.
    pub(crate) fn wake(&self, version: &Version) {
        if version.place.is_some() {
            self.wake.notify_one();
        }
    }
}

/// The number of a version and its bytes, which are mostly needed again at the next step.
type Known = Option<(u64, Bytes)>;

/// What packing one address has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Versions that were stored anew.
    pub versions: usize,
    /// Bytes of the states that they are.
    pub raw_bytes: u64,
}

impl Packed {
    fn add(&mut self, more: Packed) {
        self.versions += more.versions;
        self.raw_bytes += more.raw_bytes;
    }
}

/// Versions that have been stored anew and are not committed yet, each as a batch of its own.
#[derive(Default)]
struct Anew {
    batches: Vec<Batch>,
    raw_bytes: u64,
}

impl Anew {
    fn is_full(&self) -> bool {
        let blobs = self.batches.iter().flat_map(|batch| &batch.put_blobs);
        let bytes: usize = blobs.map(|(_, blob)| blob.len()).sum();
        self.batches.len() == PACKED_TOGETHER_MAX || bytes >= PACKED_TOGETHER_BYTES
    }
}

/// All of these as one.
fn together(batches: &[Batch]) -> Batch {
    let mut all = Batch::default();
    for batch in batches.iter().cloned() {
        all.checks.extend(batch.checks);
        all.puts.extend(batch.puts);
        all.put_blobs.extend(batch.put_blobs);
        all.drop_blobs.extend(batch.drop_blobs);
    }
    all
}

/// What a page of collecting has done, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// States looked at.
    pub states: usize,
    /// Versions dropped because nobody keeps them any longer.
    pub dropped: usize,
    /// Bytes that they took.
    pub bytes: u64,
    /// Versions stored anew as what differs from a newer one.
    pub packed: usize,
    /// Where the next page begins after, when there is more.
    pub next: Option<Address>,
}

/// What is done about the addresses of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Nothing,
    Expire,
    PackAndExpire,
}

/// What one address can be to blame for must not keep the others from their turn: `None`, and a line in the log. The next
/// write there has it tried again.
fn pass_over<T>(address: &Address, done: Result<T, Error>) -> Result<Option<T>, Error> {
    match done {
        Err(Error::Engine(error @ (EngineError::Unavailable(_) | EngineError::Uncertain(_)))) => {
            Err(error.into())
        }
        Err(error) => {
            tracing::warn!(%address, %error, "older versions are left as they are for now");
            Ok(None)
        }
        Ok(done) => Ok(Some(done)),
    }
}

impl Service {
    /// Packs whatever there is to pack, and drops what nobody keeps any longer, until `stop` says so.
    pub async fn keep_packing(self, mut stop: watch::Receiver<bool>) {
        let mut sweep = interval(Duration::from_millis(RETENTION_SWEEP_MS));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // A stop loses nothing: what is not committed is done again.
            let work = async {
                self.while_large_bodies_come().await;
                self.pack_marked().await;
                if self.packing.everywhere.swap(false, Ordering::Relaxed) {
                    self.go_through(Work::PackAndExpire).await;
                }
                tokio::select! {
                    // Whoever has written has more to do, and the memory for it should not be the packer's just now.
                    () = self.packing.wake.notified() => sleep(Duration::from_millis(PACK_PAUSE_MS)).await,
                    _ = sweep.tick() => self.expire_all().await,
                }
            };
            tokio::select! {
                () = work => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Waits for memory that is large bodies' just now, until there are none or the packer has waited long enough.
    async fn while_large_bodies_come(&self) {
        for _ in 0..PACK_PAUSES_MAX {
            if self.receiving.available_permits() == BODY_BUDGET_MIB {
                return;
            }
            sleep(Duration::from_millis(PACK_PAUSE_MS)).await;
        }
    }

    async fn pack_marked(&self) {
        if let Err(error) = self.pack_all().await {
            tracing::warn!(%error, "older versions could not be packed; they are kept as they are for now");
        }
    }

    async fn expire_all(&self) {
        if !self.settings.retention.is_empty() {
            self.go_through(Work::Expire).await;
        }
    }

    async fn go_through(&self, work: Work) {
        let mut after = None;
        loop {
            match self.collect_page("", after.as_ref(), work).await {
                Ok(page) => after = page.next,
                Err(error) => {
                    tracing::warn!(%error, "old versions could not be gone through; the next sweep tries again");
                    return;
                }
            }
            if after.is_none() {
                return;
            }
        }
    }

    /// Packs every address that is marked.
    ///
    /// # Errors
    /// When the engine fails. What cannot be read is passed over, with a line in the log.
    pub async fn pack_all(&self) -> Result<Packed, Error> {
        let (mut all, mut range) = (Packed::default(), rows::space(b'w'));
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await?;
            let Some((last, _)) = page.last() else {
                return Ok(all);
            };
            range.start = [last.as_slice(), &[0]].concat();
            for (row, entry) in page {
                let address = rows::address(&row)?;
                let packed = pass_over(&address, self.pack_and_expire(&address).await)?;
                all.add(packed.unwrap_or_default());
                // Whoever has written meanwhile has marked it anew.
                let unmark = Batch {
                    checks: vec![(row.clone(), Expect::At(entry.revision))],
                    deletes: vec![row],
                    ..Batch::default()
                };
                self.commit(unmark).await?;
            }
        }
    }

    async fn pack_and_expire(&self, address: &Address) -> Result<Packed, Error> {
        let packed = self.pack(address).await?;
        self.expire(address, false).await?;
        Ok(packed)
    }

    /// Stores the older states of an address as what differs from newer ones, as far as they are not yet, and counts what each
    /// version changed.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn pack(&self, address: &Address) -> Result<Packed, Error> {
        let window = self.window(address).await?;
        // Before the packing, while most of what is compared still stands alone.
        self.count_changes(address, &window).await?;
        let (mut packed, mut anew, mut known) = (Packed::default(), Anew::default(), None);
        for step in window.steps() {
            match self.pack_one(address, step, &mut known, &mut anew).await {
                Ok(()) => {}
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(%error, "a version cannot be read, and is left as it is");
                }
                // That is meant so, and no damage; when the key can be used again, all are looked through.
                Err(Error::Kms(error)) => {
                    tracing::debug!(%address, version = step.seq, %error, "a version is left as it is");
                }
                Err(error) => return Err(error),
            }
            if anew.is_full() {
                packed.add(self.put_anew(&mut anew).await?);
            }
        }
        packed.add(self.put_anew(&mut anew).await?);
        Ok(packed)
    }

    /// The bytes of a version's body, read unless they are those in `known`: of the version that was needed last.
    async fn known_or_read(
        &self,
        address: &Address,
        seq: u64,
        body: &Body,
        known: &Known,
    ) -> Result<Bytes, Error> {
        match known {
            Some((other, bytes)) if *other == seq => Ok(bytes.clone()),
            _ => self.read_all(address, seq, body).await,
        }
    }

    /// Adds one version to those that are stored anew.
    async fn pack_one(
        &self,
        address: &Address,
        step: Step,
        known: &mut Known,
        anew: &mut Anew,
    ) -> Result<(), Error> {
        let row = rows::version(address, step.seq);
        let Some(entry) = self.engine.get(&row).await? else {
            return Ok(());
        };
        let mut version: Version = rows::decode(&row, &entry.value)?;
        let base = self.version(address, step.base).await?;
        let (Some(body), Some(base_body)) = (&mut version.body, &base.body) else {
            return Ok(());
        };
        let sealing = Sealing {
            ring: self.ring().await?,
            kms: body.stored.key.kms.clone(),
        };
        let bytes = self.known_or_read(address, step.seq, body, known).await?;
        let base_bytes = self.known_or_read(address, step.base, base_body, known).await?;
        *known = Some((step.base, base_bytes.clone()));
        let (service, md5) = (self.clone(), body.md5.clone());
        let packed = beside(bytes.len().max(base_bytes.len()), move || {
            // What was there goes when this is committed: so it must be what was written, and known to read back.
            if hex::encode(Md5::digest(&bytes)) != md5 {
                return None;
            }
            let (stored, blob) =
                seal_delta(&bytes, (step.base, &base_bytes), &sealing, &*service.world).ok()?;
            let reads_back = check_delta(&stored, &blob, &base_bytes, &bytes, &sealing.ring);
            reads_back.then_some((stored, blob))
        });
        let Some((stored, blob)) = packed.await? else {
            tracing::error!(%address, version = step.seq, "a version does not read as it was written, or would not once packed: it stays as it is");
            return Ok(());
        };
        anew.raw_bytes += body.size;
        let new = stored.blob.0;
        let old = std::mem::replace(&mut body.stored, stored);
        anew.batches.push(Batch {
            checks: vec![(row.clone(), Expect::At(entry.revision))],
            puts: vec![(row, rows::encode(&version))],
            put_blobs: vec![(new, blob)],
            drop_blobs: vec![old.blob.0],
            ..Batch::default()
        });
        Ok(())
    }

    /// Commits what has been stored anew: together, and where one of them is not what it was any more, the others by
    /// themselves.
    async fn put_anew(&self, anew: &mut Anew) -> Result<Packed, Error> {
        let Anew { batches, raw_bytes } = std::mem::take(anew);
        let mut packed = Packed {
            versions: batches.len(),
            raw_bytes,
        };
        if batches.is_empty() || self.commit(together(&batches)).await? {
            return Ok(packed);
        }
        for batch in batches {
            packed.versions -= usize::from(!self.commit(batch).await?);
        }
        Ok(packed)
    }

    /// Packs and drops what is due below `prefix` (`BUCKET` or `BUCKET/KEY-PREFIX`, empty for all), a page of addresses at a
    /// time; or only says what would be dropped.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn collect(
        &self,
        prefix: &str,
        after: Option<&Address>,
        dry_run: bool,
    ) -> Result<Collected, Error> {
        let work = if dry_run {
            Work::Nothing
        } else {
            Work::PackAndExpire
        };
        self.collect_page(prefix, after, work).await
    }

    async fn collect_page(
        &self,
        prefix: &str,
        after: Option<&Address>,
        work: Work,
    ) -> Result<Collected, Error> {
        let mut done = Collected::default();
        let (addresses, next) = self.addresses(prefix, after, GC_PAGE_STATES).await?;
        for address in addresses {
            done.states += 1;
            if work == Work::PackAndExpire {
                let packed = pass_over(&address, self.pack(&address).await)?;
                done.packed += packed.unwrap_or_default().versions;
            }
            let expired = self.expire(&address, work == Work::Nothing).await;
            let (dropped, bytes) = pass_over(&address, expired)?.unwrap_or_default();
            done.dropped += dropped;
            done.bytes += bytes;
        }
        done.next = next;
        Ok(done)
    }

    /// Up to `limit` addresses that ever had a state, in order, and the last of them when there may be more.
    pub(crate) async fn addresses(
        &self,
        prefix: &str,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<(Vec<Address>, Option<Address>), Error> {
        let mut range = rows::objects_under(prefix);
        if let Some(after) = after {
            range.start = range.start.max([rows::record(after).as_slice(), &[0]].concat());
        }
        let mut found = Vec::new();
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await?;
            let Some((last, _)) = page.last() else {
                return Ok((found, None));
            };
            range.start = [last.as_slice(), &[0]].concat();
            for (row, entry) in page {
                let rows::ObjectRow::Record(record) = rows::decode(&row, &entry.value)? else {
                    continue;
                };
                if !record.has_history {
                    continue;
                }
                found.push(rows::address(&row)?);
                if found.len() == limit {
                    let last = found.last().cloned();
                    return Ok((found, last));
                }
            }
        }
    }
}
