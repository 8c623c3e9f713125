//! A backend block as it stands in the files, whatever `init` has recorded, and whether or not Terraform would take it.

use std::path::Path;

use tidelock_core::limits::CONFIGURATION_BYTES_MAX;

use super::{Argument, BackendError, Place, Reader, block};

/// A backend block and what is written in it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Such as `s3`.
    pub(crate) kind: String,
    pub(crate) at: Place,
    /// With its value; `None` of a secret, of what is computed, and of nothing.
    pub(crate) arguments: Vec<(Argument, Option<String>)>,
}

/// The backend block of a directory; `None` where there is none.
pub(crate) fn written(dir: &Path) -> Result<Option<Written>, BackendError> {
    let mut reader = Reader {
        left: CONFIGURATION_BYTES_MAX,
    };
    let block = block::find(dir, &mut reader)?;
    Ok(block.map(|block| {
        let arguments = block.settings.arguments().into_iter();
        let valued = |argument: Argument| {
            let value = block.settings.open_text(&argument.name);
            (argument, value)
        };
        Written {
            arguments: arguments.map(valued).collect(),
            kind: block.kind,
            at: block.at,
        }
    }))
}
