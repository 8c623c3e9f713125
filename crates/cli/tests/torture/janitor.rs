//! Breaks the locks of the dead and of the slow, as a person does with `force-unlock`: with the right ID, through any door.

use std::{collections::HashSet, thread, time::Duration};

use crate::{
    ADDRESSES,
    history::{Answer, Call, Facet, LockNumber},
    seat::Seat,
    wire::admin_path,
};

/// A lock that is seen in so many rounds is broken: few clients work that long, so most whose locks are broken are dead.
/// Rounds and not seconds, because on a loaded machine all are slow.
const PATIENCE: u64 = 8;

const PAUSE: Duration = Duration::from_millis(80);

pub(crate) struct Janitor {
    seat: Seat,
    /// The lock seen at each address, and how often.
    seen: [Option<(LockNumber, u64)>; ADDRESSES],
}

impl Janitor {
    pub(crate) fn new(seat: Seat) -> Self {
        Self {
            seat,
            seen: [None; ADDRESSES],
        }
    }

    /// One round.
    pub(crate) fn look_around(&mut self) {
        for address in 0..ADDRESSES {
            let Some(holder) = self.look(address) else {
                continue;
            };
            let known = self.seen[address].filter(|(id, _)| Some(*id) == holder);
            let times = known.map_or(1, |(_, times)| times + 1);
            self.seen[address] = holder.map(|id| (id, times));
            if let Some(id) = holder.filter(|_| times > PATIENCE) {
                self.break_lock(address, id);
            }
        }
        thread::sleep(PAUSE);
    }

    /// Who holds the lock, by any door that shows it; `None` when no answer came.
    fn look(&mut self, address: usize) -> Option<Option<LockNumber>> {
        let facet = self.any(&[Facet::File, Facet::Table, Facet::Operator]);
        let call = match facet {
            Facet::Operator => Call::Status,
            facet => Call::Look { facet },
        };
        match self.seat.ask(address, call, facet)? {
            Answer::Shown { holder } | Answer::Status { holder, .. } => Some(holder),
            _ => None,
        }
    }

    /// At the end everything must be as the last answers said. Tells the MD5s of the states in quarantine.
    pub(crate) fn inspect(&mut self) -> Vec<HashSet<String>> {
        for address in 0..ADDRESSES {
            for facet in [Facet::File, Facet::Table] {
                self.seat.ask(address, Call::Look { facet }, facet);
            }
            for door in [Facet::File, Facet::Http] {
                self.seat.ask(address, Call::Read, door);
            }
            let id = self.seat.name();
            for facet in [Facet::Http, Facet::File, Facet::Table] {
                self.seat.ask(address, Call::Acquire { id, facet }, facet);
            }
        }
        (0..ADDRESSES).map(|address| self.quarantined(address)).collect()
    }

    fn break_lock(&mut self, address: usize, id: LockNumber) {
        let facet = self.any(&[Facet::File, Facet::Table, Facet::Http, Facet::Operator]);
        let id = Some(id);
        self.seat.ask(address, Call::Release { id, facet }, facet);
    }

    fn quarantined(&mut self, address: usize) -> HashSet<String> {
        let listed = self.seat.get(&admin_path("quarantine", address)).json();
        let refused = listed["refused"].as_array().unwrap();
        let md5 = |refused: &serde_json::Value| refused["md5"].as_str().unwrap().to_owned();
        refused.iter().map(md5).collect()
    }

    fn any(&mut self, facets: &[Facet]) -> Facet {
        facets[self.seat.rng.below(facets.len() as u64) as usize]
    }
}
