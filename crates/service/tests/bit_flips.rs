//! A flipped bit anywhere in what is stored of a body is found when it is read, named, and never served; the versions that
//! do not rest on it still read.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use common::{FakeWorld, at, body, caller};
use tidelock_core::{Address, Body, iam::DEFAULT_ACCOUNT};
use tidelock_engine::{Batch, Committed, Engine, MemoryEngine};
use tidelock_service::{Error, RootKey, Service};

/// States at one address; most of them are stored as what differs from a newer one.
const STATES: u64 = 11;

/// A small history of every kind of body, and what was written.
struct Shelf {
    engine: Arc<MemoryEngine>,
    service: Service,
    address: Address,
    /// By the number of the version, or of the refused write.
    written: BTreeMap<u64, Bytes>,
}

fn state(serial: u64) -> Bytes {
    let resources: Vec<_> = (0..6)
        .map(|number| {
            let id = format!("{:016x}", (number * 7_919 + serial * u64::from(number == serial % 6)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            serde_json::json!({"mode": "managed", "type": "null_resource", "name": format!("n{number}"), "instances": [{"attributes": {"id": id}}]})
        })
        .collect();
    let state = serde_json::json!({"version": 4, "serial": serial, "lineage": "l", "outputs": {}, "resources": resources});
    Bytes::from(state.to_string())
}

async fn shelf() -> Shelf {
    let engine = Arc::new(MemoryEngine::new());
    let key = RootKey::new(&[1; 32]);
    let service = Service::new(engine.clone(), Arc::new(FakeWorld::default()), key.into());
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    let (address, mut written) = (at("a"), BTreeMap::new());
    for serial in 1..=STATES {
        let version = service
            .put(&address, body(state(serial)), &caller("c"))
            .await
            .unwrap();
        written.insert(version.seq, state(serial));
    }
    let refused = service
        .put(&address, body(state(2)), &caller("late"))
        .await
        .unwrap_err();
    let Error::State { kept: Some(kept), .. } = refused else {
        panic!("{refused}");
    };
    assert!(written.insert(kept, state(2)).is_none());
    service.pack_all().await.unwrap();
    Shelf {
        engine,
        service,
        address,
        written,
    }
}

impl Shelf {
    async fn body(&self, number: u64) -> Body {
        if let Ok(version) = self.service.version(&self.address, number).await {
            return version.body.unwrap();
        }
        self.service
            .refused_write(&self.address, number)
            .await
            .unwrap()
            .body
    }

    /// The numbers from one to that which stands alone.
    async fn way(&self, number: u64) -> Vec<u64> {
        let mut way = vec![number];
        while let Some(base) = self.body(way[way.len() - 1]).await.stored.base {
            way.push(base);
        }
        way
    }

    async fn commit(&self, batch: Batch) {
        let committed = self.engine.commit(batch).await.unwrap();
        assert!(matches!(committed, Committed::Done(_)));
    }

    async fn blob(&self, number: u64) -> ([u8; 16], Bytes) {
        let id = self.body(number).await.stored.blob.0;
        (id, self.engine.blob(id, 0..u64::MAX).await.unwrap().unwrap())
    }

    async fn replace_blob(&self, id: [u8; 16], bytes: impl Into<Bytes>) {
        let drop = Batch {
            drop_blobs: vec![id],
            ..Batch::default()
        };
        self.commit(drop).await;
        let put = Batch {
            put_blobs: vec![(id, bytes.into())],
            ..Batch::default()
        };
        self.commit(put).await;
    }

    /// Reads everything. What does not read must rest on the damaged body, and say so; the numbers of those.
    async fn unread(&self, damaged: u64, context: &str) -> Vec<u64> {
        let mut unread = Vec::new();
        for (number, written) in &self.written {
            let body = self.body(*number).await;
            match self.service.read_all(&self.address, *number, &body).await {
                Ok(read) => assert_eq!(read, *written, "{context}: {number}"),
                Err(Error::Damaged { address, version, .. }) => {
                    assert_eq!(
                        (&address, version),
                        (&self.address, damaged),
                        "{context}: {number}"
                    );
                    assert!(self.way(*number).await.contains(&damaged), "{context}: {number}");
                    unread.push(*number);
                }
                Err(other) => panic!("{context}: {number}: {other}"),
            }
        }
        unread
    }

    /// Those that rest on a body, and itself.
    async fn resting_on(&self, number: u64) -> Vec<u64> {
        let mut resting = Vec::new();
        for other in self.written.keys() {
            if self.way(*other).await.contains(&number) {
                resting.push(*other);
            }
        }
        resting
    }
}

#[tokio::test]
async fn the_history_has_bodies_of_every_kind() {
    let shelf = shelf().await;
    let mut ways = BTreeMap::new();
    for number in shelf.written.keys() {
        ways.insert(*number, shelf.way(*number).await.len());
    }
    assert_eq!(ways.len() as u64, STATES + 1);
    assert!(ways.values().filter(|steps| **steps > 1).count() >= 6, "{ways:?}");
    assert!(ways.values().any(|steps| *steps > 2), "{ways:?}");
    assert!(
        ways.values().filter(|steps| **steps == 1).count() >= 2,
        "{ways:?}"
    );
    assert!(shelf.unread(0, "undamaged").await.is_empty());
}

/// One damaged page is made again from the blob's tail: what is served is what was written.
#[tokio::test]
async fn any_one_bit_of_a_blob_does_no_harm() {
    let shelf = shelf().await;
    for number in shelf.written.keys() {
        let (id, whole) = shelf.blob(*number).await;
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << (at % 8);
            shelf.replace_blob(id, damaged).await;
            let context = format!("byte {at} of {number}");
            assert!(shelf.unread(*number, &context).await.is_empty(), "{context}");
        }
        shelf.replace_blob(id, whole).await;
    }
}

/// Every byte of a blob, and one of the sum that would mend it.
#[tokio::test]
async fn what_cannot_be_mended_is_named_and_never_served() {
    let shelf = shelf().await;
    for number in shelf.written.keys() {
        let (id, whole) = shelf.blob(*number).await;
        let resting = shelf.resting_on(*number).await;
        let length = shelf.body(*number).await.stored.bytes() as usize;
        for at in 0..length {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << (at % 8);
            // The sum is as long as a page, and the last thing in the blob: each of its bytes mends every 64th.
            let sum = damaged.len() - length.min(64);
            damaged[sum + at % 64] ^= 1 << ((at + 1) % 8);
            shelf.replace_blob(id, damaged).await;
            let context = format!("byte {at} of {number}");
            assert_eq!(shelf.unread(*number, &context).await, resting, "{context}");
        }
        shelf.replace_blob(id, whole).await;
    }
}

#[tokio::test]
async fn a_blob_that_is_cut_off_or_exchanged_is_named_and_never_served() {
    let shelf = shelf().await;
    let (_, other) = shelf.blob(STATES).await;
    for number in shelf.written.keys().filter(|number| **number != STATES) {
        let (id, whole) = shelf.blob(*number).await;
        let resting = shelf.resting_on(*number).await;
        for length in (0..shelf.body(*number).await.stored.bytes() as usize).step_by(7) {
            shelf.replace_blob(id, whole.slice(..length)).await;
            assert_eq!(
                shelf.unread(*number, "cut").await,
                resting,
                "{length} of {number}"
            );
        }
        shelf.replace_blob(id, other.clone()).await;
        assert_eq!(shelf.unread(*number, "exchanged").await, resting, "{number}");
        shelf.replace_blob(id, whole).await;
    }
}

/// The one row that this text stands in.
async fn row_with(shelf: &Shelf, text: &str) -> (Vec<u8>, Bytes) {
    let all = shelf.engine.scan(Vec::new()..vec![u8::MAX], 1_000).await.unwrap();
    let is_in = |value: &[u8]| value.windows(text.len()).any(|window| window == text.as_bytes());
    let mut holding = all.into_iter().filter(|(_, entry)| is_in(&entry.value));
    let (row, entry) = holding.next().unwrap();
    assert!(holding.next().is_none(), "{text} stands in one row");
    (row, entry.value)
}

#[tokio::test]
async fn a_flipped_bit_in_a_sealed_key_is_named_and_nothing_is_served() {
    let shelf = shelf().await;
    for number in shelf.written.keys() {
        let resting = shelf.resting_on(*number).await;
        let sealed = shelf.body(*number).await.stored.key.sealed;
        let (bytes, (row, value)) = (STANDARD.decode(&sealed).unwrap(), row_with(&shelf, &sealed).await);
        let put = |value: Bytes| Batch {
            puts: vec![(row.clone(), value)],
            ..Batch::default()
        };
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let text = std::str::from_utf8(&value).unwrap();
            let damaged = text.replacen(&sealed, &STANDARD.encode(flipped), 1);
            shelf.commit(put(damaged.into())).await;
            let context = format!("byte {at} of the key of {number}");
            assert_eq!(shelf.unread(*number, &context).await, resting, "{context}");
        }
        shelf.commit(put(value)).await;
    }
    assert!(shelf.unread(0, "as it was").await.is_empty());
}
