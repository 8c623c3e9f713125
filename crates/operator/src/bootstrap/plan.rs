//! What a plan is made of: settings, what follows for each, and what there is in the end.

use std::{collections::BTreeMap, fmt};

use super::Wanted;
use crate::s3::{Encryption, Lifecycle};

/// A setting by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The bucket itself.
    Bucket,
    /// Where it is.
    Region,
    /// What is blocked of public access.
    PublicAccess,
    /// Who owns the objects.
    Ownership,
    /// Whether it keeps versions.
    Versioning,
    /// How it encrypts.
    Encryption,
    /// Whether its policy demands TLS.
    TlsOnly,
    /// Who alone may read and write objects.
    AllowList,
    /// When replaced versions end.
    OldVersions,
    /// Whether delete markers that hide nothing are removed.
    DeleteMarkers,
    /// When uploads in parts are ended.
    Uploads,
    /// Its tags.
    Tags,
    /// The table itself.
    Table,
    /// Whether it can be put back to a point in time.
    Recovery,
    /// How it encrypts.
    TableEncryption,
}

/// One setting: what is wanted, what there is, what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub part: Part,
    /// What is wanted, in words.
    pub wanted: String,
    /// What was found, in words; `None` where there is no bucket or table yet.
    pub found: Option<String>,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from wanted and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is so.
    AsWanted,
    /// Nothing: it is stricter, and stays.
    Stricter,
    /// It would be changed.
    Change(Step),
    /// It is left as it is, for this reason.
    LeftOut(String),
    /// No change can mend it, for this reason.
    Impossible(String),
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes the bucket.
    CreateBucket,
    /// Has it keep versions.
    Versioning,
    /// Sets how it encrypts.
    Encryption(Encryption),
    /// Blocks all public access.
    PublicAccess,
    /// Has the bucket's account own every object.
    Ownership,
    /// Replaces the policy, in which what others wrote is kept.
    Policy(String),
    /// Replaces the lifecycle rules, in which what others wrote is kept.
    Lifecycle(Lifecycle),
    /// Replaces the tags, in which others' are kept.
    Tags(BTreeMap<String, String>),
    /// Makes the table.
    CreateTable {
        /// The KMS key it is encrypted with.
        kms_key: Option<String>,
    },
    /// Keeps what the table was at every second.
    Recovery,
    /// Encrypts the table with this KMS key.
    TableEncryption(String),
}

/// What there is once a plan is carried out, for who writes it as code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The bucket.
    pub bucket: String,
    /// Where it is.
    pub region: String,
    /// How it encrypts; `None` where the store has no such setting.
    pub encryption: Option<Encryption>,
    /// Whether all public access is blocked.
    pub public_access: bool,
    /// Who owns the objects; `None` where the store has no such setting.
    pub ownership: Option<String>,
    /// Its policy.
    pub policy: Option<String>,
    /// Its lifecycle rules.
    pub lifecycle: Option<Lifecycle>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The table.
    pub table: Option<TableTarget>,
}

/// The table of a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableTarget {
    /// Its name.
    pub name: String,
    /// The KMS key that it is encrypted with; DynamoDB's own where there is none.
    pub kms_key: Option<String>,
    /// Whether it can be put back to a point in time.
    pub recovery: bool,
    /// Whether it is protected from being deleted.
    pub deletion_protected: bool,
}

impl Setting {
    /// What would be changed.
    #[must_use]
    pub fn step(&self) -> Option<&Step> {
        match &self.verdict {
            Verdict::Change(step) => Some(step),
            _ => None,
        }
    }
}

impl Part {
    pub(super) fn is_of_table(self) -> bool {
        matches!(self, Part::Table | Part::Recovery | Part::TableEncryption)
    }

    /// The bucket or the table that it is a setting of.
    pub(super) fn owner(self, wanted: &Wanted) -> String {
        match (self.is_of_table(), &wanted.table) {
            (true, Some(table)) => table.clone(),
            _ => wanted.bucket.clone(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Bucket => "bucket",
            Part::Region => "region",
            Part::PublicAccess => "public access",
            Part::Ownership => "object ownership",
            Part::Versioning => "versioning",
            Part::Encryption => "encryption",
            Part::TlsOnly => "TLS only",
            Part::AllowList => "allow-list",
            Part::OldVersions => "old versions",
            Part::DeleteMarkers => "delete markers",
            Part::Uploads => "unfinished uploads",
            Part::Tags => "tags",
            Part::Table => "table",
            Part::Recovery => "point-in-time recovery",
            Part::TableEncryption => "table encryption",
        })
    }
}
