//! Sessions out of their tokens: nothing is stored of them, and what they may do is what is given by now.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{FakeWorld, over};
use tidelock_core::{
    Time,
    iam::{Command, DEFAULT_ACCOUNT, Holder},
    limits::{SESSION_GRACE_MS, SESSION_TOKEN_BYTES_MAX, SESSIONS_REMEMBERED_MAX},
    policy::PrincipalKind,
};
use tidelock_engine::{Engine, MemoryEngine};
use tidelock_service::{Actor, Credential, CredentialError, Issued, NewSession, Service, Web};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const ARN: &str = "arn:aws:iam::000000000000:role/ci/deploy";

async fn started(engine: &Arc<MemoryEngine>) -> Service {
    started_with(engine, 10_000).await
}

async fn started_with(engine: &Arc<MemoryEngine>, dice: u64) -> Service {
    let world = Arc::new(FakeWorld::default());
    world.skip(dice);
    let service = over(Arc::clone(engine) as Arc<dyn Engine>, world);
    service.recover().await.unwrap();
    service
}

async fn ask(service: &Service, command: Command) {
    service.change_directory(DEFAULT_ACCOUNT, command).await.unwrap();
}

async fn make_role(service: &Service) {
    let role = Command::CreateRole {
        path: "/ci/".to_owned(),
        name: "deploy".to_owned(),
        trust: TRUST.to_owned(),
        description: String::new(),
        max_session_secs: 3_600,
        tags: vec![
            ("team".to_owned(), "infra".to_owned()),
            ("env".to_owned(), "prod".to_owned()),
        ],
    };
    ask(service, role).await;
}

async fn with_role() -> (Service, NewSession) {
    let service = started(&Arc::default()).await;
    make_role(&service).await;
    let new = of_role(&service, "job-1", None);
    (service, new)
}

fn of_role(service: &Service, session: &str, web: Option<Web>) -> NewSession {
    let role = service.role_rights(ARN).unwrap();
    new(Actor::Role {
        arn: ARN.to_owned(),
        name: "deploy".to_owned(),
        id: role.principal.user_id.clone(),
        session: session.to_owned(),
        web,
    })
}

fn new(actor: Actor) -> NewSession {
    NewSession {
        account: DEFAULT_ACCOUNT.to_owned(),
        actor,
        seconds: 3_600,
        policy: None,
        policies: Vec::new(),
        tags: BTreeMap::new(),
        transitive: Vec::new(),
        source_identity: None,
    }
}

fn found(service: &Service, issued: &Issued) -> Result<Arc<Credential>, CredentialError> {
    service.session(&issued.access_key_id, &issued.token, service.now())
}

fn why<T>(found: Result<T, CredentialError>) -> CredentialError {
    found.err().unwrap()
}

#[tokio::test]
async fn a_session_looks_as_on_aws_and_is_good_after_a_restart() {
    let engine = Arc::new(MemoryEngine::new());
    let service = started(&engine).await;
    make_role(&service).await;
    let mut new = of_role(&service, "job-1", None);
    new.tags = BTreeMap::from([
        ("Team".to_owned(), "app".to_owned()),
        ("ref".to_owned(), "main".to_owned()),
    ]);
    new.transitive = vec!["ref".to_owned()];
    new.source_identity = Some("ann".to_owned());
    let issued = service.begin_session(new).await.unwrap();
    assert!(issued.access_key_id.starts_with("ASIA") && issued.access_key_id.len() == 20);
    assert_eq!(issued.secret.len(), 40);
    for service in [service, started(&engine).await] {
        let session = found(&service, &issued).unwrap();
        let principal = &session.principal;
        assert_eq!(*session.secret, *issued.secret);
        assert_eq!(
            principal.arn,
            "arn:aws:sts::000000000000:assumed-role/deploy/job-1"
        );
        assert!(principal.user_id.starts_with("AROA") && principal.user_id.ends_with(":job-1"));
        let role_arn = ARN.to_owned();
        assert_eq!(
            principal.kind,
            PrincipalKind::Session {
                role_arn,
                federated: None
            }
        );
        let tags: Vec<_> = principal.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            tags,
            ["Team=app", "env=prod", "ref=main"],
            "the session's come before the role's"
        );
        let facts = session.session.as_ref().unwrap();
        assert_eq!(facts.of, principal.user_id);
        assert_eq!(facts.context.values("aws:SourceIdentity"), ["ann"]);
        assert_eq!(
            facts.context.values("aws:TokenIssueTime"),
            ["1970-01-01T00:00:00Z"]
        );
        assert_eq!(
            facts.transitive,
            BTreeMap::from([("ref".to_owned(), "main".to_owned())])
        );
        assert!(!format!("{session:?}").contains(&*issued.secret));
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_key_and_unchanged_only() {
    let (service, new) = with_role().await;
    let one = service.begin_session(new.clone()).await.unwrap();
    let two = service.begin_session(new).await.unwrap();
    let now = service.now();
    assert_eq!(
        why(service.session(&two.access_key_id, &one.token, now)),
        CredentialError::Token
    );
    assert_eq!(
        why(service.session("ASIAXXXXXXXXXXXXXXXX", &one.token, now)),
        CredentialError::Token
    );
    let mut changed = one.token.to_string().into_bytes();
    changed[40] ^= 1;
    let changed = String::from_utf8(changed).unwrap();
    let long = "A".repeat(SESSION_TOKEN_BYTES_MAX + 1);
    for token in ["", "AAAA", "no base64!", &changed, &one.token[..40], &long] {
        assert_eq!(
            why(service.session(&one.access_key_id, token, now)),
            CredentialError::Token
        );
    }
    let elsewhere = started_with(&Arc::default(), 20_000).await;
    make_role(&elsewhere).await;
    assert_eq!(why(found(&elsewhere, &one)), CredentialError::Token);
}

#[tokio::test]
async fn what_a_role_is_given_and_loses_counts_at_once() {
    let (service, new) = with_role().await;
    let issued = service.begin_session(new).await.unwrap();
    let rights = |service: &Service| found(service, &issued).unwrap().rights.identity.len();
    assert_eq!(rights(&service), 0);
    let of = Holder::Role("deploy".to_owned());
    let put = Command::PutInline {
        of: of.clone(),
        name: "states".to_owned(),
        document: ALLOW.to_owned(),
    };
    ask(&service, put).await;
    assert_eq!(rights(&service), 1);
    let same = found(&service, &issued).unwrap();
    assert!(
        Arc::ptr_eq(&same, &found(&service, &issued).unwrap()),
        "opened once while nothing changes"
    );
    let name = "states".to_owned();
    ask(&service, Command::DeleteInline { of, name }).await;
    assert_eq!(rights(&service), 0);
}

#[tokio::test]
async fn a_deleted_role_ends_its_sessions_and_one_of_its_name_does_not_bring_them_back() {
    let (service, new) = with_role().await;
    let issued = service.begin_session(new).await.unwrap();
    found(&service, &issued).unwrap();
    let name = "deploy".to_owned();
    ask(&service, Command::DeleteRole { name }).await;
    assert_eq!(why(found(&service, &issued)), CredentialError::Token);
    make_role(&service).await;
    assert_eq!(why(found(&service, &issued)), CredentialError::Token);
}

#[tokio::test]
async fn an_ended_session_is_found_for_an_hour_and_known_to_have_ended() {
    let (service, new) = with_role().await;
    let issued = service.begin_session(new).await.unwrap();
    let at = |ms: i64| service.session(&issued.access_key_id, &issued.token, Time(issued.expires.0 + ms));
    assert!(!at(-1).unwrap().is_expired(issued.expires.plus_ms(-1)));
    assert!(at(0).unwrap().is_expired(issued.expires));
    at(SESSION_GRACE_MS - 1).unwrap();
    assert_eq!(why(at(SESSION_GRACE_MS)), CredentialError::Expired);
}

#[tokio::test]
async fn a_session_is_bounded_by_its_policies_and_by_nothing_that_is_gone() {
    let (service, new) = with_role().await;
    let policy = Command::CreatePolicy {
        path: "/".to_owned(),
        name: "bound".to_owned(),
        description: String::new(),
        document: ALLOW.to_owned(),
        tags: Vec::new(),
    };
    ask(&service, policy).await;
    let arn = "arn:aws:iam::000000000000:policy/bound".to_owned();
    let aws = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
    let bounds = async |policy: Option<&str>, policies: Vec<String>| {
        let new = NewSession {
            policy: policy.map(str::to_owned),
            policies,
            ..new.clone()
        };
        service.begin_session(new).await.unwrap()
    };
    let count = |issued: &Issued| {
        found(&service, issued)
            .unwrap()
            .rights
            .session
            .as_ref()
            .map(Vec::len)
    };
    assert_eq!(count(&bounds(None, Vec::new()).await), None);
    assert_eq!(count(&bounds(Some(ALLOW), Vec::new()).await), Some(1));
    let all = bounds(Some(ALLOW), vec![arn.clone(), aws]).await;
    assert_eq!(count(&all), Some(3));
    ask(&service, Command::DeletePolicy { arn }).await;
    assert_eq!(count(&all), Some(0), "what is gone might have denied something");
}

#[tokio::test]
async fn a_users_session_ends_with_the_key_that_it_was_begun_with() {
    let service = started(&Arc::default()).await;
    let user = Command::CreateUser {
        path: "/".to_owned(),
        name: "ann".to_owned(),
        tags: Vec::new(),
    };
    ask(&service, user).await;
    let key = service
        .create_access_key(DEFAULT_ACCOUNT, "ann", None)
        .await
        .unwrap();
    let actor = Actor::User {
        access_key_id: key.id.clone(),
    };
    let issued = service.begin_session(new(actor)).await.unwrap();
    let session = found(&service, &issued).unwrap();
    assert_eq!(session.principal.arn, "arn:aws:iam::000000000000:user/ann");
    assert_eq!(
        session
            .session
            .as_ref()
            .unwrap()
            .context
            .values("aws:MultiFactorAuthPresent"),
        ["false"]
    );
    let off = |active| Command::UpdateAccessKey {
        user: "ann".to_owned(),
        id: key.id.clone(),
        active,
    };
    ask(&service, off(false)).await;
    assert_eq!(why(found(&service, &issued)), CredentialError::Token);
    ask(&service, off(true)).await;
    found(&service, &issued).unwrap();
}

#[tokio::test]
async fn the_name_that_gos_sdk_makes_up_anew_is_not_what_tells_runs_apart() {
    let (service, _) = with_role().await;
    let web = Web {
        provider: "token.actions.githubusercontent.com".to_owned(),
        subject: "repo:org/app".to_owned(),
        claims: BTreeMap::from([("sub".to_owned(), vec!["repo:org/app".to_owned()])]),
    };
    let facts = async |name: &str, web: Option<&Web>| {
        let new = of_role(&service, name, web.cloned());
        let issued = service.begin_session(new).await.unwrap();
        let session = found(&service, &issued).unwrap();
        session.session.clone().unwrap()
    };
    let one = facts("1763749000000000001", Some(&web)).await;
    let two = facts("1763749000000000002", Some(&web)).await;
    assert_eq!(one.of, two.of);
    let key = "token.actions.githubusercontent.com:sub";
    assert_eq!(one.context.values(key), ["repo:org/app"]);
    assert_ne!(facts("a", Some(&web)).await.of, facts("b", Some(&web)).await.of);
    let [one, two] = ["1763749000000000001", "1763749000000000002"];
    assert_ne!(
        facts(one, None).await.of,
        facts(two, None).await.of,
        "only of web identities"
    );
}

#[tokio::test]
async fn more_sessions_than_are_remembered_all_work() {
    let (service, new) = with_role().await;
    let first = service.begin_session(new.clone()).await.unwrap();
    for _ in 0..SESSIONS_REMEMBERED_MAX + 1 {
        let issued = service.begin_session(new.clone()).await.unwrap();
        assert_eq!(
            found(&service, &issued).unwrap().access_key_id,
            issued.access_key_id
        );
    }
    assert_eq!(
        found(&service, &first).unwrap().access_key_id,
        first.access_key_id
    );
}
