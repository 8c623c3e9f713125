//! A store that no server has open: looked into for what a backup holds, or for what is damaged.

use std::{path::Path, sync::Arc};

use tidelock_doors::aws_common::kept_checksums;
use tidelock_engine::EmbeddedEngine;
use tidelock_service::{DamagedBody, RootKeys, Service, VerifyPage};
use tokio::runtime::Runtime;

use crate::{
    exit::{Failure, Status},
    progress::{self, Progress},
    world::Machine,
};

/// The file that a store is in.
pub(crate) const DATABASE: &str = tidelock_core::archive::DATABASE;

/// An open store.
pub(crate) struct Store {
    runtime: Runtime,
    engine: Arc<EmbeddedEngine>,
}

/// What a verification has found.
#[derive(Default, serde::Serialize)]
pub(crate) struct Verified {
    pub(crate) checked: u64,
    pub(crate) bytes: u64,
    pub(crate) damaged: Vec<DamagedBody>,
    /// What could not be looked at, because its KMS key cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) closed: Vec<DamagedBody>,
}

impl Store {
    /// Opens the store in a directory that has one.
    pub(crate) fn open(dir: &Path) -> Result<Store, Failure> {
        let runtime = Runtime::new()?;
        let engine = EmbeddedEngine::open(dir);
        let engine = engine.map_err(|fault| Failure::new(Status::DataDirectory, fault))?;
        Ok(Store {
            runtime,
            engine: Arc::new(engine),
        })
    }

    /// Whether the file itself is whole.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let checked = self.runtime.block_on(self.engine.check());
        checked.map_err(|why| Failure::new(Status::Failed, why))
    }

    /// Reads all that is stored under a prefix.
    pub(crate) fn verify(&self, keys: RootKeys, prefix: &str) -> Result<Verified, Failure> {
        let service = Service::new(self.engine.clone(), Arc::new(Machine), keys);
        verify(|after| {
            let page = service.verify(prefix, after, kept_checksums::hold);
            let page = self.runtime.block_on(page);
            page.map_err(|why| Failure::new(Status::DataDirectory, why))
        })
    }

    /// Leaves one whole file behind.
    pub(crate) fn close(self) {
        self.runtime.block_on(self.engine.close());
    }
}

/// Goes through all pages.
pub(crate) fn verify(
    mut page: impl FnMut(Option<&str>) -> Result<VerifyPage, Failure>,
) -> Result<Verified, Failure> {
    let (mut progress, mut all) = (Progress::start(), Verified::default());
    let mut after: Option<String> = None;
    loop {
        let found = page(after.as_deref())?;
        all.checked += found.checked;
        all.bytes += found.bytes;
        all.damaged.extend(found.damaged);
        all.closed.extend(found.closed);
        progress.show(|| all.summary());
        after = found.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

impl Verified {
    /// Whether something of it can no longer be read.
    pub(crate) fn has_lost(&self) -> bool {
        self.damaged.iter().any(|one| !one.readable)
    }

    /// In one line.
    pub(crate) fn summary(&self) -> String {
        let verdict = match self.damaged.len() {
            0 => "all as they were written".to_owned(),
            damaged => format!("{damaged} damaged"),
        };
        let verdict = match self.closed.len() {
            0 => verdict,
            closed => format!("{verdict}; {closed} more not looked at"),
        };
        let bodies = if self.checked == 1 { "body" } else { "bodies" };
        format!(
            "{} {bodies}, {}: {verdict}",
            self.checked,
            progress::bytes(self.bytes)
        )
    }
}
