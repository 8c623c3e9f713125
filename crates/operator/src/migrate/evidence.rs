//! What a bucket and a table show of how a state was locked when it was written last.

use tidelock_core::address::LOCK_FILE_SUFFIX;

use super::Target;
use crate::{
    archive::md5_of,
    aws::{Access, Environment, Settings, SettingsError},
    layout::{self, Layout},
    s3::{Object, VersionMarker},
};

/// What a server of Tidelock calls itself.
const TIDELOCK: &str = "Tidelock";

/// How a state was locked when it was written last.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// `BUCKET/KEY` of the state.
    pub address: String,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: Option<i64>,
    /// Whether the table has the digest of just these bytes, which who locks there leaves.
    pub by_table: bool,
    /// Whether the bucket shows a lock file that was there at that time.
    pub by_lock_file: bool,
    /// Whether the server has one lock for both forms, so that nothing has to be shown.
    pub one_lock: bool,
}

impl Evidence {
    /// Whether either lock can go.
    #[must_use]
    pub fn is_both(&self) -> bool {
        self.one_lock || (self.by_table && self.by_lock_file)
    }
}

/// The bucket and the table of a configuration.
pub(super) fn layout(
    target: &Target,
    table: Option<String>,
    environment: &Environment,
) -> Result<Layout, SettingsError> {
    let backend = &target.between.backend;
    let settings = Settings::load(environment.clone(), backend.wanted.clone())?;
    let bucket = backend.address.bucket().to_owned();
    Ok(Layout {
        encryption: backend.encryption.clone(),
        ..Layout::new(Access::new(settings)?, bucket, table)?
    })
}

/// The keys of a configuration's states, of all workspaces.
///
/// Source: `Workspaces` and `keyEnvName` in `internal/backend/remote-state/s3/backend_state.go` of Terraform.
pub(super) async fn keys(layout: &Layout, target: &Target) -> Result<Vec<String>, layout::Error> {
    let own = target.between.backend.address.key();
    let mut keys = vec![own.to_owned()];
    let prefix = match target.between.backend.workspace_prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let mut after = None;
    loop {
        let page = layout
            .s3
            .list_objects(&layout.bucket, &prefix, after.as_deref())
            .await?;
        let of_workspace = |key: &str| {
            let (workspace, rest) = key.strip_prefix(&prefix)?.split_once('/')?;
            (!workspace.is_empty() && rest == own).then(|| key.to_owned())
        };
        keys.extend(page.items.iter().filter_map(|object| of_workspace(&object.key)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

/// What shows of the last write of a state; `None` where there is no state.
pub(super) async fn of(layout: &Layout, key: &str) -> Result<Option<Evidence>, layout::Error> {
    let head = match layout.head(key, None).await {
        Ok(head) => head,
        Err(error) if matches!(error.code(), Some("404" | "NoSuchKey")) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut evidence = Evidence {
        address: layout.item_name(key),
        written_ms: head.written_ms(),
        by_table: false,
        by_lock_file: false,
        one_lock: head.server() == Some(TIDELOCK),
    };
    if !evidence.one_lock {
        evidence.by_table = has_digest_of(layout, key, &head).await?;
        if let Some(written) = evidence.written_ms {
            evidence.by_lock_file = was_locked_by_file(layout, key, written).await?;
        }
    }
    Ok(Some(evidence))
}

/// Whether the table has the digest of the state as it is now.
pub(super) async fn has_digest(layout: &Layout, key: &str) -> Result<bool, layout::Error> {
    match layout.head(key, None).await {
        Ok(head) => has_digest_of(layout, key, &head).await,
        Err(error) if matches!(error.code(), Some("404" | "NoSuchKey")) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn has_digest_of(layout: &Layout, key: &str, head: &Object) -> Result<bool, layout::Error> {
    let Some(digest) = layout.digest(key).await? else {
        return Ok(false);
    };
    if head.etag.eq_ignore_ascii_case(&digest) {
        return Ok(true);
    }
    // The ETag of a state in several parts, or encrypted by KMS, is no MD5.
    let object = layout.read(key, None).await?;
    Ok(md5_of(&object.bytes).eq_ignore_ascii_case(&digest))
}

/// Whether a version of the lock file was there at a time: from when it was put until the next one, or the delete marker.
async fn was_locked_by_file(layout: &Layout, key: &str, at_ms: i64) -> Result<bool, layout::Error> {
    let file = format!("{key}{LOCK_FILE_SUFFIX}");
    // S3 tells some times to the second.
    let (at, mut end) = (seconds(at_ms), i64::MAX);
    let mut after: Option<VersionMarker> = None;
    loop {
        let page = layout
            .s3
            .list_object_versions(&layout.bucket, &file, after.as_ref())
            .await?;
        for version in page.items.iter().filter(|version| version.key == file) {
            let start = seconds(version.written_ms);
            if !version.is_delete_marker() && start <= at && at <= end {
                return Ok(true);
            }
            if start < at {
                return Ok(false);
            }
            end = start;
        }
        match page.next {
            // Behind it are those of names that go on after `.tflock`.
            Some(next) if next.key == file => after = Some(next),
            _ => return Ok(false),
        }
    }
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1_000)
}
