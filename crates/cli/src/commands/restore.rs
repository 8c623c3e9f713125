//! `tidelock restore`: a backup becomes a data directory, whole or not at all.
//!
//! Everything happens in a directory beside the one that is wanted, which gets its name when nothing can go wrong any more.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;
use tidelock_core::{
    archive::{CREDENTIALS, DATABASE, ROOT_KEY},
    limits::ARCHIVE_SMALL_BYTES_MAX,
};
use tidelock_operator::files;
use tidelock_service::RootKeys;
use zeroize::Zeroizing;

use super::{backup, verify};
use crate::{
    args, audit_log,
    backup_file::{self, BackupError, Contents},
    config,
    exit::{Failure, Status},
    progress::{self, Progress},
    root_key::{self, Source},
    shell,
    store::{Store, Verified},
};

const DIRECTORY_MODE: u32 = 0o700;

/// The root keys for a backup, and the text that they stand in.
pub(super) struct FoundKeys {
    pub(super) keys: RootKeys,
    text: Zeroizing<Vec<u8>>,
}

pub(crate) fn run(arguments: args::Restore, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (data, source) = config::data_and_root_key(arguments.place)?;
    // Where the configuration has it elsewhere, it is kept there, and nowhere else.
    let elsewhere = Some(&source).filter(|source| **source != Source::beside(&data));
    let target = Target::find(data)?;
    let staging = target.staging()?;
    let contents = extract(&arguments.file, staging.path())?;
    let found = find_keys(&contents, arguments.root_key.as_deref(), elsewhere)?;
    if found.is_none() && !arguments.no_verify {
        let Failure { status, error } = no_key(&contents);
        let message = format!("{error}; to restore without looking into it, --no-verify");
        return Err(Failure::new(status, message));
    }
    let has_root_key = found.is_some();
    put_keys(
        &contents,
        found.as_ref().filter(|_| elsewhere.is_none()),
        staging.path(),
    )?;
    let store = Store::open(staging.path())?;
    let keys = found.filter(|_| !arguments.no_verify).map(|found| found.keys);
    let verified = store
        .check()
        .and_then(|()| keys.map(|keys| store.verify(keys, "")).transpose());
    store.close();
    let verified = verified?;
    if let Some(verified) = &verified {
        verify::print_damaged(verified, err)?;
    }
    if verified.as_ref().is_some_and(Verified::has_lost) {
        let message = "the backup holds what can no longer be read, and was not restored; --no-verify restores it as it is";
        return Err(Failure::new(Status::Failed, message));
    }
    begin_audit_log(&contents, staging.path())?;
    let path = target.take(staging)?;
    report(
        &path,
        &contents,
        verified.as_ref(),
        has_root_key,
        arguments.json,
        out,
    )
}

/// What was restored has a log of its own, which begins with how it came to be.
fn begin_audit_log(contents: &Contents, data: &Path) -> Result<(), Failure> {
    let made = backup::written(contents.manifest.made_ms);
    let note = format!("from a backup as of {made}; the log of before is where that was made");
    Ok(audit_log::append(data, audit_log::note_of("Restored", note))?)
}

fn report(
    path: &Path,
    contents: &Contents,
    verified: Option<&Verified>,
    has_root_key: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let manifest = &contents.manifest;
    if json {
        return super::print_json(
            &json!({
                "data": path,
                "made_ms": manifest.made_ms,
                "root_keys": manifest.root_keys,
                "has_root_key": has_root_key,
                "verified": verified,
            }),
            out,
        );
    }
    let (made, by) = (backup::written(manifest.made_ms), &manifest.tidelock);
    writeln!(out, "{}: as of {made}, made by Tidelock {by}.", path.display())?;
    match verified {
        Some(verified) => writeln!(out, "{}.", verified.summary())?,
        None => writeln!(out, "The file is whole; what is in it was not decoded.")?,
    }
    if !has_root_key {
        let (key, at) = (current(contents), path.join(ROOT_KEY));
        writeln!(
            out,
            "The root key {key} is missing: put it into {}, mode 0600.",
            at.display()
        )?;
    }
    if contents.keys.is_none() {
        writeln!(
            out,
            "The access key was not in it: the first start makes a new one."
        )?;
    }
    let (own, data) = (shell::own_name(), shell::quoted(&path.to_string_lossy()));
    writeln!(out, "next: {own} serve --data {data}")?;
    Ok(())
}

/// Where the data goes, known to be free.
struct Target {
    path: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Target {
    fn find(path: PathBuf) -> Result<Target, Failure> {
        let unusable = |why: String| Failure::new(Status::DataDirectory, why);
        // What a symbolic link leads to is replaced, not the link.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let shown = path.display();
        if is_mount_point(&path) {
            let inside = path.join("data");
            let why = format!(
                "{shown} is a mount point, and what is restored takes the place of its directory: name one in it, such as --data {}",
                inside.display()
            );
            return Err(unusable(why));
        }
        match fs::read_dir(&path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => {
                let why =
                    format!("{shown} is not empty: move it away, or name another directory with --data");
                return Err(unusable(why));
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(unusable(format!("cannot use {shown}: {fault}"))),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(unusable(format!("{shown} cannot be a data directory")));
        };
        let (parent, name) = (parent.to_owned(), name.to_owned());
        Ok(Target { path, parent, name })
    }

    /// A directory on the same disk, for its owner only; gone when it is not taken.
    fn staging(&self) -> Result<TempDir, Failure> {
        let mut prefix = self.name.clone();
        prefix.push(".restoring-");
        let made = DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&self.parent);
        let made = made.and_then(|()| {
            tempfile::Builder::new()
                .prefix(&prefix)
                .permissions(Permissions::from_mode(DIRECTORY_MODE))
                .tempdir_in(&self.parent)
        });
        made.map_err(|fault| {
            let message = format!("cannot make a directory in {}: {fault}", self.parent.display());
            Failure::new(Status::DataDirectory, message)
        })
    }

    /// Gives the directory its name, on the disk.
    fn take(self, staging: TempDir) -> Result<PathBuf, Failure> {
        for entry in fs::read_dir(staging.path())? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(staging.path())?.sync_all()?;
        // Takes the place of an empty directory, and of nothing else.
        fs::rename(staging.path(), &self.path).map_err(|fault| {
            let message = format!("cannot put the data into {}: {fault}", self.path.display());
            Failure::new(Status::DataDirectory, message)
        })?;
        let _ = staging.keep();
        File::open(&self.parent)?.sync_all()?;
        Ok(self.path)
    }
}

/// Whether another file system begins here.
fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let (own, above) = (device(path), path.parent().and_then(device));
    own.is_some() && above.is_some() && own != above
}

/// Reads a backup; the store is in `dir` afterwards.
pub(super) fn extract(file: &Path, dir: &Path) -> Result<Contents, Failure> {
    let is_standard = file == Path::new("-");
    let shown = match is_standard {
        true => "standard input".to_owned(),
        false => file.display().to_string(),
    };
    let source: Box<dyn Read> = match is_standard {
        true => Box::new(io::stdin().lock()),
        false => Box::new(
            File::open(file)
                .map_err(|fault| Failure::new(Status::Usage, format!("cannot open {shown}: {fault}")))?,
        ),
    };
    let database = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(files::SECRET_MODE)
        .open(dir.join(DATABASE))?;
    let mut sink = Counted::new(BufWriter::new(&database));
    let contents = backup_file::read(source, &mut sink).map_err(|why| {
        let status = match why {
            BackupError::Write(_) => Status::DataDirectory,
            _ => Status::Failed,
        };
        Failure::new(status, format!("{shown}: {why}"))
    })?;
    sink.flush()?;
    drop(sink);
    database.sync_all()?;
    Ok(contents)
}

/// Shows how much has been written.
struct Counted<W> {
    inner: W,
    written: u64,
    progress: Progress,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Counted<W> {
        Counted {
            inner,
            written: 0,
            progress: Progress::start(),
        }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written += written as u64;
        let all = self.written;
        self.progress
            .show(|| format!("{} unpacked", progress::bytes(all)));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The root keys: those of a file that was named, else those in the backup, else those that a server would take from
/// `elsewhere`; none where there is none of these.
pub(super) fn find_keys(
    contents: &Contents,
    given: Option<&Path>,
    elsewhere: Option<&Source>,
) -> Result<Option<FoundKeys>, Failure> {
    let (text, from) = match (given, &contents.keys, elsewhere) {
        (Some(path), ..) => (read_key(path)?, path.display().to_string()),
        (None, Some(keys), _) => (keys.root_key.clone(), "the backup".to_owned()),
        (None, None, Some(source)) => {
            let (keys, text) = (source.load_and_wait()?, Zeroizing::default());
            return fit(contents, FoundKeys { keys, text }, &source.to_string()).map(Some);
        }
        (None, None, None) => return Ok(None),
    };
    let keys = parse_keys(&text, &from)?;
    fit(contents, FoundKeys { keys, text }, &from).map(Some)
}

/// Whether these keys open all of it.
fn fit(contents: &Contents, found: FoundKeys, from: &str) -> Result<FoundKeys, Failure> {
    let mut needed = contents.manifest.root_keys.iter();
    let Some(missing) = needed.find(|id| found.keys.find(id).is_none()) else {
        return Ok(found);
    };
    let current = found.keys.current.id();
    let message = format!("the root key from {from} is {current}, and the backup needs {missing}");
    Err(Failure::new(Status::Usage, message))
}

/// The root key that the server sealed with when the backup was made.
fn current(contents: &Contents) -> &str {
    contents.manifest.root_keys.first().map_or("", String::as_str)
}

pub(super) fn no_key(contents: &Contents) -> Failure {
    let message = format!(
        "the backup needs the root key {}, which is not in it: name its file with --root-key",
        current(contents)
    );
    Failure::new(Status::Usage, message)
}

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut text = Zeroizing::new(Vec::with_capacity(ARCHIVE_SMALL_BYTES_MAX));
    let read =
        File::open(path).and_then(|file| file.take(ARCHIVE_SMALL_BYTES_MAX as u64).read_to_end(&mut text));
    read.map_err(|fault| {
        let message = format!("cannot read the root key {}: {fault}", path.display());
        Failure::new(Status::Usage, message)
    })?;
    Ok(text)
}

fn parse_keys(text: &[u8], from: &str) -> Result<RootKeys, Failure> {
    root_key::parse(text)
        .map_err(|why| Failure::new(Status::Usage, format!("there is no root key in {from}: {why}")))
}

fn put_keys(contents: &Contents, found: Option<&FoundKeys>, dir: &Path) -> io::Result<()> {
    if let Some(found) = found {
        files::replace(&dir.join(ROOT_KEY), &found.text, files::SECRET_MODE)?;
    }
    match &contents.keys {
        Some(keys) => files::replace(&dir.join(CREDENTIALS), &keys.credentials, files::SECRET_MODE),
        None => Ok(()),
    }
}
