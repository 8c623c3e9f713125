//! What policies give and refuse: a runner with the least that Terraform needs for one state, one that may not break others'
//! locks, and a reader of outputs; each by real Terraform, and by raw requests for what Terraform would never ask.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod forced;
mod operations;
mod outputs;
mod refused;
mod runner;
mod world;
