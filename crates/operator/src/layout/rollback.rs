//! Making an older version current again: under both locks, over exactly the state that was looked at, with the digest.
//!
//! Whatever answer is lost and wherever it ends, doing it again mends it: nothing is deleted, the lock tells that it is ours,
//! and what is written already is recognised by its bytes.

mod plan;

use bytes::Bytes;
use tidelock_core::{StateHeader, diff::Diff};

use super::{Error, Layout, Lock, TakeError, Want};
use crate::{
    archive::md5_of,
    aws::Why,
    s3::{self, Object},
};

/// What a rollback would do.
#[derive(Debug)]
pub struct Plan {
    /// The key of the state.
    pub key: String,
    /// The ID of the version to go back to.
    pub wanted: String,
    /// The state that is there now.
    pub current: Option<Object>,
    /// What would be done.
    pub step: Step,
    /// Versions whose serial is not known, since they cannot be read.
    pub unread: u64,
}

/// What there is to do.
#[derive(Debug)]
pub enum Step {
    /// To write this state, which has the old content and this serial.
    Write {
        /// The state.
        body: Bytes,
        /// Its serial, above that of every version.
        serial: u64,
        /// What will be different from now; `None` where there is no state now, or it cannot be compared.
        diff: Option<Box<Diff>>,
    },
    /// To correct the digest in the table, which is another state's: the state itself has the content already.
    Digest,
    /// Nothing: the state has the content already.
    Nothing,
}

/// What a rollback has come to.
#[derive(Clone, Debug)]
pub struct Done {
    /// The ID of the version that is current now.
    pub version: String,
    /// Its serial.
    pub serial: Option<u64>,
    /// Why the lock was not given back.
    pub still_locked: Option<String>,
}

/// Why there is no rollback. Nothing was changed, where it does not say otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The version is gone.
    #[error("there is no such version any more")]
    Gone,
    /// It has no state in it.
    #[error("that version is no state")]
    NoState,
    /// Its serial cannot be raised.
    #[error(
        "the state is encrypted, and its serial with it: only who has the key can write it anew (`tofu state push -force`)"
    )]
    Sealed,
    /// It is of another history.
    #[error("that version has the lineage {own}, and the state there now {current}: it is another state")]
    OtherLineage {
        /// The version's.
        own: String,
        /// The current state's.
        current: String,
    },
    /// The bucket would not keep what is replaced.
    #[error(
        "the bucket keeps no old versions, so the state that is there now would be lost: turn its versioning on first"
    )]
    NotKept,
    /// Somebody has it locked.
    #[error("the state is locked")]
    Locked(Vec<Lock>),
    /// It is not the state that was looked at.
    #[error("the state has changed since it was looked at; look again")]
    Overtaken,
    /// Whether it was written is not known; the lock stays, so that nobody writes until somebody has looked.
    #[error("it is not known whether the state was written, and it stays locked: {why}")]
    InDoubt {
        /// The ID of the lock.
        lock: String,
        /// What happened.
        why: Error,
    },
    /// The state is written, the digest is not.
    #[error(
        "the state was rolled back, but the table still has the digest of the one before; do it again to correct it: {0}"
    )]
    StaleDigest(Error),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
}

impl From<s3::Error> for RollbackError {
    fn from(error: s3::Error) -> RollbackError {
        RollbackError::Call(error.into())
    }
}

impl Layout {
    /// Carries out a plan: takes the lock in both forms, looks that the state is still the one it was made for, writes it and
    /// its digest, and gives the lock back.
    ///
    /// # Errors
    /// [`RollbackError`].
    pub async fn apply_rollback(&self, plan: &Plan, want: &Want) -> Result<Done, RollbackError> {
        let held = self.take(&plan.key, want).await.map_err(|error| match error {
            TakeError::Locked(locks) => RollbackError::Locked(locks),
            TakeError::Call(error) => RollbackError::Call(error),
        })?;
        let done = self.write(plan, want).await;
        if let Err(RollbackError::InDoubt { .. }) = done {
            return done;
        }
        let done = match done {
            Ok(done) => done,
            failed => return held.release_after(self, failed).await,
        };
        let released = held.release(self).await;
        Ok(Done {
            still_locked: released.err().map(|why| why.to_string()),
            ..done
        })
    }

    async fn write(&self, plan: &Plan, want: &Want) -> Result<Done, RollbackError> {
        let now = self.current(&plan.key).await?;
        if now.as_ref().map(name) != plan.current.as_ref().map(name) {
            return Err(RollbackError::Overtaken);
        }
        let (version, serial, md5) = match &plan.step {
            Step::Write { body, serial, .. } => {
                let version = self.put(plan, body, want).await?;
                (version, Some(*serial), Some(md5_of(body)))
            }
            Step::Digest | Step::Nothing => {
                let current = plan.current.as_ref();
                let header = current.and_then(|current| StateHeader::parse(&current.bytes).ok());
                let version = current.and_then(|current| current.version.clone());
                let md5 = current.map(|current| md5_of(&current.bytes));
                (version, header.map(|header| header.serial), md5)
            }
        };
        let digest = self.put_digest(&plan.key, md5.as_deref()).await;
        digest.map_err(RollbackError::StaleDigest)?;
        Ok(Done {
            version: version.unwrap_or_else(|| "null".to_owned()),
            serial,
            still_locked: None,
        })
    }

    /// Writes the state over the one that was looked at; the ID of the new version.
    async fn put(&self, plan: &Plan, body: &Bytes, want: &Want) -> Result<Option<String>, RollbackError> {
        let plain = self.headers_of_write(plan.current.as_ref());
        let mut headers = plain.clone();
        headers.push(match &plan.current {
            Some(current) => ("if-match", format!("\"{}\"", current.etag)),
            None => ("if-none-match", "*".to_owned()),
        });
        let put = async |headers: &[_]| {
            let put = self.s3.put_object(&self.bucket, &plan.key, body.clone(), headers);
            put.await
        };
        let written = match put(&headers).await {
            // Some stores know no conditional writes. The lock is ours, and the state has just been looked at.
            Err(error) if error.code() == Some("NotImplemented") => put(&plain).await,
            written => written,
        };
        match written {
            Ok(written) => Ok(written.version),
            Err(error) => self.settle(plan, body, want, error).await,
        }
    }

    /// Where the backend says nothing about encryption, the state stays under the key that it is under.
    fn headers_of_write(&self, current: Option<&Object>) -> Vec<(&'static str, String)> {
        let mut headers = self.encryption.headers_of_put();
        headers.push(("content-type", "application/json".to_owned()));
        for name in [
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
        ] {
            let value = current.and_then(|current| current.header(name));
            let value = value.filter(|_| !self.encryption.encrypt);
            headers.extend(value.map(|value| (name, value.to_owned())));
        }
        headers
    }

    /// What became of a write that did not succeed: a try before, whose answer was lost, may have been carried out.
    async fn settle(
        &self,
        plan: &Plan,
        body: &Bytes,
        want: &Want,
        error: s3::Error,
    ) -> Result<Option<String>, RollbackError> {
        let is_overtaken = match &error.why {
            Why::NoAnswer { .. } | Why::Foreign { .. } => false,
            Why::Refused { status, .. } => match status {
                404 | 409 | 412 => true,
                500 | 502.. => false,
                _ => return Err(error.into()),
            },
            Why::Region(_) | Why::Unsigned(_) => return Err(error.into()),
        };
        let in_doubt = |why| RollbackError::InDoubt {
            lock: want.id.clone(),
            why,
        };
        match self.current(&plan.key).await {
            Ok(Some(now)) if now.bytes == *body => Ok(now.version),
            Ok(_) if is_overtaken => Err(RollbackError::Overtaken),
            Ok(_) => Err(in_doubt(error.into())),
            Err(RollbackError::Call(why)) => Err(in_doubt(why)),
            Err(why) => Err(why),
        }
    }

    /// The state that is there now, with its bytes.
    async fn current(&self, key: &str) -> Result<Option<Object>, RollbackError> {
        match self.read(key, None).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What tells a state from another that is written over it.
fn name(object: &Object) -> (String, Option<String>) {
    (object.etag.clone(), object.version.clone())
}
