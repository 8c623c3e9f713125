//! A service with a bucket, keys, and states under them.

use std::sync::Arc;

use bytes::Bytes;
use tidelock_core::{
    Content, VersionId, Versioning,
    iam::DEFAULT_ACCOUNT,
    kms::{Command, KmsError, KmsKey},
};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{Error, KmsKeyWanted, NewBody, Service};

use crate::common::{FakeWorld, at, body, caller, over};

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

pub(crate) struct Server {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) world: Arc<FakeWorld>,
    pub(crate) service: Service,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let (engine, world) = (Arc::new(MemoryEngine::new()), Arc::new(FakeWorld::default()));
        let service = over(engine.clone(), world.clone());
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
        let versioned = service.change_bucket("tfstate", |bucket| bucket.versioning = Versioning::Enabled);
        versioned.await.unwrap();
        Server {
            engine,
            world,
            service,
        }
    }

    /// The same store, with nothing in memory.
    pub(crate) fn restarted(&self) -> Service {
        over(self.engine.clone(), self.world.clone())
    }

    pub(crate) async fn key(&self) -> Arc<KmsKey> {
        let wanted = KmsKeyWanted {
            account: DEFAULT_ACCOUNT.to_owned(),
            region: "eu-central-1".to_owned(),
            ..KmsKeyWanted::default()
        };
        self.service.create_kms_key(wanted).await.unwrap()
    }

    pub(crate) async fn change(&self, command: Command) -> Result<Arc<KmsKey>, Error> {
        self.service.change_kms(command).await
    }

    /// Writes a state under a key.
    pub(crate) async fn put(&self, name: &str, serial: u64, key: &str) -> Result<u64, Error> {
        let new = under(state(serial), key);
        let written = self.service.put(&at(name), new, &caller("c")).await?;
        Ok(written.seq)
    }

    pub(crate) async fn read(&self, name: &str, seq: u64) -> Result<Bytes, Error> {
        read(&self.service, name, seq).await
    }
}

/// What every way to a body's bytes says: the whole, a range, and S3's way to it.
pub(crate) async fn read(service: &Service, name: &str, seq: u64) -> Result<Bytes, Error> {
    let address = at(name);
    let version = service.version(&address, seq).await?;
    let found = service
        .find(&address, Some(&VersionId::from(version.id.as_str())))
        .await?;
    assert_eq!(found, version);
    let body = version.body.unwrap();
    let whole = service.read_all(&address, seq, &body).await;
    let ranged = service.reading(&address, seq, &body, 3..9).to_end().await;
    let checked = service.check_readable(&body).await;
    assert_eq!(whole.is_ok(), checked.is_ok());
    match (whole, ranged) {
        (Ok(whole), Ok((ranged, _))) => {
            assert_eq!(whole.slice(3..9), ranged);
            Ok(whole)
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            Err(one)
        }
        (whole, ranged) => panic!("{whole:?}, but {ranged:?}"),
    }
}

pub(crate) fn why(refused: Result<impl std::fmt::Debug, Error>) -> KmsError {
    match refused {
        Err(Error::Kms(why)) => why,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn state(serial: u64) -> String {
    let padding = "x".repeat(200);
    format!(
        r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{"p":{{"value":"{padding}{serial}"}}}},"resources":[]}}"#
    )
}

/// A body that is to be sealed under the key of this name.
pub(crate) fn under(bytes: impl Into<Bytes>, key: &str) -> NewBody {
    NewBody {
        content: content(key),
        ..body(bytes)
    }
}

pub(crate) fn content(key: &str) -> Content {
    let mut content = Content::default();
    let headers = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", key),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    content.headers.extend(headers);
    content
}
