//! The log: standard error, so that standard output is only what the command has to say.

use std::io::{self, IsTerminal};

use crate::args::LogFormat;

/// Sends every event of level INFO and above to standard error from now on.
pub(crate) fn start(format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(io::stderr)
        // What cannot be written is lost: to say so on standard error again would end the request.
        .log_internal_errors(false);
    match format {
        LogFormat::Human => builder
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
