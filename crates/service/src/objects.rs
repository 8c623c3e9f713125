//! Writing, finding, reading and deleting objects and their versions.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidelock_core::{
    Address, Body, Caller, Content, StateHeader, Version, VersionId, Versioning,
    decide::{Change, ChangeHead, Claim, Delete, DeleteVersion, Deleted, Precondition, Refused, Write},
    limits::OBJECT_BYTES_MAX,
    object_lock::Protection,
};
use tidelock_engine::{Batch, Expect};

use crate::{
    Bucket, Error, Service,
    bodies::beside,
    rows,
    turn::{TURNS, Turn},
};

/// A body that a caller wants stored.
#[derive(Clone, Debug)]
pub struct NewBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Their MD5.
    pub md5: [u8; 16],
    /// What the writer says about them.
    pub content: Content,
    /// S3's conditions.
    pub precondition: Precondition,
    /// How the writer shows that it holds the lock.
    pub claim: Claim,
    /// Whether it is an older version of the same object.
    pub restores: bool,
}

/// Under what terms a body becomes the current version.
#[derive(Clone)]
pub(crate) struct Terms<'a> {
    pub(crate) precondition: Precondition,
    pub(crate) claim: Claim,
    pub(crate) restores: bool,
    pub(crate) caller: &'a Caller,
}

impl Service {
    /// Makes a body the current version of an object.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::State`], [`Error::TooLarge`], [`Error::LockFile`];
    /// [`Error::NoSuchKey`] for `If-Match` on what does not exist; [`Error::Kms`] when the key that it is to be under cannot be used.
    pub async fn put(&self, address: &Address, new: NewBody, caller: &Caller) -> Result<Version, Error> {
        if new.bytes.len() as u64 > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let md5 = hex::encode(new.md5);
        let mut content = new.content;
        let kms = self
            .seal_under(&self.bucket(address.bucket()).await?, &mut content)
            .await?;
        let (stored, sealed) = self.seal(&new.bytes, kms).await?;
        let body = Body {
            stored,
            size: new.bytes.len() as u64,
            etag: md5.clone(),
            md5,
            state: state_header(&new.bytes).await?,
            content,
            part_sizes: Vec::new(),
            upload: None,
        };
        let terms = Terms {
            precondition: new.precondition,
            claim: new.claim,
            restores: new.restores,
            caller,
        };
        let written = self
            .write(address, body, sealed, terms, &Batch::default())
            .await?;
        self.pins.forget(address, caller);
        Ok(written)
    }

    /// Writes a body whose description is complete, and its blob. `also` is what must happen with it: its checks, deletes and blobs to
    /// drop. When one of the checks no longer holds, this is [`Error::Busy`] at once.
    pub(crate) async fn write(
        &self,
        address: &Address,
        body: Body,
        blob: Bytes,
        terms: Terms<'_>,
        also: &Batch,
    ) -> Result<Version, Error> {
        let mut command = Write {
            body,
            random: half(self.random()),
            versioning: Versioning::Unversioned,
            precondition: terms.precondition,
            caller: terms.caller.clone(),
            claim: terms.claim,
            restores: terms.restores,
            older_null: None,
        };
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let bucket = self.guard_bucket(&mut turn).await?;
            command.versioning = bucket.versioning;
            self.retain_by_default(&bucket, &mut command.body.content.protection);
            command.older_null = self.older_null(&mut turn, command.versioning).await?;
            let written = match turn.decide(&command, self) {
                Ok(written) => written,
                Err(Refused::State {
                    why,
                    kept: Some(kept),
                }) => {
                    let refused = (&kept, &why);
                    self.keep_aside(&mut turn, refused, &command.body, blob.clone(), terms.caller)
                        .await?;
                    if turn.commit(self).await? {
                        return Err(Error::refused(
                            Refused::State {
                                why,
                                kept: Some(kept),
                            },
                            address,
                        ));
                    }
                    continue;
                }
                Err(refused) => return Err(Error::refused(refused, address)),
            };
            turn.written(&written, blob.clone());
            turn.batch.checks.extend_from_slice(&also.checks);
            turn.batch.deletes.extend_from_slice(&also.deletes);
            turn.batch.drop_blobs.extend_from_slice(&also.drop_blobs);
            if turn.commit(self).await? {
                self.packing.wake(&written.version);
                return Ok(written.version);
            }
            for (row, expect) in &also.checks {
                let now = self.engine.get(row).await?;
                if now.map(|now| Expect::At(now.revision)) != Some(*expect) {
                    return Err(Error::Busy(address.to_string()));
                }
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Gives a new version the retention that its bucket gives to all that say nothing else.
    pub(crate) fn retain_by_default(&self, bucket: &Bucket, protection: &mut Protection) {
        let default = bucket.object_lock.and_then(|lock| lock.default);
        if protection.retention.is_none() {
            protection.retention = default.map(|default| default.from(self.now()));
        }
    }

    /// Makes sure that the turn only succeeds while the bucket is there, as it is now.
    pub(crate) async fn guard_bucket(&self, turn: &mut Turn) -> Result<Bucket, Error> {
        let name = turn.address.bucket();
        let (bucket, revision) = self.open_bucket(name).await?;
        turn.batch.checks.push((rows::bucket(name), Expect::At(revision)));
        Ok(bucket)
    }

    /// The older `null` version, where it would have to give way.
    pub(crate) async fn older_null(
        &self,
        turn: &mut Turn,
        versioning: Versioning,
    ) -> Result<Option<Version>, Error> {
        match turn.record.older_null {
            Some(seq) if versioning != Versioning::Enabled => turn.older(self, seq).await,
            _ => Ok(None),
        }
    }

    /// The current version of an object, or the one with this ID, which may be a delete marker.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`] (with the delete marker that hides the object, if one does),
    /// [`Error::NoSuchVersion`], [`Error::LockFile`].
    pub async fn find(&self, address: &Address, version: Option<&VersionId>) -> Result<Version, Error> {
        self.open_bucket(address.bucket()).await?;
        let (record, _) = self.load(address).await?;
        let head = record.head;
        let Some(id) = version else {
            return match head {
                Some(head) if head.body.is_some() => Ok(head),
                marker => Err(Error::NoSuchKey {
                    address: address.clone(),
                    marker: marker.map(Box::new),
                }),
            };
        };
        if let Some(head) = head.filter(|head| head.id == *id) {
            return Ok(head);
        }
        let seq = if id.is_null() { record.older_null } else { id.seq() };
        let found = match seq {
            Some(seq) => self.shown(address, seq, id).await?,
            None => None,
        };
        found.ok_or_else(|| Error::NoSuchVersion {
            address: address.clone(),
            version: id.to_string(),
        })
    }

    /// Makes an object have no current version: removed, or hidden behind a delete marker, as the versioning says.
    /// Succeeds on what does not exist.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::State`], [`Error::LockFile`].
    pub async fn delete(
        &self,
        address: &Address,
        precondition: Precondition,
        caller: &Caller,
    ) -> Result<Deleted, Error> {
        let random = half(self.random());
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let versioning = self.guard_bucket(&mut turn).await?.versioning;
            let older_null = self.older_null(&mut turn, versioning).await?;
            let command = Delete {
                random,
                versioning,
                precondition: precondition.clone(),
                caller: caller.clone(),
                older_null,
            };
            let deleted = turn
                .decide(&command, self)
                .map_err(|refused| Error::refused(refused, address))?;
            turn.apply(&deleted.effects);
            if turn.commit(self).await? {
                self.pins.forget(address, caller);
                return Ok(deleted);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Removes one version for good. Succeeds, with nothing in the answer, when there is none of that ID.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::State`], [`Error::LockFile`], [`Error::Protected`].
    pub async fn delete_version(
        &self,
        address: &Address,
        id: &VersionId,
        caller: &Caller,
    ) -> Result<Deleted, Error> {
        self.remove_version(address, id, caller, false).await
    }

    /// The same, also before the end of a governance retention: the caller has the right, and has said that it means to.
    ///
    /// # Errors
    /// As [`Service::delete_version`]; [`Error::Protected`] by compliance or a legal hold.
    pub async fn delete_governed_version(
        &self,
        address: &Address,
        id: &VersionId,
        caller: &Caller,
    ) -> Result<Deleted, Error> {
        self.remove_version(address, id, caller, true).await
    }

    async fn remove_version(
        &self,
        address: &Address,
        id: &VersionId,
        caller: &Caller,
        bypass: bool,
    ) -> Result<Deleted, Error> {
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let versioning = self.guard_bucket(&mut turn).await?.versioning;
            let (mut older, mut next) = (None, None);
            if turn.record.head.as_ref().is_some_and(|head| head.id == *id) {
                next = self.next_older(&mut turn, versioning).await?;
            } else if let Some(seq) = if id.is_null() {
                turn.record.older_null
            } else {
                id.seq()
            } {
                let found = turn.older(self, seq).await?;
                older = found.filter(|found| found.id == *id && found.hidden.is_none());
            }
            let command = DeleteVersion {
                older,
                id: id.clone(),
                caller: caller.clone(),
                next,
                bypass,
            };
            let deleted = turn
                .decide(&command, self)
                .map_err(|refused| Error::refused(refused, address))?;
            turn.apply(&deleted.effects);
            if turn.commit(self).await? {
                self.pins.forget(address, caller);
                return Ok(deleted);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// The version that becomes current when the current one goes. Without versioning all others are history alone, and there
    /// may be thousands.
    async fn next_older(&self, turn: &mut Turn, versioning: Versioning) -> Result<Option<Version>, Error> {
        let head = turn.record.head.as_ref();
        let Some(head) = head.filter(|_| versioning != Versioning::Unversioned) else {
            return Ok(None);
        };
        let mut shown = self.older_versions(&turn.address, head.seq, 1, false).await?;
        match shown.pop() {
            Some(next) => turn.older(self, next.seq).await,
            None => Ok(None),
        }
    }

    /// An older version, as S3 shows it under its ID.
    async fn shown(&self, address: &Address, seq: u64, id: &VersionId) -> Result<Option<Version>, Error> {
        let found = self.older(address, seq).await?;
        Ok(found.filter(|found| found.id == *id && found.hidden.is_none()))
    }

    /// Replaces the tags of a version.
    ///
    /// # Errors
    /// As [`Service::find`].
    pub async fn set_tags(
        &self,
        address: &Address,
        version: Option<&VersionId>,
        tags: BTreeMap<String, String>,
    ) -> Result<Version, Error> {
        self.change_version(address, version, &Change::Tags(tags)).await
    }

    /// Changes what may change of a version, which is the current one where none is named.
    ///
    /// # Errors
    /// As [`Service::find`]; [`Error::Protected`] for a retention that may not become shorter.
    pub async fn change_version(
        &self,
        address: &Address,
        version: Option<&VersionId>,
        change: &Change,
    ) -> Result<Version, Error> {
        let refused = |refused| Error::refused(refused, address);
        for _ in TURNS {
            let mut found = self.find(address, version).await?;
            let mut turn = self.turn(address).await?;
            if turn.is_head(found.seq) {
                turn.decide(&ChangeHead(change.clone()), self).map_err(refused)?;
            } else {
                // What was current may be gone, or history alone, though its ID is still about.
                let older = turn.older(self, found.seq).await?;
                let Some(older) = older.filter(|older| older.hidden.is_none()) else {
                    continue;
                };
                found = older;
            }
            if let Some(body) = &mut found.body {
                change.make(&mut body.content, self.now()).map_err(refused)?;
            }
            if !turn.is_head(found.seq) {
                let row = rows::version(address, found.seq);
                turn.batch.puts.push((row, rows::encode(&found)));
            }
            if turn.commit(self).await? {
                return Ok(found);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// The MD5 of the current version, in hexadecimal: what Terraform calls the digest of a state.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn head_md5(&self, address: &Address) -> Result<Option<String>, Error> {
        if address.locked_by_file().is_some() {
            return Ok(None);
        }
        let (record, _) = self.load(address).await?;
        Ok(record
            .visible()
            .and_then(|head| head.body.as_ref())
            .map(|body| body.md5.clone()))
    }
}

/// The header of a body, if it is a state. Large bodies are read beside the event loop.
pub(crate) async fn state_header(bytes: &Bytes) -> Result<Option<StateHeader>, Error> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Ok(None);
    }
    let body = bytes.clone();
    beside(bytes.len(), move || StateHeader::parse(&body).ok()).await
}

/// Half of sixteen random bytes.
pub(crate) fn half(random: [u8; 16]) -> u64 {
    (u128::from_be_bytes(random) >> 64) as u64
}
