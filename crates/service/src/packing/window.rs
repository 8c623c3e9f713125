//! Which versions of an address are not stored yet as they are to be.

use std::collections::HashMap;

use tidelock_core::{Address, Version, chain, limits::SCAN_PAGE_ROWS_MIN};

use crate::{Error, Service, rows};

/// The newest plain states of an address, newest first: as many as the packer has to know. Of each no more than that, since
/// after a crash there may be many.
#[derive(Default)]
pub(crate) struct Window {
    newest: u64,
    states: Vec<State>,
    by_place: HashMap<u64, usize>,
}

/// One of them.
struct State {
    seq: u64,
    place: u64,
    /// What it rests on.
    base: Option<u64>,
    /// The KMS key that it is under.
    kms: Option<String>,
    /// The current version is never stored anew: it is read most, and it is next to become an older one.
    is_head: bool,
}

/// One version that is to rest on another, both by their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) seq: u64,
    pub(crate) base: u64,
}

impl Window {
    /// The numbers of the versions, newest first.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.states.iter().map(|state| state.seq)
    }

    fn push(&mut self, version: &Version, is_head: bool) {
        if let (Some(place), Some(body)) = (version.place, &version.body) {
            self.by_place.insert(place, self.states.len());
            self.states.push(State {
                seq: version.seq,
                place,
                base: body.stored.base,
                kms: body.stored.key.kms.clone(),
                is_head,
            });
        }
    }

    /// What a version rests on when it is stored as it is to be, if that is known: nothing under another KMS key, without
    /// which it could not be read then.
    fn base(&self, state: &State) -> Option<u64> {
        let base = chain::base(state.place, self.newest)?;
        let base = self.by_place.get(&base).map(|at| &self.states[*at])?;
        (base.kms == state.kms).then_some(base.seq)
    }

    fn is_settled(&self, state: &State) -> bool {
        state.is_head || state.base == self.base(state)
    }

    /// Whether everything older than the last of them has been packed for good. The packer goes from old to new, and what
    /// comes right before one that stands alone can rest on nothing else: it was packed when that was there, and last.
    fn is_complete(&self) -> bool {
        let is_end = |last: &State| {
            chain::ends(last.place, self.newest) && last.base.is_some() && last.base == self.base(last)
        };
        self.states.last().is_some_and(is_end)
    }

    /// What is to be done, the oldest first.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let unsettled = self.states.iter().rev().filter(|state| !self.is_settled(state));
        let steps = unsettled.filter_map(|state| {
            Some(Step {
                seq: state.seq,
                base: self.base(state)?,
            })
        });
        steps.collect()
    }
}

impl Service {
    pub(crate) async fn window(&self, address: &Address) -> Result<Window, Error> {
        let (record, _) = self.load(address).await?;
        let mut window = Window {
            newest: record.places,
            ..Window::default()
        };
        let mut head = record.head;
        let mut range = rows::versions(address, u64::MAX);
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await?;
            for (row, entry) in &page {
                let version: Version = rows::decode(row, &entry.value)?;
                // A version that is history alone may be newer than the current one.
                if let Some(head) = head.take_if(|head| head.seq > version.seq) {
                    window.push(&head, true);
                }
                window.push(&version, false);
                if window.is_complete() {
                    return Ok(window);
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == SCAN_PAGE_ROWS_MIN => {
                    range.start = [last.as_slice(), &[0]].concat();
                }
                _ => break,
            }
        }
        if let Some(head) = head {
            window.push(&head, true);
        }
        Ok(window)
    }
}
