//! Whatever is asked of it, in groups and over restarts, the embedded engine answers as the map does.

use bytes::Bytes;
use futures_util::future::join_all;
use proptest::{collection::vec, prelude::*};
use tidelock_engine::{Batch, BlobId, Committed, EmbeddedEngine, Engine, EngineError, Expect, MemoryEngine};

const KEYS: u8 = 6;
const BLOBS: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Batches queued at once, so that they share transactions.
    Group(Vec<Wish>),
    Reopen,
}

/// A batch before the revisions it checks are known.
#[derive(Clone, Debug)]
struct Wish {
    checks: Vec<(u8, Check)>,
    puts: Vec<(u8, u8)>,
    deletes: Vec<u8>,
    put_blobs: Vec<(u8, usize)>,
    drop_blobs: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Check {
    Absent,
    /// Whatever is so before the group: true unless a batch of the same group has changed it.
    AsNow,
    At(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let group = vec(wish(), 1..6).prop_map(Step::Group);
    vec(prop_oneof![4 => group, 1 => Just(Step::Reopen)], 1..16)
}

fn wish() -> impl Strategy<Value = Wish> {
    let check =
        prop_oneof![1 => Just(Check::Absent), 6 => Just(Check::AsNow), 1 => (0..30u64).prop_map(Check::At)];
    // Around the size of a chunk.
    let length = prop_oneof![Just(0), 1..2000usize, Just(1 << 20), Just((1 << 20) + 1)];
    let put_blobs = prop_oneof![3 => Just(Vec::new()), 1 => vec((0..BLOBS, length), 1..2)];
    let (checks, puts) = (vec((0..KEYS, check), 0..3), vec((0..KEYS, any::<u8>()), 0..4));
    (checks, puts, vec(0..KEYS, 0..2), put_blobs, vec(0..BLOBS, 0..2)).prop_map(
        |(checks, puts, deletes, put_blobs, drop_blobs)| Wish {
            checks,
            puts,
            deletes,
            put_blobs,
            drop_blobs,
        },
    )
}

/// Some keys are the beginnings of others.
fn key(n: u8) -> Vec<u8> {
    vec![b'k'; usize::from(n / 2) + 1]
        .into_iter()
        .chain([n % 2 * 0xff])
        .collect()
}

fn id(n: u8) -> BlobId {
    [n; 16]
}

async fn batch(reference: &MemoryEngine, wish: &Wish) -> Batch {
    let mut checks = Vec::new();
    for (n, check) in &wish.checks {
        let now = reference.get(&key(*n)).await.unwrap();
        let expect = match check {
            Check::Absent => Expect::Absent,
            Check::AsNow => now.map_or(Expect::Absent, |entry| Expect::At(entry.revision)),
            Check::At(revision) => Expect::At(*revision),
        };
        checks.push((key(*n), expect));
    }
    Batch {
        checks,
        puts: wish
            .puts
            .iter()
            .map(|(n, value)| (key(*n), Bytes::from(vec![*value; usize::from(*value)])))
            .collect(),
        deletes: wish.deletes.iter().map(|n| key(*n)).collect(),
        put_blobs: wish
            .put_blobs
            .iter()
            .map(|(n, length)| (id(*n), Bytes::from(vec![*n; *length])))
            .collect(),
        drop_blobs: wish.drop_blobs.iter().map(|n| id(*n)).collect(),
    }
}

/// An answer without the words of an error.
fn told(answer: Result<Committed, EngineError>) -> Option<Committed> {
    match answer {
        Ok(committed) => Some(committed),
        Err(EngineError::Unavailable(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn assert_same(embedded: &EmbeddedEngine, reference: &MemoryEngine) {
    let all = Vec::new()..vec![0xff; 9];
    assert_eq!(
        embedded.scan(all.clone(), 99).await.unwrap(),
        reference.scan(all.clone(), 99).await.unwrap()
    );
    let part = key(1)..key(4);
    let found = embedded.scan_back(part.clone(), 2).await.unwrap();
    assert_eq!(found, reference.scan_back(part, 2).await.unwrap());
    for n in 0..BLOBS {
        for range in [0..u64::MAX, 5..1000, (1 << 20) - 1..(1 << 20) + 1] {
            let (one, other) = (
                embedded.blob(id(n), range.clone()).await,
                reference.blob(id(n), range).await,
            );
            assert!(one.unwrap() == other.unwrap(), "blob {n}");
        }
    }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let reference = MemoryEngine::new();
    let mut embedded = EmbeddedEngine::open(dir.path()).unwrap();
    for step in steps {
        match step {
            Step::Group(wishes) => {
                let batches = join_all(wishes.iter().map(|wish| batch(&reference, wish))).await;
                let group = join_all(batches.iter().cloned().map(|batch| embedded.commit(batch))).await;
                for (answer, batch) in group.into_iter().zip(batches) {
                    assert_eq!(told(answer), told(reference.commit(batch).await));
                }
            }
            Step::Reopen => {
                drop(embedded);
                embedded = EmbeddedEngine::open(dir.path()).unwrap();
            }
        }
        assert_same(&embedded, &reference).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_engine_answers_as_the_map_does(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(steps));
    }
}
