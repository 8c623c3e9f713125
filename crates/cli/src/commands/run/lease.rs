//! The lease of a run: begun, renewed every third of its course, ended.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::time::{self, Instant};

use crate::admin::{self, Admin, AdminError};

/// Pause after a failed renewal: many tries in a lease, and no burden to a server that is starting.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long the end of a run may take; without it the lease simply runs out.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A run at the server, as long as it is renewed.
pub(super) struct Lease<'a> {
    admin: &'a Admin,
    path: String,
    lasts: Duration,
}

impl<'a> Lease<'a> {
    /// Begins the run `id`.
    pub(super) async fn begin(admin: &'a Admin, id: &str, lasts: Duration) -> Result<Lease<'a>, AdminError> {
        let path = admin::path("runs", id);
        let lease = Lease { admin, path, lasts };
        lease.renew().await?;
        Ok(lease)
    }

    /// Renews for as long as it is polled, and says once what goes wrong and once when it is mended.
    pub(super) async fn keep(&self, mut say: impl FnMut(&str)) {
        let mut until = Instant::now() + self.lasts;
        loop {
            time::sleep(self.lasts / 3).await;
            let mut told = Told::Nothing;
            loop {
                let begun = Instant::now();
                let renewed = time::timeout(self.lasts / 3, self.renew()).await;
                let why = match renewed {
                    Ok(Ok(())) => {
                        until = begun + self.lasts;
                        break;
                    }
                    Ok(Err(why)) => why.to_string(),
                    Err(_) => "the server does not answer".to_owned(),
                };
                told.failure(&why, until.saturating_duration_since(Instant::now()), &mut say);
                time::sleep(RETRY_PAUSE).await;
            }
            told.success(&mut say);
        }
    }

    /// Ends the run, and with it the locks that its command left behind.
    pub(super) async fn end(&self) -> Result<(), String> {
        let asked = async {
            loop {
                match self.admin.send(Method::DELETE, &self.path, None).await {
                    Ok(_) => return Ok(()),
                    Err(AdminError::NoAnswer { .. }) => time::sleep(RETRY_PAUSE).await,
                    Err(why) => return Err(why.to_string()),
                }
            }
        };
        let ended = time::timeout(END_LIMIT, asked).await;
        ended.unwrap_or_else(|_| Err("the server does not answer".to_owned()))
    }

    async fn renew(&self) -> Result<(), AdminError> {
        let lease_ms = u64::try_from(self.lasts.as_millis()).unwrap_or(u64::MAX);
        let body = json!({ "lease_ms": lease_ms });
        let answered = self.admin.send(Method::PUT, &self.path, Some(&body)).await;
        answered.map(drop)
    }
}

/// What the user has been told of renewals that fail.
enum Told {
    Nothing,
    Failing,
    Lost,
}

impl Told {
    fn failure(&mut self, why: &str, left: Duration, say: &mut impl FnMut(&str)) {
        match self {
            Told::Nothing | Told::Failing if left.is_zero() => {
                say(&format!(
                    "the lease has ended, because it could not be renewed: {why}. Somebody else may take the locks of \
                     this run; its writes are refused then, and kept for `tidelock rescue`. The command goes on."
                ));
                *self = Told::Lost;
            }
            Told::Nothing => {
                let left = left.as_secs();
                say(&format!(
                    "cannot renew the lease, which ends in {left} s: {why}; trying on"
                ));
                *self = Told::Failing;
            }
            Told::Failing | Told::Lost => {}
        }
    }

    fn success(&self, say: &mut impl FnMut(&str)) {
        match self {
            Told::Nothing => {}
            Told::Failing => say("the lease is renewed; nothing is lost"),
            Told::Lost => {
                say("the lease runs again; the locks are this run's unless somebody took them meanwhile")
            }
        }
    }
}
