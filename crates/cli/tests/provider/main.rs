//! Terraform's AWS provider against the binary: resources as the usual guides write them are applied, plan clean, are
//! imported and destroyed.
//!
//! The provider comes from a mirror on this machine, which `TIDELOCK_AWS_PROVIDER_MIRROR` names. It is hundreds of megabytes
//! long and takes seconds to start, so a test does much with few commands.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod dynamodb;
mod guide;
mod iam;
mod kms;
mod s3;
mod world;

use world::World;
