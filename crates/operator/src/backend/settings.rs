//! The settings of a backend, by name, from wherever they were written: `endpoints = { s3 = … }` is `endpoints.s3`.

use std::{collections::BTreeMap, path::Path};

use tidelock_core::diff::visible;

use super::{Argument, BackendError, Kind, Place, Reader, block::Block, hcl, json};

/// What is read of `backend "s3"`, and must therefore be as `init` recorded it.
const S3: [&str; 35] = [
    "access_key",
    "acl",
    "assume_role",
    "assume_role_duration_seconds",
    "assume_role_policy",
    "assume_role_policy_arns",
    "assume_role_tags",
    "assume_role_transitive_tag_keys",
    "assume_role_with_web_identity",
    "bucket",
    "custom_ca_bundle",
    "dynamodb_endpoint",
    "dynamodb_table",
    "encrypt",
    "endpoint",
    "endpoints",
    "external_id",
    "force_path_style",
    "iam_endpoint",
    "key",
    "kms_key_id",
    "profile",
    "region",
    "role_arn",
    "secret_key",
    "session_name",
    "shared_config_files",
    "shared_credentials_file",
    "shared_credentials_files",
    "sse_customer_key",
    "sts_endpoint",
    "token",
    "use_lockfile",
    "use_path_style",
    "workspace_key_prefix",
];

/// Those of them that say how a state is locked.
pub(super) const LOCKING: [&str; 2] = ["dynamodb_table", "use_lockfile"];

/// The same of `backend "http"`.
const HTTP: [&str; 3] = ["address", "password", "username"];

/// Those of them that no message shows.
const SECRET: [&str; 5] = [
    "assume_role_with_web_identity.web_identity_token",
    "password",
    "secret_key",
    "sse_customer_key",
    "token",
];

/// Those that are no plain text, so that `KEY=VALUE` gives them as an expression.
const STRUCTURED: [&str; 10] = [
    "allowed_account_ids",
    "assume_role",
    "assume_role_policy_arns",
    "assume_role_tags",
    "assume_role_transitive_tag_keys",
    "assume_role_with_web_identity",
    "endpoints",
    "forbidden_account_ids",
    "shared_config_files",
    "shared_credentials_files",
];

/// What changes the way to AWS and is not followed here.
const UNFOLLOWED: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "insecure",
    "sts_region",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

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

    /// Takes over those of the named settings that the others have.
    pub(super) fn take_over(&mut self, others: &Settings, names: &[&str]) {
        let taken = others.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        for (name, setting) in taken {
            self.put(name, setting.value.clone(), &setting.at);
        }
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

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text == "true")
    }

    /// What an object holds, by its names.
    pub(super) fn below(&self, outer: &str) -> Vec<(String, String)> {
        let entry = |(name, setting): (&String, &Setting)| {
            let name = name.strip_prefix(outer)?.strip_prefix('.')?;
            match &setting.value {
                Value::Text(text) => Some((name.to_owned(), text.clone())),
                Value::Null | Value::List(_) | Value::Computed => None,
            }
        };
        self.0.iter().filter_map(entry).collect()
    }

    /// What is written, by name and in their order.
    pub(super) fn arguments(&self) -> Vec<Argument> {
        let argument = |(name, setting): (&String, &Setting)| Argument {
            name: name.clone(),
            at: setting.at.clone(),
            computed: setting.value == Value::Computed,
        };
        self.0.iter().map(argument).collect()
    }

    /// The text of a setting that messages may show.
    pub(super) fn open_text(&self, name: &str) -> Option<String> {
        self.text(name).filter(|_| !SECRET.contains(&name))
    }

    /// A sentence for each that Terraform would follow and that is not followed here.
    pub(super) fn unfollowed(&self) -> impl Iterator<Item = String> {
        let said = |name: &&&str| self.text(name).is_some_and(|text| text != "false");
        UNFOLLOWED.iter().filter(said).map(|name| {
            let at = self.place(name).map_or_else(String::new, |at| format!("{at}: "));
            format!("{at}{name} is not followed here; Terraform may take another way than this command")
        })
    }

    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.0.get(name).map(|setting| &setting.at)
    }

    /// What is read and computed, by name, with its place.
    pub(super) fn computed(&self, kind: Kind) -> impl Iterator<Item = (&str, &Place)> {
        let is_read = move |name: &str| names(kind).contains(&outer(name));
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
        let is_read = |name: &str| names(kind).contains(&outer(name));
        for (name, ours) in self.0.iter().filter(|(name, _)| is_read(name)) {
            let theirs = recorded.settings.0.get(name).map(|setting| &setting.value);
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

/// Puts each `FILE` and `KEY=VALUE` over the settings, the last one over all. Files are looked for from `dir`; `source` is
/// where they were given.
///
/// Source: `backendConfigOverrideBody` in `internal/command/init.go` of Terraform.
pub(super) fn add(
    settings: &mut Settings,
    dir: &Path,
    given: &[String],
    source: &str,
    reader: &mut Reader,
) -> Result<(), BackendError> {
    for given in given {
        let others = match given.split_once('=') {
            Some((name, value)) => argument(name.trim(), value, source)?,
            None => file(&dir.join(given), source, reader)?,
        };
        settings.cover(others);
    }
    Ok(())
}

fn argument(name: &str, value: &str, source: &str) -> Result<Settings, BackendError> {
    let at = Place::named(format!("{source} {}", visible(name)));
    let mut settings = Settings::default();
    match STRUCTURED.contains(&name) {
        true => hcl::argument(name, value, &at, &mut settings)?,
        false => settings.put(name, Value::Text(value.to_owned()), &at),
    }
    Ok(settings)
}

fn file(path: &Path, source: &str, reader: &mut Reader) -> Result<Settings, BackendError> {
    let text = reader.read(path)?.ok_or_else(|| BackendError::Syntax {
        at: Place::named(source),
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
