//! Decodes an aws-chunked body: chunks and trailer off the wire, with their signatures checked one by one.
//! Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
//! "… (Including Trailing Headers)", Amazon S3 API reference.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;
use tidelock_core::limits::{CHUNK_BYTES_MIN, CHUNK_LINE_BYTES_MAX, CHUNK_TRAILERS_MAX};

use super::authorization::parse_signature;
use super::canonical::sha256_hex;
use super::payload::PayloadError;

/// Each signature covers the one before it; the first covers that of the headers.
pub struct ChunkChain {
    key: Arc<hmac::Key>,
    date_and_scope: String,
    previous: [u8; 32],
    empty_hash: String,
}

impl fmt::Debug for ChunkChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkChain").finish_non_exhaustive()
    }
}

impl ChunkChain {
    pub(super) fn new(key: Arc<hmac::Key>, date: &str, scope: &str, seed: [u8; 32]) -> Self {
        let date_and_scope = format!("{date}\n{scope}");
        Self {
            key,
            date_and_scope,
            previous: seed,
            empty_hash: sha256_hex(b""),
        }
    }

    fn check_chunk(&mut self, hash: &str, signature: [u8; 32]) -> Result<(), PayloadError> {
        let covered = format!("{}\n{hash}", self.empty_hash);
        self.check("AWS4-HMAC-SHA256-PAYLOAD", &covered, signature)
    }

    fn check_trailer(&mut self, hash: &str, signature: [u8; 32]) -> Result<(), PayloadError> {
        self.check("AWS4-HMAC-SHA256-TRAILER", hash, signature)
    }

    fn check(&mut self, algorithm: &str, covered: &str, signature: [u8; 32]) -> Result<(), PayloadError> {
        let previous = hex::encode(self.previous);
        let text = format!("{algorithm}\n{}\n{previous}\n{covered}", self.date_and_scope);
        let expected = hmac::sign(&self.key, text.as_bytes());
        if !bool::from(expected.as_ref().ct_eq(&signature)) {
            return Err(PayloadError::ChunkSignatureMismatch);
        }
        self.previous = signature;
        Ok(())
    }
}

/// What the next byte belongs to.
enum State {
    Header,
    Data {
        left: u64,
    },
    /// The line break after a chunk's data.
    DataEnd,
    /// The line break after the last chunk, where no trailer follows.
    LastEnd,
    Trailer,
    Done,
}

/// The signature that the chunk being read must have.
struct OpenChunk {
    hash: digest::Context,
    signature: [u8; 32],
}

/// Takes the wire's bytes in whatever pieces they come.
pub(super) struct ChunkDecoder {
    state: State,
    line: Vec<u8>,
    chain: Option<ChunkChain>,
    open: Option<OpenChunk>,
    has_trailer: bool,
    trailers: Vec<(String, String)>,
    previous_len: Option<u64>,
}

impl ChunkDecoder {
    /// `chain` where chunks are signed.
    pub(super) fn new(chain: Option<ChunkChain>, has_trailer: bool) -> Self {
        Self {
            state: State::Header,
            line: Vec::new(),
            chain,
            open: None,
            has_trailer,
            trailers: Vec::new(),
            previous_len: None,
        }
    }

    /// Decodes `input`, giving each run of plain bytes to `out`. These are not to be used before [`Self::finish`].
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        while !input.is_empty() {
            if let State::Data { left } = &mut self.state {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                let (data, rest) = input.split_at(len);
                *left -= len as u64;
                let done = *left == 0;
                input = rest;
                if let Some(open) = &mut self.open {
                    open.hash.update(data);
                }
                out(data)?;
                if done {
                    self.state = State::DataEnd;
                    self.close_chunk()?;
                }
            } else if self.take_line(&mut input)? {
                let line = std::mem::take(&mut self.line);
                self.on_line(&line[..line.len() - 2])?;
            }
        }
        Ok(())
    }

    /// The trailers, if the body came to its end.
    pub(super) fn finish(self) -> Result<Vec<(String, String)>, PayloadError> {
        match self.state {
            State::Done => Ok(self.trailers),
            State::Header | State::Data { .. } | State::DataEnd | State::LastEnd | State::Trailer => {
                Err(PayloadError::IncompleteBody)
            }
        }
    }

    /// Moves input to the line; true once that ends with CR LF.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, PayloadError> {
        let end = input
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(input.len(), |at| at + 1);
        let (taken, rest) = input.split_at(end);
        if self.line.len() + taken.len() > CHUNK_LINE_BYTES_MAX {
            return Err(PayloadError::MalformedChunk);
        }
        self.line.extend_from_slice(taken);
        *input = rest;
        Ok(self.line.ends_with(b"\r\n"))
    }

    fn on_line(&mut self, line: &[u8]) -> Result<(), PayloadError> {
        match self.state {
            State::Header => self.on_header(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::Header;
                Ok(())
            }
            State::LastEnd if line.is_empty() => {
                self.state = State::Done;
                Ok(())
            }
            State::Trailer if line.is_empty() => self.close_trailer(),
            State::Trailer => self.on_trailer(line),
            State::DataEnd | State::LastEnd | State::Done | State::Data { .. } => {
                Err(PayloadError::MalformedChunk)
            }
        }
    }

    fn on_header(&mut self, line: &[u8]) -> Result<(), PayloadError> {
        let line = std::str::from_utf8(line).map_err(|_| PayloadError::MalformedChunk)?;
        let (len, signature) = match (&self.chain, line.split_once(";chunk-signature=")) {
            (Some(_), Some((len, signature))) => (
                len,
                Some(parse_signature(signature).ok_or(PayloadError::MalformedChunk)?),
            ),
            (None, None) => (line, None),
            (Some(_), None) | (None, Some(_)) => return Err(PayloadError::MalformedChunk),
        };
        let len = parse_len(len).ok_or(PayloadError::MalformedChunk)?;
        self.open = signature.map(|signature| OpenChunk {
            hash: digest::Context::new(&digest::SHA256),
            signature,
        });
        if len == 0 {
            self.state = if self.has_trailer {
                State::Trailer
            } else {
                State::LastEnd
            };
            return self.close_chunk();
        }
        if self
            .previous_len
            .replace(len)
            .is_some_and(|previous| previous < CHUNK_BYTES_MIN)
        {
            return Err(PayloadError::InvalidChunkSize);
        }
        self.state = State::Data { left: len };
        Ok(())
    }

    fn close_chunk(&mut self) -> Result<(), PayloadError> {
        if let (Some(chain), Some(open)) = (&mut self.chain, self.open.take()) {
            chain.check_chunk(&hex::encode(open.hash.finish()), open.signature)?;
        }
        Ok(())
    }

    /// Some clients write the line feed that the signature covers to the wire as well, as AWS's own example does.
    fn on_trailer(&mut self, line: &[u8]) -> Result<(), PayloadError> {
        let line = std::str::from_utf8(line).map_err(|_| PayloadError::MalformedTrailer)?;
        let line = line.strip_suffix('\n').unwrap_or(line);
        let (name, value) = line.split_once(':').ok_or(PayloadError::MalformedTrailer)?;
        if self.trailers.len() == CHUNK_TRAILERS_MAX || value.contains(['\r', '\n']) {
            return Err(PayloadError::MalformedTrailer);
        }
        self.trailers
            .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    /// The signature of the trailers is itself the last of them.
    fn close_trailer(&mut self) -> Result<(), PayloadError> {
        self.state = State::Done;
        let Some(chain) = &mut self.chain else {
            return Ok(());
        };
        let signature = match self.trailers.pop() {
            Some((name, value)) if name == "x-amz-trailer-signature" => parse_signature(&value),
            Some(_) | None => None,
        };
        let signature = signature.ok_or(PayloadError::MalformedTrailer)?;
        let signed: String = self
            .trailers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        chain.check_trailer(&sha256_hex(signed.as_bytes()), signature)
    }
}

fn parse_len(text: &str) -> Option<u64> {
    let all_digits = (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
