//! The toolkit on stock S3 and DynamoDB: everything twice, on a Tidelock server and on moto, with real Terraform in between.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod bootstrap;
mod clean;
#[path = "../common/mod.rs"]
mod common;
mod cut;
mod doctor;
mod drift;
mod history;
mod layout;
mod lockfile;
mod locks;
mod means;
mod migrate;
mod policy;
mod secrets;
mod target;
mod world;
