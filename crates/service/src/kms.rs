//! Keys of the Key Management Service: in memory as one snapshot, changed one at a time, their material sealed by the vault.
//!
//! Whatever uses a key takes the snapshot anew: what is disabled is of no use from the moment on that the change has been
//! committed, to anybody. The rules of changing stand in `tidelock_core::kms`.

mod cipher;
mod sealing;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::aead::LessSafeKey;
use tidelock_core::{
    kms::{Change, Command, Keys, KmsError, KmsKey, NewKey, change},
    limits::{KMS_SWEEP_MS, SCAN_PAGE_ROWS},
    policy::{Kind, Named, Policy},
};
use tidelock_engine::Batch;
use tokio::{
    sync::{Mutex, OnceCell, watch},
    time::{Duration, MissedTickBehavior, interval},
};

use crate::{
    Error, Service,
    keys::{self, KEY_BYTES},
    operator::uuid,
    rows, to_the_end,
};
pub use sealing::{DefaultKey, forget_encryption};

/// The keys as they are at one moment, with their material.
#[derive(Default)]
pub struct Kms {
    keys: Keys,
    /// By the keys' IDs.
    opened: BTreeMap<String, Arc<Opened>>,
}

/// What stands in a key's row as text, read.
struct Opened {
    /// By its number.
    materials: BTreeMap<u32, LessSafeKey>,
    policy: Option<Arc<Named>>,
}

/// Where the snapshot stands.
#[derive(Default)]
pub(crate) struct Store {
    snapshot: OnceCell<RwLock<Arc<Kms>>>,
    changing: Mutex<()>,
}

/// A key that somebody wants made.
#[derive(Clone, Debug, Default)]
pub struct KmsKeyWanted {
    /// Whose it is to be.
    pub account: String,
    /// The region of the request.
    pub region: String,
    /// What its owner says of it.
    pub description: String,
    /// Its policy; `None` for the default one.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Kms {
    /// What is known of the keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The policy of a key, read; `None` for one that cannot be read, which allows nobody anything.
    #[must_use]
    pub fn policy_of(&self, key: &KmsKey) -> Option<&Arc<Named>> {
        self.opened.get(&key.id)?.policy.as_ref()
    }

    /// The key of this ID, which seals and opens now.
    pub(crate) fn usable(&self, id: &str) -> Result<Arc<KmsKey>, KmsError> {
        let key = self.keys.get(id);
        let key = key.ok_or_else(|| KmsError::NotFound(format!("Key '{id}' does not exist")))?;
        key.check_usable()?;
        Ok(Arc::clone(key))
    }

    /// The same keys, after a change.
    fn after(&self, change: &Change, opened: Vec<Arc<Opened>>) -> Kms {
        let mut next = Kms {
            keys: self.keys.clone(),
            opened: self.opened.clone(),
        };
        if let Some(gone) = &change.delete {
            next.keys.remove(gone);
            next.opened.remove(gone);
        }
        // An alias may move from one to the other: it has gone before it comes.
        for (key, opened) in change.puts.iter().zip(opened).rev() {
            next.opened.insert(key.id.clone(), opened);
            next.keys.put(Arc::new(key.clone()));
        }
        next
    }
}

impl Service {
    /// The keys of the KMS as they are now.
    ///
    /// # Errors
    /// When they cannot be read, the first time.
    pub async fn kms(&self) -> Result<Arc<Kms>, Error> {
        let snapshot = self.kms_cell().await?;
        // A poisoned lock still holds whole snapshots: they are only ever replaced.
        Ok(Arc::clone(
            &snapshot.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    async fn kms_cell(&self) -> Result<&RwLock<Arc<Kms>>, Error> {
        let load = async || Ok::<_, Error>(RwLock::new(Arc::new(self.load_kms().await?)));
        self.kms.snapshot.get_or_try_init(load).await
    }

    async fn load_kms(&self) -> Result<Kms, Error> {
        let (mut kms, mut range) = (Kms::default(), rows::space(b'm'));
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
            let Some((last, _)) = page.last() else {
                return Ok(kms);
            };
            range.start = rows::after(last);
            for (row, entry) in &page {
                let key: KmsKey = rows::decode(row, &entry.value)?;
                let opened = self.open_kms_key(&key).await?;
                kms.opened.insert(key.id.clone(), opened);
                kms.keys.put(Arc::new(key));
            }
        }
    }

    async fn open_kms_key(&self, key: &KmsKey) -> Result<Arc<Opened>, Error> {
        let mut materials = BTreeMap::new();
        for material in &key.materials {
            let bytes = self.open_secret(&purpose(&key.id), &material.sealed).await?;
            let bytes: &[u8; KEY_BYTES] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| Error::corrupt(&rows::kms_key(&key.id), "its material has another length"))?;
            materials.insert(material.number, keys::aead_key(bytes));
        }
        let arn = key.arn();
        let policy = Policy::parse(&key.policy, Kind::Key);
        let policy =
            policy.inspect_err(|why| tracing::error!(key = arn, %why, "a key policy cannot be read"));
        Ok(Arc::new(Opened {
            materials,
            policy: policy.ok().map(|policy| Arc::new(Named { name: arn, policy })),
        }))
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Kms`] in AWS's words.
    pub async fn create_kms_key(&self, wanted: KmsKeyWanted) -> Result<Arc<KmsKey>, Error> {
        let new = self.new_kms_key(wanted).await?;
        self.change_kms(Command::Create(new)).await
    }

    /// What is drawn for a key that is to be made.
    async fn new_kms_key(&self, wanted: KmsKeyWanted) -> Result<NewKey, Error> {
        let id = uuid(self.random());
        Ok(NewKey {
            sealed: self.draw_material(&id).await?,
            id,
            account: wanted.account,
            region: wanted.region,
            description: wanted.description,
            policy: wanted.policy,
            tags: wanted.tags,
        })
    }

    async fn draw_material(&self, id: &str) -> Result<String, Error> {
        let bytes = keys::draw(&*self.world);
        self.seal_secret(&purpose(id), &bytes[..]).await
    }

    /// Gives a key new material; what was sealed under the old one still opens.
    ///
    /// # Errors
    /// [`Error::Kms`] in AWS's words.
    pub async fn rotate_kms_key(&self, key: &str) -> Result<Arc<KmsKey>, Error> {
        let sealed = self.draw_material(key).await?;
        let key = key.to_owned();
        self.change_kms(Command::Rotate { key, sealed }).await
    }

    /// Changes a key: when this returns, whoever looks sees it changed, and it is on disk. What comes back is the key that the
    /// command is about.
    ///
    /// # Errors
    /// [`Error::Kms`] in AWS's words.
    pub async fn change_kms(&self, command: Command) -> Result<Arc<KmsKey>, Error> {
        let id = self.commit_kms(command).await?;
        let kms = self.kms().await?;
        let key = id.and_then(|id| kms.keys.get(&id).cloned());
        key.ok_or_else(|| Error::Kms(KmsError::NotFound("The key does not exist".to_owned())))
    }

    /// What comes back is the ID of the key that was changed, if one was.
    async fn commit_kms(&self, command: Command) -> Result<Option<String>, Error> {
        let service = self.clone();
        // Between the store and the memory nobody may go away.
        to_the_end(async move {
            let _one = service.kms.changing.lock().await;
            let before = service.kms().await?;
            let change = change(&before.keys, &command, service.now())?;
            service.put_change(&before, &change).await?;
            if matches!(command, Command::Enable(_)) {
                service.packing.look_everywhere();
            }
            Ok(change.puts.first().map(|key| key.id.clone()))
        })
        .await
    }

    async fn put_change(&self, before: &Kms, change: &Change) -> Result<(), Error> {
        let mut opened = Vec::with_capacity(change.puts.len());
        for key in &change.puts {
            opened.push(self.open_kms_key(key).await?);
        }
        let puts = change.puts.iter();
        let batch = Batch {
            puts: puts
                .map(|key| (rows::kms_key(&key.id), rows::encode(key)))
                .collect(),
            deletes: change.delete.iter().map(|id| rows::kms_key(id)).collect(),
            ..Batch::default()
        };
        let committed = self.commit(batch).await;
        let now = match &committed {
            Ok(_) => before.after(change, opened),
            // It may have been committed all the same: what is on disk counts.
            Err(_) => self.load_kms().await?,
        };
        let cell = self.kms_cell().await?;
        *cell.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        committed.map(drop)
    }

    /// Destroys the keys whose time is over, and gives new material to those that are due.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn sweep_kms(&self) -> Result<(), Error> {
        let now = self.now();
        for key in self.kms().await?.keys.all() {
            let arn = key.arn();
            if key.is_over(now) {
                self.commit_kms(Command::Delete(key.id.clone())).await?;
                tracing::warn!(
                    key = arn,
                    "the KMS key has been deleted, as it was scheduled: what it sealed is lost"
                );
            } else if key.is_rotation_due(now) {
                let sealed = self.draw_material(&key.id).await?;
                let key = key.id.clone();
                self.commit_kms(Command::RotateDue { key, sealed }).await?;
                tracing::info!(key = arn, "the KMS key has new material, as its rotation says");
            }
        }
        Ok(())
    }

    /// Does so again and again, until `stop` says so.
    pub async fn keep_kms(self, mut stop: watch::Receiver<bool>) {
        let mut sweep = interval(Duration::from_millis(KMS_SWEEP_MS));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = sweep.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.sweep_kms().await {
                tracing::warn!(%error, "KMS keys could not be looked through; the next sweep tries again");
            }
        }
    }
}

/// What key material is sealed for.
fn purpose(id: &str) -> String {
    format!("kms-key {id}")
}
