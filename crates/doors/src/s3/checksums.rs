//! The checksums kept with an object: which there are, and how they travel in headers and documents.

use tidelock_core::Content;

use super::{
    error::{Code, Error, Result},
    headers::text,
    xml::Document,
};
pub(crate) use crate::aws_common::kept_checksums::COMPOSITE;
use crate::aws_common::{
    checksum::{Algorithm, Checksum},
    kept_checksums::TYPE,
};

/// The algorithm that an upload was begun with.
const ALGORITHM: &str = "x-amz-checksum-algorithm";
/// Of the whole object.
pub(crate) const FULL_OBJECT: &str = "FULL_OBJECT";

/// The headers under which the checksum of a whole object is kept.
pub(crate) fn kept(checksum: &Checksum) -> [(String, String); 2] {
    kept_as(checksum.algorithm(), checksum.to_base64(), FULL_OBJECT)
}

/// The headers under which a checksum is kept.
pub(crate) fn kept_as(algorithm: Algorithm, value: String, kind: &str) -> [(String, String); 2] {
    [
        (algorithm.header().to_owned(), value),
        (TYPE.to_owned(), kind.to_owned()),
    ]
}

/// Whether a kept header is about a checksum, and so not shown unless asked for.
pub(crate) fn is_checksum(name: &str) -> bool {
    name.starts_with("x-amz-checksum-")
}

/// The checksum of a stored object, as headers; the type goes with it.
pub(crate) fn shown(content: &Content) -> impl Iterator<Item = (&str, &str)> {
    let headers = content.headers.iter();
    headers
        .filter(|(name, _)| is_checksum(name) && *name != ALGORITHM)
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The checksum of a stored object and what made it.
pub(crate) fn of(content: &Content) -> Option<(Algorithm, &str)> {
    let find = |algorithm: Algorithm| Some((algorithm, content.headers.get(algorithm.header())?.as_str()));
    Algorithm::ALL.into_iter().find_map(find)
}

/// Writes the checksum of a stored object into a document: `ChecksumCRC32`, `ChecksumType`.
pub(crate) fn tell(xml: &mut Document, content: &Content) {
    if let Some((algorithm, value)) = of(content) {
        xml.text(&element(algorithm), value)
            .maybe("ChecksumType", content.headers.get(TYPE));
    }
}

/// Writes what a listing says of it: algorithm and type.
pub(crate) fn tell_algorithm(xml: &mut Document, content: &Content) {
    if let Some((algorithm, _)) = of(content) {
        xml.text("ChecksumAlgorithm", algorithm.name())
            .maybe("ChecksumType", content.headers.get(TYPE));
    }
}

/// `ChecksumCRC32`, as documents name it.
pub(crate) fn element(algorithm: Algorithm) -> String {
    format!("Checksum{}", algorithm.name())
}

/// The algorithm that a copy or an upload is to use.
///
/// # Errors
/// `InvalidRequest` in S3's words for one that it does not have.
pub(crate) fn wanted(headers: &http::HeaderMap) -> Result<Option<Algorithm>> {
    let Some(name) = text(headers, ALGORITHM)? else {
        return Ok(None);
    };
    Algorithm::from_name(name).map(Some).ok_or_else(|| {
        Error::because(
            Code::InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             CRC64NVME, SHA1, SHA256]",
        )
    })
}

/// What an upload is begun with: the algorithm of its parts, and how they make the checksum of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) full_object: bool,
}

impl UploadChecksum {
    /// Reads it from the headers of CreateMultipartUpload.
    ///
    /// # Errors
    /// `InvalidRequest` for an algorithm or a combination that S3 does not have.
    pub(crate) fn read(headers: &http::HeaderMap) -> Result<Option<UploadChecksum>> {
        let invalid = |message: String| Error::because(Code::InvalidRequest, message);
        let kind = text(headers, TYPE)?;
        let Some(algorithm) = wanted(headers)? else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(invalid(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.".to_owned(),
                )),
            };
        };
        let full_object = match kind {
            None => algorithm == Algorithm::Crc64Nvme,
            Some(FULL_OBJECT) => true,
            Some(COMPOSITE) => false,
            Some(_) => {
                return Err(invalid(
                    "Value for x-amz-checksum-type header is invalid.".to_owned(),
                ));
            }
        };
        let possible = match algorithm {
            Algorithm::Sha1 | Algorithm::Sha256 => !full_object,
            Algorithm::Crc64Nvme => full_object,
            Algorithm::Crc32 | Algorithm::Crc32c => true,
        };
        if !possible {
            return Err(invalid(format!(
                "The {} checksum type cannot be used with the {} checksum algorithm.",
                kind.unwrap_or_default(),
                algorithm.name().to_lowercase()
            )));
        }
        Ok(Some(UploadChecksum {
            algorithm,
            full_object,
        }))
    }

    /// The headers under which it is kept with the upload.
    pub(crate) fn kept(self) -> [(String, String); 2] {
        [
            (ALGORITHM.to_owned(), self.algorithm.name().to_owned()),
            (TYPE.to_owned(), self.kind().to_owned()),
        ]
    }

    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) fn kind(self) -> &'static str {
        if self.full_object { FULL_OBJECT } else { COMPOSITE }
    }

    /// What was kept with an upload.
    pub(crate) fn of(content: &Content) -> Option<UploadChecksum> {
        let algorithm = Algorithm::from_name(content.headers.get(ALGORITHM)?)?;
        let full_object = content.headers.get(TYPE).is_some_and(|kind| kind == FULL_OBJECT);
        Some(UploadChecksum {
            algorithm,
            full_object,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(algorithm: &str, kind: &str) -> Result<Option<UploadChecksum>> {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [(ALGORITHM, algorithm), (TYPE, kind)] {
            if !value.is_empty() {
                headers.insert(http::HeaderName::from_static(name), value.parse().unwrap());
            }
        }
        UploadChecksum::read(&headers)
    }

    #[test]
    fn each_algorithm_has_its_types() {
        let kind = |algorithm, kind| read(algorithm, kind).unwrap().map(UploadChecksum::kind);
        assert_eq!(kind("CRC32", ""), Some(COMPOSITE));
        assert_eq!(kind("CRC32", FULL_OBJECT), Some(FULL_OBJECT));
        assert_eq!(kind("CRC64NVME", ""), Some(FULL_OBJECT));
        assert_eq!(kind("SHA256", ""), Some(COMPOSITE));
        assert_eq!(kind("", ""), None);
        for (algorithm, kind) in [
            ("SHA256", FULL_OBJECT),
            ("CRC64NVME", COMPOSITE),
            ("MD5", ""),
            ("", FULL_OBJECT),
            ("CRC32", "HALF"),
        ] {
            let error = read(algorithm, kind).unwrap_err();
            assert_eq!(error.code, "InvalidRequest", "{algorithm} {kind}");
        }
    }

    #[test]
    fn what_is_kept_with_an_upload_is_found_again() {
        let upload = read("CRC32C", FULL_OBJECT).unwrap().unwrap();
        let content = Content {
            headers: upload.kept().into(),
            ..Content::default()
        };
        assert_eq!(UploadChecksum::of(&content), Some(upload));
        assert_eq!(of(&content), None);
    }
}
