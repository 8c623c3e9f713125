//! From policies to a decision.
//!
//! Source: "Policy evaluation logic", "How AWS enforcement code logic evaluates requests" and "Cross-account policy
//! evaluation logic" in the IAM User Guide, "Key policies" in the KMS Developer Guide, "Blocking public access" in the S3
//! User Guide.

use std::{fmt, sync::Arc};

use super::{
    Named, Rights,
    principal::{Naming, PrincipalKind},
    request::{Keys, Request},
    statement::Statement,
};

/// How a resource's own policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceRule {
    /// In the same account it or an identity policy is enough; across accounts both are needed.
    Usual {
        /// Whether a public policy gives nothing to other accounts (`RestrictPublicBuckets`).
        restrict_public: bool,
    },
    /// It must allow, itself or by handing over to its account's identity policies: keys and roles.
    Required,
}

/// What was decided, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub effect: Effect,
    /// The statements that decided: the one that denies, or those that had to allow. None for what needs no statement (a
    /// root in its own account, the operator) and where nothing allows.
    pub by: Vec<By>,
    /// Where an allow is missing, if nothing else did.
    pub missing: Option<Source>,
}

/// Whether a request may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It may.
    Allowed,
    /// A statement denies it.
    DeniedExplicitly,
    /// Nothing allows it.
    NotAllowed,
}

/// A statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// What the policy is attached to.
    pub source: Source,
    /// The policy's name.
    pub policy: String,
    /// The statement's Sid, or its place as `statement 2`.
    pub statement: String,
}

/// What a policy is attached to, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A user or a role.
    Identity,
    /// A session.
    Session,
    /// The resource.
    Resource,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Identity => "identity-based policy",
            Source::Session => "session policy",
            Source::Resource => "resource-based policy",
        })
    }
}

impl Decision {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allowed
    }

    fn allowed(by: Vec<By>) -> Decision {
        Decision {
            effect: Effect::Allowed,
            by,
            missing: None,
        }
    }

    fn not_allowed(missing: Source) -> Decision {
        Decision {
            effect: Effect::NotAllowed,
            by: Vec::new(),
            missing: Some(missing),
        }
    }
}

/// Decides a request.
#[must_use]
pub fn decide(
    request: &Request<'_>,
    rights: &Rights,
    resource_policy: Option<&Named>,
    rule: ResourceRule,
) -> Decision {
    let keys = Keys(request);
    let action = request.action.to_ascii_lowercase();
    let found = Found {
        identity: of_policies(&rights.identity, Source::Identity, &action, &keys),
        session: rights
            .session
            .as_deref()
            .map(|own| of_policies(own, Source::Session, &action, &keys)),
        resource: resource_policy.map_or(Verdict::Nothing, |own| of_resource(own, &action, &keys)),
    };
    if let Some(by) = found.denied() {
        return Decision {
            effect: Effect::DeniedExplicitly,
            by: vec![by],
            missing: None,
        };
    }
    if rights.operator {
        return Decision::allowed(Vec::new());
    }
    let public = |named: &Named| named.policy.is_public();
    let restricted =
        rule == ResourceRule::Usual {
            restrict_public: true,
        } && resource_policy.is_some_and(public);
    found.combine(request, rule, restricted)
}

/// What one kind of policies says.
enum Verdict {
    Nothing,
    Allows(Naming, By),
    Denies(By),
}

struct Found {
    identity: Verdict,
    session: Option<Verdict>,
    resource: Verdict,
}

fn of_policies(policies: &[Arc<Named>], source: Source, action: &str, keys: &Keys<'_>) -> Verdict {
    let mut allow = Verdict::Nothing;
    for named in policies {
        for statement in &named.policy.statements {
            if (statement.allows && !matches!(allow, Verdict::Nothing)) || !statement.applies(action, keys) {
                continue;
            }
            let by = by(source, named, statement);
            if !statement.allows {
                return Verdict::Denies(by);
            }
            allow = Verdict::Allows(Naming::Identity, by);
        }
    }
    allow
}

fn of_resource(named: &Named, action: &str, keys: &Keys<'_>) -> Verdict {
    let principal = keys.0.principal;
    let mut closest: Option<(Naming, &Statement)> = None;
    for statement in &named.policy.statements {
        let Some(principals) = &statement.principals else {
            continue;
        };
        if !statement.allows {
            if principals.denies(principal) && statement.applies(action, keys) {
                return Verdict::Denies(by(Source::Resource, named, statement));
            }
        } else if let Some(naming) = principals.allows(principal)
            && closest.is_none_or(|(closest, _)| naming > closest)
            && statement.applies(action, keys)
        {
            closest = Some((naming, statement));
        }
    }
    closest.map_or(Verdict::Nothing, |(naming, statement)| {
        Verdict::Allows(naming, by(Source::Resource, named, statement))
    })
}

fn by(source: Source, named: &Named, statement: &Statement) -> By {
    By {
        source,
        policy: named.name.clone(),
        statement: statement.label.clone(),
    }
}

impl Found {
    fn denied(&self) -> Option<By> {
        [Some(&self.identity), self.session.as_ref(), Some(&self.resource)]
            .into_iter()
            .flatten()
            .find_map(|verdict| match verdict {
                Verdict::Denies(by) => Some(by.clone()),
                Verdict::Nothing | Verdict::Allows(..) => None,
            })
    }

    fn combine(self, request: &Request<'_>, rule: ResourceRule, restricted: bool) -> Decision {
        let same_account = request.principal.account == request.resource_account;
        // Whoever holds a token only is in no account whose policies could allow.
        let has_token_only = matches!(request.principal.kind, PrincipalKind::Federated { .. });
        let resource = match self.resource {
            Verdict::Allows(naming, by) if same_account || !restricted => Some((naming, by)),
            _ => None,
        };
        let resource = match resource {
            Some((Naming::Itself, by)) if same_account => return Decision::allowed(vec![by]),
            Some((naming, by)) if has_token_only || (same_account && naming == Naming::Identity) => {
                return session_too(self.session, vec![by]);
            }
            None if has_token_only || rule == ResourceRule::Required => {
                return Decision::not_allowed(Source::Resource);
            }
            left => left.map(|(_, by)| by),
        };
        let mut allowing = Vec::new();
        match self.identity {
            _ if request.principal.kind == PrincipalKind::Root => {}
            Verdict::Allows(_, by) => allowing.push(by),
            _ => return Decision::not_allowed(Source::Identity),
        }
        if !same_account || rule == ResourceRule::Required {
            match resource {
                Some(by) => allowing.push(by),
                None => return Decision::not_allowed(Source::Resource),
            }
        }
        session_too(self.session, allowing)
    }
}

fn session_too(session: Option<Verdict>, mut allowing: Vec<By>) -> Decision {
    match session {
        None => {}
        Some(Verdict::Allows(_, by)) => allowing.push(by),
        Some(_) => return Decision::not_allowed(Source::Session),
    }
    Decision::allowed(allowing)
}
