//! Cleaning up: states that nobody needs any more, such as those of merged branches, are found, and deleted under their locks.
//!
//! What is deleted is a delete marker over the state: its versions stay, so that it can be had back. So the bucket must be
//! versioned. The digest in the lock table goes first: whatever ends this half-way, Terraform reads what is there.

use std::collections::VecDeque;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use tidelock_core::{
    StateHeader,
    address::LOCK_FILE_SUFFIX,
    diff::visible,
    limits::{EMPTY_STATE_BYTES_MAX, OBJECT_BYTES_MAX, STATE_READS_MAX},
};

use crate::{
    backend::{Backend, workspace_key},
    layout::{self, Layout, Lock, TakeError, Want},
    s3::{self, Listed, Versioning},
};

/// Among which states to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every state whose key begins with this.
    Prefix(String),
    /// The other workspaces of one configuration: neither the one called `default` nor the one that is selected.
    Workspaces {
        /// What their keys begin with (`workspace_key_prefix`).
        prefix: String,
        /// The key in the backend block.
        key: String,
        /// The workspace that is selected.
        selected: String,
    },
}

/// Which of them are to go.
#[derive(Clone, Debug)]
pub struct Criteria {
    /// Among these.
    pub scope: Scope,
    /// Only what was written before, in milliseconds since 1970.
    pub before_ms: i64,
    /// Also states that are not empty: nothing manages their resources afterwards.
    pub with_contents: bool,
    /// Names that are needed still: a state with one of them between two slashes of its key stays.
    pub keep: Vec<String>,
}

/// A state that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// When it was last written, in milliseconds since 1970.
    pub written_ms: i64,
    /// Whether it is to go.
    pub verdict: Verdict,
    #[serde(skip)]
    etag: String,
}

/// Whether a state is to go, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is to go.
    Goes(Contents),
    /// It is not empty.
    NotEmpty,
    /// It was written not long ago.
    Young,
    /// It has a name that is needed still.
    Named,
    /// It is no state.
    NoState,
}

/// What a state holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Its serial.
    pub serial: u64,
    /// How many resources and data sources; `None` where it is encrypted.
    pub resources: Option<usize>,
    /// Whether it describes nothing at all.
    pub empty: bool,
}

/// Why a state was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has the lock.
    #[error("{address} is locked by {}", holder(locks))]
    Locked {
        /// The state.
        address: String,
        /// The locks.
        locks: Vec<Lock>,
    },
    /// It is another one than the one that was looked at.
    #[error("{0} was written since it was looked at; run the same command again")]
    Changed(String),
    /// Deleting would be for good.
    #[error(
        "the bucket {0} is not versioned: what is deleted there is gone for good. `tidelock bootstrap` makes it versioned"
    )]
    NotVersioned(String),
    /// The lock could not be released.
    #[error("{address} is deleted, and the lock {id} on it is left: {why}; free it with `tidelock unlock`")]
    LockStays {
        /// The state.
        address: String,
        /// The lock's ID.
        id: String,
        /// Why.
        why: layout::Error,
    },
    /// A call failed.
    #[error(transparent)]
    Store(#[from] layout::Error),
}

/// The states of a scope, page by page, each with its verdict.
#[derive(Debug)]
pub struct Look<'a> {
    layout: &'a Layout,
    criteria: &'a Criteria,
    judged: VecDeque<Found>,
    /// Where the next page begins; `None` behind the last.
    next: Option<Option<String>>,
}

impl Scope {
    /// The other workspaces of a configuration.
    #[must_use]
    pub fn of(backend: &Backend) -> Scope {
        Scope::Workspaces {
            prefix: backend.workspace_prefix.clone(),
            key: backend.key.clone(),
            selected: backend.workspace.clone(),
        }
    }

    fn prefix(&self) -> String {
        match self {
            Scope::Prefix(prefix) => prefix.clone(),
            Scope::Workspaces { prefix, .. } if prefix.is_empty() => String::new(),
            Scope::Workspaces { prefix, .. } => format!("{}/", prefix.trim_end_matches('/')),
        }
    }

    fn has(&self, found: &str) -> bool {
        let Scope::Workspaces {
            prefix,
            key,
            selected,
        } = self
        else {
            return true;
        };
        let below = found.strip_prefix(&self.prefix());
        let workspace = below.and_then(|below| below.split('/').next());
        workspace.is_some_and(|workspace| {
            workspace != selected && found != key && workspace_key(workspace, Some(prefix), key) == found
        })
    }
}

impl Criteria {
    /// What can be said without a look into the state.
    fn at_first(&self, listed: &Listed) -> Option<Verdict> {
        let is_kept = |part: &str| self.keep.iter().any(|name| name == part);
        if listed.key.split('/').any(is_kept) {
            Some(Verdict::Named)
        } else if listed.written_ms >= self.before_ms {
            Some(Verdict::Young)
        } else if listed.size > OBJECT_BYTES_MAX {
            Some(Verdict::NoState)
        } else if listed.size > EMPTY_STATE_BYTES_MAX && !self.with_contents {
            Some(Verdict::NotEmpty)
        } else {
            None
        }
    }

    fn of(&self, body: &[u8]) -> Verdict {
        match Contents::of(body) {
            None => Verdict::NoState,
            Some(contents) if contents.empty || self.with_contents => Verdict::Goes(contents),
            Some(_) => Verdict::NotEmpty,
        }
    }
}

impl Contents {
    fn of(body: &[u8]) -> Option<Contents> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            resources: Vec<IgnoredAny>,
        }
        let header = StateHeader::parse(body).ok()?;
        let resources = serde_json::from_slice(body).map(|document: Document| document.resources.len());
        Some(Contents {
            serial: header.serial,
            resources: resources.ok().filter(|_| !header.encrypted),
            empty: header.empty,
        })
    }
}

impl<'a> Look<'a> {
    /// Begins to look.
    #[must_use]
    pub fn new(layout: &'a Layout, criteria: &'a Criteria) -> Look<'a> {
        Look {
            layout,
            criteria,
            judged: VecDeque::new(),
            next: Some(None),
        }
    }

    /// The next state.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            if let Some(found) = self.judged.pop_front() {
                return Ok(Some(found));
            }
            let Some(after) = self.next.take() else {
                return Ok(None);
            };
            let (layout, prefix) = (self.layout, self.criteria.scope.prefix());
            let page = layout.s3.list_objects(&layout.bucket, &prefix, after.as_deref());
            let page = page.await.map_err(layout::Error::from)?;
            self.next = page.next.map(Some);
            let listed = page.items.into_iter();
            let listed = listed.filter(|listed| {
                !listed.key.ends_with(LOCK_FILE_SUFFIX) && self.criteria.scope.has(&listed.key)
            });
            let judged = stream::iter(listed).map(|listed| judge(layout, self.criteria, listed));
            let judged: Vec<Option<Found>> = judged.buffered(STATE_READS_MAX).try_collect().await?;
            self.judged = judged.into_iter().flatten().collect();
        }
    }
}

/// `None` where it is gone meanwhile.
async fn judge(layout: &Layout, criteria: &Criteria, listed: Listed) -> Result<Option<Found>, Error> {
    let (mut etag, mut written_ms) = (listed.etag.clone(), listed.written_ms);
    let verdict = match criteria.at_first(&listed) {
        Some(verdict) => verdict,
        None => match layout.read(&listed.key, None).await {
            Ok(object) => {
                // What was read is what is deleted, whatever was listed.
                written_ms = object.written_ms().unwrap_or(written_ms);
                etag.clone_from(&object.etag);
                match written_ms < criteria.before_ms {
                    true => criteria.of(&object.bytes),
                    false => Verdict::Young,
                }
            }
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(layout::Error::from(error).into()),
        },
    };
    Ok(Some(Found {
        key: listed.key,
        written_ms,
        verdict,
        etag,
    }))
}

/// Whether what is deleted in the bucket stays as a version.
///
/// # Errors
/// [`Error::NotVersioned`], [`Error::Store`].
pub async fn check_versioned(layout: &Layout) -> Result<(), Error> {
    let versioning = layout.s3.get_bucket_versioning(&layout.bucket).await;
    match versioning.map_err(layout::Error::from)? {
        Versioning::Enabled => Ok(()),
        Versioning::Suspended | Versioning::Never => Err(Error::NotVersioned(layout.bucket.clone())),
    }
}

/// Deletes a state under its lock, if it is still the one that was looked at.
///
/// # Errors
/// [`Error`]; after [`Error::LockStays`] it is deleted.
pub async fn delete(layout: &Layout, found: &Found, want: &Want) -> Result<(), Error> {
    let address = layout.item_name(&found.key);
    let held = layout.take(&found.key, want).await.map_err(|error| match error {
        TakeError::Locked(locks) => Error::Locked {
            address: address.clone(),
            locks,
        },
        TakeError::Call(error) => Error::Store(error),
    })?;
    if let Err(error) = delete_locked(layout, found).await {
        return held.release_after(layout, Err(error)).await;
    }
    held.release(layout).await.map_err(|why| Error::LockStays {
        address,
        id: want.id.clone(),
        why,
    })
}

async fn delete_locked(layout: &Layout, found: &Found) -> Result<(), Error> {
    let (s3, bucket, key) = (&layout.s3, &layout.bucket, &found.key);
    let changed = || Error::Changed(layout.item_name(key));
    // Looked at again for stores that know no conditions, and before the digest goes.
    if head(layout, key).await?.as_ref() != Some(&found.etag) {
        return Err(changed());
    }
    layout.put_digest(key, None).await?;
    let deleted = match s3.delete_object_if(bucket, key, &found.etag).await {
        Err(error) if error.code() == Some("NotImplemented") => s3.delete_object(bucket, key, None).await,
        deleted => deleted,
    };
    match deleted {
        Ok(()) => Ok(()),
        Err(error) if is_conflict(&error) => match head(layout, key).await? {
            // An earlier try whose answer was lost.
            None => Ok(()),
            Some(_) => Err(changed()),
        },
        Err(error) => Err(layout::Error::from(error).into()),
    }
}

fn is_conflict(error: &s3::Error) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey" | "404")
    )
}

/// The ETag of the current version.
async fn head(layout: &Layout, key: &str) -> Result<Option<String>, Error> {
    match layout.head(key, None).await {
        Ok(head) => Ok(Some(head.etag)),
        Err(error) if error.code() == Some("404") => Ok(None),
        Err(error) => Err(layout::Error::from(error).into()),
    }
}

fn holder(locks: &[Lock]) -> String {
    let info = locks.iter().find_map(|lock| lock.parsed.as_ref());
    match (info, locks.first()) {
        (None, None) => "somebody who has gone again; run the same command again".to_owned(),
        (None, Some(lock)) => format!(
            "something that is not as Terraform writes it (ID {}); `tidelock locks` shows it",
            lock.name()
        ),
        (Some(info), _) => format!(
            "{} ({}) since {} (ID {})",
            visible(&info.who),
            visible(&info.operation),
            visible(&info.created),
            visible(&info.id)
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn workspaces(prefix: &str, key: &str, selected: &str) -> Scope {
        Scope::Workspaces {
            prefix: prefix.to_owned(),
            key: key.to_owned(),
            selected: selected.to_owned(),
        }
    }

    #[test]
    fn the_other_workspaces_are_those_of_this_key_that_are_not_selected() {
        let scope = workspaces("env:", "team/app.tfstate", "here");
        assert_eq!(scope.prefix(), "env:/");
        for (found, has) in [
            ("env:/gone/team/app.tfstate", true),
            ("env:/here/team/app.tfstate", false),
            ("env:/gone/team/other.tfstate", false),
            ("env:/gone/more/team/app.tfstate", false),
            ("team/app.tfstate", false),
        ] {
            assert_eq!(scope.has(found), has, "{found}");
        }
        let bare = workspaces("", "app", "default");
        assert!(bare.has("gone/app") && !bare.has("app") && !bare.has("gone/x/app"));
    }

    fn listed(key: &str, size: u64, written_ms: i64) -> Listed {
        Listed {
            key: key.to_owned(),
            size,
            etag: String::new(),
            written_ms,
        }
    }

    fn criteria(with_contents: bool) -> Criteria {
        Criteria {
            scope: Scope::Prefix(String::new()),
            before_ms: 1_000,
            with_contents,
            keep: vec!["open-branch".to_owned()],
        }
    }

    #[test]
    fn what_is_young_named_or_large_is_not_read() {
        let at_first = |listed: Listed| criteria(false).at_first(&listed);
        assert_eq!(at_first(listed("env:/gone/a", 200, 999)), None);
        assert_eq!(at_first(listed("env:/gone/a", 200, 1_000)), Some(Verdict::Young));
        assert_eq!(
            at_first(listed("env:/open-branch/a", 200, 0)),
            Some(Verdict::Named)
        );
        assert_eq!(at_first(listed("env:/open-branch-2/a", 200, 0)), None);
        let large = || listed("a", EMPTY_STATE_BYTES_MAX + 1, 0);
        assert_eq!(at_first(large()), Some(Verdict::NotEmpty));
        assert_eq!(criteria(true).at_first(&large()), None);
        let huge = listed("a", OBJECT_BYTES_MAX + 1, 0);
        assert_eq!(criteria(true).at_first(&huge), Some(Verdict::NoState));
    }

    #[test]
    fn only_what_describes_nothing_goes_unless_contents_are_asked_for() {
        let empty =
            br#"{"version":4,"serial":3,"lineage":"l","outputs":{},"resources":[],"check_results":null}"#;
        let full = br#"{"version":4,"serial":3,"lineage":"l","outputs":{},"resources":[{},{}]}"#;
        let outputs = br#"{"version":4,"serial":3,"lineage":"l","outputs":{"a":{}},"resources":[]}"#;
        let encrypted =
            br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"x","encryption_version":"v0"}"#;
        let goes = |resources: Option<usize>, empty: bool| {
            Verdict::Goes(Contents {
                serial: 3,
                resources,
                empty,
            })
        };
        assert_eq!(criteria(false).of(empty), goes(Some(0), true));
        for (body, resources) in [
            (&full[..], Some(2)),
            (&outputs[..], Some(0)),
            (&encrypted[..], None),
        ] {
            assert_eq!(criteria(false).of(body), Verdict::NotEmpty);
            assert_eq!(criteria(true).of(body), goes(resources, false));
        }
        assert_eq!(criteria(true).of(b"notes"), Verdict::NoState);
    }
}
