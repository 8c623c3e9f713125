//! Whether a bucket policy is public.
//!
//! Source: "The meaning of 'public'" in "Blocking public access to your Amazon S3 storage", S3 User Guide: a policy is
//! public unless every allow is for fixed principals, or for everyone under a condition with fixed values of certain keys.

use super::{
    Policy,
    condition::{Condition, Set, Test},
    pattern::Pattern,
    principal::Name,
    statement::Statement,
    value::Network,
};

/// The keys whose fixed values bound who may come. The S3 User Guide lists them, "an AWS principal, user, role" written out.
const BOUNDING: [&str; 14] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
    "s3:dataaccesspointaccount",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    ACCESS_POINT,
];

/// Here only the account has to be fixed.
const ACCESS_POINT: &str = "s3:dataaccesspointarn";

/// Networks with fewer bits are everybody.
const V4_BITS_MIN: u32 = 8;
const V6_BITS_MIN: u32 = 32;

impl Policy {
    /// Whether it gives something to people outside of a fixed set, by Amazon S3's definition.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(is_public)
    }
}

fn is_public(statement: &Statement) -> bool {
    let names_all = |name: &Name| match name {
        Name::Everyone => true,
        // Who has an account with a public provider is anybody; what an account trusts has an ARN.
        Name::Federated(provider) => !provider.starts_with("arn:"),
        Name::Account(_) | Name::Arn(_) | Name::Id(_) | Name::Service => false,
    };
    let for_all = statement
        .principals
        .as_ref()
        .is_some_and(|principals| principals.names.iter().any(names_all));
    statement.allows && for_all && !statement.conditions.iter().any(bounds)
}

/// Whether a condition leaves a fixed set only. One that also holds without its key does not.
fn bounds(condition: &Condition) -> bool {
    let needs_key = !condition.negated && !condition.if_exists && condition.set != Set::All;
    let fixed = |pattern: &Pattern| match condition.key.as_str() {
        ACCESS_POINT => pattern.is_fixed() || pattern.has_fixed_account(),
        _ => pattern.is_fixed(),
    };
    needs_key
        && BOUNDING.contains(&condition.key.as_str())
        && match &condition.test {
            Test::Text(own) | Test::TextIgnoringCase(own) | Test::Arn(own) => own.iter().all(fixed),
            Test::Address(own) => own.iter().all(is_narrow),
            Test::Number(..) | Test::Date(..) | Test::Bool(_) | Test::Binary(_) | Test::Null(_) => false,
        }
}

fn is_narrow(network: &Network) -> bool {
    network.bits >= if network.is_v4 { V4_BITS_MIN } else { V6_BITS_MIN }
}
