//! KMS keys: what they seal is read while they can be used, and not a moment longer.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod life;
mod objects;
mod world;
