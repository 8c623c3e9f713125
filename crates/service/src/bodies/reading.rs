//! A body that is read piece by piece, whatever is done to it meanwhile.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use tidelock_core::{Address, Body, limits::PIECE_BYTES};
use tidelock_engine::EngineError;
use tokio::sync::OwnedSemaphorePermit;

use super::{GONE, LOOKS, Link, beside, damaged, in_memory, open_piece, unopened};
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
    /// The memory for all that is left of what stands alone.
    room: Option<OwnedSemaphorePermit>,
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
            room: None,
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

    /// All that is left, and the memory that it takes until it is stored again: who copies many large bodies at once waits.
    ///
    /// # Errors
    /// As [`Service::read_all`].
    pub async fn to_end(mut self) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Error> {
        let length = in_memory(self.rest.end - self.rest.start)?;
        // What rests on another version takes its own with its first piece.
        if self.body.stored.base.is_none() {
            self.room = Some(self.service.store_room(length).await?);
        }
        let mut bytes = BytesMut::with_capacity(length);
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
        }
        let unpacked = self.unpacked.map(|(_, room)| room);
        Ok((bytes.freeze(), self.room.or(unpacked)))
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
            self.unpack().await?;
        }
        if let Some((bytes, _)) = &self.unpacked {
            return Ok(Some(bytes.slice(self.rest.start as usize..end as usize)));
        }
        let bytes = match self.open(number as usize).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            // All of it may know what a piece does not.
            Err(Error::Damaged { .. }) => {
                self.unpack().await?;
                return Box::pin(self.piece()).await;
            }
            Err(other) => return Err(other),
        };
        Ok(Some(
            bytes.slice(offset..offset + (end - self.rest.start) as usize),
        ))
    }

    async fn unpack(&mut self) -> Result<(), Error> {
        // Who waits for memory holds none, or all could wait for one another.
        self.room = None;
        self.unpacked = Some(self.service.unpack(&self.address, self.seq, &self.body).await?);
        Ok(())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use tidelock_core::{
        Address, Caller, Content, Time, decide::Precondition, iam::DEFAULT_ACCOUNT, limits::STORE_BUDGET_MIB,
    };
    use tidelock_engine::MemoryEngine;

    use crate::{NewBody, NewPart, RootKey, Service, World};

    struct Dice(AtomicU64);

    impl World for Dice {
        fn now(&self) -> Time {
            Time(0)
        }

        fn random(&self) -> [u8; 16] {
            u128::from(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
        }
    }

    const MIB: usize = 1 << 20;

    async fn with_bucket() -> (Service, Address) {
        let dice = Arc::new(Dice(AtomicU64::new(1)));
        let service = Service::new(Arc::new(MemoryEngine::new()), dice, RootKey::new(&[1; 32]).into());
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
        (service, Address::new("tfstate", "a").unwrap())
    }

    #[tokio::test]
    async fn what_is_read_to_be_stored_again_holds_the_memory_that_it_takes() {
        let (service, address) = with_bucket().await;
        let new = NewBody {
            bytes: vec![b'x'; 3 * MIB].into(),
            md5: [0; 16],
            content: Content::default(),
            precondition: Precondition::default(),
            claim: tidelock_core::decide::Claim::Caller,
            restores: false,
        };
        let version = service.put(&address, new, &Caller::default()).await.unwrap();
        let body = version.body.unwrap();
        let reading = service.reading(&address, version.seq, &body, 0..body.size);
        let (bytes, room) = reading.to_end().await.unwrap();
        assert_eq!(bytes.len(), 3 * MIB);
        assert_eq!(service.storing.available_permits(), STORE_BUDGET_MIB - 2 * 3);
        drop(room);
        assert_eq!(service.storing.available_permits(), STORE_BUDGET_MIB);
    }

    #[tokio::test]
    async fn a_body_that_is_made_of_parts_holds_the_memory_that_it_takes() {
        let (service, address) = with_bucket().await;
        let caller = Caller::default();
        let upload = service.create_upload(&address, Content::default(), &caller);
        let upload = upload.await.unwrap().id;
        let mut named = Vec::new();
        for number in [1, 2] {
            let new = NewPart {
                number,
                bytes: vec![b'x'; 5 * MIB].into(),
                md5: [0; 16],
                checksums: Default::default(),
                of: None,
            };
            let part = service.put_part(&address, &upload, new).await.unwrap();
            named.push((number, part.md5));
        }
        let budget = Arc::clone(&service.storing);
        let seal = |_: &[u8], _: &[crate::Part]| {
            assert_eq!(budget.available_permits(), STORE_BUDGET_MIB - 2 * 10);
            Ok(Default::default())
        };
        let whole = Precondition::default();
        let completed = service.complete_upload(&address, &upload, &named, whole, &seal, &caller);
        completed.await.unwrap();
        assert_eq!(service.storing.available_permits(), STORE_BUDGET_MIB);
    }
}
