//! The rows that hold a stored body, and so a key that is sealed under a root key.

use bytes::Bytes;
use tidelock_core::{Stored, Version};

use crate::{
    Error, Part, RefusedWrite,
    rows::{self, ObjectRow},
};

/// Every kind of row that holds a stored body, by the letter that its key begins with.
pub(super) const SPACES: [u8; 4] = *b"ovqp";

/// One of them.
pub(super) enum Holder {
    Object(ObjectRow),
    Version(Version),
    Refused(RefusedWrite),
    Part(Part),
}

impl Holder {
    pub(super) fn decode(row: &[u8], value: &[u8]) -> Result<Holder, Error> {
        match row.first() {
            Some(b'o') => Ok(Holder::Object(rows::decode(row, value)?)),
            Some(b'v') => Ok(Holder::Version(rows::decode(row, value)?)),
            Some(b'q') => Ok(Holder::Refused(rows::decode(row, value)?)),
            Some(b'p') => Ok(Holder::Part(rows::decode(row, value)?)),
            _ => Err(Error::corrupt(row, "no row of this kind holds a body")),
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        match self {
            Holder::Object(row) => rows::encode(row),
            Holder::Version(row) => rows::encode(row),
            Holder::Refused(row) => rows::encode(row),
            Holder::Part(row) => rows::encode(row),
        }
    }

    /// The body's place, unless the row has none: a delete marker, a lock file, an address that was never written.
    pub(super) fn stored(&mut self) -> Option<&mut Stored> {
        let version = match self {
            Holder::Object(ObjectRow::Record(record)) => record.head.as_mut(),
            Holder::Object(ObjectRow::LockFile(_)) => None,
            Holder::Version(version) => Some(version),
            Holder::Refused(refused) => return Some(&mut refused.body.stored),
            Holder::Part(part) => return Some(&mut part.stored),
        };
        version?.body.as_mut().map(|body| &mut body.stored)
    }

    /// What people call it; `row` is where it stands.
    pub(super) fn name(&self, row: &[u8]) -> String {
        let mut parts = row.split(|byte| *byte == 0).skip(1).map(String::from_utf8_lossy);
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match self {
            Holder::Object(ObjectRow::Record(record)) => {
                let seq = record.head.as_ref().map_or(0, |head| head.seq);
                format!("version {seq} of {first}/{second}")
            }
            Holder::Object(ObjectRow::LockFile(_)) => format!("the lock file {first}/{second}"),
            Holder::Version(version) => format!("version {} of {first}/{second}", version.seq),
            Holder::Refused(refused) => format!("refused write {} of {first}/{second}", refused.id),
            Holder::Part(part) => format!("part {} of the upload {first}", part.number),
        }
    }
}
