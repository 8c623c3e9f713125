//! Access keys as signatures need them: the credential, and the signing keys that were derived of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;
use tidelock_core::Time;
use tidelock_core::limits::{SIGNING_KEYRINGS_MAX, SIGNING_KEYS_MAX};
use tidelock_service::{Credential, CredentialError, Service};
use zeroize::Zeroizing;

use super::error::AuthError;

/// What a signing key is derived for: day, region, service.
type Scope = (String, String, String);

/// The signing keys of one access key, whose secret never changes.
type SigningKeys = Arc<Mutex<HashMap<Scope, Arc<hmac::Key>>>>;

/// One access key. It has no `Debug`, and its secret is wiped when it is dropped.
#[derive(Clone)]
pub struct Key {
    credential: Arc<Credential>,
    signing_keys: SigningKeys,
}

impl Key {
    /// The operator's key: `id` and `secret` as the client has them, acting as the user `principal_arn` of `account`, who
    /// may do everything.
    pub fn of_operator(id: String, secret: String, principal_arn: String, account: String) -> Key {
        Key::from(Credential::of_operator(id, secret, principal_arn, account))
    }

    /// Whom it proves, and with which rights.
    pub fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// The access key id.
    pub fn id(&self) -> &str {
        &self.credential.access_key_id
    }

    /// The signing key of a scope: four HMACs, or a look at those of the signatures verified before.
    pub(crate) fn signing_key(&self, day: &str, region: &str, service: &str) -> Arc<hmac::Key> {
        let scope = (day.to_owned(), region.to_owned(), service.to_owned());
        let known = locked(&self.signing_keys).get(&scope).cloned();
        known.unwrap_or_else(|| Arc::new(derive(&self.credential.secret, day, region, service)))
    }

    /// Keeps a signing key for the next request. Called for verified signatures only, so that nobody
    /// without the secret can push another's keys out.
    pub(crate) fn remember(&self, day: &str, region: &str, service: &str, signing_key: &Arc<hmac::Key>) {
        let scope = (day.to_owned(), region.to_owned(), service.to_owned());
        let mut known = locked(&self.signing_keys);
        if known.contains_key(&scope) {
            return;
        }
        if known.len() >= SIGNING_KEYS_MAX {
            known.clear();
        }
        known.insert(scope, Arc::clone(signing_key));
    }

    /// Whether the token that came with the request is the one that the key demands, and both are in time.
    fn check(&self, token: Option<&str>, now: Time) -> Result<(), CredentialError> {
        match (&self.credential.token, token) {
            (None, None) => {}
            (Some(known), Some(given)) if same_secret(known, given) => {}
            _ => return Err(CredentialError::Token),
        }
        match self.credential.is_expired(now) {
            true => Err(CredentialError::Expired),
            false => Ok(()),
        }
    }
}

impl From<Credential> for Key {
    fn from(credential: Credential) -> Key {
        Key {
            credential: Arc::new(credential),
            signing_keys: SigningKeys::default(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is remembered is right or absent, whatever becomes of who was writing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// All access keys that this server knows: some that it was started with, and those of the directory and of sessions.
#[derive(Default)]
pub struct Keyring {
    fixed: HashMap<String, Key>,
    service: Option<Arc<Service>>,
    /// The signing keys of the access keys that the service has, by their ids.
    signing_keys: Mutex<HashMap<String, SigningKeys>>,
}

impl Keyring {
    /// A keyring of these keys; of two with one id the later one counts.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self {
            fixed: keys.into_iter().map(|key| (key.id().to_owned(), key)).collect(),
            ..Keyring::default()
        }
    }

    /// The same, with all access keys that `service` knows.
    #[must_use]
    pub fn with_directory(mut self, service: Arc<Service>) -> Self {
        self.service = Some(service);
        self
    }

    /// The key of an access key id, which comes with this session token or with none.
    ///
    /// # Errors
    /// When it proves nothing, or nothing any more.
    pub fn get(&self, access_key_id: &str, token: Option<&str>, now: Time) -> Result<Key, AuthError> {
        let found = match (self.fixed.get(access_key_id), &self.service) {
            (Some(key), _) => key.check(token, now).map(|()| key.clone()),
            (None, Some(service)) => service
                .credential(access_key_id, token, now)
                .and_then(|credential| self.still_known(credential))
                .map(|credential| self.with_signing_keys(credential)),
            (None, None) => Err(CredentialError::Unknown),
        };
        found.map_err(|why| {
            let id = access_key_id.to_owned();
            match why {
                CredentialError::Unknown => AuthError::UnknownAccessKey(id),
                CredentialError::Token => AuthError::InvalidToken(id),
                CredentialError::Expired => AuthError::ExpiredToken(id),
            }
        })
    }

    /// A session of the operator's ends with the key that it was begun with, which only the keyring knows.
    fn still_known(&self, credential: Arc<Credential>) -> Result<Arc<Credential>, CredentialError> {
        let began_with = &credential.principal.user_id;
        match credential.rights.operator && !self.fixed.contains_key(began_with) {
            true => Err(CredentialError::Token),
            false => Ok(credential),
        }
    }

    fn with_signing_keys(&self, credential: Arc<Credential>) -> Key {
        let mut all = locked(&self.signing_keys);
        if all.len() >= SIGNING_KEYRINGS_MAX && !all.contains_key(&credential.access_key_id) {
            all.clear();
        }
        let signing_keys = Arc::clone(all.entry(credential.access_key_id.clone()).or_default());
        Key {
            credential,
            signing_keys,
        }
    }

    /// The key of an access key id if `secret` is its secret: for HTTP basic auth. A temporary key is refused,
    /// since basic auth has no place for its session token.
    pub fn check_basic(&self, access_key_id: &str, secret: &str, now: Time) -> Option<Key> {
        let key = self.get(access_key_id, None, now).ok()?;
        same_secret(&key.credential.secret, secret).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidelock_core::policy::Rights;

    use super::*;

    fn key(id: &str, secret: &str) -> Key {
        Key::of_operator(
            id.into(),
            secret.into(),
            "arn:aws:iam::000000000000:user/x".into(),
            "000000000000".into(),
        )
    }

    fn session(id: &str) -> Key {
        let operator = key(id, "s3cret");
        Key::from(Credential {
            access_key_id: id.into(),
            secret: operator.credential.secret.clone(),
            token: Some("token".to_owned().into()),
            expires: Some(Time(10)),
            principal: operator.credential.principal.clone(),
            rights: Rights::operator(),
            session: None,
        })
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
        let ring = Keyring::new([key("AKID", "s3cret"), session("TEMP")]);
        let check = |id, secret| ring.check_basic(id, secret, Time(9));
        assert_eq!(check("AKID", "s3cret").unwrap().id(), "AKID");
        for (id, secret) in [
            ("AKID", "s3cre"),
            ("AKID", ""),
            ("akid", "s3cret"),
            ("TEMP", "s3cret"),
        ] {
            assert!(check(id, secret).is_none(), "{id} {secret}");
        }
    }

    #[test]
    fn session_token_must_be_there_and_equal() {
        let ring = Keyring::new([session("TEMP"), key("AKID", "s")]);
        let get = |id, token| {
            ring.get(id, token, Time(9))
                .map(drop)
                .map_err(|why| why.to_string())
        };
        assert_eq!(get("TEMP", Some("token")), Ok(()));
        assert_eq!(get("AKID", None), Ok(()));
        for (id, token) in [("TEMP", Some("other")), ("TEMP", None), ("AKID", Some("token"))] {
            let wrong = AuthError::InvalidToken(id.to_owned()).to_string();
            assert_eq!(get(id, token), Err(wrong), "{id}");
        }
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
