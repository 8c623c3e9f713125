//! What went wrong between us and S3, in a sentence that names bucket, key, code and message.

use std::fmt;

use crate::aws::{Element, Why};

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{call} {subject}: {why}")]
pub struct Error {
    /// The call, in S3's words, such as `GetObject`.
    pub call: &'static str,
    /// What it was about.
    pub subject: Subject,
    /// What went wrong.
    pub why: Why,
}

/// The object, or the bucket, that a call was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The bucket.
    pub bucket: String,
    /// The key; empty where the call is about the bucket.
    pub key: String,
    /// The version, where one was named.
    pub version: Option<String>,
}

impl Error {
    /// S3's code, where it has answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.why.code()
    }

    /// Whether the request was refused for how it was asked, and not for what.
    pub(crate) fn is_bad_request(&self) -> bool {
        matches!(self.why, Why::Refused { status: 400, .. })
    }

    /// Whether the store says that it does not have the call at all.
    #[must_use]
    pub fn is_not_offered(&self) -> bool {
        let Why::Refused { status, code, .. } = &self.why else {
            return false;
        };
        matches!(status, 405 | 501) || matches!(code.as_str(), "NotImplemented" | "MethodNotAllowed")
    }
}

/// What S3 said instead of doing it. An answer to HEAD has no body, so that the status must do.
pub(super) fn refused(status: http::StatusCode, region: Option<String>, body: &[u8]) -> Why {
    let error = Element::parse(body).filter(|root| root.name == "Error");
    let text = |name| {
        error
            .as_ref()
            .and_then(|error| error.text_of(name))
            .map(str::to_owned)
    };
    let code = text("Code").unwrap_or_else(|| status.as_u16().to_string());
    let is_elsewhere = ["PermanentRedirect", "AuthorizationHeaderMalformed", "301"].contains(&code.as_str());
    if let Some(region) = region.filter(|_| is_elsewhere) {
        return Why::Region(region);
    }
    Why::Refused {
        status: status.as_u16(),
        code,
        message: text("Message")
            .unwrap_or_else(|| status.canonical_reason().unwrap_or("no message").to_owned()),
    }
}

impl Subject {
    pub(super) fn object(bucket: &str, key: &str, version: Option<&str>) -> Subject {
        Subject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.key.is_empty() {
            write!(f, "/{}", self.key)?;
        }
        match &self.version {
            Some(version) => write!(f, " (version {version})"),
            None => Ok(()),
        }
    }
}
