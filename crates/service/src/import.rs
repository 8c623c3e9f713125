//! Taking in states that were written elsewhere, with their times and writers, behind what is here.

use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::{
    Address, Body, Content, Lock, Time, Version, Writer,
    decide::{Fingerprint, Import, NotImported},
    limits::OBJECT_BYTES_MAX,
};

use crate::{
    Error, Service,
    bodies::beside,
    objects::{half, state_header},
    refusal::{described, time},
    turn::{TURNS, Turn},
};

/// A version that was written elsewhere.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The state; `None` when it was deleted.
    pub bytes: Option<Bytes>,
    /// The MD5 that the bytes must have, in hexadecimal digits.
    pub md5: String,
    /// When it was written.
    pub written: Time,
    /// Its number there; 0 for none.
    pub number: u64,
    /// Who wrote it, as far as that is known.
    pub writer: Option<Writer>,
    /// What stands before it in its history, if anything does.
    pub follows: Option<Fingerprint>,
}

/// Why a version was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no state.
    #[error("what is to be imported to {0} is no state: only states have a history")]
    NoState(Address),
    /// The bytes are not those that were sent.
    #[error("what arrived for {address} has the MD5 {found}, not {stated}: send it again")]
    Damaged {
        /// Where.
        address: Address,
        /// As it was stated.
        stated: String,
        /// That of the bytes.
        found: String,
    },
    /// Someone holds the lock.
    #[error(
        "{address} is locked by {}; wait, or if its holder is gone for good: tidelock unlock {address} {}",
        described(held),
        held.id
    )]
    Locked {
        /// Where.
        address: Address,
        /// The lock.
        held: Box<Lock>,
    },
    /// The server knows something newer.
    #[error(
        "{address} has {} here, which is newer than what was written at {}: an older history does not go behind it. \
         Import it to another bucket: tidelock import … --into BUCKET",
        what(newest),
        time(*written)
    )]
    Newer {
        /// Where.
        address: Address,
        /// The newest version here.
        newest: Box<Version>,
        /// When the refused one was written.
        written: Time,
    },
    /// The server knows another history.
    #[error(
        "{address} has {} here, and what was written at {} does not follow it: its lineage is another one or its serial \
         not higher. Import it to another bucket: tidelock import … --into BUCKET",
        what(newest),
        time(*written)
    )]
    Apart {
        /// Where.
        address: Address,
        /// The newest version here.
        newest: Box<Version>,
        /// When the refused one was written.
        written: Time,
    },
    /// It was written in time to come.
    #[error("{address}: it says that it was written at {}, and here it is {} only; one of the clocks is wrong", time(*written), time(*now))]
    Ahead {
        /// Where.
        address: Address,
        /// As it says.
        written: Time,
        /// The time here.
        now: Time,
    },
    /// The use case could not be carried out.
    #[error(transparent)]
    Service(#[from] Error),
}

impl Service {
    /// Puts a version that was written elsewhere behind what is here; `None` when it is here already.
    ///
    /// # Errors
    /// [`ImportError`]; [`Error::NoSuchBucket`] and [`Error::TooLarge`] among them.
    pub async fn import(&self, address: &Address, foreign: Foreign) -> Result<Option<Version>, ImportError> {
        let (body, blob) = match &foreign.bytes {
            Some(bytes) => {
                let (body, blob) = self.foreign_body(address, bytes, &foreign.md5).await?;
                (Some(body), Some(blob))
            }
            None => (None, None),
        };
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let command = self.import_command(&mut turn, &foreign, body.clone()).await?;
            let decided = turn.decide(&command, self);
            let written = decided.map_err(|why| self.not_imported(why, address, foreign.written))?;
            let Some(written) = written else {
                return Ok(None);
            };
            match &blob {
                Some(blob) => turn.written(&written, blob.clone()),
                None => turn.apply(&written.effects),
            }
            if turn.commit(self).await? {
                self.packing.wake(&written.version);
                return Ok(Some(written.version));
            }
        }
        Err(Error::Busy(address.to_string()).into())
    }

    async fn foreign_body(
        &self,
        address: &Address,
        bytes: &Bytes,
        stated: &str,
    ) -> Result<(Body, Bytes), ImportError> {
        if bytes.len() as u64 > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge.into());
        }
        let hashed = bytes.clone();
        let md5 = beside(bytes.len(), move || hex::encode(Md5::digest(&hashed))).await?;
        if md5 != stated {
            return Err(ImportError::Damaged {
                address: address.clone(),
                stated: stated.to_owned(),
                found: md5,
            });
        }
        let state = state_header(bytes).await?;
        let state = state.ok_or_else(|| ImportError::NoState(address.clone()))?;
        let mut content = Content::default();
        content
            .headers
            .insert("content-type".to_owned(), "application/json".to_owned());
        let bucket = self.bucket(address.bucket()).await?;
        let kms = self.seal_under(&bucket, &mut content).await?;
        let (stored, blob) = self.seal(bytes, kms).await?;
        let body = Body {
            stored,
            size: bytes.len() as u64,
            etag: md5.clone(),
            md5,
            state: Some(state),
            content,
            part_sizes: Vec::new(),
            upload: None,
        };
        Ok((body, blob))
    }

    async fn import_command(
        &self,
        turn: &mut Turn,
        foreign: &Foreign,
        mut body: Option<Body>,
    ) -> Result<Import, Error> {
        let bucket = self.guard_bucket(turn).await?;
        let versioning = bucket.versioning;
        if let Some(body) = &mut body {
            self.retain_by_default(&bucket, &mut body.content.protection);
        }
        let last = match turn.record.head {
            Some(_) => None,
            None => {
                let older = self.older_versions(&turn.address, u64::MAX, 1, true).await?;
                older.into_iter().next()
            }
        };
        Ok(Import {
            body,
            written: foreign.written,
            number: foreign.number,
            writer: foreign.writer.clone(),
            follows: foreign.follows.clone(),
            last,
            random: half(self.random()),
            versioning,
            older_null: self.older_null(turn, versioning).await?,
        })
    }

    fn not_imported(&self, why: NotImported, address: &Address, written: Time) -> ImportError {
        let address = address.clone();
        match why {
            NotImported::Locked(held) => ImportError::Locked { address, held },
            NotImported::Newer(newest) => ImportError::Newer {
                address,
                newest,
                written,
            },
            NotImported::Apart(newest) => ImportError::Apart {
                address,
                newest,
                written,
            },
            NotImported::Ahead => ImportError::Ahead {
                address,
                written,
                now: self.now(),
            },
        }
    }
}

/// What the newest version is.
fn what(version: &Version) -> String {
    let at = time(version.written);
    let Some(body) = &version.body else {
        return format!("a deletion of {at}");
    };
    match &body.state {
        Some(state) => format!(
            "serial {} of lineage {}, written at {at}",
            state.serial, state.lineage
        ),
        None => format!("an object that is no state, written at {at}"),
    }
}
