//! SIGINT and SIGTERM, which both ask the program to end in good order.

use std::io;

use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};

/// Listens from its making on; until then the signals end the program at once.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; answers its number.
    pub(crate) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
        }
    }
}

/// From now on SIGINT does not end this program. Programs that it starts do not inherit this.
pub(crate) fn ignore_interrupts() -> io::Result<()> {
    let waiting = runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = waiting.enter();
    // The handler stays when its listener is gone.
    signal(SignalKind::interrupt()).map(drop)
}
