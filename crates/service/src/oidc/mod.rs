//! Who an OIDC issuer says somebody is: its tokens are verified by its keys, which come from a file or a URL.
//!
//! No crate for JWTs: those that there are read the clock themselves, and what is left of one without that is the form,
//! which `tidelock_core::jwt` reads, and a call of aws-lc-rs.

mod jwks;
mod sources;

use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, sync::Arc};

use bytes::Bytes;
use tidelock_core::{
    iam::Account,
    jwt::{HandedOn, JwtError, Token},
};

use crate::Service;
pub use jwks::{KeySet, KeySetError};
use sources::Sources;

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyLocation {
    /// A file with a JSON Web Key Set.
    File(PathBuf),
    /// A URL of one, or of the document that tells where it is.
    Url(String),
}

/// Reads what is at a location. Implemented outside, because nothing here reads files or speaks to other servers.
pub trait KeySource: Send + Sync {
    /// The bytes there, [`tidelock_core::limits::OIDC_DOCUMENT_BYTES_MAX`] at most. Redirects are not followed: who
    /// says where the keys of an issuer are is the issuer, not whoever answers for it.
    fn read<'a>(&'a self, location: &'a KeyLocation) -> KeyReading<'a>;
}

/// A document on its way, or why it does not come.
pub type KeyReading<'a> = Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send + 'a>>;

/// An issuer that the server's configuration names. Every account trusts it as if it had made a provider of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its URL, as its tokens have it in `iss`.
    pub url: String,
    /// The audiences that it is trusted for; with none, a provider of the account says them.
    pub audiences: Vec<String>,
    /// Where its keys are, if it does not say so itself.
    pub keys: Option<KeyLocation>,
}

/// Who a token is about, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// `iss`.
    pub issuer: String,
    /// The issuer without its scheme, as it stands in the provider's ARN and before its condition keys.
    pub provider: String,
    /// `sub`.
    pub subject: String,
    /// The audience that was found to be known.
    pub audience: String,
    /// Its claims as condition values, without the provider's name before them.
    pub claims: BTreeMap<String, Vec<String>>,
    /// What it hands on to the session.
    pub handed_on: HandedOn,
}

/// Why a token does not prove who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// What the token itself shows.
    #[error(transparent)]
    Token(#[from] JwtError),
    /// Nobody trusts its issuer here.
    #[error("no OpenID Connect provider for {0}")]
    NoProvider(String),
    /// The issuer has no such key.
    #[error("the issuer has no key that fits the token")]
    UnknownKey,
    /// The signature is not that of the issuer's key.
    #[error("the signature of the token is not the issuer's")]
    Signature,
    /// The issuer's keys cannot be had now.
    #[error("the keys of {issuer} cannot be had: {why}")]
    Unreachable {
        /// The issuer.
        issuer: String,
        /// What happened.
        why: String,
    },
}

/// The issuers of the configuration, and the keys that were fetched.
#[derive(Default)]
pub(crate) struct Oidc {
    configured: Vec<Issuer>,
    sources: Sources,
}

impl Service {
    /// The same, with these issuers, and able to fetch keys.
    #[must_use]
    pub fn with_oidc(mut self, configured: Vec<Issuer>, source: Arc<dyn KeySource>) -> Service {
        self.oidc = Arc::new(Oidc {
            configured,
            sources: Sources::of(source),
        });
        self
    }

    /// Verifies a token for a role of `account`.
    ///
    /// # Errors
    /// [`OidcError`] says what is wrong with it.
    pub async fn web_identity(&self, account: &Account, token: &str) -> Result<WebIdentity, OidcError> {
        let token = Token::parse(token)?;
        let (provider, audiences) = self.oidc.trusted(account, &token.issuer)?;
        token.check_time(self.now())?;
        let audience = token.audience(&audiences)?.to_owned();
        let keys = self.oidc.location(&token.issuer);
        self.oidc.sources.verify(&token, keys, self.now()).await?;
        Ok(WebIdentity {
            audience,
            provider: provider.to_owned(),
            claims: token.condition_values(),
            handed_on: token.handed_on()?,
            subject: token.subject,
            issuer: token.issuer.clone(),
        })
    }
}

impl Oidc {
    /// The name of the issuer's provider, and the audiences for which the account or the configuration trusts it.
    fn trusted<'a>(&self, account: &Account, issuer: &'a str) -> Result<(&'a str, Vec<String>), OidcError> {
        let configured = self.configured(issuer);
        let name = match (issuer.strip_prefix("https://"), configured) {
            (Some(name), _) => name,
            // Only the configuration can trust who does not even encrypt.
            (None, Some(_)) => issuer.strip_prefix("http://").unwrap_or(issuer),
            (None, None) => return Err(OidcError::NoProvider(issuer.to_owned())),
        };
        let made = account.providers.get(name).map(|provider| &provider.client_ids);
        let stated = configured.map(|configured| &configured.audiences);
        let audiences: Vec<String> = made.into_iter().chain(stated).flatten().cloned().collect();
        match audiences.is_empty() {
            true => Err(OidcError::NoProvider(issuer.to_owned())),
            false => Ok((name, audiences)),
        }
    }

    fn location(&self, issuer: &str) -> Option<&KeyLocation> {
        self.configured(issuer)?.keys.as_ref()
    }

    fn configured(&self, issuer: &str) -> Option<&Issuer> {
        self.configured.iter().find(|configured| configured.url == issuer)
    }
}
