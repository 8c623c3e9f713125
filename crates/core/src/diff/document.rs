//! A state's document, taken apart as far as a comparison needs it: resources, their instances, outputs.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::value::RawValue;

use super::{
    DiffError, Side, path,
    values::{Object, array, object, string},
};
use crate::limits::DIFF_INSTANCES_MAX;

/// What is in a state's document.
pub(super) struct Document<'a> {
    side: Side,
    resources: Vec<&'a RawValue>,
    /// The outputs of the root module, by name.
    pub(super) outputs: Object<'a>,
}

impl<'a> Document<'a> {
    /// Reads the document's top level.
    pub(super) fn read(side: Side, body: &'a [u8]) -> Result<Document<'a>, DiffError> {
        let damaged = |what| move || DiffError::Damaged(side, what);
        let whole: Object<'a> = serde_json::from_slice(body).map_err(|_| damaged("the document")())?;
        let there = |name: &str| whole.get(name).copied().filter(|raw| raw.get() != "null");
        let resources = there("resources").map(|raw| array(raw).ok_or_else(damaged("`resources`")));
        let outputs = there("outputs").map(|raw| object(raw).ok_or_else(damaged("`outputs`")));
        Ok(Document {
            side,
            resources: resources.transpose()?.unwrap_or_default(),
            outputs: outputs.transpose()?.unwrap_or_default(),
        })
    }

    /// The text of every resource.
    pub(super) fn texts(&self) -> BTreeSet<&'a str> {
        self.resources.iter().map(|raw| raw.get()).collect()
    }

    /// Reads one of the outputs.
    pub(super) fn output(&self, raw: &'a RawValue) -> Result<Object<'a>, DiffError> {
        object(raw).ok_or(DiffError::Damaged(self.side, "an output"))
    }

    /// The instances of all resources whose text is not in `known`.
    pub(super) fn instances(
        &self,
        known: &BTreeSet<&str>,
    ) -> Result<BTreeMap<Key<'a>, Instance<'a>>, DiffError> {
        let mut instances = BTreeMap::new();
        for raw in self.resources.iter().filter(|raw| !known.contains(raw.get())) {
            self.add(raw, &mut instances)?;
            if instances.len() > DIFF_INSTANCES_MAX {
                return Err(DiffError::TooMany(self.side));
            }
        }
        Ok(instances)
    }

    fn add(
        &self,
        raw: &'a RawValue,
        instances: &mut BTreeMap<Key<'a>, Instance<'a>>,
    ) -> Result<(), DiffError> {
        let damaged = || DiffError::Damaged(self.side, "a resource");
        let resource = object(raw).ok_or_else(damaged)?;
        let name = |name: &str| match resource.get(name) {
            Some(raw) => string(raw).ok_or_else(damaged),
            None if name == "module" => Ok(Cow::Borrowed("")),
            None => Err(damaged()),
        };
        let key = Key {
            module: name("module")?,
            mode: name("mode")?,
            kind: name("type")?,
            name: name("name")?,
            index: Index::None,
            deposed: None,
        };
        let list = resource.get("instances").copied().and_then(array);
        for raw in list.ok_or_else(damaged)? {
            let damaged = || DiffError::Damaged(self.side, "an instance of a resource");
            let object = object(raw).ok_or_else(damaged)?;
            let key = Key {
                index: object.get("index_key").map_or(Index::None, |raw| Index::of(raw)),
                deposed: object.get("deposed").and_then(|raw| string(raw)),
                ..key.clone()
            };
            let provider = resource.get("provider").copied();
            let instance = Instance {
                raw,
                object,
                provider,
            };
            instances.insert(key, instance);
        }
        Ok(())
    }
}

/// What names one object of a resource instance; its order is that of the listing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    module: Cow<'a, str>,
    mode: Cow<'a, str>,
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
    index: Index<'a>,
    pub(super) deposed: Option<Cow<'a, str>>,
}

/// An instance's key under `count` or `for_each`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Index<'a> {
    None,
    Number(u64),
    Text(Cow<'a, str>),
}

impl<'a> Index<'a> {
    fn of(raw: &'a RawValue) -> Index<'a> {
        match (string(raw), raw.get()) {
            (Some(key), _) => Index::Text(key),
            (None, "null") => Index::None,
            (None, other) => other.parse().map_or(Index::Text(other.into()), Index::Number),
        }
    }
}

impl Key<'_> {
    /// `managed` or `data`.
    pub(super) fn mode(&self) -> &str {
        &self.mode
    }

    /// The resource's type.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// As Terraform prints it.
    pub(super) fn address(&self) -> String {
        self.below(&self.module)
    }

    /// The same without its module.
    pub(super) fn local_address(&self) -> String {
        self.below("")
    }

    fn below(&self, module: &str) -> String {
        let mut text = String::new();
        let names = [module, self.mode.as_ref(), self.kind.as_ref(), self.name.as_ref()];
        for (part, name) in names.into_iter().enumerate() {
            // Terraform leaves out the root module and the mode of an ordinary resource.
            if (part == 0 && name.is_empty()) || (part == 1 && name == "managed") {
                continue;
            }
            if !text.is_empty() {
                text.push('.');
            }
            name.chars().for_each(|c| path::push_visible(&mut text, c));
        }
        match &self.index {
            Index::None => {}
            Index::Number(number) => path::push(&mut text, format_args!("[{number}]")),
            Index::Text(key) => path::push_index(&mut text, key),
        }
        text
    }
}

/// One object of a resource instance.
pub(super) struct Instance<'a> {
    pub(super) raw: &'a RawValue,
    pub(super) object: Object<'a>,
    /// The resource's provider.
    pub(super) provider: Option<&'a RawValue>,
}

impl<'a> Instance<'a> {
    /// The attributes; `attributes_flat` is how Terraform keeps those that it has not upgraded since 0.11.
    pub(super) fn attributes(&self) -> Option<Object<'a>> {
        let there = |name: &str| self.object.get(name).copied().and_then(object);
        there("attributes").or_else(|| there("attributes_flat"))
    }
}
