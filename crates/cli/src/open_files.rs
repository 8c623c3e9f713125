//! How many files the process may have open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidelock_core::limits::{CONNECTIONS_MAX, OTHER_FILES_MAX};

/// Raises the soft limit to what the server may come to need, as far as the hard one allows. Login shells start
/// programs with 1,024, which a few hundred waiting applies and their connections would use up.
pub(crate) fn raise() {
    let wanted = (CONNECTIONS_MAX + OTHER_FILES_MAX) as u64;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|files| files >= wanted);
    if enough(limit.current) {
        return;
    }
    let raised = Rlimit {
        current: Some(limit.maximum.map_or(wanted, |most| most.min(wanted))),
        maximum: limit.maximum,
    };
    let set = setrlimit(Resource::Nofile, raised);
    if set.is_err() || !enough(limit.maximum) {
        tracing::warn!(
            hard_limit = limit.maximum,
            wanted,
            "few files may be open: beyond it connections wait; raise the limit (LimitNOFILE, ulimit -Hn)"
        );
    }
}
