//! A state's outputs without its resources: what a reader gets who may read outputs and nothing else.
//!
//! `terraform_remote_state` reads the outputs of the root module and nothing else of a state. Source of the format:
//! `stateV4` and `outputStateV4` in `internal/states/statefile/version4.go` of Terraform.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// The version of the state format since Terraform 0.12; in older ones each module has outputs of its own.
const FORMAT_VERSION: u64 = 4;

/// A state of the same version, serial, lineage and outputs, in which there are no resources. Equal states give equal
/// bytes, and each output stands as it stood, with its type and its mark of being sensitive.
///
/// `None` when that cannot be told for certain: the state is encrypted, of another format, or repeats a field.
#[must_use]
pub fn outputs_only(state: &[u8]) -> Option<Vec<u8>> {
    let read: Read<'_> = serde_json::from_slice(state).ok()?;
    if read.version != FORMAT_VERSION || read.encrypted_data.is_some() {
        return None;
    }
    let outputs = match read.outputs {
        Some(outputs) => outputs,
        None => serde_json::from_str("{}").ok()?,
    };
    let _each_is_one: BTreeMap<Cow<'_, str>, Output<'_>> = serde_json::from_str(outputs.get()).ok()?;
    let written = Written {
        version: read.version,
        terraform_version: read.terraform_version,
        serial: read.serial,
        lineage: read.lineage,
        outputs,
        resources: [],
        check_results: None,
    };
    let mut text = serde_json::to_vec_pretty(&written).ok()?;
    text.push(b'\n');
    Some(text)
}

/// What is read of the state. A field that stands twice is an error.
#[derive(Deserialize)]
struct Read<'a> {
    version: u64,
    #[serde(borrow)]
    terraform_version: Option<Cow<'a, str>>,
    serial: u64,
    #[serde(borrow)]
    lineage: Cow<'a, str>,
    #[serde(borrow)]
    outputs: Option<&'a RawValue>,
    /// OpenTofu's encrypted form has it.
    encrypted_data: Option<IgnoredAny>,
}

/// What an output has to have.
#[derive(Deserialize)]
struct Output<'a> {
    #[serde(rename = "value", borrow)]
    _value: &'a RawValue,
    #[serde(rename = "type", borrow)]
    _type: &'a RawValue,
}

/// What is written, in Terraform's order.
#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform_version: Option<Cow<'a, str>>,
    serial: u64,
    lineage: Cow<'a, str>,
    outputs: &'a RawValue,
    resources: [(); 0],
    check_results: Option<()>,
}
