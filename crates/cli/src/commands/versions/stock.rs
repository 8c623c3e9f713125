//! The versions of a state in any bucket, for commands that do one thing after another.

use bytes::Bytes;
use tidelock_core::{Time, diff::visible};
use tidelock_operator::layout::Named;
use tidelock_service::World as _;
use tokio::runtime::{self, Runtime};

use super::Entry;
use crate::{
    exit::{Failure, Status},
    stock::Found,
    world::Machine,
};

/// A state in a bucket. Connections live as long as this.
pub(in crate::commands) struct Stock {
    pub(in crate::commands) found: Found,
    pub(in crate::commands) key: String,
    runtime: Runtime,
}

impl Stock {
    pub(super) fn of(found: Found) -> Result<Stock, Failure> {
        let Some(key) = found.key.clone() else {
            let message = "say which state: BUCKET/KEY, or --key";
            return Err(Failure::new(Status::Usage, message));
        };
        Ok(Stock {
            found,
            key,
            runtime: runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    pub(super) fn address(&self) -> String {
        self.found.layout.item_name(&self.key)
    }

    /// Waits for what the bucket says.
    pub(in crate::commands) fn wait<T, E: Into<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(work).map_err(Into::into)
    }

    /// The ID of the version that is meant.
    pub(in crate::commands) fn named(&self, name: &str) -> Result<String, Failure> {
        let refused = |message| Err(Failure::new(Status::Refused, message));
        match self.wait(self.found.layout.version_named(&self.key, name))? {
            Named::One(id) => Ok(id),
            Named::None => {
                let (name, address) = (visible(name), visible(&self.address()));
                refused(format!("there is no version {name} of {address}"))
            }
            Named::Several(one, other) => refused(visible(&format!(
                "{name} is the beginning of more than one version, such as {one} and {other}; say more of it"
            ))),
        }
    }

    pub(super) fn entry(&self, name: &str) -> Result<Entry, Failure> {
        let id = self.named(name)?;
        match self.wait(self.found.layout.version(&self.key, &id))? {
            Some(line) => Ok(line.into()),
            None => Err(Failure::new(
                Status::Refused,
                format!("version {} is gone", visible(&id)),
            )),
        }
    }

    pub(super) fn body(&self, id: &str) -> Result<Bytes, Failure> {
        let read = self.found.layout.read(&self.key, Some(id));
        Ok(self.wait(read)?.bytes)
    }
}

pub(in crate::commands) fn now() -> Time {
    Machine.now()
}
