//! A new root key: everything is sealed anew under it, whatever happens meanwhile, and only then the former one goes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod world;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{
    at, body, caller,
    faulty::{Death, Faulty},
    gate::Gate,
};
use tidelock_engine::{Batch, Committed, Engine};
use tidelock_service::{Error, KeyError, KeyRole, Part, RotationError, Service};
use tokio::task::JoinHandle;
use world::{
    BODIES, Kept, STATES, addresses, assert_whole, ended, fill, memory, start, state, unchecked, upload,
};

#[tokio::test]
async fn everything_is_sealed_anew_and_then_the_former_key_goes() {
    let (engine, kept) = (memory(), Kept::new(&[1], true));
    let service = start(engine.clone(), &kept).await;
    fill(&service).await;
    let former = kept.ids()[0].clone();
    assert_whole(&service, &former).await;
    service.rotate().await.unwrap();
    let rotation = ended(&service).await;
    assert_eq!((rotation.fault, rotation.failed.len()), (None, 0));
    assert_eq!((rotation.checked, rotation.wrapped), (BODIES, BODIES));
    assert_eq!(rotation.retired, std::slice::from_ref(&former));
    let [current] = &kept.ids()[..] else {
        panic!("{:?}", kept.ids());
    };
    assert_ne!(*current, former);
    assert_whole(&service, current).await;
    // A server that never had the former key.
    assert_whole(&*start(engine, &kept).await, current).await;
}

#[tokio::test]
async fn a_secret_in_the_vault_opens_under_the_new_key_alone() {
    let (engine, kept) = (memory(), Kept::new(&[1], true));
    let service = start(engine.clone(), &kept).await;
    let sealed = service.seal_secret("test", b"secret").await.unwrap();
    service.rotate().await.unwrap();
    ended(&service).await;
    let service = start(engine, &kept).await;
    assert_eq!(kept.ids().len(), 1);
    assert_eq!(*service.open_secret("test", &sealed).await.unwrap(), b"secret");
}

#[tokio::test]
async fn what_was_found_before_a_rotation_reads_on_after_it() {
    let kept = Kept::new(&[1], true);
    let service = start(memory(), &kept).await;
    fill(&service).await;
    let found = service.find(&at("a"), None).await.unwrap();
    service.rotate().await.unwrap();
    ended(&service).await;
    let mut reading = service.reading(&at("a"), found.seq, &found.body.unwrap(), 0..u64::MAX);
    assert_eq!(reading.next().await.unwrap().unwrap(), state(world::STATES));
}

/// A write that was sealed under the former key and is not committed yet keeps that key.
#[tokio::test(start_paused = true)]
async fn a_write_under_the_former_key_is_waited_for() {
    let gate = Arc::new(Gate::new());
    let kept = Kept::new(&[1], true);
    let service = start(gate.clone(), &kept).await;
    fill(&service).await;
    let completing = complete_late(&gate, &service).await;
    service.rotate().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(service.rotation().unwrap().is_running());
    assert_eq!(kept.ids().len(), 2);
    gate.let_commits_go(1);
    completing.await.unwrap().unwrap();
    assert_eq!(ended(&service).await.failed.len(), 0);
    assert_eq!(kept.ids().len(), 1);
    let service = start(gate, &kept).await;
    let late = service.find(&at("late"), None).await.unwrap();
    assert_eq!(
        service
            .read_all(&at("late"), late.seq, &late.body.unwrap())
            .await
            .unwrap(),
        state(7)
    );
}

/// Begins to complete an upload, which is held at its commit: a write under the key of now.
async fn complete_late(gate: &Gate, service: &Arc<Service>) -> JoinHandle<Result<(), Error>> {
    let id = upload(service, "late", &state(7)).await;
    gate.hold_deletes_of(b'p');
    let (service, md5) = (service.clone(), body(state(7)).md5);
    let completing = tokio::spawn(async move {
        let (at, caller, named) = (at("late"), caller("c"), [(1, hex::encode(md5))]);
        let seal = |_: &[u8], _: &[Part]| Ok(BTreeMap::new());
        let done = service.complete_upload(&at, &id, &named, Default::default(), &seal, &caller);
        done.await.map(drop)
    });
    gate.until_held(1).await;
    completing
}

/// A rotation looks at each row once, in no order that turns care about.
#[tokio::test(start_paused = true)]
async fn what_moves_before_it_is_looked_at_is_under_the_new_key_where_it_goes() {
    let gate = Arc::new(Gate::new());
    let kept = Kept::new(&[1], true);
    let service = start(gate.clone(), &kept).await;
    fill(&service).await;
    let (address, by) = (addresses()[1].clone(), caller("c"));
    let mut written = Vec::new();
    for serial in [6, 7] {
        written.push(service.put(&address, body(state(serial)), &by).await.unwrap());
    }
    // As long as this is held, nothing is looked at.
    let completing = complete_late(&gate, &service).await;
    service.rotate().await.unwrap();
    let moved = || async { service.root_keys().await.unwrap().keys[0].bodies };
    assert_eq!(moved().await, 0);
    // The newest becomes history alone, and the one before it the head.
    service
        .delete_version(&address, &written[1].id, &by)
        .await
        .unwrap();
    assert_eq!(moved().await, 2);
    // That becomes an older one again.
    service.put(&address, body(state(7)), &by).await.unwrap();
    assert_eq!(moved().await, 3);
    gate.let_commits_go(1);
    completing.await.unwrap().unwrap();
    ended(&service).await;
    assert_eq!(kept.ids().len(), 1);
}

/// The first commit of a rotation is that of the new key, the others seal bodies anew: one for each kind of row.
#[tokio::test]
async fn a_rotation_that_is_cut_short_anywhere_goes_on_at_the_next_start() {
    const COMMITS: usize = 5;
    let deaths = (1..=COMMITS).flat_map(|at| [Death::Before(at), Death::After(at)]);
    for death in deaths.chain([Death::Before(COMMITS + 1)]) {
        let (store, kept) = (memory(), Kept::new(&[1], true));
        fill(&*start(store.clone(), &kept).await).await;
        let service = unchecked(Faulty::over(&store, Some(death)), &kept);
        let is_whole = match service.rotate().await {
            Ok(_) => ended(&service).await.fault.is_none(),
            Err(_) => false,
        };
        assert_eq!(kept.ids().len(), if is_whole { 1 } else { 2 }, "{death:?}");
        assert_eq!(is_whole, death == Death::Before(COMMITS + 1), "{death:?}");
        let service = start(store, &kept).await;
        if !is_whole {
            assert_eq!(ended(&service).await.fault, None);
        }
        let [current] = &kept.ids()[..] else {
            panic!("{death:?}: {:?}", kept.ids());
        };
        assert_whole(&service, current).await;
    }
}

#[tokio::test]
async fn another_root_key_than_the_right_one_is_refused_at_the_start() {
    let (engine, kept) = (memory(), Kept::new(&[1], true));
    let service = start(engine.clone(), &kept).await;
    let needed = kept.ids()[0].clone();
    let other = Kept::new(&[2], true);
    let refused = unchecked(engine.clone(), &other).open_keys().await.unwrap_err();
    assert!(matches!(&refused, KeyError::Wrong { needed: id, .. } if *id == needed));
    assert!(refused.to_string().contains("the test") && refused.to_string().contains(&other.ids()[0]));
    // The file as it was before a rotation does not open what was written after it.
    service.rotate().await.unwrap();
    assert!(
        unchecked(engine.clone(), &Kept::new(&[1], true))
            .open_keys()
            .await
            .is_err()
    );
    // The right one behind another one does.
    let right = kept.keys.lock().unwrap()[0];
    other.keys.lock().unwrap().push(right);
    start(engine, &other).await;
}

#[tokio::test]
async fn what_cannot_be_sealed_anew_is_named_and_keeps_its_key() {
    let (engine, kept) = (memory(), Kept::new(&[1], true));
    let service = start(engine.clone(), &kept).await;
    fill(&service).await;
    let former = kept.ids()[0].clone();
    let range = b"v\0versioned\0a\0".to_vec()..b"v\0versioned\0a\x01".to_vec();
    let rows = engine.scan(range, 10).await.unwrap();
    let (row, entry) = &rows[0];
    let mut version: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
    let sealed = version["body"]["stored"]["key"]["sealed"]
        .as_str()
        .unwrap()
        .replacen(['A', 'B', 'C'], "D", 1);
    version["body"]["stored"]["key"]["sealed"] = sealed.into();
    let batch = Batch {
        puts: vec![(row.clone(), version.to_string().into())],
        ..Batch::default()
    };
    assert!(matches!(engine.commit(batch).await.unwrap(), Committed::Done(_)));
    service.rotate().await.unwrap();
    let rotation = ended(&service).await;
    let [failed] = &rotation.failed[..] else {
        panic!("{rotation:?}");
    };
    assert!(
        failed.starts_with(&format!("version {} of versioned/a: ", version["seq"])),
        "{failed}"
    );
    assert_eq!(
        (rotation.wrapped, rotation.retired.len(), rotation.fault),
        (BODIES - 1, 0, None)
    );
    assert_eq!(kept.ids()[1..], [former]);
}

#[tokio::test]
async fn a_key_that_nobody_has_is_listed_and_said_to_who_reads() {
    let (engine, kept) = (memory(), Kept::new(&[1], false));
    fill(&*start(engine.clone(), &kept).await).await;
    let lost = kept.ids()[0].clone();
    kept.keys.lock().unwrap().insert(0, [2; 32]);
    // The check moves to the new key, and then the former one goes too early.
    let cut_short = unchecked(Faulty::over(&engine, Some(Death::Before(2))), &kept);
    cut_short.open_keys().await.unwrap();
    kept.keys.lock().unwrap().pop();
    let service = start(engine, &kept).await;
    let listed = service.root_keys().await.unwrap().keys;
    assert_eq!(
        (listed[1].id.as_str(), listed[1].role, listed[1].bodies),
        (lost.as_str(), KeyRole::Missing, BODIES)
    );
    let version = service.version(&addresses()[0], STATES).await.unwrap();
    let unread = service
        .read_all(&addresses()[0], STATES, &version.body.unwrap())
        .await
        .unwrap_err();
    for said in [&lost[..], "version 5 of tfstate/a", "backup"] {
        assert!(unread.to_string().contains(said), "{unread}");
    }
}

#[tokio::test]
async fn where_a_person_keeps_the_key_a_rotation_needs_the_new_one_in_front() {
    let (engine, kept) = (memory(), Kept::new(&[1], false));
    let service = start(engine.clone(), &kept).await;
    fill(&service).await;
    let refused = service.rotate().await.unwrap_err();
    assert!(matches!(&refused, RotationError::NotOurs(name) if name == "the test"));
    kept.keys.lock().unwrap().insert(0, [2; 32]);
    // The start goes on with it by itself.
    let service = start(engine.clone(), &kept).await;
    let rotation = ended(&service).await;
    assert_eq!(
        (rotation.wrapped, &rotation.retired[..]),
        (BODIES, &kept.ids()[1..])
    );
    assert_whole(&service, &kept.ids()[0]).await;
    // Asked again, it looks again.
    service.rotate().await.unwrap();
    let rotation = ended(&service).await;
    assert_eq!(
        (rotation.checked, rotation.wrapped, &rotation.retired[..]),
        (BODIES, 0, &kept.ids()[1..])
    );
    kept.keys.lock().unwrap().pop();
    assert_whole(&*start(engine, &kept).await, &kept.ids()[0]).await;
}

#[tokio::test]
async fn a_rotation_that_has_stopped_goes_on_without_a_third_key() {
    let kept = Kept::new(&[1], true);
    let service = start(memory(), &kept).await;
    fill(&service).await;
    kept.fails.store(true, Ordering::SeqCst);
    service.rotate().await.unwrap();
    let fault = ended(&service).await.fault.unwrap();
    assert!(fault.contains("the disk is full"), "{fault}");
    let ids = kept.ids();
    assert_eq!(ids.len(), 2);
    service.rotate().await.unwrap();
    assert_eq!(ended(&service).await.fault, None);
    assert_eq!(kept.ids(), ids[..1]);
}

#[tokio::test]
async fn one_rotation_at_a_time() {
    let gate = Arc::new(Gate::new());
    let kept = Kept::new(&[1], true);
    let service = start(gate.clone(), &kept).await;
    fill(&service).await;
    gate.hold_commits(true);
    let first = tokio::spawn({
        let service = service.clone();
        async move { service.rotate().await }
    });
    gate.until_held(1).await;
    assert!(matches!(service.rotate().await, Err(RotationError::Running)));
    gate.hold_commits(false);
    gate.let_commits_go(1);
    first.await.unwrap().unwrap();
    ended(&service).await;
    assert_eq!(kept.ids().len(), 1);
}

/// Versions move between the rows of their address all the time: the head becomes an older one, and comes back when
/// what replaced it is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_beside_writes_and_deletions_lose_nothing() {
    let (engine, kept) = (memory(), Kept::new(&[1], true));
    let service = start(engine.clone(), &kept).await;
    fill(&service).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|number| {
            let (service, stop) = (service.clone(), stop.clone());
            tokio::spawn(async move {
                let address = tidelock_core::Address::new("versioned", &format!("w{number}")).unwrap();
                let (mut serial, mut kept) = (0, Vec::new());
                while !stop.load(Ordering::SeqCst) {
                    let mut written = Vec::new();
                    for _ in 0..3 {
                        serial += 1;
                        let put = service
                            .put(&address, body(state(serial)), &caller("c"))
                            .await
                            .unwrap();
                        written.push((put.seq, put.id, serial));
                    }
                    // Two go, and the first of the three is the head again.
                    for (_, id, _) in written.drain(1..).rev() {
                        service.delete_version(&address, &id, &caller("c")).await.unwrap();
                    }
                    kept.extend(written.into_iter().map(|(seq, _, serial)| (seq, serial)));
                    serial = kept[kept.len() - 1].1;
                }
                (address, kept)
            })
        })
        .collect();
    for _ in 0..8 {
        service.rotate().await.unwrap();
        let rotation = ended(&service).await;
        assert_eq!((rotation.fault, rotation.failed.len()), (None, 0));
        assert_eq!(kept.ids().len(), 1);
    }
    stop.store(true, Ordering::SeqCst);
    // A server that has the last key alone.
    let service = start(engine, &kept).await;
    for writer in writers {
        let (address, kept) = writer.await.unwrap();
        assert!(!kept.is_empty());
        for (seq, serial) in kept {
            let version = service.version(&address, seq).await.unwrap();
            let read = service
                .read_all(&address, seq, &version.body.unwrap())
                .await
                .unwrap();
            assert_eq!(read, state(serial));
        }
    }
    assert!(
        service
            .root_keys()
            .await
            .unwrap()
            .keys
            .iter()
            .all(|key| key.role == KeyRole::Current)
    );
}
