//! Who may sign with which access key, and with which rights.
//!
//! A credential is what a request is verified against and then judged by. That of a user is made when the directory
//! changes and kept; that of a session is opened out of its token.

use std::{collections::BTreeMap, sync::Arc};

use tidelock_core::{
    Address, Caller, Time,
    iam::Tags,
    policy::{Context, Principal, PrincipalKind, Rights},
};
use zeroize::Zeroizing;

use crate::{Error, Service, sessions};

/// An access key: what it proves, for how long, and what whoever proves it may do. Debug shows no secret.
pub struct Credential {
    /// `AKIA…`, or `ASIA…` for a session's.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret: Zeroizing<String>,
    /// The session token that must come with every request, if it is a session's.
    pub token: Option<Zeroizing<String>>,
    /// From when on it is of no use, save for what a holder of a lock has to finish.
    pub expires: Option<Time>,
    /// As whom its bearer acts.
    pub principal: Principal,
    /// What its bearer may do.
    pub rights: Rights,
    /// What is known of the session, if it is a session's.
    pub session: Option<SessionFacts>,
}

/// What is known of a session, beside who acts in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Whose it is, as callers know it: the same in the session that a client takes when this one ends.
    pub of: String,
    /// When it began.
    pub issued: Time,
    /// The condition keys that each of its requests has.
    pub context: Context,
    /// The tags that go on to sessions which are begun with this one.
    pub transitive: Tags,
    /// Who is behind it, where that was said. It stays the same in sessions that are begun with this one.
    pub source_identity: Option<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({} of {})", self.access_key_id, self.principal.arn)
    }
}

impl Credential {
    /// The operator's: `id` and `secret` as the client has them, acting as the user `arn` of `account`, who may do everything.
    #[must_use]
    pub fn of_operator(id: String, secret: String, arn: String, account: String) -> Credential {
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        Credential {
            principal: Principal {
                account,
                kind: PrincipalKind::User { name },
                user_id: id.clone(),
                arn,
                tags: BTreeMap::new(),
            },
            access_key_id: id,
            secret: Zeroizing::new(secret),
            token: None,
            expires: None,
            rights: Rights::operator(),
            session: None,
        }
    }

    /// Whether it has ended. What has ended too long ago is not found at all.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// Why a request's access key proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is no such key, or it is switched off.
    #[error("the access key is not known")]
    Unknown,
    /// The key is a session's, and the token is not there or is not its.
    #[error("the session token is not that of the access key")]
    Token,
    /// It has ended.
    #[error("the access key has expired")]
    Expired,
}

/// A credential that is good, or why there is none.
pub type Found = Result<Arc<Credential>, CredentialError>;

impl Service {
    /// The credential of an access key, which comes with this session token or with none. One that has ended is still found
    /// for a while: who holds a lock may finish.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn credential(&self, access_key_id: &str, token: Option<&str>, now: Time) -> Found {
        if let (true, Some(token)) = (sessions::is_key(access_key_id), token) {
            return self.session(access_key_id, token, now);
        }
        let credential = self
            .user_credential(access_key_id)
            .ok_or(CredentialError::Unknown)?;
        match token {
            _ if credential.is_expired(now) => Err(CredentialError::Expired),
            Some(_) => Err(CredentialError::Token),
            None => Ok(credential),
        }
    }

    /// Whether the lock of this address is held by this caller.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn holds_lock(&self, address: &Address, caller: &Caller) -> Result<bool, Error> {
        let (record, _) = self.load(address).await?;
        Ok(record.locks.iter().any(|lock| lock.holder == *caller))
    }
}
