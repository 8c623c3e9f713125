//! What is wrong with single states, their digests and their locks.

use serde_json::json;
use tidelock_core::{
    diff::visible,
    limits::{DOCTOR_LOCK_TAKING_MS, DOCTOR_LOCK_VERSIONS_MAX},
};

use super::quoted;
use crate::doctor::{
    facts::{Content, Lock, LockVersions, Setup, State},
    finding::{Finding, Id},
};

pub(super) fn state(setup: &Setup, state: &State) -> Option<Finding> {
    let (key, shown) = (&state.key, visible(&state.key));
    let back = || {
        let (history, rollback) = (
            setup.tidelock_on("history", key),
            setup.tidelock_on("rollback", key),
        );
        format!("{history}, then: {rollback} VERSION")
    };
    match &state.content {
        Content::Empty => {
            let what = format!(
                "{shown} has no bytes: Terraform takes it for no state at all, and would make everything again"
            );
            return Some(Finding::new(Id::StateEmpty, what, back()));
        }
        Content::Foreign(why) => {
            let what = format!("{shown} is no state: {}", visible(why));
            return Some(Finding::new(Id::StateForeign, what, back()));
        }
        Content::Deleted(_) => {
            let what = format!("{shown} was deleted, and older versions of it are there");
            let mend = format!("if that was no purpose: {}", back());
            return Some(Finding::new(Id::StateDeleted, what, mend));
        }
        Content::Unread | Content::State => {}
    }
    let (digest, md5) = (state.digest.as_deref()?, state.md5.as_deref()?);
    if digest.is_empty() || digest == md5 {
        return None;
    }
    let what = format!(
        "{shown} has the MD5 {md5}, but the table says {}: Terraform refuses it (\"state data in S3 does not have the expected content\")",
        visible(digest)
    );
    Some(Finding::new(
        Id::DigestMismatch,
        what,
        put_digest(setup, key, digest, md5),
    ))
}

/// Only over the digest that was found, so that it does not undo what a write has set meanwhile.
fn put_digest(setup: &Setup, key: &str, old: &str, md5: &str) -> String {
    let table = quoted(setup.table.as_deref().unwrap_or_default());
    let name = format!("{}/{key}-md5", setup.bucket);
    let item = json!({"LockID": {"S": name}, "Digest": {"S": md5}}).to_string();
    let values = json!({":old": {"S": old}}).to_string();
    setup.aws(&format!(
        "dynamodb put-item --table-name {table} --item {} --condition-expression 'Digest = :old' --expression-attribute-values {}",
        quoted(&item),
        quoted(&values)
    ))
}

pub(super) fn left_over_digest(setup: &Setup, key: &str) -> Finding {
    let table = quoted(setup.table.as_deref().unwrap_or_default());
    let name = format!("{}/{key}-md5", setup.bucket);
    let what = format!(
        "the table has a digest of {}, which is gone: whoever makes a state there is refused",
        visible(key)
    );
    let item = json!({"LockID": {"S": name}}).to_string();
    let mend = setup.aws(&format!(
        "dynamodb delete-item --table-name {table} --key {}",
        quoted(&item)
    ));
    Finding::new(Id::DigestLeftOver, what, mend)
}

pub(super) fn lock(setup: &Setup, lock: &Lock) -> Vec<Finding> {
    let shown = visible(&lock.key);
    let Some(id) = &lock.id else {
        let place = match (lock.file, &setup.table) {
            (false, Some(table)) => {
                let item = json!({"LockID": {"S": format!("{}/{}", setup.bucket, lock.key)}}).to_string();
                setup.aws(&format!(
                    "dynamodb delete-item --table-name {} --key {}",
                    quoted(table),
                    quoted(&item)
                ))
            }
            _ => {
                let url = format!("s3://{}/{}.tflock", setup.bucket, lock.key);
                setup.aws(&format!("s3 rm {}", quoted(&url)))
            }
        };
        let what = format!(
            "the lock of {shown} cannot be read, so that force-unlock fails and nobody can wait for it"
        );
        return vec![Finding::new(
            Id::LockUnreadable,
            what,
            format!("if no apply is running: {place}"),
        )];
    };
    let unlock = || setup.tidelock_on(&format!("unlock {}", quoted(id)), &lock.key);
    let mut found = Vec::new();
    let is_dual = setup.lock_file == Some(true) && setup.table.is_some();
    if is_dual && lock.file != lock.item && lock.age_ms > DOCTOR_LOCK_TAKING_MS {
        let (here, missing) = match lock.file {
            true => ("as a lock file", "in the table"),
            false => ("in the table", "as a lock file"),
        };
        let what = format!(
            "{shown} is locked {here} and not {missing}: its holder was cut off, or locks in one way only ({})",
            visible(&lock.who)
        );
        found.push(Finding::new(
            Id::LockHalf,
            what,
            format!("if no apply is running: {}", unlock()),
        ));
    } else if lock.age_ms > lock.stale_ms {
        let what = format!(
            "{shown} has been locked for {} by {}",
            span(lock.age_ms),
            visible(&lock.who)
        );
        found.push(Finding::new(
            Id::LockStale,
            what,
            format!("if that is over: {}", unlock()),
        ));
    }
    found
}

pub(super) fn lock_versions(setup: &Setup, versions: LockVersions) -> Option<Finding> {
    if versions.count <= DOCTOR_LOCK_VERSIONS_MAX || versions.bounded != Some(false) {
        return None;
    }
    let what = format!(
        "more than {DOCTOR_LOCK_VERSIONS_MAX} versions and delete markers are left of lock files, two of each lock, and no lifecycle rule ends them"
    );
    Some(Finding::new(Id::LockVersions, what, setup.tidelock("bootstrap")))
}

/// A span for people.
fn span(ms: i64) -> String {
    let minutes = ms / 60_000;
    match (minutes / 1_440, minutes / 60, minutes) {
        (0, 0, minutes) => format!("{minutes} minutes"),
        (0, hours, _) => format!("{hours} hours"),
        (days, _, _) => format!("{days} days"),
    }
}
