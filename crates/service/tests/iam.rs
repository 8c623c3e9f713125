//! The directory over an engine: what is kept, what a crash leaves, and the credentials that follow from it.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{
    FakeWorld,
    faulty::{Death, Faulty},
    over, service,
};
use tidelock_core::iam::{Command, DEFAULT_ACCOUNT, Holder, IamError};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{Bucket, DirectoryError, KmsKeyWanted, Service};

const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn user(name: &str) -> Command {
    Command::CreateUser {
        path: "/".to_owned(),
        name: name.to_owned(),
        tags: vec![("team".to_owned(), "infra".to_owned())],
    }
}

fn policy(name: &str) -> Command {
    Command::CreatePolicy {
        path: "/".to_owned(),
        name: name.to_owned(),
        description: String::new(),
        document: ALLOW.to_owned(),
        tags: Vec::new(),
    }
}

fn of_ann() -> Holder {
    Holder::User("ann".to_owned())
}

async fn asked(service: &Service, command: Command) {
    service.change_directory(DEFAULT_ACCOUNT, command).await.unwrap();
}

fn reopened(engine: &Arc<MemoryEngine>) -> Service {
    let world = FakeWorld::default();
    world.skip(1_000);
    over(Arc::clone(engine) as Arc<dyn Engine>, Arc::new(world))
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart_with_its_secrets_and_rights() {
    let engine = Arc::new(MemoryEngine::new());
    let service = reopened(&engine);
    service.recover().await.unwrap();
    asked(&service, user("ann")).await;
    asked(&service, policy("states")).await;
    let arn = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:policy/states");
    asked(
        &service,
        Command::Attach {
            of: of_ann(),
            arn: arn.clone(),
        },
    )
    .await;
    let key = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap();

    let again = reopened(&engine);
    assert!(again.user_credential(&key.id).is_none());
    again.recover().await.unwrap();
    assert_eq!(again.directory(), service.directory());
    let credential = again.user_credential(&key.id).unwrap();
    assert_eq!(*credential.secret, *key.secret);
    assert_eq!(credential.principal.arn, "arn:aws:iam::000000000000:user/ann");
    assert_eq!(credential.principal.tags["team"], "infra");
    let names: Vec<_> = credential
        .rights
        .identity
        .iter()
        .map(|named| &named.name)
        .collect();
    assert_eq!(names, [&arn]);
}

#[tokio::test]
async fn secrets_are_nowhere_but_in_the_answer() {
    let engine = Arc::new(MemoryEngine::new());
    let service = reopened(&engine);
    asked(&service, user("ann")).await;
    let key = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap();
    let rows = engine.scan(vec![0]..vec![0xff], 100).await.unwrap();
    let stored: Vec<u8> = rows.iter().flat_map(|(_, entry)| entry.value.to_vec()).collect();
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains(&key.id) && !stored.contains(key.secret.as_str()));
    let shown = format!(
        "{key:?} {:?} {:?}",
        service.directory(),
        service.user_credential(&key.id)
    );
    assert!(shown.contains(&key.id) && !shown.contains(key.secret.as_str()));
}

#[tokio::test]
async fn a_key_that_is_switched_off_or_deleted_is_nobodys_at_once() {
    let service = service();
    asked(&service, user("ann")).await;
    let key = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap();
    let switched = |active| Command::UpdateAccessKey {
        user: "ann".to_owned(),
        id: key.id.clone(),
        active,
    };
    asked(&service, switched(false)).await;
    assert!(service.user_credential(&key.id).is_none());
    asked(&service, switched(true)).await;
    assert!(service.user_credential(&key.id).is_some());
    let delete = Command::DeleteAccessKey {
        user: "ann".to_owned(),
        id: key.id.clone(),
    };
    asked(&service, delete).await;
    assert!(service.user_credential(&key.id).is_none());
}

#[tokio::test]
async fn rights_follow_a_new_version_of_a_policy_for_those_who_have_it() {
    let service = service();
    for name in ["ann", "bob"] {
        asked(&service, user(name)).await;
    }
    asked(&service, policy("states")).await;
    let arn = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:policy/states");
    asked(
        &service,
        Command::Attach {
            of: of_ann(),
            arn: arn.clone(),
        },
    )
    .await;
    let ann = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap()
        .id;
    let bob = service
        .create_access_key(DEFAULT_ACCOUNT, "bob", None)
        .await
        .unwrap()
        .id;
    let before = [&ann, &bob].map(|id| service.user_credential(id).unwrap());
    let version = Command::CreatePolicyVersion {
        arn,
        document: ALLOW.replace("s3:*", "dynamodb:*"),
        set_default: true,
    };
    asked(&service, version).await;
    let after = [&ann, &bob].map(|id| service.user_credential(id).unwrap());
    assert!(!Arc::ptr_eq(&before[0], &after[0]) && Arc::ptr_eq(&before[1], &after[1]));
    let shown = format!("{:?}", after[0].rights.identity);
    assert!(shown.contains("dynamodb"), "{shown}");
}

#[tokio::test]
async fn a_user_that_is_renamed_keeps_its_keys_and_acts_under_its_new_name() {
    let service = service();
    asked(&service, user("ann")).await;
    let key = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap();
    let rename = Command::UpdateUser {
        name: "ann".to_owned(),
        new_path: None,
        new_name: Some("eve".to_owned()),
    };
    asked(&service, rename).await;
    let credential = service.user_credential(&key.id).unwrap();
    assert_eq!(credential.principal.arn, "arn:aws:iam::000000000000:user/eve");
    assert!(service.directory().user(DEFAULT_ACCOUNT, "ann").is_none());
    service.recover().await.unwrap();
    assert!(service.directory().user(DEFAULT_ACCOUNT, "ann").is_none());
}

#[tokio::test]
async fn a_change_whose_commit_was_lost_or_not_told_is_as_it_is_stored() {
    for death in [Death::Before, Death::After] {
        let store = Arc::new(MemoryEngine::new());
        let first = reopened(&store);
        first.recover().await.unwrap();
        asked(&first, user("ann")).await;
        let faulty = Faulty::over(&store, Some(death(1)));
        let service = over(faulty as Arc<dyn Engine>, Arc::new(FakeWorld::default()));
        service.recover().await.unwrap();
        let failed = service.change_directory(DEFAULT_ACCOUNT, user("bob")).await;
        assert!(matches!(failed, Err(DirectoryError::Service(_))));
        let after = reopened(&store);
        after.recover().await.unwrap();
        let is_there = after.directory().user(DEFAULT_ACCOUNT, "bob").is_some();
        assert_eq!(is_there, death(1) == Death::After(1));
        assert!(after.directory().user(DEFAULT_ACCOUNT, "ann").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_one_name_at_once_one_gets_it_and_no_change_is_lost() {
    let service = service();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                let own = format!("user-{number}");
                asked(&service, user(&own)).await;
                service.change_directory(DEFAULT_ACCOUNT, user("Shared")).await
            })
        })
        .collect();
    let mut got = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => got += 1,
            Err(DirectoryError::Refused(IamError::EntityAlreadyExists(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(got, 1);
    let directory = service.directory();
    assert_eq!(directory.account(DEFAULT_ACCOUNT).unwrap().users.len(), 41);
    service.recover().await.unwrap();
    assert_eq!(service.directory(), directory);
}

#[tokio::test]
async fn each_account_has_its_own() {
    let service = service();
    let account = Command::CreateAccount {
        id: "210987654321".to_owned(),
        name: "staging".to_owned(),
    };
    asked(&service, account).await;
    asked(&service, user("ann")).await;
    service
        .change_directory("210987654321", user("ann"))
        .await
        .unwrap();
    let directory = service.directory();
    let ids = [DEFAULT_ACCOUNT, "210987654321"].map(|id| &directory.user(id, "ANN").unwrap().id);
    assert_ne!(ids[0], ids[1]);
    service.recover().await.unwrap();
    assert_eq!(
        service.directory().account("210987654321").unwrap().name,
        "staging"
    );
}

#[tokio::test]
async fn the_policies_of_buckets_and_keys_name_who_is_gone_by_the_id() {
    let service = service();
    service.recover().await.unwrap();
    asked(&service, user("ann")).await;
    let id = service
        .directory()
        .user(DEFAULT_ACCOUNT, "ann")
        .unwrap()
        .id
        .clone();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"}}}"#;
    for name in ["states", "others"] {
        service.create_bucket(name, DEFAULT_ACCOUNT).await.unwrap();
    }
    let put = |bucket: &mut Bucket| drop(bucket.documents.insert("policy".to_owned(), policy.to_owned()));
    service.change_bucket("states", put).await.unwrap();
    let wanted = KmsKeyWanted {
        account: DEFAULT_ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        policy: Some(policy.to_owned()),
        ..KmsKeyWanted::default()
    };
    let key = service.create_kms_key(wanted).await.unwrap().id.clone();

    let name = "ann".to_owned();
    asked(&service, Command::DeleteUser { name }).await;
    asked(&service, user("ann")).await;
    let bucket = service.bucket("states").await.unwrap();
    let key = service
        .kms()
        .await
        .unwrap()
        .keys()
        .get(&key)
        .unwrap()
        .policy
        .clone();
    for policy in [&bucket.documents["policy"], &key] {
        assert!(policy.contains(&id) && !policy.contains("user/ann"), "{policy}");
    }
    assert!(service.bucket("others").await.unwrap().documents.is_empty());
}
