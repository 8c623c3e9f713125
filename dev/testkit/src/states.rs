//! Made-up states that look like real ones: modules, the AWS provider's resources, and one apply after another.
//!
//! Written byte for byte as Terraform writes them (format version 4, `internal/states/statefile/version4.go`), because
//! what a history costs depends on the spelling as much as on the content. The same seed makes the same states.

mod compute;
mod data;
mod kind;
mod layout;
mod named;
mod network;
mod storage;

use std::collections::BTreeSet;

use serde_json::Value;

use self::{
    kind::Kind,
    layout::{Index, Key},
    named::Named,
};
use crate::Rng;

/// One apply in this many adds a resource, and as many remove one.
const APPLIES_PER_ADDITION: u64 = 3;

/// One changed resource in this many is replaced: all its attributes are new.
const CHANGES_PER_REPLACEMENT: u64 = 8;

/// The states of one address, one after the other.
#[derive(Clone, Debug)]
pub struct States {
    rng: Rng,
    serial: u64,
    lineage: String,
    release: String,
    password: String,
    services: Vec<String>,
    /// In the order in which Terraform writes them.
    instances: Vec<Instance>,
}

/// What an apply did to the resource instances, by address, in no certain order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Addresses that are new.
    pub added: BTreeSet<String>,
    /// Addresses whose attributes differ.
    pub changed: BTreeSet<String>,
    /// Addresses that are gone.
    pub removed: BTreeSet<String>,
    /// Outputs that differ, as `output.NAME`.
    pub outputs: BTreeSet<String>,
}

impl States {
    /// A first state of this many resource instances. 5,000 of them take about 14 MB.
    #[must_use]
    pub fn new(seed: u64, resources: usize) -> Self {
        let mut rng = Rng::new(seed);
        let (keys, services) = layout::keys(resources);
        let mut states = Self {
            serial: 1,
            lineage: rng.uuid(),
            release: rng.hex(7),
            password: rng.text(24),
            services,
            instances: keys.into_iter().map(|key| Instance::new(key, &mut rng)).collect(),
            rng,
        };
        states.instances.sort_by(|a, b| a.key.order().cmp(&b.key.order()));
        states
    }

    /// The state's serial.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The state's lineage, which stays.
    #[must_use]
    pub fn lineage(&self) -> &str {
        &self.lineage
    }

    /// The addresses of all resource instances, in the order of the document.
    pub fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.instances.iter().map(|instance| instance.key.address())
    }

    /// Makes the next state, in which 1 % of the resources (one at least) have other attributes, and now and then one is
    /// added or removed.
    pub fn apply(&mut self) -> Applied {
        self.serial += 1;
        self.release = self.rng.hex(7);
        let mut applied = Applied::default();
        applied.outputs.insert("output.release".to_owned());
        for at in self.chosen((self.instances.len() / 100).max(1)) {
            self.instances[at].change(&mut self.rng);
            applied.changed.insert(self.instances[at].key.address());
        }
        if self.rng.below(APPLIES_PER_ADDITION) == 0 {
            self.remove(&mut applied);
        }
        if self.rng.below(APPLIES_PER_ADDITION) == 0 {
            self.add(&mut applied);
        }
        applied
    }

    /// The state, as Terraform writes it.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        let size: usize = self
            .instances
            .iter()
            .map(|instance| instance.text.len() + 64)
            .sum();
        let mut text = String::with_capacity(size + 4096);
        text.push_str(&self.head());
        let mut before: Option<&Key> = None;
        for instance in &self.instances {
            if before.is_some_and(|before| before.is_of_one_block(&instance.key)) {
                text.push_str(",\n");
            } else {
                text.push_str(if before.is_some() {
                    "\n      ]\n    },\n"
                } else {
                    "\n"
                });
                text.push_str(&instance.key.head());
            }
            text.push_str(&instance.text);
            before = Some(&instance.key);
        }
        text.push_str("\n      ]\n    }\n  ],\n  \"check_results\": null\n}\n");
        text.into_bytes()
    }

    /// All that stands before the resources, in the order of `stateV4`.
    fn head(&self) -> String {
        let outputs = data::outputs(&self.release, &self.password, &self.services).map(output);
        [
            "{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\"".to_owned(),
            format!("  \"serial\": {}", self.serial),
            format!("  \"lineage\": \"{}\"", self.lineage),
            format!("  \"outputs\": {{\n{}\n  }}", outputs.join(",\n")),
            "  \"resources\": [".to_owned(),
        ]
        .join(",\n")
    }

    /// So many different places in the list of instances.
    fn chosen(&mut self, count: usize) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        while places.len() < count {
            places.insert(self.rng.below(self.instances.len() as u64) as usize);
        }
        places
    }

    fn remove(&mut self, applied: &mut Applied) {
        let at = self.rng.below(self.instances.len() as u64) as usize;
        let address = self.instances[at].key.address();
        // The last one stays, as does what this apply has changed.
        if self.instances.len() > 1 && !applied.changed.contains(&address) {
            self.instances.remove(at);
            applied.removed.insert(address);
        }
    }

    fn add(&mut self, applied: &mut Applied) {
        let service = self.rng.below(self.services.len() as u64) as usize;
        let index = Index::Text(format!("feature_{}", self.serial));
        let key = layout::parameter(&self.services[service], index);
        let at = self
            .instances
            .partition_point(|other| other.key.order() < key.order());
        applied.added.insert(key.address());
        self.instances.insert(at, Instance::new(key, &mut self.rng));
    }
}

/// One resource instance.
#[derive(Clone, Debug)]
struct Instance {
    key: Key,
    attributes: Value,
    /// As it stands in the document.
    text: String,
}

impl Instance {
    fn new(key: Key, rng: &mut Rng) -> Self {
        let attributes = (key.kind.attributes)(&Named::new(&key), rng);
        let text = written(&key, &attributes);
        Self {
            key,
            attributes,
            text,
        }
    }

    /// Changes a few attributes that belong together, or replaces the instance.
    fn change(&mut self, rng: &mut Rng) {
        let before = self.attributes.clone();
        while self.attributes == before {
            let fresh = (self.key.kind.attributes)(&Named::new(&self.key), rng);
            let groups = self.key.kind.changes;
            if groups.is_empty() || rng.below(CHANGES_PER_REPLACEMENT) == 0 {
                self.attributes = fresh;
            } else {
                for name in groups[rng.below(groups.len() as u64) as usize] {
                    self.attributes[*name] = fresh[*name].clone();
                }
            }
        }
        self.text = written(&self.key, &self.attributes);
    }
}

/// An instance as Terraform writes it, in the order of `instanceObjectStateV4`, at the depth where it stands.
fn written(key: &Key, attributes: &Value) -> String {
    let Kind {
        schema_version,
        private,
        sensitive,
        ..
    } = key.kind;
    let mut members = Vec::new();
    match &key.index {
        Index::None => {}
        Index::Number(number) => members.push(format!("\"index_key\": {number}")),
        Index::Text(text) => members.push(format!("\"index_key\": {}", Value::from(text.as_str()))),
    }
    members.push(format!("\"schema_version\": {schema_version}"));
    members.push(format!("\"attributes\": {}", pretty(attributes, 10)));
    let mark = |name: &&str| serde_json::json!([{"type": "get_attr", "value": name}]);
    let marks: Value = sensitive.iter().map(mark).collect();
    members.push(format!("\"sensitive_attributes\": {}", pretty(&marks, 10)));
    if let Some(private) = private {
        members.push(format!("\"private\": \"{private}\""));
    }
    let dependencies = key.dependencies();
    if !dependencies.is_empty() {
        members.push(format!("\"dependencies\": {}", pretty(&dependencies.into(), 10)));
    }
    format!(
        "        {{\n          {}\n        }}",
        members.join(",\n          ")
    )
}

/// An output as Terraform writes it, in the order of `outputStateV4`.
fn output((name, value, of, sensitive): (&str, Value, Value, bool)) -> String {
    let (value, of) = (pretty(&value, 6), pretty(&of, 6));
    let mark = if sensitive {
        ",\n      \"sensitive\": true"
    } else {
        ""
    };
    format!("    \"{name}\": {{\n      \"value\": {value},\n      \"type\": {of}{mark}\n    }}")
}

/// JSON as Go's `MarshalIndent` writes it: two spaces a level, names in order, and `<`, `>` and `&` escaped.
fn pretty(value: &Value, indent: usize) -> String {
    let text = serde_json::to_string_pretty(value).expect("a JSON value can be written");
    let text = text.replace('\n', &format!("\n{:indent$}", ""));
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
