//! The life of keys: made, rotated, deleted; and what they encrypt themselves.

use std::{collections::BTreeMap, sync::Arc};

use tidelock_core::{
    iam::DEFAULT_ACCOUNT,
    kms::{Command, KeyState, KmsError},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::KmsKeyWanted;

use crate::{
    common::{
        FakeWorld,
        faulty::{Death, Faulty},
        over,
    },
    world::{DAY_MS, Server, read, state, why},
};

fn context(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_deleted_key_is_gone_for_good_and_others_go_on() {
    let server = Server::start().await;
    let (service, gone, kept) = (&server.service, server.key().await, server.key().await);
    for serial in 1..=6 {
        server.put("a", serial, &gone.id).await.unwrap();
        server.put("b", serial, &kept.id).await.unwrap();
    }
    let schedule = |days| Command::ScheduleDeletion {
        key: gone.id.clone(),
        days: Some(days),
    };
    for days in [6, 31] {
        assert!(matches!(
            why(server.change(schedule(days)).await),
            KmsError::Validation(_)
        ));
    }
    let pending = server.change(schedule(7)).await.unwrap();
    assert!(matches!(pending.state, KeyState::PendingDeletion(_)));
    let refused = why(server.read("a", 2).await);
    assert_eq!(
        refused,
        KmsError::InvalidState(format!("{} is pending deletion.", gone.arn()))
    );
    let cancel = || Command::CancelDeletion(gone.id.clone());
    assert_eq!(server.change(cancel()).await.unwrap().state, KeyState::Disabled);
    assert!(matches!(
        why(server.change(cancel()).await),
        KmsError::InvalidState(_)
    ));
    server.change(Command::Enable(gone.id.clone())).await.unwrap();
    assert_eq!(server.read("a", 2).await.unwrap(), state(2));

    server.change(schedule(7)).await.unwrap();
    server.world.pass(7 * DAY_MS - 1_000);
    service.sweep_kms().await.unwrap();
    assert!(service.kms().await.unwrap().keys().get(&gone.id).is_some());
    server.world.pass(1_000);
    assert!(
        matches!(why(server.change(cancel()).await), KmsError::NotFound(_)),
        "it is too late, whether the sweep has come or not"
    );
    service.sweep_kms().await.unwrap();
    for service in [service.clone(), server.restarted()] {
        assert!(service.kms().await.unwrap().keys().get(&gone.id).is_none());
        let lost = why(read(&service, "a", 2).await);
        assert_eq!(
            lost,
            KmsError::NotFound(format!("Key '{}' does not exist", gone.id))
        );
        service.pack_all().await.unwrap();
        let verified = service.verify("", None, |_, _, _| Ok(())).await.unwrap();
        assert_eq!(
            (verified.checked, verified.damaged.len(), verified.closed.len()),
            (6, 0, 6)
        );
        for serial in 1..=6 {
            assert_eq!(read(&service, "b", serial).await.unwrap(), state(serial));
        }
    }
    let next = server.put("a", 7, &kept.id).await.unwrap();
    assert_eq!(server.read("a", next).await.unwrap(), state(7));
}

#[tokio::test]
async fn a_start_destroys_what_became_due_while_the_server_was_down() {
    let server = Server::start().await;
    let key = server.key().await;
    server
        .change(Command::ScheduleDeletion {
            key: key.id.clone(),
            days: Some(30),
        })
        .await
        .unwrap();
    server.world.pass(30 * DAY_MS);
    let restarted = server.restarted();
    restarted.recover().await.unwrap();
    assert!(restarted.kms().await.unwrap().keys().get(&key.id).is_none());
}

#[tokio::test]
async fn what_was_sealed_before_a_rotation_still_opens() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    server.put("a", 1, &key.id).await.unwrap();
    let kms = service.kms().await.unwrap();
    let old = service.encrypt(&kms, &key, b"text", &context(&[])).unwrap();
    let rotated = service.rotate_kms_key(&key.id).await.unwrap();
    assert_eq!(rotated.materials.len(), 2);
    assert_ne!(rotated.materials[0].sealed, rotated.materials[1].sealed);
    server.put("a", 2, &key.id).await.unwrap();
    for service in [service.clone(), server.restarted()] {
        let kms = service.kms().await.unwrap();
        assert_eq!(*kms.decrypt(&old, &context(&[])).unwrap(), b"text");
        let new = service.encrypt(&kms, &rotated, b"text", &context(&[])).unwrap();
        assert_eq!((old[20], new[20]), (1, 2), "the number of the material");
        for serial in 1..=2 {
            assert_eq!(read(&service, "a", serial).await.unwrap(), state(serial));
        }
    }
}

#[tokio::test]
async fn a_key_rotates_by_itself_when_its_period_is_over_and_it_is_in_use() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    let rotation = |days| Command::EnableRotation {
        key: key.id.clone(),
        days,
    };
    for days in [89, 2_561] {
        assert!(matches!(
            why(server.change(rotation(Some(days))).await),
            KmsError::Validation(_)
        ));
    }
    server.change(rotation(None)).await.unwrap();
    let materials = || async {
        service.sweep_kms().await.unwrap();
        service
            .kms()
            .await
            .unwrap()
            .keys()
            .get(&key.id)
            .unwrap()
            .materials
            .len()
    };
    server.world.pass(364 * DAY_MS);
    assert_eq!(materials().await, 1);
    server.world.pass(DAY_MS);
    assert_eq!(materials().await, 2);
    assert_eq!(materials().await, 2);
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    server.world.pass(3 * 365 * DAY_MS);
    assert_eq!(materials().await, 2, "a key that is not in use waits");
    server.change(Command::Enable(key.id.clone())).await.unwrap();
    assert_eq!(materials().await, 3);
    assert_eq!(materials().await, 3, "once, however long it was");
}

#[tokio::test]
async fn a_ciphertext_opens_with_its_context_unchanged_and_no_other() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    let kms = service.kms().await.unwrap();
    let right = context(&[("a", "b"), ("c", "d")]);
    let sealed = service.encrypt(&kms, &key, b"text", &right).unwrap();
    assert_eq!(kms.key_of(&sealed).unwrap().id, key.id);
    assert_eq!(*kms.decrypt(&sealed, &right).unwrap(), b"text");
    for wrong in [
        context(&[]),
        context(&[("a", "bc"), ("", "d")]),
        context(&[("a", "b")]),
    ] {
        assert_eq!(
            kms.decrypt(&sealed, &wrong).unwrap_err(),
            KmsError::InvalidCiphertext
        );
    }
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        kms.decrypt(&flipped, &right).unwrap_err();
        kms.decrypt(&sealed[..at], &right).unwrap_err();
    }
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    let kms = service.kms().await.unwrap();
    assert!(matches!(kms.decrypt(&sealed, &right), Err(KmsError::Disabled(_))));
}

#[tokio::test]
async fn an_alias_moves_in_one_step() {
    let server = Server::start().await;
    let (one, other) = (server.key().await, server.key().await);
    let alias = || "alias/state".to_owned();
    let create = Command::CreateAlias {
        alias: alias(),
        key: one.id.clone(),
    };
    server.change(create.clone()).await.unwrap();
    assert!(matches!(
        why(server.change(create).await),
        KmsError::AlreadyExists(_)
    ));
    server
        .change(Command::UpdateAlias {
            alias: alias(),
            key: other.id.clone(),
        })
        .await
        .unwrap();
    for service in [server.service.clone(), server.restarted()] {
        let kms = service.kms().await.unwrap();
        let found = kms.keys().named(DEFAULT_ACCOUNT, "alias/state").unwrap();
        assert_eq!(found.id, other.id);
        assert!(kms.keys().get(&one.id).unwrap().aliases.is_empty());
        assert!(kms.keys().named("111111111111", "alias/state").is_err());
    }
    let account = DEFAULT_ACCOUNT.to_owned();
    server
        .change(Command::DeleteAlias {
            account,
            alias: alias(),
        })
        .await
        .unwrap();
    let kms = server.service.kms().await.unwrap();
    assert!(kms.keys().named(DEFAULT_ACCOUNT, "alias/state").is_err());
}

#[tokio::test]
async fn a_key_is_made_whole_or_not_at_all_whenever_the_server_dies() {
    for commit in 1..=3 {
        for death in [Death::Before(commit), Death::After(commit)] {
            let (store, world) = (Arc::new(MemoryEngine::new()), Arc::new(FakeWorld::default()));
            let service = over(Faulty::over(&store, Some(death)), world.clone());
            let wanted = KmsKeyWanted {
                account: DEFAULT_ACCOUNT.to_owned(),
                region: "eu-central-1".to_owned(),
                ..KmsKeyWanted::default()
            };
            let made = service.create_kms_key(wanted).await;
            let restarted = over(store.clone(), world);
            let kms = restarted.kms().await.unwrap();
            if let Ok(made) = &made {
                assert!(kms.keys().get(&made.id).is_some(), "it was acknowledged");
            }
            for key in kms.keys().all() {
                let sealed = restarted.encrypt(&kms, key, b"text", &context(&[])).unwrap();
                assert_eq!(*kms.decrypt(&sealed, &context(&[])).unwrap(), b"text");
            }
        }
    }
}
