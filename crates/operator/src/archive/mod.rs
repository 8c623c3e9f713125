//! States with all their versions as a directory that people read and compare, and that goes back in.
//!
//! ```text
//! DIR/BUCKET/KEY/history.json       what is known of each version, oldest first
//! DIR/BUCKET/KEY/000012.tfstate     the bytes of version 12, exactly as they were written
//! ```
//!
//! Directories are 0700 and files 0600, since states hold secrets. On the way back no path is made of anything that a
//! file says: names come from the numbers in `history.json`, and no symbolic link is followed.

mod history;
pub mod marks;
mod name;
mod read;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use tidelock_core::Address;

pub use history::{Entry, Lock, Writer};
pub use read::{Found, find};

use crate::files;
use history::History;

/// The name of the file that says what is known of the versions beside it.
const HISTORY: &str = "history.json";

/// The directory of one state, being written.
#[derive(Debug)]
pub struct State {
    address: Address,
    place: PathBuf,
    history: History,
}

/// Why a directory cannot be written, or is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link could lead anywhere, so that none is followed.
    #[error("{} is a symbolic link or no plain file or directory; an export has none, so it is not touched", path.display())]
    NotPlain {
        /// The link.
        path: PathBuf,
    },
    /// A file that is not what `tidelock export` writes.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in a sentence.
        why: String,
    },
    /// Two addresses whose names this file system does not tell apart.
    #[error("{} holds the export of {theirs}, and {ours} belongs there too; export one of them to another directory", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        theirs: String,
        /// Who wanted it.
        ours: String,
    },
}

impl State {
    /// The directory of a state below `root`, made if it is not there, with what it holds already.
    ///
    /// # Errors
    /// When it cannot be made, is another state's, or is damaged.
    pub fn open(root: &Path, address: &Address) -> Result<State, ArchiveError> {
        let place = name::place(root, address);
        make_below(root, &place)?;
        let history = match read::history(&place)? {
            None => History::new(address),
            Some(history) if history.address == address.to_string() => history,
            Some(history) => {
                return Err(ArchiveError::Taken {
                    path: place,
                    theirs: history.address,
                    ours: address.to_string(),
                });
            }
        };
        Ok(State {
            address: address.clone(),
            place,
            history,
        })
    }

    /// Whether the bytes of a version are there, and are the ones that `entry` describes.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn has(&self, entry: &Entry) -> Result<bool, ArchiveError> {
        let Some(md5) = &entry.md5 else {
            return Ok(entry.deleted);
        };
        match read::bytes(&self.place, entry.version)? {
            Some(bytes) => Ok(md5_of(&bytes) == *md5),
            None => Ok(false),
        }
    }

    /// Puts the bytes of a version there. They count once [`State::finish`] has listed it.
    ///
    /// # Errors
    /// When they are not what `entry` describes, or the file cannot be written.
    pub fn put(&self, entry: &Entry, bytes: &[u8]) -> Result<(), ArchiveError> {
        let path = self.place.join(file_name(entry.version));
        if entry.md5.as_deref() != Some(&md5_of(bytes)) {
            let why = format!(
                "version {} of {} arrived with another MD5",
                entry.version, self.address
            );
            return Err(ArchiveError::Damaged { path, why });
        }
        refuse_link(&path)?;
        files::replace(&path, bytes, files::SECRET_MODE).map_err(|source| ArchiveError::Io { path, source })
    }

    /// Lists these versions beside those that are listed already; all of them have their bytes there.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn finish(mut self, entries: Vec<Entry>) -> Result<(), ArchiveError> {
        let path = self.place.join(HISTORY);
        refuse_link(&path)?;
        let before = self.history.versions.clone();
        let is_listed_anew = |old: &Entry| entries.iter().any(|new| new.version == old.version);
        self.history.versions.retain(|old| !is_listed_anew(old));
        self.history.versions.extend(entries);
        self.history.versions.sort_by_key(|entry| entry.version);
        if self.history.versions == before {
            return Ok(());
        }
        let text = self.history.to_json();
        files::replace(&path, text.as_bytes(), files::SECRET_MODE)
            .map_err(|source| ArchiveError::Io { path, source })
    }
}

/// The MD5 in hexadecimal digits.
#[must_use]
pub fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

fn file_name(version: u64) -> String {
    format!("{version:06}.tfstate")
}

/// Makes what is missing of `place` below `root`, step by step, so that no link leads out.
fn make_below(root: &Path, place: &Path) -> Result<(), ArchiveError> {
    let make = |path: &Path, recursive: bool| {
        let made = fs::DirBuilder::new()
            .recursive(recursive)
            .mode(0o700)
            .create(path);
        match made {
            Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(ArchiveError::Io {
                path: path.to_owned(),
                source: fault,
            }),
            _ => Ok(()),
        }
    };
    make(root, true)?;
    let below = place.strip_prefix(root).expect("the place was made of the root");
    let mut path = root.to_owned();
    for name in below {
        path.push(name);
        make(&path, false)?;
        let kind = fs::symlink_metadata(&path).map_err(|source| ArchiveError::Io {
            path: path.clone(),
            source,
        })?;
        if !kind.is_dir() {
            return Err(ArchiveError::NotPlain { path });
        }
    }
    Ok(())
}

/// `files::replace` follows links, and here nobody has put one for a good reason.
fn refuse_link(path: &Path) -> Result<(), ArchiveError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(ArchiveError::NotPlain {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}
