//! What each version changed: counted once, and the resources it touched written down, so that a history is a list and not
//! an hour of comparing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelock_core::{
    Address, Diff, Pattern, Version,
    diff::{Counts, Kind, Sensitive},
    limits::CHANGED_RESOURCES_MAX,
};
use tidelock_engine::Batch;

use super::{Known, window::Window};
use crate::{Error, Service, Touch, bodies::beside, rows};

/// What a version changed. Of the states that one lock wrote, each is compared with the state that the lock found: so the
/// last of them says what the whole apply did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    /// The version it was compared with; `None` for the first.
    pub(crate) since: Option<u64>,
    /// Whether the two could be compared; else the rest says nothing.
    pub(crate) is_known: bool,
    /// Resource instances added, changed and removed.
    pub(crate) resources: Counts,
    /// Outputs added, changed and removed.
    pub(crate) outputs: Counts,
    /// The addresses of the resource instances that were added, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) added: Vec<String>,
    /// Of those that were changed; a deposed object is a change of its instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed: Vec<String>,
    /// Of those that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) removed: Vec<String>,
    /// Whether there are more than that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) and_more: bool,
}

impl Changed {
    fn unknown() -> Changed {
        Changed::default()
    }

    /// What happened to the resources that are meant, as far as they are named.
    pub(crate) fn touches(&self, pattern: &Pattern) -> Vec<Touch> {
        let of = |kind, addresses: &[String]| {
            let meant = addresses.iter().filter(|address| pattern.matches(address));
            let touches = meant.map(|address| Touch {
                address: address.clone(),
                kind,
            });
            touches.collect::<Vec<_>>()
        };
        let mut touches = of(Kind::Added, &self.added);
        touches.extend(of(Kind::Changed, &self.changed));
        touches.extend(of(Kind::Removed, &self.removed));
        touches.sort_by(|one, other| one.address.cmp(&other.address));
        touches
    }

    /// All that the comparison says.
    pub(crate) fn all(diff: &Diff, since: Option<u64>) -> Changed {
        let mut changed = Changed {
            since,
            is_known: true,
            resources: diff.counts(),
            outputs: diff.output_counts(),
            ..Changed::default()
        };
        for change in &diff.resources {
            let kind = match change.deposed {
                Some(_) => Kind::Changed,
                None => change.kind,
            };
            let list = match kind {
                Kind::Added => &mut changed.added,
                Kind::Changed => &mut changed.changed,
                Kind::Removed => &mut changed.removed,
            };
            list.push(change.address.clone());
        }
        changed.changed.dedup();
        changed
    }

    /// The same with as many addresses as are written down.
    fn of(diff: &Diff, since: Option<u64>) -> Changed {
        let mut changed = Changed::all(diff, since);
        let mut room = CHANGED_RESOURCES_MAX;
        for list in [&mut changed.added, &mut changed.changed, &mut changed.removed] {
            changed.and_more |= list.len() > room;
            list.truncate(room);
            room -= list.len();
        }
        changed
    }
}

impl Service {
    /// Compares the versions that have not been compared yet, the oldest first.
    pub(crate) async fn count_changes(&self, address: &Address, window: &Window) -> Result<(), Error> {
        let mut uncounted = Vec::new();
        for seq in window.seqs() {
            if self.engine.get(&rows::changed(address, seq)).await?.is_some() {
                break;
            }
            uncounted.push(seq);
        }
        let mut known = None;
        for seq in uncounted.into_iter().rev() {
            let changed = match self.compare(address, seq, &mut known).await {
                Ok(changed) => changed,
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(%error, "a version cannot be read, and is not compared");
                    None
                }
                // The state before it is often under a key that has been given up: it would wait for that one for ever.
                Err(Error::Kms(_)) => None,
                Err(Error::NoSuchVersion { .. }) => continue,
                Err(error) => return Err(error),
            };
            // Also where nothing could be compared, so that it is not tried again with every write.
            let changed = changed.unwrap_or_else(Changed::unknown);
            let batch = Batch {
                puts: vec![(rows::changed(address, seq), rows::encode(&changed))],
                ..Batch::default()
            };
            self.commit(batch).await?;
        }
        Ok(())
    }

    /// What a version changed since the state before its lock; `None` when they cannot be compared.
    async fn compare(
        &self,
        address: &Address,
        seq: u64,
        known: &mut Known,
    ) -> Result<Option<Changed>, Error> {
        let version = self.version(address, seq).await?;
        let Some(body) = &version.body else {
            return Ok(None);
        };
        let before = self.before(address, &version).await?;
        let since = before.as_ref().map(|before| before.seq);
        let old = match &before {
            Some(Version {
                seq,
                body: Some(body),
                ..
            }) => self.known_or_read(address, *seq, body, known).await?,
            _ => {
                let lineage = body.state.as_ref().map(|state| &state.lineage);
                Bytes::from(json!({ "version": 4, "serial": 0, "lineage": lineage }).to_string())
            }
        };
        let new = self.known_or_read(address, seq, body, known).await?;
        *known = Some((seq, new.clone()));
        let changed = beside(new.len() + old.len(), move || {
            let diff = Diff::between(&old, &new, Sensitive::Hide);
            diff.ok()
                .filter(|diff| diff.compared)
                .map(|diff| Changed::of(&diff, since))
        });
        changed.await
    }

    /// The newest plain state that was written before, and not under the same lock.
    async fn before(&self, address: &Address, version: &Version) -> Result<Option<Version>, Error> {
        let (mut at, limit) = (version.seq, 8);
        loop {
            // The current version too: it is older than what was deleted by its ID.
            let (_, older) = self.versions_before(address, Some(at), limit).await?;
            let Some(last) = older.last() else { return Ok(None) };
            at = last.seq;
            let is_before = |older: &Version| {
                let same = version
                    .lock()
                    .is_some_and(|lock| Some(&lock.id) == older.lock().map(|lock| &lock.id));
                older.place.is_some() && !same
            };
            if let Some(before) = older.into_iter().find(is_before) {
                return Ok(Some(before));
            }
        }
    }
}
