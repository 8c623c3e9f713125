//! The S3 door, driven by signed requests and by a client that nobody here wrote.
#![allow(clippy::unwrap_used, missing_docs)]

mod bad_input;
mod buckets;
mod foreign;
mod listing;
mod lock_file;
mod multipart;
mod objects;
mod server;
mod versions;
