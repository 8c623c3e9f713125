//! How long it takes to read a version, beside an uncompressed copy of the newest one in the same engine.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use md5::{Digest as _, Md5};
use tidelock_core::limits::PIECE_BYTES;

use super::store::Store;
use crate::stats::median;

/// Of the versions that took longest when all were read once, and of those with the most steps, this many are read again in
/// every round: the slowest is among them.
const CANDIDATES: usize = 4;

/// One version, read in every round.
pub(crate) struct Read {
    pub(crate) version: u64,
    /// Versions that have to be unpacked after the one that stands alone.
    pub(crate) steps: u32,
    /// Median, in milliseconds.
    pub(crate) ms: f64,
}

/// What reading costs.
pub(crate) struct Readings {
    /// Bytes of the newest version.
    pub(crate) bytes: u64,
    pub(crate) newest: Read,
    pub(crate) middle: Read,
    pub(crate) oldest: Read,
    pub(crate) slowest: Read,
    /// The newest version, all of it at once: median, in milliseconds.
    pub(crate) newest_at_once: f64,
    /// The uncompressed copy in pieces of the same size, and all of it at once.
    pub(crate) copy: f64,
    pub(crate) copy_at_once: f64,
}

impl Readings {
    /// Reads all versions once, and the ones that matter `rounds` times, in turn.
    pub(crate) fn take(store: &Store, digests: &[[u8; 16]], rounds: usize) -> Result<Self> {
        let newest = digests.len() as u64;
        let mut versions = BTreeSet::from([1, newest.div_ceil(2), newest]);
        versions.extend(candidates(store, digests)?);
        let (bytes, _) = store.read_all(newest)?;
        let (size, copy) = (bytes.len() as u64, store.put_raw(bytes)?);
        let (mut at_once, mut copies, mut copies_at_once) = (Vec::new(), Vec::new(), Vec::new());
        let mut times: Vec<(u64, Vec<f64>)> = versions.into_iter().map(|seq| (seq, Vec::new())).collect();
        for _ in 0..rounds {
            copies.push(store.read_raw(newest, copy, size, PIECE_BYTES as u64)?);
            copies_at_once.push(store.read_raw(newest, copy, size, size)?);
            at_once.push(store.read_all(newest)?.1);
            for (seq, times) in &mut times {
                times.push(store.read(*seq)?);
            }
        }
        let read = |seq: u64| {
            let ms = times.iter().find(|(other, _)| *other == seq);
            Ok::<_, anyhow::Error>(Read {
                version: seq,
                steps: store.steps(seq)?,
                ms: ms.map_or(f64::NAN, |(_, times)| median(times)),
            })
        };
        let by_time = |a: &&(u64, Vec<f64>), b: &&(u64, Vec<f64>)| median(&a.1).total_cmp(&median(&b.1));
        let slowest = times.iter().max_by(by_time).map_or(newest, |(seq, _)| *seq);
        Ok(Self {
            bytes: size,
            newest: read(newest)?,
            middle: read(newest.div_ceil(2))?,
            oldest: read(1)?,
            slowest: read(slowest)?,
            newest_at_once: median(&at_once),
            copy: median(&copies),
            copy_at_once: median(&copies_at_once),
        })
    }
}

/// Reads every version, makes sure that it is what was written, and says which ones may be the slowest.
fn candidates(store: &Store, digests: &[[u8; 16]]) -> Result<Vec<u64>> {
    let mut all = Vec::with_capacity(digests.len());
    for (seq, digest) in (1..).zip(digests) {
        let (bytes, ms) = store.read_all(seq)?;
        let found: [u8; 16] = Md5::digest(&bytes).into();
        ensure!(found == *digest, "version {seq} is not what was written");
        all.push((seq, ms, store.steps(seq)?));
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut found: Vec<u64> = all.iter().take(CANDIDATES).map(|one| one.0).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.2));
    found.extend(all.iter().take(CANDIDATES).map(|one| one.0));
    Ok(found)
}
