//! One look at every row that holds the key of a body: sealing anew what is under a former root key.
//!
//! Bodies move between the rows of their address meanwhile, also to rows that were looked at already. That is no harm:
//! whatever a turn moves it seals anew itself (`turn::Turn::commit`).

use std::{collections::BTreeSet, ops::Range};

use tidelock_core::limits::{ROTATION_BATCH_ROWS, ROTATION_FAILED_SHOWN};
use tidelock_engine::{Batch, Entry, Expect};

use super::{
    RotationStatus,
    holder::{Holder, SPACES},
};
use crate::{Error, RootKeys, Service, keys, rows, turn::TURNS};

/// A look, and what came of it so far.
pub(super) struct Pass<'a> {
    service: &'a Service,
    keys: &'a RootKeys,
    /// The root keys of what could not be sealed anew.
    needed: BTreeSet<String>,
}

impl Pass<'_> {
    pub(super) fn new<'a>(service: &'a Service, keys: &'a RootKeys) -> Pass<'a> {
        Pass {
            service,
            keys,
            needed: BTreeSet::new(),
        }
    }

    /// The root keys that some body still needs after this, other than the current one.
    pub(super) fn still_needed(&self) -> &BTreeSet<String> {
        &self.needed
    }

    pub(super) async fn run(&mut self) -> Result<(), Error> {
        for space in SPACES {
            self.range(rows::space(space)).await?;
        }
        Ok(())
    }

    async fn range(&mut self, mut range: Range<Vec<u8>>) -> Result<(), Error> {
        loop {
            let page = self
                .service
                .engine
                .scan(range.clone(), ROTATION_BATCH_ROWS)
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            range.start = rows::after(last);
            if !self.seal_anew(&page).await? {
                // Somebody has changed one of them; the others shall not suffer for it.
                for (row, _) in &page {
                    self.alone(row).await?;
                }
            }
        }
    }

    /// One row, which may change hundreds of times a second where a lock is waited for: in turn with those.
    async fn alone(&mut self, row: &[u8]) -> Result<(), Error> {
        let _in_turn = match row.first() {
            Some(b'o') => Some(self.service.in_turn.wait(&rows::address(row)?).await),
            _ => None,
        };
        for _ in TURNS {
            let Some(entry) = self.service.engine.get(row).await? else {
                return Ok(());
            };
            if self.seal_anew(&[(row.to_vec(), entry)]).await? {
                return Ok(());
            }
        }
        Err(Error::Busy(String::from_utf8_lossy(row).replace('\0', "/")))
    }

    /// Seals the keys in these rows anew. `false`, and nothing done, when somebody has changed one of them since.
    async fn seal_anew(&mut self, page: &[(Vec<u8>, Entry)]) -> Result<bool, Error> {
        let (mut batch, mut failed, mut bodies) = (Batch::default(), Vec::new(), 0);
        for (row, entry) in page {
            let mut holder = Holder::decode(row, &entry.value)?;
            let Some(stored) = holder.stored() else {
                continue;
            };
            bodies += 1;
            match keys::rewrap(self.keys, stored.blob, &mut stored.key, &*self.service.world) {
                Ok(false) => {}
                Ok(true) => {
                    batch.checks.push((row.clone(), Expect::At(entry.revision)));
                    batch.puts.push((row.clone(), holder.encode()));
                }
                Err(why) => {
                    let needs = stored.key.root.clone();
                    failed.push((needs, format!("{}: {why}", holder.name(row))));
                }
            }
        }
        let anew = batch.puts.len() as u64;
        if anew > 0 && !self.service.commit(batch).await? {
            return Ok(false);
        }
        self.note(|status| {
            status.checked += bodies;
            status.wrapped += anew;
        });
        for (needs, sentence) in failed {
            tracing::error!("not sealed under the new root key: {sentence}");
            self.needed.insert(needs);
            self.note(|status| {
                if status.failed.len() < ROTATION_FAILED_SHOWN {
                    status.failed.push(sentence);
                }
            });
        }
        Ok(true)
    }

    fn note(&self, change: impl FnOnce(&mut RotationStatus)) {
        if let Some(status) = self.service.rotation.status().as_mut() {
            change(status);
        }
    }
}
