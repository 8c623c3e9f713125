//! The operator's grip on locks: to free, freeze, thaw and permit.

use serde_json::json;
use tidelock_core::{
    Address, Allowance, Caller, Lock, LockId, Time,
    decide::{Allow, Freeze, NotFreed, NotRestored, Thaw, Unlock},
    limits::{ALLOW_MS_MAX, FREEZE_TEXT_BYTES_MAX},
};

use crate::{
    Error, Service,
    refusal::described,
    status::{AllowedStatus, LockStatus, allowed_status},
};

/// Why an operator's wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The lock of that ID is not held.
    #[error("{address} is not locked by {id}: {}", holder(held.as_deref()))]
    NotHeld {
        /// Where.
        address: Address,
        /// The ID.
        id: LockId,
        /// Who holds it.
        held: Option<Box<Lock>>,
    },
    /// The lock is a freeze.
    #[error(
        "{address} is frozen by {}; thaw it: tidelock thaw {address}",
        described(held)
    )]
    Frozen {
        /// Where.
        address: Address,
        /// The freeze.
        held: Box<Lock>,
    },
    /// There is no freeze.
    #[error("{address} is not frozen: {}", holder(held.as_deref()))]
    NotFrozen {
        /// Where.
        address: Address,
        /// The lock that is held, and is none.
        held: Option<Box<Lock>>,
    },
    /// Someone holds the lock.
    #[error(
        "{address} is locked by {}; wait, or if its holder is gone for good: tidelock unlock {address} {}",
        described(held),
        held.id
    )]
    Locked {
        /// Where.
        address: Address,
        /// The lock.
        held: Box<Lock>,
    },
    /// There is no refused write of that number.
    #[error("no refused write {id} is kept for {address}; see tidelock rescue list {address}")]
    NoSuchWrite {
        /// Where.
        address: Address,
        /// The number.
        id: u64,
    },
    /// The state has changed since the operator looked.
    #[error("{0} has changed since you looked at it; nothing was done: look again, and decide anew")]
    Overtaken(Address),
    /// OpenTofu has sealed the serial in with the rest.
    #[error(
        "that state is encrypted with serial {serial}, which only its owner can raise above {head}: permit it with \
         tidelock allow {address} --rewind, then tofu state push -force"
    )]
    Sealed {
        /// Where.
        address: Address,
        /// The serial of the state that is to be made current.
        serial: u64,
        /// The highest that a state there ever had.
        head: u64,
    },
    /// Somebody is making a backup.
    #[error(
        "access key {} at {} has been making a backup for {} s; wait for it to end, or end it there",
        caller.access_key_id, caller.source, for_ms / 1_000
    )]
    BackupUnderWay {
        /// Who.
        caller: Caller,
        /// Since how many milliseconds.
        for_ms: i64,
    },
    /// The version is of another history than the current state.
    #[error(
        "that version of {address} is of lineage {own}, the state of lineage {head}: nothing that Terraform knows leads \
         from one to the other. If you mean it: tidelock show --state {address} VERSION > old.tfstate, \
         tidelock allow {address} --relineage, terraform state push -force old.tfstate"
    )]
    OtherLineage {
        /// Where.
        address: Address,
        /// That of the version.
        own: String,
        /// That of the current state.
        head: String,
    },
    /// The wish itself makes no sense.
    #[error("{0}")]
    Senseless(&'static str),
    /// The use case could not be carried out.
    #[error(transparent)]
    Service(#[from] Error),
}

fn holder(held: Option<&Lock>) -> String {
    held.map_or("nobody holds it".to_owned(), |lock| {
        format!("it is held by {}", described(lock))
    })
}

impl Service {
    /// Frees a lock, whoever holds it, and fences its holder.
    ///
    /// # Errors
    /// [`OperatorError::NotHeld`], [`OperatorError::Frozen`].
    pub async fn unlock(
        &self,
        address: &Address,
        id: &LockId,
        caller: &Caller,
    ) -> Result<LockStatus, OperatorError> {
        let unlock = Unlock {
            id: id.clone(),
            caller: caller.clone(),
        };
        match self.change_lock(address, &unlock).await? {
            Ok(freed) => Ok(self.lock_status(&freed).await?),
            Err(NotFreed::Frozen(held)) => Err(OperatorError::Frozen {
                address: address.clone(),
                held,
            }),
            Err(NotFreed::NotHeld(held)) => Err(OperatorError::NotHeld {
                address: address.clone(),
                id: id.clone(),
                held,
            }),
        }
    }

    /// Permits one write that does not advance the state, for `for_ms` from now.
    ///
    /// # Errors
    /// [`OperatorError::Senseless`] when nothing is permitted, or for no time or too long.
    pub async fn allow(
        &self,
        address: &Address,
        rewind: bool,
        relineage: bool,
        for_ms: u64,
        caller: &Caller,
    ) -> Result<AllowedStatus, OperatorError> {
        if !rewind && !relineage {
            return Err(OperatorError::Senseless("say what to permit: rewind, relineage"));
        }
        if !(1..=ALLOW_MS_MAX).contains(&for_ms) {
            return Err(OperatorError::Senseless("what is permitted lasts up to 24 hours"));
        }
        let allowed = Allowance {
            rewind,
            relineage,
            until: self.now().plus_ms(for_ms.cast_signed()),
            by: caller.clone(),
        };
        self.change_lock(address, &Allow(allowed.clone())).await?;
        Ok(allowed_status(allowed))
    }

    /// Locks a state for people: nobody writes it, and no door releases it, until it is thawed.
    ///
    /// # Errors
    /// [`OperatorError::Locked`], [`OperatorError::Frozen`].
    pub async fn freeze(
        &self,
        address: &Address,
        who: &str,
        reason: &str,
        caller: &Caller,
    ) -> Result<LockStatus, OperatorError> {
        let fits = |text: &str| text.len() <= FREEZE_TEXT_BYTES_MAX;
        if reason.trim().is_empty() || !fits(reason) || !fits(who) {
            return Err(OperatorError::Senseless(
                "a freeze needs a reason, and neither that nor a name is longer than 1,024 bytes",
            ));
        }
        let id = LockId::try_from(uuid(self.random()).as_str()).expect("a UUID is a lock ID");
        let freeze = Freeze {
            info: freeze_info(address, &id, who, reason, self.now()),
            id: id.clone(),
            caller: caller.clone(),
        };
        match self.change_lock(address, &freeze).await? {
            Ok(()) => {}
            Err(held) if held.is_freeze() => {
                let address = address.clone();
                return Err(OperatorError::Frozen { address, held });
            }
            Err(held) => {
                let address = address.clone();
                return Err(OperatorError::Locked { address, held });
            }
        }
        let status = self.status(address).await?;
        let own = status.locks.into_iter().find(|lock| lock.id == id);
        own.ok_or_else(|| OperatorError::NotFrozen {
            address: address.clone(),
            held: None,
        })
    }

    /// Ends a freeze.
    ///
    /// # Errors
    /// [`OperatorError::NotFrozen`].
    pub async fn thaw(&self, address: &Address, caller: &Caller) -> Result<LockStatus, OperatorError> {
        let thaw = Thaw {
            caller: caller.clone(),
        };
        match self.change_lock(address, &thaw).await? {
            Ok(freeze) => Ok(self.lock_status(&freeze).await?),
            Err(held) => Err(OperatorError::NotFrozen {
                address: address.clone(),
                held,
            }),
        }
    }
}

impl OperatorError {
    pub(crate) fn not_restored(why: NotRestored, address: &Address, refused: Option<u64>) -> OperatorError {
        let address = address.clone();
        match why {
            NotRestored::Unknown => OperatorError::NoSuchWrite {
                address,
                id: refused.unwrap_or_default(),
            },
            NotRestored::Locked(held) => OperatorError::Locked { address, held },
            NotRestored::Overtaken => OperatorError::Overtaken(address),
        }
    }
}

/// The lock info of a freeze: what Terraform shows to those it keeps out.
fn freeze_info(address: &Address, id: &LockId, who: &str, reason: &str, now: Time) -> String {
    let info = json!({
        "ID": id,
        "Operation": "freeze",
        "Info": reason,
        "Who": who,
        "Version": env!("CARGO_PKG_VERSION"),
        "Created": crate::refusal::time(now),
        "Path": address.to_string(),
    });
    info.to_string()
}

/// A version 4 UUID (RFC 9562), as Terraform's lock IDs are.
pub(crate) fn uuid(mut random: [u8; 16]) -> String {
    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;
    let hex = hex::encode(random);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
