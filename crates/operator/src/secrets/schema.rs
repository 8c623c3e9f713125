//! Which attributes providers mark as sensitive, out of what `terraform providers schema -json` prints.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use serde::Deserialize;
use tidelock_core::{
    diff::ResourceType,
    limits::{DIFF_DEPTH_MAX, PROVIDER_SCHEMAS_BYTES_MAX},
};

/// The sensitive attributes of every resource type: paths of names, without the places in lists.
#[derive(Clone, Debug, Default)]
pub struct Schemas(BTreeMap<Key, BTreeSet<Vec<String>>>);

/// Provider, mode and type.
type Key = (String, &'static str, String);

/// Why schemas cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is not what `terraform providers schema -json` prints.
    #[error("this is not what `terraform providers schema -json` prints: {0}")]
    Json(#[from] serde_json::Error),
    /// It cannot be read.
    #[error("the schemas cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is larger than any.
    #[error("the schemas are larger than {PROVIDER_SCHEMAS_BYTES_MAX} bytes")]
    TooLarge,
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    provider_schemas: BTreeMap<String, Provider>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default)]
    resource_schemas: BTreeMap<String, Schema>,
    #[serde(default)]
    data_source_schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    block: Block,
}

/// A block, or the attributes nested in an attribute.
#[derive(Default, Deserialize)]
struct Block {
    #[serde(default)]
    attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    block_types: BTreeMap<String, Nested>,
}

#[derive(Deserialize)]
struct Nested {
    #[serde(default)]
    block: Block,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(default)]
    sensitive: bool,
    nested_type: Option<Box<Block>>,
}

impl Schemas {
    /// Reads what `terraform providers schema -json` prints.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn read(source: impl Read) -> Result<Schemas, SchemaError> {
        let mut text = Vec::new();
        source
            .take(PROVIDER_SCHEMAS_BYTES_MAX + 1)
            .read_to_end(&mut text)?;
        if text.len() as u64 > PROVIDER_SCHEMAS_BYTES_MAX {
            return Err(SchemaError::TooLarge);
        }
        let printed: Printed = serde_json::from_slice(&text)?;
        let mut schemas = Schemas::default();
        for (provider, found) in printed.provider_schemas {
            schemas.add(&provider, "managed", found.resource_schemas);
            schemas.add(&provider, "data", found.data_source_schemas);
        }
        Ok(schemas)
    }

    fn add(&mut self, provider: &str, mode: &'static str, schemas: BTreeMap<String, Schema>) {
        for (kind, schema) in schemas {
            let mut paths = BTreeSet::new();
            schema.block.collect(&mut Vec::new(), &mut paths);
            if !paths.is_empty() {
                self.0.insert((provider.to_owned(), mode, kind), paths);
            }
        }
    }

    /// Whether no provider's schema marks anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the schema marks the value under these names, or what it is in.
    pub(super) fn mark(&self, resource: &ResourceType, names: &[&str]) -> bool {
        let mode = if resource.mode == "data" {
            "data"
        } else {
            "managed"
        };
        // Also behind `module.a.` and before `.alias`.
        let provider = resource.provider.split('"').nth(1).unwrap_or_default();
        let Some(paths) = self.0.get(&(provider.to_owned(), mode, resource.kind.clone())) else {
            return false;
        };
        let begins = |path: &Vec<String>| {
            path.len() <= names.len() && path.iter().zip(names).all(|(own, name)| own == name)
        };
        paths.iter().any(begins)
    }
}

impl Block {
    fn collect(self, path: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
        if path.len() > DIFF_DEPTH_MAX {
            return;
        }
        for (name, attribute) in self.attributes {
            path.push(name);
            if attribute.sensitive {
                found.insert(path.clone());
            }
            if let Some(nested) = attribute.nested_type {
                nested.collect(path, found);
            }
            path.pop();
        }
        for (name, nested) in self.block_types {
            path.push(name);
            nested.block.collect(path, found);
            path.pop();
        }
    }
}
