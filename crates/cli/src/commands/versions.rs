//! What the commands about versions share: the state that is meant, its versions, and how they are told.

mod entry;
mod stock;

use std::{cmp::Reverse, io::Write};

use bytes::Bytes;
use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::json;
use tidelock_core::{Time, diff::visible};
use tidelock_service::{self as service, HistoryPage, StatesPage};

pub(super) use entry::{Blame, Entry, Name, Touch, ago, clock, cut, operation, who};
pub(super) use stock::Stock;

use super::locks;
use crate::{
    admin::{self, Admin},
    args::Configuration,
    exit::{Failure, Status},
    shell,
    stock::{Means, means},
    target,
};

/// The name of the version that a reader gets now.
pub(super) const CURRENT: &str = "current";

/// A state with a history.
pub(super) struct Place {
    pub(super) source: Source,
    pub(super) address: String,
    /// What the user has typed to name it, and will have to type again.
    named_by: Vec<String>,
}

/// Who tells the history.
pub(super) enum Source {
    /// A Tidelock server, which knows more than S3 has words for.
    Server(Server),
    /// The versions of any bucket.
    Stock(Box<Stock>),
}

/// A state at a Tidelock server.
pub(super) struct Server {
    pub(super) admin: Admin,
    pub(super) address: String,
}

/// Addresses that a message names where the one that was typed has no history.
const NEIGHBOURS: usize = 5;

impl Place {
    /// The state at the address, or that of the configuration at hand.
    pub(super) fn find(
        address: Option<&str>,
        configuration: Configuration,
        err: &mut dyn Write,
    ) -> Result<Place, Failure> {
        let named_by = named_by(address, &configuration);
        address.map(target::address).transpose()?;
        match means(address, configuration, err)? {
            Means::Server(configuration) => {
                let target = target::find(address, *configuration, err)?;
                let address = target.address.to_string();
                Ok(Place {
                    address: address.clone(),
                    source: Source::Server(Server {
                        admin: target.admin,
                        address,
                    }),
                    named_by,
                })
            }
            Means::Stock(found) => {
                let stock = Stock::of(*found)?;
                Ok(Place {
                    address: stock.address(),
                    source: Source::Stock(Box::new(stock)),
                    named_by,
                })
            }
        }
    }

    /// One version.
    pub(super) fn entry(&self, version: &str) -> Result<Entry, Failure> {
        let entry = match &self.source {
            Source::Server(server) => server.entry(version),
            Source::Stock(stock) => stock.entry(version),
        };
        entry.map_err(|failure: Failure| match failure.status {
            Status::Refused => {
                let list = self.command("history", &[]);
                Failure::new(
                    failure.status,
                    format!("{}; {list} lists what is kept", failure.error),
                )
            }
            _ => failure,
        })
    }

    /// The version that a reader gets now, if there is one.
    pub(super) fn current(&self) -> Result<Option<Entry>, Failure> {
        match self.entry(CURRENT) {
            Ok(entry) => Ok(Some(entry).filter(|entry| !entry.deleted)),
            Err(failure) if failure.status == Status::Refused => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The bytes of a version; of one that deletes, a state of the same lineage with nothing in it.
    pub(super) fn body(&self, entry: &Entry) -> Result<Bytes, Failure> {
        match &self.source {
            _ if entry.deleted => Ok(nothing(entry.lineage.as_deref())),
            Source::Server(server) => server.body(&entry.version),
            Source::Stock(stock) => stock.body(&entry.id),
        }
    }

    /// The time that ages are counted by.
    pub(super) fn now(&self) -> Result<Time, Failure> {
        match &self.source {
            Source::Server(server) => Ok(locks::status(&server.admin, &server.address)?.now_ms),
            Source::Stock(_) => Ok(stock::now()),
        }
    }

    /// A command about this state, to be typed next.
    pub(super) fn command(&self, what: &str, words: &[&str]) -> String {
        let mut line = vec![shell::own_name(), what.to_owned()];
        line.extend(self.named_by.iter().map(|word| shell::quoted(word)));
        line.extend(words.iter().map(|word| shell::quoted(word)));
        visible(&line.join(" "))
    }
}

impl Server {
    /// A page of the history, newest first.
    pub(super) fn page(&self, before: Option<u64>, limit: u64) -> Result<HistoryPage, Failure> {
        let limit = limit.to_string();
        let before = before.map(|before| before.to_string());
        let mut pairs = vec![("limit", limit.as_str())];
        pairs.extend(before.as_deref().map(|before| ("before", before)));
        self.ask("history", &pairs)
    }

    fn entry(&self, version: &str) -> Result<Entry, Failure> {
        let entry: service::Entry = self.ask("version", &[("version", version)])?;
        Ok(entry.into())
    }

    fn body(&self, version: &Name) -> Result<Bytes, Failure> {
        let path = admin::path("body", &self.address);
        let path = admin::with_query(&path, &[("version", &version.to_string())]);
        self.admin.fetch(Method::GET, &path, None)
    }

    /// Addresses in the same bucket that have a history; those that begin most like this one.
    pub(super) fn neighbours(&self) -> Result<Vec<String>, Failure> {
        let bucket = self.address.split_inclusive('/').next().unwrap_or_default();
        let path = admin::with_query("/admin/states", &[("prefix", bucket)]);
        let page: StatesPage = self.admin.ask(Method::GET, &path, None)?;
        let mut found: Vec<_> = page.states.into_iter().map(|state| state.address).collect();
        let alike = |other: &String| {
            let both = other.chars().zip(self.address.chars());
            Reverse(both.take_while(|(one, other)| one == other).count())
        };
        found.sort_by_key(alike);
        found.truncate(NEIGHBOURS);
        Ok(found)
    }

    /// Asks the admin door for something about this state.
    pub(super) fn ask<T: DeserializeOwned>(&self, what: &str, pairs: &[(&str, &str)]) -> Result<T, Failure> {
        let path = admin::with_query(&admin::path(what, &self.address), pairs);
        self.admin.ask(Method::GET, &path, None)
    }
}

fn named_by(address: Option<&str>, configuration: &Configuration) -> Vec<String> {
    let layout = &configuration.layout;
    let flags = [
        ("bucket", &layout.bucket),
        ("key", &layout.key),
        ("table", &layout.table),
        ("endpoint", &layout.endpoint),
        ("region", &layout.region),
    ];
    let flags = flags
        .into_iter()
        .filter_map(|(flag, value)| Some(format!("--{flag}={}", value.as_ref()?)));
    let dir = configuration.chdir.as_ref();
    let dir = dir.map(|dir| format!("--chdir={}", dir.display()));
    let given = configuration.backend_config.iter();
    let given = given.map(|given| format!("--backend-config={given}"));
    let address = address.map(str::to_owned);
    address
        .into_iter()
        .chain(flags)
        .chain(dir)
        .chain(given)
        .chain(configuration.server.again())
        .collect()
}

/// A state with nothing in it.
pub(super) fn nothing(lineage: Option<&str>) -> Bytes {
    let lineage = lineage.unwrap_or_default();
    let empty = json!({ "version": 4, "serial": 0, "lineage": lineage });
    empty.to_string().into()
}

/// The address, where it was typed, and the version behind it.
pub(super) fn with_version(words: Vec<String>) -> Result<(Option<String>, String), Failure> {
    let history = format!("its number in `{} history`, or {CURRENT}", shell::own_name());
    with_one(words, &format!("version: {history}"))
}

/// The same where a resource stands behind it.
pub(super) fn with_resource(words: Vec<String>) -> Result<(Option<String>, String), Failure> {
    with_one(words, "resource: its address as Terraform prints it")
}

fn with_one(mut words: Vec<String>, what: &str) -> Result<(Option<String>, String), Failure> {
    let one = words.pop().unwrap_or_default();
    // The key of a resource may have a slash too, in quotes.
    let is_address = one.split('"').next().is_some_and(|start| start.contains('/'));
    if is_address {
        let message = format!("say which {what}; {} names a state", visible(&one));
        return Err(Failure::new(Status::Usage, message));
    }
    Ok((words.pop(), one))
}
