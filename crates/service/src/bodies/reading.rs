//! A body that is read piece by piece, whatever is done to it meanwhile.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use tidelock_core::{Address, Body, limits::PIECE_BYTES};
use tidelock_engine::EngineError;
use tokio::sync::OwnedSemaphorePermit;

use super::{GONE, LOOKS, Link, beside, damaged, open_piece, unopened};
use crate::{Error, Service, keys::BodyKey};

/// A range of a body on its way to a reader. What stands alone is opened piece by piece; of what rests on another version
/// all is unpacked at the first piece, and held.
pub struct Reading {
    service: Service,
    address: Address,
    body: Body,
    seq: u64,
    rest: Range<u64>,
    unpacked: Option<(Bytes, OwnedSemaphorePermit)>,
}

impl Service {
    /// Begins to read a range of a version's body, or of a refused write's, which must lie within its size.
    #[must_use]
    pub fn reading(&self, address: &Address, seq: u64, body: &Body, range: Range<u64>) -> Reading {
        Reading {
            service: self.clone(),
            address: address.clone(),
            seq,
            rest: range.start..range.end.min(body.size),
            body: body.clone(),
            unpacked: None,
        }
    }
}

impl Reading {
    /// The next bytes, at most [`PIECE_BYTES`]; `None` at the end.
    ///
    /// # Errors
    /// As [`Service::read_all`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.body.size == 0 {
            // There is no piece to open, and who may not read it is told so all the same.
            self.service.check_readable(&self.body).await?;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        for _ in 0..LOOKS {
            if let Some(bytes) = self.piece().await? {
                self.rest.start += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            // It was stored anew since it was found; its bytes are the same.
            let now = self.service.look_again(&self.address, self.seq).await?;
            self.body.stored = now.stored;
        }
        Err(damaged(&self.address, self.seq, GONE))
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Service::read_all`].
    pub async fn to_end(mut self) -> Result<Bytes, Error> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Whether everything has been read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes from here to the end of the piece; `None` when they are no longer where they were.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = PIECE_BYTES as u64;
        let (number, offset) = (self.rest.start / piece, (self.rest.start % piece) as usize);
        let end = self.rest.end.min((number + 1) * piece);
        if self.body.stored.base.is_some() && self.unpacked.is_none() {
            let unpacked = self.service.unpack(&self.address, self.seq, &self.body).await?;
            self.unpacked = Some(unpacked);
        }
        if let Some((bytes, _)) = &self.unpacked {
            return Ok(Some(bytes.slice(self.rest.start as usize..end as usize)));
        }
        let bytes = match self.open(number as usize).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            // All of it may know what a piece does not.
            Err(Error::Damaged { .. }) => {
                self.unpacked = Some(self.service.unpack(&self.address, self.seq, &self.body).await?);
                return Box::pin(self.piece()).await;
            }
            Err(other) => return Err(other),
        };
        Ok(Some(
            bytes.slice(offset..offset + (end - self.rest.start) as usize),
        ))
    }

    /// One piece of a body that stands alone.
    async fn open(&self, number: usize) -> Result<Option<Bytes>, Error> {
        let (service, stored) = (&self.service, &self.body.stored);
        let broken = |why: &str| damaged(&self.address, self.seq, why);
        let length = *stored
            .pieces
            .get(number)
            .ok_or_else(|| broken("it is too short"))?;
        let start: u64 = stored.pieces[..number]
            .iter()
            .map(|length| u64::from(*length))
            .sum();
        let range = start..start + u64::from(length);
        let sealed = match service.engine.blob(stored.blob.0, range).await {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Ok(None),
            Err(EngineError::Corrupt(why)) => return Err(broken(&why)),
            Err(other) => return Err(other.into()),
        };
        let link = Link::of(&self.address, self.seq, &self.body)?;
        let size = link.size.saturating_sub(number * PIECE_BYTES).min(PIECE_BYTES);
        let ring = service.ring().await?;
        let opened = beside(size, move || {
            let key = BodyKey::open(&ring, link.stored.blob, &link.stored.key)?;
            let mut bytes = vec![0; size];
            let count = link.stored.pieces.len() as u32;
            open_piece(&key, number as u32, count, sealed.to_vec(), &mut bytes)?;
            Ok::<_, crate::keys::OpenError>(Bytes::from(bytes))
        });
        opened
            .await?
            .map(Some)
            .map_err(|why| unopened(&self.address, self.seq, why))
    }
}
