//! The data directory: whose it is, who may read it, and the small files beside the engine's.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tidelock_operator::files;
use zeroize::Zeroizing;

use crate::{
    credentials::Credentials,
    endpoint::Endpoint,
    exit::{Failure, Status},
};

const CREDENTIALS: &str = "credentials";
/// The root key, unless the configuration has it elsewhere.
pub(crate) const ROOT_KEY: &str = "root.key";
const ENDPOINT: &str = "endpoint";
const TLS: &str = "tls";
const DIRECTORY_MODE: u32 = 0o700;
/// What `mkfs` leaves in a fresh volume, which is as good as empty.
const LOST_AND_FOUND: &str = "lost+found";

/// A data directory; its path is absolute.
pub(crate) struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// The directory as it is, for commands that only read it.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory, made if need be and closed to others. Messages for the user are added to `notes`.
    pub(crate) fn prepare(path: PathBuf, notes: &mut Vec<String>) -> Result<Self, Failure> {
        let unusable = |what: String| Failure::new(Status::DataDirectory, what);
        if !path.exists() {
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(&path);
            made.map_err(|fault| {
                unusable(format!(
                    "cannot make the data directory {}: {fault}",
                    path.display()
                ))
            })?;
        }
        let foreign = foreign_entry(&path).map_err(|fault| {
            unusable(format!(
                "cannot read the data directory {}: {fault}",
                path.display()
            ))
        })?;
        if let Some(name) = foreign {
            return Err(unusable(format!(
                "{} is not empty ({name}) and holds no Tidelock data: choose another directory with --data",
                path.display()
            )));
        }
        tighten(&path, DIRECTORY_MODE, notes)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The credentials, `None` before the first start has finished.
    pub(crate) fn credentials(&self) -> Result<Option<Credentials>, Failure> {
        let path = self.path.join(CREDENTIALS);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => Credentials::parse(&text)
                .map(Some)
                .map_err(|why| Failure::new(Status::DataDirectory, format!("{}: {why}", path.display()))),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(Failure::new(
                Status::DataDirectory,
                format!("cannot read {}: {fault}", path.display()),
            )),
        }
    }

    pub(crate) fn write_credentials(&self, credentials: &Credentials) -> Result<(), Failure> {
        self.write(CREDENTIALS, credentials.to_ini().as_bytes())
    }

    /// Closes the secrets to others where they are open, and says so.
    pub(crate) fn tighten_secrets(&self, notes: &mut Vec<String>) -> Result<(), Failure> {
        for (path, mode) in [
            (self.path.join(CREDENTIALS), files::SECRET_MODE),
            (self.tls(), DIRECTORY_MODE),
        ] {
            if path.exists() {
                tighten(&path, mode, notes)?;
            }
        }
        Ok(())
    }

    /// Where the running server answers; `None` when none has said so.
    pub(crate) fn endpoint(&self) -> Result<Option<Endpoint>, Failure> {
        match fs::read_to_string(self.path.join(ENDPOINT)) {
            Ok(text) => Ok(Some(Endpoint::parse(&text))),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    pub(crate) fn write_endpoint(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.write(ENDPOINT, endpoint.to_string().as_bytes())
    }

    pub(crate) fn remove_endpoint(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(ENDPOINT))
    }

    /// Where the server's own authority and certificate are.
    pub(crate) fn tls(&self) -> PathBuf {
        self.path.join(TLS)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        let written = files::replace(&path, bytes, files::SECRET_MODE);
        Ok(written.with_context(|| format!("cannot write {}", path.display()))?)
    }
}

/// An entry of a directory that is neither empty nor ours: its mode is not ours to change, nor is it ours to fill.
fn foreign_entry(path: &Path) -> io::Result<Option<String>> {
    let mut foreign = None;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Prefixes, so that temporary files and the engine's own companions count too.
        if [CREDENTIALS, ROOT_KEY, ENDPOINT, "tidelock"]
            .iter()
            .any(|ours| name.starts_with(ours))
        {
            return Ok(None);
        }
        if name != LOST_AND_FOUND {
            foreign.get_or_insert(name);
        }
    }
    Ok(foreign)
}

fn tighten(path: &Path, mode: u32, notes: &mut Vec<String>) -> Result<(), Failure> {
    if files::bits_for_others(path)? == 0 {
        return Ok(());
    }
    let was = fs::metadata(path)?.permissions().mode() & 0o777;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|fault| {
        let shown = path.display();
        Failure::new(
            Status::DataDirectory,
            format!("{shown} is open to others (mode {was:04o}): {fault}"),
        )
    })?;
    notes.push(format!(
        "{} was open to others (mode {was:04o}); its mode is {mode:04o} now",
        path.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_and_its_secrets_are_for_their_owner_only() {
        let temporary = tempfile::tempdir().unwrap();
        let mut notes = Vec::new();
        let data = DataDir::prepare(temporary.path().join("a/b"), &mut notes).unwrap();
        data.write_credentials(&Credentials::generate()).unwrap();
        assert_eq!(mode(data.path()), 0o700);
        assert_eq!(mode(&data.path().join(CREDENTIALS)), 0o600);
        assert!(notes.is_empty());
    }

    #[test]
    fn a_directory_of_someone_else_is_refused_and_keeps_its_mode() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("thesis.doc"), "").unwrap();
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = DataDir::prepare(temporary.path().to_path_buf(), &mut Vec::new())
            .err()
            .unwrap();
        assert_eq!(refused.status, Status::DataDirectory);
        assert!(refused.error.to_string().contains("thesis.doc"));
        assert_eq!(mode(temporary.path()), 0o755);
    }

    #[test]
    fn a_fresh_volume_counts_as_empty() {
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join(LOST_AND_FOUND)).unwrap();
        assert!(DataDir::prepare(temporary.path().to_path_buf(), &mut Vec::new()).is_ok());
    }

    #[test]
    fn secrets_that_others_can_read_are_tightened_with_a_note() {
        let temporary = tempfile::tempdir().unwrap();
        let (data, mut notes) = (DataDir::at(temporary.path().to_path_buf()), Vec::new());
        data.write_credentials(&Credentials::generate()).unwrap();
        let path = data.path().join(CREDENTIALS);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        data.tighten_secrets(&mut notes).unwrap();
        assert_eq!((mode(&path), notes.len()), (0o600, 1));
        assert!(notes[0].contains("0640"));
    }
}
