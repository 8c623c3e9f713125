//! What went wrong between us and DynamoDB, in a sentence that names table, code and message.

use serde_json::Value;

use crate::aws::Fault;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{call} on the table {table}: {why}")]
pub struct Error {
    /// The call, in DynamoDB's words, such as `GetItem`.
    pub call: &'static str,
    /// The table.
    pub table: String,
    /// What went wrong.
    pub why: Why,
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
    /// DynamoDB said no.
    #[error("{code}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// DynamoDB's code, such as `ResourceNotFoundException`.
        code: String,
        /// DynamoDB's sentence.
        message: String,
    },
    /// The answer is not as DynamoDB describes it.
    #[error("{endpoint} did not answer as DynamoDB does: {why}")]
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
    pub(super) fn new(call: &'static str, table: &str, why: Why) -> Error {
        let table = table.to_owned();
        Error { call, table, why }
    }

    pub(super) fn refused(call: &'static str, table: &str, status: u16, body: &[u8]) -> Error {
        let (code, message) = code_of(body);
        let code = if code.is_empty() { status.to_string() } else { code };
        let why = Why::Refused {
            status,
            code,
            message,
        };
        Error::new(call, table, why)
    }

    /// DynamoDB's code, where it has answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match &self.why {
            Why::Refused { code, .. } => Some(code),
            Why::NoAnswer { .. } | Why::Foreign { .. } | Why::Unsigned(_) => None,
        }
    }
}

impl Why {
    pub(super) fn of_fault(fault: &Fault, endpoint: &str) -> Why {
        let (endpoint, why) = (endpoint.to_owned(), fault.to_string());
        match fault {
            Fault::Connection(_) | Fault::Silence => Why::NoAnswer { endpoint, why },
            Fault::TooLarge(_) => Why::Foreign { endpoint, why },
        }
    }
}

/// Code and message of a refusal: `{"__type": "com.amazonaws…#CODE", "message": "…"}`.
pub(super) fn code_of(body: &[u8]) -> (String, String) {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = text("__type").unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let message = text("message")
        .or_else(|| text("Message"))
        .unwrap_or("no message");
    (code.to_owned(), message.to_owned())
}
