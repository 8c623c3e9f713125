//! Making a state current that is not: an older version, or a write that was refused.
//!
//! Both take the lock, write and give it back in one turn. What is written is the old content with the next serial, so that
//! no client takes it for something it has seen already; the digest follows, since it is computed from the head.

use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::{
    Address, Body, Caller, Record, StateHeader, StateHeaderError, Version,
    decide::Restore,
    limits::{FREEZE_TEXT_BYTES_MAX, SCAN_PAGE_ROWS},
    object_lock::Protection,
    state_header::with_serial,
};
use tidelock_engine::EngineError;

use crate::{
    Error, OperatorError, Service,
    bodies::beside,
    kms::forget_encryption,
    objects::half,
    turn::{TURNS, Turn},
};

/// Checksums are of the bytes as the client sent them, which a raised serial changes.
const CHECKSUMS: &str = "x-amz-checksum-";

/// What is to become current.
struct Wanted<'a> {
    body: Body,
    bytes: Bytes,
    /// The number of the refused write that is adopted, if it is one.
    refused: Option<u64>,
    operation: String,
    /// The MD5 of the state that the operator has compared it with, empty for none: if they say, another one is not replaced.
    over: Option<&'a str>,
    by: By<'a>,
}

/// Who wants it.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Whose key it is.
    pub caller: &'a Caller,
    /// The person as they name themselves, `user@host`; the principal stands for who does not.
    pub who: &'a str,
}

impl<'a> From<&'a Caller> for By<'a> {
    fn from(caller: &'a Caller) -> By<'a> {
        By {
            caller,
            who: &caller.principal,
        }
    }
}

impl Service {
    /// Makes a refused write the current version, with a serial above that of the state it replaces. `over` is the MD5
    /// of the state that the operator has compared it with, empty for none: if they say, another one is not replaced.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchWrite`], [`OperatorError::Locked`], [`OperatorError::Overtaken`],
    /// [`OperatorError::Sealed`].
    pub async fn adopt(
        &self,
        address: &Address,
        id: u64,
        over: Option<&str>,
        by: impl Into<By<'_>>,
    ) -> Result<Version, OperatorError> {
        let kept = self.refused_write(address, id).await?;
        let wanted = Wanted {
            bytes: self.read_all(address, id, &kept.body).await?,
            body: kept.body,
            refused: Some(id),
            operation: format!("adopt {id}"),
            over,
            by: by.into(),
        };
        self.restore(address, wanted).await
    }

    /// Makes the content of an older version current again, with a serial above every one there was. `over` as for
    /// [`Service::adopt`].
    ///
    /// # Errors
    /// [`OperatorError::Senseless`] for what is no state or of another lineage, [`OperatorError::Locked`],
    /// [`OperatorError::Overtaken`], [`OperatorError::Sealed`]; [`Error::NoSuchVersion`].
    pub async fn rollback(
        &self,
        address: &Address,
        to: u64,
        over: Option<&str>,
        by: impl Into<By<'_>>,
    ) -> Result<Version, OperatorError> {
        let version = self.version(address, to).await?;
        let Some(body) = version.body.filter(|body| body.state.is_some()) else {
            return Err(OperatorError::Senseless("that version is no state"));
        };
        let wanted = Wanted {
            bytes: self.read_all(address, to, &body).await?,
            body,
            refused: None,
            operation: format!("rollback to {to}"),
            over,
            by: by.into(),
        };
        self.restore(address, wanted).await
    }

    /// The version of this number, current or older, also one that is history alone.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`], [`Error::LockFile`].
    pub async fn version(&self, address: &Address, seq: u64) -> Result<Version, Error> {
        // The current version may become an older one between the two looks.
        for _ in 0..2 {
            let (record, _) = self.load(address).await?;
            let found = match record.head {
                Some(head) if head.seq == seq => Some(head),
                _ => self.older(address, seq).await?,
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(Error::NoSuchVersion {
            address: address.clone(),
            version: seq.to_string(),
        })
    }

    async fn restore(&self, address: &Address, wanted: Wanted<'_>) -> Result<Version, OperatorError> {
        if wanted.by.who.len() > FREEZE_TEXT_BYTES_MAX {
            return Err(OperatorError::Senseless("a name is no longer than 1,024 bytes"));
        }
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let head = turn.record.visible().and_then(|head| head.body.as_ref());
            if wanted
                .over
                .is_some_and(|over| over != head.map_or("", |head| &head.md5))
            {
                return Err(OperatorError::Overtaken(address.clone()));
            }
            let (body, blob) = self.advanced(&turn, &wanted).await?;
            let written = self.restore_as(&mut turn, &wanted, body, blob).await?;
            if turn.commit(self).await? {
                self.pins.forget(address, wanted.by.caller);
                self.packing.wake(&written);
                return Ok(written);
            }
        }
        Err(Error::Busy(address.to_string()).into())
    }

    async fn restore_as(
        &self,
        turn: &mut Turn,
        wanted: &Wanted<'_>,
        mut body: Body,
        blob: Bytes,
    ) -> Result<Version, OperatorError> {
        let bucket = self.guard_bucket(turn).await?;
        let versioning = bucket.versioning;
        // What protects the older version is its own.
        body.content.protection = Protection::default();
        self.retain_by_default(&bucket, &mut body.content.protection);
        let command = Restore {
            operation: wanted.operation.clone(),
            refused: wanted.refused,
            body,
            follows: turn.record.head.as_ref().map(|head| head.id.clone()),
            caller: wanted.by.caller.clone(),
            who: wanted.by.who.to_owned(),
            random: half(self.random()),
            versioning,
            older_null: self.older_null(turn, versioning).await?,
        };
        let written = turn.decide(&command, self);
        let written =
            written.map_err(|why| OperatorError::not_restored(why, &turn.address, wanted.refused))?;
        turn.written(&written, blob);
        if let Some(refused) = wanted.refused {
            self.drop_refused(turn, refused).await?;
        }
        Ok(written.version)
    }

    /// The wanted body as it may follow the current state, with a higher serial where it needs one, and its blob.
    async fn advanced(&self, turn: &Turn, wanted: &Wanted<'_>) -> Result<(Body, Bytes), OperatorError> {
        let kept = &wanted.body;
        let (Some((serial, lineage)), Some(own)) = (self.last_serial(turn).await?, &kept.state) else {
            return Ok(self
                .sealed(turn.address.bucket(), kept.clone(), &wanted.bytes)
                .await?);
        };
        if wanted.refused.is_none() && lineage != own.lineage {
            return Err(OperatorError::OtherLineage {
                address: turn.address.clone(),
                own: own.lineage.clone(),
                head: lineage,
            });
        }
        if own.serial > serial {
            return Ok(self
                .sealed(turn.address.bucket(), kept.clone(), &wanted.bytes)
                .await?);
        }
        if own.encrypted {
            return Err(OperatorError::Sealed {
                address: turn.address.clone(),
                serial: own.serial,
                head: serial,
            });
        }
        let serial = serial.saturating_add(1);
        let (raised, md5) = raise(wanted.bytes.clone(), serial).await?;
        let mut content = kept.content.clone();
        content.headers.retain(|name, _| !name.starts_with(CHECKSUMS));
        let body = Body {
            size: raised.len() as u64,
            etag: md5.clone(),
            md5,
            state: Some(StateHeader {
                serial,
                ..own.clone()
            }),
            content,
            part_sizes: Vec::new(),
            upload: None,
            ..kept.clone()
        };
        Ok(self.sealed(turn.address.bucket(), body, &raised).await?)
    }

    /// The body as it will be stored, and its blob: under the KMS key that the bucket has by now, else under its former one.
    async fn sealed(&self, bucket: &str, mut body: Body, bytes: &Bytes) -> Result<(Body, Bytes), Error> {
        let bucket = self.bucket(bucket).await?;
        forget_encryption(&bucket, &mut body.content);
        let kms = self.seal_under(&bucket, &mut body.content).await?;
        let (stored, blob) = self.seal(bytes, kms).await?;
        Ok((Body { stored, ..body }, blob))
    }

    /// The lineage of the current state, or of the last there was, and the highest serial that a state of it ever had here:
    /// a plan that was saved then must not fit what is restored now.
    async fn last_serial(&self, turn: &Turn) -> Result<Option<(u64, String)>, Error> {
        let head = current(&turn.record);
        let mut last = head.map(|head| (head.serial, head.lineage.clone()));
        let mut before = u64::MAX;
        loop {
            let older = self
                .older_versions(&turn.address, before, SCAN_PAGE_ROWS, true)
                .await?;
            let end = older.last().map(|oldest| oldest.seq);
            for state in older.into_iter().filter_map(|version| version.body?.state) {
                let (highest, lineage) = last.get_or_insert_with(|| (state.serial, state.lineage.clone()));
                if *lineage == state.lineage {
                    *highest = state.serial.max(*highest);
                }
            }
            match end {
                Some(end) => before = end,
                None => return Ok(last),
            }
        }
    }
}

/// The header of the current state.
fn current(record: &Record) -> Option<&StateHeader> {
    record.visible()?.body.as_ref()?.state.as_ref()
}

/// The state with this serial, and the MD5 of that; a large one is made beside the event loop.
async fn raise(bytes: Bytes, serial: u64) -> Result<(Bytes, String), Error> {
    let raised = beside(bytes.len(), move || {
        let raised = with_serial(&bytes, serial)?;
        let md5 = hex::encode(Md5::digest(&raised));
        Ok::<_, StateHeaderError>((Bytes::from(raised), md5))
    });
    let raised = raised.await?;
    raised.map_err(|why| EngineError::Corrupt(format!("a state that was kept: {why}")).into())
}
