//! Writing, finding, reading and deleting objects and their versions.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use tidelock_core::{
    Address, BlobId, Body, Caller, Content, StateHeader, Version, VersionId, Versioning,
    decide::{Claim, Delete, DeleteVersion, Deleted, Precondition, Refused, SetTags, Write},
    limits::{OBJECT_BYTES_MAX, PARSE_INLINE_BYTES_MAX},
};
use tidelock_engine::{Batch, EngineError, Expect};

use crate::{
    Error, Service, rows,
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
}

/// Under what terms a body becomes the current version.
#[derive(Clone)]
pub(crate) struct Terms<'a> {
    pub(crate) precondition: Precondition,
    pub(crate) claim: Claim,
    pub(crate) caller: &'a Caller,
}

impl Service {
    /// Makes a body the current version of an object.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::Precondition`], [`Error::State`], [`Error::TooLarge`], [`Error::LockFile`];
    /// [`Error::NoSuchKey`] for `If-Match` on what does not exist.
    pub async fn put(&self, address: &Address, new: NewBody, caller: &Caller) -> Result<Version, Error> {
        let md5 = hex::encode(new.md5);
        let body = Body {
            blob: BlobId(self.random()),
            size: new.bytes.len() as u64,
            etag: md5.clone(),
            md5,
            state: state_header(&new.bytes).await,
            content: new.content,
            part_sizes: Vec::new(),
            upload: None,
        };
        let terms = Terms {
            precondition: new.precondition,
            claim: new.claim,
            caller,
        };
        let written = self
            .write(address, body, new.bytes, terms, &Batch::default())
            .await?;
        self.pins.forget(address, caller);
        Ok(written)
    }

    /// Writes a body whose description is complete. `also` is what must happen with it: its checks, deletes and blobs to
    /// drop. When one of the checks no longer holds, this is [`Error::Busy`] at once.
    pub(crate) async fn write(
        &self,
        address: &Address,
        body: Body,
        bytes: Bytes,
        terms: Terms<'_>,
        also: &Batch,
    ) -> Result<Version, Error> {
        if body.size > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let blob = body.blob.0;
        let mut command = Write {
            body,
            random: half(self.random()),
            versioning: Versioning::Unversioned,
            precondition: terms.precondition,
            caller: terms.caller.clone(),
            claim: terms.claim,
            older_null: None,
        };
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            command.versioning = self.guard_bucket(&mut turn).await?;
            command.older_null = self.older_null(&turn, command.versioning).await?;
            let written = match turn.decide(&command, self) {
                Ok(written) => written,
                Err(Refused::State {
                    why,
                    kept: Some(kept),
                }) => {
                    let refused = (&kept, &why);
                    self.keep_aside(&mut turn, refused, &command.body, bytes.clone(), terms.caller)
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
            turn.apply(&written.effects);
            turn.batch.put_blobs.push((blob, bytes.clone()));
            turn.batch.checks.extend_from_slice(&also.checks);
            turn.batch.deletes.extend_from_slice(&also.deletes);
            turn.batch.drop_blobs.extend_from_slice(&also.drop_blobs);
            if turn.commit(self).await? {
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

    /// Makes sure that the turn only succeeds while the bucket is there, as it is now.
    pub(crate) async fn guard_bucket(&self, turn: &mut Turn) -> Result<Versioning, Error> {
        let name = turn.address.bucket();
        let (bucket, revision) = self.open_bucket(name).await?;
        turn.batch.checks.push((rows::bucket(name), Expect::At(revision)));
        Ok(bucket.versioning)
    }

    /// The older `null` version, where it would have to give way.
    pub(crate) async fn older_null(
        &self,
        turn: &Turn,
        versioning: Versioning,
    ) -> Result<Option<Version>, Error> {
        match turn.record.older_null {
            Some(seq) if versioning != Versioning::Enabled => self.older(&turn.address, seq).await,
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
            Some(seq) => self.older(address, seq).await?.filter(|found| found.id == *id),
            None => None,
        };
        found.ok_or_else(|| Error::NoSuchVersion {
            address: address.clone(),
            version: id.to_string(),
        })
    }

    /// The bytes `range` of a body, which must lie within its size. Ask for pieces: each is held in memory.
    ///
    /// # Errors
    /// [`Error::Engine`], also when the version was deleted since it was found.
    pub async fn read(&self, body: &Body, range: Range<u64>) -> Result<Bytes, Error> {
        let wanted = range.end.min(body.size).saturating_sub(range.start);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self.engine.blob(body.blob.0, range).await?;
        bytes.filter(|bytes| bytes.len() as u64 == wanted).ok_or_else(|| {
            Error::Engine(EngineError::Unavailable(
                "the version was deleted while it was read".to_owned(),
            ))
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
            let versioning = self.guard_bucket(&mut turn).await?;
            let older_null = self.older_null(&turn, versioning).await?;
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
    /// [`Error::NoSuchBucket`], [`Error::State`], [`Error::LockFile`].
    pub async fn delete_version(
        &self,
        address: &Address,
        id: &VersionId,
        caller: &Caller,
    ) -> Result<Deleted, Error> {
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            self.guard_bucket(&mut turn).await?;
            let (mut older, mut next) = (None, None);
            if turn.record.head.as_ref().is_some_and(|head| head.id == *id) {
                next = self.next_older(&turn).await?;
            } else if let Some(seq) = if id.is_null() {
                turn.record.older_null
            } else {
                id.seq()
            } {
                older = self.older(address, seq).await?.filter(|found| found.id == *id);
            }
            let command = DeleteVersion {
                older,
                id: id.clone(),
                caller: caller.clone(),
                next,
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

    async fn next_older(&self, turn: &Turn) -> Result<Option<Version>, Error> {
        let Some(head) = &turn.record.head else {
            return Ok(None);
        };
        let page = self
            .engine
            .scan(rows::versions(&turn.address, head.seq), 1)
            .await?;
        page.first()
            .map(|(row, entry)| rows::decode(row, &entry.value))
            .transpose()
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
        for _ in TURNS {
            let mut found = self.find(address, version).await?;
            let mut turn = self.turn(address).await?;
            let command = SetTags {
                id: found.id.clone(),
                tags: tags.clone(),
            };
            if let Some(body) = &mut found.body {
                body.content.tags.clone_from(&tags);
            }
            if !turn.decide(&command, self) {
                let row = rows::version(address, found.seq);
                let Some(entry) = self.engine.get(&row).await? else {
                    continue;
                };
                turn.batch.checks.push((row.clone(), Expect::At(entry.revision)));
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
pub(crate) async fn state_header(bytes: &Bytes) -> Option<StateHeader> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return None;
    }
    if bytes.len() < PARSE_INLINE_BYTES_MAX {
        return StateHeader::parse(bytes).ok();
    }
    let bytes = bytes.clone();
    tokio::task::spawn_blocking(move || StateHeader::parse(&bytes).ok())
        .await
        .ok()
        .flatten()
}

/// Half of sixteen random bytes.
pub(crate) fn half(random: [u8; 16]) -> u64 {
    (u128::from_be_bytes(random) >> 64) as u64
}
