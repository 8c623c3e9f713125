//! Access keys: who may sign, with which secret, and as whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;
use tidelock_core::Time;
use tidelock_core::limits::SIGNING_KEYS_MAX;
use zeroize::Zeroizing;

/// What makes an access key temporary.
pub struct Session {
    /// The session token that must come with every request.
    token: Zeroizing<String>,
    /// When the key ends.
    expires: Time,
}

impl Session {
    /// A session that `token` proves until `expires`.
    pub fn new(token: String, expires: Time) -> Self {
        Self {
            token: Zeroizing::new(token),
            expires,
        }
    }
}

/// One access key. It has no `Debug`, and its secret is wiped when it is dropped.
pub struct Key {
    id: String,
    secret: Zeroizing<String>,
    session: Option<Session>,
    principal_arn: String,
    account_id: String,
    signing_keys: Mutex<HashMap<Scope, Arc<hmac::Key>>>,
}

/// What a signing key is derived for: day, region, service.
type Scope = (String, String, String);

/// Whether a request's session token is the one its key demands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenCheck {
    Good,
    Wrong,
    Expired,
}

impl Key {
    /// A key without end: `id` and `secret` as the client has them, acting as `principal_arn` in `account_id`.
    pub fn new(id: String, secret: String, principal_arn: String, account_id: String) -> Self {
        Self {
            id,
            secret: Zeroizing::new(secret),
            session: None,
            principal_arn,
            account_id,
            signing_keys: Mutex::default(),
        }
    }

    /// The same key, good only together with the token of `session`.
    pub fn with_session(self, session: Session) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// The access key id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The ARN of the user or role that the key acts as.
    pub fn principal_arn(&self) -> &str {
        &self.principal_arn
    }

    /// The twelve digits of the account.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    pub(crate) fn check_token(&self, token: Option<&str>, now: Time) -> TokenCheck {
        match (&self.session, token) {
            (None, None) => TokenCheck::Good,
            (None, Some(_)) | (Some(_), None) => TokenCheck::Wrong,
            (Some(session), Some(token)) if !same_secret(&session.token, token) => TokenCheck::Wrong,
            (Some(session), Some(_)) if session.expires <= now => TokenCheck::Expired,
            (Some(_), Some(_)) => TokenCheck::Good,
        }
    }

    /// The signing key of a scope: four HMACs, or a look at those of the signatures verified before.
    pub(crate) fn signing_key(&self, day: &str, region: &str, service: &str) -> Arc<hmac::Key> {
        let scope = (day.to_owned(), region.to_owned(), service.to_owned());
        let known = self
            .signing_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&scope)
            .cloned();
        known.unwrap_or_else(|| Arc::new(derive(&self.secret, day, region, service)))
    }

    /// Keeps a signing key for the next request. Called for verified signatures only, so that nobody
    /// without the secret can push another's keys out.
    pub(crate) fn remember(&self, day: &str, region: &str, service: &str, signing_key: &Arc<hmac::Key>) {
        let scope = (day.to_owned(), region.to_owned(), service.to_owned());
        let mut known = self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&scope) {
            return;
        }
        if known.len() >= SIGNING_KEYS_MAX {
            known.clear();
        }
        known.insert(scope, Arc::clone(signing_key));
    }
}

fn derive(secret: &str, day: &str, region: &str, service: &str) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}").into_bytes());
    [day, region, service, "aws4_request"]
        .iter()
        .fold(hmac::Key::new(hmac::HMAC_SHA256, &first), |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        })
}

/// Compares by digest, so that the time taken tells nothing, not even a length.
fn same_secret(known: &str, given: &str) -> bool {
    let [known, given] = [known, given].map(|secret| digest::digest(&digest::SHA256, secret.as_bytes()));
    known.as_ref().ct_eq(given.as_ref()).into()
}

/// All access keys that this server knows.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<String, Arc<Key>>,
}

impl Keyring {
    /// A keyring of these keys; of two with one id the later one counts.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self {
            keys: keys
                .into_iter()
                .map(|key| (key.id.clone(), Arc::new(key)))
                .collect(),
        }
    }

    /// The key of an access key id.
    pub fn get(&self, access_key_id: &str) -> Option<&Arc<Key>> {
        self.keys.get(access_key_id)
    }

    /// The key of an access key id if `secret` is its secret: for HTTP basic auth. A temporary key is refused,
    /// since basic auth has no place for its session token.
    pub fn check_basic(&self, access_key_id: &str, secret: &str) -> Option<&Arc<Key>> {
        let key = self.get(access_key_id)?;
        (same_secret(&key.secret, secret) && key.session.is_none()).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(id: &str, secret: &str) -> Key {
        Key::new(
            id.into(),
            secret.into(),
            "arn:aws:iam::000000000000:user/x".into(),
            "000000000000".into(),
        )
    }

    #[test]
    fn signing_key_is_the_one_of_the_aws_documentation() {
        // "Deriving the signing key", AWS General Reference, Signature Version 4 examples.
        let key = derive(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "20120215",
            "us-east-1",
            "iam",
        );
        let expected = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
        let again = hmac::Key::new(hmac::HMAC_SHA256, &hex::decode(expected).unwrap());
        assert_eq!(hmac::sign(&key, b"x").as_ref(), hmac::sign(&again, b"x").as_ref());
    }

    #[test]
    fn basic_auth_takes_only_the_right_pair_of_a_lasting_key() {
        let end = Time(10);
        let session = key("TEMP", "s3cret").with_session(Session::new("token".into(), end));
        let ring = Keyring::new([key("AKID", "s3cret"), session]);
        assert_eq!(ring.check_basic("AKID", "s3cret").unwrap().id(), "AKID");
        for (id, secret) in [
            ("AKID", "s3cre"),
            ("AKID", ""),
            ("akid", "s3cret"),
            ("TEMP", "s3cret"),
        ] {
            assert!(ring.check_basic(id, secret).is_none(), "{id} {secret}");
        }
    }

    #[test]
    fn session_token_must_be_there_equal_and_in_time() {
        let [before, end] = [Time(9), Time(10)];
        let temporary = key("TEMP", "s").with_session(Session::new("token".into(), end));
        assert_eq!(temporary.check_token(Some("token"), before), TokenCheck::Good);
        assert_eq!(temporary.check_token(Some("token"), end), TokenCheck::Expired);
        assert_eq!(temporary.check_token(Some("other"), end), TokenCheck::Wrong);
        assert_eq!(temporary.check_token(None, before), TokenCheck::Wrong);
        assert_eq!(
            key("AKID", "s").check_token(Some("token"), before),
            TokenCheck::Wrong
        );
    }

    #[test]
    fn remembered_signing_keys_are_bounded() {
        let key = key("AKID", "s");
        for day in 0..1000 {
            let day = day.to_string();
            let signing_key = key.signing_key(&day, "r", "s3");
            key.remember(&day, "r", "s3", &signing_key);
            assert!(Arc::ptr_eq(&signing_key, &key.signing_key(&day, "r", "s3")));
        }
        assert!(key.signing_keys.lock().unwrap().len() <= SIGNING_KEYS_MAX);
    }
}
