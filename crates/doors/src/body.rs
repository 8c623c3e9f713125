//! The body of an answer: whole, or read from the service piece by piece, so that a large state costs little memory.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tidelock_core::{Body, limits::STREAM_PIECE_BYTES};
use tidelock_service::{Error, Service};

/// The body of an answer.
pub type DoorBody = UnsyncBoxBody<Bytes, BodyError>;

/// An answer broke off after its head was sent: the version was deleted meanwhile, or the engine failed.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be read to its end: {0}")]
pub struct BodyError(Error);

/// A body that is all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> DoorBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The bytes `range` of a stored body. The first piece is read before this returns, so that what fails at once
/// still gets a proper error.
pub(crate) async fn stream(
    service: &Arc<Service>,
    body: &Body,
    range: Range<u64>,
) -> Result<DoorBody, Error> {
    let first = service.read(body, piece(&range)).await?;
    let rest = range.start + first.len() as u64..range.end;
    if rest.is_empty() {
        return Ok(full(first));
    }
    let (service, body) = (Arc::clone(service), body.clone());
    let pieces = stream::try_unfold(rest, move |rest| {
        let (service, body) = (Arc::clone(&service), body.clone());
        async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let bytes = service.read(&body, piece(&rest)).await.map_err(BodyError)?;
            let rest = rest.start + bytes.len() as u64..rest.end;
            Ok(Some((Frame::data(bytes), rest)))
        }
    });
    let first = stream::once(async move { Ok(Frame::data(first)) });
    Ok(StreamBody::new(first.chain(pieces)).boxed_unsync())
}

fn piece(range: &Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start + STREAM_PIECE_BYTES)
}
