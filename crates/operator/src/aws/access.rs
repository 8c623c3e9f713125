//! What the clients of one command share: settings, connections, who asks, and what has been learnt of the servers' clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use tidelock_core::limits::{CLIENT_PAUSE_MS, CLIENT_TRIES_MAX};
use tokio::time;

use super::{
    http::{Answer, Fault, Http},
    identity::Identity,
    settings::{Settings, SettingsError},
    sign::Signer,
};

/// A clock that is off by less is no reason for a refusal; AWS allows 15 minutes.
const SKEW_MS: i64 = 60_000;

/// The way to AWS's services, or to what stands for them.
#[derive(Debug)]
pub struct Access {
    pub(crate) settings: Settings,
    http: Http,
    identity: Identity,
    /// Names this command among those with its key: a server that guards its states by caller can tell them apart.
    user_agent: HeaderValue,
    /// What the server's clock is ahead of ours, in milliseconds.
    ahead_ms: AtomicI64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// No key, or nothing that can be signed: no further try would mend it.
    #[error("{0}")]
    Unsigned(String),
    /// The last try's fault.
    #[error(transparent)]
    Fault(Fault),
}

impl Access {
    /// Connects with the first call.
    ///
    /// # Errors
    /// When the certificates to trust cannot be read.
    pub fn new(settings: Settings) -> Result<Arc<Access>, SettingsError> {
        Ok(Arc::new(Access {
            http: Http::new(&settings)?,
            identity: Identity::new(),
            user_agent: user_agent(settings.environment.get("AWS_SDK_UA_APP_ID")),
            ahead_ms: AtomicI64::new(0),
            settings,
        }))
    }

    /// The same under a name that outlasts this process: a later one of this name is taken for it.
    #[must_use]
    pub(crate) fn as_run(&self, name: &str) -> Arc<Access> {
        Arc::new(Access {
            settings: self.settings.clone(),
            http: self.http.clone(),
            identity: Identity::new(),
            user_agent: user_agent(Some(name)),
            ahead_ms: AtomicI64::new(self.ahead_ms()),
        })
    }

    /// AWS's region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.settings.region()
    }

    /// What the server's clock is ahead of this machine's, in milliseconds, as far as a refusal has shown.
    #[must_use]
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Signs and sends until there is an answer that trying again would not change; `code` reads the service's own code out
    /// of a refusal.
    pub(crate) async fn call(
        &self,
        service: &'static str,
        request: &Request<Bytes>,
        bytes_max: u64,
        code: impl Fn(&Answer) -> String,
    ) -> Result<Answer, Unanswered> {
        let mut tries = 1;
        loop {
            let answered = self.try_once(service, request.clone(), bytes_max).await?;
            let again = match &answered {
                Ok(answer) if answer.status.is_success() => false,
                Ok(answer) => self.may_help(answer, &code(answer)),
                Err(fault) => !matches!(fault, Fault::TooLarge(_)),
            };
            if !again || tries == CLIENT_TRIES_MAX {
                return answered.map_err(Unanswered::Fault);
            }
            time::sleep(pause(tries)).await;
            tries += 1;
        }
    }

    async fn try_once(
        &self,
        service: &'static str,
        mut request: Request<Bytes>,
        bytes_max: u64,
    ) -> Result<Result<Answer, Fault>, Unanswered> {
        let key = self.identity.credentials(&self.settings, &self.http).await;
        let key = key.map_err(|why| Unanswered::Unsigned(why.to_string()))?;
        let host = request.uri().authority();
        let host = host.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        request
            .headers_mut()
            .extend(host.map(|host| (header::HOST, host)));
        request
            .headers_mut()
            .insert(header::USER_AGENT, self.user_agent.clone());
        let signer = Signer {
            service,
            region: self.settings.region_of(service).to_owned(),
        };
        signer
            .sign(&mut request, &key, self.ahead_ms())
            .map_err(Unanswered::Unsigned)?;
        Ok(self.http.send(request, bytes_max).await)
    }

    /// Whether to ask again after a refusal.
    fn may_help(&self, answer: &Answer, code: &str) -> bool {
        let overloaded = answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED
            || answer.status == StatusCode::TOO_MANY_REQUESTS;
        let again = overloaded
            || [
                "RequestTimeout",
                "SlowDown",
                "OperationAborted",
                "ThrottlingException",
                "Throttling",
                "ProvisionedThroughputExceededException",
            ]
            .contains(&code);
        // HEAD has no code; a wrong clock is a 403 there like any other.
        let is_skew = answer.status.is_client_error()
            && ["RequestTimeTooSkewed", "403", "InvalidSignatureException"].contains(&code);
        again || (is_skew && self.learn_time(answer))
    }

    /// Takes over the server's time; whether that changes anything.
    fn learn_time(&self, answer: &Answer) -> bool {
        let date = answer
            .headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok());
        let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else {
            return false;
        };
        let ours = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ours = i64::try_from(ours.as_millis()).unwrap_or(i64::MAX);
        let ahead = theirs.timestamp().as_millisecond().saturating_sub(ours);
        let before = self.ahead_ms.swap(ahead, Ordering::Relaxed);
        ahead.abs_diff(before) > SKEW_MS.unsigned_abs()
    }
}

/// `tidelock/VERSION app/ID`: the ID that is given, as the environment does to all clients of a job, else one of this process.
fn user_agent(given: Option<&str>) -> HeaderValue {
    let mut random = [0; 8];
    // The ID keeps nothing secret, so that one which is not random does no harm.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let own = || format!("tidelock-{}", hex::encode(random));
    let id = given.map_or_else(own, str::to_owned);
    let text = format!("tidelock/{} app/{id}", env!("CARGO_PKG_VERSION"));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("tidelock"))
}

/// Twice as long each time, less a part that differs between clients, so that they do not come back together.
fn pause(tries: u32) -> Duration {
    let whole = CLIENT_PAUSE_MS << (tries - 1);
    let nanos = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_nanos();
    Duration::from_millis(whole - u64::from(nanos) % (whole / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_reach_zero() {
        for tries in 1..CLIENT_TRIES_MAX {
            let whole = u128::from(CLIENT_PAUSE_MS << (tries - 1));
            let pause = pause(tries).as_millis();
            assert!(pause > whole / 2 && pause <= whole, "{tries}: {pause}");
        }
    }
}
