//! What went wrong between us and DynamoDB, in a sentence that names table, code and message.

use crate::aws::Why;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{call} on the table {table}: {why}")]
pub struct Error {
    /// The call, in DynamoDB's words, such as `GetItem`.
    pub call: &'static str,
    /// The table.
    pub table: String,
    /// What went wrong.
    pub why: Why,
}

impl Error {
    pub(super) fn new(call: &'static str, table: &str, why: Why) -> Error {
        let table = table.to_owned();
        Error { call, table, why }
    }

    /// DynamoDB's code, where it has answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.why.code()
    }
}
