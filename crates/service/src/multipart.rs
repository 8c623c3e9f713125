//! Multipart uploads: parts are kept apart until a completion makes one body of them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Body, Caller, Content, Stored, Time, Version,
    decide::{Claim, Precondition},
    limits::{OBJECT_BYTES_MAX, PART_BYTES_MIN, PART_NUMBER_MAX, SCAN_PAGE_ROWS, UPLOAD_PAGE_MAX},
};
use tidelock_engine::{Batch, Expect, Revision};

use crate::{
    Error, Service,
    bodies::beside,
    objects::{Terms, state_header},
    rows,
    turn::TURNS,
};

/// An upload that was begun and neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Its ID.
    pub id: String,
    /// The object's key.
    pub key: String,
    /// When it was begun.
    pub begun: Time,
    /// Who began it.
    pub caller: Caller,
    /// What the writer says about the body.
    pub content: Content,
}

/// One part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// Its MD5 in hexadecimal, which is also its ETag.
    pub md5: String,
    /// When it was uploaded.
    pub written: Time,
    /// Its checksums, as response headers.
    pub checksums: BTreeMap<String, String>,
    /// The number of the version of the same object that it was copied from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    pub(crate) stored: Stored,
}

/// A part that a caller wants stored.
#[derive(Clone, Debug)]
pub struct NewPart {
    /// Its number, from 1.
    pub number: u32,
    /// The bytes.
    pub bytes: Bytes,
    /// Their MD5.
    pub md5: [u8; 16],
    /// Their checksums, as response headers.
    pub checksums: BTreeMap<String, String>,
    /// The number of the version of the same object that it is copied from, if it is.
    pub of: Option<u64>,
}

/// One page of uploads.
#[derive(Clone, Debug, Default)]
pub struct UploadPage {
    /// The uploads, by key and then by age.
    pub uploads: Vec<Upload>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What a door computes from the assembled body and its parts: further response headers, or why it is refused.
pub type Seal<'a> = &'a (dyn Fn(&[u8], &[Part]) -> Result<BTreeMap<String, String>, String> + Send + Sync);

impl Service {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::LockFile`]; [`Error::Kms`] when the key that it is to be under cannot be used.
    pub async fn create_upload(
        &self,
        address: &Address,
        mut content: Content,
        caller: &Caller,
    ) -> Result<Upload, Error> {
        if address.locked_by_file().is_some() {
            return Err(Error::LockFile(address.clone()));
        }
        // From here on the upload says itself under which key its parts and its body are.
        self.seal_under(&self.bucket(address.bucket()).await?, &mut content)
            .await?;
        let begun = self.now();
        // The time in front makes the IDs of one key sort by age, as S3 lists them.
        let id = format!("{:016x}{}", begun.0, hex::encode(self.random()));
        let upload = Upload {
            id,
            key: address.key().to_owned(),
            begun,
            caller: caller.clone(),
            content,
        };
        for _ in TURNS {
            let (_, revision) = self.open_bucket(address.bucket()).await?;
            let batch = Batch {
                checks: vec![(rows::bucket(address.bucket()), Expect::At(revision))],
                puts: vec![(rows::upload(address, &upload.id), rows::encode(&upload))],
                ..Batch::default()
            };
            if self.commit(batch).await? {
                return Ok(upload);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// An upload by its ID.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    pub async fn upload(&self, address: &Address, id: &str) -> Result<Upload, Error> {
        Ok(self.open_upload(address, id).await?.0)
    }

    async fn open_upload(&self, address: &Address, id: &str) -> Result<(Upload, Revision), Error> {
        let row = rows::upload(address, id);
        let entry = self
            .engine
            .get(&row)
            .await?
            .ok_or_else(|| Error::NoSuchUpload(id.to_owned()))?;
        Ok((rows::decode(&row, &entry.value)?, entry.revision))
    }

    /// Stores a part, in place of an earlier one of the same number.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], [`Error::InvalidPart`] for a number out of range, [`Error::TooLarge`].
    pub async fn put_part(&self, address: &Address, upload: &str, new: NewPart) -> Result<Part, Error> {
        let NewPart { number, bytes, .. } = new;
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            return Err(Error::InvalidPart(number));
        }
        if bytes.len() as u64 > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let kms = self.upload_key(&self.upload(address, upload).await?).await?;
        let (stored, sealed) = self.seal(&bytes, kms).await?;
        let part = Part {
            number,
            size: bytes.len() as u64,
            md5: hex::encode(new.md5),
            written: self.now(),
            checksums: new.checksums,
            of: new.of,
            stored,
        };
        let row = rows::part(upload, number);
        for _ in TURNS {
            let (open, revision) = self.open_upload(address, upload).await?;
            let former = self.engine.get(&row).await?;
            let former_part: Option<Part> = former
                .as_ref()
                .map(|entry| rows::decode(&row, &entry.value))
                .transpose()?;
            let batch = Batch {
                checks: vec![
                    (rows::upload(address, upload), Expect::At(revision)),
                    (
                        row.clone(),
                        former.map_or(Expect::Absent, |entry| Expect::At(entry.revision)),
                    ),
                ],
                // Writing the upload's row again moves its revision, so that a completion or an abort which has not
                // seen this part conflicts with it.
                puts: vec![
                    (row.clone(), rows::encode(&part)),
                    (rows::upload(address, upload), rows::encode(&open)),
                ],
                put_blobs: vec![(part.stored.blob.0, sealed.clone())],
                drop_blobs: former_part.into_iter().map(|part| part.stored.blob.0).collect(),
                ..Batch::default()
            };
            if self.commit(batch).await? {
                return Ok(part);
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Up to `limit` parts of an upload whose number is above `after`, by number.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    pub async fn parts(
        &self,
        address: &Address,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Part>, Error> {
        self.open_upload(address, upload).await?;
        self.scan_parts(upload, after, limit).await
    }

    async fn scan_parts(&self, upload: &str, after: u32, limit: usize) -> Result<Vec<Part>, Error> {
        let page = self.engine.scan(rows::parts_above(upload, after), limit).await?;
        page.iter()
            .map(|(row, entry)| rows::decode(row, &entry.value))
            .collect()
    }

    /// Up to `limit` uploads of a bucket that come after `after` (a key, and an upload of that key).
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<(&str, Option<&str>)>,
        limit: usize,
    ) -> Result<UploadPage, Error> {
        self.open_bucket(bucket).await?;
        let limit = limit.min(UPLOAD_PAGE_MAX);
        let mut range = rows::uploads(bucket, prefix);
        let of_key = |key: &str| [rows::uploads(bucket, key).start.as_slice(), &[0]].concat();
        match after {
            Some((key, Some(upload))) => {
                range.start = range
                    .start
                    .max([of_key(key).as_slice(), upload.as_bytes(), &[0]].concat());
            }
            Some((key, None)) => range.start = range.start.max(rows::after_prefix(&of_key(key))),
            None => {}
        }
        let rows = self.engine.scan(range, limit + 1).await?;
        let truncated = rows.len() > limit;
        let uploads: Result<_, Error> = rows
            .iter()
            .take(limit)
            .map(|(row, entry)| rows::decode(row, &entry.value))
            .collect();
        Ok(UploadPage {
            uploads: uploads?,
            truncated,
        })
    }

    /// Makes one body of the named parts. Repeating a completion that succeeded answers the same again, because the
    /// first answer may have been lost.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], [`Error::InvalidPart`], [`Error::InvalidPartOrder`], [`Error::PartTooSmall`],
    /// [`Error::TooLarge`], [`Error::BadDigest`] with the words of `seal`, and those of [`Service::put`].
    pub async fn complete_upload(
        &self,
        address: &Address,
        upload: &str,
        named: &[(u32, String)],
        precondition: Precondition,
        seal: Seal<'_>,
        caller: &Caller,
    ) -> Result<Version, Error> {
        let row = rows::upload(address, upload);
        let terms = Terms {
            precondition,
            claim: Claim::Caller,
            restores: false,
            caller,
        };
        for _ in TURNS {
            let (open, revision) = match self.open_upload(address, upload).await {
                Ok(open) => open,
                Err(Error::NoSuchUpload(_)) => return self.completed_before(address, upload).await,
                Err(other) => return Err(other),
            };
            let done = self
                .complete_open(address, open, revision, named, seal, terms.clone())
                .await;
            if done.is_ok() {
                self.pins.forget(address, caller);
                return done;
            }
            // Another part, an abort or the same completion came in between: what went wrong may be only that.
            let now = self.engine.get(&row).await?;
            if now.is_some_and(|now| now.revision == revision) {
                return done;
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Completes an upload, unless it has changed since `revision`.
    async fn complete_open(
        &self,
        address: &Address,
        open: Upload,
        revision: Revision,
        named: &[(u32, String)],
        seal: Seal<'_>,
        mut terms: Terms<'_>,
    ) -> Result<Version, Error> {
        let all = self.all_parts(&open.id).await?;
        let parts = choose(&all, named)?;
        let size: u64 = parts.iter().map(|part| part.size).sum();
        if size > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let size = usize::try_from(size).map_err(|_| Error::TooLarge)?;
        let _room = self.store_room(size).await?;
        let bytes = self.assemble(address, &parts, size).await?;
        let mut content = open.content.clone();
        content
            .headers
            .extend(seal(&bytes, &parts).map_err(Error::BadDigest)?);
        let kms = self.upload_key(&open).await?;
        let (stored, sealed) = self.seal(&bytes, kms).await?;
        let body = Body {
            stored,
            size: bytes.len() as u64,
            md5: md5_of(&bytes).await?,
            etag: etag_of(&parts),
            state: state_header(&bytes).await?,
            content,
            part_sizes: parts.iter().map(|part| part.size).collect(),
            upload: Some(open.id.clone()),
        };
        terms.restores = self.is_copy(address, &parts, &body).await?;
        let ended = end_of(rows::upload(address, &open.id), revision, &open.id, &all);
        self.write(address, body, sealed, terms, &ended).await
    }

    /// Whether the parts are an older version of the same object, and all of it: large ones are restored in parts.
    async fn is_copy(&self, address: &Address, parts: &[Part], body: &Body) -> Result<bool, Error> {
        let Some(of) = parts.first().and_then(|part| part.of) else {
            return Ok(false);
        };
        if parts.iter().any(|part| part.of != Some(of)) {
            return Ok(false);
        }
        match self.version(address, of).await {
            Ok(version) => Ok(version.body.is_some_and(|older| older.md5 == body.md5)),
            Err(Error::NoSuchVersion { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn completed_before(&self, address: &Address, upload: &str) -> Result<Version, Error> {
        let (record, _) = self.load(address).await?;
        let made_here = |version: &Version| {
            version
                .body
                .as_ref()
                .is_some_and(|body| body.upload.as_deref() == Some(upload))
        };
        record
            .head
            .filter(made_here)
            .ok_or_else(|| Error::NoSuchUpload(upload.to_owned()))
    }

    async fn all_parts(&self, upload: &str) -> Result<Vec<Part>, Error> {
        let mut parts: Vec<Part> = Vec::new();
        loop {
            let after = parts.last().map_or(0, |part| part.number);
            let page = self.scan_parts(upload, after, SCAN_PAGE_ROWS).await?;
            let more = page.len() == SCAN_PAGE_ROWS;
            parts.extend(page);
            if !more {
                return Ok(parts);
            }
        }
    }

    async fn assemble(&self, address: &Address, parts: &[Part], size: usize) -> Result<Bytes, Error> {
        let mut bytes = BytesMut::with_capacity(size);
        for part in parts {
            let piece = self.read_alone(address, part.size, &part.stored).await?;
            bytes.extend_from_slice(&piece.ok_or(Error::InvalidPart(part.number))?);
        }
        Ok(bytes.freeze())
    }

    /// Ends an upload and drops its parts.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    pub async fn abort_upload(&self, address: &Address, upload: &str) -> Result<(), Error> {
        for _ in TURNS {
            let (_, revision) = self.open_upload(address, upload).await?;
            let row = rows::upload(address, upload);
            let parts = self.all_parts(upload).await?;
            let batch = end_of(row, revision, upload, &parts);
            if self.commit(batch).await? {
                return Ok(());
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    /// Drops the uploads of a bucket that takes no writes any more.
    pub(crate) async fn drop_uploads(&self, bucket: &str) -> Result<(), Error> {
        loop {
            let page = self
                .engine
                .scan(rows::uploads(bucket, ""), UPLOAD_PAGE_MAX)
                .await?;
            if page.is_empty() {
                return Ok(());
            }
            for (row, entry) in page {
                let upload: Upload = rows::decode(&row, &entry.value)?;
                let parts = self.all_parts(&upload.id).await?;
                // Should a part come in between, the upload is found again.
                let batch = end_of(row, entry.revision, &upload.id, &parts);
                self.commit(batch).await?;
            }
        }
    }
}

/// What ends an upload whose parts are these, if it is still at `revision`.
fn end_of(row: Vec<u8>, revision: Revision, upload: &str, parts: &[Part]) -> Batch {
    let parts_rows = parts.iter().map(|part| rows::part(upload, part.number));
    Batch {
        checks: vec![(row.clone(), Expect::At(revision))],
        deletes: parts_rows.chain([row]).collect(),
        drop_blobs: parts.iter().map(|part| part.stored.blob.0).collect(),
        ..Batch::default()
    }
}

/// The named parts, in order, if they are all there and large enough.
fn choose(stored: &[Part], named: &[(u32, String)]) -> Result<Vec<Part>, Error> {
    if named.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(Error::InvalidPartOrder);
    }
    let mut parts = Vec::with_capacity(named.len());
    for (number, etag) in named {
        let at = stored
            .binary_search_by_key(number, |part| part.number)
            .map_err(|_| Error::InvalidPart(*number))?;
        let part = stored[at].clone();
        if part.md5 != *etag {
            return Err(Error::InvalidPart(*number));
        }
        parts.push(part);
    }
    let short = parts
        .split_last()
        .and_then(|(_, others)| others.iter().find(|part| part.size < PART_BYTES_MIN));
    match short {
        Some(part) => Err(Error::PartTooSmall {
            number: part.number,
            size: part.size,
        }),
        None => Ok(parts),
    }
}

/// The MD5 of a body, in hexadecimal; that of a large one is made beside the event loop.
async fn md5_of(bytes: &Bytes) -> Result<String, Error> {
    let body = bytes.clone();
    beside(bytes.len(), move || hex::encode(Md5::digest(&body))).await
}

/// S3's ETag of a multipart object: the MD5 of the parts' MD5s, and how many there were.
fn etag_of(parts: &[Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.md5).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}
