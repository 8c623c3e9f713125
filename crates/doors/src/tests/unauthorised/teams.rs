//! What one team may not do to another, and one account to another, however it asks.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use md5::{Digest, Md5};
use tidelock_core::{
    Versioning,
    iam::{self, DEFAULT_ACCOUNT},
    policy::{Kind, Named, Policy, Rights},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Bucket, Credential, KmsKeyWanted, RootKey, Service};
use tokio::sync::oneshot;

use super::{RealTime, SECRET, Server, case_of, cases::Case, send, send_body};
use crate::aws_common::keys::Key;

/// Whose the bucket is.
const OURS: &str = "111111111111";
/// Another account.
const THEIRS: &str = "222222222222";
/// May do everything in our account.
const OWNER: &str = "AKIAOWNER";
/// May do everything in another account.
const STRANGER: &str = "AKIASTRANGER";
/// Of our account; what it may do is the test's.
pub(super) const MEMBER: &str = "AKIAMEMBER";
const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"ab","outputs":{"url":{"value":"https://x","type":"string"}},"resources":[{"mode":"managed","type":"t","name":"hidden","provider":"p","instances":[{"schema_version":0,"attributes":{"id":"i"}}]}]}"#;
const INFO: &str = r#"{"ID":"9c2b1f0a-0000-0000-0000-000000000001","Operation":"OperationTypeApply","Info":"","Who":"a@b","Version":"1.11.4","Created":"2026-11-21T10:00:00Z","Path":"vault/a/state"}"#;

fn key(id: &str, account: &str, statements: &str) -> Key {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let policy = || Named {
        name: "its policy".to_owned(),
        policy: Policy::parse(&text, Kind::Identity).unwrap(),
    };
    let identity = (!statements.is_empty()).then(|| Arc::new(policy()));
    let identity = identity.into_iter().collect();
    let arn = format!("arn:aws:iam::{account}:user/{id}");
    Key::from(Credential {
        rights: Rights {
            identity,
            ..Rights::default()
        },
        ..Credential::of_operator(id.into(), SECRET.into(), arn, account.into())
    })
}

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

pub(super) fn statement(effect: &str, action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Action":{action},"Resource":"{resource}"}}"#)
}

/// A server without buckets, with `member` as the statements of [`MEMBER`].
fn doors(member: &str) -> (Server, Arc<Service>) {
    doors_for(OURS, member)
}

/// The same, with [`MEMBER`] in another account.
fn doors_for(account: &str, member: &str) -> (Server, Arc<Service>) {
    let keys = [
        key(OWNER, OURS, ALL),
        key(STRANGER, THEIRS, ALL),
        key(MEMBER, account, member),
    ];
    let world = Arc::new(RealTime(Default::default()));
    let service = Service::new(
        Arc::new(MemoryEngine::new()),
        world,
        RootKey::new(&[1; 32]).into(),
    );
    let service = Arc::new(service);
    (Server::over(&service, keys), service)
}

/// The same, with the bucket `vault` of our account, and the states `a/state` and `b/state` in it.
pub(super) async fn with_states(member: &str) -> Server {
    with_states_for(OURS, member).await
}

/// The same, with [`MEMBER`] in another account.
async fn with_states_for(account: &str, member: &str) -> Server {
    let (doors, service) = doors_for(account, member);
    service.create_bucket("vault", OURS).await.unwrap();
    let versioned = |bucket: &mut Bucket| bucket.versioning = Versioning::Enabled;
    service.change_bucket("vault", versioned).await.unwrap();
    for state in ["/vault/a/state", "/vault/b/state"] {
        let put = s3(Method::PUT, state, STATE);
        assert_eq!(send(&doors, &put, Some(OWNER)).await.status, StatusCode::OK);
    }
    doors
}

pub(super) fn s3(method: Method, uri: &str, body: &str) -> Case {
    case_of(Some("s3"), method, uri, Vec::new(), body)
}

fn basic(method: &str, uri: &str, body: &str) -> Case {
    case_of(None, method.parse().unwrap(), uri, Vec::new(), body)
}

pub(super) fn dynamodb(operation: &str, body: &str) -> Case {
    let headers = vec![
        ("x-amz-target", format!("DynamoDB_20120810.{operation}")),
        ("content-type", "application/x-amz-json-1.0".to_owned()),
    ];
    case_of(Some("dynamodb"), Method::POST, "/", headers, body)
}

async fn make_lock_table(doors: &Server, key: &str) {
    let table = r#"{"TableName":"locks","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"LockID","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"LockID","KeyType":"HASH"}]}"#;
    let made = send(doors, &dynamodb("CreateTable", table), Some(key)).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
}

/// What can be asked about an item of a lock table.
fn about_item(id: &str) -> Vec<Case> {
    let info = INFO.replace('"', r#"\""#);
    let key = format!(r#"{{"LockID":{{"S":"{id}"}}}}"#);
    let item = format!(r#"{{"LockID":{{"S":"{id}"}},"Info":{{"S":"{info}"}}}}"#);
    vec![
        dynamodb("GetItem", &format!(r#"{{"TableName":"locks","Key":{key}}}"#)),
        dynamodb(
            "Query",
            &format!(
                r#"{{"TableName":"locks","KeyConditionExpression":"LockID = :id",
                "ExpressionAttributeValues":{{":id":{{"S":"{id}"}}}}}}"#
            ),
        ),
        dynamodb(
            "BatchGetItem",
            &format!(r#"{{"RequestItems":{{"locks":{{"Keys":[{key}]}}}}}}"#),
        ),
        dynamodb("PutItem", &format!(r#"{{"TableName":"locks","Item":{item}}}"#)),
        dynamodb(
            "UpdateItem",
            &format!(
                r#"{{"TableName":"locks","Key":{key},"UpdateExpression":"SET a = :a",
                "ExpressionAttributeValues":{{":a":{{"S":"a"}}}}}}"#
            ),
        ),
        dynamodb(
            "BatchWriteItem",
            &format!(r#"{{"RequestItems":{{"locks":[{{"PutRequest":{{"Item":{item}}}}}]}}}}"#),
        ),
        dynamodb("DeleteItem", &format!(r#"{{"TableName":"locks","Key":{key}}}"#)),
    ]
}

#[tokio::test]
async fn a_lock_table_of_ones_own_says_and_does_nothing_to_states_of_others() {
    let doors = with_states("").await;
    make_lock_table(&doors, STRANGER).await;
    let mut let_through = Vec::new();
    for id in ["vault/a/state", "vault/a/state-md5"] {
        for case in about_item(id) {
            let answer = send(&doors, &case, Some(STRANGER)).await;
            if !answer.is_refused() {
                let_through.push(format!("{} of {id}: {}", case.name, answer.text));
            }
        }
    }
    assert_eq!(let_through, Vec::<String>::new());
}

#[tokio::test]
async fn a_state_of_ones_own_opens_no_lock_table_of_others() {
    let doors = with_states("").await;
    let made = send(&doors, &s3(Method::PUT, "/strange", ""), Some(STRANGER)).await;
    assert!(made.status.is_success(), "{}", made.text);
    make_lock_table(&doors, OWNER).await;
    let name = r#""arn:aws:dynamodb:us-east-1:111111111111:table/locks""#;
    let mut let_through = Vec::new();
    // Of a bucket that is not here nobody is the owner, and of theirs they are.
    for id in ["elsewhere/a/state", "elsewhere/a/state-md5", "strange/a/state"] {
        for mut case in about_item(id) {
            let body = String::from_utf8(case.body.to_vec()).unwrap();
            case.body = body.replace(r#""locks""#, name).into();
            let answer = send(&doors, &case, Some(STRANGER)).await;
            if !answer.is_refused() {
                let_through.push(format!("{} of {id}: {}", case.name, answer.text));
            }
        }
    }
    assert_eq!(let_through, Vec::<String>::new());
}

/// A body that comes only when it is told to.
fn held_back(
    case: &Case,
) -> (
    oneshot::Sender<()>,
    impl http_body::Body<Data = Bytes, Error = Infallible> + use<>,
) {
    let (go, told) = oneshot::channel();
    let bytes = case.body.clone();
    let body = StreamBody::new(stream::once(async move {
        let _ = told.await;
        Ok(Frame::data(bytes))
    }));
    (go, body)
}

#[tokio::test]
async fn a_body_that_comes_late_goes_into_no_bucket_that_another_has_made_meanwhile() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},
        "Action":"s3:*","Resource":["arn:aws:s3:::vault","arn:aws:s3:::vault/*"]}}"#;
    let copied = vec![("x-amz-copy-source", "vault/a/state".to_owned())];
    let mut let_through = Vec::new();
    for case in [
        s3(Method::PUT, "/vault/a/state", STATE),
        s3(Method::PUT, "/vault?policy", policy),
        case_of(Some("s3"), Method::PUT, "/strange/copy", copied, " "),
        basic("POST", "/state/vault/a/state", STATE),
        basic("LOCK", "/state/vault/a/state", INFO),
    ] {
        let (doors, service) = doors("");
        service.create_bucket("strange", THEIRS).await.unwrap();
        let (go, body) = held_back(&case);
        let asked = send_body(&doors, &case, Some(STRANGER), body);
        let made = async {
            // The request has been looked at before this is polled first.
            service.create_bucket("vault", OURS).await.unwrap();
            let put = s3(Method::PUT, "/vault/a/state", STATE);
            assert_eq!(send(&doors, &put, Some(OWNER)).await.status, StatusCode::OK);
            go.send(()).ok();
        };
        let (answer, ()) = tokio::join!(biased; asked, made);
        if answer.status.is_success() {
            let_through.push(format!("{}: {} {}", case.name, answer.status, answer.text));
        }
    }
    assert_eq!(let_through, Vec::<String>::new());
}

/// Both doors through which a state is read, and those through which operators read it.
fn readings(state: &str) -> Vec<Case> {
    vec![
        s3(Method::GET, &format!("/vault/{state}"), ""),
        s3(Method::HEAD, &format!("/vault/{state}"), ""),
        basic("GET", &format!("/state/vault/{state}"), ""),
        basic("GET", &format!("/admin/body/vault/{state}?version=current"), ""),
        basic("GET", &format!("/admin/history/vault/{state}"), ""),
        basic(
            "GET",
            &format!("/admin/find?prefix=vault/{state}&resource=t.hidden"),
            "",
        ),
    ]
}

#[tokio::test]
async fn a_deny_of_s3_holds_at_every_door() {
    let denied = statement("Deny", r#""s3:*""#, "arn:aws:s3:::vault/a/*");
    let doors = with_states(&format!("{ALL},{denied}")).await;
    let mut let_through = Vec::new();
    for case in readings("a/state").into_iter().chain([
        basic("POST", "/admin/rollback/vault/a/state", r#"{"version":1}"#),
        basic(
            "POST",
            "/admin/allow/vault/a/state",
            r#"{"rewind":true,"for_ms":60000}"#,
        ),
        basic("POST", "/admin/freeze/vault/a/state", r#"{"reason":"x"}"#),
        basic("POST", "/admin/unlock/vault/a/state", r#"{"id":"x"}"#),
        basic("GET", "/admin/quarantine/vault/a/state", ""),
    ]) {
        let answer = send(&doors, &case, Some(MEMBER)).await;
        if answer.text.contains("hidden")
            || answer.status.is_success() && !answer.text.contains(r#""found":[]"#)
        {
            let_through.push(format!("{}: {} {}", case.name, answer.status, answer.text));
        }
    }
    for case in readings("b/state") {
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(answer.status.is_success(), "{}: {}", case.name, answer.text);
    }
    assert_eq!(let_through, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_found_under_a_prefix_is_what_may_be_read() {
    let all = statement("Allow", r#""tidelock:*""#, "*");
    let denied = statement("Deny", r#""tidelock:*""#, "arn:aws:s3:::vault/b/*");
    let mut let_through = Vec::new();
    for (key, account, member) in [
        (MEMBER, OURS, format!("{all},{denied}")),
        // Of the account that keeps the server, which has no more to say in ours than any other.
        (MEMBER, DEFAULT_ACCOUNT, all),
    ] {
        let doors = with_states_for(account, &member).await;
        let lock = basic("LOCK", "/state/vault/b/state", INFO);
        assert_eq!(send(&doors, &lock, Some(OWNER)).await.status, StatusCode::OK);
        for (prefix, what) in [
            ("", "find"),
            ("vault/", "find"),
            ("", "states"),
            ("vault/", "states"),
            ("", "locks"),
            ("vault/", "locks"),
            ("vault", "states"),
        ] {
            let case = basic(
                "GET",
                &format!("/admin/{what}?prefix={prefix}&resource=t.hidden"),
                "",
            );
            let answer = send(&doors, &case, Some(key)).await;
            if answer.text.contains("vault/b/state") {
                let_through.push(format!("{} of {account}: {}", case.name, answer.text));
            }
            if account == OURS && prefix == "vault/" && what != "locks" {
                assert!(
                    answer.text.contains("vault/a/state"),
                    "{}: {}",
                    case.name,
                    answer.text
                );
            }
        }
    }
    assert_eq!(let_through, Vec::<String>::new());
}

#[tokio::test]
async fn who_is_denied_to_force_unlock_still_gives_its_own_lock_back() {
    let denied = statement("Deny", r#""tidelock:ForceUnlock""#, "*");
    let doors = with_states(&format!("{ALL},{denied}")).await;
    make_lock_table(&doors, MEMBER).await;
    let key = r#"{"LockID":{"S":"vault/a/state"}}"#;
    let releases = [
        s3(Method::DELETE, "/vault/a/state.tflock", ""),
        basic("UNLOCK", "/state/vault/a/state", ""),
        dynamodb("DeleteItem", &format!(r#"{{"TableName":"locks","Key":{key}}}"#)),
    ];
    let takes = [
        s3(Method::PUT, "/vault/a/state.tflock", INFO),
        basic("LOCK", "/state/vault/a/state", INFO),
        about_item("vault/a/state").remove(3),
    ];
    let mut wrong = Vec::new();
    for (take, release) in takes.iter().zip(&releases) {
        let taken = send(&doors, take, Some(MEMBER)).await;
        assert!(taken.status.is_success(), "{}: {}", take.name, taken.text);
        let released = send(&doors, release, Some(MEMBER)).await;
        if !released.status.is_success() {
            wrong.push(format!("{}: {}", release.name, released.text));
            send(&doors, &releases[1], Some(OWNER)).await;
        }
    }
    for release in &releases {
        let taken = send(&doors, &takes[1], Some(OWNER)).await;
        assert!(taken.status.is_success(), "{}", taken.text);
        let released = send(&doors, release, Some(MEMBER)).await;
        if released.status.is_success() {
            wrong.push(format!("{} of another's: {}", release.name, released.text));
        }
        send(&doors, &releases[1], Some(OWNER)).await;
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn what_iam_is_asked_to_make_is_judged_by_its_own_name() {
    let create = statement(
        "Allow",
        r#"["iam:CreatePolicy","iam:CreateOpenIDConnectProvider"]"#,
        "arn:aws:iam::111111111111:*/team/*",
    );
    let (doors, _) = doors(&create);
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    for form in [
        format!("Action=CreatePolicy&PolicyName=p&Path=/approved/&PolicyDocument={document}&PolicyArn=arn:aws:iam::111111111111:policy/team/x"),
        "Action=CreateOpenIDConnectProvider&Url=https://x.example&ThumbprintList.member.1=0000000000000000000000000000000000000000&OpenIDConnectProviderArn=arn:aws:iam::111111111111:oidc-provider/team/x".to_owned(),
    ] {
        let headers = vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let case = case_of(Some("iam"), Method::POST, "/", headers, &format!("{form}&Version=2010-05-08"));
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(answer.is_refused(), "{form}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_condition_on_an_etag_tells_it_to_nobody_who_may_not_read() {
    let doors = with_states(&statement("Allow", r#"["s3:PutObject","s3:DeleteObject"]"#, "*")).await;
    for (method, uri, body) in [
        (Method::PUT, "/vault/a/state", STATE),
        (Method::DELETE, "/vault/a/state", ""),
    ] {
        let headers = vec![("if-match", "\"00000000000000000000000000000000\"".to_owned())];
        let case = case_of(Some("s3"), method, uri, headers, body);
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(
            answer.is_refused(),
            "{}: {} {}",
            case.name,
            answer.status,
            answer.text
        );
    }
    let batch =
        "<Delete><Object><Key>a/state</Key><ETag>00000000000000000000000000000000</ETag></Object></Delete>";
    let answer = send(&doors, &delete_batch(batch), Some(MEMBER)).await;
    assert!(
        answer.text.contains("<Code>AccessDenied</Code>"),
        "{}",
        answer.text
    );
}

fn delete_batch(list: &str) -> Case {
    let headers = vec![("content-md5", STANDARD.encode(Md5::digest(list)))];
    case_of(Some("s3"), Method::POST, "/vault?delete", headers, list)
}

#[tokio::test]
async fn a_batch_is_judged_by_the_versions_that_it_names() {
    let denied = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:VersionId":"v1"}}}"#;
    let doors = with_states(&format!("{ALL},{denied}")).await;
    for (version, may) in [("v1", false), ("v2", true)] {
        let batch =
            format!("<Delete><Object><Key>a/state</Key><VersionId>{version}</VersionId></Object></Delete>");
        let answer = send(&doors, &delete_batch(&batch), Some(MEMBER)).await;
        assert_eq!(
            !answer.text.contains("AccessDenied"),
            may,
            "{version}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn the_age_of_a_signature_counts() {
    for (operator, may) in [("NumericGreaterThan", true), ("NumericLessThanEquals", false)] {
        let aged = format!(
            r#"{{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{{"{operator}":{{"s3:signatureAge":"600000"}}}}}}"#
        );
        let doors = with_states(&format!("{ALL},{aged}")).await;
        let answer = send(&doors, &s3(Method::GET, "/vault/a/state", ""), Some(MEMBER)).await;
        assert_eq!(!answer.is_refused(), may, "{operator}: {}", answer.text);
    }
}

const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
    "Resource":"arn:aws:s3:::vault/a/*"}}"#;
const BLOCK: &str = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

#[tokio::test]
async fn a_bucket_policy_lets_another_account_in_and_a_public_one_not_where_that_is_restricted() {
    let doors = with_states("").await;
    let read = s3(Method::GET, "/vault/a/state", "");
    assert!(send(&doors, &read, Some(STRANGER)).await.is_refused());
    assert!(send(&doors, &read, Some(MEMBER)).await.is_refused());
    for (case, is_let_in) in [
        (s3(Method::PUT, "/vault?policy", PUBLIC), true),
        (s3(Method::PUT, "/vault?publicAccessBlock", BLOCK), false),
    ] {
        let put = send(&doors, &case, Some(OWNER)).await;
        assert!(put.status.is_success(), "{}: {}", case.name, put.text);
        let answer = send(&doors, &read, Some(STRANGER)).await;
        assert_eq!(
            answer.status.is_success(),
            is_let_in,
            "{}: {}",
            case.name,
            answer.text
        );
        assert!(send(&doors, &read, Some(MEMBER)).await.status.is_success());
    }
    let denies = PUBLIC.replace("Allow", "Deny");
    let put = s3(Method::PUT, "/vault?policy", &denies);
    assert!(send(&doors, &put, Some(OWNER)).await.status.is_success());
    assert!(send(&doors, &read, Some(OWNER)).await.is_refused());
}

#[tokio::test]
async fn a_copy_reads_its_source() {
    let member = [
        statement("Allow", r#""s3:PutObject""#, "arn:aws:s3:::vault/*"),
        statement("Allow", r#""s3:GetObject""#, "arn:aws:s3:::vault/b/*"),
    ];
    let doors = with_states(&member.join(",")).await;
    for (from, may) in [("vault/a/state", false), ("vault/b/state", true)] {
        let copied = vec![("x-amz-copy-source", from.to_owned())];
        let case = case_of(Some("s3"), Method::PUT, "/vault/copy", copied, "");
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert_eq!(answer.is_refused(), !may, "{from}: {}", answer.text);
    }
}

#[tokio::test]
async fn who_may_not_list_does_not_learn_what_is_not_there() {
    let read = statement("Allow", r#""s3:GetObject""#, "*");
    for (member, status) in [
        (read.clone(), StatusCode::FORBIDDEN),
        (
            format!(
                "{read},{}",
                statement("Allow", r#""s3:ListBucket""#, "arn:aws:s3:::vault")
            ),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let doors = with_states(&member).await;
        for method in [Method::GET, Method::HEAD] {
            let answer = send(&doors, &s3(method, "/vault/absent", ""), Some(MEMBER)).await;
            assert_eq!(answer.status, status);
        }
    }
}

#[tokio::test]
async fn who_may_lock_alone_ends_no_lock_of_another() {
    let doors = with_states(&statement(
        "Allow",
        r#""tidelock:Lock""#,
        "arn:aws:s3:::vault/a/*",
    ))
    .await;
    let take = basic("LOCK", "/state/vault/a/state", INFO);
    assert!(send(&doors, &take, Some(OWNER)).await.status.is_success());
    for case in [
        basic("UNLOCK", "/state/vault/a/state", ""),
        basic("UNLOCK", "/state/vault/a/state", INFO),
        s3(Method::DELETE, "/vault/a/state.tflock", ""),
    ] {
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(!answer.status.is_success(), "{}: {}", case.name, answer.text);
    }
    let again = send(&doors, &take, Some(STRANGER)).await;
    assert!(again.is_refused(), "{}", again.text);
}

#[tokio::test]
async fn a_table_is_written_where_the_leading_keys_allow_it() {
    let condition = r#"{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"ForAllValues:StringEquals":
        {"dynamodb:LeadingKeys":["vault/a/state"]},"Null":{"dynamodb:LeadingKeys":"false"}}}"#;
    let reads = statement("Allow", r#""s3:GetObject""#, "*");
    let doors = with_states(&format!("{condition},{reads}")).await;
    make_lock_table(&doors, OWNER).await;
    for (id, may) in [("vault/b/state", false), ("vault/a/state", true)] {
        for case in about_item(id) {
            let answer = send(&doors, &case, Some(MEMBER)).await;
            assert_eq!(
                answer.is_refused(),
                !may,
                "{} of {id}: {}",
                case.name,
                answer.text
            );
        }
    }
    let scan = dynamodb("Scan", r#"{"TableName":"locks"}"#);
    assert!(send(&doors, &scan, Some(MEMBER)).await.is_refused());
}

/// A server with the bucket `vault`, and a key of our account; `member` as for [`doors`].
async fn with_key(member: &str) -> (Server, String) {
    let (doors, service) = doors(member);
    service.open_keys().await.unwrap();
    service.create_bucket("vault", OURS).await.unwrap();
    let key = KmsKeyWanted {
        account: OURS.to_owned(),
        region: "eu-central-1".to_owned(),
        description: String::new(),
        policy: None,
        tags: BTreeMap::new(),
    };
    let key = service.create_kms_key(key).await.unwrap();
    (doors, key.arn())
}

/// Writes `a/state` under a key.
fn put_under(key: &str, state: &str) -> Case {
    let headers = vec![
        ("x-amz-server-side-encryption", "aws:kms".to_owned()),
        ("x-amz-server-side-encryption-aws-kms-key-id", key.to_owned()),
    ];
    case_of(Some("s3"), Method::PUT, "/vault/a/state", headers, state)
}

#[tokio::test]
async fn a_state_under_a_key_is_written_and_read_only_by_who_may_use_the_key() {
    let member = [
        statement("Allow", r#"["s3:*","tidelock:*"]"#, "*"),
        statement("Allow", r#""kms:DescribeKey""#, "*"),
    ];
    let (doors, key) = with_key(&member.join(",")).await;
    let put = put_under(&key, STATE);
    assert!(send(&doors, &put, Some(MEMBER)).await.is_refused());
    let written = send(&doors, &put, Some(OWNER)).await;
    assert!(written.status.is_success(), "{}", written.text);
    for case in [
        s3(Method::GET, "/vault/a/state", ""),
        basic("GET", "/state/vault/a/state", ""),
        basic("GET", "/admin/body/vault/a/state?version=current", ""),
    ] {
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(answer.is_refused(), "{}: {}", case.name, answer.text);
        let answer = send(&doors, &case, Some(OWNER)).await;
        assert!(answer.text.contains("hidden"), "{}: {}", case.name, answer.text);
    }
}

#[tokio::test]
async fn operators_bring_nothing_out_from_under_a_key_that_they_may_not_use() {
    let all = statement("Allow", r#"["s3:*","tidelock:*"]"#, "*");
    let (doors, key) = with_key(&all).await;
    let written = send(&doors, &put_under(&key, STATE), Some(OWNER)).await;
    assert!(written.status.is_success(), "{}", written.text);
    let other = STATE.replace("\"i\"", "\"j\"");
    let refused = send(&doors, &put_under(&key, &other), Some(OWNER)).await;
    assert!(!refused.status.is_success(), "{}", refused.text);
    let list = basic("GET", "/admin/quarantine/vault/a/state", "");
    let kept = send(&doors, &list, Some(MEMBER)).await;
    let kept: serde_json::Value = serde_json::from_str(&kept.text).unwrap();
    let adopted = format!(r#"{{"id":{}}}"#, kept["refused"][0]["id"]);
    for case in [
        basic("POST", "/admin/rollback/vault/a/state", r#"{"version":1}"#),
        basic("POST", "/admin/adopt/vault/a/state", &adopted),
    ] {
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert!(answer.is_refused(), "{}: {}", case.name, answer.text);
        let answer = send(&doors, &case, Some(OWNER)).await;
        assert!(answer.status.is_success(), "{}: {}", case.name, answer.text);
    }
    let find = basic("GET", "/admin/find?prefix=vault/&resource=t.hidden", "");
    let answer = send(&doors, &find, Some(MEMBER)).await;
    assert!(!answer.text.contains("hidden"), "{}", answer.text);
    assert!(answer.text.contains("kms:Decrypt"), "{}", answer.text);
    let answer = send(&doors, &find, Some(OWNER)).await;
    assert!(answer.text.contains("hidden"), "{}", answer.text);
}

#[tokio::test]
async fn who_renames_a_user_may_change_what_it_becomes() {
    let (doors, service) = doors(&statement(
        "Allow",
        r#""iam:UpdateUser""#,
        "arn:aws:iam::111111111111:user/team/*",
    ));
    for command in [
        iam::Command::CreateAccount {
            id: OURS.to_owned(),
            name: "ours".to_owned(),
        },
        iam::Command::CreateUser {
            path: "/team/".to_owned(),
            name: "ann".to_owned(),
            tags: Vec::new(),
        },
    ] {
        service.change_directory(OURS, command).await.unwrap();
    }
    for (change, may) in [("NewPath=/admin/", false), ("NewPath=/team/x/", true)] {
        let headers = vec![(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
        )];
        let form = format!("Action=UpdateUser&Version=2010-05-08&UserName=ann&{change}");
        let case = case_of(Some("iam"), Method::POST, "/", headers, &form);
        let answer = send(&doors, &case, Some(MEMBER)).await;
        assert_eq!(answer.is_refused(), !may, "{change}: {}", answer.text);
    }
}
