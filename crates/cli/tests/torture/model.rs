//! The rules of one address as a machine that does one thing at a time: what each call may answer and change.
//!
//! This is written from the documents, not from `tidelock_core`: the lock with its facets, the guard of writes, who is
//! fenced. Where the documents leave a choice (which ID in line is served, whether a lock that has just ended is shown) so
//! does this.

use crate::history::{Answer, Call, Facet, Head, LockNumber, Meant, Nanos, Op, Reason, Right};

/// How long a lock that has ended may be shown: `TOMBSTONE_MS`, and some more since the clocks differ.
const SHOWN_AFTER_END: Nanos = 10_500_000_000;

/// The lock while it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) id: LockNumber,
    pub(crate) caller: u64,
    facets: Facets,
    /// Facets that were taken off.
    gone: Facets,
    /// Whether it matters when it ends: somebody will look.
    is_shown: bool,
    /// No answer to its acquire has arrived: the server may notice that, and take the grant back.
    unheard: bool,
}

/// The last lock that ended, as it may still be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Last {
    id: LockNumber,
    /// When it ended, at the latest.
    at: Nanos,
    /// Who broke it, and through which door.
    broken_by: Option<(u64, Facet)>,
}

/// A set of facets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Facets(u8);

impl Facets {
    fn of(facet: Facet) -> Self {
        Self(1 << facet as u8)
    }

    fn has(self, facet: Facet) -> bool {
        self.0 & Self::of(facet).0 != 0
    }

    fn with(self, facet: Facet) -> Self {
        Self(self.0 | Self::of(facet).0)
    }

    fn without(self, facet: Facet) -> Self {
        Self(self.0 & !Self::of(facet).0)
    }
}

/// All that the rules remember of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) lock: Option<Held>,
    last: Option<Last>,
    /// Callers whose lock was broken and who have not taken it again, in order.
    fenced: Vec<u64>,
    pub(crate) head: Option<Head>,
    /// The upload that became the head.
    upload: Option<u64>,
}

impl State {
    /// The states that follow when `op` happens now and answers as it did; none if it cannot. A call without an answer
    /// that would change nothing need not happen.
    pub(crate) fn after(&self, op: &Op) -> Vec<Self> {
        let next = match op.call {
            Call::Acquire { id, facet } => self.acquire(op, id, facet),
            Call::Release { id, facet } => match (id, op.meant) {
                (None, Meant::Lock(id)) => self.release(op, Some(id), facet),
                // It may be about a lock that is gone.
                (None, Meant::Unknown) => [self.release(op, None, facet), vec![self.clone()]].concat(),
                (Some(_), _) => self.release(op, id, facet),
            },
            Call::Look { facet } => self.look(op, facet),
            Call::Write { head, right } => self.write(op, head, right),
            Call::Delete => self.delete(op),
            Call::Status => match op.answer {
                Some(Answer::Status { holder, .. }) => self.allow(holder == self.lock.map(|held| held.id)),
                _ => Vec::new(),
            },
            Call::Read => self.allow(op.answer == Some(Answer::State { head: self.head })),
        };
        match op.answer {
            Some(_) => next,
            None => next.into_iter().filter(|next| next != self).collect(),
        }
    }

    /// The state after a grant was taken back because its answer could not be written, if that can be.
    pub(crate) fn taken_back(&self) -> Option<Self> {
        let held = self.lock.filter(|held| held.unheard)?;
        Some(self.ended(&held, Nanos::MAX, None))
    }

    /// The state when the server has been killed: a grant that nobody heard of stays.
    pub(crate) fn restarted(&self) -> Self {
        let lock = self.lock.map(|held| Held {
            unheard: false,
            ..held
        });
        Self { lock, ..self.clone() }
    }

    fn acquire(&self, op: &Op, id: LockNumber, facet: Facet) -> Vec<Self> {
        if let Some(Answer::Refused { holder }) = op.answer {
            return self.allow(self.is_held_by_another(id, holder));
        }
        let mut next = self.clone();
        next.lock = match self.lock {
            Some(held) if held.id == id => Some(Held {
                facets: held.facets.with(facet),
                gone: held.gone.without(facet),
                unheard: held.unheard && op.answer.is_none(),
                ..held
            }),
            Some(_) => return Vec::new(),
            // Such a lock lets its caller do nothing that it may not do without, and keeps everybody else out until it has
            // ended, which nobody noticed. So it need not be looked at.
            None if op.is_forgotten && !self.fenced.contains(&op.caller) => return Vec::new(),
            None => {
                next.fenced.retain(|caller| *caller != op.caller);
                Some(Held {
                    id,
                    caller: op.caller,
                    facets: Facets::of(facet),
                    gone: Facets::default(),
                    is_shown: op.is_shown,
                    unheard: op.answer.is_none(),
                })
            }
        };
        vec![next]
    }

    fn release(&self, op: &Op, id: Option<LockNumber>, facet: Facet) -> Vec<Self> {
        let meant = self.lock.filter(|held| id.is_none_or(|id| held.id == id));
        if op.answer == Some(Answer::NotHeld) {
            return self.allow(meant.is_none());
        }
        if let Some(Answer::Refused { holder }) = op.answer {
            return self.allow(id.is_some_and(|id| self.is_held_by_another(id, holder)));
        }
        let Some(held) = meant else {
            return vec![self.clone()];
        };
        let nameless = id.is_none() && facet == Facet::Http;
        let forced = held.caller != op.caller || nameless || facet == Facet::Operator;
        if forced {
            return vec![self.broken(&held, op, facet)];
        }
        if held.gone.has(facet) {
            // Within a minute the repetition of a release, later a wish to end all of it.
            return vec![self.clone(), self.ended(&held, op.until, None)];
        }
        let facets = held.facets.without(facet);
        if !held.facets.has(facet) || facets == Facets::default() {
            return vec![self.ended(&held, op.until, None)];
        }
        let gone = held.gone.with(facet);
        let lock = Some(Held { facets, gone, ..held });
        vec![Self { lock, ..self.clone() }]
    }

    fn broken(&self, held: &Held, op: &Op, facet: Facet) -> Self {
        let mut next = self.ended(held, op.until, Some((op.caller, facet)));
        let taken = held.facets.0 | held.gone.0;
        // Who only ever named the lock by its ID is fenced by that.
        if taken != Facets::of(Facet::Http).0
            && let Err(place) = next.fenced.binary_search(&held.caller)
        {
            next.fenced.insert(place, held.caller);
        }
        next
    }

    fn ended(&self, held: &Held, at: Nanos, broken_by: Option<(u64, Facet)>) -> Self {
        let last = Last {
            id: held.id,
            at,
            broken_by,
        };
        Self {
            lock: None,
            last: Some(last).filter(|_| held.is_shown),
            ..self.clone()
        }
    }

    fn look(&self, op: &Op, facet: Facet) -> Vec<Self> {
        let Some(Answer::Shown { holder }) = op.answer else {
            return Vec::new();
        };
        let is_shown = |last: Last| {
            // Who locks in two ways breaks a lock through the file and then looks for the item.
            let broke = last
                .broken_by
                .is_some_and(|(by, through)| by == op.caller && through != facet);
            (broke || op.refused_lately)
                && holder == Some(last.id)
                && op.from < last.at.saturating_add(SHOWN_AFTER_END)
        };
        match self.lock {
            Some(held) => self.allow(holder == Some(held.id)),
            None => self.allow(holder.is_none() || self.last.is_some_and(is_shown)),
        }
    }

    fn write(&self, op: &Op, head: Head, right: Right) -> Vec<Self> {
        let mine = |held: Held| match right {
            Right::Caller | Right::Upload(_) => held.caller == op.caller,
            Right::Lock(id) => id == Some(held.id),
        };
        let stranger = self.lock.filter(|held| !mine(*held));
        let locked = stranger.is_some();
        let fenced = match right {
            Right::Caller | Right::Upload(_) | Right::Lock(None) => self.fenced.contains(&op.caller),
            Right::Lock(Some(_)) => self.lock.is_none(),
        };
        let stale = self
            .head
            .is_some_and(|now| now != head && now.serial >= head.serial);
        let upload = match right {
            Right::Upload(number) => Some(number),
            Right::Caller | Right::Lock(_) => None,
        };
        match &op.answer {
            Some(Answer::Gone) => self.allow(upload != self.upload),
            // Its answer was lost, and it is told again, whoever has taken the lock since.
            Some(Answer::Written) if upload.is_some() && upload == self.upload => vec![self.clone()],
            Some(Answer::WriteRefused { reason }) => self.allow(match reason {
                Reason::Locked { holder } => is_named(stranger, *holder),
                Reason::Fenced => fenced || op.goes_on_after_refusal,
                Reason::NotAdvancing => stale,
                Reason::Conflict => fenced || stale || op.goes_on_after_refusal,
            }),
            _ if locked || fenced || stale => Vec::new(),
            _ => {
                let head = Some(head);
                vec![Self {
                    head,
                    upload,
                    ..self.clone()
                }]
            }
        }
    }

    fn delete(&self, op: &Op) -> Vec<Self> {
        let stranger = self.lock.filter(|held| held.caller != op.caller);
        let fenced = self.fenced.contains(&op.caller);
        if let Some(Answer::WriteRefused { reason }) = op.answer {
            let because = match reason {
                Reason::Locked { holder } => is_named(stranger, holder),
                Reason::Fenced | Reason::Conflict => fenced,
                Reason::NotAdvancing => false,
            };
            return self.allow(self.head.is_some() && because);
        }
        // Where there is nothing, nothing is taken away.
        if self.head.is_some() && (stranger.is_some() || fenced) {
            return Vec::new();
        }
        vec![Self {
            head: None,
            upload: None,
            ..self.clone()
        }]
    }

    fn allow(&self, allowed: bool) -> Vec<Self> {
        allowed.then(|| self.clone()).into_iter().collect()
    }

    fn is_held_by_another(&self, id: LockNumber, holder: Option<LockNumber>) -> bool {
        is_named(self.lock.filter(|held| held.id != id), holder)
    }
}

/// Whether there is a holder, and it is the one that was named, if one was.
fn is_named(held: Option<Held>, name: Option<LockNumber>) -> bool {
    held.is_some_and(|held| name.is_none_or(|name| name == held.id))
}

/// Whether the answer says that nothing was changed.
pub(crate) fn only_looks(op: &Op) -> bool {
    matches!(
        op.answer,
        Some(
            Answer::Refused { .. }
                | Answer::NotHeld
                | Answer::Gone
                | Answer::Shown { .. }
                | Answer::Status { .. }
                | Answer::WriteRefused { .. }
                | Answer::State { .. }
        )
    )
}
