//! The STS door: who gets which session, what it may do, and how a refusal looks.
#![allow(clippy::unwrap_used, missing_docs)]

mod left_behind;
mod roles;
mod server;
mod sessions;
mod web;
