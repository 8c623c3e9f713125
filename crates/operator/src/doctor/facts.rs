//! What the doctor has seen, before anybody judges it. Whatever could not be seen is `None`, and said beside.

use serde_json::Value;

use crate::s3::Versioning;

/// Which states are meant, as the backend block or the flags say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) bucket: String,
    /// The state of the directory or of `--key`.
    pub(crate) key: Option<String>,
    pub(crate) table: Option<String>,
    /// `use_lockfile`; `None` where no block was read.
    pub(crate) lock_file: Option<bool>,
    /// Of the block, the environment or the profile.
    pub(crate) region: Option<String>,
    /// S3's endpoint; `None` is AWS's own.
    pub(crate) endpoint: Option<String>,
    /// DynamoDB's endpoint; `None` is AWS's own.
    pub(crate) dynamodb_endpoint: Option<String>,
    /// The profile that was named.
    pub(crate) profile: Option<String>,
    /// The words that make another command mean the same place: empty in the directory of a block.
    pub(crate) flags: String,
    /// The KMS key of the block.
    pub(crate) kms_key: Option<String>,
}

/// One part of what was seen; judged by itself, so that findings come as they are found.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Block(Block),
    Others(Others),
    Caller(Caller),
    Clock(Clock),
    Bucket(Bucket),
    Table(Table),
    Permissions(Vec<Permission>),
    Race(Race),
    Wire(Wire),
    State(State),
    LeftOverDigest(String),
    Lock(Lock),
    LockVersions(LockVersions),
}

/// A program that reads backend blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Program {
    #[default]
    Terraform,
    OpenTofu,
}

/// A backend block, as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// Such as `main.tf:3`.
    pub(crate) at: String,
    pub(crate) program: Program,
    /// Major and minor version of what last wrote the state, or is installed.
    pub(crate) version: Option<(u32, u32)>,
    pub(crate) arguments: Vec<Argument>,
    /// DynamoDB's endpoint; `None` is AWS's own.
    pub(crate) dynamodb_endpoint: Option<String>,
    /// Whether a host `BUCKET.ENDPOINT` exists, where Terraform would go there.
    pub(crate) bucket_host: Option<BucketHost>,
}

/// The host name under which Terraform would look for the bucket.
#[derive(Clone, Debug)]
pub(crate) struct BucketHost {
    pub(crate) name: String,
    pub(crate) exists: bool,
}

/// An argument of a block; of an object, each entry: `endpoints.s3`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Argument {
    pub(crate) name: String,
    /// `None` where it is computed, or nothing.
    pub(crate) value: Option<String>,
    pub(crate) computed: bool,
    /// Such as `main.tf:4`.
    pub(crate) at: String,
}

/// This directory's block beside those of other directories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others {
    pub(crate) ours: Place,
    pub(crate) others: Vec<Place>,
}

/// Where a directory keeps its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Such as `../network/main.tf:3`.
    pub(crate) at: String,
    /// The arguments that say where and how, by name; those that are not set are absent.
    pub(crate) settings: std::collections::BTreeMap<String, String>,
}

/// Who asks, and how that went.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// An ARN, as STS tells it.
    Known(String),
    /// There is no key to sign with.
    NoKey(String),
    /// The key, or the signature, was refused.
    Refused(Refusal),
    /// Nobody answered.
    Silent(String),
}

/// A server's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The server's clock and ours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// What the server is ahead, in milliseconds.
    pub(crate) ahead_ms: i64,
}

/// A bucket and its settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) missing: bool,
    /// Where it is, when that is not where it was looked for.
    pub(crate) elsewhere: Option<String>,
    pub(crate) versioning: Option<Versioning>,
    pub(crate) encryption: Option<Encryption>,
    /// What KMS says of the bucket's key, such as `Disabled`.
    pub(crate) key_state: Option<String>,
    /// Those of the four settings that are off.
    pub(crate) public_access_open: Option<Vec<&'static str>>,
    /// `Value::Null` where there is none.
    pub(crate) policy: Option<Value>,
    pub(crate) lifecycle: Option<Vec<Rule>>,
    /// Such as `BucketOwnerEnforced`; empty where it was never set.
    pub(crate) ownership: Option<String>,
    /// Whether new objects get a retention period.
    pub(crate) retention: Option<bool>,
}

/// The bucket's encryption of new objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    /// A key of the store's own (`AES256`).
    Store,
    /// A KMS key; `None` is AWS's own for S3.
    Kms(Option<String>),
}

/// A lifecycle rule that is switched on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) id: String,
    /// The keys it is for.
    pub(crate) prefix: String,
    /// Whether it asks for more than the prefix, such as a tag, which states do not have.
    pub(crate) narrowed: bool,
    /// It deletes current objects.
    pub(crate) expires: bool,
    /// It moves current objects to this class.
    pub(crate) moves_to: Option<String>,
    /// After how many days it ends old versions.
    pub(crate) old_days: Option<u32>,
    /// How many old versions it keeps in any case.
    pub(crate) old_kept: u32,
}

/// A lock table.
#[derive(Clone, Debug)]
pub(crate) enum Table {
    Missing,
    /// What answered does not speak DynamoDB.
    NoDynamoDb(String),
    Found {
        /// Name and type of each attribute of the key, the partition key first.
        key: Vec<(String, String)>,
        status: String,
        /// Writes a second; `None` where they are paid for each.
        writes: Option<u64>,
    },
}

/// An action that Terraform needs.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    /// Such as `s3:GetObject`.
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    pub(crate) allowed: bool,
    /// Whether IAM said so; else it was tried.
    pub(crate) simulated: bool,
}

/// Many writes of one key at once that may only make it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Race {
    pub(crate) tried: usize,
    pub(crate) won: usize,
    /// What came of a write, later, of a key that was there.
    pub(crate) second: Outcome,
    /// The first answer that was neither a win nor a 412.
    pub(crate) odd: Option<Refusal>,
}

/// What came of trying something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    NotTried,
    Done,
    Refused(Refusal),
}

/// How requests as Terraform's fare on the way and at the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    /// A key with a space, a plus and a percent sign.
    pub(crate) odd_path: Outcome,
    /// A signed `Accept-Encoding`, as AWS's SDK for Go sends it.
    pub(crate) signed_header: Outcome,
    pub(crate) checksum: Outcome,
    pub(crate) wrong_checksum: Outcome,
    pub(crate) trailer: Outcome,
    /// A read that asks for the checksum.
    pub(crate) checksum_mode: Outcome,
    /// Whether what was written over an object is read right after.
    pub(crate) reads_back: Option<bool>,
    /// Whether the first bytes were answered with 206 and the whole size.
    pub(crate) ranges: Option<bool>,
}

/// An object that should be a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) key: String,
    pub(crate) content: Content,
    /// What the table says of it.
    pub(crate) digest: Option<String>,
    /// What it is, where that was computed.
    pub(crate) md5: Option<String>,
}

/// What is in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    /// Not looked into.
    #[default]
    Unread,
    State,
    Empty,
    /// No state, and why not.
    Foreign(String),
    /// It is gone; this version was the last.
    Deleted(String),
}

/// A lock that is held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lock {
    pub(crate) key: String,
    pub(crate) file: bool,
    pub(crate) item: bool,
    /// `None` where its info cannot be read.
    pub(crate) id: Option<String>,
    /// Who, operation.
    pub(crate) who: String,
    pub(crate) age_ms: i64,
    /// From which age on it counts as stale.
    pub(crate) stale_ms: i64,
}

/// What is left of lock files that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LockVersions {
    pub(crate) count: u64,
    /// Whether a lifecycle rule ends old versions; `None` where the rules could not be read.
    pub(crate) bounded: Option<bool>,
}
