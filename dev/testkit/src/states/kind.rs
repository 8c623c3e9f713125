//! What is the same for all resources of a type.

use serde_json::Value;

use super::named::Named;
use crate::Rng;

/// A resource type, or a data source's.
#[derive(Debug)]
pub(super) struct Kind {
    /// `managed` or `data`.
    pub(super) mode: &'static str,
    /// `aws_instance`.
    pub(super) name: &'static str,
    /// `hashicorp/aws`.
    pub(super) provider: &'static str,
    pub(super) schema_version: u32,
    /// What the provider keeps for itself, in Base64.
    pub(super) private: Option<&'static str>,
    /// Attributes that the state marks as sensitive.
    pub(super) sensitive: &'static [&'static str],
    /// Resources of the same module that it is made from.
    pub(super) dependencies: &'static [&'static str],
    /// Attributes that change together without a replacement.
    pub(super) changes: &'static [&'static [&'static str]],
    /// All attributes, drawn anew.
    pub(super) attributes: fn(&Named<'_>, &mut Rng) -> Value,
}

/// `null`: the provider keeps nothing.
pub(super) const NOTHING: Option<&str> = Some("bnVsbA==");

/// `{"schema_version":"1"}`.
pub(super) const VERSION_1: Option<&str> = Some("eyJzY2hlbWFfdmVyc2lvbiI6IjEifQ==");

/// Timeouts of ten and twenty minutes, and the schema's version.
pub(super) const TIMEOUTS: Option<&str> = Some(concat!(
    "eyJlMmJmYjczMC1lY2FhLTExZTYtOGY4OC0zNDM2M2JjN2M0YzAiOnsiY3JlYXRlIjo2MDAwMDAwMDAwMDAsImRlbGV0ZSI6MTIwMDAw",
    "MDAwMDAwMCwidXBkYXRlIjo2MDAwMDAwMDAwMDB9LCJzY2hlbWFfdmVyc2lvbiI6IjEifQ=="
));

/// An ordinary resource of the AWS provider; the others are spelt as what differs from it.
pub(super) const AWS: Kind = Kind {
    mode: "managed",
    name: "",
    provider: "hashicorp/aws",
    schema_version: 0,
    private: NOTHING,
    sensitive: &[],
    dependencies: &[],
    changes: &[&["tags", "tags_all"]],
    attributes: |_, _| Value::Null,
};
