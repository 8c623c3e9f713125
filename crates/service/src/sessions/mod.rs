//! Temporary credentials. None is stored: the session token carries what there is to know of the session, sealed in the
//! vault, and its rights are those that its role or user has at the time of each request.
//!
//! A role that was deleted ends its sessions, and one of the same name that is made later does not bring them back.

mod content;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use content::Content;
use tidelock_core::{
    Time,
    iam::{self, Directory, Tags},
    limits::{SESSION_GRACE_MS, SESSION_TOKEN_BYTES_MAX, SESSIONS_REMEMBERED_MAX},
};
use zeroize::Zeroizing;

pub use content::{Actor, Web};

use crate::{
    Error, Service,
    access::{Credential, CredentialError, Found},
};

/// What an access key of a session begins with, where a lasting one's begins with `AKIA`.
const ID_PREFIX: &str = "ASIA";

/// Whether an access key looks like a session's.
pub(crate) fn is_key(access_key_id: &str) -> bool {
    access_key_id.starts_with(ID_PREFIX)
}

/// A session that is to begin. Whether it may is decided already.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The account of the user or role.
    pub account: String,
    /// Who acts in it.
    pub actor: Actor,
    /// How long it lasts, in seconds.
    pub seconds: u32,
    /// The policy that bounds it, as a text that was found to be one.
    pub policy: Option<String>,
    /// The ARNs of managed policies that bound it too.
    pub policies: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// The keys of those that go on to sessions which are begun with this one.
    pub transitive: Vec<String>,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

/// The credentials of a session that has begun. No Debug: there is a secret in it.
pub struct Issued {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret that signs.
    pub secret: Zeroizing<String>,
    /// What has to come with every request.
    pub token: Zeroizing<String>,
    /// When it ends.
    pub expires: Time,
}

/// Sessions that were opened lately, by the hash of key and token, as the directory made them.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Opened>);

#[derive(Default)]
struct Opened {
    directory: Option<Arc<Directory>>,
    credentials: HashMap<[u8; 32], Arc<Credential>>,
}

impl Service {
    /// Begins a session.
    ///
    /// # Errors
    /// When there is no vault to be had.
    pub async fn begin_session(&self, new: NewSession) -> Result<Issued, Error> {
        let now = self.now();
        let id = iam::access_key_id(self.random());
        let access_key_id = format!("{ID_PREFIX}{}", &id[ID_PREFIX.len()..]);
        let secret = self.draw_secret();
        let expires = now.plus_ms(i64::from(new.seconds) * 1_000);
        let content = Content {
            secret: secret.clone(),
            issued: now,
            expires,
            account: new.account,
            actor: new.actor,
            policy: new.policy,
            policies: new.policies,
            tags: new.tags,
            transitive: new.transitive,
            source_identity: new.source_identity,
        };
        let token = self
            .seal_secret(&purpose(&access_key_id), &content.encode())
            .await?;
        Ok(Issued {
            access_key_id,
            secret,
            token: Zeroizing::new(token),
            expires,
        })
    }

    /// The credential of a session's access key and token, with the rights that it has by now. One that has ended is found for
    /// another hour: who holds a lock may finish.
    ///
    /// # Errors
    /// [`CredentialError`] when there is no such session, or none any more.
    pub fn session(&self, access_key_id: &str, token: &str, now: Time) -> Found {
        if token.len() > SESSION_TOKEN_BYTES_MAX {
            return Err(CredentialError::Token);
        }
        let directory = self.directory();
        let hash = hash(access_key_id, token);
        let credential = match self.sessions.remembered(&directory, &hash) {
            Some(credential) => credential,
            None => {
                let credential = Arc::new(self.opened(access_key_id, token)?);
                self.sessions.remember(directory, hash, &credential);
                credential
            }
        };
        let end = credential
            .expires
            .map(|expires| expires.plus_ms(SESSION_GRACE_MS));
        match end.is_some_and(|end| end <= now) {
            true => Err(CredentialError::Expired),
            false => Ok(credential),
        }
    }

    fn opened(&self, access_key_id: &str, token: &str) -> Result<Credential, CredentialError> {
        // Opened at the start, with the directory.
        let vault = self.vault.get().ok_or(CredentialError::Token)?;
        let opened = vault.open(&purpose(access_key_id), token);
        let opened = opened.map_err(|_| CredentialError::Token)?;
        let content = Content::decode(&opened).ok_or(CredentialError::Token)?;
        content.credential(self, access_key_id, token)
    }
}

impl Sessions {
    fn remembered(&self, directory: &Arc<Directory>, hash: &[u8; 32]) -> Option<Arc<Credential>> {
        let opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = opened
            .directory
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, directory));
        is_current
            .then(|| opened.credentials.get(hash).cloned())
            .flatten()
    }

    fn remember(&self, directory: Arc<Directory>, hash: [u8; 32], credential: &Arc<Credential>) {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = opened
            .directory
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, &directory));
        if !is_current || opened.credentials.len() >= SESSIONS_REMEMBERED_MAX {
            opened.credentials.clear();
        }
        opened.directory = Some(directory);
        opened.credentials.insert(hash, Arc::clone(credential));
    }
}

fn purpose(access_key_id: &str) -> String {
    format!("session {access_key_id}")
}

fn hash(access_key_id: &str, token: &str) -> [u8; 32] {
    let mut hashed = digest::Context::new(&digest::SHA256);
    hashed.update(access_key_id.as_bytes());
    hashed.update(b"\n");
    hashed.update(token.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(hashed.finish().as_ref());
    hash
}
