//! How far something long has come, on one line of a terminal, and nowhere else.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Often enough to look alive.
const STEP: Duration = Duration::from_millis(100);

/// One line of standard error that is written again and again.
pub(crate) struct Progress {
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Progress {
        Progress {
            shown: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows a text in place of the one before.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= STEP);
        if self.is_terminal && is_due {
            self.shown = Some(Instant::now());
            write(&text());
        }
    }
}

impl Drop for Progress {
    /// What comes next has the line for itself.
    fn drop(&mut self) {
        if self.shown.is_some() {
            write("");
        }
    }
}

fn write(text: &str) {
    let mut err = io::stderr().lock();
    // Who cannot be shown anything is not kept waiting for it.
    let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
}

/// A number of bytes as people read it, in powers of ten.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} bytes");
    }
    let mut tenths = count / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_people_read_them() {
        for (count, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 KB"),
            (999_949, "999.9 KB"),
            (12_345_678, "12.3 MB"),
            (5_000_000_000, "5.0 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
