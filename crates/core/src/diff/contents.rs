//! What is in one state: its resource instances and outputs in short, for a list or a search.

use serde::Serialize;

use super::{
    DiffError, FORMAT_VERSION, Sensitive, Side, Value,
    document::{Document, Instance, Key},
    path::{self, Step},
    sensitive::Marks,
    values::{self, string},
};
use crate::{
    Pattern, StateHeader,
    limits::{DIFF_DEPTH_MAX, DIFF_STATE_BYTES_MAX},
};

/// What is in a state.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    /// Its header.
    pub header: StateHeader,
    /// Whether it is encrypted, so that nothing but the header can be read.
    pub sealed: bool,
    /// The objects of its resource instances, in the order of their addresses.
    pub resources: Vec<Resource>,
    /// The outputs of the root module, by name.
    pub outputs: Vec<Output>,
}

/// One object of a resource instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// As Terraform prints it: `module.a["x"].aws_s3_bucket.b[0]`.
    pub address: String,
    /// The key of a deposed object, which waits for its destruction beside the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// `managed` or `data`.
    pub mode: String,
    /// `aws_s3_bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As the state has it: `provider["registry.terraform.io/hashicorp/aws"]`.
    pub provider: String,
    /// The attribute `id`, by which the real thing can be found, unless it is sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where the part of the address begins that is not the module's.
    #[serde(skip)]
    local: usize,
}

/// One output.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Whether the state marks it as sensitive.
    pub sensitive: bool,
    /// Its value, unless it is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl Resource {
    /// The address within its module: `aws_s3_bucket.b[0]`.
    #[must_use]
    pub fn local_address(&self) -> &str {
        self.address.get(self.local..).unwrap_or_default()
    }

    /// Whether `pattern` means this one, by its whole address or by that within its module.
    #[must_use]
    pub fn is_meant_by(&self, pattern: &Pattern) -> bool {
        pattern.matches(&self.address) || pattern.matches(self.local_address())
    }
}

impl Contents {
    /// Reads a state.
    ///
    /// # Errors
    /// When the body is not a state that can be read.
    pub fn read(body: &[u8], sensitive: Sensitive) -> Result<Contents, DiffError> {
        if body.len() > DIFF_STATE_BYTES_MAX {
            return Err(DiffError::TooLarge(Side::Only));
        }
        let header = StateHeader::parse(body).map_err(|why| DiffError::Header(Side::Only, why))?;
        let mut contents = Contents {
            sealed: header.encrypted,
            header,
            resources: Vec::new(),
            outputs: Vec::new(),
        };
        if contents.sealed {
            return Ok(contents);
        }
        let version = contents.header.version.unwrap_or_default();
        if version != FORMAT_VERSION {
            return Err(DiffError::Version(Side::Only, version));
        }
        let document = Document::read(Side::Only, body)?;
        let instances = document.instances(&Default::default())?;
        contents.resources = instances
            .iter()
            .map(|(key, instance)| resource(key, instance, sensitive))
            .collect();
        for (name, raw) in &document.outputs {
            contents
                .outputs
                .push(output(&name.0, &document.output(raw)?, sensitive)?);
        }
        Ok(contents)
    }
}

fn resource(key: &Key<'_>, instance: &Instance<'_>, sensitive: Sensitive) -> Resource {
    let address = key.address();
    let mut marks = Marks::default();
    if let Some(raw) = instance.object.get("sensitive_attributes") {
        marks.add(raw);
    }
    let seen = sensitive == Sensitive::Show || !marks.touch(&[Step::Key("id".into())]);
    let attributes = instance.attributes().unwrap_or_default();
    let id = attributes.get("id").filter(|_| seen).and_then(|raw| string(raw));
    let provider = instance.provider.and_then(string);
    Resource {
        local: address.len() - key.local_address().len(),
        address,
        deposed: key.deposed.as_ref().map(|key| key.to_string()),
        mode: key.mode().to_owned(),
        kind: key.kind().to_owned(),
        provider: provider.unwrap_or_default().into_owned(),
        id: id.map(|id| id.into_owned()),
    }
}

fn output(name: &str, fields: &values::Object<'_>, sensitive: Sensitive) -> Result<Output, DiffError> {
    // Anything but a plain `false` hides, so that a damaged mark does not show a secret.
    let is_marked = fields.get("sensitive").is_some_and(|raw| raw.get() != "false");
    let mut shown = String::new();
    name.chars().for_each(|c| path::push_visible(&mut shown, c));
    let seen = sensitive == Sensitive::Show || !is_marked;
    let value = fields.get("value").filter(|_| seen);
    let value = value.map(|raw| values::compact(raw, DIFF_DEPTH_MAX)).transpose();
    Ok(Output {
        value: value.map_err(|values::TooDeep| DiffError::TooDeep {
            address: format!("output.{shown}"),
        })?,
        name: shown,
        sensitive: is_marked,
    })
}
