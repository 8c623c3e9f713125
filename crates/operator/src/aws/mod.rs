//! What every AWS service asks of a client: where it is, who asks, a signature, and patience.
//!
//! Calls of our own over hyper, signed by AWS's own signer: the AWS SDK builds three times as long, and reqsign's chain
//! follows no `role_arn`, no `sso_session` and no `endpoint_url`, and signs with the machine's clock however wrong it is.

mod access;
mod credentials;
mod environment;
mod http;
mod identity;
mod metadata;
mod profiles;
mod settings;
mod sign;
mod sso;
mod sts;
mod why;
mod xml;

pub use access::Access;
pub use credentials::Credentials;
pub use environment::Environment;
pub use settings::{Settings, SettingsError, Wanted};
pub use sts::{Role, Token, WebIdentity};
pub use why::Why;

pub(crate) use http::Answer;
pub(crate) use why::code_of_json;
pub(crate) use xml::Element;
