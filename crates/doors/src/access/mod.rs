//! What a request may do: asked of the policies before anything is done, and remembered for the audit log.
//!
//! A door says which action on which resource an operation is (`<door>/access.rs`). The answer comes from
//! `tidelock_core::policy`, out of the caller's rights and the policy that the resource has of its own.

mod bucket;
mod facts;
mod key;
mod policies;
mod role;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

use tidelock_core::{
    Address, Caller, Time,
    iam::DEFAULT_ACCOUNT,
    policy::{self, Context, Decision, Effect, Named, Principal, Request, ResourceRule},
};
use tidelock_service::{Bucket, Credential, Error, Service};

use crate::audit::{Decided, Notes, Touched};

pub(crate) use bucket::{bucket_owner, history_owner};
pub(crate) use facts::facts;
pub(crate) use key::key_owner;
pub(crate) use policies::Policies;
pub(crate) use role::role_owner;

/// Whose a resource is, and what its own policy says.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The account.
    pub(crate) account: String,
    /// The policy of the bucket, or of the key.
    pub(crate) policy: Option<Arc<Named>>,
    /// How that policy and the caller's go together.
    pub(crate) rule: ResourceRule,
    /// Whether there is no such thing, so that this is whose it would be.
    pub(crate) absent: bool,
}

impl Owner {
    /// Of a resource without a policy of its own.
    pub(crate) fn account(account: impl Into<String>) -> Owner {
        Owner {
            account: account.into(),
            policy: None,
            rule: ResourceRule::Usual {
                restrict_public: false,
            },
            absent: false,
        }
    }
}

/// An action on a resource, to be allowed or not.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    /// The action with its service.
    pub(crate) action: Cow<'static, str>,
    /// The resource's ARN, or `*`.
    pub(crate) resource: String,
    /// Whose it is.
    pub(crate) owner: &'a Owner,
    /// Condition keys of this action beside those of the request.
    pub(crate) context: Vec<(Cow<'static, str>, String)>,
}

impl<'a> Ask<'a> {
    /// An action on a resource.
    pub(crate) fn new(
        action: impl Into<Cow<'static, str>>,
        resource: impl Into<String>,
        owner: &'a Owner,
    ) -> Ask<'a> {
        Ask {
            action: action.into(),
            resource: resource.into(),
            owner,
            context: Vec::new(),
        }
    }

    /// One of tidelock's own actions on a state.
    pub(crate) fn on_state(action: &'static str, address: &Address, owner: &'a Owner) -> Ask<'a> {
        Ask::new(action, object_arn(address.bucket(), address.key()), owner)
    }

    /// With one more value of a condition key.
    pub(crate) fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Ask<'a> {
        self.context.push((key.into(), value.into()));
        self
    }
}

/// One request's access: who asks, what is known of the request, and what was decided so far.
pub(crate) struct Access {
    service: Arc<Service>,
    policies: Arc<Policies>,
    credential: Arc<Credential>,
    caller: Caller,
    region: String,
    context: Context,
    now: Time,
    notes: Arc<Notes>,
    /// The bucket that was asked for last.
    bucket: Mutex<Option<Arc<Bucket>>>,
}

/// Why a request is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("User: {who} is not authorized to perform: {action} on resource: {resource} {reason}")]
pub(crate) struct Denied {
    who: String,
    action: String,
    resource: String,
    reason: String,
}

impl Access {
    /// The access of `caller`, who has proven `credential` in a request to `region` of which `context` is known.
    pub(crate) fn new(
        doors: (&Arc<Service>, &Arc<Policies>),
        credential: Arc<Credential>,
        caller: Caller,
        region: &str,
        context: Context,
    ) -> Access {
        let (service, policies) = doors;
        Access {
            service: Arc::clone(service),
            policies: Arc::clone(policies),
            credential,
            caller,
            region: region.to_owned(),
            context,
            now: service.now(),
            notes: Arc::default(),
            bucket: Mutex::default(),
        }
    }

    /// The access of a caller who may do everything, and has come through no connection.
    pub(crate) fn of_operator(service: &Service, caller: Caller, region: &str) -> Access {
        let arn = caller.principal.clone();
        let account = arn.split(':').nth(4).filter(|account| !account.is_empty());
        let account = account.unwrap_or(DEFAULT_ACCOUNT).to_owned();
        let credential = Credential::of_operator(String::new(), String::new(), arn, account);
        let doors = (&Arc::new(service.clone()), &Arc::default());
        Access::new(doors, Arc::new(credential), caller, region, Context::default())
    }

    /// The same, which tells `notes` what was decided.
    pub(crate) fn noting(mut self, notes: Arc<Notes>) -> Access {
        self.notes = notes;
        self
    }

    /// The access of somebody else, for questions about them.
    pub(crate) fn of_another(&self, credential: Arc<Credential>, caller: Caller, context: Context) -> Access {
        let doors = (&self.service, &self.policies);
        Access::new(doors, credential, caller, &self.region, context)
    }

    /// The answer to a question that nobody's request depends on.
    pub(crate) fn judged(&self, asks: &[Ask<'_>]) -> Decided {
        let (at, decision) = self.weigh(asks);
        Decided::of(&asks[at].action, &asks[at].resource, decision)
    }

    /// Who asks, as locks know them.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The region that the request is signed for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The account of who asks.
    pub(crate) fn account(&self) -> &str {
        &self.credential.principal.account
    }

    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.credential.principal
    }

    /// What proved it.
    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The policies of resources.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Whether the server's operator asks.
    pub(crate) fn is_operator(&self) -> bool {
        self.credential.rights.operator
    }

    /// Adds what a door knows of the request: a value of a condition key.
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.context.push(key, value);
    }

    /// Whether the caller's session has ended, so that it may do no more than finish what it holds a lock for.
    pub(crate) fn is_expired(&self) -> bool {
        self.credential.is_expired(self.now)
    }

    /// Refuses unless the action is allowed.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn may(&self, ask: &Ask<'_>) -> Result<(), Denied> {
        self.may_any(std::slice::from_ref(ask))
    }

    /// Refuses unless one of several actions, each of which means what is asked for, is allowed and none is denied explicitly.
    ///
    /// # Errors
    /// [`Denied`], naming the first of them, or the one that is denied explicitly.
    pub(crate) fn may_any(&self, asks: &[Ask<'_>]) -> Result<(), Denied> {
        let (at, decision) = self.weigh(asks);
        let ask = &asks[at];
        let allowed = decision.effect == Effect::Allowed;
        let refusal = (!allowed).then(|| self.denied(ask, &decision));
        self.notes
            .decided(Decided::of(&ask.action, &ask.resource, decision));
        refusal.map_or(Ok(()), Err)
    }

    /// Whether it would be allowed: for what depends on a right without being refused for want of it.
    pub(crate) fn allows(&self, asks: &[Ask<'_>]) -> bool {
        self.weigh(asks).1.effect == Effect::Allowed
    }

    /// Refuses unless the caller may give a lock back: as its holder, by one of `own`, or whoever holds it, by `force`. To be
    /// denied the latter takes nothing away from the former.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn may_release(&self, own: &[Ask<'_>], force: Ask<'_>) -> Result<(), Denied> {
        if self.allows(own) {
            return self.may_any(own);
        }
        let all: Vec<Ask<'_>> = own.iter().cloned().chain([force]).collect();
        self.may_any(&all)
    }

    /// Refuses whom a policy denies an action that does as much as what is asked for: policies that were written for AWS know
    /// no actions but its own. The operator could take such a policy away, and so is not bound by it.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn not_denied(&self, ask: &Ask<'_>) -> Result<(), Denied> {
        match self.is_denied(ask) && !self.is_operator() {
            true => self.may(ask),
            false => Ok(()),
        }
    }

    /// Whether a policy denies it explicitly.
    pub(crate) fn is_denied(&self, ask: &Ask<'_>) -> bool {
        self.decide(ask).effect == Effect::DeniedExplicitly
    }

    /// Whether the caller's session has ended, and no lock that it holds at `address` lets it go on.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) async fn is_over(&self, address: Option<&Address>) -> Result<bool, Error> {
        if !self.is_expired() {
            return Ok(false);
        }
        match address {
            Some(address) => Ok(!self.service.holds_lock(address, &self.caller).await?),
            None => Ok(true),
        }
    }

    /// Remembers for the audit log what the request is about, or one of the things.
    pub(crate) fn touches(&self, touched: Touched) {
        self.notes.touched(touched);
    }

    /// Which of several actions settles it, and how.
    fn weigh(&self, asks: &[Ask<'_>]) -> (usize, Decision) {
        let mut settled = None;
        for (at, ask) in asks.iter().enumerate() {
            let decision = self.decide(ask);
            match (decision.effect, &settled) {
                (Effect::DeniedExplicitly, _) => return (at, decision),
                (
                    Effect::Allowed,
                    None
                    | Some((
                        _,
                        Decision {
                            effect: Effect::NotAllowed,
                            ..
                        },
                    )),
                ) => {
                    settled = Some((at, decision));
                }
                (_, None) => settled = Some((at, decision)),
                (_, Some(_)) => {}
            }
        }
        settled.expect("whoever asks names at least one action")
    }

    fn decide(&self, ask: &Ask<'_>) -> Decision {
        let mut own;
        let context = match ask.context.is_empty() {
            true => &self.context,
            false => {
                own = self.context.clone();
                for (key, value) in &ask.context {
                    own.push(key, value.as_str());
                }
                &own
            }
        };
        let request = Request {
            principal: self.principal(),
            action: &ask.action,
            resource: &ask.resource,
            resource_account: &ask.owner.account,
            context,
        };
        let policy = ask.owner.policy.as_deref();
        policy::decide(&request, &self.credential.rights, policy, ask.owner.rule)
    }

    fn denied(&self, ask: &Ask<'_>, decision: &Decision) -> Denied {
        Denied {
            who: self.principal().arn.clone(),
            action: ask.action.to_string(),
            resource: ask.resource.clone(),
            reason: match (decision.effect, decision.by.first(), decision.missing) {
                (Effect::DeniedExplicitly, Some(by), _) => {
                    format!(
                        "with an explicit deny in a {} ({}, {})",
                        by.source, by.policy, by.statement
                    )
                }
                (_, _, Some(missing)) => format!("because no {missing} allows the {} action", ask.action),
                _ => format!("because nothing allows the {} action", ask.action),
            },
        }
    }
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}
