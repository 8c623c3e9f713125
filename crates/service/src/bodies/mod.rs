//! Bodies as they lie in the engine: compressed, sealed, older states as what differs from newer ones (DESIGN 4.6).
//!
//! A body that stands alone is a row of pieces, each compressed and sealed by itself, so that a range of it is read without
//! the rest. A delta is one piece. What is read is what was written or an error: every piece is authenticated with its
//! place, and every frame carries a checksum of what it unpacks to. Behind the pieces stands a tail from which a damaged
//! page is made again.

pub(crate) mod codec;
mod parity;
mod reading;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use tidelock_core::{
    Address, BlobId, Body, Stored,
    kms::{KmsError, KmsKey},
    limits::{OBJECT_BYTES_MAX, PARSE_INLINE_BYTES_MAX, PIECE_BYTES, UNPACK_BUDGET_MIB},
};
use tidelock_engine::EngineError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Error, Service, World,
    keys::{BodyKey, OpenError, Ring, uncommitted},
    rows,
};
pub use reading::Reading;

/// How often a body is looked for again that was stored anew while it was read. The packer touches a body a few times in
/// its life.
const LOOKS: usize = 8;

/// No body is larger, in bytes: a serial that is raised may make one longer than was sent, and never this much.
const SIZE_MAX: u64 = 4 * OBJECT_BYTES_MAX;

/// All of a blob: its pieces, and their tail.
const WITH_TAIL: Range<u64> = 0..u64::MAX;

/// One body on the way to another: a version's number, and how it lies.
#[derive(Clone, Debug)]
struct Link {
    seq: u64,
    size: usize,
    stored: Stored,
}

/// What bodies are sealed with: the keys as they are, and the KMS key, by its ID, if it is to be under one.
#[derive(Clone)]
pub(crate) struct Sealing {
    pub(crate) ring: Ring,
    pub(crate) kms: Option<String>,
}

/// A body as it is to be stored, and the blob that must be committed with it.
pub(crate) type Sealed = Result<(Stored, Bytes), KmsError>;

/// Compresses and seals a body that is to stand alone.
fn seal_whole(bytes: &[u8], sealing: &Sealing, world: &dyn World) -> Sealed {
    let packed = bytes.chunks(PIECE_BYTES).map(codec::pack);
    seal(packed, bytes.len().div_ceil(PIECE_BYTES), None, sealing, world)
}

/// Compresses and seals a body as what differs from the version `base`.
pub(crate) fn seal_delta(bytes: &[u8], base: (u64, &[u8]), sealing: &Sealing, world: &dyn World) -> Sealed {
    let packed = codec::pack_delta(base.1, bytes);
    seal([packed].into_iter(), 1, Some(base.0), sealing, world)
}

fn seal(
    packed: impl Iterator<Item = Vec<u8>>,
    count: usize,
    base: Option<u64>,
    sealing: &Sealing,
    world: &dyn World,
) -> Sealed {
    let blob = BlobId(world.random());
    let (body_key, key) = BodyKey::draw(&sealing.ring, sealing.kms.as_deref(), blob, world)?;
    let (mut pieces, mut sealed) = (Vec::with_capacity(count), Vec::new());
    for (at, mut piece) in (0..).zip(packed) {
        body_key.seal(at, count as u32, &mut piece);
        pieces.push(piece.len() as u32);
        sealed.extend_from_slice(&piece);
    }
    let mut tail = parity::tail(&sealed);
    sealed.append(&mut tail);
    let stored = Stored {
        blob,
        pieces,
        base,
        key,
    };
    Ok((stored, uncommitted(Bytes::from(sealed), &sealing.ring.roots)))
}

impl Link {
    /// Opens and unpacks what stands alone, from its pieces, with room for `room` bytes.
    fn open_whole(&self, pieces: &[u8], room: usize, ring: &Ring) -> Result<Vec<u8>, OpenError> {
        let key = BodyKey::open(ring, self.stored.blob, &self.stored.key)?;
        let mut bytes = vec![0; room.max(self.size)];
        bytes.truncate(self.size);
        let (mut rest, count) = (pieces, self.stored.pieces.len() as u32);
        let mut room = bytes.chunks_mut(PIECE_BYTES);
        for (at, length) in (0..).zip(&self.stored.pieces) {
            let (piece, behind) = rest.split_at_checked(*length as usize).ok_or(TOO_SHORT)?;
            rest = behind;
            let room = room.next().ok_or(OTHER_SIZE)?;
            open_piece(&key, at, count, piece.to_vec(), room)?;
        }
        match room.next() {
            None => Ok(bytes),
            Some(_) => Err(OTHER_SIZE),
        }
    }

    /// Opens what differs from `base`, into `into`.
    fn open_delta(
        &self,
        piece: &[u8],
        base: &[u8],
        into: &mut Vec<u8>,
        ring: &Ring,
    ) -> Result<(), OpenError> {
        let key = BodyKey::open(ring, self.stored.blob, &self.stored.key)?;
        let mut sealed = piece.to_vec();
        let frame = key.unseal(0, 1, &mut sealed)?;
        codec::unpack_delta(base, frame, self.size, into).map_err(|_| UNDECODABLE)
    }

    /// Opens what is stored with `open`, and if that fails once more, as it was before it was damaged.
    fn open_or_mend<T>(
        &self,
        stored: &[u8],
        mut open: impl FnMut(&[u8]) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let length = self.stored.bytes() as usize;
        let opened = open(stored.get(..length).unwrap_or(stored));
        if !matches!(opened, Err(OpenError::Damaged(_))) {
            return opened;
        }
        match parity::mend(stored, length) {
            Some(mended) => open(&mended),
            None => opened,
        }
    }
}

const GONE: &str = "its bytes, or those that it rests on, are gone";
const TOO_SHORT: OpenError = OpenError::Damaged("some of its bytes are missing");
const OTHER_SIZE: OpenError = OpenError::Damaged("it has another size than was stored");
const UNDECODABLE: OpenError = OpenError::Damaged("its bytes do not unpack to what was stored");

fn open_piece(
    key: &BodyKey,
    at: u32,
    count: u32,
    mut sealed: Vec<u8>,
    into: &mut [u8],
) -> Result<(), OpenError> {
    let frame = key.unseal(at, count, &mut sealed)?;
    codec::unpack(frame, into).map_err(|_| UNDECODABLE)
}

/// Whether what is to be stored reads back as `bytes`.
pub(crate) fn check_delta(stored: &Stored, blob: &[u8], base: &[u8], bytes: &[u8], ring: &Ring) -> bool {
    let link = Link {
        seq: 0,
        size: bytes.len(),
        stored: stored.clone(),
    };
    let (mut back, length) = (Vec::new(), stored.bytes() as usize);
    link.open_delta(&blob[..length], base, &mut back, ring).is_ok() && back == bytes
}

/// Unpacks the last of these from what is stored of them all: the first stands alone, each rests on the one before it.
fn open_chain(chain: &[(Link, Bytes)], ring: &Ring) -> Result<Vec<u8>, (u64, OpenError)> {
    let mut links = chain.iter();
    let Some((first, stored)) = links.next() else {
        return Ok(Vec::new());
    };
    // Two pieces of memory for all: new memory costs more than what is done with it, and sizes differ by a few bytes.
    let room = chain.iter().map(|(link, _)| link.size).max().unwrap_or(0);
    let whole = first.open_or_mend(stored, |pieces| first.open_whole(pieces, room, ring));
    let mut bytes = whole.map_err(|why| (first.seq, why))?;
    let mut next = Vec::with_capacity(if chain.len() > 1 { room } else { 0 });
    for (link, stored) in links {
        let opened = link.open_or_mend(stored, |piece| link.open_delta(piece, &bytes, &mut next, ring));
        opened.map_err(|why| (link.seq, why))?;
        std::mem::swap(&mut bytes, &mut next);
    }
    Ok(bytes)
}

/// What a body takes of that memory, and the one that it rests on.
fn permits(size: usize) -> u32 {
    let mib = size.saturating_mul(2).div_ceil(1 << 20);
    mib.min(UNPACK_BUDGET_MIB) as u32
}

/// Memory for what is being unpacked.
pub(crate) fn unpack_budget() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(UNPACK_BUDGET_MIB))
}

impl Service {
    /// A body as it is to be stored by itself, under a KMS key if one is named, and the blob that must be committed with it.
    pub(crate) async fn seal(
        &self,
        bytes: &Bytes,
        kms: Option<Arc<KmsKey>>,
    ) -> Result<(Stored, Bytes), Error> {
        let sealing = Sealing {
            ring: self.ring().await?,
            kms: kms.map(|key| key.id.clone()),
        };
        let (service, plain) = (self.clone(), bytes.clone());
        let sealed = beside(bytes.len(), move || seal_whole(&plain, &sealing, &*service.world));
        Ok(sealed.await??)
    }

    /// All bytes of a body: of the version of this number, or of the refused write.
    ///
    /// # Errors
    /// [`Error::Damaged`], also when its bytes are gone; [`Error::Busy`] when the version was deleted since it was found;
    /// [`Error::Engine`].
    pub async fn read_all(&self, address: &Address, seq: u64, body: &Body) -> Result<Bytes, Error> {
        let (bytes, _room) = self.unpack(address, seq, body).await?;
        Ok(bytes)
    }

    /// The same, with the memory that it takes.
    async fn unpack(
        &self,
        address: &Address,
        seq: u64,
        body: &Body,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Error> {
        let mut link = Link::of(address, seq, body)?;
        let mut room = self.unpack_room(link.size).await?;
        for _ in 0..LOOKS {
            if let Some(links) = self.links(address, link).await? {
                // What it rests on may be far larger than itself.
                let largest = links.iter().map(|link| link.size).max().unwrap_or_default();
                if room.num_permits() < permits(largest) as usize {
                    drop(room);
                    room = self.unpack_room(largest).await?;
                }
                if let Some(chain) = self.stored(address, links).await? {
                    let bytes = self.open(address, chain).await?;
                    // A reader may take its time; what this rested on is not needed any more.
                    let needed = permits(bytes.len()) as usize;
                    drop(room.split(room.num_permits().saturating_sub(needed.div_ceil(2))));
                    return Ok((bytes, room));
                }
            }
            link = self.look_again(address, seq).await?;
        }
        Err(damaged(address, seq, GONE))
    }

    /// Waits until there is memory to unpack a body: two of a chain at a time.
    async fn unpack_room(&self, size: usize) -> Result<OwnedSemaphorePermit, Error> {
        let budget = Arc::clone(&self.unpacking);
        let room = budget.acquire_many_owned(permits(size)).await;
        room.map_err(|_| EngineError::Unavailable("the server stops".to_owned()).into())
    }

    /// Waits until there is memory to store a body again: as it is, and sealed. Who has it waits for no other.
    pub(crate) async fn store_room(&self, size: usize) -> Result<OwnedSemaphorePermit, Error> {
        let room = Arc::clone(&self.storing).acquire_many_owned(permits(size)).await;
        room.map_err(|_| EngineError::Unavailable("the server stops".to_owned()).into())
    }

    /// A body and all that it rests on; `None` when one of them was deleted meanwhile.
    async fn links(&self, address: &Address, last: Link) -> Result<Option<Vec<Link>>, Error> {
        let mut links = vec![last];
        while let Some((seq, base)) = links.last().and_then(|link| Some((link.seq, link.stored.base?))) {
            // Bases are newer, so there is an end.
            if base <= seq {
                return Err(damaged(address, seq, "it rests on an older version"));
            }
            match self.link(address, base).await? {
                Some(base) => links.push(base),
                None => return Ok(None),
            }
        }
        Ok(Some(links))
    }

    /// What is stored of them, the one that stands alone first; `None` when one was stored anew meanwhile.
    async fn stored(&self, address: &Address, links: Vec<Link>) -> Result<Option<Vec<(Link, Bytes)>>, Error> {
        let mut chain = Vec::with_capacity(links.len());
        for link in links.into_iter().rev() {
            match self.engine.blob(link.stored.blob.0, WITH_TAIL).await {
                Ok(Some(stored)) => chain.push((link, stored)),
                Ok(None) => return Ok(None),
                Err(EngineError::Corrupt(why)) => return Err(damaged(address, link.seq, why)),
                Err(other) => return Err(other.into()),
            }
        }
        Ok(Some(chain))
    }

    async fn open(&self, address: &Address, chain: Vec<(Link, Bytes)>) -> Result<Bytes, Error> {
        let size = chain.iter().map(|(link, _)| link.size).max().unwrap_or_default();
        let ring = self.ring().await?;
        let opened = beside(size, move || open_chain(&chain, &ring)).await?;
        let opened = opened.map_err(|(seq, why)| unopened(address, seq, why));
        opened.map(Bytes::from)
    }

    /// How the body of this number lies now.
    async fn look_again(&self, address: &Address, seq: u64) -> Result<Link, Error> {
        let link = self.link(address, seq).await?;
        // It was deleted meanwhile: who looks for it again finds what is there now.
        link.ok_or_else(|| Error::Busy(address.to_string()))
    }

    /// The body of a version, current or older, or of a refused write.
    async fn link(&self, address: &Address, seq: u64) -> Result<Option<Link>, Error> {
        // The current version becomes an older one at any time, and rarely the other way round.
        for _ in 0..2 {
            let (record, _) = self.load(address).await?;
            let version = match record.head {
                Some(head) if head.seq == seq => Some(head),
                _ => self.older(address, seq).await?,
            };
            if let Some(body) = version.and_then(|version| version.body) {
                return Link::of(address, seq, &body).map(Some);
            }
        }
        let row = rows::quarantined(address, seq);
        let Some(entry) = self.engine.get(&row).await? else {
            return Ok(None);
        };
        let refused: crate::RefusedWrite = rows::decode(&row, &entry.value)?;
        Link::of(address, seq, &refused.body).map(Some)
    }

    /// Whether what is stored of a body is what was stored, to the last bit; what is not may still read back, from its tail.
    pub(crate) async fn is_undamaged(&self, stored: &Stored) -> Result<bool, Error> {
        let length = in_memory(stored.bytes())?;
        let Some(found) = self.engine.blob(stored.blob.0, WITH_TAIL).await? else {
            return Ok(false);
        };
        beside(found.len(), move || parity::is_whole(&found, length)).await
    }

    /// The bytes of a body that no version has, such as a part of an upload; `None` when it is gone.
    pub(crate) async fn read_alone(
        &self,
        address: &Address,
        size: u64,
        stored: &Stored,
    ) -> Result<Option<Bytes>, Error> {
        let link = Link::new(address, 0, size, stored)?;
        let Some(sealed) = self.engine.blob(stored.blob.0, WITH_TAIL).await? else {
            return Ok(None);
        };
        self.open(address, vec![(link, sealed)]).await.map(Some)
    }
}

impl Link {
    fn of(address: &Address, seq: u64, body: &Body) -> Result<Link, Error> {
        Link::new(address, seq, body.size, &body.stored)
    }

    fn new(address: &Address, seq: u64, size: u64, stored: &Stored) -> Result<Link, Error> {
        // Memory is taken for it before its bytes are looked at.
        if size > SIZE_MAX {
            return Err(damaged(address, seq, OTHER_SIZE));
        }
        Ok(Link {
            seq,
            size: in_memory(size)?,
            stored: stored.clone(),
        })
    }
}

fn in_memory(size: u64) -> Result<usize, Error> {
    usize::try_from(size).map_err(|_| Error::TooLarge)
}

/// Why a body could not be opened.
fn unopened(address: &Address, seq: u64, why: OpenError) -> Error {
    match why {
        OpenError::Kms(why) => Error::Kms(why),
        OpenError::NoRootKey(_) | OpenError::Damaged(_) => damaged(address, seq, why),
    }
}

pub(crate) fn damaged(address: &Address, seq: u64, why: impl ToString) -> Error {
    Error::Damaged {
        address: address.clone(),
        version: seq,
        why: why.to_string(),
    }
}

/// Does work on so many bytes: here when it is short, else beside the event loop.
pub(crate) async fn beside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if bytes < PARSE_INLINE_BYTES_MAX {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|ended| EngineError::Unavailable(ended.to_string()).into())
}
