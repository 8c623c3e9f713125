//! Requests that are held until the lock they wait for is theirs.
//!
//! The line is in the record and decided in core. Here is only what no record can know: which of those requests
//! still has a client at its other end, and how to wake it. A request that is dropped with its connection takes its
//! ticket along, so no later decision grants it anything.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tidelock_core::{Address, LockId, Ticket, decide::TakeBack};
use tokio::{runtime::Handle, sync::Notify};

use crate::{Service, objects::half};

/// What a request is reached by.
#[derive(Default)]
pub(crate) struct Bell {
    pub(crate) wake: Notify,
    /// Whether it was dropped before it was answered.
    is_gone: AtomicBool,
    /// Whether another request for the same lock came after it, for which its client seems to have given it up.
    is_given_up: AtomicBool,
}

impl Bell {
    /// Has the request look again; `false` when it is gone. One that has been answered is not: it may have seen its grant
    /// before the turn that made it has come back from the engine.
    pub(crate) fn ring(&self) -> bool {
        self.wake.notify_one();
        !self.is_gone.load(Ordering::SeqCst)
    }

    /// Whether another request for the same lock came after it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::SeqCst)
    }
}

/// The requests by ticket, and the newest for each lock.
#[derive(Default)]
struct Requests {
    bells: HashMap<Ticket, Arc<Bell>>,
    newest: HashMap<(Address, LockId), Ticket>,
}

/// The requests that may be granted a lock, by ticket.
#[derive(Default)]
pub(crate) struct Waiting {
    requests: Mutex<Requests>,
    stopping: AtomicBool,
}

impl Waiting {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        // No call below panics half-way, so a poisoned map is still a whole one.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request is still there, and none for the same lock came after it.
    pub(crate) fn is_held(&self, ticket: Ticket) -> bool {
        self.bell(ticket).is_some_and(|bell| !bell.is_given_up())
    }

    /// How to reach the request, if it is still there.
    pub(crate) fn bell(&self, ticket: Ticket) -> Option<Arc<Bell>> {
        self.requests().bells.get(&ticket).map(Arc::clone)
    }

    /// Has every request look again.
    pub(crate) fn wake_all(&self) {
        let requests = self.requests();
        requests.bells.values().for_each(|bell| bell.wake.notify_one());
    }

    /// Enters a request. One for the same lock that is still there lost its client unnoticed: it must neither be granted
    /// anything nor take up again what its client has given back by then. It stays known until it leaves: requests can
    /// overtake each other on their way here, and the one that is being granted the lock now may be the one whose answer is read.
    fn enter(&self, address: &Address, id: &LockId, ticket: Ticket) -> Arc<Bell> {
        let bell = Arc::new(Bell::default());
        let mut requests = self.requests();
        let lock = (address.clone(), id.clone());
        let older = requests.newest.insert(lock, ticket);
        if let Some(older) = older.and_then(|older| requests.bells.get(&older)) {
            older.is_given_up.store(true, Ordering::SeqCst);
            older.wake.notify_one();
        }
        requests.bells.insert(ticket, Arc::clone(&bell));
        bell
    }

    fn leave(&self, address: &Address, id: &LockId, ticket: Ticket) {
        let mut requests = self.requests();
        requests.bells.remove(&ticket);
        let lock = (address.clone(), id.clone());
        if requests.newest.get(&lock) == Some(&ticket) {
            requests.newest.remove(&lock);
        }
    }

    /// Whether requests are not to be held any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// One request that wants a lock. Dropped before it was answered, it takes back what it was granted.
pub(crate) struct Request {
    service: Service,
    address: Address,
    pub(crate) id: LockId,
    pub(crate) ticket: Ticket,
    pub(crate) bell: Arc<Bell>,
    answered: bool,
}

impl Request {
    pub(crate) fn new(service: &Service, address: &Address, id: &LockId) -> Request {
        let ticket = Ticket(half(service.random()));
        let bell = service.waiting.enter(address, id, ticket);
        Request {
            service: service.clone(),
            address: address.clone(),
            id: id.clone(),
            ticket,
            bell,
            answered: false,
        }
    }

    /// It is not to be granted anything any more.
    pub(crate) fn leave(&self) {
        self.bell.is_gone.store(true, Ordering::SeqCst);
        self.service.waiting.leave(&self.address, &self.id, self.ticket);
    }

    /// It is answered without the lock.
    pub(crate) fn refused(mut self) {
        self.answered = true;
    }

    /// It has the lock.
    pub(crate) fn granted(mut self) -> Grant {
        self.answered = true;
        Grant {
            service: self.service.clone(),
            address: self.address.clone(),
            id: self.id.clone(),
            ticket: self.ticket,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.answered {
            self.service.waiting.leave(&self.address, &self.id, self.ticket);
        } else {
            self.leave();
            self.service.spawn_take_back(&self.address, &self.id, self.ticket);
        }
    }
}

/// A lock that was granted to a request whose answer is on its way.
#[derive(Clone)]
pub struct Grant {
    service: Service,
    address: Address,
    id: LockId,
    ticket: Ticket,
}

impl Grant {
    /// The answer could not be delivered: takes the lock back, unless its client has come again meanwhile.
    pub fn lost(&self) {
        self.service.spawn_take_back(&self.address, &self.id, self.ticket);
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grant({} of {})", self.id, self.address)
    }
}

impl Service {
    /// Answers every held request now, and holds no more: the server is about to stop. Stock clients ask again.
    pub fn stop_waiting(&self) {
        self.waiting.stopping.store(true, Ordering::Relaxed);
        self.waiting.wake_all();
    }

    /// Takes a grant back beside whatever is going on; nothing happens if it was not made or has been confirmed.
    pub(crate) fn spawn_take_back(&self, address: &Address, id: &LockId, ticket: Ticket) {
        // Without a runtime the server is ending; a client that lives repeats its request to the next one.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (service, address) = (self.clone(), address.clone());
        let command = TakeBack {
            id: id.clone(),
            ticket,
        };
        runtime.spawn(async move {
            if let Err(fault) = service.change_lock(&address, &command).await {
                tracing::error!(%address, lock = %command.id, %fault, "a lock that nobody was told of could not be taken back");
            }
        });
    }
}
