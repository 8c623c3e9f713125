//! A few connections that read beside the writer, each on a blocking thread while it is used.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;
use tidelock_core::limits::EMBEDDED_READERS_MAX;
use tokio::sync::Semaphore;

use super::{closed, directory::DirectoryLock, fault::Fault, held, schema};
use crate::EngineError;

/// At most `EMBEDDED_READERS_MAX` connections, opened when first needed.
#[derive(Debug)]
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// A read may outlive the engine when its caller went away: the directory stays held until it is done.
    _lock: Arc<DirectoryLock>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, lock: Arc<DirectoryLock>) -> Readers {
        Readers {
            permits: Arc::new(Semaphore::new(EMBEDDED_READERS_MAX)),
            pool: Arc::new(Pool {
                path,
                idle: Mutex::new(Vec::new()),
                _lock: lock,
            }),
        }
    }

    /// Runs a query off the asynchronous threads. It begins after the call and so sees every acknowledged commit.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, EngineError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let pool = Arc::clone(&self.pool);
        let read = tokio::task::spawn_blocking(move || {
            let answer = pool.run(query);
            drop(permit);
            answer
        });
        read.await
            .map_err(|error| EngineError::Unavailable(format!("a read did not finish: {error}")))?
            .map_err(Into::into)
    }

    /// Runs a query of one row where it is asked for: it takes some 10 µs, less than another thread costs to wake.
    pub(super) async fn run_here<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, EngineError> {
        let _permit = self.permits.acquire().await.map_err(|_| closed())?;
        Ok(self.pool.run(query)?)
    }

    /// Waits for the reads under way and ends the connections; whoever comes later is refused.
    pub(super) async fn close(&self) {
        let all = self.permits.acquire_many(EMBEDDED_READERS_MAX as u32).await;
        self.permits.close();
        drop(all);
        held(&self.pool.idle).clear();
    }
}

impl Pool {
    fn run<T>(&self, query: impl FnOnce(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = held(&self.idle).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let answer = query(&mut connection);
        held(&self.idle).push(connection);
        answer
    }
}
