//! Where the keys of issuers come from, and for how long those that were fetched are used.
//!
//! Anybody can send a token, so what it costs to refuse one is bounded: one fetch at a time from an issuer, and a pause
//! after each, whatever keys the tokens name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde::Deserialize;
use tidelock_core::{
    Time,
    jwt::Token,
    limits::{
        OIDC_DOCUMENT_BYTES_MAX, OIDC_FETCH_MS, OIDC_FETCH_PAUSE_MS, OIDC_KEYS_FRESH_MS, OIDC_KEYS_STALE_MS,
    },
};
use tokio::sync::Mutex as Turn;

use super::{KeyLocation, KeyReading, KeySet, KeySource, OidcError};

/// The keys that were fetched, by issuer. There are no more issuers than providers in the directory.
pub(super) struct Sources {
    source: Arc<dyn KeySource>,
    fetched: Mutex<HashMap<String, Arc<Turn<Fetched>>>>,
}

/// What is known of one issuer's keys.
#[derive(Default)]
struct Fetched {
    keys: Option<(Time, KeySet)>,
    tried: Option<(Time, Result<(), String>)>,
}

/// A service that was given no way to fetch anything.
struct Nowhere;

impl KeySource for Nowhere {
    fn read<'a>(&'a self, _location: &'a KeyLocation) -> KeyReading<'a> {
        Box::pin(async { Err("this server fetches no keys".to_owned()) })
    }
}

impl Default for Sources {
    fn default() -> Sources {
        Sources::of(Arc::new(Nowhere))
    }
}

impl Sources {
    pub(super) fn of(source: Arc<dyn KeySource>) -> Sources {
        Sources {
            source,
            fetched: Mutex::default(),
        }
    }

    /// Whether the token is signed by its issuer, whose keys are at `location` or where it says itself.
    pub(super) async fn verify(
        &self,
        token: &Token<'_>,
        location: Option<&KeyLocation>,
        now: Time,
    ) -> Result<(), OidcError> {
        // A file is read each time: it costs less than the signature, and what is changed in it holds at once.
        if let Some(file @ KeyLocation::File(_)) = location {
            let keys = self.key_set(file).await;
            return judge(&keys.map_err(|why| unreachable(token, why))?, token);
        }
        let fetched = {
            let mut all = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(token.issuer.clone()).or_default())
        };
        let mut fetched = fetched.lock().await;
        if fetched.is_due(token, now) {
            let keys = self.fetch(&token.issuer, location).await;
            fetched.take(keys, now);
        }
        let keys = fetched.keys.as_ref();
        match (
            keys.filter(|(at, _)| now.since(*at) < OIDC_KEYS_STALE_MS),
            &fetched.tried,
        ) {
            (Some((_, keys)), _) if keys.has(token) => judge(keys, token),
            (_, Some((_, Err(why)))) => Err(unreachable(token, why.clone())),
            _ => Err(OidcError::UnknownKey),
        }
    }

    async fn fetch(&self, issuer: &str, location: Option<&KeyLocation>) -> Result<KeySet, String> {
        match location {
            Some(location) => self.key_set(location).await,
            None => self.key_set(&self.discover(issuer).await?).await,
        }
    }

    /// Where an issuer says that its keys are.
    /// Source: OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self, issuer: &str) -> Result<KeyLocation, String> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let bytes = self.read(&KeyLocation::Url(url)).await?;
        let document: Document =
            serde_json::from_slice(&bytes).map_err(|_| "its configuration cannot be read".to_owned())?;
        if document.issuer != issuer {
            return Err("its configuration is that of another issuer".to_owned());
        }
        match document.jwks_uri.starts_with("https://") || issuer.starts_with("http://") {
            true => Ok(KeyLocation::Url(document.jwks_uri)),
            false => Err("its configuration has the keys at no https URL".to_owned()),
        }
    }

    async fn key_set(&self, location: &KeyLocation) -> Result<KeySet, String> {
        KeySet::parse(&self.read(location).await?).map_err(|why| why.to_string())
    }

    async fn read(&self, location: &KeyLocation) -> Result<Bytes, String> {
        let reading = self.source.read(location);
        let read = tokio::time::timeout(Duration::from_millis(OIDC_FETCH_MS), reading).await;
        let bytes = read.map_err(|_| "no answer in time".to_owned())??;
        match bytes.len() > OIDC_DOCUMENT_BYTES_MAX {
            true => Err("its document is too large".to_owned()),
            false => Ok(bytes),
        }
    }
}

impl Fetched {
    /// Whether to fetch: the keys are old, or the token's is not among them, and the last try is long enough ago.
    fn is_due(&self, token: &Token<'_>, now: Time) -> bool {
        let rests = self
            .tried
            .as_ref()
            .is_some_and(|(at, _)| now.since(*at) < OIDC_FETCH_PAUSE_MS);
        let is_good = |(at, keys): &(Time, KeySet)| now.since(*at) < OIDC_KEYS_FRESH_MS && keys.has(token);
        !rests && !self.keys.as_ref().is_some_and(is_good)
    }

    fn take(&mut self, keys: Result<KeySet, String>, now: Time) {
        self.tried = Some((now, keys.as_ref().map(|_| ()).map_err(Clone::clone)));
        if let Ok(keys) = keys {
            self.keys = Some((now, keys));
        }
    }
}

fn judge(keys: &KeySet, token: &Token<'_>) -> Result<(), OidcError> {
    if !keys.has(token) {
        return Err(OidcError::UnknownKey);
    }
    match keys.verify(token) {
        true => Ok(()),
        false => Err(OidcError::Signature),
    }
}

fn unreachable(token: &Token<'_>, why: String) -> OidcError {
    OidcError::Unreachable {
        issuer: token.issuer.clone(),
        why,
    }
}
