//! Ends what is at its end by the lifecycle rules of its bucket, in the background.
//!
//! Rules act on what S3 shows, as if a client deleted it: an expired state hides behind a delete marker, an older version of one
//! becomes history alone (`Version::hidden`), and retention says when that goes. What somebody holds the lock of is left
//! alone, and tried again. Rules count in whole days, so that each bucket is gone through once a day, and when its rules change.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tidelock_core::{
    Address, Caller, Record, Time, Versioning,
    decide::{Delete, Lapse, Precondition},
    lifecycle::{Due, Lifecycle, Standing},
    limits::{
        DAY_MS, LIFECYCLE_SWEEP_MS, LIFECYCLE_TOGETHER_MAX, SCAN_PAGE_ROWS, SCAN_PAGE_ROWS_MIN,
        UPLOAD_PAGE_MAX,
    },
};
use tokio::{
    sync::watch,
    time::{Duration, MissedTickBehavior, interval},
};

use crate::{
    Bucket, Error, Happening, Service, Upload,
    objects::half,
    rows::{self, ObjectRow},
    turn::TURNS,
};

/// Who deletes, as the history shows it.
const PRINCIPAL: &str = "lifecycle";

/// Which rules have been followed, and on which day. A restart follows them once more.
#[derive(Default)]
pub(crate) struct Followed(Mutex<BTreeMap<String, (Lifecycle, i64)>>);

impl Followed {
    fn has(&self, bucket: &str, rules: &Lifecycle, day: i64) -> bool {
        let followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = followed.get(bucket);
        last.is_some_and(|(of, on)| of == rules && *on == day)
    }

    fn note(&self, bucket: &str, rules: Lifecycle, day: i64) {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.insert(bucket.to_owned(), (rules, day));
    }
}

/// What became of an address.
#[derive(PartialEq, Eq)]
enum Ended {
    /// Everything that was due.
    All,
    /// Nothing, because somebody holds the lock.
    Locked,
}

impl Service {
    /// Follows the lifecycle rules of all buckets, until `stop` says so.
    pub async fn keep_lifecycles(self, mut stop: watch::Receiver<bool>) {
        let mut sweep = interval(Duration::from_millis(LIFECYCLE_SWEEP_MS));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // A stop loses nothing: what is not committed is done again.
            let work = async {
                sweep.tick().await;
                if let Err(error) = self.follow_lifecycles().await {
                    tracing::warn!(%error, "lifecycle rules could not be followed; the next look tries again");
                }
            };
            tokio::select! {
                () = work => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Follows the lifecycle rules of every bucket for which that was not done today.
    ///
    /// # Errors
    /// When the engine fails. What cannot be read is passed over, with a line in the log.
    pub async fn follow_lifecycles(&self) -> Result<(), Error> {
        for bucket in self.buckets().await? {
            let (day, Some(rules)) = (self.now().0.div_euclid(DAY_MS), &bucket.lifecycle) else {
                continue;
            };
            if self.followed.has(&bucket.name, rules, day) {
                continue;
            }
            let is_done = self.follow(&bucket, rules).await?;
            self.abort_overdue(&bucket, rules).await?;
            if is_done {
                self.followed.note(&bucket.name, rules.clone(), day);
            }
        }
        Ok(())
    }

    /// Follows the rules of one bucket. `false` when something is left for later.
    async fn follow(&self, bucket: &Bucket, rules: &Lifecycle) -> Result<bool, Error> {
        let mut range = rows::prefixed(rows::object(&bucket.name, ""));
        let mut is_done = true;
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await?;
            let Some((last, _)) = page.last() else {
                return Ok(is_done);
            };
            range.start = rows::after(last);
            for (row, entry) in page {
                let ObjectRow::Record(record) = rows::decode(&row, &entry.value)? else {
                    continue;
                };
                if record.head.is_none() {
                    continue;
                }
                let address = rows::address(&row)?;
                match self.end_due(&address, rules).await {
                    Ok(ended) => is_done &= ended == Ended::All,
                    Err(error @ Error::Engine(_)) => return Err(error),
                    Err(error) => {
                        tracing::warn!(%address, %error, "lifecycle rules could not be followed here for now");
                        is_done = false;
                    }
                }
            }
        }
    }

    /// Ends what is due of one address, while its bucket has these rules.
    async fn end_due(&self, address: &Address, rules: &Lifecycle) -> Result<Ended, Error> {
        let mut lost = TURNS;
        while lost.next().is_some() {
            let mut turn = self.turn(address).await?;
            let bucket = self.guard_bucket(&mut turn).await?;
            if bucket.lifecycle.as_ref() != Some(rules) {
                return Ok(Ended::All);
            }
            let now = self.now();
            let standings = self.standings(address, &bucket, &turn.record, now).await?;
            let due = rules.due(address.key(), &standings, now);
            if due == Due::default() {
                return Ok(Ended::All);
            }
            let lapse = if !due.current {
                let mut older = Vec::new();
                for seq in due.older.iter().take(LIFECYCLE_TOGETHER_MAX) {
                    older.extend(turn.older(self, *seq).await?);
                }
                Lapse::Older(older)
            } else if turn.record.visible().is_none() {
                Lapse::Marker
            } else {
                Lapse::Current(Box::new(Delete {
                    random: half(self.random()),
                    versioning: bucket.versioning,
                    precondition: Precondition::default(),
                    caller: Caller {
                        principal: PRINCIPAL.to_owned(),
                        ..Caller::default()
                    },
                    older_null: self.older_null(&mut turn, bucket.versioning).await?,
                }))
            };
            let Ok(effects) = turn.decide(&lapse, self) else {
                return Ok(Ended::Locked);
            };
            turn.apply(&effects);
            if turn.commit(self).await? {
                let (current, older) = (due.current, due.older.len());
                tracing::info!(%address, current, older, "lifecycle rules have ended versions");
                self.witness.saw(Happening {
                    what: "VersionsExpired",
                    address: address.clone(),
                    note: match current {
                        true => "lifecycle rules have ended the current version".to_owned(),
                        false => {
                            let older = older.min(LIFECYCLE_TOGETHER_MAX);
                            format!("lifecycle rules have ended {older} older versions")
                        }
                    },
                });
                lost = TURNS;
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// What S3 shows of an object, the newest first.
    async fn standings(
        &self,
        address: &Address,
        bucket: &Bucket,
        record: &Record,
        now: Time,
    ) -> Result<Vec<Standing>, Error> {
        let Some(head) = &record.head else {
            return Ok(Vec::new());
        };
        let mut standings = vec![Standing::of(head, now)];
        // Without versioning all others are history alone.
        if bucket.versioning == Versioning::Unversioned {
            return Ok(standings);
        }
        let mut before = head.seq;
        loop {
            let page = self
                .older_versions(address, before, SCAN_PAGE_ROWS, false)
                .await?;
            standings.extend(page.iter().map(|version| Standing::of(version, now)));
            match page.last() {
                Some(oldest) if page.len() == SCAN_PAGE_ROWS => before = oldest.seq,
                _ => return Ok(standings),
            }
        }
    }

    async fn abort_overdue(&self, bucket: &Bucket, rules: &Lifecycle) -> Result<(), Error> {
        let mut range = rows::uploads(&bucket.name, "");
        loop {
            let page = self.engine.scan(range.clone(), UPLOAD_PAGE_MAX).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            range.start = rows::after(last);
            for (row, entry) in page {
                let upload: Upload = rows::decode(&row, &entry.value)?;
                if !rules.aborts(&upload.key, upload.begun, self.now()) {
                    continue;
                }
                let address = rows::address(&row)?;
                match self.abort_upload(&address, &upload.id).await {
                    Ok(()) => self.witness.saw(Happening {
                        what: "UploadAborted",
                        note: format!("lifecycle rules have aborted the upload {}", upload.id),
                        address,
                    }),
                    // A part has come in between, or the upload has ended by itself.
                    Err(Error::Busy(_) | Error::NoSuchUpload(_)) => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }
}
