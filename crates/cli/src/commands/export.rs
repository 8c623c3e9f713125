//! `tidelock export`: states with all their versions, to a directory or to a bucket.

mod to_bucket;

use std::{io::Write, path::Path};

use bytes::Bytes;
use hyper::Method;
use tidelock_core::{Address, diff::visible};
use tidelock_operator::archive::{Entry, State};

use self::to_bucket::Target;
use super::transfer::{self, Done};
use crate::{
    admin::{self, Admin, AdminError},
    args::{self, Elsewhere},
    exit::{Failure, Status},
    progress::Progress,
    stock,
};

/// What is to be exported, and from where.
struct Export {
    admin: Admin,
    prefix: String,
    /// Only the newest version of each state.
    current: bool,
}

pub(crate) fn run(arguments: args::Export, out: &mut dyn Write) -> Result<(), Failure> {
    let (to, endpoint, profile) = (arguments.to, arguments.to_endpoint, arguments.to_profile);
    let export = Export {
        admin: Admin::of(arguments.server)?,
        prefix: arguments.prefix.unwrap_or_default(),
        current: arguments.current,
    };
    let (done, place) = match to {
        Elsewhere::Directory(root) => {
            let place = root.display().to_string();
            (stock::wait(export.to_directory(&root))?, place)
        }
        Elsewhere::Bucket { bucket, prefix } => {
            let client = transfer::client(&export.admin, endpoint, profile, "--to-endpoint or --to-profile")?;
            let place = format!("s3://{bucket}/{prefix}");
            let target = Target {
                client,
                bucket,
                prefix,
            };
            (stock::wait(export.to_bucket(&target))?, place)
        }
    };
    match arguments.json {
        true => super::print_json(&done, out)?,
        false => writeln!(out, "Exported to {}: {}", visible(&place), done.told())?,
    }
    done.judged()
}

impl Export {
    async fn to_directory(&self, root: &Path) -> Result<Done, Failure> {
        let (mut done, mut progress) = (Done::default(), Progress::start());
        for address in self.states().await? {
            let entries = self.history(&address).await?;
            if entries.is_empty() {
                continue;
            }
            let state = State::open(root, &address)?;
            let mut kept = Vec::with_capacity(entries.len());
            for entry in entries {
                progress.show(|| format!("{}; now {}", done.told(), visible(&address.to_string())));
                if state.has(&entry)? {
                    done.there += u64::from(!entry.deleted);
                } else {
                    let Some(bytes) = self.bytes(&address, &entry).await? else {
                        continue;
                    };
                    state.put(&entry, &bytes)?;
                    done.copied += 1;
                    done.bytes += bytes.len() as u64;
                }
                kept.push(entry);
            }
            state.finish(kept)?;
            done.states += 1;
        }
        Ok(done)
    }

    /// What is to be exported; that there is nothing is worth a failure, since a misspelt prefix would look like success.
    async fn states(&self) -> Result<Vec<Address>, Failure> {
        let states = transfer::states(&self.admin, &self.prefix).await?;
        match states.is_empty() {
            true if self.prefix.is_empty() => {
                Err(Failure::new(Status::Refused, "the server has no states yet"))
            }
            true => {
                let message = format!("no state's address begins with {}", visible(&self.prefix));
                Err(Failure::new(Status::Refused, message))
            }
            false => Ok(states),
        }
    }

    async fn history(&self, address: &Address) -> Result<Vec<Entry>, Failure> {
        let mut entries = transfer::history(&self.admin, address).await?;
        if self.current {
            let newest = entries.pop().filter(|entry| !entry.deleted);
            return Ok(newest.into_iter().collect());
        }
        Ok(entries)
    }

    /// The bytes of a version; `None` when retention has ended it since it was listed.
    async fn bytes(&self, address: &Address, entry: &Entry) -> Result<Option<Bytes>, Failure> {
        let path = admin::path("body", &address.to_string());
        let path = admin::with_query(&path, &[("version", &entry.version.to_string())]);
        match self.admin.send(Method::GET, &path, None).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(AdminError::Refused { status, .. }) if status == hyper::StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
