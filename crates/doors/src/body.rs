//! The body of an answer: whole, or read from the service piece by piece, so that a large state costs little memory.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tidelock_service::{Error, Reading};

/// The body of an answer.
pub type DoorBody = UnsyncBoxBody<Bytes, BodyError>;

/// An answer broke off after its head was sent: the version was deleted meanwhile, or the engine failed.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be read to its end: {0}")]
pub struct BodyError(pub(crate) Error);

/// A body that is all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> DoorBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What is left of a stored body. The first piece is read before this returns, so that what fails at once still gets a
/// proper error.
pub(crate) async fn stream(mut reading: Reading) -> Result<DoorBody, Error> {
    let Some(first) = reading.next().await? else {
        return Ok(full(Bytes::new()));
    };
    if reading.is_over() {
        return Ok(full(first));
    }
    let pieces = stream::try_unfold(reading, |mut reading| async move {
        let piece = reading.next().await.map_err(BodyError)?;
        Ok(piece.map(|bytes| (Frame::data(bytes), reading)))
    });
    let first = stream::once(async move { Ok(Frame::data(first)) });
    Ok(StreamBody::new(first.chain(pieces)).boxed_unsync())
}
