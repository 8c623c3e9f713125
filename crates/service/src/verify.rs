//! Whether everything that is stored can still be read as it was written: a page at a time, while the server goes on.
//!
//! Goes through the rows that have bodies: records with their current versions, older versions, refused writes, parts of
//! uploads. What vanishes or is stored anew meanwhile is no damage.

use bytes::Bytes;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Body, Content, Stored, Version,
    limits::{CONFLICT_RETRIES_MAX, SCAN_PAGE_ROWS_MIN, VERIFY_PAGE_BODIES_MAX, VERIFY_PAGE_BYTES_MAX},
};
use tidelock_engine::{EngineError, Entry};

use crate::{
    Error, OperatorError, RefusedWrite, Service, Upload,
    bodies::beside,
    multipart::Part,
    rows::{self, ObjectRow},
};

/// The spaces whose rows have bodies, in the order of their rows. What is overtaken as current is met again among the older
/// ones.
const SPACES: &[u8] = b"oquv";

/// Whether the checksums that a writer sent along are those of the bytes, which came in parts of these sizes; else what is
/// wrong. The doors know them.
pub type Checksums = fn(&Content, &[u8], &[u64]) -> Result<(), String>;

/// What one page of a verification has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyPage {
    /// Bodies that were read.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that are not what was written.
    pub damaged: Vec<DamagedBody>,
    /// Those that could not be looked at, because their KMS key cannot be used; what lies in the store is as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<DamagedBody>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// A body that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedBody {
    /// The state, or the row where not even that can be read.
    pub address: String,
    /// The number of the version; `None` for what is none.
    pub version: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// Whether it still reads as it was written: what was damaged could be made again.
    pub readable: bool,
}

/// Where a page ends: after this row, or in the middle of it, after the part of this number.
#[derive(Default)]
struct Place {
    row: Vec<u8>,
    part: u32,
}

/// What came of looking at a row: the size of its body, if it has one, and what is wrong with it.
#[derive(Default)]
struct Looked {
    size: Option<u64>,
    wrong: Option<Wrong>,
    closed: Option<Wrong>,
}

struct Wrong {
    number: Option<u64>,
    what: String,
    is_readable: bool,
}

/// What a row has the body of.
enum Item {
    Version(u64, Body),
    Refused(u64, Body),
    Part(Part),
}

impl Service {
    /// Reads what is stored under addresses that begin with `prefix`, from `after` on, which is the `next` of the page before:
    /// a bounded piece of work.
    ///
    /// # Errors
    /// When the engine fails, and [`OperatorError::Senseless`] for an `after` that no page had.
    pub async fn verify(
        &self,
        prefix: &str,
        after: Option<&str>,
        checksums: Checksums,
    ) -> Result<VerifyPage, OperatorError> {
        let mut place = after.map(Place::parse).transpose()?.unwrap_or_default();
        let mut page = VerifyPage::default();
        for space in SPACES {
            let mut range = rows::under(*space, prefix);
            range.start = range.start.max(place.start());
            loop {
                let rows = self.engine.scan(range.clone(), SCAN_PAGE_ROWS_MIN).await;
                let rows = rows.map_err(Error::from)?;
                for (row, entry) in &rows {
                    let part = if *row == place.row { place.part } else { 0 };
                    let row = row.clone();
                    let part = self.verify_row(&row, entry, part, checksums, &mut page).await?;
                    place = Place { row, part };
                    if page.is_full() {
                        page.next = Some(place.to_string());
                        return Ok(page);
                    }
                }
                match rows.last() {
                    Some((last, _)) => range.start = [last.as_slice(), &[0]].concat(),
                    None => break,
                }
            }
        }
        Ok(page)
    }

    /// Verifies what a row stands for. The part to go on after, where the page is full before an upload's parts are all done.
    async fn verify_row(
        &self,
        row: &[u8],
        entry: &Entry,
        part: u32,
        checksums: Checksums,
        page: &mut VerifyPage,
    ) -> Result<u32, Error> {
        let Ok(address) = rows::address(row) else {
            page.lost_row(rows::shown(row), "its name cannot be read");
            return Ok(0);
        };
        if row.first() != Some(&b'u') {
            self.verify_item((row, entry), &address, checksums, page).await?;
            return Ok(0);
        }
        let Ok(upload) = rows::decode::<Upload>(row, &entry.value) else {
            page.lost_row(address.to_string(), "the row of an upload cannot be read");
            return Ok(0);
        };
        let mut after = part;
        loop {
            let range = rows::parts_above(&upload.id, after);
            let parts = self.engine.scan(range, SCAN_PAGE_ROWS_MIN).await?;
            for (row, entry) in &parts {
                if page.is_full() {
                    return Ok(after);
                }
                self.verify_item((row, entry), &address, checksums, page).await?;
                after = rows::part_number(row).unwrap_or(u32::MAX);
            }
            if parts.is_empty() {
                return Ok(0);
            }
        }
    }

    /// Verifies the body of a row, again when the row changes meanwhile.
    async fn verify_item(
        &self,
        (row, entry): (&[u8], &Entry),
        address: &Address,
        checksums: Checksums,
        page: &mut VerifyPage,
    ) -> Result<(), Error> {
        let mut entry = entry.clone();
        for _ in 0..CONFLICT_RETRIES_MAX {
            let looked = self.look_at(row, &entry, address, checksums).await;
            if let Ok(Looked {
                size,
                wrong: None,
                closed,
            }) = looked
            {
                page.close(closed.map(|closed| closed.of(address, row)), size);
                return Ok(());
            }
            match self.engine.get(row).await? {
                // Deleted meanwhile, or moved to where it is found again.
                None => return Ok(()),
                Some(now) if now.revision != entry.revision => entry = now,
                Some(_) => {
                    let looked = looked.or_else(unread)?;
                    page.count(looked.size);
                    let wrong = looked.wrong.map(|wrong| wrong.of(address, row));
                    page.damaged.extend(wrong);
                    return Ok(());
                }
            }
        }
        Err(Error::Busy(address.to_string()))
    }

    async fn look_at(
        &self,
        row: &[u8],
        entry: &Entry,
        address: &Address,
        checksums: Checksums,
    ) -> Result<Looked, Error> {
        let Some(item) = Item::of(row, entry)? else {
            return Ok(Looked::default());
        };
        let (number, size) = (item.number(), Some(item.size()));
        let wrong = match self.bytes_of(address, &item).await {
            Ok(bytes) => {
                let is_undamaged = self.is_undamaged(item.stored()).await?;
                let wrong = beside(bytes.len(), move || item.wrong(&bytes, checksums)).await?;
                match wrong {
                    Some(what) => Some((what, false)),
                    None if is_undamaged => None,
                    None => Some((
                        "it is damaged on the disk; it still reads, made again from its tail".to_owned(),
                        true,
                    )),
                }
            }
            Err(Error::Kms(why)) => match self.is_undamaged(item.stored()).await? {
                true => {
                    let closed = Wrong {
                        number,
                        what: format!("not looked at: {why}"),
                        is_readable: false,
                    };
                    return Ok(Looked {
                        size: None,
                        wrong: None,
                        closed: Some(closed),
                    });
                }
                false => Some((format!("it is damaged on the disk; and {why}"), false)),
            },
            Err(Error::Damaged { version, why, .. }) => match number {
                Some(number) if number != version => {
                    Some((format!("it rests on version {version}: {why}"), false))
                }
                _ => Some((why, false)),
            },
            Err(other) => return Err(other),
        };
        let wrong = wrong.map(|(what, is_readable)| Wrong {
            number,
            what,
            is_readable,
        });
        Ok(Looked {
            size,
            wrong,
            closed: None,
        })
    }

    async fn bytes_of(&self, address: &Address, item: &Item) -> Result<Bytes, Error> {
        match item {
            Item::Version(number, body) | Item::Refused(number, body) => {
                self.read_all(address, *number, body).await
            }
            Item::Part(part) => {
                let bytes = self.read_alone(address, part.size, &part.stored).await?;
                bytes.ok_or_else(|| Error::Busy(address.to_string()))
            }
        }
    }
}

impl Item {
    /// What a row has, if it has a body.
    fn of(row: &[u8], entry: &Entry) -> Result<Option<Item>, Error> {
        let of_version = |version: Version| version.body.map(|body| Item::Version(version.seq, body));
        Ok(match row.first() {
            Some(b'o') => match rows::decode(row, &entry.value)? {
                ObjectRow::Record(record) => record.head.and_then(of_version),
                ObjectRow::LockFile(_) => None,
            },
            Some(b'v') => of_version(rows::decode(row, &entry.value)?),
            Some(b'q') => {
                let refused: RefusedWrite = rows::decode(row, &entry.value)?;
                Some(Item::Refused(refused.id, refused.body))
            }
            _ => Some(Item::Part(rows::decode(row, &entry.value)?)),
        })
    }

    /// The number of a version.
    fn number(&self) -> Option<u64> {
        match self {
            Item::Version(number, _) => Some(*number),
            Item::Refused(..) | Item::Part(_) => None,
        }
    }

    fn stored(&self) -> &Stored {
        match self {
            Item::Version(_, body) | Item::Refused(_, body) => &body.stored,
            Item::Part(part) => &part.stored,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Item::Version(_, body) | Item::Refused(_, body) => body.size,
            Item::Part(part) => part.size,
        }
    }

    /// What is not as it was when it was written.
    fn wrong(&self, bytes: &[u8], checksums: Checksums) -> Option<String> {
        if bytes.len() as u64 != self.size() {
            return Some(format!("it has {} bytes, and had {}", bytes.len(), self.size()));
        }
        match self {
            Item::Version(_, body) | Item::Refused(_, body) => other_md5(&body.md5, bytes)
                .or_else(|| other_etag(body, bytes))
                .or_else(|| checksums(&body.content, bytes, &body.part_sizes).err()),
            Item::Part(part) => other_md5(&part.md5, bytes),
        }
    }
}

/// What is wrong with a row that has not changed. What only the moment forbids is no damage.
fn unread(why: Error) -> Result<Looked, Error> {
    let what = match why {
        // It was looked for again and again, where it is said to be.
        Error::Busy(_) => "its bytes, or those that it rests on, are gone".to_owned(),
        Error::Engine(EngineError::Corrupt(what)) => what,
        other => return Err(other),
    };
    let wrong = Some(Wrong {
        number: None,
        what,
        is_readable: false,
    });
    Ok(Looked {
        wrong,
        ..Looked::default()
    })
}

impl Wrong {
    /// The same, with what it is about: a version by its number, anything else in words.
    fn of(self, address: &Address, row: &[u8]) -> DamagedBody {
        let what = match row.first() {
            Some(b'q') => format!(
                "refused write {}: {}",
                rows::refused_id(row).unwrap_or_default(),
                self.what
            ),
            Some(b'p') => format!(
                "part {} of an upload: {}",
                rows::part_number(row).unwrap_or_default(),
                self.what
            ),
            _ => self.what,
        };
        DamagedBody {
            address: address.to_string(),
            version: self.number.or(rows::number_of(row)),
            what,
            readable: self.is_readable,
        }
    }
}

fn other_md5(md5: &str, bytes: &[u8]) -> Option<String> {
    let found = hex::encode(Md5::digest(bytes));
    (found != md5).then(|| format!("its MD5 is {found}, and was {md5}"))
}

/// The ETag is the MD5, or that of the parts' MD5s.
fn other_etag(body: &Body, bytes: &[u8]) -> Option<String> {
    let (mut rest, mut md5s) = (bytes, Md5::new());
    for size in &body.part_sizes {
        let size = usize::try_from(*size).unwrap_or(usize::MAX);
        let Some((part, after)) = rest.split_at_checked(size) else {
            return Some("its parts had more bytes than it has".to_owned());
        };
        md5s.update(Md5::digest(part));
        rest = after;
    }
    let found = match body.part_sizes.len() {
        0 => body.md5.clone(),
        parts => format!("{}-{parts}", hex::encode(md5s.finalize())),
    };
    (found != body.etag).then(|| format!("its ETag is {found}, and was {}", body.etag))
}

impl VerifyPage {
    /// One more body that is not known to be wrong: it was read, or could not be.
    fn close(&mut self, closed: Option<DamagedBody>, size: Option<u64>) {
        self.count(size);
        self.closed.extend(closed);
    }

    /// One more body, of so many bytes; none for a row that has no body, or whose body is not known.
    fn count(&mut self, size: Option<u64>) {
        self.checked += u64::from(size.is_some());
        self.bytes += size.unwrap_or_default();
    }

    fn lost_row(&mut self, address: String, what: &str) {
        self.damaged.push(DamagedBody {
            address,
            version: None,
            what: what.to_owned(),
            readable: false,
        });
    }

    fn is_full(&self) -> bool {
        let found = self.checked.max(self.damaged.len() as u64) + self.closed.len() as u64;
        self.bytes >= VERIFY_PAGE_BYTES_MAX || found >= VERIFY_PAGE_BODIES_MAX
    }
}

impl Place {
    /// The first row that is still to be looked at.
    fn start(&self) -> Vec<u8> {
        match self.part {
            0 if self.row.is_empty() => Vec::new(),
            0 => [self.row.as_slice(), &[0]].concat(),
            _ => self.row.clone(),
        }
    }

    fn parse(text: &str) -> Result<Place, OperatorError> {
        let (row, part) = text.split_once('.').unwrap_or((text, "0"));
        match (hex::decode(row), part.parse()) {
            (Ok(row), Ok(part)) => Ok(Place { row, part }),
            _ => Err(OperatorError::Senseless(
                "`after` is the `next` of the page before",
            )),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", hex::encode(&self.row))?;
        match self.part {
            0 => Ok(()),
            part => write!(f, ".{part}"),
        }
    }
}
