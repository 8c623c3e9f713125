//! Requests of one client that overtake each other, over an engine that answers now at once and now later.
//!
//! A client whose connection broke sends its request again, and the server may read the two in either order. Whatever the
//! order: what a client was told to hold it holds until it gives it back, and nothing is left with nobody. Time is
//! tokio's, and paused; the seeds choose who is quick.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{acquire, at, body, caller, held, paused, release};
use tidelock_core::{Facet, decide::Released};
use tidelock_engine::{Batch, BlobId, Committed, Engine, Entry, MemoryEngine, Pending};
use tidelock_service::{Error, LockRequest, Locking, Service};
use tokio::{
    task::{JoinHandle, yield_now},
    time::sleep,
};

const SEEDS: u64 = 400;

/// Turns of others that a call to the engine waits for at most, before it is done and after.
const TURNS_MAX: u64 = 6;

/// Tries in which a client has the lock for sure, as nobody else keeps it.
const TRIES_MAX: u32 = 60;

/// The same seed throws the same.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let step = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    async fn dawdle(&self, turns_max: u64) {
        for _ in 0..self.below(turns_max) {
            yield_now().await;
        }
    }
}

/// An engine of uneven speed. As with the embedded one, a commit that was asked for is done, also when who asked is gone.
struct Uneven(Arc<MemoryEngine>, Dice);

impl Engine for Uneven {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        Box::pin(async move {
            self.1.dawdle(TURNS_MAX).await;
            let entry = self.0.get(key).await;
            self.1.dawdle(TURNS_MAX).await;
            entry
        })
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.0.scan(range, limit)
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.0.scan_back(range, limit)
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        let (engine, dice) = (Arc::clone(&self.0), self.1.clone());
        let done = tokio::spawn(async move {
            dice.dawdle(TURNS_MAX).await;
            let committed = engine.commit(batch).await;
            dice.dawdle(TURNS_MAX).await;
            committed
        });
        Box::pin(async move { done.await.unwrap() })
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        self.0.blob(id, range)
    }
}

/// Lets everybody go on who can.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// A client, and its requests of which it takes no answer any more.
struct Client {
    service: Arc<Service>,
    dice: Dice,
    id: &'static str,
    late: Vec<JoinHandle<()>>,
}

impl Client {
    fn wants(&self, facet: Facet) -> LockRequest {
        acquire(self.id, facet)
    }

    /// Sends a request and breaks off: the server reads it whenever it likes, and notices whenever it likes.
    fn send_and_break_off(&mut self, facet: Facet) {
        let (service, dice, wanted) = (Arc::clone(&self.service), self.dice.clone(), self.wants(facet));
        self.late.push(tokio::spawn(async move {
            dice.dawdle(40).await;
            let served = Arc::clone(&service);
            let serving = tokio::spawn(async move {
                if let Ok(Locking::Granted(grant)) = served.acquire(&at("a"), &wanted).await {
                    // The answer meets a dead connection.
                    grant.lost();
                }
            });
            dice.dawdle(40).await;
            if dice.below(3) > 0 {
                serving.abort();
            }
            drop(serving.await);
        }));
    }

    async fn maybe_break_off(&mut self, facet: &Facet) {
        if self.dice.below(2) == 0 {
            self.send_and_break_off(facet.clone());
            self.dice.dawdle(40).await;
        }
    }

    /// Takes the lock, however often it must ask.
    async fn take(&mut self, facet: Facet) {
        for _ in 0..TRIES_MAX {
            self.maybe_break_off(&facet).await;
            match self.service.acquire(&at("a"), &self.wants(facet.clone())).await {
                Ok(Locking::Granted(_)) => return,
                Ok(Locking::Refused { .. }) => sleep(Duration::from_secs(1)).await,
                // Another of its requests came after it.
                Err(Error::Busy(_)) => self.dice.dawdle(40).await,
                Err(other) => panic!("{other}"),
            }
        }
        panic!("{} never has the lock", self.id);
    }

    async fn give_back(&self, facet: Facet) -> Released {
        self.dice.dawdle(40).await;
        let release = release(self.id, facet);
        self.service.release(&at("a"), &release).await.unwrap()
    }

    /// The server hears of no request any more that it has not read.
    async fn hang_up(&mut self) {
        for late in self.late.drain(..) {
            late.await.unwrap();
        }
        settle().await;
    }

    /// Takes the lock by file and then by another door, and gives both back.
    async fn work(mut self) {
        for _ in 0..2 {
            self.take(Facet::File).await;
            self.dice.dawdle(40).await;
            self.take(Facet::Http).await;
            // A state is written meanwhile, so that turns are lost to it.
            let written = self.service.put(&at("a"), body("x"), &caller(self.id)).await;
            written.unwrap();
            assert_eq!(
                self.give_back(Facet::File).await,
                Released::FacetOff,
                "{}",
                self.id
            );
            self.dice.dawdle(40).await;
            let lock = held(&self.service, &at("a")).await;
            let holder = lock.map(|lock| lock.id.to_string());
            assert_eq!(holder.as_deref(), Some(self.id));
            self.hang_up().await;
            // A late request may have taken the file again.
            self.give_back(Facet::Http).await;
            if self.late.is_empty() {
                self.give_back(Facet::File).await;
            }
        }
    }
}

async fn story(seed: u64) {
    let dice = Dice(Arc::new(AtomicU64::new(seed)));
    let engine = Uneven(Arc::default(), dice.clone());
    let service = common::over(Arc::new(engine), paused());
    let service = Arc::new(service);
    service
        .create_bucket("tfstate", tidelock_core::iam::DEFAULT_ACCOUNT)
        .await
        .unwrap();
    let clients = ["first", "second"].map(|id| Client {
        service: Arc::clone(&service),
        dice: dice.clone(),
        id,
        late: Vec::new(),
    });
    for working in clients.map(|client| tokio::spawn(client.work())) {
        working.await.unwrap();
    }
    settle().await;
    let left = held(&service, &at("a")).await;
    assert!(left.is_none(), "nobody was told of {left:?}");
}

#[tokio::test(start_paused = true)]
async fn who_was_told_keeps_its_lock_and_who_was_not_keeps_nothing() {
    for seed in 0..SEEDS {
        let told = tokio::spawn(story(seed)).await;
        assert!(told.is_ok(), "seed {seed}");
    }
}
