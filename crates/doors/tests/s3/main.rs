//! The S3 door, driven by signed requests and by a client that nobody here wrote.
#![allow(clippy::unwrap_used, missing_docs)]

mod bad_input;
mod buckets;
mod foreign;
mod lifecycle;
mod listing;
mod lock_file;
mod logging;
mod multipart;
mod object_lock;
mod objects;
mod overtaken;
mod policies;
mod server;
mod versions;
