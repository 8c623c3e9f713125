//! An access key, perhaps of a session, and until when it holds.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials as ForSigner;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::keys::Keys;

/// A session is given up this long before its end, so that no request is signed with a key that dies on its way.
const SPARE: Duration = Duration::from_secs(120);

/// An access key. Its `Debug` does not show the secret.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Zeroizing<String>,
    pub(crate) session_token: Option<Zeroizing<String>>,
    pub(crate) until: Option<SystemTime>,
}

/// The JSON that container agents, the instance's metadata, `credential_process` and SSO answer with; they spell it
/// differently.
#[derive(Deserialize)]
pub(crate) struct Issued {
    #[serde(rename = "AccessKeyId", alias = "accessKeyId")]
    access_key_id: String,
    #[serde(rename = "SecretAccessKey", alias = "secretAccessKey")]
    secret_access_key: Zeroizing<String>,
    #[serde(rename = "Token", alias = "SessionToken", alias = "sessionToken")]
    session_token: Option<Zeroizing<String>>,
    #[serde(rename = "Expiration", alias = "expiration")]
    expiration: Option<Expiration>,
}

/// RFC 3339, or milliseconds since 1970 (SSO).
#[derive(Deserialize)]
#[serde(untagged)]
enum Expiration {
    Text(String),
    Ms(u64),
}

impl Credentials {
    /// A key that lasts.
    pub fn lasting(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Credentials {
        Credentials {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            session_token: None,
            until: None,
        }
    }

    /// The key, with the token of its session.
    pub(crate) fn with_token(self, token: Option<&str>) -> Credentials {
        let session_token = token.map(|token| Zeroizing::new(token.to_owned()));
        Credentials {
            session_token,
            ..self
        }
    }

    /// Until when, as RFC 3339 says it.
    pub(crate) fn until(self, text: &str) -> Credentials {
        let until = text.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
        Credentials { until, ..self }
    }

    /// Whether it can still sign.
    pub(crate) fn holds_at(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now + SPARE < until)
    }

    pub(crate) fn for_signer(&self) -> ForSigner {
        let token = self.session_token.as_ref().map(|token| token.to_string());
        ForSigner::new(
            &self.access_key_id,
            self.secret_access_key.as_str(),
            token,
            None,
            "tidelock",
        )
    }
}

impl From<&Keys> for Credentials {
    fn from(keys: &Keys) -> Credentials {
        let key = Credentials::lasting(&keys.access_key_id, &keys.secret_access_key);
        key.with_token(keys.session_token.as_deref())
    }
}

impl From<Issued> for Credentials {
    fn from(issued: Issued) -> Credentials {
        let until = match issued.expiration {
            Some(Expiration::Text(text)) => text.parse::<jiff::Timestamp>().ok().map(SystemTime::from),
            Some(Expiration::Ms(ms)) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)),
            None => None,
        };
        Credentials {
            access_key_id: issued.access_key_id,
            secret_access_key: issued.secret_access_key,
            session_token: issued.session_token,
            until,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_is_in_no_debug_output() {
        let key = Credentials::lasting("AKIAX", "hush").with_token(Some("hush too"));
        assert!(!format!("{key:?}").contains("hush"), "{key:?}");
    }

    #[test]
    fn every_spelling_of_an_issued_key_is_read() {
        for text in [
            r#"{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-21T00:00:00Z"}"#,
            r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-21T00:00:00Z"}"#,
            r#"{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":1795219200000}"#,
        ] {
            let key: Credentials = serde_json::from_str::<Issued>(text).unwrap().into();
            assert_eq!(
                (key.access_key_id.as_str(), key.secret_access_key.as_str()),
                ("A", "s")
            );
            assert_eq!(key.session_token.as_ref().map(|token| token.as_str()), Some("t"));
            let end = key.until.unwrap();
            assert!(key.holds_at(end - SPARE - Duration::from_secs(1)) && !key.holds_at(end - SPARE));
        }
    }
}
