//! Who is asking.

use serde::{Deserialize, Serialize};

/// The holder-to-be of a lock, the writer of a state: everything known of who sent a request.
///
/// One CI job is told from another by the run token, two people with one key by their source address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The principal's ARN.
    pub principal: String,
    /// The access key id that signed the request, or the user of HTTP basic authentication.
    pub access_key_id: String,
    /// The peer's IP address, without the port: a port changes with every connection.
    pub source: String,
    /// What `TF_APPEND_USER_AGENT` or `AWS_SDK_UA_APP_ID` put into the User-Agent, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_token: Option<String>,
}
