//! Bodies under KMS keys.

use std::sync::Arc;

use tidelock_core::{
    Content,
    decide::Precondition,
    iam::DEFAULT_ACCOUNT,
    kms::{Command, KmsError, KmsKey, S3_ALIAS},
};
use tidelock_service::{
    DefaultKey, Error, Foreign, OperatorError, RootKey, RootKeys, Service, Sought, VerifyPage,
};

use crate::{
    common::{at, body, caller, part},
    world::{Server, content, read, state, under, why},
};

fn header<'a>(content: &'a Content, name: &str) -> Option<&'a str> {
    content.headers.get(name).map(String::as_str)
}

fn is_disabled(key: &KmsKey) -> KmsError {
    KmsError::Disabled(format!("{} is disabled.", key.arn()))
}

async fn verify(service: &Service) -> VerifyPage {
    service.verify("", None, |_, _, _| Ok(())).await.unwrap()
}

#[tokio::test]
async fn a_disabled_key_makes_all_versions_unreadable_at_once_and_enabling_brings_them_back() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    for serial in 1..=40 {
        server.put("a", serial, &key.id).await.unwrap();
    }
    let packed = service.pack_all().await.unwrap();
    assert!(packed.versions > 30, "{packed:?}");
    for serial in 1..=40 {
        assert_eq!(server.read("a", serial).await.unwrap(), state(serial));
    }
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    for serial in 1..=40 {
        assert_eq!(why(server.read("a", serial).await), is_disabled(&key), "{serial}");
    }
    let restarted = server.restarted();
    assert_eq!(why(read(&restarted, "a", 7).await), is_disabled(&key));
    let verified = verify(service).await;
    assert_eq!(
        (verified.checked, verified.damaged.len(), verified.closed.len()),
        (0, 0, 40)
    );
    assert!(
        verified.closed[0].what.contains("is disabled"),
        "{:?}",
        verified.closed[0]
    );
    assert_eq!(why(server.put("a", 41, &key.id).await), is_disabled(&key));
    server.change(Command::Enable(key.id.clone())).await.unwrap();
    for serial in 1..=40 {
        assert_eq!(server.read("a", serial).await.unwrap(), state(serial));
    }
    assert_eq!(verify(service).await.checked, 40);
    assert_eq!(service.pack_all().await.unwrap().versions, 0);
}

#[tokio::test]
async fn what_people_see_of_history_says_nothing_of_what_a_disabled_key_has_sealed() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    for serial in 1..=3 {
        server.put("a", serial, &key.id).await.unwrap();
    }
    service.pack_all().await.unwrap();
    let (_, entry) = service.version_named(&at("a"), "2").await.unwrap();
    assert!(entry.changes.is_some());
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    let (_, entry) = service.version_named(&at("a"), "2").await.unwrap();
    assert!(entry.changes.is_none());
    let found = service.find_resource(&Sought::default(), "", "").await.unwrap();
    assert!(found.unread[0].why.contains("is disabled"), "{found:?}");
    let rollback = service.rollback(&at("a"), 1, None, &caller("o")).await;
    assert!(
        matches!(&rollback, Err(OperatorError::Service(Error::Kms(why))) if *why == is_disabled(&key)),
        "{rollback:?}"
    );
}

#[tokio::test]
async fn no_version_rests_on_one_under_another_key() {
    let server = Server::start().await;
    let (one, other) = (server.key().await, server.key().await);
    for serial in 1..=60 {
        let key = if serial % 5 < 2 { &one } else { &other };
        server.put("a", serial, &key.id).await.unwrap();
    }
    let packed = server.service.pack_all().await.unwrap();
    assert!(packed.versions > 10, "{packed:?}");
    server.change(Command::Disable(other.id.clone())).await.unwrap();
    for serial in 1..=60 {
        let found = server.read("a", serial).await;
        match serial % 5 < 2 {
            true => assert_eq!(found.unwrap(), state(serial)),
            false => assert_eq!(why(found), is_disabled(&other)),
        }
    }
}

#[tokio::test]
async fn the_packer_passes_over_what_is_closed_and_does_it_when_it_is_opened() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    for serial in 1..=9 {
        server.put("a", serial, &key.id).await.unwrap();
        server.put("b", serial, &server.key().await.id).await.unwrap();
    }
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    server.service.pack_all().await.unwrap();
    for serial in 1..=9 {
        assert_eq!(server.read("b", serial).await.unwrap(), state(serial));
        let stored = service
            .version(&at("a"), serial)
            .await
            .unwrap()
            .body
            .unwrap()
            .stored;
        assert_eq!(stored.base, None, "nothing was done without the key");
    }
    server.change(Command::Enable(key.id.clone())).await.unwrap();
    let collected = service.collect("", None, false).await.unwrap();
    assert_eq!(collected.packed, 6);
    assert_eq!(server.read("a", 3).await.unwrap(), state(3));
}

#[tokio::test]
async fn a_write_over_what_is_closed_is_judged_by_its_header_as_ever() {
    let server = Server::start().await;
    let (old, new) = (server.key().await, server.key().await);
    server.put("a", 5, &old.id).await.unwrap();
    server.change(Command::Disable(old.id.clone())).await.unwrap();
    let stale = server.put("a", 4, &new.id).await;
    assert!(
        matches!(stale, Err(Error::State { kept: Some(_), .. })),
        "{stale:?}"
    );
    let next = server
        .service
        .put(&at("a"), under(state(6), &new.id), &caller("other"))
        .await;
    assert_eq!(server.read("a", next.unwrap().seq).await.unwrap(), state(6));
    let kept = &server.service.refused_writes(&at("a")).await.unwrap()[0];
    assert_eq!(kept.body.stored.key.kms.as_ref(), Some(&new.id));
    server.change(Command::Disable(new.id.clone())).await.unwrap();
    assert_eq!(
        why(server.service.read_all(&at("a"), kept.id, &kept.body).await),
        is_disabled(&new)
    );
}

#[tokio::test]
async fn parts_and_what_is_made_of_them_are_under_the_uploads_key() {
    let server = Server::start().await;
    let (service, key) = (&server.service, server.key().await);
    server
        .change(Command::CreateAlias {
            alias: "alias/state".to_owned(),
            key: key.id.clone(),
        })
        .await
        .unwrap();
    let (address, by) = (at("big"), caller("c"));
    let upload = service
        .create_upload(&address, content("alias/state"), &by)
        .await
        .unwrap();
    assert_eq!(
        header(&upload.content, "x-amz-server-side-encryption-aws-kms-key-id"),
        Some(key.arn().as_str())
    );
    let first = service
        .put_part(&address, &upload.id, part(1, state(1)))
        .await
        .unwrap();
    let named = [(1, first.md5)];
    let complete = || async {
        let seal = |_: &[u8], _: &[tidelock_service::Part]| Ok(Default::default());
        let none = Precondition::default();
        service
            .complete_upload(&address, &upload.id, &named, none, &seal, &by)
            .await
    };
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    assert_eq!(why(complete().await), is_disabled(&key));
    let more = service.put_part(&address, &upload.id, part(2, state(1))).await;
    assert_eq!(why(more), is_disabled(&key));
    let verified = verify(service).await;
    assert_eq!((verified.checked, verified.closed.len()), (0, 1), "{verified:?}");
    server.change(Command::Enable(key.id.clone())).await.unwrap();
    let made = complete().await.unwrap();
    assert_eq!(server.read("big", made.seq).await.unwrap(), state(1));
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    assert_eq!(why(server.read("big", made.seq).await), is_disabled(&key));
}

#[tokio::test]
async fn a_bucket_says_for_those_who_do_not() {
    let server = Server::start().await;
    let (service, key, next) = (&server.service, server.key().await, server.key().await);
    let default = |key: Option<&str>| {
        let default = DefaultKey {
            algorithm: "aws:kms".to_owned(),
            key: key.map(str::to_owned),
            bucket_key: true,
        };
        move |bucket: &mut tidelock_service::Bucket| bucket.default_key = Some(default.clone())
    };
    service
        .change_bucket("tfstate", default(Some(&key.arn())))
        .await
        .unwrap();
    let written = service.put(&at("a"), body(state(1)), &caller("c")).await.unwrap();
    let said = written.body.clone().unwrap().content;
    assert_eq!(header(&said, "x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(
        header(&said, "x-amz-server-side-encryption-bucket-key-enabled"),
        Some("true")
    );
    let of = service.kms_key_of(&written.body.unwrap()).await.unwrap();
    assert_eq!(of.map(|key| key.id.clone()), Some(key.id.clone()));
    let foreign = Foreign {
        bytes: Some(state(2).into()),
        md5: hex::encode(body(state(2)).md5),
        written: service.now(),
        number: 2,
        writer: None,
        follows: None,
    };
    let imported = service.import(&at("a"), foreign).await.unwrap().unwrap();
    assert_eq!(imported.body.unwrap().stored.key.kms, Some(key.id.clone()));
    service
        .change_bucket("tfstate", default(Some(&next.id)))
        .await
        .unwrap();
    let restored = service.rollback(&at("a"), 1, None, &caller("o")).await.unwrap();
    assert_eq!(
        restored.body.unwrap().stored.key.kms,
        Some(next.id.clone()),
        "what is written now is under the bucket's key of now"
    );
    let mut plain = body("plain");
    plain
        .content
        .headers
        .insert("x-amz-server-side-encryption".to_owned(), "AES256".to_owned());
    let plain = service.put(&at("plain"), plain, &caller("c")).await.unwrap();
    assert_eq!(plain.body.unwrap().stored.key.kms, None);
}

#[tokio::test]
async fn s3_has_a_key_of_its_own_that_is_made_once_and_that_nobody_changes() {
    let server = Server::start().await;
    let service = &server.service;
    service
        .change_bucket("tfstate", |bucket| {
            bucket.default_key = Some(DefaultKey {
                algorithm: "aws:kms".to_owned(),
                key: None,
                bucket_key: false,
            });
        })
        .await
        .unwrap();
    let writes = (0..8).map(|n| {
        let service = service.clone();
        tokio::spawn(async move {
            let address = at(&format!("s{n}"));
            service.put(&address, body(state(1)), &caller("c")).await.unwrap()
        })
    });
    let mut used = Vec::new();
    for write in writes.collect::<Vec<_>>() {
        used.push(write.await.unwrap().body.unwrap().stored.key.kms.unwrap());
    }
    used.dedup();
    assert_eq!(used.len(), 1);
    let kms = service.kms().await.unwrap();
    let key = kms.keys().with_alias(DEFAULT_ACCOUNT, S3_ALIAS).unwrap();
    assert_eq!(key.id, used[0]);
    assert!(kms.policy_of(key).is_some());
    for command in [
        Command::Disable(key.id.clone()),
        Command::ScheduleDeletion {
            key: key.id.clone(),
            days: None,
        },
    ] {
        let refused = why(server.change(command).await);
        assert!(matches!(refused, KmsError::AccessDenied(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_key_that_does_not_exist_or_is_an_empty_objects_is_told_too() {
    let server = Server::start().await;
    let key = server.key().await;
    let none = why(server.put("a", 1, "alias/none").await);
    assert!(matches!(none, KmsError::NotFound(_)), "{none:?}");
    let service = &server.service;
    let empty = service
        .put(&at("e"), under("", &key.id), &caller("c"))
        .await
        .unwrap();
    server.change(Command::Disable(key.id.clone())).await.unwrap();
    let mut reading = service.reading(&at("e"), empty.seq, &empty.body.unwrap(), 0..0);
    assert_eq!(why(reading.next().await), is_disabled(&key));
}

#[tokio::test]
async fn a_new_root_key_concerns_the_outer_seal_alone() {
    let server = Server::start().await;
    let (open, closed) = (server.key().await, server.key().await);
    server.service.open_keys().await.unwrap();
    for serial in 1..=4 {
        server.put("a", serial, &open.id).await.unwrap();
        server.put("b", serial, &closed.id).await.unwrap();
    }
    server.change(Command::Disable(closed.id.clone())).await.unwrap();
    let keys = RootKeys {
        current: RootKey::new(&[9; 32]),
        former: vec![RootKey::new(&[1; 32])],
    };
    let service = Service::new(server.engine.clone(), server.world.clone(), keys);
    service.open_keys().await.unwrap();
    while service.rotation().is_none_or(|rotation| rotation.is_running()) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let rotation = service.rotation().unwrap();
    assert_eq!((rotation.failed.len(), rotation.fault), (0, None));
    let alone = Service::new(
        server.engine.clone(),
        server.world.clone(),
        RootKey::new(&[9; 32]).into(),
    );
    for serial in 1..=4 {
        assert_eq!(read(&alone, "a", serial).await.unwrap(), state(serial));
        assert_eq!(why(read(&alone, "b", serial).await), is_disabled(&closed));
    }
    alone
        .change_kms(Command::Enable(closed.id.clone()))
        .await
        .unwrap();
    assert_eq!(read(&alone, "b", 3).await.unwrap(), state(3));
    drop(Arc::new(alone));
}
