//! Reading a backup: strictly, in one pass, and without believing it anything.
//!
//! The form is that of `tidelock_core::archive`. What is read is bounded before it is held, names are compared and
//! never used as paths, and the store goes to whoever wants it as it comes.

use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, SHA256, digest};
use tidelock_core::archive::{
    self, ArchiveError, BLOCK_BYTES, CREDENTIALS, DATABASE, END_BYTES, KEY_SUMS, MANIFEST, Manifest, Member,
    ROOT_KEY, SUMS,
};
use zeroize::Zeroizing;

/// How much of the store is held at a time.
const PIECE_BYTES: usize = 256 * 1_024;

/// What is in a backup, beside the store.
pub(crate) struct Contents {
    pub(crate) manifest: Manifest,
    pub(crate) keys: Option<Keys>,
}

/// The keys of a data directory, as its files have them. Has no `Debug`.
pub(crate) struct Keys {
    pub(crate) root_key: Zeroizing<Vec<u8>>,
    pub(crate) credentials: Zeroizing<Vec<u8>>,
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error(transparent)]
    Form(#[from] ArchiveError),
    #[error("it ends after {0} bytes, in the middle: the backup is incomplete")]
    Truncated(u64),
    #[error("more follows after its end, at byte {0}: the backup is damaged")]
    Trailing(u64),
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    #[error("the store cannot be written: {0}")]
    Write(io::Error),
}

/// Reads a backup to its end; the store goes to `database`.
pub(crate) fn read(source: impl Read, database: &mut dyn Write) -> Result<Contents, BackupError> {
    let mut archive = Archive { source, at: 0 };
    let mut first = archive.member()?;
    let keys = if first.name == KEY_SUMS {
        let keys = archive.keys(&first)?;
        first = archive.member()?;
        Some(keys)
    } else {
        None
    };
    let sums = archive.small(&first, SUMS)?;
    let [of_manifest, of_database] = archive::read_sums(&sums, [MANIFEST, DATABASE], SUMS)?;
    let manifest = archive.next_small(MANIFEST)?;
    confirm(&manifest, of_manifest, MANIFEST)?;
    let manifest = Manifest::parse(&manifest)?;
    if archive.database(database)? != of_database {
        return Err(ArchiveError::Digest(DATABASE).into());
    }
    archive.zeros(END_BYTES)?;
    archive.end()?;
    Ok(Contents { manifest, keys })
}

/// The keys as they stand in front of a backup.
pub(crate) fn keys_in_front(keys: &Keys, made: tidelock_core::Time) -> Zeroizing<Vec<u8>> {
    let sums = archive::sums(&[
        (ROOT_KEY, sha256(&keys.root_key)),
        (CREDENTIALS, sha256(&keys.credentials)),
    ]);
    let mut bytes = Zeroizing::new(archive::small_file(KEY_SUMS, sums.as_bytes(), made));
    for (name, contents) in [(ROOT_KEY, &keys.root_key), (CREDENTIALS, &keys.credentials)] {
        bytes.extend_from_slice(&Zeroizing::new(archive::small_file(name, contents, made)));
    }
    bytes
}

struct Archive<R> {
    source: R,
    at: u64,
}

impl<R: Read> Archive<R> {
    fn member(&mut self) -> Result<Member, BackupError> {
        let at = self.at;
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        Ok(Member::parse(&block, at)?)
    }

    fn keys(&mut self, first: &Member) -> Result<Keys, BackupError> {
        let sums = self.small(first, KEY_SUMS)?;
        let [of_root_key, of_credentials] = archive::read_sums(&sums, [ROOT_KEY, CREDENTIALS], KEY_SUMS)?;
        let root_key = self.next_small(ROOT_KEY)?;
        confirm(&root_key, of_root_key, ROOT_KEY)?;
        let credentials = self.next_small(CREDENTIALS)?;
        confirm(&credentials, of_credentials, CREDENTIALS)?;
        Ok(Keys {
            root_key,
            credentials,
        })
    }

    fn next_small(&mut self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let member = self.member()?;
        self.small(&member, name)
    }

    /// The contents of a file that must be the one of this name.
    fn small(&mut self, member: &Member, name: &'static str) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        expect(member, name)?;
        let mut contents = Zeroizing::new(vec![0; archive::small_bytes(member, name)?]);
        self.fill(&mut contents)?;
        self.zeros(member.filling())?;
        Ok(contents)
    }

    /// Passes the store on; its digest.
    fn database(&mut self, sink: &mut dyn Write) -> Result<[u8; 32], BackupError> {
        let member = self.member()?;
        expect(&member, DATABASE)?;
        let (mut context, mut left) = (Context::new(&SHA256), member.size);
        let mut piece = vec![0; PIECE_BYTES];
        while left > 0 {
            let length = left.min(PIECE_BYTES as u64) as usize;
            let piece = &mut piece[..length];
            self.fill(piece)?;
            context.update(piece);
            sink.write_all(piece).map_err(BackupError::Write)?;
            left -= length as u64;
        }
        self.zeros(member.filling())?;
        Ok(array(context.finish().as_ref()))
    }

    fn zeros(&mut self, count: usize) -> Result<(), BackupError> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes)?;
        match bytes.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(ArchiveError::Filling.into()),
        }
    }

    fn end(&mut self) -> Result<(), BackupError> {
        match self.source.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupError::Trailing(self.at)),
            Err(fault) => Err(BackupError::Read(fault)),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.source
            .read_exact(bytes)
            .map_err(|fault| match fault.kind() {
                io::ErrorKind::UnexpectedEof => BackupError::Truncated(self.at),
                _ => BackupError::Read(fault),
            })?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

fn expect(member: &Member, name: &'static str) -> Result<(), ArchiveError> {
    match member.name == name {
        true => Ok(()),
        false => Err(ArchiveError::Order {
            expected: name,
            found: member.name.clone(),
        }),
    }
}

fn confirm(contents: &[u8], digest: [u8; 32], name: &'static str) -> Result<(), ArchiveError> {
    match sha256(contents) == digest {
        true => Ok(()),
        false => Err(ArchiveError::Digest(name)),
    }
}

fn sha256(contents: &[u8]) -> [u8; 32] {
    array(digest(&SHA256, contents).as_ref())
}

fn array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tidelock_core::Time;

    /// A backup as the server sends it, of a store of these bytes.
    fn sent(database: &[u8]) -> Vec<u8> {
        let manifest =
            br#"{"format":1,"tidelock":"0.1.0","made_ms":1790000000000,"root_keys":["387be987a5885ff8"]}"#;
        let made = Time(1_790_000_000_000);
        let sums = archive::sums(&[(MANIFEST, sha256(manifest)), (DATABASE, sha256(database))]);
        let mut bytes = archive::small_file(SUMS, sums.as_bytes(), made);
        bytes.extend(archive::small_file(MANIFEST, manifest, made));
        bytes.extend(archive::small_file(DATABASE, database, made));
        bytes.resize(bytes.len() + END_BYTES, 0);
        bytes
    }

    /// The same with keys in front.
    fn with_keys(database: &[u8]) -> Vec<u8> {
        let keys = Keys {
            root_key: Zeroizing::new(b"00".repeat(32)),
            credentials: Zeroizing::new(b"[tidelock]\n".to_vec()),
        };
        [&keys_in_front(&keys, Time(0))[..], &sent(database)].concat()
    }

    fn read_all(bytes: &[u8]) -> Result<(Contents, Vec<u8>), BackupError> {
        let mut database = Vec::new();
        let contents = read(bytes, &mut database)?;
        Ok((contents, database))
    }

    #[test]
    fn what_was_written_reads_back_with_keys_and_without() {
        for database in [&b""[..], b"x", &[7; 512], &[7; 600_000]] {
            let (contents, store) = read_all(&sent(database)).unwrap();
            assert!(contents.keys.is_none() && store == database);
            let (contents, store) = read_all(&with_keys(database)).unwrap();
            assert_eq!(*contents.keys.unwrap().credentials, b"[tidelock]\n");
            assert!(store == database && contents.manifest.root_keys == ["387be987a5885ff8"]);
        }
    }

    #[test]
    fn no_bit_may_differ() {
        let backup = with_keys(&[7; 700]);
        for bit in 0..backup.len() * 8 {
            let mut flipped = backup.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The time of change of a file is anybody's, but its header has a sum.
            assert!(read_all(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn no_byte_may_be_missing_and_none_may_follow() {
        let backup = with_keys(&[7; 700]);
        for length in 0..backup.len() {
            let refused = read_all(&backup[..length]).err();
            assert!(
                matches!(refused, Some(BackupError::Truncated(_))),
                "{length} bytes: {refused:?}"
            );
        }
        let longer = [&backup[..], &[0]].concat();
        assert!(matches!(read_all(&longer).err(), Some(BackupError::Trailing(_))));
    }

    #[test]
    fn a_name_that_is_none_of_ours_is_refused() {
        for name in ["../tidelock.db", "/etc/passwd", "tidelock.db\u{9b}2J", ""] {
            let strange = archive::small_file(name, b"x", Time(0));
            let refused = read_all(&strange).err().unwrap().to_string();
            assert!(
                refused.contains("where backup.sha256 should be") && !refused.contains('\u{9b}'),
                "{refused}"
            );
        }
        let huge = Member {
            name: SUMS.to_owned(),
            size: u64::MAX,
            seconds: 0,
        };
        let refused = read_all(&huge.header()).err();
        assert!(
            matches!(refused, Some(BackupError::Form(ArchiveError::Large(SUMS)))),
            "{refused:?}"
        );
    }
}
