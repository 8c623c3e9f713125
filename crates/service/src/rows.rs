//! The keys under which things are stored, and the values that share a key space.
//!
//! `b|BUCKET` bucket · `f|BUCKET` whose a deleted bucket was · `o|BUCKET|KEY` record or lock file · `v|BUCKET|KEY|!SEQ` older version, newest first ·
//! `l|BUCKET|KEY` there is a lock · `q|BUCKET|KEY|ID` refused state write · `u|BUCKET|KEY|UPLOAD` upload ·
//! `p|UPLOAD|NUMBER` part · `t|TABLE` table · `i|TABLE-ID|ROW` item ·
//! `h|TABLE-ID|ROW|TIME|REVISION` what an item was before a change · `r|ID` run · `w|BUCKET|KEY` there is a version to
//! pack · `c|BUCKET|KEY|!SEQ` what a version changed · `k|check` root key · `k|vault` the vault's key ·
//! `a|ACCOUNT|KIND|NAME` directory (`iam::rows`).
//! `m|KEY-ID` KMS key.
//! The bar is a NUL, which no bucket, key, upload or table may contain, so keys sort as their names do.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidelock_core::{Address, Record, Time};

use crate::Error;

/// What is stored under an object's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ObjectRow {
    /// The record of an address.
    Record(Box<Record>),
    /// The view of a lock that has a file facet; so that a listing shows it in its place.
    LockFile(LockFile),
}

/// What a listing shows of a lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockFile {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) since: Time,
}

/// A NUL and a number of eight bytes, at the end of a row.
const NUMBER_BYTES: usize = 9;

fn row(space: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut row = vec![space];
    for part in parts {
        row.push(0);
        row.extend_from_slice(part);
    }
    row
}

pub(crate) fn bucket(name: &str) -> Vec<u8> {
    row(b'b', &[name.as_bytes()])
}

/// Whose a deleted bucket was that has left history.
pub(crate) fn former_bucket(name: &str) -> Vec<u8> {
    row(b'f', &[name.as_bytes()])
}

pub(crate) fn object(bucket: &str, key: &str) -> Vec<u8> {
    row(b'o', &[bucket.as_bytes(), key.as_bytes()])
}

pub(crate) fn record(address: &Address) -> Vec<u8> {
    object(address.bucket(), address.key())
}

pub(crate) fn version(address: &Address, seq: u64) -> Vec<u8> {
    row(
        b'v',
        &[
            address.bucket().as_bytes(),
            address.key().as_bytes(),
            &(!seq).to_be_bytes(),
        ],
    )
}

/// What the version of this number changed.
pub(crate) fn changed(address: &Address, seq: u64) -> Vec<u8> {
    row(
        b'c',
        &[
            address.bucket().as_bytes(),
            address.key().as_bytes(),
            &(!seq).to_be_bytes(),
        ],
    )
}

/// The version's number, of a row that ends with one.
pub(crate) fn seq(row: &[u8]) -> Result<u64, Error> {
    let seq = row.last_chunk().map(|last| !u64::from_be_bytes(*last));
    seq.ok_or_else(|| Error::corrupt(row, "the row's name is too short"))
}

/// The mark of an address that has a version to pack.
pub(crate) fn unpacked(address: &Address) -> Vec<u8> {
    row(b'w', &[address.bucket().as_bytes(), address.key().as_bytes()])
}

/// The older versions of an address that are older than `before`, newest first.
pub(crate) fn versions(address: &Address, before: u64) -> Range<Vec<u8>> {
    let mut end = version(address, 0);
    end.push(0);
    // Sequence numbers start at 1, so `before - 1` never wraps and 0 itself is never stored.
    version(address, before.saturating_sub(1))..end
}

/// The mark of an address that is locked, so that the locks can be listed.
pub(crate) fn locked(address: &Address) -> Vec<u8> {
    row(b'l', &[address.bucket().as_bytes(), address.key().as_bytes()])
}

/// The marks of the addresses that begin with `prefix`.
pub(crate) fn locked_under(prefix: &str) -> Range<Vec<u8>> {
    under(b'l', prefix)
}

/// The records of the addresses that begin with `prefix`.
pub(crate) fn objects_under(prefix: &str) -> Range<Vec<u8>> {
    under(b'o', prefix)
}

/// The rows of a space whose addresses begin with `prefix`.
pub(crate) fn under(space: u8, prefix: &str) -> Range<Vec<u8>> {
    let (bucket, key) = prefix.split_once('/').unzip();
    let bucket = bucket.unwrap_or(prefix).as_bytes();
    prefixed(match key {
        Some(key) => row(space, &[bucket, key.as_bytes()]),
        None => row(space, &[bucket]),
    })
}

/// The address that a row is of which begins with bucket and key.
pub(crate) fn address(row: &[u8]) -> Result<Address, Error> {
    let named = match row.first() {
        Some(b'v' | b'q') => row.len().checked_sub(NUMBER_BYTES),
        Some(b'u') => row.iter().rposition(|byte| *byte == 0),
        _ => Some(row.len()),
    };
    let named = named.and_then(|end| row.get(..end)).unwrap_or_default();
    let name = tail(named, 1)?.replacen('\0', "/", 1);
    Address::parse(&name).map_err(|why| Error::corrupt(row, why))
}

/// The number that ends the row of an older version.
pub(crate) fn number_of(row: &[u8]) -> Option<u64> {
    let inverted = row.last_chunk().filter(|_| row.first() == Some(&b'v'))?;
    Some(!u64::from_be_bytes(*inverted))
}

pub(crate) fn quarantined(address: &Address, id: u64) -> Vec<u8> {
    let (bucket, key) = (address.bucket().as_bytes(), address.key().as_bytes());
    row(b'q', &[bucket, key, &id.to_be_bytes()])
}

pub(crate) fn upload(address: &Address, id: &str) -> Vec<u8> {
    row(
        b'u',
        &[
            address.bucket().as_bytes(),
            address.key().as_bytes(),
            id.as_bytes(),
        ],
    )
}

pub(crate) fn uploads(bucket: &str, prefix: &str) -> Range<Vec<u8>> {
    prefixed(row(b'u', &[bucket.as_bytes(), prefix.as_bytes()]))
}

pub(crate) fn part(upload: &str, number: u32) -> Vec<u8> {
    row(b'p', &[upload.as_bytes(), &number.to_be_bytes()])
}

/// The parts of an upload with higher numbers than this.
pub(crate) fn parts_above(upload: &str, number: u32) -> Range<Vec<u8>> {
    part(upload, number.saturating_add(1))..part(upload, u32::MAX)
}

/// The number of a part.
pub(crate) fn part_number(row: &[u8]) -> Option<u32> {
    row.last_chunk().map(|number| u32::from_be_bytes(*number))
}

pub(crate) fn table(name: &str) -> Vec<u8> {
    row(b't', &[name.as_bytes()])
}

pub(crate) fn item(table_id: &str, key: &[u8]) -> Vec<u8> {
    row(b'i', &[table_id.as_bytes(), key])
}

/// What the item with this key was before the change at `time`; the first of a moment has the lowest revision. The key's
/// length comes first, so that all rows of one key stand together.
pub(crate) fn past_item(table_id: &str, key: &[u8], time: Time, revision: u64) -> Vec<u8> {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes();
    let key = [&length, key].concat();
    let time = time.0.max(0).to_be_bytes();
    row(b'h', &[table_id.as_bytes(), &key, &time, &revision.to_be_bytes()])
}

/// The beginning of what all items of a table were before their changes.
pub(crate) fn past_items(table_id: &str) -> Vec<u8> {
    row(b'h', &[table_id.as_bytes(), &[]])
}

/// Key and time of a row of [`past_item`].
pub(crate) fn key_and_time<'r>(row: &'r [u8], table_id: &str) -> Option<(&'r [u8], Time)> {
    let rest = row.strip_prefix(past_items(table_id).as_slice())?;
    let (key, numbers) = rest.split_at_checked(rest.len().checked_sub(2 * NUMBER_BYTES)?)?;
    let time = numbers.get(1..NUMBER_BYTES)?.try_into().ok()?;
    Some((key.get(4..)?, Time(i64::from_be_bytes(time))))
}

pub(crate) fn run(id: &str) -> Vec<u8> {
    row(b'r', &[id.as_bytes()])
}

/// What tells whether the root key is the right one.
pub(crate) fn key_check() -> Vec<u8> {
    row(b'k', &[b"check"])
}

/// What small secrets are sealed under.
pub(crate) fn vault() -> Vec<u8> {
    row(b'k', &[b"vault"])
}

/// A key of the KMS.
pub(crate) fn kms_key(id: &str) -> Vec<u8> {
    row(b'm', &[id.as_bytes()])
}

/// The first row that may follow this one.
pub(crate) fn after(row: &[u8]) -> Vec<u8> {
    [row, &[0]].concat()
}

/// The number of a refused write.
pub(crate) fn refused_id(row: &[u8]) -> Option<u64> {
    row.last_chunk().map(|id| u64::from_be_bytes(*id))
}

/// All rows of a space.
pub(crate) fn space(space: u8) -> Range<Vec<u8>> {
    prefixed(vec![space, 0])
}

/// All rows that start with `prefix`.
pub(crate) fn prefixed(prefix: Vec<u8>) -> Range<Vec<u8>> {
    let end = after_prefix(&prefix);
    prefix..end
}

/// The first row past every row that starts with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The last part of a row whose first `parts` parts have been read already.
pub(crate) fn tail(row: &[u8], parts: usize) -> Result<&str, Error> {
    let tail = row.splitn(parts + 1, |byte| *byte == 0).nth(parts);
    let text = tail.and_then(|tail| std::str::from_utf8(tail).ok());
    text.ok_or_else(|| Error::corrupt(row, "the row's name cannot be read"))
}

/// A row's name, to be read by people.
pub(crate) fn shown(row: &[u8]) -> String {
    String::from_utf8_lossy(row).replace('\0', "|")
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("rows have string keys and no failing Serialize"))
}

pub(crate) fn decode<T: DeserializeOwned>(row: &[u8], value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|why| Error::corrupt(row, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_sort_newest_first_and_before_the_next_key() {
        let (a, ab) = (
            Address::new("abc", "a").unwrap(),
            Address::new("abc", "a ").unwrap(),
        );
        assert!(version(&a, 2) < version(&a, 1));
        assert!(version(&a, 1) < version(&ab, 9));
        let range = versions(&a, 3);
        assert!(range.contains(&version(&a, 2)) && range.contains(&version(&a, 1)));
        assert!(!range.contains(&version(&a, 3)) && !range.contains(&version(&ab, 1)));
    }

    #[test]
    fn locks_are_found_by_the_beginning_of_their_address() {
        let address = Address::new("abc", "a/b").unwrap();
        let mark = locked(&address);
        for prefix in ["", "a", "abc", "abc/", "abc/a", "abc/a/b"] {
            assert!(locked_under(prefix).contains(&mark), "{prefix}");
        }
        for prefix in ["abcd", "ab/", "abc/b", "abc/a/b/"] {
            assert!(!locked_under(prefix).contains(&mark), "{prefix}");
        }
        assert_eq!(super::address(&mark).unwrap(), address);
    }

    #[test]
    fn a_row_says_which_address_and_version_it_is_of() {
        let of = Address::new("abc", "a/b").unwrap();
        let rows = [
            record(&of),
            version(&of, 7),
            quarantined(&of, 300),
            upload(&of, "x"),
        ];
        for row in &rows {
            assert_eq!(address(row).unwrap(), of);
            assert!(under(row[0], "abc/a").contains(row) && !under(row[0], "abc/b").contains(row));
        }
        assert_eq!(rows.map(|row| number_of(&row)), [None, Some(7), None, None]);
        assert_eq!(part_number(&part("x", 9)), Some(9));
        assert!(address(b"v\0abc").is_err() && address(b"").is_err());
    }

    #[test]
    fn a_prefix_ends_before_what_does_not_start_with_it() {
        assert_eq!(prefixed(vec![b'a', 0xff]), vec![b'a', 0xff]..vec![b'b']);
        assert_eq!(tail(b"u\0bucket\0a/b", 2).unwrap(), "a/b");
    }
}
