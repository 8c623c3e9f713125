//! Which checksum a body must have, from the headers that announce it and the trailer that may bring it.

use http::HeaderMap;

use super::PayloadError;
use crate::aws_common::authorization::single;
use crate::aws_common::checksum::{Algorithm, Checksum};
use crate::aws_common::sigv4::PayloadForm;

/// The checksum to hold the body to.
pub(super) enum ExpectedChecksum {
    None,
    Header(Checksum),
    Trailer(Algorithm),
}

impl ExpectedChecksum {
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::None => None,
            Self::Header(checksum) => Some(checksum.algorithm()),
            Self::Trailer(algorithm) => Some(*algorithm),
        }
    }

    pub(super) fn read(headers: &HeaderMap, form: &PayloadForm) -> Result<Self, PayloadError> {
        let mut expected = Self::None;
        for name in headers.keys().map(http::HeaderName::as_str) {
            let Some(suffix) = name.strip_prefix("x-amz-checksum-") else {
                continue;
            };
            if matches!(suffix, "algorithm" | "mode" | "type") {
                continue;
            }
            let algorithm = Algorithm::from_header(name).ok_or(PayloadError::UnknownAlgorithm)?;
            let value = single(headers, name).and_then(|value| Checksum::from_base64(algorithm, value));
            let checksum = value.ok_or(PayloadError::InvalidChecksum(algorithm))?;
            if expected.algorithm().is_some() {
                return Err(PayloadError::SeveralChecksums);
            }
            expected = Self::Header(checksum);
        }
        if headers.contains_key("x-amz-trailer") {
            let may_follow = match form {
                PayloadForm::SignedChunks { trailer, .. } => *trailer,
                PayloadForm::UnsignedChunks => true,
                PayloadForm::Sha256(_) | PayloadForm::Unsigned => false,
            };
            let algorithm = single(headers, "x-amz-trailer").and_then(Algorithm::from_header);
            let algorithm = algorithm
                .filter(|_| may_follow)
                .ok_or(PayloadError::UnsupportedTrailer)?;
            if expected.algorithm().is_some() {
                return Err(PayloadError::SeveralChecksums);
            }
            expected = Self::Trailer(algorithm);
        }
        if let Some(name) = headers.get("x-amz-sdk-checksum-algorithm") {
            let announced = name.to_str().ok().and_then(Algorithm::from_name);
            let announced = announced.ok_or(PayloadError::UnknownAlgorithm)?;
            if expected.algorithm() != Some(announced) {
                return Err(PayloadError::AnnouncedChecksumMissing);
            }
        }
        Ok(expected)
    }

    /// The checksum to compare with, once the trailer that was to bring it is there. No other trailer may come.
    pub(super) fn with_trailers(
        self,
        trailers: Vec<(String, String)>,
    ) -> Result<Option<Checksum>, PayloadError> {
        match (self, trailers.as_slice()) {
            (Self::None, []) => Ok(None),
            (Self::Header(checksum), []) => Ok(Some(checksum)),
            (Self::Trailer(algorithm), [(name, value)]) if name == algorithm.header() => {
                Checksum::from_base64(algorithm, value)
                    .map(Some)
                    .ok_or(PayloadError::InvalidChecksum(algorithm))
            }
            _ => Err(PayloadError::MalformedTrailer),
        }
    }
}
