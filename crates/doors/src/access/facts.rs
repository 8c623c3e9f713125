//! The condition keys that every request has, whatever it asks for.
//!
//! Source: "AWS global condition context keys" in the IAM User Guide. What follows from who asks is added by
//! `tidelock_core::policy` itself.

use http::{HeaderMap, header};
use tidelock_core::{Time, policy::Context};

use crate::{Peer, aws_common::time::iso};

/// What is known of a request: when, from where, how.
pub(crate) fn facts(headers: &HeaderMap, peer: Peer, region: &str, now: Time) -> Context {
    let mut context = Context::default();
    let mut set = |key: &str, value: String| context.insert(key, value);
    set("aws:currenttime", iso(now));
    set("aws:epochtime", (now.0 / 1_000).to_string());
    // A peer of IPv4 on a socket of IPv6 is meant by policies that speak of IPv4.
    set("aws:sourceip", peer.address.ip().to_canonical().to_string());
    set("aws:securetransport", peer.secure.to_string());
    set("aws:viaawsservice", "false".to_owned());
    if !region.is_empty() {
        set("aws:requestedregion", region.to_owned());
    }
    for (key, name) in [
        ("aws:useragent", header::USER_AGENT),
        ("aws:referer", header::REFERER),
    ] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            set(key, value.to_owned());
        }
    }
    context
}
