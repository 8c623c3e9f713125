//! A key that signs requests, which no log shows.

use std::fmt;

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The token of a session, which temporary keys have.
    pub session_token: Option<String>,
}

impl Keys {
    /// The key, when both of its halves are there and not empty.
    pub(crate) fn of(id: Option<String>, secret: Option<String>, token: Option<String>) -> Option<Keys> {
        let there = |half: &String| !half.is_empty();
        Some(Keys {
            access_key_id: id.filter(there)?,
            secret_access_key: secret.filter(there)?,
            session_token: token,
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
