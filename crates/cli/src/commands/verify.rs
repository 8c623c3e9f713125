//! `tidelock verify`: whether all that is stored can be read as it was written.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use hyper::Method;
use serde_json::json;
use tidelock_core::diff::visible;
use tidelock_service::{DamagedBody, RootKeys};

use super::{restore, trouble};
use crate::{
    admin::Admin,
    args::{self, Place},
    config,
    exit::{Failure, Status},
    root_key::Source,
    store::{self, DATABASE, Store, Verified},
};

pub(crate) fn run(arguments: args::Verify, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let prefix = &arguments.prefix;
    let verified = match (&arguments.backup, arguments.offline) {
        (Some(file), _) => of_backup(
            file,
            arguments.root_key.as_deref(),
            arguments.server.place,
            prefix,
        ),
        (None, true) => of_directory(arguments.server.place, prefix),
        (None, false) => of_server(&Admin::of(arguments.server)?, prefix),
    }?;
    if verified.checked == 0
        && verified.damaged.is_empty()
        && verified.closed.is_empty()
        && !prefix.is_empty()
    {
        let message = format!("nothing is stored whose address begins with {}", visible(prefix));
        return Err(Failure::new(Status::Refused, message));
    }
    if arguments.json {
        super::print_json(&verified, out)?;
    } else {
        print(&verified, out)?;
    }
    Ok(ExitCode::from(u8::from(!verified.damaged.is_empty())))
}

/// What is damaged, and how many there were in all.
fn print(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    print_damaged(verified, out)?;
    writeln!(out, "{}.", verified.summary())
}

pub(crate) fn print_damaged(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let damaged = verified.damaged.iter().map(|one| ("damaged: ", one));
    let closed = verified.closed.iter().map(|one| ("", one));
    for (word, one) in damaged.chain(closed) {
        let DamagedBody {
            address,
            version,
            what,
            ..
        } = one;
        let version = version.map_or_else(String::new, |version| format!(" version {version}"));
        writeln!(out, "{word}{}{version}: {}", visible(address), visible(what))?;
    }
    Ok(())
}

fn of_server(admin: &Admin, prefix: &str) -> Result<Verified, Failure> {
    store::verify(|after| {
        let wanted = json!({ "prefix": prefix, "after": after });
        admin
            .ask(Method::POST, "/admin/verify", Some(&wanted))
            .map_err(trouble)
    })
}

fn of_directory(place: Place, prefix: &str) -> Result<Verified, Failure> {
    let (path, root_key) = config::data_and_root_key(place)?;
    if !path.join(DATABASE).exists() {
        let message = format!(
            "{} holds no Tidelock data; name the directory with --data",
            path.display()
        );
        return Err(Failure::new(Status::Usage, message));
    }
    looked_into(Store::open(&path)?, root_key.load_and_wait()?, prefix)
}

fn of_backup(file: &Path, root_key: Option<&Path>, place: Place, prefix: &str) -> Result<Verified, Failure> {
    let (_, source) = config::data_and_root_key(place)?;
    let dir = tempfile::tempdir()?;
    let contents = restore::extract(file, dir.path())?;
    // A key beside data that is not here is no key.
    let source = Some(&source).filter(|source| !matches!(source, Source::File(path) if !path.exists()));
    let found = restore::find_keys(&contents, root_key, source)?;
    let found = found.ok_or_else(|| restore::no_key(&contents))?;
    looked_into(Store::open(dir.path())?, found.keys, prefix)
}

fn looked_into(store: Store, keys: RootKeys, prefix: &str) -> Result<Verified, Failure> {
    let verified = store.check().and_then(|()| store.verify(keys, prefix));
    store.close();
    verified
}
