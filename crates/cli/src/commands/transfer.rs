//! What export and import share: the server's states and histories, and the bucket at the other end.

use std::env;

use serde::Serialize;
use tidelock_core::{Address, diff::visible};
use tidelock_operator::{
    archive::{self, ArchiveError},
    aws::{Environment, Settings, SettingsError, Wanted},
    s3::{self, Client},
};
use tidelock_service::{Entry, HistoryPage, StatesPage};

use super::count;
use crate::{
    admin::{self, Admin},
    exit::{Failure, Status},
    progress::bytes,
};

/// What has been done so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Done {
    /// States looked at, without those in `refused`.
    pub(super) states: u64,
    /// Versions that were copied.
    pub(super) copied: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Versions that were there already.
    pub(super) there: u64,
    /// Versions that are older than what is there of their history, which has ended them.
    pub(super) left_out: u64,
    /// States that were left as they are.
    pub(super) refused: Vec<Refused>,
}

/// A state that was left as it is.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) address: String,
    pub(super) why: String,
}

impl Done {
    /// In a sentence without its end.
    pub(super) fn told(&self) -> String {
        let (versions, states) = (count(self.copied, "version"), count(self.states, "state"));
        let mut told = format!("{versions} ({}) of {states}", bytes(self.bytes));
        if self.there > 0 {
            told = format!("{told}; {} there already", count(self.there, "version"));
        }
        if self.left_out > 0 {
            told = format!(
                "{told}; {} are older than what is kept there, and were left out",
                self.left_out
            );
        }
        told
    }

    /// How the command ends: with what was refused, if anything was.
    pub(super) fn judged(self) -> Result<(), Failure> {
        let lines: Vec<String> = self
            .refused
            .into_iter()
            .map(|refused| visible(&refused.why))
            .collect();
        match lines.len() {
            0 => Ok(()),
            1 => Err(Failure::new(Status::Refused, &lines[0])),
            some => {
                let message = format!("{some} states were left as they are:\n{}", lines.join("\n"));
                Err(Failure::new(Status::Refused, message))
            }
        }
    }
}

/// A client of the S3 at the other end. Where nobody has named it, the environment may mean the server itself.
pub(super) fn client(
    admin: &Admin,
    endpoint: Option<String>,
    profile: Option<String>,
    flags: &str,
) -> Result<Client, Failure> {
    let is_named = endpoint.is_some() || profile.is_some();
    let wanted = Wanted {
        endpoint,
        profile,
        ..Wanted::default()
    };
    let settings = Settings::load(Environment::new(env::vars_os()), wanted)?;
    let client = Client::new(settings)?;
    if !is_named && admin.serves(&client.endpoint()) {
        let message = format!(
            "AWS_ENDPOINT_URL names {}, which is the Tidelock server itself; say where the bucket is: {flags}",
            client.endpoint()
        );
        return Err(Failure::new(Status::Usage, message));
    }
    Ok(client)
}

/// The addresses of all states below a prefix that have a history.
pub(super) async fn states(admin: &Admin, prefix: &str) -> Result<Vec<Address>, Failure> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let path = admin::with_query("/admin/states", &[("prefix", prefix), ("after", &after)]);
        let page: StatesPage = admin.get(&path).await?;
        for state in &page.states {
            let address = Address::parse(&state.address);
            found.push(
                address.map_err(|why| Failure::new(Status::Failed, format!("{}: {why}", state.address)))?,
            );
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

/// The versions of an address that are states or deletions of one, oldest first.
pub(super) async fn history(admin: &Admin, address: &Address) -> Result<Vec<archive::Entry>, Failure> {
    let (mut found, mut before) = (Vec::new(), None::<u64>);
    let path = admin::path("history", &address.to_string());
    loop {
        let page: HistoryPage = match before.map(|before| before.to_string()) {
            Some(before) => {
                admin
                    .get(&admin::with_query(&path, &[("before", &before)]))
                    .await?
            }
            None => admin.get(&path).await?,
        };
        let kept = page
            .versions
            .into_iter()
            .filter(|entry| entry.deleted || entry.serial.is_some());
        found.extend(kept.map(exported));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    found.reverse();
    Ok(found)
}

/// What an export keeps of a version: not how it is stored here.
fn exported(entry: Entry) -> archive::Entry {
    archive::Entry {
        version: entry.version,
        id: Some(entry.id.as_str().to_owned()),
        written_ms: entry.written_ms.0,
        deleted: entry.deleted,
        serial: entry.serial,
        lineage: entry.lineage,
        terraform_version: entry.terraform_version,
        size: entry.size,
        md5: entry.md5,
        writer: entry.writer.map(|writer| archive::Writer {
            principal: writer.principal,
            access_key_id: writer.access_key_id,
            source: writer.source,
            run_token: writer.run_token,
        }),
        lock: entry.lock.map(|lock| archive::Lock {
            id: lock.id.as_str().to_owned(),
            operation: lock.operation,
            who: lock.who,
            fence: lock.fence,
        }),
    }
}

impl From<s3::Error> for Failure {
    fn from(error: s3::Error) -> Failure {
        Failure::new(Status::Failed, visible(&error.to_string()))
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Failure {
        Failure::new(Status::Failed, visible(&error.to_string()))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Failure {
        Failure::new(Status::Usage, error)
    }
}
