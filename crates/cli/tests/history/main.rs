//! The commands of history against a real server: what they say, whole, and with which exit status.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod listing;
mod searches;
mod terminal;
mod versions;
mod world;
