//! A store of every kind of body, a place for root keys, and an engine that fails when it is told to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tidelock_core::{Address, Content, Versioning, iam::DEFAULT_ACCOUNT};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{KeyRole, KeyStore, RootKey, RootKeys, RotationStatus, Service};

use crate::common::{FakeWorld, at, body, caller};

/// A file of root keys, as bytes in memory.
pub(crate) struct Kept {
    pub(crate) keys: Mutex<Vec<[u8; 32]>>,
    pub(crate) ours: bool,
    /// Whether the next removal fails.
    pub(crate) fails: AtomicBool,
}

impl Kept {
    pub(crate) fn new(keys: &[u8], ours: bool) -> Arc<Kept> {
        Arc::new(Kept {
            keys: Mutex::new(keys.iter().map(|byte| [*byte; 32]).collect()),
            ours,
            fails: AtomicBool::new(false),
        })
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let keys = self.keys.lock().unwrap();
        keys.iter().map(|key| RootKey::new(key).id().to_owned()).collect()
    }

    fn load(&self) -> RootKeys {
        let keys = self.keys.lock().unwrap();
        let mut keys = keys.iter().map(RootKey::new);
        RootKeys {
            current: keys.next().unwrap(),
            former: keys.collect(),
        }
    }
}

impl KeyStore for Kept {
    fn name(&self) -> String {
        "the test".to_owned()
    }

    fn is_ours(&self) -> bool {
        self.ours
    }

    fn add(&self, new: &[u8; 32], current: &str) -> Result<(), String> {
        assert!(self.ours && self.ids().iter().any(|id| id == current));
        self.keys.lock().unwrap().insert(0, *new);
        Ok(())
    }

    fn remove(&self, ids: &[String]) -> Result<(), String> {
        assert!(self.ours);
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err("the disk is full".to_owned());
        }
        let mut keys = self.keys.lock().unwrap();
        keys.retain(|key| !ids.iter().any(|id| id == RootKey::new(key).id()));
        Ok(())
    }
}

/// A server's start: the keys as they are kept, and the check whether they are the right ones.
pub(crate) async fn start(engine: Arc<dyn Engine>, kept: &Arc<Kept>) -> Arc<Service> {
    let service = unchecked(engine, kept);
    service.open_keys().await.unwrap();
    service
}

pub(crate) fn unchecked(engine: Arc<dyn Engine>, kept: &Arc<Kept>) -> Arc<Service> {
    // Dice of its own for each start, or keys and IDs would come again.
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    let world = FakeWorld::default();
    world.skip(1 << 32 | (STARTS.fetch_add(1, Ordering::SeqCst) as u64) << 33);
    let service = Service::new(engine, Arc::new(world), kept.load());
    Arc::new(service.with_key_store(kept.clone()))
}

/// Returns when the rotation has ended.
pub(crate) async fn ended(service: &Service) -> RotationStatus {
    loop {
        match service.rotation() {
            Some(rotation) if !rotation.is_running() => return rotation,
            _ => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    }
}

pub(crate) fn state(serial: u64) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"resources":[{{}}]}}"#)
}

/// How many states [`fill`] writes at each address.
pub(crate) const STATES: u64 = 5;

/// States with older versions, hidden ones, a refused one, a deleted object, and an upload that is not finished.
pub(crate) async fn fill(service: &Service) {
    for name in ["tfstate", "versioned"] {
        service.create_bucket(name, DEFAULT_ACCOUNT).await.unwrap();
    }
    let versioned = service.change_bucket("versioned", |bucket| bucket.versioning = Versioning::Enabled);
    versioned.await.unwrap();
    for address in addresses() {
        for serial in 1..=STATES {
            service
                .put(&address, body(state(serial)), &caller("c"))
                .await
                .unwrap();
        }
        service
            .put(&address, body(state(1)), &caller("d"))
            .await
            .unwrap_err();
    }
    let ([_, versioned], by) = (addresses(), caller("c"));
    service.delete(&versioned, Default::default(), &by).await.unwrap();
    service
        .put(&at("plain"), body("no state"), &caller("c"))
        .await
        .unwrap();
    upload(service, "big", "a part").await;
}

/// Begins an upload of one part; its ID.
pub(crate) async fn upload(service: &Service, key: &str, bytes: &str) -> String {
    let (at, by, part) = (at(key), caller("c"), body(bytes.to_owned()));
    let begun = service.create_upload(&at, Content::default(), &by);
    let id = begun.await.unwrap().id;
    let new = tidelock_service::NewPart {
        number: 1,
        bytes: part.bytes,
        md5: part.md5,
        checksums: BTreeMap::new(),
        of: None,
    };
    service.put_part(&at, &id, new).await.unwrap();
    id
}

pub(crate) fn addresses() -> [Address; 2] {
    [at("a"), Address::new("versioned", "a").unwrap()]
}

/// What [`fill`] has stored: states with their refused ones, a plain object, a part.
pub(crate) const BODIES: u64 = 2 * (STATES + 1) + 2;

/// Whether all that [`fill`] has written reads back, and how many bodies are sealed under the current key alone.
pub(crate) async fn assert_whole(service: &Service, current: &str) {
    for address in addresses() {
        for serial in 1..=STATES {
            let version = service.version(&address, serial).await.unwrap();
            let read = service
                .read_all(&address, serial, &version.body.unwrap())
                .await
                .unwrap();
            assert_eq!(read, state(serial));
        }
    }
    let listed = service.root_keys().await.unwrap().keys;
    let used: Vec<_> = listed.iter().filter(|key| key.bodies > 0).collect();
    assert_eq!(used.len(), 1, "{listed:?}");
    assert_eq!((used[0].id.as_str(), used[0].role), (current, KeyRole::Current));
    assert_eq!(used[0].bodies, BODIES);
}

pub(crate) fn memory() -> Arc<MemoryEngine> {
    Arc::default()
}
