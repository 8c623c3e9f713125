//! `tidelock import`: states with all their versions, from a directory or a bucket, into the running server.

mod from_bucket;

use std::{collections::HashSet, io::Write, path::Path};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use tidelock_core::{Address, diff::visible};
use tidelock_operator::archive::{self, Entry, Found};

use self::from_bucket::Source;
use super::transfer::{self, Done, Refused};
use crate::{
    admin::{self, Admin, AdminError},
    args::{self, Elsewhere},
    exit::{Failure, Status},
    progress::Progress,
    stock,
};

/// The server that takes them in, and what has come of it.
struct Import {
    admin: Admin,
    /// The bucket that they go to, where that is not their own.
    into: Option<String>,
    done: Done,
    progress: Progress,
}

/// A version is known by when it was written and what it says.
type Known = HashSet<(i64, Option<String>)>;

/// One state on its way.
struct Journey {
    address: Address,
    known: Known,
    /// The version before, which the next one follows.
    before: Option<Entry>,
}

/// The server's answer.
#[derive(Deserialize)]
struct Answer {
    imported: bool,
}

pub(crate) fn run(arguments: args::Import, out: &mut dyn Write) -> Result<(), Failure> {
    let (from, endpoint, profile) = (arguments.from, arguments.from_endpoint, arguments.from_profile);
    let mut import = Import {
        admin: Admin::of(arguments.server)?,
        into: arguments.into,
        done: Done::default(),
        progress: Progress::start(),
    };
    match from {
        Elsewhere::Directory(root) => stock::wait(import.take_directory(&root))?,
        Elsewhere::Bucket { bucket, prefix } => {
            let flags = "--from-endpoint or --from-profile";
            let client = transfer::client(&import.admin, endpoint, profile, flags)?;
            let source = Source {
                client,
                bucket,
                prefix,
            };
            stock::wait(import.take_bucket(&source))?;
        }
    }
    let Import { done, progress, .. } = import;
    drop(progress);
    match arguments.json {
        true => super::print_json(&done, out)?,
        false => writeln!(out, "Imported: {}", done.told())?,
    }
    done.judged()
}

impl Import {
    async fn take_directory(&mut self, root: &Path) -> Result<(), Failure> {
        let found = archive::find(root)?;
        if found.is_empty() {
            let message = format!(
                "there is no export in {}: no history.json in it or below",
                root.display()
            );
            return Err(Failure::new(Status::Refused, visible(&message)));
        }
        for state in found {
            let mut journey = self.journey(&state.address).await?;
            let taken = self.take_in(&state, &mut journey).await;
            self.settle(&journey, taken)?;
        }
        Ok(())
    }

    async fn take_in(&mut self, state: &Found, journey: &mut Journey) -> Result<(), Failure> {
        let from = self.resume(&state.versions, journey);
        let wanted = &state.versions[from..];
        let bytes = |entry: &Entry| match entry.deleted {
            true => Ok(Bytes::new()),
            false => state.bytes(entry),
        };
        // A damaged history is not taken in by half.
        wanted.iter().try_for_each(|entry| bytes(entry).map(drop))?;
        for entry in wanted {
            self.put(journey, entry, bytes(entry)?).await?;
        }
        Ok(())
    }

    /// What is needed to begin with a state.
    async fn journey(&self, address: &Address) -> Result<Journey, Failure> {
        let address = match &self.into {
            None => address.clone(),
            Some(bucket) => Address::new(bucket, address.key())
                .map_err(|why| Failure::new(Status::Usage, format!("--into {bucket}: {why}")))?,
        };
        let history = transfer::history(&self.admin, &address).await?;
        Ok(Journey {
            known: history.iter().map(place).collect(),
            address,
            before: None,
        })
    }

    /// Where to begin: behind the newest version that the server has. What is older and not there has been ended there.
    fn resume(&mut self, entries: &[Entry], journey: &mut Journey) -> usize {
        let newest = entries
            .iter()
            .rposition(|entry| journey.known.contains(&place(entry)));
        let from = newest.map_or(0, |newest| newest + 1);
        for entry in entries[..from].iter().filter(|entry| !entry.deleted) {
            match journey.known.contains(&place(entry)) {
                true => self.done.there += 1,
                false => self.done.left_out += 1,
            }
        }
        journey.before = newest.map(|newest| entries[newest].clone());
        from
    }

    /// Puts one version behind those that are there.
    async fn put(&mut self, journey: &mut Journey, entry: &Entry, bytes: Bytes) -> Result<(), Failure> {
        let (done, now) = (&self.done, journey.address.to_string());
        self.progress
            .show(|| format!("{}; now {}", done.told(), visible(&now)));
        let (size, path) = (bytes.len() as u64, path(journey, entry));
        let answer = self.admin.send_bytes(Method::PUT, &path, bytes).await?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|why| {
            Failure::new(
                Status::Failed,
                format!("the server's answer cannot be read: {why}"),
            )
        })?;
        if !entry.deleted && answer.imported {
            self.done.copied += 1;
            self.done.bytes += size;
        }
        self.done.there += u64::from(!entry.deleted && !answer.imported);
        journey.before = Some(entry.clone());
        Ok(())
    }

    /// A state that the server will not take is left as it is, and the others go on.
    fn settle(&mut self, journey: &Journey, taken: Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = taken else {
            self.done.states += 1;
            return Ok(());
        };
        match failure.error.downcast_ref::<AdminError>() {
            Some(AdminError::Refused { status, message })
                if [StatusCode::CONFLICT, StatusCode::BAD_REQUEST].contains(status) =>
            {
                self.done.refused.push(Refused {
                    address: journey.address.to_string(),
                    why: message.clone(),
                });
                Ok(())
            }
            Some(AdminError::Refused { status, .. }) if *status == StatusCode::NOT_FOUND => {
                let bucket = journey.address.bucket();
                let message = format!(
                    "the server has no bucket {bucket}; make it, aws s3 mb s3://{bucket}, or name another one: --into BUCKET"
                );
                Err(Failure::new(Status::Refused, message))
            }
            _ => Err(failure),
        }
    }
}

fn place(entry: &Entry) -> (i64, Option<String>) {
    (entry.written_ms, entry.md5.clone())
}

fn path(journey: &Journey, entry: &Entry) -> String {
    let json = |text: Result<String, _>| text.unwrap_or_default();
    let written = entry.written_ms.to_string();
    let number = entry.version.to_string();
    let before = journey.before.as_ref();
    let follows = before.map(|before| before.written_ms.to_string());
    let writer = entry
        .writer
        .as_ref()
        .map(|writer| json(serde_json::to_string(writer)));
    let lock = entry.lock.as_ref().map(|lock| json(serde_json::to_string(lock)));
    let optional = [
        ("md5", entry.md5.as_deref()),
        ("deleted", entry.deleted.then_some("true")),
        ("follows_written_ms", follows.as_deref()),
        ("follows_md5", before.and_then(|before| before.md5.as_deref())),
        ("writer", writer.as_deref()),
        ("lock", lock.as_deref()),
    ];
    let mut pairs = vec![("written_ms", written.as_str()), ("number", &number)];
    pairs.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let path = admin::path("import", &journey.address.to_string());
    admin::with_query(&path, &pairs)
}
