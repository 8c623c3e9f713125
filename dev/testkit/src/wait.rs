//! Waiting for a condition: a test that sleeps for luck is either slow or flaky.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Longer than the longest back-off of a client plus the longest hold of the server, on a loaded machine.
const WAIT_LIMIT: Duration = Duration::from_secs(90);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `holds` does, and fails the test with `what` if that takes too long.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < WAIT_LIMIT,
            "still not after {:?}: {what}",
            begun.elapsed()
        );
        thread::sleep(PAUSE);
    }
}
