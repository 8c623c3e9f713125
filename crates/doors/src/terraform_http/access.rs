//! Which actions a request of this door is. Each is one of tidelock's own, or the one that a client of S3 needs for the same.

use http::StatusCode;
use tidelock_core::Address;
use tidelock_service::Error;

use super::Refusal;
use crate::access::{Access, Ask, Denied, Owner, bucket_owner, object_arn};

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        Refusal::plain(StatusCode::FORBIDDEN, denied.to_string())
    }
}

/// What the caller may do beside what it asks for.
pub(super) struct Permit {
    /// End a lock that is another's.
    pub(super) may_force: bool,
    /// Read the outputs of the state, and nothing else of it.
    pub(super) outputs_only: bool,
}

/// Refuses a request whose caller may not do what it asks for.
///
/// # Errors
/// 403, naming the action that is missing.
pub(super) async fn authorize(access: &Access, method: &str, address: &Address) -> Result<Permit, Refusal> {
    let owner = bucket_owner(access, address.bucket()).await?;
    let own = |action| Ask::on_state(action, address, &owner);
    let file = |action| lock_file(action, address, &owner);
    let asks = match method {
        "LOCK" => vec![own("tidelock:Lock"), file("s3:PutObject")],
        "UNLOCK" => vec![own("tidelock:Lock"), file("s3:DeleteObject")],
        "POST" | "PUT" => vec![own("s3:PutObject")],
        "DELETE" => vec![own("s3:DeleteObject")],
        _ => vec![own("s3:GetObject")],
    };
    let reads = matches!(method, "GET" | "HEAD");
    let is_settled = access.allows(&asks) || asks.iter().any(|ask| access.is_denied(ask));
    let outputs_only = reads && !is_settled && access.allows(&[own("tidelock:ReadOutputs")]);
    match method {
        "UNLOCK" => access.may_release(&asks, own("tidelock:ForceUnlock"))?,
        _ if outputs_only => access.may(&own("tidelock:ReadOutputs"))?,
        _ => access.may_any(&asks)?,
    }
    if owner.absent {
        // Judged as one of the caller's own; by the time the body has come it may be another's.
        return Err(Error::NoSuchBucket(address.bucket().to_owned()).into());
    }
    Ok(Permit {
        may_force: access.allows(&[file("s3:DeleteObject"), own("tidelock:ForceUnlock")]),
        outputs_only,
    })
}

fn lock_file<'a>(action: &'static str, address: &Address, owner: &'a Owner) -> Ask<'a> {
    let key = format!("{}.tflock", address.key());
    Ask::new(action, object_arn(address.bucket(), &key), owner)
}
