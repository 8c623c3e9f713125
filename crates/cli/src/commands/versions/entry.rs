//! A version as the commands show it, whoever tells of it: a Tidelock server, or S3 itself.

use jiff::Timestamp;
use serde::Serialize;
use tidelock_core::{
    Caller, Time,
    diff::{Counts, Kind, visible},
};
use tidelock_operator::layout;
use tidelock_service::{self as service, Form};

use crate::duration::written;

/// What Terraform's own operations begin with: `OperationTypeApply`.
const OPERATION: &str = "OperationType";

/// What names a version: its number at a Tidelock server, its ID in any other bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(in crate::commands) enum Name {
    Number(u64),
    Id(String),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Number(number) => f.pad(&number.to_string()),
            Name::Id(id) => f.pad(&visible(id)),
        }
    }
}

/// A version. What S3 does not know is not there where S3 tells.
#[derive(Clone, Serialize)]
pub(in crate::commands) struct Entry {
    pub(in crate::commands) version: Name,
    pub(in crate::commands) id: String,
    pub(in crate::commands) written_ms: Time,
    pub(in crate::commands) serial: Option<u64>,
    pub(in crate::commands) lineage: Option<String>,
    pub(in crate::commands) terraform_version: Option<String>,
    pub(in crate::commands) size: Option<u64>,
    pub(in crate::commands) md5: Option<String>,
    pub(in crate::commands) stored_bytes: Option<u64>,
    pub(in crate::commands) form: Option<Form>,
    pub(in crate::commands) encrypted: bool,
    pub(in crate::commands) writer: Option<Caller>,
    pub(in crate::commands) lock: Option<Lock>,
    pub(in crate::commands) changes: Option<Counts>,
    pub(in crate::commands) current: bool,
    pub(in crate::commands) deleted: bool,
    pub(in crate::commands) hidden_ms: Option<Time>,
}

/// The lock that a version was written under.
#[derive(Clone, Serialize)]
pub(in crate::commands) struct Lock {
    pub(in crate::commands) id: String,
    pub(in crate::commands) operation: String,
    pub(in crate::commands) who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) fence: Option<u64>,
}

impl From<service::Entry> for Entry {
    fn from(entry: service::Entry) -> Entry {
        Entry {
            version: Name::Number(entry.version),
            id: entry.id.to_string(),
            written_ms: entry.written_ms,
            serial: entry.serial,
            lineage: entry.lineage,
            terraform_version: entry.terraform_version,
            size: entry.size,
            md5: entry.md5,
            stored_bytes: entry.stored_bytes,
            form: entry.form,
            encrypted: entry.encrypted,
            writer: entry.writer,
            lock: entry.lock.map(|lock| Lock {
                id: lock.id.to_string(),
                operation: lock.operation,
                who: lock.who,
                fence: Some(lock.fence),
            }),
            changes: entry.changes,
            current: entry.current,
            deleted: entry.deleted,
            hidden_ms: entry.hidden_ms,
        }
    }
}

impl From<layout::Version> for Entry {
    fn from(version: layout::Version) -> Entry {
        let md5 = version.md5();
        let (listed, header) = (version.listed, version.header);
        Entry {
            version: Name::Id(listed.version.clone()),
            written_ms: Time(listed.written_ms),
            size: listed.size,
            md5,
            stored_bytes: None,
            form: None,
            encrypted: header.as_ref().is_some_and(|header| header.encrypted),
            serial: header.as_ref().map(|header| header.serial),
            terraform_version: header
                .as_ref()
                .and_then(|header| header.terraform_version.clone()),
            lineage: header.map(|header| header.lineage),
            writer: None,
            lock: version.lock.map(|lock| Lock {
                id: lock.id,
                operation: lock.operation,
                who: lock.who,
                fence: None,
            }),
            changes: None,
            current: listed.current,
            deleted: listed.size.is_none(),
            hidden_ms: None,
            id: listed.version,
        }
    }
}

impl From<layout::Line> for Entry {
    fn from(line: layout::Line) -> Entry {
        Entry {
            changes: line.changes,
            ..Entry::from(line.version)
        }
    }
}

/// Who changed a resource.
#[derive(Serialize)]
pub(in crate::commands) struct Blame {
    pub(in crate::commands) resource: String,
    pub(in crate::commands) now_ms: Time,
    pub(in crate::commands) version: Option<Entry>,
    /// The version that this one was compared with; none for the first.
    pub(in crate::commands) against: Option<Name>,
    pub(in crate::commands) changes: Vec<Touch>,
    pub(in crate::commands) created: Option<Entry>,
}

/// What happened to one resource instance.
#[derive(Serialize)]
pub(in crate::commands) struct Touch {
    pub(in crate::commands) address: String,
    pub(in crate::commands) kind: Kind,
}

/// Who wrote a version: as the lock says, else whose key it was.
pub(in crate::commands) fn who(entry: &Entry) -> String {
    let lock = entry.lock.as_ref().map(|lock| lock.who.as_str());
    let principal = entry.writer.as_ref().map(|writer| writer.principal.as_str());
    let who = lock.filter(|who| !who.is_empty()).or(principal);
    who.map_or_else(|| "-".to_owned(), visible)
}

/// What it was written for, in one word where Terraform has one.
pub(in crate::commands) fn operation(entry: &Entry) -> String {
    if entry.deleted {
        return "delete".to_owned();
    }
    let operation = entry.lock.as_ref().map(|lock| lock.operation.as_str());
    match operation.filter(|operation| !operation.is_empty()) {
        None => "-".to_owned(),
        Some(operation) => match operation.strip_prefix(OPERATION) {
            Some(word) => visible(&word.to_lowercase()),
            None => visible(operation),
        },
    }
}

/// `3h 5m ago`.
pub(in crate::commands) fn ago(now: Time, time: Time) -> String {
    format!("{} ago", written(now.since(time)))
}

/// `2026-11-21T12:03:11Z`.
pub(in crate::commands) fn clock(time: Time) -> String {
    let seconds = Timestamp::from_second(time.0.div_euclid(1_000));
    seconds.map_or_else(|_| format!("{} ms", time.0), |time| time.to_string())
}

/// A text of at most so many characters.
pub(in crate::commands) fn cut(text: &str, characters: usize) -> String {
    let mut rest = text.chars();
    let mut shown: String = rest.by_ref().take(characters).collect();
    if rest.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(
            (cut("abc", 3), cut("äöüß", 3)),
            ("abc".to_owned(), "äö…".to_owned())
        );
    }

    #[test]
    fn a_version_id_of_another_store_shows_no_control_characters() {
        assert_eq!(
            Name::Id("a\u{1b}[2J".to_owned()).to_string(),
            visible("a\u{1b}[2J")
        );
        assert_eq!(format!("{:>4}", Name::Number(12)), "  12");
    }
}
