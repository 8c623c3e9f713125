//! A service on the memory engine, with a clock and dice that tests hold.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod between;
pub mod faulty;
pub mod gate;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use md5::{Digest, Md5};
use tidelock_core::{
    Address, Caller, Content, Facet, Lock, LockId, Time,
    decide::{Claim, Precondition, Release},
    iam::DEFAULT_ACCOUNT,
};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{LockRequest, NewBody, NewPart, RootKey, Service, World};
use tokio::time::Instant;

impl FakeWorld {
    /// Throws dice away, so that two worlds throw differently.
    pub fn skip(&self, count: u64) {
        self.drawn.fetch_add(count, Ordering::Relaxed);
    }

    pub fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub struct FakeWorld {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl World for FakeWorld {
    fn now(&self) -> Time {
        Time(self.now.fetch_add(1, Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 16] {
        // Distinct, and spread over all sixteen bytes.
        let drawn = u128::from(self.drawn.fetch_add(1, Ordering::Relaxed) + 1);
        drawn
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }
}

/// The clock of the runtime, which stands still while anything runs.
pub struct PausedWorld {
    start: Instant,
    drawn: AtomicU64,
}

impl World for PausedWorld {
    fn now(&self) -> Time {
        Time(i64::try_from(self.start.elapsed().as_millis()).unwrap())
    }

    fn random(&self) -> [u8; 16] {
        let drawn = u128::from(self.drawn.fetch_add(1, Ordering::Relaxed) + 1);
        drawn
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }
}

pub fn paused() -> Arc<PausedWorld> {
    Arc::new(PausedWorld {
        start: Instant::now(),
        drawn: AtomicU64::new(0),
    })
}

/// A service as every test has it, over this engine.
pub fn over(engine: Arc<dyn Engine>, world: Arc<dyn World>) -> Service {
    Service::new(engine, world, RootKey::new(&[1; 32]).into())
}

pub fn service() -> Arc<Service> {
    Arc::new(over(
        Arc::new(MemoryEngine::new()),
        Arc::new(FakeWorld::default()),
    ))
}

pub async fn with_bucket() -> Arc<Service> {
    let service = service();
    service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
    service
}

pub fn at(key: &str) -> Address {
    Address::new("tfstate", key).unwrap()
}

pub fn body(bytes: impl Into<Bytes>) -> NewBody {
    let bytes = bytes.into();
    NewBody {
        md5: Md5::digest(&bytes).into(),
        bytes,
        content: Content::default(),
        precondition: Precondition::default(),
        claim: Claim::Caller,
        restores: false,
    }
}

pub fn part(number: u32, bytes: impl Into<Bytes>) -> NewPart {
    let NewBody { bytes, md5, .. } = body(bytes);
    NewPart {
        number,
        bytes,
        md5,
        checksums: BTreeMap::new(),
        of: None,
    }
}

pub fn caller(name: &str) -> Caller {
    Caller {
        access_key_id: name.to_owned(),
        ..Caller::default()
    }
}

pub fn acquire(id: &str, facet: Facet) -> LockRequest {
    LockRequest {
        id: LockId::try_from(id).unwrap(),
        info: format!(r#"{{"ID":"{id}"}}"#),
        facet,
        caller: caller(id),
    }
}

pub fn release(id: &str, facet: Facet) -> Release {
    Release {
        id: Some(LockId::try_from(id).unwrap()),
        facet,
        caller: caller(id),
        invocation: None,
        may_force: true,
    }
}

/// The lock of an address, whoever holds it.
pub async fn held(service: &Service, address: &Address) -> Option<Lock> {
    service
        .held(address, &Caller::default(), &Facet::File)
        .await
        .unwrap()
}
