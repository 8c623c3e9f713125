//! `history.json`: what is known of each version.

use serde::{Deserialize, Serialize};
use tidelock_core::Address;

/// The form of the file; another one is not read.
pub(super) const FORM: u32 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    pub(super) tidelock_export: u32,
    pub(super) address: String,
    /// Oldest first, so that what comes later is added at the end.
    pub(super) versions: Vec<Entry>,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number at its address; the name of its file.
    pub version: u64,
    /// Its S3 version ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
    /// Whether it says that the state was deleted: then it has no bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The state's serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The state's lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// Which Terraform wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform_version: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The MD5 of its bytes in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer>,
    /// Under which lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// Who wrote a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The principal's ARN.
    pub principal: String,
    /// The access key id.
    pub access_key_id: String,
    /// Where the request came from.
    pub source: String,
    /// What the run said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_token: Option<String>,
}

/// The lock under which a version was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its ID.
    pub id: String,
    /// Terraform's operation.
    pub operation: String,
    /// Who held it, as the client said.
    pub who: String,
    /// Its fence.
    pub fence: u64,
}

impl History {
    pub(super) fn new(address: &Address) -> History {
        History {
            tidelock_export: FORM,
            address: address.to_string(),
            versions: Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("it has string keys and no failing Serialize");
        text + "\n"
    }
}
