//! The bounds of the operator's commands on buckets and tables of any store.

/// How long setting up a bucket waits before it looks again whether a change shows, in milliseconds: AWS takes seconds.
pub const BOOTSTRAP_PAUSE_MS: u64 = 1_000;

/// How often it looks again before it says that a change did not take: a table is made within a minute.
pub const BOOTSTRAP_PAUSES_MAX: u32 = 60;

/// Directories that `tidelock drift` looks at in one run: more is a mistaken path.
pub const DRIFT_DIRECTORIES_MAX: usize = 10_000;

/// How deep below a path directories are looked for; nobody's repository is deeper.
pub const DRIFT_DEPTH_MAX: usize = 32;

/// Plans that `tidelock drift` makes at a time, unless told otherwise: each is Terraform and its providers, some 200 MB.
pub const DRIFT_PARALLEL: usize = 4;

/// How long one run of Terraform may take there, in milliseconds: the refresh of thousands of resources takes minutes.
pub const DRIFT_MS_MAX: u64 = 60 * 60 * 1_000;

/// How long Terraform may take to end when it is asked to, in milliseconds: it waits for its providers' last answers.
pub const DRIFT_STOP_MS: u64 = 30_000;

/// Most that is read of what Terraform prints of a plan, in bytes; with ten thousand resources it is some ten MB.
pub const DRIFT_PLAN_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Longest complaint of Terraform that a report has, in bytes.
pub const DRIFT_WHY_BYTES_MAX: usize = 2_048;

/// Longest value that a report shows, in characters: longer ones are cut.
pub const DRIFT_VALUE_CHARS_MAX: usize = 200;

/// Writes of one key at once by which the doctor tries whether a store keeps `If-None-Match`: enough that a check apart from
/// the write is caught, few enough for a shared store.
pub const DOCTOR_RACERS: usize = 16;

/// How long taking both kinds of lock may last, in milliseconds: a lock in one place alone is no finding for so long.
pub const DOCTOR_LOCK_TAKING_MS: i64 = 60_000;

/// Versions of lock files that are left over without being a finding: those of fifty applies.
pub const DOCTOR_LOCK_VERSIONS_MAX: u64 = 100;

/// From which difference on the doctor calls a clock wrong, in milliseconds; DynamoDB and STS allow 5 minutes, S3 15.
pub const DOCTOR_CLOCK_WRONG_MS: u64 = 5 * 60 * 1_000;

/// From which difference on it says that a clock drifts, in milliseconds: `Date` has whole seconds, and answers take a while.
pub const DOCTOR_CLOCK_OFF_MS: u64 = 60 * 1_000;

/// Days for which old versions should be kept at least, unless [`DOCTOR_OLD_VERSIONS_MIN`] of them are: a month's mistakes.
pub const DOCTOR_OLD_DAYS_MIN: u32 = 30;

/// See [`DOCTOR_OLD_DAYS_MIN`].
pub const DOCTOR_OLD_VERSIONS_MIN: u32 = 10;

/// Directories of a repository in which the doctor looks for backend blocks.
pub const DOCTOR_DIRECTORIES_MAX: usize = 10_000;

/// How deep it goes into them.
pub const DOCTOR_DEPTH_MAX: usize = 16;

/// Keys of states that the doctor remembers, by 8 bytes each, to tell which digests have none.
pub const DOCTOR_KEYS_MAX: usize = 1_000_000;

/// Digests that are asked for at once, as many as DynamoDB gives (`BatchGetItem`).
pub const DOCTOR_DIGESTS_MAX: usize = 100;

/// Versions of a state that the toolkit reads from a bucket at once, at first: the first line is not to wait for many.
pub const HISTORY_READS_MIN: usize = 4;

/// Later, when more are asked for: enough to hide a slow line's round trips.
pub const HISTORY_READS_MAX: usize = 16;

/// What those may be together, in bytes; a single one may be larger.
pub const HISTORY_READS_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Locks of one second among which the one that a version was written under is looked for.
pub const HOLDERS_IN_DOUBT_MAX: usize = 4;

/// What is read of a state to learn its serial, in bytes: Terraform writes it within the first 200.
pub const STATE_START_BYTES: u64 = 4_096;

/// Files and directories that are looked at below a path on the search for configurations: a large monorepo has some 100,000.
pub const SEARCHED_ENTRIES_MAX: usize = 2_000_000;

/// Directories with a backend that one migration takes: each is in memory, with its files.
pub const MIGRATED_DIRECTORIES_MAX: usize = 10_000;

/// Longest file of configuration that is edited, in bytes: people write some KB, programs some MB.
pub const EDITED_FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Most secrets that are listed of one state; what is found beyond is counted. Nobody mends more at a time.
pub const SECRET_FINDINGS_MAX: usize = 10_000;

/// Longest output of `terraform providers schema -json` that is read, in bytes: the largest providers have some 15 MB each.
pub const PROVIDER_SCHEMAS_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// States that are read at once where many are gone through: hides the way to a far bucket, and four of the largest fit into memory.
pub const STATES_READ_AT_ONCE: usize = 4;

/// How long a webhook may take to answer, in milliseconds: the next look at the locks waits for it.
pub const WEBHOOK_ANSWER_MS: u64 = 10_000;

/// Locks that one message to a webhook names; of further ones it has the number. Chat rooms cut longer texts.
pub const WEBHOOK_LOCKS_MAX: usize = 20;

/// How long a server may take to say whether it is Tidelock, in milliseconds.
pub const PROBE_MS: u64 = 5_000;

/// Locks in a bucket and a table that are read, or freed, at a time: enough to hide the distance to AWS, few enough for any server.
pub const LOCK_READS_MAX: usize = 16;

/// States that are read at a time to see what is in them: each is in memory meanwhile.
pub const STATE_READS_MAX: usize = 8;

/// Largest state that may be empty, in bytes: Terraform's own are some hundred, with the results of checks some KB. A larger one
/// need not be read.
pub const EMPTY_STATE_BYTES_MAX: u64 = 64 * 1_024;
