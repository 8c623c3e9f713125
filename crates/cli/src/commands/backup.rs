//! `tidelock backup`: everything of a running server in one file, checked before it has its name.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Seek, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde_json::json;
use tempfile::NamedTempFile;
use tidelock_core::Time;
use tokio::runtime;
use zeroize::Zeroizing;

use crate::{
    admin::Admin,
    args,
    backup_file::{self, Contents, Keys},
    config,
    exit::{Failure, Status},
    progress::{self, Progress},
    root_key,
    running::Running,
    shell,
    signals::Signals,
    world::Machine,
};

/// What stands for standard output.
const STANDARD: &str = "-";

/// Where the bytes go.
enum Target {
    Standard(io::Stdout),
    /// The file under a name of its own, and the name that it gets.
    File(NamedTempFile, PathBuf),
}

pub(crate) fn run(arguments: args::Backup, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let (json, force, with_keys) = (arguments.json, arguments.force, arguments.with_keys);
    let mut target = Target::open(&arguments.file, force)?;
    let (admin, keys) = match with_keys {
        true => with_keys_of(arguments.server)?,
        false => (Admin::of(arguments.server)?, None),
    };
    if let Some(keys) = &keys {
        target.write(&backup_file::keys_in_front(keys, now()))?;
    }
    receive(&admin, &mut target)?;
    let Some((path, bytes, contents)) = target.finish(force)? else {
        return Ok(note(with_keys, err)?);
    };
    if json {
        return super::print_json(
            &json!({
                "file": path,
                "bytes": bytes,
                "made_ms": contents.manifest.made_ms,
                "root_keys": contents.manifest.root_keys,
                "with_keys": contents.keys.is_some(),
            }),
            out,
        );
    }
    let made = written(contents.manifest.made_ms);
    let (size, shown) = (progress::bytes(bytes), path.display());
    writeln!(
        out,
        "{shown}: {size}, all that was acknowledged before {made}; read back and whole."
    )?;
    note(with_keys, out)?;
    let (own, file) = (shell::own_name(), shell::quoted(&path.to_string_lossy()));
    let root_key = if with_keys { "" } else { " --root-key FILE" };
    writeln!(out, "next: {own} verify --backup {file}{root_key}")?;
    Ok(())
}

fn note(with_keys: bool, out: &mut dyn Write) -> io::Result<()> {
    match with_keys {
        true => writeln!(
            out,
            "The keys are in it: whoever has it can read every state, and sign requests."
        ),
        false => writeln!(
            out,
            "The server's root key is not in it, and without that key nothing in it can be read: keep a copy of it \
             elsewhere.\nIt is `root.key` in the server's data directory, or where `root_key` in its configuration says."
        ),
    }
}

fn now() -> Time {
    tidelock_service::World::now(&Machine)
}

/// A moment as people read it.
pub(super) fn written(time: Time) -> String {
    let time = jiff::Timestamp::from_millisecond(time.0);
    time.map_or_else(|_| "an unknown time".to_owned(), |time| format!("{time:.0}"))
}

/// The server on a directory of this machine, and its keys.
fn with_keys_of(server: args::Server) -> Result<(Admin, Option<Keys>), Failure> {
    let is_named = server.place.data.is_some() || server.place.config.is_some();
    let (path, root_key) = config::data_and_root_key(server.place)?;
    // Before the key is looked for: where no server runs, it is the directory that is wrong.
    let running = Running::find(path).map_err(|failure| match is_named {
        true => failure,
        false => {
            let hint = "or name the directory of the one that is running with --data: --with-keys takes the keys from there";
            Failure::new(failure.status, format!("{}\n\n{hint}", failure.error))
        }
    })?;
    let root_key = root_key.text()?;
    let credentials = Zeroizing::new(running.credentials.to_ini().as_bytes().to_vec());
    let keys = Keys {
        root_key,
        credentials,
    };
    Ok((Admin::at(&running.endpoint, running.credentials)?, Some(keys)))
}

/// Takes the answer as it comes; on SIGINT and SIGTERM nothing is left behind.
fn receive(admin: &Admin, target: &mut Target) -> Result<(), Failure> {
    let waiting = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut progress = Progress::start();
    progress.show(|| "the server makes a copy".to_owned());
    let mut received = 0;
    waiting.block_on(async {
        let mut signals = Signals::listen()?;
        let download = admin.download("/admin/backup", |piece: Bytes, all| {
            received += piece.len() as u64;
            progress.show(|| format!("{} of {}", progress::bytes(received), progress::bytes(all)));
            target.write(&piece)
        });
        tokio::select! {
            done = download => done.map_err(Failure::from),
            _ = signals.next() => Err(Failure::new(Status::Failed, "stopped; nothing was written")),
        }
    })
}

impl Target {
    fn open(path: &Path, force: bool) -> Result<Target, Failure> {
        if path == Path::new(STANDARD) {
            let stdout = io::stdout();
            return match stdout.is_terminal() {
                false => Ok(Target::Standard(stdout)),
                true => Err(Failure::new(
                    Status::Usage,
                    "a backup is not for a terminal: name a file, or pipe it on",
                )),
            };
        }
        if !force && path.exists() {
            return Err(exists(path));
        }
        let name = path.file_name();
        let name =
            name.ok_or_else(|| Failure::new(Status::Usage, format!("{} names no file", path.display())))?;
        let mut prefix = name.to_os_string();
        prefix.push(".partial-");
        // Its own kind of file is for its owner only.
        let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(beside(path));
        let file = file.map_err(|fault| {
            Failure::new(
                Status::Failed,
                format!("cannot write beside {}: {fault}", path.display()),
            )
        })?;
        Ok(Target::File(file, path.to_owned()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Standard(out) => out.write_all(bytes),
            Target::File(file, _) => file.write_all(bytes),
        }
    }

    /// Reads back what is on the disk, and only then gives it its name. Nothing where it went elsewhere.
    fn finish(self, force: bool) -> Result<Option<(PathBuf, u64, Contents)>, Failure> {
        let (mut file, path) = match self {
            Target::Standard(mut out) => {
                out.flush()?;
                return Ok(None);
            }
            Target::File(file, path) => (file, path),
        };
        file.as_file().sync_all()?;
        file.rewind()?;
        let contents = backup_file::read(file.as_file(), &mut io::sink()).map_err(|why| {
            Failure::new(
                Status::Failed,
                format!("what came is no backup, and was not kept: {why}"),
            )
        })?;
        opens(&contents)?;
        let bytes = file.as_file().metadata()?.len();
        let named = match force {
            true => file.persist(&path),
            false => file.persist_noclobber(&path),
        };
        named.map_err(|fault| match fault.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            _ => fault.error.into(),
        })?;
        // Without this the name could be lost with the power.
        File::open(beside(&path))?.sync_all()?;
        Ok(Some((fs::canonicalize(&path)?, bytes, contents)))
    }
}

/// Whether the keys in a backup open all of it: a rotation may have come between the keys and the store.
fn opens(contents: &Contents) -> Result<(), Failure> {
    let Some(keys) = &contents.keys else {
        return Ok(());
    };
    let keys = root_key::parse(&keys.root_key).map_err(|why| Failure::new(Status::Failed, why))?;
    match contents
        .manifest
        .root_keys
        .iter()
        .find(|id| keys.find(id).is_none())
    {
        None => Ok(()),
        Some(id) => Err(Failure::new(
            Status::Failed,
            format!(
                "the root key was rotated meanwhile, and {id} is missing: make the backup again; this one was not kept"
            ),
        )),
    }
}

fn beside(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> Failure {
    let message = format!(
        "{} is there already; choose another name, or add --force",
        path.display()
    );
    Failure::new(Status::Usage, message)
}
