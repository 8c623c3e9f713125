//! Reads a request's body to its plain bytes, once, and holds it to everything that the headers promised:
//! length, SHA-256, chunk signatures, Content-MD5, checksum header or trailer.

mod error;
mod expected;
mod sink;

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http_body_util::BodyExt;
use tidelock_core::limits::BODY_IDLE_MS;
use tokio::time::timeout;

pub use error::PayloadError;
use expected::ExpectedChecksum;
use sink::{Buffer, Sink};

use super::authorization::single;
use super::checksum::Checksum;
use super::chunked::ChunkDecoder;
use super::sigv4::PayloadForm;

/// A body that is what its headers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The plain bytes.
    pub bytes: Bytes,
    /// Their MD5: the ETag of a simple object.
    pub md5: [u8; 16],
    /// The checksum that the client sent, which these bytes have.
    pub checksum: Option<Checksum>,
}

/// What an operation takes.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Longest body, in plain bytes.
    pub max_bytes: u64,
    /// Whether `x-amz-checksum-…` headers speak of this body. In CompleteMultipartUpload they speak of the object.
    pub checksum_is_of_body: bool,
}

/// Reads and checks a body. Headers that cannot be met are refused before the first byte is read.
///
/// # Errors
/// Any [`PayloadError`].
pub async fn read<B>(
    headers: &HeaderMap,
    form: PayloadForm,
    body: B,
    rules: Rules,
) -> Result<Body, PayloadError>
where
    B: http_body::Body<Data = Bytes>,
{
    let expected = match rules.checksum_is_of_body {
        true => ExpectedChecksum::read(headers, &form)?,
        false => ExpectedChecksum::None,
    };
    let content_md5 = content_md5(headers)?;
    let wire_bytes = length(headers, CONTENT_LENGTH.as_str())?;
    let (mut decoder, sha256, plain_bytes) = match form {
        PayloadForm::Sha256(hash) => (None, Some(hash), wire_bytes),
        PayloadForm::Unsigned => (None, None, wire_bytes),
        PayloadForm::SignedChunks { chain, trailer } => (
            Some(ChunkDecoder::new(Some(chain), trailer)),
            None,
            decoded_length(headers)?,
        ),
        PayloadForm::UnsignedChunks => (
            Some(ChunkDecoder::new(None, true)),
            None,
            decoded_length(headers)?,
        ),
    };
    if plain_bytes.is_none() && !body.is_end_stream() {
        return Err(PayloadError::MissingContentLength);
    }
    let mut sink = Sink::new(
        plain_bytes,
        rules.max_bytes,
        sha256.is_some(),
        expected.algorithm(),
    )?;
    let mut body = pin!(body);
    let mut came_bytes = 0;
    while let Some(data) = next_data(body.as_mut()).await? {
        came_bytes += data.len() as u64;
        match &mut decoder {
            None => sink.push(&data)?,
            Some(decoder) => decoder.push(&data, &mut |plain| sink.push(plain))?,
        }
    }
    if wire_bytes.is_some_and(|declared| declared != came_bytes) {
        return Err(PayloadError::IncompleteBody);
    }
    let trailers = decoder.map(ChunkDecoder::finish).transpose()?.unwrap_or_default();
    sink.finish(sha256, content_md5, expected.with_trailers(trailers)?)
}

/// Collects a body of at most `max_bytes`, for services whose clients state no payload hash, with its SHA-256.
///
/// # Errors
/// [`PayloadError::TooLarge`] and [`PayloadError::IncompleteBody`].
pub async fn collect<B>(
    headers: &HeaderMap,
    body: B,
    max_bytes: u64,
) -> Result<(Bytes, [u8; 32]), PayloadError>
where
    B: http_body::Body<Data = Bytes>,
{
    let declared = length(headers, CONTENT_LENGTH.as_str())?;
    let mut buffer = Buffer::new(declared, max_bytes)?;
    let mut body = pin!(body);
    while let Some(data) = next_data(body.as_mut()).await? {
        buffer.push(&data)?;
    }
    let bytes = buffer.finish()?;
    let hash = sha256(&bytes);
    Ok((bytes, hash))
}

/// The next piece of a body; a client that sends nothing for too long gives up its place.
async fn next_data<B>(mut body: Pin<&mut B>) -> Result<Option<Bytes>, PayloadError>
where
    B: http_body::Body<Data = Bytes>,
{
    let idle = Duration::from_millis(BODY_IDLE_MS);
    while let Some(frame) = timeout(idle, body.frame())
        .await
        .map_err(|_| PayloadError::Idle)?
    {
        if let Ok(data) = frame.map_err(|_| PayloadError::IncompleteBody)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// The `Content-Encoding` that an object keeps: all but `aws-chunked`, which is the wire's.
pub fn stored_content_encoding(headers: &HeaderMap) -> Option<String> {
    let kept: Vec<&str> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn length(headers: &HeaderMap, name: &str) -> Result<Option<u64>, PayloadError> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let digits = single(headers, name).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or(PayloadError::InvalidContentLength)
}

fn decoded_length(headers: &HeaderMap) -> Result<Option<u64>, PayloadError> {
    match length(headers, "x-amz-decoded-content-length")? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(PayloadError::MissingContentLength),
    }
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, PayloadError> {
    if !headers.contains_key("content-md5") {
        return Ok(None);
    }
    let bytes = single(headers, "content-md5").and_then(|text| STANDARD.decode(text).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(Some)
        .ok_or(PayloadError::InvalidDigest)
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let silent = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>();
        let collected = collect(&HeaderMap::new(), StreamBody::new(silent), 1_000).await;
        assert_eq!(collected, Err(PayloadError::Idle));
    }
}
