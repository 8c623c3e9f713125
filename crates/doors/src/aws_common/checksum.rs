//! The five checksums of S3: of bytes, of a stream, and of a multipart object from those of its parts.
//! Source: "Checking object integrity", Amazon S3 user guide.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 of ISO 3309.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64 of NVMe; S3's own choice where a client names none.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// All of them, in the order in which AWS lists them.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// `CRC32`, as in `x-amz-checksum-algorithm` and in `ChecksumAlgorithm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// `x-amz-checksum-crc32`.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm of a header or trailer name, in any case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// The length of its checksum in bytes.
    pub fn len_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// A checksum and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Checksum {
    /// The checksum of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads the base64 form; none if it is not base64 or not of the algorithm's length.
    pub fn from_base64(algorithm: Algorithm, text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        (bytes.len() == algorithm.len_bytes()).then_some(Self { algorithm, bytes })
    }

    /// The form of headers and documents.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// What made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `COMPOSITE` checksum of a multipart object: `<base64 of the checksum of the parts' checksums>-<parts>`.
    /// None for no parts, parts of different algorithms, and CRC64NVME, which has no such form.
    pub fn composite<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Option<String> {
        let mut parts = parts.into_iter().peekable();
        let algorithm = parts.peek()?.algorithm;
        if algorithm == Algorithm::Crc64Nvme {
            return None;
        }
        let mut hasher = Hasher::new(algorithm);
        let mut count = 0;
        for part in parts {
            if part.algorithm != algorithm {
                return None;
            }
            hasher.update(&part.bytes);
            count += 1;
        }
        Some(format!("{}-{count}", hasher.finish().to_base64()))
    }

    /// The `FULL_OBJECT` checksum of a multipart object from those of its parts with their lengths in bytes.
    /// None for no parts, parts of different algorithms, and the SHA algorithms, which cannot be combined.
    pub fn full_object<'a>(parts: impl IntoIterator<Item = (&'a Self, u64)>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let (first, _) = parts.next()?;
        let crc = first.algorithm.crc()?;
        let mut sum = first.number();
        for (part, len_bytes) in parts {
            if part.algorithm != first.algorithm {
                return None;
            }
            sum = crc_fast::checksum_combine(crc, sum, part.number(), len_bytes);
        }
        Some(Self::from_number(first.algorithm, sum))
    }

    fn number(&self) -> u64 {
        self.bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn from_number(algorithm: Algorithm, number: u64) -> Self {
        let bytes = number.to_be_bytes()[8 - algorithm.len_bytes().min(8)..].to_vec();
        Self { algorithm, bytes }
    }
}

/// Makes a checksum of a stream.
pub struct Hasher {
    algorithm: Algorithm,
    state: HasherState,
}

enum HasherState {
    Crc(Box<crc_fast::Digest>),
    Sha(digest::Context),
}

impl Hasher {
    /// A checksum of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let crc = |crc| HasherState::Crc(Box::new(crc_fast::Digest::new(crc)));
        let state = match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => HasherState::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Sha256 => HasherState::Sha(digest::Context::new(&digest::SHA256)),
        };
        Self { algorithm, state }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HasherState::Crc(state) => state.update(bytes),
            HasherState::Sha(state) => state.update(bytes),
        }
    }

    /// The checksum of all bytes taken.
    pub fn finish(self) -> Checksum {
        match self.state {
            HasherState::Crc(state) => Checksum::from_number(self.algorithm, state.finalize()),
            HasherState::Sha(state) => Checksum {
                algorithm: self.algorithm,
                bytes: state.finish().as_ref().to_vec(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The check values of the CRC catalogue, and the SHA digests, of `123456789`.
    const CHECKS: [(Algorithm, &str); 5] = [
        (Algorithm::Crc32, "cbf43926"),
        (Algorithm::Crc32c, "e3069283"),
        (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (
            Algorithm::Sha256,
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        ),
    ];

    #[test]
    fn checksums_have_their_published_check_values() {
        for (algorithm, expected) in CHECKS {
            let sum = Checksum::of(algorithm, b"123456789");
            assert_eq!(hex::encode(&sum.bytes), expected, "{algorithm:?}");
            assert_eq!(Checksum::from_base64(algorithm, &sum.to_base64()), Some(sum));
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_header(algorithm.header()), Some(algorithm));
        }
    }

    #[test]
    fn checksum_of_another_length_is_refused() {
        assert_eq!(
            Checksum::from_base64(Algorithm::Crc32, &STANDARD.encode([0; 5])),
            None
        );
        assert_eq!(Checksum::from_base64(Algorithm::Sha256, "AAAAAA=="), None);
        assert_eq!(Checksum::from_base64(Algorithm::Crc32, "AAAAAA"), None);
    }

    #[test]
    fn full_object_checksum_of_parts_is_that_of_the_whole() {
        for algorithm in Algorithm::ALL {
            let [first, second, third] =
                [&b"12345"[..], b"", b"6789"].map(|part| (Checksum::of(algorithm, part), part.len() as u64));
            let whole = Checksum::full_object([&first, &second, &third].map(|(sum, len)| (sum, *len)));
            let crc = algorithm.crc().is_some();
            assert_eq!(
                whole,
                crc.then(|| Checksum::of(algorithm, b"123456789")),
                "{algorithm:?}"
            );
        }
        let [crc32, crc32c] =
            [Algorithm::Crc32, Algorithm::Crc32c].map(|algorithm| Checksum::of(algorithm, b"x"));
        assert_eq!(Checksum::full_object([(&crc32, 1), (&crc32c, 1)]), None);
        assert_eq!(Checksum::full_object([]), None);
    }

    #[test]
    fn composite_checksum_is_that_of_the_parts_checksums_and_their_number() {
        let parts = [&b"12345"[..], b"6789"].map(|part| Checksum::of(Algorithm::Sha256, part));
        let joined: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
        let expected = format!("{}-2", Checksum::of(Algorithm::Sha256, &joined).to_base64());
        assert_eq!(Checksum::composite(&parts), Some(expected));
        assert_eq!(
            Checksum::composite(&[Checksum::of(Algorithm::Crc64Nvme, b"x")]),
            None
        );
        assert_eq!(Checksum::composite(&[]), None);
    }
}
