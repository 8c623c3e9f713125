//! The properties, each in one sentence. They look at records from outside and share no rule with the product.

use tidelock_core::{
    Facet, Lock, LockId, Record, Ticket, Waiter,
    decide::{Acquired, Claim, Refused, Released, Write, Written},
};

use crate::world::{Setup, World};

pub(crate) const ONE_HOLDER: &str = "there is at most one exclusive holder";
pub(crate) const TOLD: &str =
    "who was told that the lock is its own has it until it gives it back or it is taken by force";
pub(crate) const REFUSED: &str = "who is refused does not hold the lock";
pub(crate) const FENCE: &str = "a grant's fence grows";
pub(crate) const FENCED: &str = "a fenced caller's write never becomes current";
pub(crate) const ONLY_HOLDER: &str = "while the lock is held, nobody but its holder writes";
pub(crate) const SERIAL: &str =
    "every accepted state write advances the serial, or repeats the very same bytes";
pub(crate) const KEPT: &str = "a refused body is kept";
pub(crate) const IDLE: &str = "no held request waits for a lock that it could have";
pub(crate) const OVERTAKEN: &str = "nobody overtakes a held request";
pub(crate) const DEAD: &str = "a request whose connection is gone is never granted the lock";
pub(crate) const FREES: &str = "an acknowledged release frees";
pub(crate) const STARVES: &str = "a connected waiter gets the lock when every holder gives it back";

/// A property that does not hold.
pub(crate) type Broken = &'static str;

pub(crate) fn must(holds: bool, property: Broken) -> Result<(), Broken> {
    holds.then_some(()).ok_or(property)
}

/// What must hold after every step, whatever it was.
pub(crate) fn always(setup: &Setup, world: &World) -> Result<(), Broken> {
    let locks = &world.record.locks;
    must(
        locks.len() <= 1 || locks.iter().all(|lock| lock.shared),
        ONE_HOLDER,
    )?;
    let believers: Vec<usize> = (0..3)
        .filter(|&one| world.clients[one].told && !world.clients[one].robbed)
        .collect();
    for &one in &believers {
        must(world.record.lock(&world.id(one)).is_some(), TOLD)?;
    }
    let all_plan = believers.iter().all(|&one| setup.clients[one].plans);
    must(believers.len() <= 1 || all_plan, ONE_HOLDER)
}

/// What must hold of every decision on the lock. `live` are the requests that are held, and the one that asks.
pub(crate) fn decision(before: &Record, after: &Record, live: &[Ticket]) -> Result<(), Broken> {
    must(after.fence >= before.fence, FENCE)?;
    let granted: Vec<&Lock> = after
        .locks
        .iter()
        .filter(|lock| before.lock(&lock.id).is_none())
        .collect();
    let mut fence = before.fence;
    for lock in &granted {
        must(lock.fence > fence, FENCE)?;
        fence = lock.fence;
        let live = lock.ticket.is_none_or(|ticket| live.contains(&ticket));
        must(live, DEAD)?;
    }
    for lock in &granted {
        let place = before.waiters.iter().position(|waiter| waiter.id == lock.id);
        let ahead = before.waiters[..place.unwrap_or(before.waiters.len())].iter();
        let mut overtaken = ahead.filter(|waiter| {
            waiter.hold.is_some() && after.lock(&waiter.id).is_none() && (!lock.shared || !waiter.shared)
        });
        must(overtaken.next().is_none(), OVERTAKEN)?;
    }
    let could =
        (0..after.waiters.len()).any(|place| after.waiters[place].hold.is_some() && could_have(after, place));
    must(!could, IDLE)
}

/// Whether the lock would be the waiter's, were it to ask now.
fn could_have(record: &Record, place: usize) -> bool {
    let (ahead, waiter) = (&record.waiters[..place], &record.waiters[place]);
    let shares = |lock: &Lock| {
        let by_id = |facet: &Facet| *facet == Facet::Http;
        let apart = by_id(&waiter.facet)
            || lock
                .facets
                .iter()
                .chain(&lock.gone)
                .all(|form| by_id(&form.facet))
            || lock.holder != waiter.caller;
        lock.shared && apart
    };
    // Who sleeps between two tries is expected for some time, and nobody is woken when that is over.
    let expected = |waiter: &Waiter| waiter.hold.is_some() || waiter.returned;
    record.locks.is_empty()
        || (waiter.shared
            && record.locks.iter().all(shares)
            && !ahead.iter().any(|other| !other.shared && expected(other)))
}

/// What must hold of an answer to one that wants the lock.
pub(crate) fn acquired(after: &Record, id: &LockId, outcome: &Acquired) -> Result<(), Broken> {
    match outcome {
        Acquired::Granted { .. } | Acquired::TooManyFacets => must(after.lock(id).is_some(), TOLD),
        Acquired::Refused { .. } | Acquired::Waits { .. } => must(after.lock(id).is_none(), REFUSED),
    }
}

/// What must hold of an answer to one that gives the lock back, through the last of its doors or not.
pub(crate) fn released(after: &Record, id: &LockId, last: bool, outcome: &Released) -> Result<(), Broken> {
    let acknowledged = *outcome == Released::Free || (last && *outcome == Released::FacetOff);
    must(!acknowledged || after.lock(id).is_none(), FREES)
}

/// What must hold of every write. `fenced` are the callers whose lock was taken by force.
pub(crate) fn written(
    before: &Record,
    after: &Record,
    write: &Write,
    outcome: &Result<Written, Refused>,
    fenced: &[&str],
) -> Result<(), Broken> {
    let md5 = &write.body.md5;
    let Ok(_) = outcome else {
        must(after.head == before.head, FENCED)?;
        return must(after.quarantined.iter().any(|kept| kept.md5 == *md5), KEPT);
    };
    match &write.claim {
        Claim::Lock(id) => {
            must(id.as_ref().is_some_and(|id| before.lock(id).is_some()), FENCED)?;
        }
        Claim::Caller => {
            must(!fenced.contains(&write.caller.principal.as_str()), FENCED)?;
            let mine = |lock: &Lock| lock.holder == write.caller;
            must(
                before.locks.iter().all(mine) && before.locks.len() <= 1,
                ONLY_HOLDER,
            )?;
        }
    }
    let body = |record: &Record| record.head.as_ref().and_then(|head| head.body.clone());
    let serial = |record: &Record| body(record).and_then(|body| Some(body.state?.serial));
    let same = body(before).is_some_and(|body| body.md5 == *md5);
    must(same || serial(after) > serial(before), SERIAL)
}
