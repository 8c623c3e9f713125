//! The end of old versions, by an operator's rules.

use tidelock_core::{Address, Record, Time, Version, decide::Expire, limits::SCAN_PAGE_ROWS_MIN};

use crate::{Error, Happening, Rule, Service, rows, turn::TURNS};

/// Versions that one batch drops.
const TOGETHER: usize = 256;

/// What of a version its end depends on.
struct Age {
    seq: u64,
    is_state: bool,
    written: Time,
    hidden: Option<Time>,
    /// Whether Object Lock keeps it.
    protected: bool,
    /// What it takes in the engine.
    bytes: u64,
}

impl Service {
    /// Drops the versions of an address that nobody keeps any longer, or only counts them: how many, and their bytes.
    pub(crate) async fn expire(&self, address: &Address, dry_run: bool) -> Result<(usize, u64), Error> {
        let Some(rule) = self.settings.retention.rule_for(address) else {
            return Ok((0, 0));
        };
        let (mut count, mut bytes) = (0, 0);
        for _ in TURNS {
            let (record, _) = self.load(address).await?;
            let due = self.due(address, &record, rule).await?;
            for due in due.chunks(TOGETHER) {
                if !dry_run && !self.drop_due(&record, address, due).await? {
                    break;
                }
                count += due.len();
                bytes += due.iter().map(|due| due.bytes).sum::<u64>();
            }
            if dry_run || due.is_empty() {
                if !dry_run && count > 0 {
                    tracing::info!(%address, versions = count, bytes, "retention has dropped old versions");
                    self.witness.saw(Happening {
                        what: "VersionsDropped",
                        address: address.clone(),
                        note: format!("retention has dropped {count} old versions, {bytes} bytes"),
                    });
                }
                return Ok((count, bytes));
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Drops some of what was due when the record was this. `false` when it has to be looked at anew: another version has become
    /// current, or Object Lock keeps one of them by now.
    async fn drop_due(&self, record: &Record, address: &Address, due: &[Age]) -> Result<bool, Error> {
        let mut turn = self.turn(address).await?;
        // Another one may have become current that rests on one of these.
        let current = |record: &Record| record.head.as_ref().map(|head| head.seq);
        if current(&turn.record) != current(record) {
            return Ok(false);
        }
        for due in due {
            let Some(version) = turn.older(self, due.seq).await? else {
                continue;
            };
            if version.is_protected(self.now(), false) {
                return Ok(false);
            }
            turn.batch.deletes.push(rows::version(address, due.seq));
            turn.batch.deletes.push(rows::changed(address, due.seq));
            let blob = version.body.as_ref().map(|body| body.stored.blob.0);
            turn.batch.drop_blobs.extend(blob);
        }
        let seqs = due.iter().map(|due| due.seq).collect();
        turn.decide(&Expire { seqs }, self);
        turn.commit(self).await
    }

    /// The older states that a rule lets go, the oldest first. What a state rests on is newer than it, so none that stays loses
    /// its base: where one stays, because of the rule or of Object Lock, so do all that are newer, and none goes that is newer
    /// than the current one.
    async fn due(&self, address: &Address, record: &Record, rule: &Rule) -> Result<Vec<Age>, Error> {
        if !self.may_be_due(address, record, rule).await? {
            return Ok(Vec::new());
        }
        let ages = self.ages(address, record).await?;
        let (now, replaced) = (self.now(), replaced(&ages));
        let current = record.head.as_ref().map_or(u64::MAX, |head| head.seq);
        let states = ages.iter().filter(|age| age.is_state).count();
        let mut newer = states + usize::from(record.visible().is_none());
        let mut due = Vec::new();
        for (age, replaced) in ages.into_iter().zip(replaced) {
            if !age.is_state {
                continue;
            }
            newer -= 1;
            let replaced_for = now.since(replaced.unwrap_or(now));
            if age.protected || age.seq >= current || !rule.lets_go(newer, replaced_for) {
                break;
            }
            due.push(age);
        }
        Ok(due)
    }

    /// Whether the oldest version could be due: a look at one row where otherwise all of them have to be read.
    async fn may_be_due(&self, address: &Address, record: &Record, rule: &Rule) -> Result<bool, Error> {
        let range = rows::versions(address, u64::MAX);
        let oldest = self.engine.scan_back(range, 1).await?;
        let Some((row, entry)) = oldest.first() else {
            return Ok(false);
        };
        let oldest: Version = rows::decode(row, &entry.value)?;
        // Every number may be that of a state, and a deletion counts as one more.
        let newer = record.next_seq.saturating_sub(oldest.seq).saturating_add(1);
        let newer = usize::try_from(newer).unwrap_or(usize::MAX);
        Ok(rule.lets_go(newer, self.now().since(oldest.written)))
    }

    /// All versions of an address, the oldest first.
    async fn ages(&self, address: &Address, record: &Record) -> Result<Vec<Age>, Error> {
        let now = self.now();
        let mut ages: Vec<_> = record.head.iter().map(|head| Age::of(head, now)).collect();
        let mut range = rows::versions(address, u64::MAX);
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await?;
            for (row, entry) in &page {
                ages.push(Age::of(&rows::decode(row, &entry.value)?, now));
            }
            match page.last() {
                Some((last, _)) if page.len() == SCAN_PAGE_ROWS_MIN => {
                    range.start = [last.as_slice(), &[0]].concat();
                }
                _ => break,
            }
        }
        ages.sort_by_key(|age| age.seq);
        // What was current may have become an older one between the two looks.
        ages.dedup_by_key(|age| age.seq);
        Ok(ages)
    }
}

impl Age {
    fn of(version: &Version, now: Time) -> Age {
        Age {
            seq: version.seq,
            is_state: version.is_state(),
            written: version.written,
            hidden: version.hidden,
            protected: version.is_protected(now, false),
            bytes: version.body.as_ref().map_or(0, |body| body.stored.bytes()),
        }
    }
}

/// Since when each of these, the oldest first, is current no longer: since the next was written, unless that was removed again
/// before another one followed, so that the one before it was current once more.
fn replaced(ages: &[Age]) -> Vec<Option<Time>> {
    let mut next = None;
    let backwards = ages.iter().rev().map(|age| {
        let replaced = next.into_iter().chain(age.hidden).min();
        let was_removed = age
            .hidden
            .is_some_and(|hidden| next.is_none_or(|next| hidden < next));
        if !was_removed {
            next = Some(age.written);
        }
        replaced
    });
    let mut replaced: Vec<_> = backwards.collect();
    replaced.reverse();
    replaced
}
