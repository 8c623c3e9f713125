//! The least IAM policy with which Terraform, or an operator, works with one backend: every action, what it is on, and the
//! call that needs it. [`check`] compares it with a policy that somebody has. Asks no server.
//!
//! Source: the calls of `internal/backend/remote-state/s3` of Terraform 1.11, seen on the wire; "Actions, resources, and
//! condition keys" of S3, DynamoDB and KMS in the Service Authorization Reference.

mod actions;
mod check;
mod operator;
mod statements;
mod subject;

use std::collections::BTreeMap;

use serde::Serialize;

pub use check::{Assumed, CheckError, Excess, Missing, Report, check};
pub use statements::statements;
pub use subject::{Subject, Workspaces};

/// Who the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads states and locks nothing: `terraform_remote_state`, `output`, `plan -lock=false`.
    Reader,
    /// Plans, applies, makes and removes workspaces, frees locks.
    Writer,
    /// A writer that also goes back in history, and sees the bucket's and the table's settings and every lock in them.
    Operator,
}

/// One statement of the policy.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its Sid.
    pub sid: &'static str,
    /// What it allows.
    pub actions: Vec<Action>,
    /// ARNs, with wildcards where any workspace is meant.
    pub resources: Vec<String>,
    /// What it holds under: of each condition the operator, its key and the values.
    pub conditions: Vec<(&'static str, &'static str, Vec<String>)>,
    /// Requests that it has to allow, by which another policy is judged.
    samples: Vec<Sample>,
}

/// An action and why it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// `s3:GetObject`.
    pub action: &'static str,
    /// Which call of which command needs it, in a sentence.
    pub calls: &'static str,
}

/// A resource, and the condition keys with which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sample {
    resource: String,
    keys: Vec<(&'static str, String)>,
}

/// The policy as IAM takes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Printed>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>,
}

/// The document of these statements.
#[must_use]
pub fn document(statements: &[Statement]) -> Document {
    let printed = |statement: &Statement| {
        let each = statement.conditions.iter().cloned();
        let condition = each.map(|(operator, key, values)| (operator, BTreeMap::from([(key, values)])));
        Printed {
            sid: statement.sid,
            effect: "Allow",
            action: statement.actions.iter().map(|action| action.action).collect(),
            resource: statement.resources.clone(),
            condition: condition.collect(),
        }
    };
    Document {
        version: "2012-10-17",
        statement: statements.iter().map(printed).collect(),
    }
}

#[cfg(test)]
mod tests;
