//! What the end-to-end tests stand on: a real server process, real clients in a sealed-off environment, and a
//! raw signed client for what no client would send.
//!
//! Everything here blocks: tests are threads, and a thread that waits is easier to read than a future. A helper
//! that cannot do its work panics with the reason, because that is a failed test and nothing else.

// `states` spells the resources of the AWS provider as literals of up to sixty members.
#![recursion_limit = "512"]

mod backend;
mod client;
mod hermetic;
mod proxy;
mod rng;
mod server;
mod states;
mod store;
mod terraform;
mod wait;

pub use backend::{Backend, BackendConfig};
pub use client::{Client, Request, Response, basic_auth, content_md5, etag, read_response};
pub use hermetic::{Hermetic, Output};
pub use proxy::LossyProxy;
pub use rng::Rng;
pub use server::{Credentials, Memory, TestServer};
pub use states::{Applied, States};
pub use store::{Kind, Store, python};
pub use terraform::{Running, Terraform, hold_until_released, state_document};
pub use wait::wait_until;

/// The bucket that the first start of a server makes.
pub const BUCKET: &str = "tfstate";

/// The lock table that the first start of a server makes.
pub const TABLE: &str = "terraform-locks";

/// The region the tests sign for; the server takes any.
pub const REGION: &str = "us-east-1";
