//! What a use case answers when it does not do what was asked. Each door maps this enum once, with no catch-all.

use tidelock_core::{
    Address, Version,
    decide::{Refused, Why},
    kms::KmsError,
};
use tidelock_engine::EngineError;

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such bucket.
    #[error("the bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The bucket exists already.
    #[error("the bucket {0} exists already")]
    BucketExists(String),
    /// There are as many buckets as may be.
    #[error(
        "there are {} buckets already, and no more are made",
        tidelock_core::limits::BUCKETS_MAX
    )]
    TooManyBuckets,
    /// The bucket still holds objects, versions or locks.
    #[error("the bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// A bucket with Object Lock stays versioned.
    #[error("the bucket {0} has Object Lock, so it stays versioned")]
    StaysVersioned(String),
    /// Only a versioned bucket can have Object Lock.
    #[error("versioning is not enabled on the bucket {0}, so it cannot have Object Lock")]
    NotVersioned(String),
    /// There is no object at the address; where a delete marker says so, here it is.
    #[error("{address} does not exist")]
    NoSuchKey {
        /// Where.
        address: Address,
        /// The delete marker that hides older versions, when there is one.
        marker: Option<Box<Version>>,
    },
    /// The object has no such version.
    #[error("{address} has no version {version}")]
    NoSuchVersion {
        /// Where.
        address: Address,
        /// The version id that was asked for.
        version: String,
    },
    /// The name is that of a lock's view, which is no object.
    #[error("{0} is the name of a lock file, not of an object")]
    LockFile(Address),
    /// The named condition (`If-Match`, `If-None-Match`) does not hold.
    #[error("the condition {condition} does not hold")]
    Precondition {
        /// The header.
        condition: &'static str,
    },
    /// The state may not be written or deleted by this caller, or not so.
    #[error("{}", crate::refusal::sentence(address, why, *kept))]
    State {
        /// The state's address.
        address: Address,
        /// The reason.
        why: Box<Why>,
        /// The number under which the body is kept, if there was one.
        kept: Option<u64>,
    },
    /// Object Lock keeps the version from being deleted, or its retention from becoming shorter.
    #[error("a version of {0} is protected by Object Lock")]
    Protected(Address),
    /// There is no such upload, or it was completed or aborted.
    #[error("the upload {0} does not exist")]
    NoSuchUpload(String),
    /// A part that was named does not exist or has another ETag.
    #[error("part {0} was not uploaded, or has another ETag")]
    InvalidPart(u32),
    /// The parts are not named in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is smaller than S3 allows.
    #[error("part {number} is smaller than the minimum")]
    PartTooSmall {
        /// The part's number.
        number: u32,
        /// Its size in bytes.
        size: u64,
    },
    /// The object would be larger than [`tidelock_core::limits::OBJECT_BYTES_MAX`].
    #[error("the object is larger than {} bytes", tidelock_core::limits::OBJECT_BYTES_MAX)]
    TooLarge,
    /// What the door demanded of the assembled body does not hold; the door's own words.
    #[error("{0}")]
    BadDigest(String),
    /// There is no such table.
    #[error("the table {0} does not exist")]
    NoSuchTable(String),
    /// The table exists already.
    #[error("the table {0} exists already")]
    TableExists(String),
    /// A plain item stands where the lock would be shown.
    #[error("an item that is not a lock has this key")]
    Occupied,
    /// A lock is held through as many doors and tables as may be.
    #[error(
        "the lock of {_0} was taken through {} doors and tables already, and takes no further one: give it back first",
        tidelock_core::limits::LOCK_FACETS_MAX
    )]
    TooManyFacets(Address),
    /// What is stored of a version is not what was written, or cannot be opened.
    #[error(
        "version {version} of {address} cannot be read: {why}. Other versions may be: tidelock history {address}; \
         tidelock verify finds all that cannot"
    )]
    Damaged {
        /// Where.
        address: Address,
        /// The version's number, or that of the refused write.
        version: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The KMS key that this needs cannot be used so, or does not exist.
    #[error("{}: {_0}", _0.code())]
    Kms(KmsError),
    /// Others kept changing the same record; nothing was done, and trying again is right.
    #[error("too many changes at once on {0}")]
    Busy(String),
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<KmsError> for Error {
    fn from(why: KmsError) -> Error {
        Error::Kms(why)
    }
}

impl Error {
    /// An error for a stored row that cannot be read.
    pub(crate) fn corrupt(row: &[u8], why: impl std::fmt::Display) -> Error {
        let row = crate::rows::shown(row);
        Error::Engine(EngineError::Corrupt(format!("row {row}: {why}")))
    }

    pub(crate) fn refused(refused: Refused, address: &Address) -> Error {
        match refused {
            Refused::Precondition { condition } => Error::Precondition { condition },
            Refused::Absent => Error::NoSuchKey {
                address: address.clone(),
                marker: None,
            },
            Refused::Protected => Error::Protected(address.clone()),
            Refused::State { why, kept } => Error::State {
                address: address.clone(),
                why: Box::new(why),
                kept: kept.map(|kept| kept.id),
            },
        }
    }
}
