//! Why a body is refused, and how S3 says so ("Error responses", Amazon S3 API reference).

use http::StatusCode;

use crate::aws_common::checksum::Algorithm;
use crate::aws_common::error::AwsError;

/// Why a body was refused. Nothing of it may be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The connection ended early, or the length is not the one declared.
    #[error("the body is not as long as declared")]
    IncompleteBody,
    /// Nothing came for longer than [`tidelock_core::limits::BODY_IDLE_MS`].
    #[error("nothing was sent for too long")]
    Idle,
    /// Longer than the operation takes.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// What was declared or had come, in bytes.
        proposed_bytes: u64,
        /// The bound, in bytes.
        max_bytes: u64,
    },
    /// No length was declared.
    #[error("the length of the body is not declared")]
    MissingContentLength,
    /// A length that is no number.
    #[error("the declared length is not a number")]
    InvalidContentLength,
    /// `Content-MD5` is not the base64 of 16 bytes.
    #[error("Content-MD5 is malformed")]
    InvalidDigest,
    /// `Content-MD5` is of another body.
    #[error("Content-MD5 does not match")]
    BadDigest {
        /// What the client sent, in base64.
        expected: String,
        /// What came, in base64.
        calculated: String,
    },
    /// The body has another checksum.
    #[error("{} does not match", .0.name())]
    ChecksumMismatch(Algorithm),
    /// A checksum header is not base64 of the right length.
    #[error("{} is malformed", .0.header())]
    InvalidChecksum(Algorithm),
    /// More than one checksum was sent.
    #[error("more than one checksum")]
    SeveralChecksums,
    /// An algorithm that S3 does not have.
    #[error("unknown checksum algorithm")]
    UnknownAlgorithm,
    /// `x-amz-sdk-checksum-algorithm` without the checksum it announces.
    #[error("the announced checksum is missing")]
    AnnouncedChecksumMissing,
    /// The body has another SHA-256 than the one signed.
    #[error("x-amz-content-sha256 does not match")]
    Sha256Mismatch {
        /// What was signed, in hexadecimal.
        stated: String,
        /// What came, in hexadecimal.
        computed: String,
    },
    /// A chunk or the trailer has another signature.
    #[error("the signature of a chunk does not match")]
    ChunkSignatureMismatch,
    /// The chunks cannot be told apart.
    #[error("the aws-chunked body is malformed")]
    MalformedChunk,
    /// A small chunk that is not the last.
    #[error("a chunk that is not the last is smaller than 8192 bytes")]
    InvalidChunkSize,
    /// The trailer is malformed, or another than the one announced.
    #[error("the trailer is malformed")]
    MalformedTrailer,
    /// `x-amz-trailer` names something else than a checksum, or no trailer can follow.
    #[error("the announced trailer is not supported")]
    UnsupportedTrailer,
}

impl PayloadError {
    /// As the services of the JSON protocols say it.
    pub(crate) fn json(&self) -> AwsError {
        let (status, code) = match self {
            PayloadError::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException")
            }
            _ => (StatusCode::BAD_REQUEST, "SerializationException"),
        };
        AwsError::new(status, code, self.to_string())
    }

    // tidy: table
    /// As S3 says it.
    pub fn s3(&self) -> AwsError {
        let bad = |code, message: &str| AwsError::new(StatusCode::BAD_REQUEST, code, message);
        match self {
            Self::Idle => bad(
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period. \
                 Idle connections will be closed.",
            ),
            Self::IncompleteBody => bad(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            Self::TooLarge {
                proposed_bytes,
                max_bytes,
            } => bad(
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            )
            .with("ProposedSize", proposed_bytes.to_string())
            .with("MaxSizeAllowed", max_bytes.to_string()),
            Self::MissingContentLength => AwsError::new(
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLength",
                "You must provide the Content-Length HTTP header.",
            ),
            Self::InvalidContentLength => {
                bad("InvalidArgument", "The declared content length is not a number.")
            }
            Self::InvalidDigest => bad("InvalidDigest", "The Content-MD5 you specified was invalid."),
            Self::BadDigest { expected, calculated } => bad(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            )
            .with("ExpectedDigest", expected)
            .with("CalculatedDigest", calculated),
            Self::ChecksumMismatch(algorithm) => bad(
                "BadDigest",
                &format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                ),
            ),
            Self::InvalidChecksum(algorithm) => bad(
                "InvalidRequest",
                &format!("Value for {} header is invalid.", algorithm.header()),
            ),
            Self::SeveralChecksums => bad(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ),
            Self::UnknownAlgorithm => bad(
                "InvalidRequest",
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            ),
            Self::AnnouncedChecksumMissing => bad(
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found.",
            ),
            Self::Sha256Mismatch { stated, computed } => bad(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
            .with("ClientComputedContentSHA256", stated)
            .with("S3ComputedContentSHA256", computed),
            Self::ChunkSignatureMismatch => AwsError::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            ),
            Self::MalformedChunk => bad("IncompleteBody", "The request body terminated unexpectedly"),
            Self::InvalidChunkSize => AwsError::new(
                StatusCode::FORBIDDEN,
                "InvalidChunkSizeError",
                "Only the last chunk is allowed to have a size less than 8192 bytes",
            ),
            Self::MalformedTrailer => bad(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform to our published schema.",
            ),
            Self::UnsupportedTrailer => bad(
                "InvalidRequest",
                "The value specified in the x-amz-trailer header is not supported",
            ),
        }
    }
}
