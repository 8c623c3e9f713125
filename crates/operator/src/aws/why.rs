//! Why a call on a service of AWS did not succeed, in a sentence.

use http::StatusCode;
use serde_json::Value;

use super::{access::Unanswered, http::Fault};

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
    /// The service said no.
    #[error("{code}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// The service's code, such as `NoSuchBucket`; the status where it gave none.
        code: String,
        /// The service's sentence.
        message: String,
    },
    /// The bucket is in another region; only S3 says so.
    #[error("the bucket is in the region {0}: set AWS_REGION={0}, or region = {0} in the profile")]
    Region(String),
    /// The answer is not as the service describes it.
    #[error("{endpoint} did not answer as {service} does: {why}")]
    Foreign {
        /// Who was asked.
        endpoint: String,
        /// The service, by AWS's name for it.
        service: &'static str,
        /// What is wrong with the answer.
        why: String,
    },
    /// There is no key to sign with, or the request cannot be signed.
    #[error("{0}")]
    Unsigned(String),
}

impl Why {
    /// Nothing came that can be read; `service` is AWS's name for whom `endpoint` should be.
    pub(crate) fn unanswered(unanswered: Unanswered, service: &'static str, endpoint: &str) -> Why {
        let fault = match unanswered {
            Unanswered::Unsigned(why) => return Why::Unsigned(why),
            Unanswered::Fault(fault) => fault,
        };
        let (endpoint, why) = (endpoint.to_owned(), fault.to_string());
        match fault {
            Fault::Connection(_) | Fault::Silence => Why::NoAnswer { endpoint, why },
            Fault::TooLarge(_) => Why::Foreign {
                endpoint,
                service,
                why,
            },
        }
    }

    /// A refusal by one of the JSON services; the code is the status where it gives none.
    pub(crate) fn of_json(status: StatusCode, body: &[u8]) -> Why {
        let (code, message) = code_of_json(body);
        Why::Refused {
            status: status.as_u16(),
            code: if code.is_empty() {
                status.as_u16().to_string()
            } else {
                code
            },
            message,
        }
    }

    /// The service's code, where it has answered with one.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Why::Refused { code, .. } => Some(code),
            Why::NoAnswer { .. } | Why::Region(_) | Why::Foreign { .. } | Why::Unsigned(_) => None,
        }
    }
}

/// Code and message of a refusal by one of the JSON services: `{"__type": "com.amazonaws…#CODE", "message": "…"}`.
pub(crate) fn code_of_json(body: &[u8]) -> (String, String) {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = text("__type").unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let message = text("message")
        .or_else(|| text("Message"))
        .unwrap_or("no message");
    (code.to_owned(), message.to_owned())
}
