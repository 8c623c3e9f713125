//! How long a thread that has something to do has to wait for a processor: below that, no server can answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two looks; short enough to meet every stall that matters.
const NAP: Duration = Duration::from_millis(1);

/// A thread that does nothing but wake up, and sees how late it is.
pub(crate) struct Stalls {
    ended: Arc<AtomicBool>,
    watcher: JoinHandle<Vec<f64>>,
}

impl Stalls {
    /// Watches from now on.
    pub(crate) fn watch() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let watcher = thread::spawn(move || {
            let mut late = Vec::new();
            while !end.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(NAP);
                late.push(begun.elapsed().saturating_sub(NAP).as_secs_f64() * 1e3);
            }
            late
        });
        Self { ended, watcher }
    }

    /// By how many milliseconds it was late, each time.
    pub(crate) fn end(self) -> Vec<f64> {
        self.ended.store(true, Ordering::Relaxed);
        self.watcher.join().expect("a watcher does not panic")
    }
}
