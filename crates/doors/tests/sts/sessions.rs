//! The life of a session: its token, its end, the lock that it may still give back, and what users take for themselves.

use serde_json::json;
use tidelock_core::{
    iam::{Command, DEFAULT_ACCOUNT, Holder},
    limits::SESSION_GRACE_MS,
};

use crate::server::{Answer, OTHER, Pair, Server, allows, trusts};

const HOUR_MS: i64 = 60 * 60 * 1_000;

const LOCK: &str = r#"{"ID":"11111111-1111-1111-1111-111111111111","Operation":"apply"}"#;

fn state(serial: u32) -> String {
    json!({"version": 4, "serial": serial, "lineage": "l", "outputs": {}, "resources": []}).to_string()
}

/// All doors, a user who may do everything in STS, and the role `deploy`, which trusts her and may do everything in S3.
async fn start() -> (Server, Pair, String) {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("sts:*")).await;
    let role = server
        .role("deploy", trusts(DEFAULT_ACCOUNT), allows("s3:*"))
        .await;
    (server, ann, role)
}

async fn send(server: &Server, pair: &Pair, method: &str, path: &str) -> Answer {
    server
        .send(Some(pair), "s3", (method, path), &[], String::new())
        .await
}

#[tokio::test]
async fn an_ended_session_is_told_so() {
    let (server, ann, role) = start().await;
    let session = server.assume(&ann, &role, &[]).await.pair();
    server.pass(HOUR_MS - 1);
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
    for wait in [1, SESSION_GRACE_MS] {
        server.pass(wait);
        server.put(&session, "k", "x").await.refused(400, "ExpiredToken");
        let who = server
            .sts(Some(&session), &[("Action", "GetCallerIdentity")])
            .await;
        who.refused(403, "ExpiredToken");
        server
            .assume(&session, &role, &[])
            .await
            .refused(403, "ExpiredToken");
    }
}

#[tokio::test]
async fn a_user_takes_a_session_of_its_own() {
    let server = Server::start().await;
    let ann = server.user(DEFAULT_ACCOUNT, "ann", allows("s3:PutObject")).await;
    let take = [("Action", "GetSessionToken")];
    let answer = server.sts(Some(&ann), &take).await;
    assert_eq!(answer.element("Expiration"), "2026-11-22T00:00:00Z");
    let session = answer.pair();
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
    let who = server
        .sts(Some(&session), &[("Action", "GetCallerIdentity")])
        .await;
    assert_eq!(who.element("Arn"), "arn:aws:iam::000000000000:user/ann");
    server
        .sts(Some(&session), &take)
        .await
        .refused(403, "AccessDenied");
    let mfa = [take[0], ("SerialNumber", "GAHT12345678"), ("TokenCode", "123456")];
    server.sts(Some(&ann), &mfa).await.refused(403, "AccessDenied");
    for (seconds, status) in [("899", 400), ("129601", 400), ("129600", 200)] {
        let answer = server
            .sts(Some(&ann), &[take[0], ("DurationSeconds", seconds)])
            .await;
        assert_eq!(answer.status, status, "{seconds}");
    }
    let operator = server.sts(Some(&Server::operator()), &take).await;
    assert_eq!(
        operator.element("Expiration"),
        "2026-11-21T13:00:00Z",
        "an hour, as for root"
    );
    assert_eq!(server.put(&operator.pair(), "k", "x").await.status, 200);
    let off = Command::UpdateAccessKey {
        user: "ann".to_owned(),
        id: ann.id.clone(),
        active: false,
    };
    server.ask(DEFAULT_ACCOUNT, off).await;
    server.put(&session, "k", "x").await.refused(400, "InvalidToken");
}

#[tokio::test]
async fn the_operators_sessions_end_with_the_operators_key() {
    let mut server = Server::start().await;
    let take = [("Action", "GetSessionToken")];
    let session = server.sts(Some(&Server::operator()), &take).await.pair();
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
    server.renew_operator(Pair {
        id: "AKIATIDELOCKRENEWED0".to_owned(),
        ..Server::operator()
    });
    server.put(&session, "k", "x").await.refused(400, "InvalidToken");
}

#[tokio::test]
async fn what_is_about_keys_and_messages() {
    let server = Server::start().await;
    let ann = server.user(OTHER, "ann", allows("sts:*")).await;
    let eve = server.user(OTHER, "eve", allows("s3:*")).await;
    let info = [("Action", "GetAccessKeyInfo"), ("AccessKeyId", eve.id.as_str())];
    assert_eq!(server.sts(Some(&ann), &info).await.element("Account"), OTHER);
    server.sts(Some(&eve), &info).await.refused(403, "AccessDenied");
    let unknown = [info[0], ("AccessKeyId", "AKIAIOSFODNN7EXAMPLE")];
    server
        .sts(Some(&ann), &unknown)
        .await
        .refused(400, "ValidationError");
    let decode = [("Action", "DecodeAuthorizationMessage"), ("EncodedMessage", "x")];
    server
        .sts(Some(&ann), &decode)
        .await
        .refused(400, "InvalidAuthorizationMessageException");
    server.sts(Some(&eve), &decode).await.refused(403, "AccessDenied");
    let denied = json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]);
    server.give(OTHER, Holder::User("eve".to_owned()), denied).await;
    let who = server.sts(Some(&eve), &[("Action", "GetCallerIdentity")]).await;
    assert_eq!(who.element("Account"), OTHER, "never denied");
    for action in [
        "GetFederationToken",
        "AssumeRoleWithSAML",
        "AssumeRoot",
        "Nothing",
        "",
    ] {
        server
            .sts(Some(&ann), &[("Action", action)])
            .await
            .refused(400, "InvalidAction");
        server
            .sts(None, &[("Action", action)])
            .await
            .refused(403, "MissingAuthenticationToken");
    }
    server
        .sts(None, &[("Action", "GetCallerIdentity")])
        .await
        .refused(403, "MissingAuthenticationToken");
}

#[tokio::test]
async fn a_session_needs_its_token_and_no_other() {
    let (server, ann, role) = start().await;
    let session = server.assume(&ann, &role, &[]).await.pair();
    let other = server.assume(&ann, &role, &[]).await.pair();
    for token in [None, other.token.clone(), Some("x".to_owned())] {
        let mixed = Pair {
            token,
            ..session.clone()
        };
        let refused = server.put(&mixed, "k", "x").await;
        assert!([400, 403].contains(&refused.status), "{}", refused.text);
    }
    let stolen = Pair {
        secret: ann.secret.clone(),
        ..session.clone()
    };
    server
        .put(&stolen, "k", "x")
        .await
        .refused(403, "SignatureDoesNotMatch");
    let name = "own".to_owned();
    let of = Holder::Role("deploy".to_owned());
    server
        .ask(DEFAULT_ACCOUNT, Command::DeleteInline { of, name })
        .await;
    server.put(&session, "k", "x").await.refused(403, "AccessDenied");
    let name = "deploy".to_owned();
    server.ask(DEFAULT_ACCOUNT, Command::DeleteRole { name }).await;
    server.put(&session, "k", "x").await.refused(400, "InvalidToken");
}

#[tokio::test]
async fn who_holds_a_lock_finishes_after_its_session_has_ended() {
    let (server, ann, role) = start().await;
    let [holder, other] = [
        server.assume(&ann, &role, &[]).await.pair(),
        server.assume(&ann, &role, &[]).await.pair(),
    ];
    assert_eq!(server.put(&holder, "k.tflock", LOCK).await.status, 200);
    server.pass(HOUR_MS + SESSION_GRACE_MS - 1);
    server
        .put(&other, "k", &state(1))
        .await
        .refused(400, "ExpiredToken");
    server
        .put(&holder, "elsewhere", &state(1))
        .await
        .refused(400, "ExpiredToken");
    assert_eq!(server.put(&holder, "k", &state(1)).await.status, 200);
    let to = async |method, path| send(&server, &holder, method, path).await;
    assert_eq!(to("GET", "/tfstate/k").await.status, 200);
    assert_eq!(to("GET", "/tfstate/k.tflock").await.text, LOCK);
    assert_eq!(to("DELETE", "/tfstate/k.tflock").await.status, 204);
    server
        .put(&holder, "k", &state(2))
        .await
        .refused(400, "ExpiredToken");
    to("GET", "/tfstate/k").await.refused(400, "ExpiredToken");
}

#[tokio::test]
async fn an_ended_session_whose_lock_was_broken_or_is_too_old_finishes_nothing() {
    let (server, ann, role) = start().await;
    let [first, second] = [
        server.assume(&ann, &role, &[]).await.pair(),
        server.assume(&ann, &role, &[]).await.pair(),
    ];
    let state = &state(1);
    for (session, key) in [(&first, "a"), (&second, "b")] {
        assert_eq!(
            server.put(session, &format!("{key}.tflock"), LOCK).await.status,
            200
        );
    }
    server.pass(HOUR_MS);
    let operator = Server::operator();
    let broken = send(&server, &operator, "DELETE", "/tfstate/a.tflock").await;
    assert_eq!(broken.status, 204);
    server.put(&first, "a", state).await.refused(400, "ExpiredToken");
    server.pass(SESSION_GRACE_MS);
    server.put(&second, "b", state).await.refused(400, "ExpiredToken");
}

#[tokio::test]
async fn the_next_session_goes_on_with_the_lock_of_the_last() {
    let (server, ann, role) = start().await;
    let take = async || server.assume(&ann, &role, &[]).await.pair();
    let (first, beside) = (take().await, take().await);
    let state = &state(1);
    assert_eq!(server.put(&first, "k.tflock", LOCK).await.status, 200);
    let stranger = server.put(&beside, "k", state).await;
    assert!(
        !(200..300).contains(&stranger.status),
        "a session of the same name is another run"
    );
    server.pass(HOUR_MS);
    let next = take().await;
    assert_eq!(
        server.put(&next, "k", state).await.status,
        200,
        "its own next session is not"
    );
    let released = send(&server, &next, "DELETE", "/tfstate/k.tflock").await;
    assert_eq!(released.status, 204);
}
