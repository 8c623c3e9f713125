//! Policies: AWS's documented cases as a table, documents that are none, and the laws that hold for all policies.
#![allow(clippy::unwrap_used, missing_docs)]

mod documents;
mod explain;
mod laws;
mod table;
