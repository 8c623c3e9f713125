//! Refused state writes: finding them, reading them, making one current after all, dropping them.

use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::{
    Address, BlobId, Body, Record, StateHeader, StateHeaderError, Version,
    decide::{Adopt, Discard},
    limits::PARSE_INLINE_BYTES_MAX,
    state_header::with_serial,
};
use tidelock_engine::EngineError;

use crate::{
    Error, OperatorError, RefusedWrite, Service,
    objects::half,
    rows,
    turn::{TURNS, Turn},
};

/// Checksums are of the bytes as the client sent them, which a raised serial changes.
const CHECKSUMS: &str = "x-amz-checksum-";

impl Service {
    /// One of the refused state writes of an address; [`Service::read`] has its bytes.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchWrite`].
    pub async fn refused_write(&self, address: &Address, id: u64) -> Result<RefusedWrite, OperatorError> {
        let (record, _) = self.load(address).await?;
        let row = rows::quarantined(address, id);
        let kept = record.quarantined.iter().any(|kept| kept.id == id);
        let entry = match kept {
            true => self.engine.get(&row).await.map_err(Error::from)?,
            false => None,
        };
        let Some(entry) = entry else {
            let address = address.clone();
            return Err(OperatorError::NoSuchWrite { address, id });
        };
        Ok(rows::decode(&row, &entry.value)?)
    }

    /// Drops a refused write for good.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchWrite`].
    pub async fn discard(&self, address: &Address, id: u64) -> Result<(), OperatorError> {
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            if !turn.decide(&Discard { id }, self) {
                let address = address.clone();
                return Err(OperatorError::NoSuchWrite { address, id });
            }
            self.drop_refused(&mut turn, id).await?;
            if turn.commit(self).await? {
                return Ok(());
            }
        }
        Err(Error::Busy(address.to_string()).into())
    }

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
    ) -> Result<Version, OperatorError> {
        let kept = self.refused_write(address, id).await?;
        let bytes = self.read(&kept.body, 0..kept.body.size).await?;
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            let head = turn.record.visible().and_then(|head| head.body.as_ref());
            if over.is_some_and(|over| over != head.map_or("", |head| &head.md5)) {
                return Err(OperatorError::Overtaken(address.clone()));
            }
            let (body, bytes) = self.advanced(&turn, &kept.body, &bytes).await?;
            let written = self.adopt_as(&mut turn, id, body, bytes).await?;
            if turn.commit(self).await? {
                return Ok(written);
            }
        }
        Err(Error::Busy(address.to_string()).into())
    }

    async fn adopt_as(
        &self,
        turn: &mut Turn,
        id: u64,
        body: Body,
        bytes: Bytes,
    ) -> Result<Version, OperatorError> {
        let versioning = self.guard_bucket(turn).await?;
        let blob = body.blob.0;
        let command = Adopt {
            id,
            body,
            follows: turn.record.head.as_ref().map(|head| head.id.clone()),
            random: half(self.random()),
            versioning,
            older_null: self.older_null(turn, versioning).await?,
        };
        let written = turn.decide(&command, self);
        let written = written.map_err(|why| OperatorError::not_adopted(why, &turn.address, id))?;
        turn.apply(&written.effects);
        turn.batch.put_blobs.push((blob, bytes));
        self.drop_refused(turn, id).await?;
        Ok(written.version)
    }

    /// The refused body as it may follow the current state: with a higher serial where it needs one.
    async fn advanced(
        &self,
        turn: &Turn,
        kept: &Body,
        bytes: &Bytes,
    ) -> Result<(Body, Bytes), OperatorError> {
        let own_blob = Body {
            blob: BlobId(self.random()),
            ..kept.clone()
        };
        let (Some(head), Some(own)) = (current(&turn.record), &kept.state) else {
            return Ok((own_blob, bytes.clone()));
        };
        if own.serial > head.serial {
            return Ok((own_blob, bytes.clone()));
        }
        if own.encrypted {
            return Err(OperatorError::Sealed {
                address: turn.address.clone(),
                serial: own.serial,
                head: head.serial,
            });
        }
        let serial = head.serial.saturating_add(1);
        let (raised, md5) = raise(bytes.clone(), serial).await?;
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
            ..own_blob
        };
        Ok((body, raised))
    }
}

/// The header of the current state.
fn current(record: &Record) -> Option<&StateHeader> {
    record.visible()?.body.as_ref()?.state.as_ref()
}

/// The state with this serial, and the MD5 of that; a large one is made beside the event loop.
async fn raise(bytes: Bytes, serial: u64) -> Result<(Bytes, String), Error> {
    let is_small = bytes.len() < PARSE_INLINE_BYTES_MAX;
    let work = move || {
        let raised = with_serial(&bytes, serial)?;
        let md5 = hex::encode(Md5::digest(&raised));
        Ok((Bytes::from(raised), md5))
    };
    let raised: Result<_, StateHeaderError> = if is_small {
        work()
    } else {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|ended| EngineError::Unavailable(ended.to_string()))?
    };
    raised.map_err(|why| EngineError::Corrupt(format!("a state in quarantine: {why}")).into())
}
