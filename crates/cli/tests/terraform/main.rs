//! Stock Terraform, or `TIDELOCK_TERRAFORM=tofu`, against the binary: what a user does in a day, with each way of locking.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod day;
mod directory;
mod faults;
mod fleet;
mod grip;
mod history;
mod keys;
mod kms;
mod locking;
mod migration;
mod plans;
mod push;
mod rollback;
mod shown;
mod sizes;
mod waiting;
mod world;
mod zombie;

use std::thread;

use tidelock_testkit::Backend;
use world::World;

/// Of each function named, a test for the lock file, the table, both, and http.
macro_rules! with_each_backend {
    ($($test:ident)*) => { $(
        mod $test {
            use tidelock_testkit::Backend;
            #[test] fn lock_file() { super::$test(Backend::LockFile); }
            #[test] fn table() { super::$test(Backend::Table); }
            #[test] fn both() { super::$test(Backend::Both); }
            #[test] fn http() { super::$test(Backend::Http); }
        }
    )* };
}
pub(crate) use with_each_backend;

/// Of each function named, a test for the three ways of locking that `backend "s3"` has.
macro_rules! with_each_s3_backend {
    ($($test:ident)*) => { $(
        mod $test {
            use tidelock_testkit::Backend;
            #[test] fn lock_file() { super::$test(Backend::LockFile); }
            #[test] fn table() { super::$test(Backend::Table); }
            #[test] fn both() { super::$test(Backend::Both); }
        }
    )* };
}
pub(crate) use with_each_s3_backend;

/// For what mostly waits: the four ways of locking side by side, each on a server of its own.
fn at_once(backends: &[Backend], test: impl Fn(Backend) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for &backend in backends {
            scope.spawn(move || test(backend));
        }
    });
}

/// The four ways of locking.
const ALL: [Backend; 4] = [Backend::LockFile, Backend::Table, Backend::Both, Backend::Http];

/// The smallest thing that Terraform can look after, with an output that shows it.
const THING: &str = r#"
resource "terraform_data" "thing" { input = "first" }
output "thing" { value = terraform_data.thing.output }
"#;
