//! Every request of this door, and what its caller needs to be allowed.

use http::{Method, StatusCode};
use tidelock_core::{Address, iam::DEFAULT_ACCOUNT};

use super::{Refusal, request::Request};
use crate::access::{Ask, Denied, Owner, history_owner, object_arn};

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, denied.to_string())
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The state that the path names. A second action, on its lock file, is as good.
    State(Option<&'static str>),
    /// All states whose addresses begin with the query's `prefix`.
    Prefix,
    /// The server.
    Server,
    /// Nothing but the caller's own.
    Own,
}

/// A request of this door.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// The first word of the path.
    pub(super) what: &'static str,
    /// Whether the rest of the path names one of it.
    pub(super) one: bool,
    /// The action that it is.
    pub(super) action: &'static str,
    pub(super) on: On,
}

macro_rules! route {
    ($method:ident $what:literal $one:literal $action:literal $on:expr) => {
        Route {
            method: Method::$method,
            what: $what,
            one: $one,
            action: $action,
            on: $on,
        }
    };
}

/// All of them. What is not listed is not there.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    route!(GET "locks" false "tidelock:ListLocks" On::Prefix),
    route!(GET "locks" true "tidelock:ListLocks" On::State(Some("s3:GetObject"))),
    route!(POST "unlock" true "tidelock:ForceUnlock" On::State(Some("s3:DeleteObject"))),
    route!(POST "allow" true "tidelock:AllowRewind" On::State(None)),
    route!(POST "freeze" true "tidelock:Freeze" On::State(None)),
    route!(POST "thaw" true "tidelock:Freeze" On::State(None)),
    route!(GET "quarantine" true "tidelock:Rescue" On::State(None)),
    route!(POST "adopt" true "tidelock:Rescue" On::State(None)),
    route!(POST "discard" true "tidelock:Rescue" On::State(None)),
    route!(PUT "import" true "tidelock:Manage" On::Server),
    route!(GET "history" true "tidelock:ReadHistory" On::State(None)),
    route!(GET "version" true "tidelock:ReadHistory" On::State(None)),
    route!(GET "body" true "tidelock:ReadHistory" On::State(None)),
    route!(GET "blame" true "tidelock:ReadHistory" On::State(None)),
    route!(GET "find" false "tidelock:ReadHistory" On::Prefix),
    route!(GET "states" false "tidelock:ReadHistory" On::Prefix),
    route!(POST "rollback" true "tidelock:Rollback" On::State(None)),
    route!(POST "gc" false "tidelock:Manage" On::Server),
    route!(GET "root-key" false "tidelock:Manage" On::Server),
    route!(GET "root-key" true "tidelock:Manage" On::Server),
    route!(POST "root-key" true "tidelock:Manage" On::Server),
    route!(GET "backup" false "tidelock:Manage" On::Server),
    route!(POST "verify" false "tidelock:Manage" On::Server),
    route!(GET "audit" false "tidelock:Audit" On::Server),
    route!(GET "audit" true "tidelock:Audit" On::Server),
    route!(GET "explain" false "tidelock:Explain" On::Server),
    route!(GET "explain" true "tidelock:Explain" On::Server),
    route!(GET "who-can" false "tidelock:Explain" On::Server),
    route!(GET "iam" true "tidelock:ManageAccess" On::Server),
    route!(POST "iam" true "tidelock:ManageAccess" On::Server),
    route!(PUT "runs" true "" On::Own),
    route!(DELETE "runs" true "" On::Own),
];

/// Refuses a request whose caller may not do what it asks for.
///
/// # Errors
/// 404 for what there is not, 403 naming the action that is missing.
pub(super) async fn authorize(request: &Request<'_>) -> Result<(), Refusal> {
    let (method, what, one) = (&request.method, request.what.as_str(), request.names_one());
    let is_this = |route: &&Route| route.method == *method && route.what == what && route.one == one;
    let route = ROUTES.iter().find(is_this).ok_or_else(|| request.not_there())?;
    match route.on {
        On::Own => {}
        On::Server => {
            let owner = Owner::account(DEFAULT_ACCOUNT);
            request.access.may(&Ask::new(route.action, "*", &owner))?;
        }
        On::State(by_file) => may_state(request, &request.address()?, route.action, by_file).await?,
        On::Prefix => {
            let prefix = request.parameter("prefix")?.unwrap_or_default();
            may_prefix(request, &prefix, route.action).await?;
        }
    }
    Ok(())
}

async fn may_state(
    request: &Request<'_>,
    address: &Address,
    action: &'static str,
    by_file: Option<&'static str>,
) -> Result<(), Refusal> {
    let owner = history_owner(&request.access, address.bucket()).await?;
    let mut asks = vec![Ask::on_state(action, address, &owner)];
    let file = || object_arn(address.bucket(), &format!("{}.tflock", address.key()));
    asks.extend(by_file.map(|action| Ask::new(action, file(), &owner)));
    for action in like(action) {
        request
            .access
            .not_denied(&Ask::on_state(action, address, &owner))?;
    }
    Ok(request.access.may_any(&asks)?)
}

/// The actions of S3 that do what an action of ours does with a state.
fn like(action: &str) -> &'static [&'static str] {
    match action {
        "tidelock:ReadHistory" => &["s3:GetObject", "s3:GetObjectVersion"],
        "tidelock:Rescue" => &["s3:GetObject", "s3:PutObject"],
        "tidelock:Rollback" | "tidelock:AllowRewind" | "tidelock:Freeze" => &["s3:PutObject"],
        _ => &[],
    }
}

/// Keeps what is about states on which the caller may do what it asked for under their prefix: one of them may be denied, or
/// be another account's.
///
/// # Errors
/// When the engine fails.
pub(super) async fn keep<T>(
    request: &Request<'_>,
    action: &'static str,
    of: impl Fn(&T) -> &str,
    all: &mut Vec<T>,
) -> Result<(), Refusal> {
    let mut kept = Vec::with_capacity(all.len());
    for one in all.drain(..) {
        let Ok(address) = Address::parse(of(&one)) else {
            continue;
        };
        let owner = history_owner(&request.access, address.bucket()).await?;
        let access = &request.access;
        let is_denied = |like: &&'static str| access.is_denied(&Ask::on_state(like, &address, &owner));
        let may = access.allows(&[Ask::on_state(action, &address, &owner)])
            && (access.is_operator() || !like(action).iter().any(is_denied));
        kept.extend(may.then_some(one));
    }
    *all = kept;
    Ok(())
}

/// All addresses with a beginning are asked for as one resource that ends with a star. Where it does not name a bucket, they
/// are those of all accounts, which the first account keeps.
async fn may_prefix(request: &Request<'_>, prefix: &str, action: &'static str) -> Result<(), Refusal> {
    let owner = match prefix.split_once('/') {
        Some((bucket, _)) => history_owner(&request.access, bucket).await?,
        None => Owner::account(DEFAULT_ACCOUNT),
    };
    let all = format!("arn:aws:s3:::{prefix}*");
    Ok(request.access.may(&Ask::new(action, all, &owner))?)
}
