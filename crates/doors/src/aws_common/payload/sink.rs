//! Where the plain bytes of a body gather, and the digests that are made as they come.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::limits::BODY_STEP_BYTES;

use super::{Body, PayloadError};
use crate::aws_common::checksum::{Algorithm, Checksum, Hasher};

/// Bytes as they come, never more than declared or allowed, in memory that grows with what has come.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    declared_bytes: Option<u64>,
    max_bytes: u64,
}

impl Buffer {
    pub(super) fn new(declared_bytes: Option<u64>, max_bytes: u64) -> Result<Self, PayloadError> {
        match declared_bytes {
            Some(proposed_bytes) if proposed_bytes > max_bytes => Err(PayloadError::TooLarge {
                proposed_bytes,
                max_bytes,
            }),
            _ => Ok(Self {
                bytes: Vec::new(),
                declared_bytes,
                max_bytes,
            }),
        }
    }

    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), PayloadError> {
        let after = self.bytes.len() + data.len();
        if self
            .declared_bytes
            .is_some_and(|declared| after as u64 > declared)
        {
            return Err(PayloadError::IncompleteBody);
        }
        if after as u64 > self.max_bytes {
            return Err(PayloadError::TooLarge {
                proposed_bytes: after as u64,
                max_bytes: self.max_bytes,
            });
        }
        if after > self.bytes.capacity() {
            let end = self.declared_bytes.unwrap_or(self.max_bytes);
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            let step = (self.bytes.len() + BODY_STEP_BYTES.max(self.bytes.len()))
                .min(end)
                .max(after);
            self.bytes.reserve_exact(step - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Bytes, PayloadError> {
        if self
            .declared_bytes
            .is_some_and(|declared| declared != self.bytes.len() as u64)
        {
            return Err(PayloadError::IncompleteBody);
        }
        Ok(Bytes::from(self.bytes))
    }
}

/// A buffer with the digests that are made as it fills.
pub(super) struct Sink {
    buffer: Buffer,
    md5: Md5,
    sha256: Option<digest::Context>,
    checksum: Option<Hasher>,
}

impl Sink {
    /// `hashed` where the SHA-256 is wanted, `checksum` where one of S3's is.
    pub(super) fn new(
        declared_bytes: Option<u64>,
        max_bytes: u64,
        hashed: bool,
        checksum: Option<Algorithm>,
    ) -> Result<Self, PayloadError> {
        Ok(Self {
            buffer: Buffer::new(declared_bytes, max_bytes)?,
            md5: Md5::new(),
            sha256: hashed.then(|| digest::Context::new(&digest::SHA256)),
            checksum: checksum.map(Hasher::new),
        })
    }

    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), PayloadError> {
        self.buffer.push(data)?;
        self.md5.update(data);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(data);
        }
        Ok(())
    }

    pub(super) fn finish(
        self,
        sha256: Option<[u8; 32]>,
        content_md5: Option<[u8; 16]>,
        expected: Option<Checksum>,
    ) -> Result<Body, PayloadError> {
        let bytes = self.buffer.finish()?;
        if let (Some(stated), Some(computed)) = (sha256, self.sha256.map(digest::Context::finish))
            && computed.as_ref() != stated
        {
            let [stated, computed] = [hex::encode(stated), hex::encode(computed)];
            return Err(PayloadError::Sha256Mismatch { stated, computed });
        }
        let md5: [u8; 16] = self.md5.finalize().into();
        if let Some(sent) = content_md5.filter(|sent| *sent != md5) {
            let [expected, calculated] = [sent, md5].map(|digest| STANDARD.encode(digest));
            return Err(PayloadError::BadDigest { expected, calculated });
        }
        let checksum = self.checksum.map(Hasher::finish);
        if let Some(sent) = expected.as_ref().filter(|sent| checksum.as_ref() != Some(*sent)) {
            return Err(PayloadError::ChecksumMismatch(sent.algorithm()));
        }
        Ok(Body { bytes, md5, checksum })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_grows_with_what_came_and_not_with_what_was_declared() {
        let mut buffer = Buffer::new(Some(1 << 40), 1 << 41).unwrap();
        buffer.push(&[0; 10]).unwrap();
        assert!(
            buffer.bytes.capacity() <= BODY_STEP_BYTES,
            "{}",
            buffer.bytes.capacity()
        );
    }

    #[test]
    fn large_body_takes_no_more_memory_than_its_own_size() {
        let len = 40 * BODY_STEP_BYTES + 7;
        let mut buffer = Buffer::new(Some(len as u64), u64::MAX).unwrap();
        let frame = [0; 16 * 1024];
        while buffer.bytes.len() < len {
            buffer
                .push(&frame[..frame.len().min(len - buffer.bytes.len())])
                .unwrap();
            assert!(buffer.bytes.capacity() <= len);
        }
        assert_eq!(buffer.finish().unwrap().len(), len);
    }
}
