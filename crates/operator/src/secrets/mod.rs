//! Secrets that lie in a state in plain text: what the state or a provider's schema marks, texts in the form of a known token,
//! and texts that look random. Says where they are and never what they are.

mod entropy;
mod schema;
mod tokens;

use std::collections::BTreeSet;

use serde::Serialize;
use tidelock_core::{
    StateHeader,
    diff::{DiffError, Leaf, leaves},
    limits::SECRET_FINDINGS_MAX,
};

pub use schema::{SchemaError, Schemas};
use tokens::Hit;
pub(crate) use tokens::masked;

/// Why a value counts as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The state marks it as sensitive.
    Sensitive,
    /// The provider's schema marks it as sensitive.
    Schema,
    /// It has the form of a known token, or one is in it.
    Token,
    /// It looks random, or stands under a name such as `password`.
    Entropy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Sensitive, Kind::Schema, Kind::Token, Kind::Entropy];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Sensitive => "sensitive",
            Kind::Schema => "schema",
            Kind::Token => "token",
            Kind::Entropy => "entropy",
        }
    }
}

/// A value that is a secret, by its place alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// As Terraform prints it: `module.a["x"].aws_db_instance.b`, or `output.NAME`.
    pub address: String,
    /// `password`, `environment[0].value`; empty for the whole value of an output.
    pub path: String,
    /// Why it counts.
    pub kinds: BTreeSet<Kind>,
    /// What kind of token it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'static str>,
}

/// What was found in one state.
#[derive(Clone, Debug)]
pub struct Found {
    /// The state's header; of an encrypted one nothing else can be read.
    pub header: StateHeader,
    /// In the order of the addresses.
    pub findings: Vec<Finding>,
    /// How many there are beyond [`SECRET_FINDINGS_MAX`].
    pub omitted: usize,
}

/// Looks through a state. `schemas` may be empty.
///
/// # Errors
/// When the body is no state that can be read.
pub fn find(body: &[u8], schemas: &Schemas) -> Result<Found, DiffError> {
    let (mut findings, mut omitted) = (Vec::new(), 0);
    let header = leaves(body, &mut |leaf| {
        let Some(finding) = judge(leaf, schemas) else {
            return;
        };
        if findings.len() < SECRET_FINDINGS_MAX {
            findings.push(finding);
        } else {
            omitted += 1;
        }
    })?;
    Ok(Found {
        header,
        findings,
        omitted,
    })
}

/// Whether a text under this name is a secret by its form or its looks.
pub(crate) fn looks_like_one(name: &str, text: &str) -> bool {
    tokens::in_text(text).is_some() || entropy::is_secret(&[name], text)
}

fn judge(leaf: &Leaf<'_>, schemas: &Schemas) -> Option<Finding> {
    let mut kinds = BTreeSet::new();
    kinds.extend(leaf.marked.then_some(Kind::Sensitive));
    let is_in_schema = leaf
        .resource
        .is_some_and(|resource| schemas.mark(resource, &leaf.names));
    kinds.extend(is_in_schema.then_some(Kind::Schema));
    let token = leaf.text.and_then(tokens::in_text);
    kinds.extend(token.is_some().then_some(Kind::Token));
    let is_random = leaf
        .text
        .is_some_and(|text| entropy::is_secret(&leaf.names, text));
    kinds.extend(is_random.then_some(Kind::Entropy));
    (!kinds.is_empty()).then(|| Finding {
        // Keys of `for_each` and of maps may be secrets themselves.
        address: masked(leaf.address),
        path: masked(&leaf.path),
        kinds,
        token: token.map(|Hit { name, .. }| name),
    })
}

#[cfg(test)]
mod tests;
