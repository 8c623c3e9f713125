//! One module a command: it gathers, calls, prints, and says how it ended.

pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod profile;
pub(crate) mod serve;
