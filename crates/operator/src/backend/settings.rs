//! The settings of a backend, by name, from wherever they were written: `endpoints = { s3 = … }` is `endpoints.s3`.

use std::{collections::BTreeMap, path::Path};

use tidelock_core::diff::visible;

use super::{BackendError, Kind, Place, Reader, block::Block, hcl, json};

/// What is read of `backend "s3"`, and must therefore be as `init` recorded it.
const S3: [&str; 17] = [
    "access_key",
    "bucket",
    "dynamodb_endpoint",
    "dynamodb_table",
    "endpoint",
    "endpoints.dynamodb",
    "endpoints.s3",
    "key",
    "profile",
    "region",
    "secret_key",
    "shared_config_files",
    "shared_credentials_file",
    "shared_credentials_files",
    "token",
    "use_lockfile",
    "workspace_key_prefix",
];

/// The same of `backend "http"`.
const HTTP: [&str; 3] = ["address", "password", "username"];

/// Those of them that no message shows.
const SECRET: [&str; 3] = ["password", "secret_key", "token"];

/// Those that are no plain text, so that `KEY=VALUE` gives them as an expression.
const STRUCTURED: [&str; 3] = ["endpoints", "shared_config_files", "shared_credentials_files"];

/// Has no `Debug`: secrets are among the values.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<String, Setting>);

struct Setting {
    value: Value,
    at: Place,
}

/// The value of one setting; booleans and numbers are texts.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, which takes away what was set before.
    Null,
    Text(String),
    List(Vec<String>),
    /// An expression that only the program knows the value of.
    Computed,
}

impl Settings {
    pub(super) fn put(&mut self, name: &str, value: Value, at: &Place) {
        let at = at.clone();
        self.0.insert(name.to_owned(), Setting { value, at });
    }

    /// Puts `others` over these; an object takes the place of the whole object.
    fn cover(&mut self, others: Settings) {
        self.0
            .retain(|name, _| !others.0.keys().any(|other| outer(other) == outer(name)));
        self.0.extend(others.0);
    }

    /// The text of a setting, unless it is empty, which Terraform takes for absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.given(name).filter(|text| !text.is_empty())
    }

    /// The same, also when it is empty.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        match &self.0.get(name)?.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Computed => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        match &self.0.get(name)?.value {
            Value::List(items) => Some(items.clone()),
            Value::Null | Value::Text(_) | Value::Computed => None,
        }
    }

    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.0.get(name).map(|setting| &setting.at)
    }

    /// What is read and computed, by name, with its place.
    pub(super) fn computed(&self, kind: Kind) -> impl Iterator<Item = (&str, &Place)> {
        let is_read = move |name: &str| names(kind).iter().any(|read| outer(read) == outer(name));
        let computed = self
            .0
            .iter()
            .filter(|(_, setting)| setting.value == Value::Computed);
        computed
            .filter(move |(name, _)| is_read(name))
            .map(|(name, setting)| (name.as_str(), &setting.at))
    }

    /// Checks that what these say, `init` has recorded. What only the record has came from a `-backend-config`.
    pub(super) fn agree_with(&self, recorded: &Block, kind: Kind) -> Result<(), BackendError> {
        for name in names(kind) {
            let Some(ours) = self.0.get(*name) else { continue };
            let theirs = recorded.settings.0.get(*name).map(|setting| &setting.value);
            let agrees = match (&ours.value, theirs) {
                (Value::Null | Value::Computed, _) => true,
                (Value::List(ours), Some(Value::List(theirs))) => sorted(ours) == sorted(theirs),
                (ours, theirs) => Some(ours) == theirs,
            };
            if !agrees {
                return Err(changed(name, ours, theirs, &recorded.at));
            }
        }
        Ok(())
    }
}

fn changed(name: &str, ours: &Setting, theirs: Option<&Value>, recorded_at: &Place) -> BackendError {
    let values = if SECRET.contains(&name) {
        ", but init recorded another".to_owned()
    } else {
        format!(
            " to {}, but init recorded {}",
            shown(Some(&ours.value)),
            shown(theirs)
        )
    };
    BackendError::Changed {
        name: name.to_owned(),
        values,
        at: ours.at.clone(),
        recorded_at: recorded_at.clone(),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => format!("\"{}\"", visible(&without_user(text))),
        Some(Value::List(items)) => format!("[{}]", visible(&items.join(", "))),
        None | Some(Value::Null | Value::Computed) => "none".to_owned(),
    }
}

/// A URL as it may be shown: without user and password. Any other text as it is.
pub(super) fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn sorted(items: &[String]) -> Vec<&String> {
    let mut items: Vec<&String> = items.iter().collect();
    items.sort();
    items
}

fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::S3 => &S3,
        Kind::Http => &HTTP,
    }
}

/// The name as it stands in the block.
fn outer(name: &str) -> &str {
    name.split_once('.').map_or(name, |(outer, _)| outer)
}

/// Puts each `FILE` and `KEY=VALUE` over the settings, the last one over all. Files are looked for from `dir`.
///
/// Source: `backendConfigOverrideBody` in `internal/command/init.go` of Terraform.
pub(super) fn add(
    settings: &mut Settings,
    dir: &Path,
    given: &[String],
    reader: &mut Reader,
) -> Result<(), BackendError> {
    for given in given {
        let others = match given.split_once('=') {
            Some((name, value)) => argument(name.trim(), value)?,
            None => file(&dir.join(given), reader)?,
        };
        settings.cover(others);
    }
    Ok(())
}

fn argument(name: &str, value: &str) -> Result<Settings, BackendError> {
    let at = Place::named(format!("--backend-config {}", visible(name)));
    let mut settings = Settings::default();
    match STRUCTURED.contains(&name) {
        true => hcl::argument(name, value, &at, &mut settings)?,
        false => settings.put(name, Value::Text(value.to_owned()), &at),
    }
    Ok(settings)
}

fn file(path: &Path, reader: &mut Reader) -> Result<Settings, BackendError> {
    let text = reader.read(path)?.ok_or_else(|| BackendError::Syntax {
        at: Place::named("--backend-config"),
        why: format!(
            "there is no file {}, and it is not of the form KEY=VALUE",
            path.display()
        ),
    })?;
    match path.extension() {
        Some(extension) if extension == "json" => json::settings(path, &text),
        _ => hcl::settings(path, &text),
    }
}
