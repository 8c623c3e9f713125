//! One entry: short names that stay, texts of strangers bounded, never a secret.

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Caller, LockId, Version,
    limits::{AUDIT_DECISIONS_MAX, AUDIT_TEXT_BYTES_MAX},
    policy,
};

use crate::{Trace, aws_common::request_id::RequestIds};

/// The code of a request whose client did not wait for the answer: what it asked for may have been done.
pub const CLIENT_GONE: &str = "ClientGone";

/// What is kept of one request, or of what the server did by itself. Empty fields are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// When it was answered, in milliseconds since 1970.
    pub time_ms: i64,
    /// The id that the answer carried.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// `s3`, `dynamodb`, `sts`, `kms`, `iam`, `http`, `admin`; `server` for what no request asked for.
    pub door: String,
    /// The operation, in the protocol's own name.
    pub operation: String,
    /// `BUCKET/KEY`, or as much of it as there is; of a table's item its `LockID`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The DynamoDB table.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// The version that was read or written: S3's ID, else its number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The serial of the state that was read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The lock that was taken or given back.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
    /// The ARN of who asked; empty when that was not proven.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// The access key id; without a principal it is what was claimed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_key_id: String,
    /// The IP address of the connection.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What tells one run from another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_token: String,
    /// Whether the connection was encrypted.
    pub secure: bool,
    /// The HTTP status; 499 when the client did not wait for it, 0 for what no request asked for.
    pub status: u16,
    /// The error's code; empty when there was none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What was decided, in its order. A request is allowed when the last alternative of what it needed was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<Decided>,
    /// The objects and items of a request about many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Touched>,
    /// What else there is to say of what the server did by itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One question to the policies, and the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The action, such as `s3:GetObject`.
    pub action: String,
    /// The ARN it was about, or `*`.
    pub resource: String,
    /// The answer.
    pub effect: Effect,
    /// The statements that it comes from: the one that denies, or those that had to allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<By>,
    /// What kind of policy would have had to allow it, in AWS's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub missing: String,
}

impl Decided {
    /// What was decided of an action on a resource.
    pub(crate) fn of(action: &str, resource: &str, decision: policy::Decision) -> Decided {
        let by = decision.by.into_iter().map(|by| By {
            source: by.source.to_string(),
            policy: by.policy,
            statement: by.statement,
        });
        Decided {
            action: action.to_owned(),
            resource: resource.to_owned(),
            effect: match decision.effect {
                policy::Effect::Allowed => Effect::Allowed,
                policy::Effect::DeniedExplicitly => Effect::DeniedExplicitly,
                policy::Effect::NotAllowed => Effect::NotAllowed,
            },
            by: by.collect(),
            missing: decision
                .missing
                .map(|missing| missing.to_string())
                .unwrap_or_default(),
        }
    }
}

/// An answer of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it.
    DeniedExplicitly,
    /// No statement allows it.
    NotAllowed,
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// What kind of policy, in AWS's words, such as `identity-based policy`.
    pub source: String,
    /// The policy's name.
    pub policy: String,
    /// The statement's Sid, or its place.
    pub statement: String,
}

/// What a request has read or written, as only its operation knows it; it travels in the answer's extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Touched {
    /// The address, where it is not that of the [`Trace`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) address: String,
    /// The version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
    /// The state's serial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serial: Option<u64>,
    /// The lock.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) lock: String,
    /// Why this one of many was refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
}

impl Touched {
    /// A version.
    pub(crate) fn version(version: &Version) -> Touched {
        let state = version.body.as_ref().and_then(|body| body.state.as_ref());
        Touched {
            version: match version.id.is_null() {
                true if version.seq == 0 => String::new(),
                true => version.seq.to_string(),
                false => version.id.to_string(),
            },
            serial: state.map(|state| state.serial),
            ..Touched::default()
        }
    }

    /// One thing of many.
    pub(crate) fn at(address: impl Into<String>) -> Touched {
        Touched {
            address: address.into(),
            ..Touched::default()
        }
    }

    /// Adds what else is known.
    pub(super) fn take_over(&mut self, other: Touched) {
        let take = |whole: &mut String, part: String| {
            if !part.is_empty() {
                *whole = part;
            }
        };
        take(&mut self.version, other.version);
        take(&mut self.lock, other.lock);
        take(&mut self.code, other.code);
        self.serial = other.serial.or(self.serial);
    }

    /// With its texts cut like those of the entry.
    fn bounded(mut self) -> Touched {
        for text in [&mut self.address, &mut self.version, &mut self.lock] {
            text.truncate(text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX));
        }
        self
    }

    /// The lock of an address.
    pub(crate) fn lock_of(address: &Address, id: &LockId) -> Touched {
        Touched {
            address: address.to_string(),
            ..Touched::lock(id)
        }
    }

    /// A lock.
    pub(crate) fn lock(id: &LockId) -> Touched {
        Touched {
            lock: id.as_str().to_owned(),
            ..Touched::default()
        }
    }
}

impl Entry {
    /// Takes over what the door says.
    pub(crate) fn trace(&mut self, trace: &Trace) {
        if !trace.door.is_empty() {
            trace.door.clone_into(&mut self.door);
        }
        if !trace.operation.is_empty() {
            self.operation = bounded(&trace.operation);
            // Who knows the operation knows what it is about.
            self.address = bounded(trace.address.trim_matches('-'));
        }
        self.code = bounded(&trace.code);
    }

    /// Takes over what was decided and touched.
    pub(crate) fn notes(&mut self, (mut decided, touched): (Vec<Decided>, Vec<Touched>)) {
        decided.truncate(AUDIT_DECISIONS_MAX);
        self.decided = decided;
        if self.door == "dynamodb" {
            self.table = std::mem::take(&mut self.address);
        }
        match touched.as_slice() {
            [one] => self.touched(one),
            _ => self.parts = touched.into_iter().map(Touched::bounded).collect(),
        }
    }

    /// Takes over what the operation says.
    pub(crate) fn touched(&mut self, touched: &Touched) {
        let take = |whole: &mut String, part: &str| {
            if !part.is_empty() {
                *whole = bounded(part);
            }
        };
        take(&mut self.address, &touched.address);
        take(&mut self.version, &touched.version);
        take(&mut self.lock, &touched.lock);
        self.serial = touched.serial.or(self.serial);
    }

    /// Takes over who asked.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.principal = bounded(&caller.principal);
        self.access_key_id = bounded(&caller.access_key_id);
        self.run_token = caller.run_token.as_deref().map(bounded).unwrap_or_default();
    }

    /// Takes over the id of the answer.
    pub(crate) fn ids(&mut self, ids: &RequestIds) {
        self.request_id.clone_from(&ids.request_id);
    }

    /// Whether somebody was refused for want of a right, or of a proof who they are.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        // DynamoDB answers 400 to these.
        const CODES: [&str; 7] = [
            "AccessDeniedException",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "UnrecognizedClientException",
        ];
        matches!(self.status, 401 | 403) || CODES.contains(&self.code.as_str())
    }
}

/// A text, cut where it is longer than any that is meant.
pub(super) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_is_cut_and_escaped() {
        let mut entry = Entry::default();
        entry.trace(&Trace {
            door: "s3",
            operation: "GetObject".to_owned(),
            address: format!("b/{}\n\u{1b}[2J", "ü".repeat(9_999)),
            ..Trace::default()
        });
        assert!(entry.address.len() <= AUDIT_TEXT_BYTES_MAX);
        entry.address = "b/\n\u{1b}".to_owned();
        let text = serde_json::to_string(&entry).unwrap();
        assert!(text.contains(r#""address":"b/\n\u001b""#), "{text}");
    }

    #[test]
    fn what_a_stranger_says_of_one_of_many_is_cut_too() {
        let part = |of: &str| Touched::at(format!("{of}/{}", "ü".repeat(9_999)));
        let mut entry = Entry::default();
        entry.notes((Vec::new(), vec![part("a"), part("b")]));
        let longest = entry.parts.iter().map(|part| part.address.len()).max();
        assert!(longest.is_some_and(|longest| longest <= AUDIT_TEXT_BYTES_MAX));
    }

    #[test]
    fn an_entry_reads_back_as_it_was_and_leaves_out_what_is_empty() {
        let entry = Entry {
            time_ms: 7,
            door: "s3".to_owned(),
            operation: "GetObject".to_owned(),
            status: 403,
            decided: vec![Decided {
                action: "s3:GetObject".to_owned(),
                resource: "arn:aws:s3:::b/k".to_owned(),
                effect: Effect::NotAllowed,
                by: Vec::new(),
                missing: "identity-based policy".to_owned(),
            }],
            ..Entry::default()
        };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            text,
            r#"{"time_ms":7,"door":"s3","operation":"GetObject","secure":false,"status":403,"decided":[{"action":"s3:GetObject","resource":"arn:aws:s3:::b/k","effect":"not_allowed","missing":"identity-based policy"}]}"#
        );
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        assert!(entry.is_denied());
    }
}
