//! Reading an export back, as strictly as anything that comes from elsewhere.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tidelock_core::{
    Address,
    limits::{EXPORT_HISTORY_BYTES_MAX, OBJECT_BYTES_MAX},
};

use super::{
    ArchiveError, HISTORY, file_name,
    history::{Entry, FORM, History},
    md5_of,
};

/// An exported state.
#[derive(Debug)]
pub struct Found {
    /// Its address.
    pub address: Address,
    /// Its versions, oldest first.
    pub versions: Vec<Entry>,
    place: PathBuf,
}

impl Found {
    /// The bytes of one of its versions.
    ///
    /// # Errors
    /// When they are not there, or are not those that `history.json` describes.
    pub fn bytes(&self, entry: &Entry) -> Result<Bytes, ArchiveError> {
        let path = self.place.join(file_name(entry.version));
        let damaged = |why: &str| ArchiveError::Damaged {
            path: path.clone(),
            why: why.to_owned(),
        };
        let bytes =
            bytes(&self.place, entry.version)?.ok_or_else(|| damaged("the file is missing; export again"))?;
        match entry.md5.as_deref() == Some(&md5_of(&bytes)) {
            true => Ok(bytes.into()),
            false => Err(damaged(
                "its MD5 is not the one that history.json states: the file was changed or damaged",
            )),
        }
    }
}

/// Every state below a directory, in the order of the paths; each `history.json` is checked.
///
/// # Errors
/// When there is a link, or a file that is not what `tidelock export` writes.
pub fn find(root: &Path) -> Result<Vec<Found>, ArchiveError> {
    // The root itself may be a link: whoever called has named it.
    let mut places = VecDeque::from([root.to_owned()]);
    let mut found = Vec::new();
    while let Some(place) = places.pop_front() {
        let io = |source| ArchiveError::Io {
            path: place.clone(),
            source,
        };
        let entries = fs::read_dir(&place).map_err(io)?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io)?;
        paths.sort();
        for path in paths {
            let kind = fs::symlink_metadata(&path).map_err(|source| ArchiveError::Io {
                path: path.clone(),
                source,
            })?;
            if kind.is_dir() {
                places.push_back(path);
            } else if !kind.is_file() {
                return Err(ArchiveError::NotPlain { path });
            }
        }
        if let Some(history) = history(&place)? {
            found.push(checked(place, history)?);
        }
    }
    Ok(found)
}

/// The list in a state's directory; `None` when there is none.
pub(super) fn history(place: &Path) -> Result<Option<History>, ArchiveError> {
    let path = place.join(HISTORY);
    let damaged = |why: String| ArchiveError::Damaged {
        path: path.clone(),
        why,
    };
    let Some(text) = read(&path, EXPORT_HISTORY_BYTES_MAX)? else {
        return Ok(None);
    };
    let history: History = serde_json::from_slice(&text)
        .map_err(|why| damaged(format!("it is not what `tidelock export` writes: {why}")))?;
    match history.tidelock_export {
        FORM => Ok(Some(history)),
        other => Err(damaged(format!(
            "its form is {other}, and this Tidelock reads form {FORM} only"
        ))),
    }
}

fn checked(place: PathBuf, history: History) -> Result<Found, ArchiveError> {
    let damaged = |why: String| ArchiveError::Damaged {
        path: place.join(HISTORY),
        why,
    };
    let address =
        Address::parse(&history.address).map_err(|why| damaged(format!("its address is no good: {why}")))?;
    let mut before = None;
    for entry in &history.versions {
        let number = entry.version;
        if before.is_some_and(|before| before >= number) {
            return Err(damaged(format!(
                "version {number} is not in its place: the oldest comes first"
            )));
        }
        let is_md5 = |md5: &String| md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit());
        if entry.deleted != entry.md5.is_none() || !entry.md5.iter().all(is_md5) {
            return Err(damaged(format!("version {number} has no MD5 of its bytes")));
        }
        before = Some(number);
    }
    Ok(Found {
        address,
        versions: history.versions,
        place,
    })
}

/// The bytes of a version's file; `None` when there is none.
pub(super) fn bytes(place: &Path, version: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
    read(&place.join(file_name(version)), OBJECT_BYTES_MAX)
}

fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
    let failed = |source| ArchiveError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(ArchiveError::NotPlain {
                path: path.to_owned(),
            });
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(_) => {}
        Err(fault) => return Err(failed(fault)),
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        let why = format!("it is larger than {bytes_max} bytes");
        return Err(ArchiveError::Damaged {
            path: path.to_owned(),
            why,
        });
    }
    Ok(Some(bytes))
}
