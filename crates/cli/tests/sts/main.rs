//! Stock Terraform with roles instead of keys: `assume_role`, `assume_role_with_web_identity`, across accounts.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod roles;
mod web;
mod world;
