//! A data directory with the service over it, as the server has them, without doors.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use tempfile::TempDir;
use tidelock_core::{
    Address, Caller, Content, Time,
    decide::{Claim, Precondition},
    iam::DEFAULT_ACCOUNT,
};
use tidelock_engine::{Batch, Committed, EmbeddedEngine, Engine as _};
use tidelock_service::{NewBody, RootKey, Service, World};
use tokio::{runtime::Runtime, sync::watch};

const BUCKET: &str = "tfstate";
const KEY: &str = "measured.tfstate";

/// Rows that are asked for at once when all are counted.
const SCAN_ROWS: usize = 256;

/// One state's history in a data directory of its own.
pub(crate) struct Store {
    runtime: Runtime,
    service: Service,
    address: Address,
    engine: Arc<EmbeddedEngine>,
    dir: TempDir,
}

/// What lies in the engine, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Occupied {
    /// The blobs of all versions.
    pub(crate) blobs: u64,
    /// All rows, with their keys.
    pub(crate) rows: u64,
    /// The database file, with its log.
    pub(crate) files: u64,
}

/// The machine's clock and dice.
struct Machine;

impl World for Machine {
    fn now(&self) -> Time {
        Time(jiff::Timestamp::now().as_millisecond())
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has a random source");
        bytes
    }
}

impl Store {
    /// A new one, in a temporary directory.
    pub(crate) fn open() -> Result<Self> {
        let runtime = Runtime::new().context("tokio")?;
        let dir = tempfile::Builder::new().prefix("tidelock-bench-").tempdir()?;
        let engine = Arc::new(EmbeddedEngine::open(dir.path())?);
        let keys = RootKey::new(&[7; 32]).into();
        let shared: Arc<EmbeddedEngine> = Arc::clone(&engine);
        let service = Service::new(shared, Arc::new(Machine), keys);
        runtime.block_on(service.create_bucket(BUCKET, DEFAULT_ACCOUNT))?;
        Ok(Self {
            runtime,
            service,
            address: Address::new(BUCKET, KEY)?,
            engine,
            dir,
        })
    }

    /// Writes the next version, and says how long that took in milliseconds. The MD5 is the door's work and not counted.
    pub(crate) fn write(&self, bytes: Bytes) -> Result<f64> {
        let new = NewBody {
            md5: Md5::digest(&bytes).into(),
            bytes,
            content: Content::default(),
            precondition: Precondition::default(),
            claim: Claim::Caller,
            restores: false,
        };
        let begun = Instant::now();
        let caller = Caller::default();
        self.runtime
            .block_on(self.service.put(&self.address, new, &caller))?;
        Ok(milliseconds(begun))
    }

    /// Reads a version as the server does, piece by piece, and says how long that took in milliseconds.
    pub(crate) fn read(&self, seq: u64) -> Result<f64> {
        let begun = Instant::now();
        let (size, found) = self.runtime.block_on(async {
            let version = self.service.version(&self.address, seq).await?;
            let body = version.body.context("a version without a body")?;
            let mut reading = self.service.reading(&self.address, seq, &body, 0..body.size);
            let mut found = 0;
            while let Some(piece) = reading.next().await? {
                found += piece.len() as u64;
            }
            anyhow::Ok((body.size, found))
        })?;
        ensure!(size == found, "version {seq}: {found} bytes instead of {size}");
        Ok(milliseconds(begun))
    }

    /// All bytes of a version at once, and how long that took in milliseconds.
    pub(crate) fn read_all(&self, seq: u64) -> Result<(Bytes, f64)> {
        let begun = Instant::now();
        let bytes = self.runtime.block_on(async {
            let version = self.service.version(&self.address, seq).await?;
            let body = version.body.context("a version without a body")?;
            anyhow::Ok(self.service.read_all(&self.address, seq, &body).await?)
        })?;
        Ok((bytes, milliseconds(begun)))
    }

    /// Packs what there is to pack, and says how long that took in milliseconds.
    pub(crate) fn pack(&self) -> Result<f64> {
        let begun = Instant::now();
        self.runtime.block_on(self.service.pack_all())?;
        Ok(milliseconds(begun))
    }

    /// Does `work` while the packer runs beside it, as it does in a server.
    pub(crate) fn beside_the_packer<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (stop, stopping) = watch::channel(false);
        let packing = self.runtime.spawn(self.service.clone().keep_packing(stopping));
        let done = work();
        stop.send_replace(true);
        self.runtime.block_on(packing)?;
        done
    }

    /// Stores bytes as they are: neither compressed nor sealed.
    pub(crate) fn put_raw(&self, bytes: Bytes) -> Result<[u8; 16]> {
        let id = Machine.random();
        let batch = Batch {
            put_blobs: vec![(id, bytes)],
            ..Batch::default()
        };
        let committed = self.runtime.block_on(self.engine.commit(batch))?;
        ensure!(matches!(committed, Committed::Done(_)), "a new blob conflicts");
        Ok(id)
    }

    /// Reads such bytes in pieces of `piece`, and says how long that took in milliseconds; with the look at a version that
    /// it takes to know which blob to read.
    pub(crate) fn read_raw(&self, seq: u64, id: [u8; 16], size: u64, piece: u64) -> Result<f64> {
        let begun = Instant::now();
        self.runtime.block_on(async {
            self.service.version(&self.address, seq).await?;
            let mut found = 0;
            while found < size {
                let bytes = self.engine.blob(id, found..size.min(found + piece)).await?;
                let bytes = bytes.filter(|bytes| !bytes.is_empty()).context("a lost blob")?;
                found += bytes.len() as u64;
            }
            anyhow::Ok(())
        })?;
        Ok(milliseconds(begun))
    }

    /// What the versions up to this number take.
    pub(crate) fn occupied(&self, newest: u64) -> Result<Occupied> {
        self.runtime.block_on(async {
            let mut occupied = Occupied {
                files: files(self.dir.path())?,
                ..Occupied::default()
            };
            for seq in 1..=newest {
                let body = self.service.version(&self.address, seq).await?.body;
                let blob = body.context("a version without a body")?.stored.blob;
                let bytes = self.engine.blob(blob.0, 0..u64::MAX).await?;
                occupied.blobs += bytes.context("a version without a blob")?.len() as u64;
            }
            let mut from = Vec::new();
            loop {
                let rows = self.engine.scan(from..vec![u8::MAX], SCAN_ROWS).await?;
                let sizes = rows.iter().map(|(key, entry)| key.len() + entry.value.len());
                occupied.rows += sizes.sum::<usize>() as u64;
                let Some((last, _)) = rows.into_iter().last() else {
                    return Ok(occupied);
                };
                from = last;
                from.push(0);
            }
        })
    }

    /// How many versions have to be unpacked after the one that stands alone, to read this one.
    pub(crate) fn steps(&self, mut seq: u64) -> Result<u32> {
        let mut steps = 0;
        loop {
            let version = self.runtime.block_on(self.service.version(&self.address, seq))?;
            match version.body.context("a version without a body")?.stored.base {
                Some(base) => (seq, steps) = (base, steps + 1),
                None => return Ok(steps),
            }
        }
    }
}

fn files(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
