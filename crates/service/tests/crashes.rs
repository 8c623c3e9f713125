//! Any sequence of writes, packs, deletions, retention and reads, with a death at any commit: every version reads back as it was
//! written, and none is missing that nobody let go.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, num::NonZero, sync::Arc};

use bytes::Bytes;
use common::{
    FakeWorld, at, body, caller,
    faulty::{Death, Faulty},
};
use proptest::prelude::*;
use tidelock_core::{Versioning, decide::Precondition, iam::DEFAULT_ACCOUNT};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Error, Retention, Rule, Service, Settings};

#[derive(Clone, Debug)]
enum Step {
    /// A state of so many bytes, of which every so many-th differs from the one before.
    Write {
        size: usize,
        every: usize,
    },
    /// The same bytes as the current version has.
    WriteAgain,
    Pack,
    Collect,
    Delete,
    /// The older version that is so far behind the newest.
    DeleteVersion(u64),
    Rollback(u64),
    Versioning(Versioning),
    /// The process is started anew; and this time dies at a commit from there on.
    Restart(Option<Death>),
}

/// One server after another over one store.
struct Run {
    store: Arc<MemoryEngine>,
    world: Arc<FakeWorld>,
    keep: Option<NonZero<usize>>,
    engine: Arc<Faulty>,
    service: Service,
    serial: u64,
    text: Vec<u8>,
    /// What was acknowledged, by version.
    told: BTreeMap<u64, Bytes>,
    /// Whatever was sent or could have been made.
    tried: Vec<Bytes>,
    /// Deletions that were tried: each may be newer than any version.
    deletions: usize,
}

impl Run {
    async fn new(keep: Option<usize>) -> Run {
        let (store, world) = (Arc::new(MemoryEngine::new()), Arc::new(FakeWorld::default()));
        let keep = keep.and_then(NonZero::new);
        let (engine, service) = start(&store, &world, keep, None);
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
        Run {
            store,
            world,
            keep,
            engine,
            service,
            serial: 0,
            text: Vec::new(),
            told: BTreeMap::new(),
            tried: Vec::new(),
            deletions: 0,
        }
    }

    fn restart(&mut self, death: Option<Death>) {
        (self.engine, self.service) = start(&self.store, &self.world, self.keep, death);
    }

    async fn step(&mut self, step: &Step) {
        let (address, who) = (at("a"), caller("c"));
        match step {
            Step::Write { size, every } => {
                let bytes = self.next_state(*size, *every);
                self.write(bytes).await;
            }
            Step::WriteAgain => {
                if let Some(bytes) = self.tried.last().cloned() {
                    self.write(bytes).await;
                }
            }
            Step::Pack => drop(self.service.pack_all().await),
            Step::Collect => drop(self.service.collect("", None, false).await),
            Step::Delete => {
                self.deletions += 1;
                let _ = self.service.delete(&address, Precondition::default(), &who).await;
            }
            Step::DeleteVersion(back) => {
                self.deletions += 1;
                let seq = self.told.keys().rev().nth(*back as usize).copied();
                if let Ok(version) = self.service.version(&address, seq.unwrap_or_default()).await {
                    let _ = self.service.delete_version(&address, &version.id, &who).await;
                }
            }
            Step::Rollback(back) => self.rollback(*back).await,
            Step::Versioning(versioning) => {
                let set = self
                    .service
                    .change_bucket("tfstate", |bucket| bucket.versioning = *versioning);
                drop(set.await);
            }
            Step::Restart(death) => self.restart(*death),
        }
        if self.engine.is_dead() {
            self.restart(None);
        }
    }

    /// A state that differs from the one before in places.
    fn next_state(&mut self, size: usize, every: usize) -> Bytes {
        self.serial += 1;
        self.text.resize(size, b'x');
        let letter = b'a' + (self.serial % 26) as u8;
        self.text
            .iter_mut()
            .step_by(every.max(1))
            .for_each(|byte| *byte = letter);
        let text = std::str::from_utf8(&self.text).unwrap();
        let (serial, head) = (self.serial, r#"{"version":4,"terraform_version":"1.11.4","#);
        Bytes::from(format!(
            r#"{head}"serial":{serial},"lineage":"l","outputs":{{"x":{{"value":"{text}","type":"string"}}}},"resources":[]}}"#
        ))
    }

    async fn write(&mut self, bytes: Bytes) {
        self.tried.push(bytes.clone());
        let written = self
            .service
            .put(&at("a"), body(bytes.clone()), &caller("c"))
            .await;
        if let Ok(version) = written {
            self.told.insert(version.seq, bytes);
        }
    }

    async fn rollback(&mut self, back: u64) {
        let Some((seq, bytes)) = self.told.iter().rev().nth(back as usize) else {
            return;
        };
        let (seq, text) = (*seq, String::from_utf8(bytes.to_vec()).unwrap());
        // Whatever serial it gets, this is what it says.
        let old = text
            .split(r#""serial":"#)
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap()
            .to_owned();
        for serial in 0..=self.serial + 40 {
            let raised = text.replacen(
                &format!(r#""serial":{old},"#),
                &format!(r#""serial":{serial},"#),
                1,
            );
            self.tried.push(raised.into());
        }
        let done = self.service.rollback(&at("a"), seq, None, &caller("op")).await;
        if let Ok(version) = done {
            let state = version.body.unwrap().state.unwrap();
            self.serial = self.serial.max(state.serial);
            let bytes = text.replacen(
                &format!(r#""serial":{old},"#),
                &format!(r#""serial":{},"#, state.serial),
                1,
            );
            self.told.insert(version.seq, bytes.into());
        }
    }

    /// Reads everything there is, and looks for everything that must be.
    async fn check(&self) {
        let newest = self.told.keys().last().copied().unwrap_or_default() + 40;
        let mut found = BTreeMap::new();
        for seq in 1..=newest {
            let version = match self.service.version(&at("a"), seq).await {
                Ok(version) => version,
                Err(Error::NoSuchVersion { .. }) => continue,
                Err(other) => panic!("version {seq}: {other}"),
            };
            let Some(body) = version.body else { continue };
            let bytes = self.service.read_all(&at("a"), seq, &body).await.unwrap();
            assert!(self.service.version(&at("a"), seq).await.is_ok());
            match self.told.get(&seq) {
                Some(told) => assert_eq!(bytes, told, "version {seq}"),
                None => assert!(self.tried.contains(&bytes), "version {seq} was never sent"),
            }
            found.insert(seq, bytes);
        }
        let keep = self.keep.map_or(usize::MAX, NonZero::get);
        for (newer, seq) in self.told.keys().rev().enumerate() {
            let unknown = found
                .keys()
                .filter(|other| *other > seq && !self.told.contains_key(other))
                .count();
            // What was sent and not acknowledged, and a deletion, may count as newer.
            let may_be_gone = newer + unknown + self.deletions >= keep;
            assert!(found.contains_key(seq) || may_be_gone, "version {seq} is missing");
        }
    }
}

fn start(
    store: &Arc<MemoryEngine>,
    world: &Arc<FakeWorld>,
    keep: Option<NonZero<usize>>,
    death: Option<Death>,
) -> (Arc<Faulty>, Service) {
    let rules = keep.map(|keep| Rule {
        prefix: "tfstate".to_owned(),
        keep: Some(keep),
        keep_for_ms: None,
    });
    let settings = Settings {
        retention: Retention::new(rules.into_iter().collect()).unwrap(),
        ..Settings::default()
    };
    let engine = Faulty::over(store, death);
    let service = common::over(engine.clone(), world.clone());
    (engine, service.with_settings(settings))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (
        prop_oneof![8 => 0_usize..3_000, 1 => Just(300_000_usize), 1 => Just(2_100_000)],
        prop_oneof![1 => Just(1_usize), 4 => 50_usize..100_000],
    );
    let death = prop_oneof![
        Just(None),
        (1_usize..12).prop_map(|at| Some(Death::Before(at))),
        (1_usize..12).prop_map(|at| Some(Death::After(at))),
    ];
    let versioning = prop_oneof![Just(Versioning::Enabled), Just(Versioning::Suspended)];
    let step = prop_oneof![
        12 => write.prop_map(|(size, every)| Step::Write { size, every }),
        1 => Just(Step::WriteAgain),
        5 => Just(Step::Pack),
        2 => Just(Step::Collect),
        1 => Just(Step::Delete),
        2 => (0_u64..6).prop_map(Step::DeleteVersion),
        2 => (0_u64..6).prop_map(Step::Rollback),
        1 => versioning.prop_map(Step::Versioning),
        3 => death.prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn whatever_happens_every_version_reads_back(steps in steps(), keep in proptest::option::of(2_usize..9)) {
        run(async {
            let mut run = Run::new(keep).await;
            for step in &steps {
                run.step(step).await;
            }
            run.restart(None);
            run.check().await;
            run.service.pack_all().await.unwrap();
            run.check().await;
        });
    }
}

/// The same with a death at every commit of one long day, before it and after it.
#[test]
fn a_death_at_any_commit_of_a_day_loses_nothing() {
    let day = || {
        let write = |size| Step::Write { size, every: 97 };
        let mut day = vec![Step::Versioning(Versioning::Enabled)];
        for at in 0..40_usize {
            day.push(write(500 + at));
            match at % 8 {
                2 => day.push(Step::Pack),
                4 => day.push(Step::DeleteVersion(1)),
                5 => day.push(Step::Rollback(3)),
                6 => day.push(Step::Delete),
                7 => day.push(Step::Collect),
                _ => {}
            }
        }
        day
    };
    run(async {
        let mut whole = Run::new(Some(20)).await;
        whole.restart(None);
        for step in day() {
            whole.step(&step).await;
        }
        whole.check().await;
        let commits = whole.engine.commits();
        assert!(commits > 120, "{commits}");
        for at in 1..=commits {
            for death in [Death::Before(at), Death::After(at)] {
                let mut run = Run::new(Some(20)).await;
                run.restart(Some(death));
                for step in day() {
                    run.step(&step).await;
                }
                run.check().await;
                run.service.pack_all().await.unwrap();
                run.check().await;
            }
        }
    });
}
