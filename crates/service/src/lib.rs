//! The use cases over the engine: the only code that reads and commits records.
//!
//! Every change of an address is one turn: load its record, let `tidelock_core::decide` judge the command, commit
//! what comes back under the condition that nothing has changed since, and on a conflict take another turn.
//! Nothing is decided here, and nothing that waits is anywhere else.

mod buckets;
mod error;
mod listing;
mod locks;
mod looks;
mod multipart;
mod objects;
mod operator;
mod pins;
mod quarantine;
mod refusal;
mod rows;
mod runs;
mod settings;
mod sightings;
mod status;
mod tables;
mod turn;
mod waiting;

use std::{future::Future, sync::Arc};

use tidelock_core::Time;
use tidelock_engine::Engine;
pub use tidelock_engine::EngineError;

pub use buckets::Bucket;
pub use error::Error;
pub use listing::{ListQuery, Listed, Page, VersionListed, VersionPage, VersionQuery};
pub use locks::{LockRequest, Locking};
pub use multipart::{Part, Seal, Upload, UploadPage};
pub use objects::NewBody;
pub use operator::OperatorError;
pub use refusal::{RefusedWrite, described};
pub use runs::{Leases, Run, RunError};
pub use settings::{Plans, Settings, Stale};
pub use status::{AllowedStatus, FencedStatus, LockStatus, ReleaseStatus, StateStatus, Status, WaiterStatus};
pub use tables::{ItemChange, ItemError, ItemRow, ScanOrder, Table};
pub use waiting::Grant;

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
    started: Time,
    settings: Settings,
}

impl Service {
    /// A service over `engine`.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, world: Arc<dyn World>) -> Service {
        Service {
            started: world.now(),
            engine,
            world,
            pins: Arc::default(),
            waiting: Arc::default(),
            in_turn: Arc::default(),
            sightings: Arc::default(),
            looks: Arc::default(),
            settings: Settings::default(),
        }
    }

    /// The same, with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Service {
        self.settings = settings;
        self
    }

    /// Finishes what a crash may have left half done: the deletion of a bucket or of a table.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn recover(&self) -> Result<(), Error> {
        self.recover_buckets().await?;
        self.recover_tables().await
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
