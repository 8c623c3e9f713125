//! Drives the shared AWS layer with signatures that others made: AWS's published vectors and the `aws-sigv4` crate.
#![allow(clippy::unwrap_used, missing_docs)]

mod bodies;
mod chunks;
mod claims;
mod oracle;
mod tampering;
mod vectors;
