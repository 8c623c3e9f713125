//! Taking, giving back and looking at the lock of an address.

use md5::{Digest, Md5};
use tidelock_core::{
    Address, Caller, Command, Lock, Time,
    decide::{Acquire, Acquired, Release, Released},
};

use crate::{Error, Service, rows::LockFile, turn::TURNS};

impl Service {
    /// Takes the lock of an address through one door; the bucket need not exist here, because a table may lock a
    /// state that is kept elsewhere.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file, [`Error::Occupied`] where a plain item has the lock's key.
    pub async fn acquire(&self, address: &Address, request: &Acquire) -> Result<Acquired, Error> {
        self.change_lock(address, request).await
    }

    /// Gives the lock back through one door.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn release(&self, address: &Address, request: &Release) -> Result<Released, Error> {
        self.change_lock(address, request).await
    }

    async fn change_lock<C: Command>(&self, address: &Address, command: &C) -> Result<C::Outcome, Error> {
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let before = turn.record.lock.clone();
            let outcome = turn.decide(command, self);
            turn.show_facets(before, self).await?;
            if turn.commit(self).await? {
                return Ok(outcome);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// The lock as this caller sees it: the one that is held, or for a moment the one that it was refused because of.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn look(&self, address: &Address, caller: &Caller) -> Result<Option<Lock>, Error> {
        let (record, _) = self.load(address).await?;
        Ok(record.seen_by(caller, self.now()).cloned())
    }

    /// Whether the last lock was ended by the call that its client's SDK names so.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn was_released_by(&self, address: &Address, invocation: &str) -> Result<bool, Error> {
        let last = self.load(address).await?.0.last_release;
        Ok(last.is_some_and(|last| last.invocation.as_deref() == Some(invocation)))
    }

    /// The lock that is held, for listings.
    ///
    /// # Errors
    /// [`Error::LockFile`] for the address of a lock file.
    pub async fn lock(&self, address: &Address) -> Result<Option<Lock>, Error> {
        Ok(self.load(address).await?.0.lock)
    }
}

/// What a listing shows of the lock file with this content.
pub(crate) fn lock_file(info: &str, since: Time) -> LockFile {
    LockFile {
        size: info.len() as u64,
        etag: hex::encode(Md5::digest(info)),
        since,
    }
}
