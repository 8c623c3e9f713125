//! Who asks, and whom a resource's policy names.
//!
//! Source: "AWS JSON policy elements: Principal" and "NotPrincipal" in the IAM User Guide.

use std::collections::BTreeMap;

use super::json::Json;
use crate::limits::POLICY_STRING_BYTES_MAX;

/// Who sends a request, proven by its signature or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account, twelve digits; empty for [`PrincipalKind::Federated`].
    pub account: String,
    /// Its ARN: of the user, of the account's root, or `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// What `aws:userid` says.
    pub user_id: String,
    /// Its tags and those of its session, as `aws:PrincipalTag/NAME` shows them.
    pub tags: BTreeMap<String, String>,
}

/// What a principal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// An account's root.
    Root,
    /// A user.
    User {
        /// Its name, without path.
        name: String,
    },
    /// A session of a role.
    Session {
        /// The role's ARN, with its path.
        role_arn: String,
        /// The ARN of the provider whose token it was begun with, if it was.
        federated: Option<String>,
    },
    /// Who holds a provider's token and is nobody here yet: the caller of `AssumeRoleWithWebIdentity`.
    Federated {
        /// The provider's ARN.
        provider: String,
    },
}

impl PrincipalKind {
    /// What `aws:PrincipalType` says.
    pub(super) fn word(&self) -> &'static str {
        match self {
            PrincipalKind::Root => "Account",
            PrincipalKind::User { .. } => "User",
            PrincipalKind::Session { .. } => "AssumedRole",
            PrincipalKind::Federated { .. } => "FederatedUser",
        }
    }

    /// The ARN of the provider behind it.
    pub(super) fn provider(&self) -> Option<&str> {
        match self {
            PrincipalKind::Session { federated, .. } => federated.as_deref(),
            PrincipalKind::Federated { provider } => Some(provider),
            PrincipalKind::Root | PrincipalKind::User { .. } => None,
        }
    }
}

/// One name in a `Principal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `*`.
    Everyone,
    /// An account, by its number or its root's ARN: all that is in it.
    Account(String),
    /// The ARN of a user, a role or a session.
    Arn(String),
    /// The ID of a user or role that is gone; nobody has it ever again.
    Id(String),
    /// A provider, by its ARN, its name, or `*` for all.
    Federated(String),
    /// A service of AWS: none of them asks anything here.
    Service,
}

/// How a policy names who asks, the closest way last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// By the account: which of its users and roles is left to their own policies.
    Account,
    /// By the user, or the role behind a session, which the session's own policy may narrow.
    Identity,
    /// As that very session, or as one of everyone: no policy of theirs narrows that, if none denies.
    Itself,
}

/// The `Principal` or `NotPrincipal` of a statement.
#[derive(Clone, Debug)]
pub(super) struct Principals {
    pub(super) not: bool,
    pub(super) names: Vec<Name>,
}

impl Principals {
    /// Reads the element; the message says what is wrong with it.
    pub(super) fn parse(not: bool, element: &Json) -> Result<Principals, String> {
        let mut names = Vec::new();
        match element {
            Json::Text(text) if text == "*" => names.push(Name::Everyone),
            Json::Object(members) => {
                for (kind, value) in members {
                    for text in value.strings(kind)? {
                        names.push(Name::parse(kind, text)?);
                    }
                }
            }
            _ => {
                return Err("Invalid principal in policy: Principal is neither \"*\" nor an object, as {\"AWS\": \"123456789012\"}".to_owned());
            }
        }
        if names.is_empty() {
            return Err("Invalid principal in policy: Principal names nobody".to_owned());
        }
        Ok(Principals { not, names })
    }

    /// The ARNs among the names, save those of accounts.
    pub(super) fn arns(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            Name::Arn(arn) => Some(arn.as_str()),
            _ => None,
        })
    }

    /// Whether a deny is meant for the principal.
    pub(super) fn denies(&self, principal: &Principal) -> bool {
        if self.not {
            return !self.excepts(principal);
        }
        let names = |name: &Name| *name == Name::Everyone || name.names(principal).is_some();
        self.names.iter().any(names)
    }

    /// How an allow names the principal, if it does.
    pub(super) fn allows(&self, principal: &Principal) -> Option<Naming> {
        self.names.iter().filter_map(|name| name.names(principal)).max()
    }

    /// Whether a `NotPrincipal` lists the principal and all that it belongs to. AWS looks at the account first, then at the
    /// role, then at the session; whoever lists only some of them still denies.
    fn excepts(&self, principal: &Principal) -> bool {
        let lists = |wanted: &str| {
            let is = |name: &Name| matches!(name, Name::Arn(own) | Name::Account(own) if own == wanted);
            self.names.iter().any(is)
        };
        self.names.contains(&Name::Everyone)
            || match &principal.kind {
                PrincipalKind::Root => lists(&principal.account),
                PrincipalKind::User { .. } => lists(&principal.account) && lists(&principal.arn),
                PrincipalKind::Session { role_arn, .. } => {
                    lists(&principal.account) && lists(role_arn) && lists(&principal.arn)
                }
                PrincipalKind::Federated { .. } => self.allows(principal).is_some(),
            }
    }
}

impl Name {
    fn parse(kind: &str, text: &str) -> Result<Name, String> {
        let invalid = |what: &str| Err(format!("Invalid principal in policy: \"{kind}\":{text:?} {what}"));
        let is_name = !text.is_empty() && text.len() <= POLICY_STRING_BYTES_MAX;
        match kind {
            "AWS" if text == "*" => Ok(Name::Everyone),
            "AWS" if is_account(text) => Ok(Name::Account(text.to_owned())),
            "AWS" if is_id(text) => Ok(Name::Id(text.to_owned())),
            "AWS" => match iam_arn(text) {
                Some((account, "root")) => Ok(Name::Account(account.to_owned())),
                Some(_) => Ok(Name::Arn(text.to_owned())),
                None => invalid(
                    "is no account, no \"*\", and no ARN of a user, role or session without wildcards",
                ),
            },
            "Federated" if is_name => Ok(Name::Federated(text.to_owned())),
            "Service" if is_name => Ok(Name::Service),
            "Federated" | "Service" => invalid("is no name"),
            "CanonicalUser" => {
                invalid("is not supported: write {\"AWS\": \"123456789012\"} with the account's number")
            }
            _ => invalid("is of none of the kinds AWS, Federated and Service"),
        }
    }

    fn names(&self, principal: &Principal) -> Option<Naming> {
        let from_token = matches!(principal.kind, PrincipalKind::Federated { .. });
        match self {
            // Of those who have an identity here; whose token a role accepts has to be said.
            Name::Everyone => (!from_token).then_some(Naming::Itself),
            Name::Account(account) => {
                (!from_token && *account == principal.account).then_some(Naming::Account)
            }
            Name::Arn(arn) => match &principal.kind {
                PrincipalKind::User { .. } => (*arn == principal.arn).then_some(Naming::Identity),
                PrincipalKind::Session { .. } if *arn == principal.arn => Some(Naming::Itself),
                PrincipalKind::Session { role_arn, .. } => (arn == role_arn).then_some(Naming::Identity),
                PrincipalKind::Root | PrincipalKind::Federated { .. } => None,
            },
            Name::Id(id) => {
                // A session's is the role's, a colon and the session's name.
                let own = principal.user_id.split(':').next();
                (own == Some(id.as_str())).then_some(Naming::Identity)
            }
            Name::Federated(own) => {
                let provider = principal.kind.provider()?;
                (own == "*" || own == provider).then_some(Naming::Identity)
            }
            Name::Service => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What IAM writes in the place of an ARN when the user or role is gone.
fn is_id(text: &str) -> bool {
    let rest = text.strip_prefix("AIDA").or_else(|| text.strip_prefix("AROA"));
    rest.is_some_and(|rest| {
        let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        !rest.is_empty() && text.len() <= POLICY_STRING_BYTES_MAX && rest.bytes().all(is_letter)
    })
}

/// The account, and what of it the ARN names.
fn iam_arn(text: &str) -> Option<(&str, &str)> {
    let (service, rest) = text.strip_prefix("arn:aws:")?.split_once("::")?;
    let (account, name) = rest.split_once(':')?;
    let kinds: &[&str] = match service {
        "iam" => &["user/", "role/"],
        "sts" => &["assumed-role/", "federated-user/"],
        _ => &[],
    };
    let is_named = |kind: &&str| name.strip_prefix(*kind).is_some_and(|rest| !rest.is_empty());
    let is_whole = kinds.iter().any(is_named) || (service == "iam" && name == "root");
    let is_plain = !name.contains(['*', '?']) && text.len() <= POLICY_STRING_BYTES_MAX;
    (is_account(account) && is_whole && is_plain).then_some((account, name))
}
