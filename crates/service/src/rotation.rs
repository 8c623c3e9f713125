//! A new root key: the keys of all bodies are sealed anew under it, in the background, and then the old one can go.
//!
//! Only the sealed keys change, some hundred bytes a body; the bodies stay as they are. Every row is rewritten under the
//! condition that nobody has changed it, so no write is lost and none waits. A crash costs nothing but a second look:
//! as long as there are former keys, a start goes on with it.

mod check;
mod holder;
mod pass;
mod status;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tidelock_core::limits::ROTATION_LOOK_MS;

use crate::{
    EngineError, Error, RootKey, RootKeys, Service,
    keys::{self, KEY_BYTES},
};
use pass::Pass;
pub use status::{KeyRole, KeyStatus, KeysStatus, RotationStatus};

/// Where the root keys are kept. What goes wrong there is told in words for people, which never quote a key.
pub trait KeyStore: Send + Sync {
    /// What people call it: a path, a variable, a command.
    fn name(&self) -> String;
    /// Whether the server writes it. Else a person puts the new key in, and takes the old one out.
    fn is_ours(&self) -> bool;
    /// Puts a new key in front, provided that `current` (an ID) is still among them; on disk when it returns.
    ///
    /// # Errors
    /// When it could not be, or is not ours.
    fn add(&self, new: &[u8; KEY_BYTES], current: &str) -> Result<(), String>;
    /// Takes the keys of these IDs out, wherever they stand but in front.
    ///
    /// # Errors
    /// When it could not be, or is not ours.
    fn remove(&self, ids: &[String]) -> Result<(), String>;
}

/// Why no rotation was begun.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// One at a time.
    #[error("a rotation is going on: `tidelock root-key` shows how far it is")]
    Running,
    /// The server cannot put a new key where a person has to.
    #[error(
        "the root key comes from {0}, which the server does not write: put a new key before the present one there, one on \
         a line, restart the server, then `tidelock root-key rotate`"
    )]
    NotOurs(String),
    /// The new key could not be kept; nothing has changed.
    #[error("no new root key: {0}")]
    Store(String),
    /// What any use case may meet.
    #[error(transparent)]
    Service(#[from] Error),
}

/// Why the stored bodies cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None of the keys is the one under which the newest bodies are sealed.
    #[error(
        "what is stored here is sealed under root key {needed}, and {source_name} holds another ({given}): put the right one \
         back, from a backup made when it was in use; nothing was changed"
    )]
    Wrong {
        /// The ID of the key that is needed.
        needed: String,
        /// Where the keys are from.
        source_name: String,
        /// The IDs that are there.
        given: String,
    },
    /// What any use case may meet.
    #[error(transparent)]
    Service(#[from] Error),
}

/// What this server knows about the keeping of its root keys.
#[derive(Default)]
pub(crate) struct Rotation {
    store: Option<Arc<dyn KeyStore>>,
    status: Mutex<Option<RotationStatus>>,
}

impl Rotation {
    pub(crate) fn of(store: Arc<dyn KeyStore>) -> Rotation {
        Rotation {
            store: Some(store),
            status: Mutex::default(),
        }
    }

    fn status(&self) -> MutexGuard<'_, Option<RotationStatus>> {
        // What was being counted when a thread died is a count all the same.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ours(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_ours())
    }

    fn name(&self) -> String {
        let store = self.store.as_ref();
        store.map_or_else(|| "memory".to_owned(), |store| store.name())
    }

    /// Marks that a rotation goes on; `false` when one does already.
    fn begin(&self, service: &Service) -> bool {
        let mut status = self.status();
        if status.as_ref().is_some_and(RotationStatus::is_running) {
            return false;
        }
        let retired = status.take().map(|former| former.retired).unwrap_or_default();
        *status = Some(RotationStatus::begun(service.now(), retired));
        true
    }
}

impl Service {
    /// Makes sure that the root keys are those of this store, and goes on with a rotation that was cut short.
    ///
    /// # Errors
    /// [`KeyError`]: the server must not start.
    pub async fn open_keys(&self) -> Result<(), KeyError> {
        self.check_keys().await?;
        self.vault().await?;
        if !self.keys().former.is_empty() && self.rotation.begin(self) {
            self.spawn_pass(None);
        }
        Ok(())
    }

    /// Begins a rotation: where the server keeps the root key itself, with a new one; else with what a person has put in
    /// front. One that has stopped goes on. The rest happens in the background; [`Service::rotation`] tells how far it is.
    ///
    /// # Errors
    /// [`RotationError`].
    pub async fn rotate(&self) -> Result<RotationStatus, RotationError> {
        let service = self.clone();
        // Between the file and the store nobody may go away.
        let begun = tokio::spawn(async move { service.begin_rotation().await }).await;
        begun.unwrap_or_else(|ended| Err(Error::from(EngineError::Uncertain(ended.to_string())).into()))
    }

    /// The rotation that goes on, or the last one since the start.
    #[must_use]
    pub fn rotation(&self) -> Option<RotationStatus> {
        self.rotation.status().clone()
    }

    async fn begin_rotation(&self) -> Result<RotationStatus, RotationError> {
        // What an engine or a disk has stopped goes on, and needs no third key.
        let stopped = self.rotation().is_some_and(|last| last.fault.is_some());
        let store = self.rotation.store.as_ref();
        let ours = store.filter(|store| store.is_ours() && !stopped).cloned();
        if ours.is_none() && self.keys().former.is_empty() {
            return Err(RotationError::NotOurs(self.rotation.name()));
        }
        if !self.rotation.begin(self) {
            return Err(RotationError::Running);
        }
        let replaced = match ours {
            Some(store) => match self.replace_key(store).await {
                Ok(replaced) => Some(replaced),
                Err(why) => {
                    *self.rotation.status() = None;
                    return Err(why);
                }
            },
            None => None,
        };
        self.spawn_pass(replaced);
        self.rotation().ok_or(RotationError::Running)
    }

    /// A new current key: first where the keys are kept, then in the store, then in use. What comes back are the keys in
    /// use until now.
    async fn replace_key(&self, store: Arc<dyn KeyStore>) -> Result<Arc<RootKeys>, RotationError> {
        let bytes = keys::draw(&*self.world);
        let (former, new) = (self.keys(), RootKey::new(&bytes));
        let current = former.current.id().to_owned();
        let added = tokio::task::spawn_blocking(move || store.add(&bytes, &current)).await;
        let added = added.unwrap_or_else(|ended| Err(ended.to_string()));
        added.map_err(RotationError::Store)?;
        let keys = RootKeys {
            former: std::iter::once(&former.current)
                .chain(&former.former)
                .cloned()
                .collect(),
            current: new,
        };
        self.put_check(&keys).await?;
        tracing::info!(
            former = former.current.id(),
            current = keys.current.id(),
            "the root key is a new one"
        );
        self.use_keys(keys);
        Ok(former)
    }

    /// Seals all keys anew, beside whatever else happens.
    fn spawn_pass(&self, replaced: Option<Arc<RootKeys>>) {
        let service = self.clone();
        tokio::spawn(async move {
            let fault = service.pass(replaced).await.err();
            if let Some(fault) = &fault {
                tracing::warn!(%fault, "the rotation of the root key stopped; the next start, or the next rotation, goes on with it");
            }
            if let Some(status) = service.rotation.status().as_mut() {
                status.fault = fault.map(|fault| fault.to_string());
                status.ended_ms = Some(service.now());
            }
        });
    }

    async fn pass(&self, replaced: Option<Arc<RootKeys>>) -> Result<(), Error> {
        // A blob holds the keys that it was sealed under until it is committed: nobody writes under the old one after this.
        while let Some(keys) = &replaced
            && Arc::strong_count(keys) > 1
        {
            tokio::time::sleep(Duration::from_millis(ROTATION_LOOK_MS)).await;
        }
        let keys = self.keys();
        let mut pass = Pass::new(self, &keys);
        pass.run().await?;
        let needed = pass.still_needed();
        let unneeded = keys.former.iter().map(|key| key.id().to_owned());
        self.retire(unneeded.filter(|id| !needed.contains(id)).collect())
            .await
    }

    /// Takes keys that nothing needs out of where they are kept. They stay in memory: who found a version before the
    /// rotation may still be reading it.
    async fn retire(&self, mut ids: Vec<String>) -> Result<(), Error> {
        if let Some(status) = self.rotation.status().as_ref() {
            ids.retain(|id| !status.retired.contains(id));
        }
        if ids.is_empty() {
            return Ok(());
        }
        if let Some(store) = self
            .rotation
            .store
            .as_ref()
            .filter(|store| store.is_ours())
            .cloned()
        {
            let gone = ids.clone();
            let removed = tokio::task::spawn_blocking(move || store.remove(&gone)).await;
            let removed = removed.unwrap_or_else(|ended| Err(ended.to_string()));
            removed.map_err(EngineError::Unavailable)?;
        }
        tracing::info!(
            keys = ids.join(" "),
            "nothing is sealed under these former root keys any more"
        );
        if let Some(status) = self.rotation.status().as_mut() {
            status.retired.extend(ids);
        }
        Ok(())
    }
}
