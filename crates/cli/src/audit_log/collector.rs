//! The same lines for a collector: appended to a file that may be rotated under it, or to standard output.
//!
//! It reads the log like anybody else, so that a collector that hangs holds up nobody, and what it misses it gets later.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use serde::Deserialize;
use tidelock_core::limits::AUDIT_RETRY_MS;
use tidelock_doors::audit::Wanted;
use tidelock_operator::files;
use tokio::{runtime, sync::oneshot, time};

use super::{Shared, reader::Reader, segments::Segments};

/// Where the lines go besides the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Collector {
    /// To the end of this file.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// Hands on what is written behind entry `after`, in a thread of its own: who holds up a pipe holds up nobody else. What comes
/// back says when it has ended.
pub(super) fn start(
    to: Collector,
    segments: Segments,
    after: u64,
    shared: Arc<Shared>,
) -> io::Result<oneshot::Receiver<()>> {
    let (tell, ended) = oneshot::channel();
    let waiting = runtime::Builder::new_current_thread().enable_time().build()?;
    let wanted = Wanted {
        after,
        ..Wanted::default()
    };
    let copy = Copy {
        to,
        file: None,
        wanted,
        segments,
        reader: None,
    };
    let thread = thread::Builder::new().name("audit-collector".to_owned());
    thread.spawn(move || {
        waiting.block_on(copy.run(&shared));
        drop(tell);
    })?;
    Ok(ended)
}

/// Where it goes, and how far it has come.
struct Copy {
    to: Collector,
    file: Option<File>,
    wanted: Wanted,
    segments: Segments,
    reader: Option<Reader>,
}

impl Copy {
    /// Hands on until the log has ended.
    async fn run(mut self, shared: &Shared) {
        let (mut head, mut ended) = (shared.head.subscribe(), shared.ended.subscribe());
        let mut was_failing = false;
        loop {
            let is_last = *ended.borrow_and_update();
            head.borrow_and_update();
            let copied = self.all();
            match &copied {
                Err(why) if !was_failing => {
                    tracing::error!(%why, "the audit log's entries cannot be handed on; trying again");
                }
                Ok(()) if was_failing => tracing::info!("the audit log's entries are handed on again"),
                _ => {}
            }
            was_failing = copied.is_err();
            if is_last {
                return;
            }
            tokio::select! {
                _ = head.changed(), if !was_failing => {}
                () = time::sleep(Duration::from_millis(AUDIT_RETRY_MS)), if was_failing => {}
                _ = ended.changed() => {}
            }
        }
    }

    /// Hands on all there is.
    fn all(&mut self) -> io::Result<()> {
        loop {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => self
                    .reader
                    .insert(Reader::new(self.segments.clone(), self.wanted.clone())?),
            };
            let piece = reader.next()?;
            if let Err(why) = self.put(&piece.lines) {
                // What was not handed on is read again.
                self.reader = None;
                return Err(why);
            }
            if let Some(seq) = last_seq(&piece.lines) {
                self.wanted.after = seq;
            }
            if piece.is_end {
                return Ok(());
            }
        }
    }

    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match &self.to {
            Collector::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Collector::File(path) => {
                let file = match self.file.take().filter(|file| is_at(file, path)) {
                    Some(file) => file,
                    None => OpenOptions::new()
                        .append(true)
                        .create(true)
                        .mode(files::SECRET_MODE)
                        .open(path)?,
                };
                self.file.insert(file).write_all(lines)
            }
        }
    }
}

/// Whether the open file is still the one of that name: whoever rotates it gives it another.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

fn last_seq(lines: &[u8]) -> Option<u64> {
    let lines = lines.strip_suffix(b"\n")?;
    super::chain::seq(lines.rsplit(|byte| *byte == b'\n').next()?)
}
