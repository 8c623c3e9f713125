//! Every bound of the system in one place: its unit in its name, its reason beside it.

mod iam;
mod toolkit;

pub use iam::*;
pub use toolkit::*;

/// Longest object key, in bytes of UTF-8. Amazon S3's own limit.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Shortest and longest bucket name, in bytes. Amazon S3's own limits.
pub const BUCKET_BYTES_MIN: usize = 3;
/// See [`BUCKET_BYTES_MIN`].
pub const BUCKET_BYTES_MAX: usize = 63;

/// Longest lock info, in bytes. Terraform writes about 300; a DynamoDB item may hold 400 KiB in all, and the info
/// is part of a record that every request on the address reads.
pub const LOCK_INFO_BYTES_MAX: usize = 16 * 1_024;

/// Longest lock ID, in bytes. Terraform's are UUIDs of 36.
pub const LOCK_ID_BYTES_MAX: usize = 256;

/// Facets that one lock has or had: the file, http, and tables; a run uses two, a migration to another table three. Each brings an info
/// of its own into a record that every request on the address reads.
pub const LOCK_FACETS_MAX: usize = 8;

/// How long after a release a caller that was just refused still sees the last holder, in milliseconds.
/// Stock clients look within one round trip of their refusal, and give up for good if the lock is gone (DESIGN 4.3).
pub const TOMBSTONE_MS: i64 = 10_000;

/// How long who was refused is remembered without coming back, in milliseconds. A held request counts from its
/// beginning when the server is restarted: its time and the longest pause of a stock client (16 s), with some to spare.
pub const WAITER_FORGET_MS: i64 = 90_000;

/// How long a waiter that is not here is still expected, in milliseconds: the longest pause between two tries of a stock
/// client (16 s) and the way back.
pub const WAITER_ASLEEP_MS: i64 = 20_000;

/// How soon after its first refusal a caller cannot have been told to wait, in milliseconds: it repeats a request whose
/// answer was lost. Stock clients first sleep for a second.
pub const WAITER_RETURN_MS_MIN: i64 = 500;

/// Waiters that one record remembers; one more goes on polling as it would elsewhere. More than any one state has had, and
/// some 300 KB of a record that each of their turns writes.
pub const WAITERS_MAX: usize = 512;

/// Longest that a request is held, in milliseconds: common read timeouts of SDKs and proxies are 60 s.
pub const HOLD_MS_MAX: i64 = 50_000;

/// How much sooner than the held request ahead of it a request is answered, in milliseconds: a quarter of the longest
/// pause of a stock client (16 s), so that of five in front never all sleep at once.
pub const HOLD_MS_STEP: i64 = 4_000;

/// Longest that a request at the back of the line is held, in milliseconds. As nobody cancels a held request, it is also
/// how long Ctrl-C may go unheard there.
pub const HOLD_MS_AT_BACK: i64 = 8_000;
const _: () = assert!(WAITER_FORGET_MS > HOLD_MS_MAX + WAITER_ASLEEP_MS);

/// Ended locks whose retried release is still known, in one record. An apply takes seconds, retries come within a minute.
pub const ENDED_MAX: usize = 8;

/// Former holders that one record keeps fenced. Each had its lock broken and has not come back since.
pub const FENCED_MAX: usize = 64;

/// Refused state writes kept for one address; the oldest gives way. One incident leaves a few.
pub const QUARANTINE_MAX: usize = 100;

/// Bytes of such writes, before they are packed; the oldest give way, the newest is always kept. A hundred of the usual
/// states, and four of the largest.
pub const QUARANTINE_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// Largest object, in bytes. A state of 40 MB is rare, one of 100 MB unheard of; the bound keeps memory bounded.
pub const OBJECT_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Smallest part of a multipart upload save the last, in bytes. Amazon S3's own limit.
pub const PART_BYTES_MIN: u64 = 5 * 1_024 * 1_024;

/// Highest part number of a multipart upload. Amazon S3's own limit.
pub const PART_NUMBER_MAX: u32 = 10_000;

/// Most entries in one page of a listing. Amazon S3's own limit.
pub const LIST_PAGE_MAX: usize = 1_000;

/// Rows read from the engine at a time while a listing skips what it does not show.
pub const SCAN_PAGE_ROWS: usize = 1_000;

/// The same for a short listing: one read should step over some dozens of rows that are not shown.
pub const SCAN_PAGE_ROWS_MIN: usize = 64;

const _: () = assert!(SCAN_PAGE_ROWS >= LIST_PAGE_MAX);

/// How often a use case decides again after losing a race for its record, before it answers "slow down".
/// Each loss means that somebody else won, so this many losses in a row mean overload rather than bad luck.
pub const CONFLICT_RETRIES_MAX: usize = 1_000;

/// Largest fields that are read from a state's header, in bytes: a lineage is a UUID, a version a dozen characters.
pub const STATE_FIELD_BYTES_MAX: usize = 1_024;

/// Connections held at once; more wait to be accepted. A waiting client holds one, so this bounds the waiters too.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Files that the process may have open beside its connections: the store's, the log's, the runtime's.
pub const OTHER_FILES_MAX: usize = 256;

/// How soon after a grant was answered its connection must fail for the answer to count as lost, in milliseconds. A
/// connection that is reset later was idle, and its client has the lock.
pub const GRANT_LOST_MS: u64 = 5_000;

/// Longest request head, in bytes. S3 allows 8 KB of headers; presigned URLs with session tokens need some more.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1_024;

/// How long a client may take to send a request head, idle time before it included, in milliseconds.
/// Longer than the AWS SDKs and Terraform pause between two requests on one connection.
pub const REQUEST_HEAD_MS: u64 = 90_000;

/// How long a stop waits for requests in flight, in milliseconds: enough for a large state on a slow line, and well
/// within the 30 s or more that init systems give before they kill.
pub const STOP_WAIT_MS: u64 = 10_000;

/// Pause after a failed accept, in milliseconds: file descriptors run out for a while, not for good.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Largest XML document in a request, in bytes: completing 10,000 parts with their checksums, or deleting 1,000 keys of
/// 1,024 escaped characters.
pub const XML_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Most elements in such a document: 10,000 parts of number, ETag and two checksums.
pub const XML_ELEMENTS_MAX: usize = 60_000;

/// Deepest nesting of such a document: the deepest that S3 defines (a replication rule's filter) has 7 levels.
pub const XML_DEPTH_MAX: usize = 10;

/// Most keys in one batch delete. Amazon S3's own limit.
pub const DELETE_KEYS_MAX: usize = 1_000;

/// Most bytes of user metadata on one object, names and values. Amazon S3's own limit.
pub const METADATA_BYTES_MAX: usize = 2 * 1_024;

/// Most tags on one object. Amazon S3's own limit.
pub const OBJECT_TAGS_MAX: usize = 10;

/// Most tags on one bucket. Amazon S3's own limit.
pub const BUCKET_TAGS_MAX: usize = 50;

/// Longest key and value of a tag, in characters. Amazon S3's own limits.
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// See [`TAG_KEY_CHARS_MAX`].
pub const TAG_VALUE_CHARS_MAX: usize = 256;

/// Most buckets of one server: one request lists them all. As many as Amazon S3 allows an account by default.
pub const BUCKETS_MAX: usize = 10_000;

/// Bodies from this size on are read for their state header beside the event loop, in bytes: 256 KiB parse in about
/// 0.3 ms, and other requests should not wait longer than that.
pub const PARSE_INLINE_BYTES_MAX: usize = 256 * 1_024;

/// Most open uploads or parts that one page shows. Amazon S3's own limit.
pub const UPLOAD_PAGE_MAX: usize = 1_000;

/// Batches that may wait for the embedded engine's writer. Beyond it `commit` waits for a place, so that a slow disk
/// slows its callers down and does not fill the memory. Several times the clients one machine is expected to have.
pub const EMBEDDED_QUEUE_BATCHES_MAX: usize = 1024;

/// Batches that share one transaction of the embedded engine. Small ones take about 10 µs each: the last to
/// join waits for no more than some 10 ms of work besides the disk.
pub const EMBEDDED_GROUP_BATCHES_MAX: usize = 1024;

/// Bytes after which the embedded engine's writer takes no further batch into a transaction, so that small commits
/// do not wait for many large bodies. One batch may exceed it by itself.
pub const EMBEDDED_GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Connections, and so blocking threads, that read beside the embedded engine's writer. Reads are short; more than
/// this only adds page caches on the small machines it is meant for.
pub const EMBEDDED_READERS_MAX: usize = 4;

/// SQLite's page cache of each connection, in KiB. The system's page cache does the real work; this only has
/// to hold the upper levels of the trees, and bounds what a transaction keeps before it spills to the WAL.
pub const EMBEDDED_CACHE_KIB: usize = 2048;

/// Bytes of the write-ahead log that are kept for reuse: what a large body added beyond is given back to the disk.
pub const EMBEDDED_WAL_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// How long the embedded engine waits for another program (an operator's `sqlite3`) to let go of the file.
pub const EMBEDDED_BUSY_MS: u64 = 5_000;

/// Largest document kept with a bucket, in bytes: fifty tags of the longest kind, escaped. It is part of a row that
/// every request on the bucket reads.
pub const BUCKET_DOCUMENT_BYTES_MAX: usize = 128 * 1_024;

/// Longest `Authorization` header, and longest part of a presigned query, in bytes. A header that signs a hundred
/// user metadata headers stays under 6 KiB.
pub const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// Most headers that one signature may cover: hyper takes 100 headers in a request by default.
pub const SIGNED_HEADERS_MAX: usize = 100;

/// Longest access key id, in bytes: what IAM allows.
pub const ACCESS_KEY_ID_BYTES_MAX: usize = 128;

/// Longest region or service name in a credential scope, in bytes. The longest of AWS's own is 30.
pub const SCOPE_NAME_BYTES_MAX: usize = 64;

/// How far a client's clock may be off, in milliseconds: AWS's own bound, which SDKs correct their clocks by.
pub const CLOCK_SKEW_MS_MAX: i64 = 15 * 60 * 1000;

/// Longest life of a presigned URL, in seconds: AWS's own bound of a week.
pub const PRESIGNED_SECONDS_MAX: i64 = 7 * 24 * 60 * 60;

/// Derived signing keys kept per access key. A client uses one or two regions and services a day, and only a
/// verified signature adds one.
pub const SIGNING_KEYS_MAX: usize = 64;

/// First and smallest step in which memory for a body is reserved, in bytes. A declared length is a claim, so
/// it alone never costs more than this.
pub const BODY_STEP_BYTES: usize = 1024 * 1024;

/// Longest chunk header or trailer line of an aws-chunked body, in bytes. A chunk header takes 100.
pub const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// Most trailer lines of an aws-chunked body: one checksum and its signature are all that S3 knows.
pub const CHUNK_TRAILERS_MAX: usize = 8;

/// Smallest chunk of an aws-chunked body save its last one, in bytes: S3's own bound (`InvalidChunkSizeError`), which
/// keeps the cost of the chunk headers near one percent.
pub const CHUNK_BYTES_MIN: u64 = 8 * 1024;

/// Request bodies in memory at one time, in MiB, over all connections: a few of the largest, or hundreds of usual
/// states; more wait for their turn.
pub const BODY_BUDGET_MIB: usize = 1_024;

const _: () = assert!(OBJECT_BYTES_MAX <= BODY_BUDGET_MIB as u64 * 1_024 * 1_024);

/// Bodies in memory that have to be there before their signature can be verified, in MiB. They have a budget of their own: who
/// knows no more than an access key id must not keep states from being saved.
pub const UNPROVEN_BODY_BUDGET_MIB: usize = 128;

/// Bodies up to this size take nothing of these budgets, in bytes: a lock item of the longest info, escaped, fits. The
/// connections bound them: 512 MiB if each had one.
pub const SMALL_BODY_BYTES_MAX: u64 = 32 * 1_024;

/// Longest request of a JSON service, in bytes. DynamoDB's own limit for a batch.
pub const JSON_BODY_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

const _: () = assert!(JSON_BODY_BYTES_MAX <= UNPROVEN_BODY_BUDGET_MIB as u64 * 1_024 * 1_024);

/// Longest run token that is kept, in bytes: the ID of a CI job and its link fit.
pub const RUN_TOKEN_BYTES_MAX: usize = 256;

/// How much of a body is read and sent at a time, in bytes: large enough for the disk, small enough for many readers.
pub const STREAM_PIECE_BYTES: u64 = 1_024 * 1_024;

/// Significant digits a Number keeps (DynamoDB's own).
pub const NUMBER_DIGITS_MAX: usize = 38;

/// Largest decimal exponent of a Number, in scientific form (DynamoDB's own: below 1E+126).
pub const NUMBER_EXPONENT_MAX: i64 = 125;

/// Smallest decimal exponent of a Number, in scientific form (DynamoDB's own: 1E-130).
pub const NUMBER_EXPONENT_MIN: i64 = -130;

/// Levels of lists and maps inside one attribute (DynamoDB's own), and of steps in a document path.
pub const ATTRIBUTE_DEPTH_MAX: usize = 32;

/// Bytes of one item, names and values (DynamoDB's own).
pub const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// Bytes of a hash key value (DynamoDB's own).
pub const HASH_KEY_BYTES_MAX: usize = 2048;

/// Bytes of a range key value (DynamoDB's own).
pub const RANGE_KEY_BYTES_MAX: usize = 1024;

/// Bytes of one expression (DynamoDB's own).
pub const EXPRESSION_BYTES_MAX: usize = 4096;

/// Operators and functions in one expression (DynamoDB's own).
pub const EXPRESSION_OPERATORS_MAX: usize = 300;

/// Nesting of parentheses, NOT and functions in one expression: what the parser and the evaluator may recurse.
pub const EXPRESSION_DEPTH_MAX: usize = 64;

/// Operands of one IN (DynamoDB's own).
pub const IN_OPERANDS_MAX: usize = 100;

/// Bytes of items one Query, Scan or batch read looks at before it answers with a page (DynamoDB's own).
pub const ITEM_PAGE_BYTES_MAX: usize = 1_024 * 1_024;

/// Keys in one BatchGetItem (DynamoDB's own).
pub const BATCH_GET_KEYS_MAX: usize = 100;

/// Requests in one BatchWriteItem (DynamoDB's own).
pub const BATCH_WRITE_REQUESTS_MAX: usize = 25;

/// Tables in one ListTables answer (DynamoDB's own).
pub const LIST_TABLES_MAX: usize = 100;

/// Segments of a parallel Scan (DynamoDB's own).
pub const SCAN_SEGMENTS_MAX: i64 = 1_000_000;

/// Tags on one table (DynamoDB's own).
pub const TABLE_TAGS_MAX: usize = 50;

/// Rows a Query or Scan reads at a time: 64 of the largest items are 25 MB.
pub const ITEM_PAGE_ROWS: usize = 64;

/// Bytes of items in one BatchGetItem answer (DynamoDB's own).
pub const BATCH_GET_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Rows DescribeTable counts; DynamoDB's own count is hours old, this one stops here.
pub const ITEM_COUNT_ROWS_MAX: usize = 1000;

/// How long after its last request a reader in ranges goes on to see the version it began with, in milliseconds:
/// longer than one range takes on a slow line, short enough that nobody reads yesterday's state.
pub const PIN_MS: i64 = 10_000;

/// How long a reader in ranges sees the version it began with in all, in milliseconds: time for the largest object at
/// 500 KB/s. Who polls with ranged GETs must not poll the past for ever.
pub const PIN_TOTAL_MS: i64 = 600_000;

/// How many readers in ranges are remembered at a time; one more reads without the courtesy.
pub const PINS_MAX: usize = 1_024;

/// How long a closing connection still takes what its client is sending: long enough for a large state over a slow
/// line to get its refusal, short enough to free the seat.
pub const LINGER_MS: u64 = 2_000;

/// How much of it is read at a time: lives on the stack of the connection's task.
pub const LINGER_PIECE_BYTES: usize = 8 * 1_024;
/// How long a client may send nothing in the middle of a body, in milliseconds. Amazon S3 closes such connections
/// after about 20 s; whoever is silent that long holds memory that others wait for.
pub const BODY_IDLE_MS: u64 = 20_000;

/// How long after a facet was taken off a second release of it is taken for a retry, in milliseconds: longer than SDKs
/// retry one call. Who asks for it later means the lock itself, of which only the other facets are left.
pub const RELEASE_REPEAT_MS: i64 = 60_000;

/// Longest `amz-sdk-invocation-id` that is kept, in bytes. SDKs send UUIDs of 36.
pub const INVOCATION_ID_BYTES_MAX: usize = 64;

/// Largest state that is compared by resource, in bytes: three times the largest known. Comparing takes a few times as much.
pub const DIFF_STATE_BYTES_MAX: usize = 128 * 1_024 * 1_024;

/// Deepest nesting of a value that is compared. Providers stay under 20; the comparison calls itself once a level.
pub const DIFF_DEPTH_MAX: usize = 64;

/// Most resource instances of one state that are compared: twenty times the largest states that anyone plans with.
pub const DIFF_INSTANCES_MAX: usize = 200_000;

/// Most values that one comparison lists; what differs beyond is counted. Nobody reads more, and each one takes memory.
pub const DIFF_VALUES_MAX: usize = 100_000;

/// Longest path of a value that is shown, in bytes: map keys may have any length, and every path below repeats them.
pub const DIFF_PATH_BYTES_MAX: usize = 1_024;

/// Longest value that the text of a comparison shows, in characters: two of them and a path fit a terminal's two lines.
pub const DIFF_TEXT_CHARS_MAX: usize = 72;
/// Shortest and longest ID of a run, in characters: what nobody draws twice, and what fits behind `tidelock-run-` into
/// the 50 characters that AWS clients allow an application ID, up to a UUID; CI systems have some that are longer.
pub const RUN_ID_CHARS_MIN: usize = 16;
/// See [`RUN_ID_CHARS_MIN`].
pub const RUN_ID_CHARS_MAX: usize = 64;

/// Shortest and longest lease of a run, in milliseconds: renewed three times in its course, a shorter one is lost to
/// one slow answer; a longer one keeps the lock of a dead machine for more than a day.
pub const LEASE_MS_MIN: u64 = 5_000;
/// See [`LEASE_MS_MIN`].
pub const LEASE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How long after its start a server waits for runs whose lease ended while it was down, in milliseconds: they try to renew it
/// every second, and a try that hangs takes a third of a lease, of the usual one 20 s.
pub const RUN_RETURN_MS: u64 = 30_000;

/// How long a run that is over is remembered, in milliseconds, so that its ID still belongs to its principal: a week.
pub const RUN_KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How many old runs are looked at whenever one begins: more than one, so that they become fewer.
pub const RUNS_SWEPT_MAX: usize = 16;

/// Largest request of the admin door, in bytes: a reason and a name, with room.
pub const ADMIN_BODY_BYTES_MAX: u64 = 16 * 1_024;
/// How long a holder may be silent before its lock is reported as stale, in milliseconds, unless an operator says otherwise:
/// during an apply Terraform is silent while the provider works, rarely for over an hour.
pub const STALE_AFTER_MS: i64 = 2 * 60 * 60 * 1_000;

/// How long it is remembered which lock a caller was shown, in milliseconds: clients delete what they looked at within a
/// round trip, people within a minute.
pub const LOOK_MS: i64 = 60_000;

/// How many such looks are remembered at a time.
pub const LOOKS_MAX: usize = 8_192;

/// Holders whose last request is remembered. One more pushes out the half that was silent longest.
pub const SIGHTINGS_MAX: usize = 8_192;

/// Places in which turns about locks wait for one another, each address by its hash: so many that two busy addresses
/// rarely share one, and some 50 KB in all.
pub const LOCK_TURN_PLACES: usize = 1_024;
/// Longest reason and name that come with a freeze, in bytes: people read them in the refusal of an apply.
pub const FREEZE_TEXT_BYTES_MAX: usize = 1_024;

/// Longest time for which an operator may permit a write that does not advance, in milliseconds: one working day. What
/// was permitted and then forgotten must not let the wrong write through next week.
pub const ALLOW_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Most locks in one answer of the admin door: each takes a read of its record.
pub const LOCKS_SHOWN_MAX: usize = 1_000;

/// Plans that hold one lock together; one more waits. A plan that was killed leaves its lock behind and disturbs no other
/// plan, so that nobody notices until an apply does; meanwhile every plan writes all of them.
pub const SHARED_LOCKS_MAX: usize = 128;

/// Most files of a Terraform configuration that are looked at in one directory: large ones have hundreds.
pub const CONFIGURATION_FILES_MAX: usize = 4_096;

/// Most bytes read of them, of what `init` recorded and of `-backend-config` files, in all: generated ones have some MB.
pub const CONFIGURATION_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Longest name of a workspace, in bytes: with its prefix and key it has to fit into a key of S3.
pub const WORKSPACE_BYTES_MAX: usize = 512;

/// Largest of AWS's shared config and credentials files that is read, in bytes: people with hundreds of accounts have 100 KB.
pub const AWS_FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// Largest small file in a backup, in bytes: manifest, digests, keys. Each takes some hundred.
pub const ARCHIVE_SMALL_BYTES_MAX: usize = 64 * 1_024;
/// Most versions that have to be unpacked to read one, beside the one that stands alone: a step on each of the four heights
/// of `chain`. Each costs about half of what reading the newest does.
pub const CHAIN_STEPS_MAX: usize = 4;

/// How much of a body is compressed and sealed together, in bytes, so that a range is read without the rest: the step in
/// which bodies are streamed.
pub const PIECE_BYTES: usize = STREAM_PIECE_BYTES as usize;

/// Memory for bodies that are unpacked from what they differ from, in MiB: the largest one twice, or dozens of usual ones at a
/// time; more wait for their turn.
pub const UNPACK_BUDGET_MIB: usize = 1_024;

/// Memory for bodies that are stored again, copies and what is made of parts, in MiB: two of the largest at a time, as they are
/// and sealed; more wait for their turn. Their requests are small, so that nothing else bounds them.
pub const STORE_BUDGET_MIB: usize = 1_024;

const _: () = assert!(UNPACK_BUDGET_MIB <= STORE_BUDGET_MIB);

/// Most versions in one page of a history: some 500 KB of answer.
pub const HISTORY_PAGE_MAX: usize = 1_000;

/// Most addresses in one page of all states.
pub const STATES_PAGE_MAX: usize = 1_000;

/// Objects that are looked at for one page of a search; those that are no states cost a read each and nothing more.
pub const FIND_ROWS_MAX: usize = 1_000;

/// States that are unpacked and read for one page of a search: small ones take some 0.1 ms each.
pub const FIND_STATES_MAX: u64 = 500;

/// Bytes of states that are read for one page of a search, save that one larger state is a page of its own: well under a
/// second of one core's work.
pub const FIND_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Resources found after which a page of a search ends: one more state may still add all of its own.
pub const FIND_FOUND_MAX: usize = 1_000;

/// Versions that are looked at for one page of a blame; what they changed is mostly noted beside them.
pub const BLAME_ROWS_MAX: usize = 2_000;

/// Bytes of states that are read for one page of a blame, where what they changed is not noted: about a second of one
/// core's work.
pub const BLAME_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Most resource instances that a blame lists: a module may have thousands, and nobody reads more.
pub const BLAME_TOUCHES_MAX: usize = 1_000;

/// Bytes after which one page of a verification ends: decoded from other versions and digested, that takes a few seconds.
pub const VERIFY_PAGE_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Bodies after which it ends, so that progress is seen where they are small.
pub const VERIFY_PAGE_BODIES_MAX: u64 = 1_000;
/// Longest name of a resource that is looked for, in bytes: modules in modules with long keys stay below.
pub const RESOURCE_PATTERN_BYTES_MAX: usize = 2_048;
/// Root keys at a time: the current one, and those that a rotation or an older backup still needs.
pub const ROOT_KEYS_MAX: usize = 16;

/// Longest text of root keys, in bytes: as many as may be, with a comment on each.
pub const ROOT_KEY_TEXT_BYTES_MAX: usize = 8 * 1_024;

/// How long the command that prints the root key may take, in milliseconds: time for a slow vault and a retry.
pub const ROOT_KEY_COMMAND_MS: u64 = 60_000;

/// Rows whose keys a rotation of the root key reads and seals anew together: a few milliseconds, so that others get their turn.
pub const ROTATION_BATCH_ROWS: usize = 64;

/// Bodies that a rotation could not seal anew and names; nobody reads more.
pub const ROTATION_FAILED_SHOWN: usize = 100;

/// How often a rotation looks whether those who write under the former key have finished, in milliseconds.
pub const ROTATION_LOOK_MS: u64 = 20;

/// Addresses of resources that are written down for one version; beyond it a look for one of them compares the states. An apply
/// that touches more touches nearly everything.
pub const CHANGED_RESOURCES_MAX: usize = 1_000;

/// States that one page of collecting goes through: a page is one request of an operator's command.
pub const GC_PAGE_STATES: usize = 16;

/// How often all states are looked through for versions that nobody keeps any longer, in milliseconds. Rules speak of days.
pub const RETENTION_SWEEP_MS: u64 = 60 * 60 * 1_000;

/// Versions that are stored anew in one commit, and bytes after which no more join: a commit costs a sync, and other writers
/// should not wait long for it.
pub const PACKED_TOGETHER_MAX: usize = 64;
/// See [`PACKED_TOGETHER_MAX`].
pub const PACKED_TOGETHER_BYTES: usize = 1_024 * 1_024;
/// How long the toolkit's own client waits for a connection, in milliseconds.
pub const CLIENT_CONNECT_MS: u64 = 10_000;

/// How long it waits for the next sign of life of an answer, in milliseconds: longer than S3 thinks about anything.
pub const CLIENT_SILENCE_MS: u64 = 60_000;

/// How often it tries one request in all, when the server is overloaded or the connection breaks.
pub const CLIENT_TRIES_MAX: u32 = 5;

/// Its first pause before it tries again, in milliseconds; each further one is twice as long.
pub const CLIENT_PAUSE_MS: u64 = 200;

/// Largest document it reads, in bytes: a page of a thousand versions with the longest keys.
pub const CLIENT_DOCUMENT_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// Largest `history.json` that is imported, in bytes: two hundred thousand versions.
pub const EXPORT_HISTORY_BYTES_MAX: u64 = 128 * 1_024 * 1_024;

/// How far in time to come a version that is imported may say it was written, in milliseconds: as far as clocks may
/// differ for a signature.
pub const IMPORT_AHEAD_MS_MAX: i64 = 15 * 60 * 1_000;

/// How many version numbers an import may leave out so that a version keeps its own: retention leaves such gaps, and a
/// number beyond is made up.
pub const IMPORT_NUMBERS_SKIPPED_MAX: u64 = 1_000_000;

/// How long after a write the packer begins, in milliseconds: a run that has saved its state unlocks it next, and states that
/// come together are packed together.
pub const PACK_PAUSE_MS: u64 = 2_000;

/// Pauses that the packer makes at most while large bodies are on their way in: it takes memory of its own for such.
pub const PACK_PAUSES_MAX: u32 = 30;

/// A day, in milliseconds: what lifecycle rules and retentions count in.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Rules of one lifecycle configuration (Amazon S3's own).
pub const LIFECYCLE_RULES_MAX: usize = 1_000;

/// Longest ID of a lifecycle rule, in characters (Amazon S3's own).
pub const LIFECYCLE_ID_CHARS_MAX: usize = 255;

/// Most newer noncurrent versions that a lifecycle rule may keep (Amazon S3's own).
pub const NEWER_NONCURRENT_MAX: u32 = 100;

/// How often it is looked whether a midnight has passed upon which lifecycle rules act, in milliseconds. What could not be done
/// because a state was locked is tried again as often.
pub const LIFECYCLE_SWEEP_MS: u64 = 10 * 60 * 1_000;

/// Versions that lifecycle rules end in one commit.
pub const LIFECYCLE_TOGETHER_MAX: usize = 256;

/// Longest default retention of Object Lock, in days and in years (Amazon S3's own).
pub const RETENTION_DAYS_MAX: u32 = 36_500;
/// See [`RETENTION_DAYS_MAX`].
pub const RETENTION_YEARS_MAX: u32 = 100;

/// Lines of access logs that wait for their delivery, in bytes: a minute of some ten thousand requests a second would be more, and
/// is dropped.
pub const ACCESS_LOG_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// How long lines of access logs wait to be delivered together, in milliseconds. S3 takes hours.
pub const ACCESS_LOG_DELIVER_MS: u64 = 60_000;

/// Largest bucket policy, in bytes (Amazon S3's own).
pub const BUCKET_POLICY_BYTES_MAX: usize = 20 * 1_024;
/// How long before a session ends its client may take the next one, in milliseconds: botocore does so earliest of all.
pub const SESSION_RENEWAL_MS: i64 = 15 * 60 * 1_000;

/// Longest policy document that is read, in bytes. AWS's longest kind, a key policy, may have 32 KB; white space does not
/// count in some kinds, so that there is room for it.
pub const POLICY_BYTES_MAX: usize = 128 * 1_024;

/// Deepest nesting of such a document: the deepest that there is, a list of values in a condition, has 6 levels.
pub const POLICY_DEPTH_MAX: usize = 8;

/// Longest action, resource, principal or condition value of a policy, in bytes: the ARN of an object with the longest key has
/// 1,100. The product of this and the text compared bounds the time of one comparison.
pub const POLICY_STRING_BYTES_MAX: usize = 2_048;
/// Longest token of an OIDC issuer, in bytes: the longest `WebIdentityToken` that AWS STS takes.
pub const JWT_BYTES_MAX: usize = 20_000;

/// Longest name of a key within an issuer's set (`kid`), in bytes: hashes and UUIDs are far shorter.
pub const JWT_KID_BYTES_MAX: usize = 256;

/// How far an issuer's clock may be from ours, in milliseconds: both are kept by NTP.
pub const JWT_SKEW_MS_MAX: i64 = 60 * 1_000;

/// Largest document of an issuer, be it its keys or where they are, in bytes: a hundred RSA keys with their certificates.
pub const OIDC_DOCUMENT_BYTES_MAX: usize = 512 * 1_024;

/// Keys of one issuer that are looked at; issuers have two to ten.
pub const OIDC_KEYS_MAX: usize = 100;

/// How long fetched keys of an issuer are used without another look, in milliseconds: what it takes back ends then.
pub const OIDC_KEYS_FRESH_MS: i64 = 60 * 60 * 1_000;

/// How long they are used on when the issuer cannot be reached, in milliseconds: a day's outage stops no job.
pub const OIDC_KEYS_STALE_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long after one fetch the next may be at the earliest, in milliseconds: anybody can send a token of an unknown key.
pub const OIDC_FETCH_PAUSE_MS: i64 = 30 * 1_000;

/// How long a fetch of an issuer's documents may take, in milliseconds: clients of STS wait no longer than a minute.
pub const OIDC_FETCH_MS: u64 = 20_000;
/// Fields of one form of STS or IAM: fifty tags are a hundred, the longest list of ARNs some dozens.
pub const FORM_FIELDS_MAX: usize = 512;
/// Keys of the KMS that one account may have: all of them are in memory, a few KB each.
pub const KMS_KEYS_MAX: usize = 10_000;

/// Aliases that one key may have, as on AWS.
pub const KMS_ALIASES_MAX: usize = 50;

/// Longest name of an alias, in bytes, with `alias/`, as on AWS.
pub const KMS_ALIAS_BYTES_MAX: usize = 256;

/// Tags that one key may have, as on AWS.
pub const KMS_TAGS_MAX: usize = 50;

/// Longest description of a key, in characters, as on AWS.
pub const KMS_DESCRIPTION_CHARS_MAX: usize = 8_192;

/// Longest key policy, in bytes, as on AWS.
pub const KMS_POLICY_BYTES_MAX: usize = 32 * 1_024;

/// How often the material of one key may be rotated by hand, as on AWS.
pub const KMS_ROTATIONS_ON_DEMAND_MAX: usize = 25;

/// The shortest and the longest time between two rotations, in days, as on AWS.
pub const KMS_ROTATION_DAYS: std::ops::RangeInclusive<i64> = 90..=2_560;

/// The time between two rotations unless it is said, in days, as on AWS.
pub const KMS_ROTATION_DAYS_DEFAULT: u32 = 365;

/// The shortest and the longest time until a key is deleted, in days, as on AWS: long enough for whoever needs it to find out.
pub const KMS_DELETION_DAYS: std::ops::RangeInclusive<i64> = 7..=30;

/// Longest text that a key encrypts by itself, in bytes, as on AWS.
pub const KMS_PLAINTEXT_BYTES_MAX: usize = 4_096;

/// Longest ciphertext that is looked at, in bytes, as on AWS.
pub const KMS_CIPHERTEXT_BYTES_MAX: usize = 6_144;

/// Largest data key, in bytes, as on AWS.
pub const KMS_DATA_KEY_BYTES_MAX: i64 = 1_024;

/// Longest encryption context, in bytes of its names and values, as on AWS.
pub const KMS_CONTEXT_BYTES_MAX: usize = 8_192;

/// How often keys are looked through for those that are to be deleted or rotated, in milliseconds. Both are dates of days.
pub const KMS_SWEEP_MS: u64 = 60 * 1_000;

/// How long a client may take to begin TLS, in milliseconds: several round trips of the slowest line.
pub const TLS_HANDSHAKE_MS: u64 = 10_000;

/// How often the files of the server's certificate are looked at for a change, in milliseconds.
pub const TLS_FILES_LOOK_MS: u64 = 2_000;

/// Largest of these files, in bytes: all authorities of a system are a quarter of it.
pub const TLS_FILE_BYTES_MAX: usize = 1_024 * 1_024;

/// TLS sessions that the server remembers, so that a client which comes back saves a round trip; a few hundred bytes each.
pub const TLS_SESSIONS_MAX: usize = 1_024;

/// How long a certificate is good that the server makes for itself, in days: as long as clients at all take one.
pub const TLS_OWN_DAYS: i64 = 397;

/// How many days before its end it is made anew.
pub const TLS_OWN_RENEW_DAYS: u64 = 30;

/// How long the authority is good that signs it, in days: twenty years, since every client has to be told of another.
pub const TLS_OWN_CA_DAYS: i64 = 20 * 365;

/// How often a running server looks whether its certificate is near its end, in milliseconds.
pub const TLS_OWN_LOOK_MS: u64 = 60 * 60 * 1_000;

/// Longest text of a stranger in an entry of the audit log, in bytes: an address, the longest of them.
pub const AUDIT_TEXT_BYTES_MAX: usize = BUCKET_BYTES_MAX + 1 + KEY_BYTES_MAX;

/// Most decisions in an entry of the audit log: two for each object of a batch.
pub const AUDIT_DECISIONS_MAX: usize = 2 * DELETE_KEYS_MAX;

/// Days for which the past of a table can be kept (DynamoDB's own, and its default).
pub const TABLE_PAST_DAYS_MAX: u32 = 35;

/// How long between two looks for expired items, in milliseconds: DynamoDB promises a few days, people expect minutes, and
/// each look reads whole tables.
pub const ITEM_EXPIRY_SWEEP_MS: u64 = 10 * 60 * 1_000;

/// How long after its end a session may finish what it holds a lock for, in milliseconds: as long as AWS's default session, so
/// that an apply that was begun within its session can save its state and unlock.
pub const SESSION_GRACE_MS: i64 = 60 * 60 * 1_000;

/// Opened sessions that are remembered, so that not each request unseals a token: as many as runners at work at once.
pub const SESSIONS_REMEMBERED_MAX: usize = 4_096;

/// Longest session token that is looked at, in bytes: one with as much in it as may be, with room in the head of a request.
pub const SESSION_TOKEN_BYTES_MAX: usize = 32 * 1_024;

/// Shortest session, in seconds. This and those below are AWS's: AWS STS API reference.
pub const SESSION_SECS_MIN: u32 = 900;
/// A session of a role, when nobody says how long.
pub const ROLE_SESSION_SECS: u32 = 3_600;
/// A session that was begun with another session (role chaining), or by the operator, at most.
pub const CHAINED_SESSION_SECS_MAX: u32 = 3_600;
/// A session of a user, when nobody says how long, and at most.
pub const USER_SESSION_SECS: u32 = 43_200;
/// See [`USER_SESSION_SECS`].
pub const USER_SESSION_SECS_MAX: u32 = 129_600;
/// Longest policy that is passed along with a session, in characters.
pub const SESSION_POLICY_CHARS_MAX: usize = 2_048;
/// Managed policies that are passed along.
pub const SESSION_POLICIES_MAX: usize = 10;
/// Bytes that policies and tags of a session may have together. AWS packs them and does not say how.
pub const SESSION_PACKED_BYTES_MAX: usize = 4 * 1_024;
/// Longest external id, in characters.
pub const EXTERNAL_ID_CHARS_MAX: usize = 1_224;
/// Longest name of a session, or source identity, in characters.
pub const SESSION_NAME_CHARS_MAX: usize = 64;
/// Longest ARN of a role, in characters.
pub const ROLE_ARN_CHARS_MAX: usize = 2_048;
/// Access keys whose derived signing keys are remembered at a time. One is some hundred bytes; beyond that they are derived anew.
pub const SIGNING_KEYRINGS_MAX: usize = 4_096;

/// Compiled resource policies that are remembered at a time, by their texts of up to 20 KiB.
pub const RESOURCE_POLICIES_MAX: usize = 512;

/// Longest line of the audit log, in bytes: a batch of a thousand keys, each with its decisions.
pub const AUDIT_LINE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Size at which a segment of the audit log is closed and the next begun, in bytes: small enough to copy, compress and remove,
/// large enough that a year has not too many.
pub const AUDIT_SEGMENT_BYTES: u64 = 64 * 1_024 * 1_024;

/// How long an entry of the audit log may be written and not synced, in milliseconds: what a power cut can take.
pub const AUDIT_SYNC_MS: u64 = 1_000;

/// How often writing the audit log is tried again, in milliseconds.
pub const AUDIT_RETRY_MS: u64 = 1_000;

/// Entries of the audit log that are written together, at most.
pub const AUDIT_PIECE_ENTRIES_MAX: usize = 1_024;

/// Bytes of entries that are handed out at a time.
pub const AUDIT_READ_BYTES: usize = 256 * 1_024;

/// Bytes of entries that are looked through at a time, before somebody else gets the thread.
pub const AUDIT_SCAN_BYTES: usize = 16 * 1_024 * 1_024;

/// Most entries that are asked for from the end: they are looked for twice.
pub const AUDIT_LAST_MAX: usize = 100_000;

/// Segments that one request verifies: a second or two of one core's work.
pub const AUDIT_VERIFY_SEGMENTS: usize = 16;

/// How long one answer goes on with new entries, in milliseconds; who follows asks again.
pub const AUDIT_FOLLOW_MS: u64 = 60 * 60 * 1_000;

/// How often an answer that waits for new entries shows that it is alive, in milliseconds.
pub const AUDIT_FOLLOW_BEAT_MS: u64 = 10_000;

/// How long a stop waits until a collector has taken the last entries of the audit log, in milliseconds.
pub const AUDIT_COLLECTOR_STOP_MS: u64 = 2_000;
