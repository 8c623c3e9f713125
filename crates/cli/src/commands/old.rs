//! Locks that are held for long, found and freed: what `locks reap` and `watch` share.

use std::{io::Write, time::Duration};

use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tidelock_operator::layout::Freed;
use tidelock_service::Status as LockStatus;

use super::{held::Held, locks};
use crate::{
    admin::{self, Admin},
    args::Configuration,
    exit::{Failure, Status},
    stock::{Found, Means, means},
    target,
};

/// What a freeze is for, as Terraform is shown it: people end it, and not its age.
const FREEZE: &str = "freeze";

/// Where locks are looked for.
pub(super) enum Source {
    /// On a server, at addresses that begin like this.
    Server { admin: Admin, prefix: String },
    /// In a bucket and a table, at keys that begin like this.
    Stock { found: Box<Found>, prefix: String },
    /// There, at one key.
    State { found: Box<Found>, key: String },
}

/// What a look has found.
#[derive(Default)]
pub(super) struct Seen {
    /// By whose clock ages are counted.
    pub(super) now_ms: i64,
    /// The old ones.
    pub(super) old: Vec<Held>,
    /// How many others there are.
    pub(super) others: usize,
    /// Whether a server has more than it shows.
    pub(super) more: bool,
    /// Which locks may not be read, where there are such.
    pub(super) left_out: Option<Failure>,
}

/// What the door of a server answers.
#[derive(Deserialize)]
struct Listing {
    locks: Vec<LockStatus>,
    more: bool,
}

impl Source {
    /// As the command line says.
    pub(super) fn find(
        prefix: Option<&str>,
        configuration: Configuration,
        err: &mut dyn Write,
    ) -> Result<Source, Failure> {
        let is_one = configuration.layout.key.is_some();
        match means(prefix, configuration, err)? {
            Means::Server(configuration) => Ok(Source::Server {
                admin: match prefix {
                    Some(_) => Admin::of(configuration.server)?,
                    None => target::server(*configuration)?,
                },
                prefix: prefix.unwrap_or_default().to_owned(),
            }),
            Means::Stock(found) => {
                locks::note_table(&found, err)?;
                let key = found.key.clone().unwrap_or_default();
                Ok(match (is_one, prefix) {
                    (true, _) => Source::State { found, key },
                    (false, Some(_)) => Source::Stock { found, prefix: key },
                    (false, None) => Source::Stock {
                        found,
                        prefix: String::new(),
                    },
                })
            }
        }
    }

    /// Whether a server refuses what a former holder still writes.
    pub(super) fn fences(&self) -> bool {
        matches!(self, Source::Server { .. })
    }

    /// The locks that are held for so long.
    pub(super) async fn older(&self, than: Duration) -> Result<Seen, Failure> {
        let mut all: Vec<Held> = Vec::new();
        let (mut now_ms, mut more) = (Timestamp::now().as_millisecond(), false);
        let mut left_out = None;
        match self {
            Source::Server { admin, prefix } => {
                let path = admin::with_query("/admin/locks", &[("prefix", prefix)]);
                let listing: Listing = admin.get(&path).await?;
                more = listing.more;
                now_ms = listing.locks.first().map_or(now_ms, |status| status.now_ms.0);
                all.extend(listing.locks.iter().flat_map(Held::of_server));
            }
            Source::State { found, key } => {
                let held = found.layout.held(key).await?;
                all.extend(held.iter().map(|lock| Held::of_stock(&found.layout.bucket, lock)));
                now_ms = locks::stock::now_ms(found);
            }
            Source::Stock { found, prefix } => {
                let take = |page: &[_]| {
                    all.extend(page.iter().map(|lock| Held::of_stock(&found.layout.bucket, lock)));
                    Ok(())
                };
                left_out = locks::stock::each(found, prefix, take).await?;
                now_ms = locks::stock::now_ms(found);
            }
        }
        all.retain(|held| held.operation != FREEZE);
        let (old, others): (Vec<Held>, Vec<Held>) =
            all.into_iter().partition(|held| held.is_older(now_ms, than));
        Ok(Seen {
            now_ms,
            old,
            others: others.len(),
            more,
            left_out,
        })
    }

    /// Frees a lock, if it is still held under its ID; whether it was.
    pub(super) async fn free(&self, held: &Held) -> Result<bool, Failure> {
        let found = match self {
            Source::Server { admin, .. } => return on_server(admin, held).await,
            Source::Stock { found, .. } | Source::State { found, .. } => found,
        };
        let begin = found.layout.item_name("");
        let key = held.address.strip_prefix(&begin).unwrap_or_default();
        let freed = found.layout.free_id(key, &held.id).await?;
        Ok(freed == Freed::Now)
    }
}

async fn on_server(admin: &Admin, held: &Held) -> Result<bool, Failure> {
    let path = admin::path("unlock", &held.address);
    let body = json!({ "id": held.id });
    match admin
        .send(Method::POST, &path, Some(&body))
        .await
        .map_err(Failure::from)
    {
        Ok(_) => Ok(true),
        Err(failure) if failure.status == Status::Refused => Ok(false),
        Err(failure) => Err(failure),
    }
}
