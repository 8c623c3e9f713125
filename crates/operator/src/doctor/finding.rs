//! What the doctor can find: every finding has a lasting name, a weight, a sentence and the command that mends it.

use serde::{Serialize, Serializer};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Terraform fails, states get lost, or two applies can run at once.
    Error,
    /// It works until something else goes wrong.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its lasting name.
    pub id: Id,
    /// How much it weighs.
    pub level: Level,
    /// What is wrong, where.
    pub what: String,
    /// The command, or the change, that mends it; may span lines.
    pub mend: String,
}

impl Finding {
    pub(super) fn new(id: Id, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding {
            id,
            level: id.level(),
            what: what.into(),
            mend: mend.into(),
        }
    }
}

macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident $name:literal $level:ident)*) => {
        /// The lasting name of a finding: scripts and people look for it, so it never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id {
            $($(#[$doc])* $variant,)*
        }

        impl Id {
            /// All of them.
            pub const ALL: &[Id] = &[$(Id::$variant),*];

            /// As it is printed, such as `versioning-off`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Id::$variant => $name,)*
                }
            }

            /// How much it weighs.
            #[must_use]
            pub fn level(self) -> Level {
                match self {
                    $(Id::$variant => Level::$level,)*
                }
            }
        }
    };
}

findings! {
    // The backend block.
    /// An argument that `backend "s3"` does not have.
    ArgumentUnknown "argument-unknown" Error
    /// An argument that newer Terraform has taken out.
    ArgumentRemoved "argument-removed" Error
    /// An argument that Terraform warns of.
    ArgumentDeprecated "argument-deprecated" Warning
    /// A variable or another expression in the block, which Terraform does not allow.
    ArgumentComputed "argument-computed" Error
    /// `dynamodb_table` with Terraform 1.11 or newer.
    TableDeprecated "dynamodb-table-deprecated" Warning
    /// `use_lockfile` with a program that is too old for it.
    LockFileTooNew "use-lockfile-too-new" Error
    /// Neither kind of lock.
    NoLock "no-lock" Error
    /// A key that signs is written into the block.
    SecretInBlock "secret-in-block" Warning
    /// A `key` that Terraform refuses.
    KeyInvalid "key-invalid" Error
    /// A `key` that reads as a lock file or a digest.
    KeyMisleading "key-misleading" Error
    /// Checks that are switched off although the states are on AWS.
    ChecksSkipped "checks-skipped" Warning
    /// S3 is elsewhere, DynamoDB is AWS's own, or the other way round.
    EndpointsSplit "endpoints-split" Error
    /// The bucket is asked for under a host name that does not exist.
    PathStyleMissing "path-style-missing" Error
    /// States go over the network unencrypted.
    EndpointPlain "endpoint-plain-http" Warning
    /// Certificates are not checked.
    TlsUnchecked "tls-unchecked" Warning
    /// No region.
    RegionMissing "region-missing" Error
    // Other directories.
    /// Another directory has the same bucket and key.
    KeyShared "key-shared" Error
    /// Another directory locks the same state in another way.
    LocksDiffer "locks-differ" Error
    /// The block says other than those of most directories beside it.
    ConfigDiffers "config-differs" Warning
    // Who asks, over which wire.
    /// There is no key to sign with.
    CredentialsMissing "credentials-missing" Error
    /// The key is refused.
    CredentialsRefused "credentials-refused" Error
    /// The key is that of the account's root user.
    CredentialsRoot "credentials-root" Warning
    /// Nobody answers at the endpoint.
    EndpointSilent "endpoint-silent" Error
    /// This machine's clock is wrong.
    ClockSkew "clock-skew" Error
    /// This machine's clock is off by more than a minute.
    ClockDrift "clock-drift" Warning
    /// Signatures do not survive the way to the server.
    SignaturesBroken "signatures-broken" Error
    /// Something on the way rewrites paths.
    PathsRewritten "paths-rewritten" Warning
    /// Something on the way rewrites signed headers.
    HeadersRewritten "headers-rewritten" Error
    /// An action that Terraform needs is denied.
    PermissionMissing "permission-missing" Error
    // The bucket.
    /// There is no such bucket.
    BucketMissing "bucket-missing" Error
    /// The bucket is in another region.
    BucketElsewhere "bucket-elsewhere" Error
    /// Old versions have never been kept.
    VersioningOff "versioning-off" Error
    /// Old versions are no longer kept.
    VersioningSuspended "versioning-suspended" Error
    /// States are stored unencrypted.
    EncryptionOff "encryption-off" Warning
    /// The bucket's KMS key does not work.
    KmsKeyUnusable "kms-key-unusable" Error
    /// The block names another KMS key than the bucket.
    KmsKeyDiffers "kms-key-differs" Warning
    /// Public access is not blocked.
    PublicAccessOpen "public-access-open" Warning
    /// The bucket's policy lets everybody in.
    PolicyPublic "policy-public" Error
    /// The bucket's policy lets requests without TLS in.
    PlainHttpAllowed "plain-http-allowed" Warning
    /// Access lists of objects count.
    AclsEnabled "acls-enabled" Warning
    /// A lifecycle rule deletes current states.
    LifecycleDeletesStates "lifecycle-deletes-states" Error
    /// A lifecycle rule moves current states where they cannot be read.
    LifecycleArchivesStates "lifecycle-archives-states" Error
    /// A lifecycle rule ends old versions soon.
    LifecycleEatsVersions "lifecycle-eats-versions" Warning
    /// Every lock file is kept for a retention period.
    RetentionKeepsLocks "retention-keeps-locks" Warning
    // The table.
    /// There is no such table.
    TableMissing "table-missing" Error
    /// The server has no DynamoDB.
    NoDynamoDb "no-dynamodb" Error
    /// The table's key is not `LockID`, or not it alone, or no string.
    TableKeyWrong "table-key-wrong" Error
    /// The table is being made or deleted, or cannot be used.
    TableNotActive "table-not-active" Error
    /// The table takes one request a second.
    TableSlow "table-slow" Warning
    // What the store does.
    /// `If-None-Match` is ignored.
    ConditionsIgnored "conditions-ignored" Error
    /// `If-None-Match` is looked at, but two can win.
    ConditionsRaced "conditions-raced" Error
    /// `If-None-Match` is refused.
    ConditionsRefused "conditions-refused" Error
    /// A checksum header is refused.
    ChecksumsRefused "checksums-refused" Error
    /// A checksum at the end of the body is refused.
    TrailersRefused "checksum-trailers-refused" Error
    /// A wrong checksum is accepted.
    ChecksumsUnchecked "checksums-unchecked" Warning
    /// Asking for an object's checksum is refused.
    ChecksumModeRefused "checksum-mode-refused" Error
    /// What was written is not what is read right after.
    ReadsStale "reads-stale" Error
    /// A part of an object cannot be asked for.
    RangesIgnored "ranges-ignored" Error
    // States and locks.
    /// The digest in the table is not that of the state.
    DigestMismatch "digest-mismatch" Error
    /// A digest whose state is gone.
    DigestLeftOver "digest-left-over" Warning
    /// A state of no bytes.
    StateEmpty "state-empty" Error
    /// The object under the key is no state.
    StateForeign "state-foreign" Error
    /// The state was deleted; older versions are there.
    StateDeleted "state-deleted" Warning
    /// A lock is held for long.
    LockStale "lock-stale" Warning
    /// A lock that nobody can read.
    LockUnreadable "lock-unreadable" Error
    /// A lock in one of two places.
    LockHalf "lock-half" Error
    /// Many old versions of lock files.
    LockVersions "lock-file-versions" Warning
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
