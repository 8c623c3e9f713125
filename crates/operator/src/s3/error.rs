//! What went wrong between us and S3, in a sentence that names bucket, key, code and message.

use std::fmt;

use crate::aws::{Element, Fault};

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

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// There was no answer, even after trying again; whether the call was carried out is not known.
    #[error("no answer from {endpoint}: {why}")]
    NoAnswer {
        /// Who was asked.
        endpoint: String,
        /// What happened to the connection.
        why: String,
    },
    /// S3 said no.
    #[error("{code}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// S3's code, such as `NoSuchBucket`.
        code: String,
        /// S3's sentence.
        message: String,
    },
    /// The bucket is in another region.
    #[error("the bucket is in the region {0}: set AWS_REGION={0}, or region = {0} in the profile")]
    Region(String),
    /// The answer is not as S3 describes it.
    #[error("{endpoint} did not answer as S3 does: {why}")]
    Foreign {
        /// Who was asked.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no key to sign with, or the request cannot be signed.
    #[error("{0}")]
    Unsigned(String),
}

impl Error {
    /// S3's code, where it has answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match &self.why {
            Why::Refused { code, .. } => Some(code),
            Why::NoAnswer { .. } | Why::Region(_) | Why::Foreign { .. } | Why::Unsigned(_) => None,
        }
    }
}

impl Error {
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

impl Why {
    /// An answer of refusal. HEAD has no body, so that the status must do.
    pub(super) fn of_answer(status: http::StatusCode, region: Option<String>, body: &[u8]) -> Why {
        let error = Element::parse(body).filter(|root| root.name == "Error");
        let text = |name| {
            error
                .as_ref()
                .and_then(|error| error.text_of(name))
                .map(str::to_owned)
        };
        let code = text("Code").unwrap_or_else(|| status.as_u16().to_string());
        let is_elsewhere =
            ["PermanentRedirect", "AuthorizationHeaderMalformed", "301"].contains(&code.as_str());
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

    pub(super) fn of_fault(fault: &Fault, endpoint: &str) -> Why {
        let (endpoint, why) = (endpoint.to_owned(), fault.to_string());
        match fault {
            Fault::Connection(_) | Fault::Silence => Why::NoAnswer { endpoint, why },
            Fault::TooLarge(_) => Why::Foreign { endpoint, why },
        }
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
