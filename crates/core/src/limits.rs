//! Every bound of the system in one place: its unit in its name, its reason beside it.

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

/// How long after a release a caller that was just refused still sees the last holder, in milliseconds.
/// Stock clients look within one round trip of their refusal, and give up for good if the lock is gone (DESIGN 4.3).
pub const TOMBSTONE_MS: i64 = 10_000;

/// How long a refusal is remembered, in milliseconds: longer than the longest pause between two tries (16 s).
pub const REFUSAL_MS: i64 = 60_000;

/// How many refusals one record remembers: more waiters than any one state has had, still under 20 KB of record.
pub const REFUSALS_MAX: usize = 64;

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
pub const CONNECTIONS_MAX: usize = 4_096;

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

/// Most buckets one server shows. A hundred times what Amazon S3 allows an account by default.
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

/// Longest request of a JSON service, in bytes. DynamoDB's own limit for a batch.
pub const JSON_BODY_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

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
