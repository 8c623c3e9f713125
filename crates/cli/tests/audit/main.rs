//! The audit log of a real server: what is in it, who finds what in it, and that nobody changes it unseen.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod chain;
#[path = "../common/mod.rs"]
mod common;
mod entries;
mod explain;
mod world;
