//! The operator's toolkit: every change to what a user owns is inspected first, then planned, then applied.
//!
//! Nothing here prints: a [`profile::Plan`] says what would change, and the command line shows it and decides.
//! [`backend::find`] says which state a Terraform configuration means.

pub mod archive;
pub mod aws;
pub mod backend;
pub mod bootstrap;
pub mod clean;
pub mod doctor;
pub mod drift;
pub mod dynamodb;
pub mod fault;
pub mod files;
mod hcl_edit;
pub mod ini;
pub mod keys;
pub mod layout;
pub mod migrate;
pub mod policy;
pub mod profile;
pub mod s3;
pub mod secrets;
pub mod tls;
pub mod transfer;
