//! The copying of one state whose lock is held on both sides: what is missing goes in, and all of it is looked at again.

use bytes::Bytes;
use tidelock_core::limits::OBJECT_BYTES_MAX;

use super::{
    Body, Error, History, Outcome, Side, Transfer, Watch,
    place::{self, Place},
};
use crate::{
    archive::{Entry, marks, md5_of},
    aws::Why,
    layout::{self, Layout, Want},
    s3::{self, Object},
};

impl Transfer {
    pub(super) async fn copy_locked(
        &self,
        key: &str,
        want: &Want,
        watch: Watch<'_>,
    ) -> Result<Outcome, Error> {
        let source = history(&self.from, key).await?;
        let Some(newest) = source.bodies.last() else {
            return Err(Error::Gone(self.from.item_name(key)));
        };
        if let Some(large) = source.bodies.iter().find(|body| body.size > OBJECT_BYTES_MAX) {
            let (address, version) = (self.from.item_name(key), large.version.clone());
            return Err(Error::TooLarge { address, version });
        }
        let newest = self.get_source(key, newest).await?;
        let md5 = md5_of(&newest.bytes);
        self.check_digest(&source, &md5).await?;

        let target = history(&self.to, key).await?;
        let there = match self.place(&source, &target).await? {
            Place::At(there) => there,
            Place::Diverged => return Err(Error::Diverged(self.to.item_name(key))),
            Place::WentOn => return Ok(went_on(&source)),
        };
        let missing = &source.bodies[there..];
        let is_deleted_there = target.deleted && !target.bodies.is_empty();
        match missing.first() {
            Some(next) if is_deleted_there && !next.after_deletion => {
                return Err(Error::Deleted(self.to.item_name(key)));
            }
            None if is_deleted_there && !source.deleted => return Ok(went_on(&source)),
            _ => {}
        }
        // From here on the table says what the state will be: until it is so, Terraform does not read it.
        self.put_digest(key, Some(&md5)).await?;
        let mut copied = 0;
        let mut counted = |size| {
            copied += 1;
            watch(size)
        };
        let put = self.put_all(&source, there, newest, &target, &mut counted).await;
        let is_half_way = (1..missing.len()).contains(&copied);
        let bytes = put.map_err(|why| match is_half_way && self.to.table.is_none() {
            // No digest keeps Terraform from taking an old version for the state.
            true => Error::HalfWay {
                address: self.to.item_name(key),
                id: want.id.clone(),
                why: Box::new(why),
            },
            false => why,
        })?;
        self.put_digest(key, (!source.deleted).then_some(&md5)).await?;
        self.check(&source, want, &md5).await?;
        Ok(Outcome::Done {
            copied: missing.len() as u64,
            bytes,
            there: there as u64,
        })
    }

    /// Puts the versions from `there` on, oldest first, and answers their bytes. `newest` is the last of them.
    async fn put_all(
        &self,
        source: &History,
        there: usize,
        newest: Object,
        target: &History,
        watch: Watch<'_>,
    ) -> Result<u64, Error> {
        let (key, mut bytes) = (&source.key, 0);
        let mut head = target.current().map(|body| body.etag.clone());
        for (at, body) in source.bodies.iter().enumerate().skip(there) {
            let object = match at + 1 == source.bodies.len() {
                true => newest.clone(),
                false => self.get_source(key, body).await?,
            };
            if let Some(etag) = head.take_if(|_| body.after_deletion) {
                self.delete(key, &etag).await?;
            }
            let size = object.bytes.len() as u64;
            head = Some(self.put(key, body, &object, head.as_deref()).await?);
            bytes += size;
            if watch(size).is_break() {
                return Err(Error::Stopped);
            }
        }
        if let Some(etag) = head.filter(|_| source.deleted) {
            self.delete(key, &etag).await?;
        }
        Ok(bytes)
    }

    /// Puts one version behind the one with the ETag `head`, or where there is nothing; answers its ETag.
    async fn put(
        &self,
        key: &str,
        body: &Body,
        object: &Object,
        head: Option<&str>,
    ) -> Result<String, Error> {
        let md5 = md5_of(&object.bytes);
        let mut headers = headers(body, object, &md5);
        headers.extend(self.to.encryption.headers_of_put());
        let plain = headers.clone();
        headers.push(match head {
            Some(etag) => ("if-match", format!("\"{etag}\"")),
            None => ("if-none-match", "*".to_owned()),
        });
        let put = match self.put_object(key, &object.bytes, &headers).await {
            Err(error) if error.code() == Some("NotImplemented") => {
                // A store without conditions: a look right before has to do.
                self.check_head(key, head).await?;
                self.put_object(key, &object.bytes, &plain).await
            }
            put => put,
        };
        let (version, etag) = match put {
            Ok(put) => (put.version, put.etag),
            Err(error) if is_conflict(&error) => {
                // An earlier try whose answer was lost is in our own way.
                let head = self.head(key).await?.filter(|head| place::is_copy(head, body));
                let head = head.ok_or_else(|| self.changed(key, Side::To))?;
                (head.version, head.etag)
            }
            Err(error) => return Err(refused(error)),
        };
        if etag != md5 {
            self.read_back(key, version.as_deref(), &md5).await?;
        }
        Ok(etag)
    }

    async fn put_object(
        &self,
        key: &str,
        bytes: &Bytes,
        headers: &[(&'static str, String)],
    ) -> Result<s3::Put, s3::Error> {
        let (s3, bucket) = (&self.to.s3, &self.to.bucket);
        s3.put_object(bucket, key, bytes.clone(), headers).await
    }

    /// An ETag that is no MD5 says nothing, so the bytes themselves have to.
    async fn read_back(&self, key: &str, version: Option<&str>, md5: &str) -> Result<(), Error> {
        let object = self.to.read(key, version).await;
        let found = md5_of(&object.map_err(layout::Error::from)?.bytes);
        match found == md5 {
            true => Ok(()),
            false => Err(Error::Mismatch {
                address: self.to.item_name(key),
                version: version.unwrap_or("null").to_owned(),
                md5: md5.to_owned(),
                found,
            }),
        }
    }

    /// Puts a delete marker over the version with this ETag.
    async fn delete(&self, key: &str, etag: &str) -> Result<(), Error> {
        let (s3, bucket) = (&self.to.s3, &self.to.bucket);
        match s3.delete_object_if(bucket, key, etag).await {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some("NotImplemented") => {
                self.check_head(key, Some(etag)).await?;
                s3.delete_object(bucket, key, None).await.map_err(refused)
            }
            Err(error) if is_conflict(&error) || is_absent(&error) => match self.head(key).await? {
                None => Ok(()),
                Some(_) => Err(self.changed(key, Side::To)),
            },
            Err(error) => Err(refused(error)),
        }
    }

    async fn check_head(&self, key: &str, etag: Option<&str>) -> Result<(), Error> {
        let head = self.head(key).await?.map(|head| head.etag);
        match head.as_deref() == etag {
            true => Ok(()),
            false => Err(self.changed(key, Side::To)),
        }
    }

    /// The target's current version.
    async fn head(&self, key: &str) -> Result<Option<Object>, Error> {
        match self.to.head(key, None).await {
            Ok(head) => Ok(Some(head)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(layout::Error::from(error).into()),
        }
    }

    /// Terraform refuses a state whose digest in the table is another's.
    async fn check_digest(&self, source: &History, md5: &str) -> Result<(), Error> {
        let digest = self.from.digest(&source.key).await?;
        match digest.filter(|digest| !source.deleted && digest != md5) {
            None => Ok(()),
            Some(digest) => Err(Error::Digest {
                address: self.from.item_name(&source.key),
                digest,
                md5: md5.to_owned(),
            }),
        }
    }

    async fn put_digest(&self, key: &str, md5: Option<&String>) -> Result<(), Error> {
        if self.to.digest(key).await?.as_ref() != md5 {
            self.to.put_digest(key, md5.map(String::as_str)).await?;
        }
        Ok(())
    }

    /// Whether all is as it should be in the end: the locks still ours, the source as it was copied, the target as the source.
    async fn check(&self, source: &History, want: &Want, md5: &str) -> Result<(), Error> {
        let key = &source.key;
        for (layout, side) in [(&self.from, Side::From), (&self.to, Side::To)] {
            let locks = layout.locks_of(key).await?;
            if locks.is_empty() || locks.iter().any(|lock| lock.id() != Some(&want.id)) {
                let address = layout.item_name(key);
                return Err(Error::LockLost { side, address });
            }
        }
        let (from, to) = (history(&self.from, key).await?, history(&self.to, key).await?);
        if from.bodies.last() != source.bodies.last() || from.deleted != source.deleted {
            return Err(self.changed(key, Side::From));
        }
        let is_same = match (source.bodies.last(), to.bodies.last()) {
            (Some(ours), Some(theirs)) => self.is_same(key, ours, theirs).await?,
            _ => false,
        };
        if !is_same || to.deleted != source.deleted {
            return Err(self.changed(key, Side::To));
        }
        // What an earlier run has noted of its copy is not yet what the store has kept of it.
        match to.bodies.last() {
            Some(last) if last.etag != md5 => self.read_back(key, Some(&last.version), md5).await,
            _ => Ok(()),
        }
    }

    fn changed(&self, key: &str, side: Side) -> Error {
        let layout = match side {
            Side::From => &self.from,
            Side::To => &self.to,
        };
        Error::Changed {
            side,
            address: layout.item_name(key),
        }
    }
}

async fn history(layout: &Layout, key: &str) -> Result<History, Error> {
    Ok(History::read(layout, key).await.map_err(layout::Error::from)?)
}

fn went_on(source: &History) -> Outcome {
    Outcome::WentOn {
        there: source.bodies.len() as u64,
    }
}

/// What is kept of a version beside its bytes: what an earlier copy of it kept, and what the source knows.
fn headers(body: &Body, object: &Object, md5: &str) -> Vec<(&'static str, String)> {
    let mut entry = Entry {
        version: 0,
        id: None,
        written_ms: body.written_ms,
        deleted: false,
        serial: None,
        lineage: None,
        terraform_version: None,
        size: Some(body.size),
        md5: None,
        writer: None,
        lock: None,
    };
    marks::read(object, &mut entry);
    entry.md5 = Some(md5.to_owned());
    let mut headers = marks::headers(&entry);
    headers.push((place::SOURCE_HEADER, place::mark(body)));
    headers
}

fn is_conflict(error: &s3::Error) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
    )
}

fn is_absent(error: &s3::Error) -> bool {
    matches!(error.code(), Some("404" | "NoSuchKey"))
}

/// A write that the target does not take: its own rules say why. What is wrong with all of them ends the transfer.
fn refused(error: s3::Error) -> Error {
    let is_of_one = matches!(&error.why, Why::Refused { status: 400..=499, code, .. }
        if !["AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"].contains(&code.as_str()));
    match is_of_one {
        true => Error::Refused(error.into()),
        false => Error::Store(error.into()),
    }
}
