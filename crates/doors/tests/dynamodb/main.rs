//! The DynamoDB door on the memory engine: what clients send in, and AWS's answers out.
#![allow(clippy::unwrap_used, missing_docs)]

mod accounts;
mod door;
mod items;
mod locks;
mod searches;
mod settings;
mod tables;
