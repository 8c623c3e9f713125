//! AWS policies: documents are read once, strictly, into a form in which a request is decided in microseconds.
//!
//! The rules are those of "Policy evaluation logic" and "IAM JSON policy elements" in the IAM User Guide. Nothing here
//! knows an operation: who asks, for which action on which resource and with which context keys is the caller's to say.

mod condition;
mod decision;
mod json;
mod parse;
mod pattern;
mod principal;
mod public;
mod request;
mod statement;
mod value;

use std::sync::Arc;

pub use decision::{By, Decision, Effect, ResourceRule, Source, decide};
use principal::Principals;
pub use principal::{Principal, PrincipalKind};
pub use request::{Context, Request};
use statement::Statement;

/// What a document is attached to, which says which elements it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A policy of a user or role: what its owner may do, so that it names no principal.
    Identity,
    /// The policy passed along when a role is assumed.
    Session,
    /// A bucket policy.
    Bucket,
    /// A key policy of KMS.
    Key,
    /// Who may assume a role; the role itself is the resource.
    Trust,
}

/// A policy document, read and ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

impl Policy {
    /// Reads a document. How long it may be for its kind is the caller's to check; this has a bound of its own.
    ///
    /// # Errors
    /// When the text is not a policy of this kind. The message is for whoever wrote it; AWS's code is `MalformedPolicyDocument`
    /// or, of a bucket policy, `MalformedPolicy`.
    pub fn parse(text: &str, kind: Kind) -> Result<Policy, PolicyError> {
        parse::document(text, kind)
    }

    /// The ARNs of users, roles and sessions that its `Principal` elements name, for who checks that they exist.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        let elements = self
            .statements
            .iter()
            .filter_map(|statement| statement.principals.as_ref());
        elements.flat_map(Principals::arns)
    }

    /// Whether all of its resources are the one with this ARN or below it, as Amazon S3 demands of a bucket's policy.
    #[must_use]
    pub fn is_about(&self, arn: &str) -> bool {
        let listed = self
            .statements
            .iter()
            .filter_map(|statement| statement.resources.as_ref());
        listed
            .flat_map(|listed| &listed.patterns)
            .all(|pattern| pattern.is_of(arn))
    }
}

/// Why a text is no policy: which statement, what is wrong there, what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub(crate) String);

/// A policy and what to call it when it decides a request: its ARN, or whose inline policy it is.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name, for people.
    pub name: String,
    /// The policy.
    pub policy: Policy,
}

/// What somebody was given: the policies that a request of theirs is decided by, beside the resource's own.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// Whether this is the server's operator, who may do everything in every account that no resource policy denies.
    pub operator: bool,
    /// The policies of the user or role.
    pub identity: Vec<Arc<Named>>,
    /// The policies that the session was begun with, if it was: it may do only what these allow too.
    pub session: Option<Vec<Arc<Named>>>,
}

impl Rights {
    /// Those of the server's operator.
    #[must_use]
    pub fn operator() -> Rights {
        Rights {
            operator: true,
            ..Rights::default()
        }
    }
}
