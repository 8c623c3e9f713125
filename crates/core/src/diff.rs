//! What differs between two states, by resource instance, attribute and output, in the words that Terraform uses.
//!
//! Read without building the documents: what is the same text in both is never parsed. Source of the format:
//! `internal/states/statefile/version4.go` of Terraform. OpenTofu-encrypted states show serial and lineage only.

mod changes;
mod contents;
mod document;
mod leaves;
mod path;
mod sensitive;
mod text;
mod values;

pub use contents::{Contents, Output, Resource};
pub use leaves::{Leaf, ResourceType, leaves};
pub use text::visible;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use crate::{
    StateHeader, StateHeaderError,
    limits::{DIFF_DEPTH_MAX, DIFF_INSTANCES_MAX, DIFF_STATE_BYTES_MAX, DIFF_VALUES_MAX},
};

/// The only version of the format that is compared; Terraform writes it since 0.12.
const FORMAT_VERSION: u64 = 4;

/// How the new state differs from the old one.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The header of the old state.
    pub old: StateHeader,
    /// The header of the new state.
    pub new: StateHeader,
    /// Whether the contents could be compared: not when one side is encrypted, unless both are the same bytes.
    pub compared: bool,
    /// Resource instances that differ, in the order of their addresses.
    pub resources: Vec<Change>,
    /// Outputs of the root module that differ, by name.
    pub outputs: Vec<Change>,
}

/// One resource instance or output that differs.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// As Terraform prints it: `module.a["x"].aws_s3_bucket.b[0]`; for an output `output.NAME`.
    pub address: String,
    /// The key of a deposed object, which waits for its destruction beside the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// What happened to it.
    pub kind: Kind,
    /// The attribute `id`, by which the real thing can be found, unless it is sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The values that differ. An added or removed resource instance lists none, an output its value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueChange>,
    /// How many more values differ than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

/// One value that differs. `null` is the same as not being there, as it is for Terraform.
#[derive(Clone, Debug, Serialize)]
pub struct ValueChange {
    /// `tags.Name`, `ingress[0].port`; what is no attribute but Terraform's own in parentheses: `(status)`. Empty for
    /// the whole value of an output.
    pub path: String,
    /// What happened to it.
    pub kind: Kind,
    /// Whether the state marks it as sensitive.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// The old value, unless it was not there or is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The new value, unless it is not there or is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// What happened to something between the old and the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is in the new state only.
    Added,
    /// It is in both, and differs.
    Changed,
    /// It is in the old state only.
    Removed,
}

/// What to do with values that the state marks as sensitive.
///
/// The marks are the state's own: Terraform sets them for what a configuration declares sensitive, newer ones also for
/// what a provider's schema does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitive {
    /// Say that they differ; never read them into the result.
    Hide,
    /// List them as any other.
    Show,
}

/// A JSON value as the state has it, without spaces. Debug does not show it: unmarked values may be secrets too.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Value(Box<RawValue>);

impl Value {
    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes)", self.0.get().len())
    }
}

/// How many were added, changed and removed; printed as `+3 ~1 -0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counts {
    /// In the new state only.
    pub added: usize,
    /// In both, and different.
    pub changed: usize,
    /// In the old state only.
    pub removed: usize,
}

impl Counts {
    fn of(changes: &[Change]) -> Counts {
        let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
        Counts {
            added: count(Kind::Added),
            changed: count(Kind::Changed),
            removed: count(Kind::Removed),
        }
    }
}

/// Which state is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first of two.
    Old,
    /// The second of two.
    New,
    /// The one that is read alone.
    Only,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Old => "old state",
            Side::New => "new state",
            Side::Only => "state",
        })
    }
}

/// Why a body cannot be read, or two not be compared. None of these texts shows a value of a state.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A side is not a state at all.
    #[error("the {0} cannot be read: {1}")]
    Header(Side, StateHeaderError),
    /// A side is in a format that is not compared.
    #[error(
        "the {0} has format version {1}, and only version {FORMAT_VERSION} can be compared (Terraform 0.12 or newer)"
    )]
    Version(Side, u64),
    /// A side is not as Terraform writes it.
    #[error("the {0} is damaged: {1} is not as Terraform writes it")]
    Damaged(Side, &'static str),
    /// A side is too large.
    #[error("the {0} is larger than {DIFF_STATE_BYTES_MAX} bytes")]
    TooLarge(Side),
    /// A side has too many resource instances.
    #[error("the {0} has more than {DIFF_INSTANCES_MAX} resource instances")]
    TooMany(Side),
    /// A value is nested too deeply.
    #[error("a value of {address} is nested more than {DIFF_DEPTH_MAX} levels deep")]
    TooDeep {
        /// The resource or output.
        address: String,
    },
}

impl Diff {
    /// Compares two states.
    ///
    /// # Errors
    /// When a side is not a state that can be compared.
    pub fn between(old: &[u8], new: &[u8], sensitive: Sensitive) -> Result<Diff, DiffError> {
        let header = |side, body: &[u8]| {
            if body.len() > DIFF_STATE_BYTES_MAX {
                return Err(DiffError::TooLarge(side));
            }
            StateHeader::parse(body).map_err(|error| DiffError::Header(side, error))
        };
        let mut diff = Diff {
            old: header(Side::Old, old)?,
            new: header(Side::New, new)?,
            compared: true,
            resources: Vec::new(),
            outputs: Vec::new(),
        };
        if old == new {
            return Ok(diff);
        }
        if diff.old.encrypted || diff.new.encrypted {
            diff.compared = false;
            return Ok(diff);
        }
        for (side, header) in [(Side::Old, &diff.old), (Side::New, &diff.new)] {
            let version = header.version.unwrap_or_default();
            if version != FORMAT_VERSION {
                return Err(DiffError::Version(side, version));
            }
        }
        let old = document::Document::read(Side::Old, old)?;
        let new = document::Document::read(Side::New, new)?;
        let mut room = DIFF_VALUES_MAX;
        diff.resources = changes::resources(&old, &new, sensitive, &mut room)?;
        diff.outputs = changes::outputs(&old, &new, sensitive, &mut room)?;
        Ok(diff)
    }

    /// Whether resources and outputs are known to be the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.compared && self.resources.is_empty() && self.outputs.is_empty()
    }

    /// How many resource instances differ.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.resources)
    }

    /// How many outputs differ.
    #[must_use]
    pub fn output_counts(&self) -> Counts {
        Counts::of(&self.outputs)
    }
}

impl Serialize for Diff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Diff", 7)?;
        fields.serialize_field("old", &self.old)?;
        fields.serialize_field("new", &self.new)?;
        fields.serialize_field("compared", &self.compared)?;
        fields.serialize_field("counts", &self.counts())?;
        fields.serialize_field("output_counts", &self.output_counts())?;
        fields.serialize_field("resources", &self.resources)?;
        fields.serialize_field("outputs", &self.outputs)?;
        fields.end()
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
