//! A lock that was granted to a client who has not been told of it.

use std::sync::{Arc, Mutex, PoisonError};

use tidelock_service::Grant;

/// Goes with the answer through the doors. Whoever is not told that it has the lock does not have it: when the answer gives
/// way to another, or its client hangs up while it is still waited for the audit log, this is dropped and the lock is free.
#[derive(Clone)]
pub(crate) struct Untold(Arc<Inner>);

struct Inner(Mutex<Option<Grant>>);

impl Untold {
    pub(crate) fn new(grant: Grant) -> Untold {
        Untold(Arc::new(Inner(Mutex::new(Some(grant)))))
    }

    /// The answer leaves the doors: from here on whoever sends it knows whether it arrived.
    pub(crate) fn tell(self) -> Option<Grant> {
        // Nothing panics while it is locked.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(grant) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            grant.lost();
        }
    }
}
