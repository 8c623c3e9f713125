//! What `init` recorded in the data directory: the backend's kind and all of its settings, as Terraform works with them.
//!
//! Source: `internal/command/workdir/backend_state.go` of Terraform.

use std::path::Path;

use super::{
    BackendError, Place, Reader,
    block::Block,
    json::{self, Strings},
};

/// The record; `None` where `init` has not run, or the configuration had no backend then.
pub(super) fn read(data_dir: &Path, reader: &mut Reader) -> Result<Option<Block>, BackendError> {
    let path = data_dir.join("terraform.tfstate");
    let Some(text) = reader.read(&path)? else {
        return Ok(None);
    };
    let document = json::parsed(&path, &text)?;
    let backend = &document["backend"];
    let Some(kind) = backend["type"].as_str().filter(|kind| !kind.is_empty()) else {
        return Ok(None);
    };
    let at = Place::file(&path);
    let config = backend["config"].as_object().cloned().unwrap_or_default();
    Ok(Some(Block {
        kind: kind.to_owned(),
        settings: json::settings_of(&config, Strings::Plain, &at),
        at,
    }))
}
