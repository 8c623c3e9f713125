//! Backend blocks and settings in HCL's JSON syntax, and what `init` recorded, which is plain JSON.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::{BackendError, Place, Settings, block::Block, settings::Value};

/// How the strings of a document are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// As they stand.
    Plain,
    /// As templates, in which OpenTofu computes `${…}` and `%{…}`. Terraform leaves them as they stand in a backend block,
    /// and which of the two it is the record tells.
    Templates,
}

/// The `backend` and `cloud` blocks of a file.
pub(super) fn blocks(path: &Path, text: &str) -> Result<Vec<Block>, BackendError> {
    let document = parsed(path, text)?;
    let at = Place::file(path);
    let mut found = Vec::new();
    for outer in bodies(&document).filter_map(|root| root.get("terraform")) {
        for inner in bodies(outer) {
            let backends = inner.get("backend").into_iter().flat_map(bodies).flatten();
            for (kind, value) in backends.filter(|(kind, _)| !is_comment(kind)) {
                let bodies = bodies(value);
                found.extend(bodies.map(|body| Block {
                    kind: kind.clone(),
                    at: at.clone(),
                    settings: settings_of(body, Strings::Templates, &at),
                }));
            }
            let clouds = inner.get("cloud").into_iter().flat_map(bodies);
            found.extend(clouds.map(|_| Block {
                kind: "cloud".to_owned(),
                at: at.clone(),
                settings: Settings::default(),
            }));
        }
    }
    Ok(found)
}

/// The settings in a file for `-backend-config`.
pub(super) fn settings(path: &Path, text: &str) -> Result<Settings, BackendError> {
    let document = parsed(path, text)?;
    let at = Place::file(path);
    let body = document.as_object().ok_or_else(|| BackendError::Syntax {
        at: at.clone(),
        why: "a file for -backend-config is an object of settings".to_owned(),
    })?;
    Ok(settings_of(body, Strings::Templates, &at))
}

/// All that an object sets, those in inner objects under `outer.inner`.
pub(super) fn settings_of(body: &Map<String, Json>, strings: Strings, at: &Place) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in body.iter().filter(|(name, _)| !is_comment(name)) {
        put(&mut settings, name, value, strings, at);
    }
    settings
}

/// The document, or the line on which it ends to be one.
pub(super) fn parsed(path: &Path, text: &str) -> Result<Json, BackendError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|fault| BackendError::Syntax {
        at: Place::file(path).at_line(fault.line()),
        why: "this is no JSON".to_owned(),
    })
}

/// In HCL's JSON a body may be an object, or an array of them.
fn bodies(value: &Json) -> impl Iterator<Item = &Map<String, Json>> {
    let one = value.as_object();
    let many = value.as_array().into_iter().flatten().filter_map(Json::as_object);
    one.into_iter().chain(many)
}

/// A property of this name is a comment.
fn is_comment(name: &str) -> bool {
    name == "//"
}

fn put(settings: &mut Settings, name: &str, value: &Json, strings: Strings, at: &Place) {
    if let Json::Object(object) = value {
        // So that even an empty one takes the place of another.
        settings.put(name, Value::Null, at);
        for (key, value) in object {
            put(settings, &format!("{name}.{key}"), value, strings, at);
        }
        return;
    }
    let value = match value {
        Json::Null => Value::Null,
        Json::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| text(item, strings)).collect();
            items.map_or(Value::Computed, Value::List)
        }
        other => text(other, strings).map_or(Value::Computed, Value::Text),
    };
    settings.put(name, value, at);
}

/// `None` when it is computed, or no single value.
fn text(value: &Json, strings: Strings) -> Option<String> {
    match value {
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(value) => Some(value.to_string()),
        Json::String(text) if strings == Strings::Plain => Some(text.clone()),
        Json::String(text) => Some(text.clone()).filter(|text| !text.contains("${") && !text.contains("%{")),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
