//! What the service does by itself and clients see: told to whoever keeps a log of what becomes of states.

use tidelock_core::Address;

/// Somebody who is told. It must not make the service wait.
pub trait Witness: Send + Sync {
    /// Something was done that no request asked for.
    fn saw(&self, happening: Happening);
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What, in one word, such as `VersionsDropped`.
    pub what: &'static str,
    /// To which state or object.
    pub address: Address,
    /// The rest, for people.
    pub note: String,
}

/// Nobody.
pub(crate) struct Nobody;

impl Witness for Nobody {
    fn saw(&self, _: Happening) {}
}
