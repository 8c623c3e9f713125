//! The form of a backup: a tar of a few known files, each with its digest before it, written and read to the byte.
//!
//! `backup.sha256` `backup.json` `tidelock.db`, and where the keys are in it, `keys.sha256` `root.key` `credentials`
//! before these. So ordinary tools tell whether one is whole (`tar xf`, `sha256sum -c`), and who reads it here takes
//! nothing but what would have been written here. Source of the form: POSIX.1-2017, pax, "ustar Interchange Format".

use serde::{Deserialize, Serialize};

use crate::{Time, limits::ARCHIVE_SMALL_BYTES_MAX};

/// A header takes one block, and contents are filled up to whole ones.
pub const BLOCK_BYTES: usize = 512;

/// The zeros at the end: two blocks.
pub const END_BYTES: usize = 2 * BLOCK_BYTES;

/// The digests of what the server sends, as `sha256sum` writes them.
pub const SUMS: &str = "backup.sha256";
/// The [`Manifest`].
pub const MANIFEST: &str = "backup.json";
/// The store.
pub const DATABASE: &str = "tidelock.db";
/// The digests of the keys.
pub const KEY_SUMS: &str = "keys.sha256";
/// The root key, as the data directory has it.
pub const ROOT_KEY: &str = "root.key";
/// The access key, as the data directory has it.
pub const CREDENTIALS: &str = "credentials";

/// Longest name of a key or a release in a manifest, in bytes.
const WORD_BYTES_MAX: usize = 64;

/// The form that this release writes, and the highest that it reads.
pub const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the archive.
    pub format: u32,
    /// The release that made it.
    pub tidelock: String,
    /// It holds at least all that was acknowledged before this.
    pub made_ms: Time,
    /// The IDs of the root keys that the server had, the current one first: what is in it opens with these only.
    pub root_keys: Vec<String>,
}

/// Why something is not an archive of this form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// A header that would not be written here, or that was damaged.
    #[error("at byte {0} there is no header of a backup")]
    Header(u64),
    /// Another file than the one that stands there.
    #[error("where {expected} should be there is {found:?}")]
    Order {
        /// The file that should be there.
        expected: &'static str,
        /// The file that is.
        found: String,
    },
    /// A small file that is not small.
    #[error("{0} is larger than any that was ever written")]
    Large(&'static str),
    /// The bytes of a file are not those of its digest.
    #[error("{0} is not what its SHA-256 says: the backup is damaged")]
    Digest(&'static str),
    /// The digests themselves cannot be read.
    #[error("{0} cannot be read: the backup is damaged")]
    Sums(&'static str),
    /// What fills up a block, or the end, is not zero.
    #[error("there is something where nothing should be: the backup is damaged")]
    Filling,
    /// The manifest cannot be read.
    #[error("{MANIFEST} cannot be read: {0}")]
    Manifest(String),
    /// Written by a newer release.
    #[error(
        "the backup has format {0}, this release reads up to {FORMAT}: use the newer release that wrote it"
    )]
    Newer(u32),
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The file's name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its time of change, in seconds.
    pub seconds: u64,
}

impl Member {
    /// Its header.
    #[must_use]
    pub fn header(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, self.name.as_bytes());
        put(100, b"0000600\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, &number(self.size));
        put(136, &number(self.seconds));
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    /// Reads a header that [`Member::header`] has written; `at` is where it stands.
    ///
    /// # Errors
    /// [`ArchiveError::Header`] for any other.
    pub fn parse(block: &[u8; BLOCK_BYTES], at: u64) -> Result<Member, ArchiveError> {
        let read = || {
            let name = block[..100].split(|byte| *byte == 0).next()?;
            let member = Member {
                name: std::str::from_utf8(name).ok()?.to_owned(),
                size: read_number(&block[124..136])?,
                seconds: read_number(&block[136..148])?,
            };
            (member.name.len() < 100 && member.header() == *block).then_some(member)
        };
        read().ok_or(ArchiveError::Header(at))
    }

    /// How many zeros follow its contents.
    #[must_use]
    pub fn filling(&self) -> usize {
        let over = (self.size % BLOCK_BYTES as u64) as usize;
        (BLOCK_BYTES - over) % BLOCK_BYTES
    }

    /// How many bytes it takes in the archive.
    #[must_use]
    pub fn archived_bytes(&self) -> u64 {
        let around = BLOCK_BYTES as u64 + self.filling() as u64;
        // A header may say anything.
        self.size.saturating_add(around)
    }
}

/// A small file as it stands in the archive: header, contents, zeros.
#[must_use]
pub fn small_file(name: &str, contents: &[u8], written: Time) -> Vec<u8> {
    let member = Member {
        name: name.to_owned(),
        size: contents.len() as u64,
        seconds: seconds(written),
    };
    let mut bytes = member.header().to_vec();
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len() + member.filling(), 0);
    bytes
}

/// The seconds of a header.
#[must_use]
pub fn seconds(time: Time) -> u64 {
    u64::try_from(time.0 / 1_000).unwrap_or_default()
}

/// Digests as `sha256sum` writes them.
#[must_use]
pub fn sums(digests: &[(&str, [u8; 32])]) -> String {
    let lines = digests
        .iter()
        .map(|(name, digest)| format!("{}  {name}\n", hex::encode(digest)));
    lines.collect()
}

/// Reads what [`sums`] has written about exactly the files `names`.
///
/// # Errors
/// [`ArchiveError::Sums`] with `of` for anything else.
pub fn read_sums<const N: usize>(
    text: &[u8],
    names: [&str; N],
    of: &'static str,
) -> Result<[[u8; 32]; N], ArchiveError> {
    let mut digests = [[0; 32]; N];
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    for (digest, name) in digests.iter_mut().zip(names) {
        let hex = lines
            .next()
            .and_then(|line| line.strip_suffix(format!("  {name}\n").as_bytes()));
        let decoded = hex.map(|hex| hex::decode_to_slice(hex, digest));
        decoded.and_then(Result::ok).ok_or(ArchiveError::Sums(of))?;
    }
    match (
        lines.next(),
        sums(&names.iter().copied().zip(digests).collect::<Vec<_>>()).as_bytes() == text,
    ) {
        (None, true) => Ok(digests),
        _ => Err(ArchiveError::Sums(of)),
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ArchiveError::Newer`], [`ArchiveError::Manifest`].
    pub fn parse(text: &[u8]) -> Result<Manifest, ArchiveError> {
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        let unreadable = |why: serde_json::Error| ArchiveError::Manifest(why.to_string());
        let Any { format } = serde_json::from_slice(text).map_err(unreadable)?;
        if format > FORMAT {
            return Err(ArchiveError::Newer(format));
        }
        let manifest: Manifest = serde_json::from_slice(text).map_err(unreadable)?;
        // They are shown to people.
        let is_word =
            |word: &String| word.len() <= WORD_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_graphic());
        match is_word(&manifest.tidelock) && manifest.root_keys.iter().all(is_word) {
            true => Ok(manifest),
            false => Err(ArchiveError::Manifest("a name in it is none".to_owned())),
        }
    }
}

/// Twelve bytes: octal digits and a zero; in base 256 where these do not suffice, as GNU tar writes it.
fn number(value: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if value < 1 << 33 {
        field[..11].copy_from_slice(format!("{value:011o}").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&value.to_be_bytes());
    }
    field
}

fn read_number(field: &[u8]) -> Option<u64> {
    if field.first() == Some(&0x80) {
        let bytes: [u8; 8] = field.get(4..)?.try_into().ok()?;
        return Some(u64::from_be_bytes(bytes));
    }
    let digits = std::str::from_utf8(field.get(..11)?).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Whether a file that must be small is.
///
/// # Errors
/// [`ArchiveError::Large`].
pub fn small_bytes(member: &Member, name: &'static str) -> Result<usize, ArchiveError> {
    let size = usize::try_from(member.size).unwrap_or(usize::MAX);
    match size <= ARCHIVE_SMALL_BYTES_MAX {
        true => Ok(size),
        false => Err(ArchiveError::Large(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(size: u64) -> Member {
        Member {
            name: DATABASE.to_owned(),
            size,
            seconds: 1_790_000_000,
        }
    }

    #[test]
    fn a_header_reads_back_whatever_the_size() {
        for size in [0, 1, 511, 512, (1 << 33) - 1, 1 << 33, 1 << 60] {
            let written = member(size);
            assert_eq!(Member::parse(&written.header(), 0), Ok(written));
        }
    }

    #[test]
    fn a_header_with_any_bit_flipped_is_refused() {
        for size in [4096, 1 << 34] {
            let header = member(size).header();
            for bit in 0..BLOCK_BYTES * 8 {
                let mut flipped = header;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(
                    Member::parse(&flipped, 7),
                    Err(ArchiveError::Header(7)),
                    "bit {bit}"
                );
            }
        }
    }

    #[test]
    fn sums_read_back_and_nothing_else_does() {
        let digests = [[7; 32], [0xab; 32]];
        let text = sums(&[("a", digests[0]), ("b", digests[1])]);
        assert_eq!(read_sums(text.as_bytes(), ["a", "b"], SUMS), Ok(digests));
        let refused = Err(ArchiveError::Sums(SUMS));
        for other in [
            String::new(),
            text.to_uppercase(),
            text.replace("  ", " "),
            text.replace("ab", "AB"),
            format!("{text}\n"),
            text.trim_end().to_owned(),
            text.replacen("07", "", 1),
        ] {
            assert_eq!(read_sums(other.as_bytes(), ["a", "b"], SUMS), refused, "{other}");
        }
        assert_eq!(read_sums(text.as_bytes(), ["b", "a"], SUMS), refused);
    }

    #[test]
    fn a_manifest_of_a_newer_release_says_so_and_a_strange_one_is_refused() {
        assert_eq!(
            Manifest::parse(br#"{"format":2,"anything":1}"#),
            Err(ArchiveError::Newer(2))
        );
        let unreadable = Manifest::parse(br#"{"format":1,"anything":1}"#);
        assert!(
            matches!(unreadable, Err(ArchiveError::Manifest(_))),
            "{unreadable:?}"
        );
    }

    #[test]
    fn a_large_file_is_no_small_one() {
        assert_eq!(
            small_bytes(&member(1 << 20), MANIFEST),
            Err(ArchiveError::Large(MANIFEST))
        );
        assert_eq!(small_bytes(&member(100), MANIFEST), Ok(100));
    }
}
