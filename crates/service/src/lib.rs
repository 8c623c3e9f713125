//! The use cases over the engine: the only code that reads and commits records.
//!
//! Every change of an address is one turn: load its record, let `tidelock_core::decide` judge the command, commit
//! what comes back under the condition that nothing has changed since, and on a conflict take another turn.
//! Nothing is decided here, and nothing that waits is anywhere else.

mod access;
mod access_log;
mod backup;
mod blame;
mod bodies;
mod buckets;
mod error;
mod find;
mod history;
mod iam;
mod import;
mod keys;
mod kms;
mod lifecycle;
mod listing;
mod locks;
mod looks;
mod multipart;
mod objects;
mod oidc;
mod operator;
mod packing;
mod pins;
mod quarantine;
mod refusal;
mod restore;
mod retention;
mod rotation;
mod rows;
mod runs;
mod sessions;
mod settings;
mod sightings;
mod status;
mod tables;
mod turn;
mod vault;
mod verify;
mod waiting;
mod witness;

use std::{
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use tidelock_core::{
    Time,
    limits::{BODY_BUDGET_MIB, STORE_BUDGET_MIB},
};
use tidelock_engine::Engine;
pub use tidelock_engine::EngineError;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

pub use access::{Credential, CredentialError, Found as CredentialFound, SessionFacts};
pub use access_log::Logging;
pub use backup::Backup;
pub use blame::{Blame, Touch};
pub use bodies::Reading;
pub use buckets::Bucket;
pub use error::Error;
pub use find::{FindPage, Found, Sought, StateEntry, StatesPage, Unread};
pub use history::{Entry, EntryLock, Form, HistoryPage};
pub use iam::{DirectoryError, NewAccessKey, RoleRights};
pub use import::{Foreign, ImportError};
pub use keys::{RootKey, RootKeys};
pub use kms::{DefaultKey, Kms, KmsKeyWanted, forget_encryption};
pub use listing::{ListQuery, Listed, Page, VersionListed, VersionPage, VersionQuery};
pub use locks::{LockRequest, Locking};
pub use multipart::{NewPart, Part, Seal, Upload, UploadPage};
pub use objects::NewBody;
pub use oidc::{Issuer, KeyLocation, KeyReading, KeySet, KeySetError, KeySource, OidcError, WebIdentity};
pub use operator::OperatorError;
pub use packing::{Collected, Packed};
pub use refusal::{RefusedWrite, described};
pub use restore::By;
pub use retention::{Retention, RetentionError, Rule};
pub use rotation::{KeyError, KeyRole, KeyStatus, KeyStore, KeysStatus, RotationError, RotationStatus};
pub use runs::{Leases, Run, RunError};
pub use sessions::{Actor, Issued, NewSession, Web};
pub use settings::{Plans, Settings, Stale};
pub use status::{AllowedStatus, FencedStatus, LockStatus, ReleaseStatus, StateStatus, Status, WaiterStatus};
pub use tables::{ItemChange, ItemError, ItemRow, Past, ScanOrder, Table};
pub use vault::{Vault, VaultError};
pub use verify::{Checksums, DamagedBody, VerifyPage};
pub use waiting::Grant;
pub use witness::{Happening, Witness};

/// The clock and the dice, passed in so that tests can hold them.
pub trait World: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;
    /// Sixteen random bytes, unpredictable outside of tests.
    fn random(&self) -> [u8; 16];
}

/// The use cases. Cheap to share; every method may be called from any number of tasks at once.
#[derive(Clone)]
pub struct Service {
    engine: Arc<dyn Engine>,
    world: Arc<dyn World>,
    pins: Arc<pins::Pins>,
    waiting: Arc<waiting::Waiting>,
    in_turn: Arc<turn::InTurn>,
    sightings: Arc<sightings::Sightings>,
    looks: Arc<looks::Looks>,
    backups: Arc<backup::Backups>,
    started: Time,
    settings: Settings,
    keys: Arc<RwLock<Arc<RootKeys>>>,
    rotation: Arc<rotation::Rotation>,
    unpacking: Arc<Semaphore>,
    /// One permit a MiB that bodies take which are stored again.
    storing: Arc<Semaphore>,
    /// One permit a MiB of large bodies that are on their way here.
    receiving: Arc<Semaphore>,
    packing: Arc<packing::Packing>,
    witness: Arc<dyn Witness>,
    followed: Arc<lifecycle::Followed>,
    access_logs: Arc<access_log::AccessLogs>,
    vault: Arc<OnceCell<Vault>>,
    iam: Arc<iam::Iam>,
    kms: Arc<kms::Store>,
    oidc: Arc<oidc::Oidc>,
    sessions: Arc<sessions::Sessions>,
}

impl Service {
    /// A service over `engine`, whose bodies are sealed under `keys`.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, world: Arc<dyn World>, keys: RootKeys) -> Service {
        Service {
            started: world.now(),
            engine,
            world,
            pins: Arc::default(),
            waiting: Arc::default(),
            in_turn: Arc::default(),
            sightings: Arc::default(),
            looks: Arc::default(),
            backups: Arc::default(),
            settings: Settings::default(),
            keys: Arc::new(RwLock::new(Arc::new(keys))),
            rotation: Arc::default(),
            unpacking: bodies::unpack_budget(),
            storing: Arc::new(Semaphore::new(STORE_BUDGET_MIB)),
            receiving: Arc::new(Semaphore::new(BODY_BUDGET_MIB)),
            packing: Arc::default(),
            witness: Arc::new(witness::Nobody),
            followed: Arc::default(),
            access_logs: Arc::default(),
            oidc: Arc::default(),
            sessions: Arc::default(),
            vault: Arc::default(),
            iam: Arc::default(),
            kms: Arc::default(),
        }
    }

    /// The same, which tells `witness` what it does by itself.
    #[must_use]
    pub fn with_witness(mut self, witness: Arc<dyn Witness>) -> Service {
        self.witness = witness;
        self
    }

    /// The same, with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Service {
        self.settings = settings;
        self
    }

    /// The same, with root keys that can be replaced where they are kept.
    #[must_use]
    pub fn with_key_store(mut self, store: Arc<dyn KeyStore>) -> Service {
        self.rotation = Arc::new(rotation::Rotation::of(store));
        self
    }

    /// Reads the directory, and finishes what a crash may have left half done: the deletion of a bucket or of a table.
    /// Finishes what a crash may have left half done (the deletion of a bucket or of a table), and what has become due meanwhile.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn recover(&self) -> Result<(), Error> {
        self.load_directory().await?;
        self.recover_buckets().await?;
        self.recover_tables().await?;
        self.sweep_kms().await
    }

    /// The root keys.
    pub(crate) fn keys(&self) -> Arc<RootKeys> {
        // A poisoned lock still holds whole keys: they are only ever replaced.
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals under other root keys from now on.
    fn use_keys(&self, keys: RootKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Waits until there is memory for a body of so many MiB, and keeps it as long as the permit lives: many large ones wait
    /// instead of filling it.
    pub async fn room(&self, mib: u32) -> Option<SemaphorePermit<'_>> {
        self.receiving.acquire_many(mib).await.ok()
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// Sixteen random bytes.
    #[must_use]
    pub fn random(&self) -> [u8; 16] {
        self.world.random()
    }
}

/// Does `work` to its end, whatever becomes of who asked for it: a server drops a request with its connection, which
/// must not stop a use case between two commits that belong together.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|ended| Err(EngineError::Uncertain(ended.to_string()).into()))
}
