//! AssumeRoleWithWebIdentity: an issuer's token, a role that trusts the issuer, and conditions on the claims.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tidelock_core::iam::{Command, DEFAULT_ACCOUNT};

use crate::server::{Answer, NOON_MS, Server, allows};

const HOST: &str = "token.actions.githubusercontent.com";
const PROVIDER: &str = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com";

/// An issuer with one key.
struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Issuer {
        Issuer(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn keys(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}]})
    }

    /// A token as GitHub's, with these claims beside.
    fn token(&self, more: Value) -> String {
        let now = NOON_MS / 1_000;
        let mut claims = json!({"iss": format!("https://{HOST}"), "aud": "sts.amazonaws.com", "iat": now, "nbf": now, "exp": now + 300,
            "sub": "repo:org/app:ref:refs/heads/main", "repository": "org/app", "ref": "refs/heads/main", "run_id": "17"});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            encode(&json!({"alg": "ES256", "kid": "k1", "typ": "JWT"})),
            encode(&claims)
        );
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// A server with a provider for GitHub, and a role for the main branch of one repository.
async fn started() -> (Server, Issuer, String) {
    let (server, issuer) = (Server::start().await, Issuer::new());
    let configuration =
        json!({"issuer": format!("https://{HOST}"), "jwks_uri": format!("https://{HOST}/.well-known/jwks")});
    server.publish(
        &format!("https://{HOST}/.well-known/openid-configuration"),
        &configuration,
    );
    server.publish(&format!("https://{HOST}/.well-known/jwks"), &issuer.keys());
    let provider = Command::CreateProvider {
        url: format!("https://{HOST}"),
        client_ids: vec!["sts.amazonaws.com".to_owned()],
        thumbprints: Vec::new(),
        tags: Vec::new(),
    };
    server.ask(DEFAULT_ACCOUNT, provider).await;
    let trust = json!([{"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {format!("{HOST}:aud"): "sts.amazonaws.com", format!("{HOST}:repository"): "org/app"},
            "StringLike": {format!("{HOST}:sub"): "repo:org/app:ref:refs/heads/*"}}}]);
    let role = server.role("ci", trust, allows("s3:*")).await;
    (server, issuer, role)
}

async fn assume(server: &Server, role: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role),
        ("RoleSessionName", "GitHubActions"),
        ("WebIdentityToken", token),
    ];
    server.sts(None, &[&fields[..], more].concat()).await
}

#[tokio::test]
async fn a_job_with_a_token_needs_no_key() {
    let (server, issuer, role) = started().await;
    let answer = assume(&server, &role, &issuer.token(json!({})), &[]).await;
    assert_eq!(
        answer.element("SubjectFromWebIdentityToken"),
        "repo:org/app:ref:refs/heads/main"
    );
    assert_eq!(answer.element("Audience"), "sts.amazonaws.com");
    assert_eq!(answer.element("Provider"), PROVIDER);
    assert_eq!(
        answer.element("Arn"),
        "arn:aws:sts::000000000000:assumed-role/ci/GitHubActions"
    );
    let session = answer.pair();
    assert_eq!(server.put(&session, "k", "x").await.status, 200);
}

#[tokio::test]
async fn a_token_that_the_role_does_not_trust_gets_nothing() {
    let (server, issuer, role) = started().await;
    for claims in [
        json!({"repository": "org/other"}),
        json!({"repository": null}),
        json!({"sub": "repo:org/app:pull_request"}),
        json!({"sub": "repo:org/application:ref:refs/heads/main"}),
    ] {
        let refused = assume(&server, &role, &issuer.token(claims.clone()), &[]).await;
        let message = refused.refused(403, "AccessDenied");
        assert_eq!(
            message, "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "{claims}"
        );
    }
    let missing = "arn:aws:iam::000000000000:role/missing";
    assume(&server, missing, &issuer.token(json!({})), &[])
        .await
        .refused(403, "AccessDenied");
    let elsewhere = "arn:aws:iam::999999999999:role/ci";
    assume(&server, elsewhere, &issuer.token(json!({})), &[])
        .await
        .refused(403, "AccessDenied");
    let people = crate::server::trusts(DEFAULT_ACCOUNT);
    let people = server.role("people", people, allows("s3:*")).await;
    assume(&server, &people, &issuer.token(json!({})), &[])
        .await
        .refused(403, "AccessDenied");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_with_awss_codes() {
    let (server, issuer, role) = started().await;
    let good = issuer.token(json!({}));
    let refused = async |token: &str, code: &str| assume(&server, &role, token, &[]).await.refused(400, code);
    let message = refused(&issuer.token(json!({"aud": "other"})), "InvalidIdentityToken").await;
    assert_eq!(message, "Incorrect token audience");
    let message = refused(
        &issuer.token(json!({"iss": "https://evil.example"})),
        "InvalidIdentityToken",
    )
    .await;
    assert_eq!(
        message,
        "No OpenIDConnect provider found in your account for https://evil.example"
    );
    refused(&Issuer::new().token(json!({})), "InvalidIdentityToken").await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    refused(signed, "InvalidIdentityToken").await;
    let none = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        signed.split_once('.').unwrap().1
    );
    refused(&none, "InvalidIdentityToken").await;
    refused("x", "InvalidIdentityToken").await;
    refused("", "ValidationError").await;
    server.pass(400_000);
    let message = refused(&good, "ExpiredTokenException").await;
    assert!(message.contains("2026-11-21T12:05:00Z"), "{message}");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_named() {
    let (server, issuer, _) = started().await;
    let provider = Command::CreateProvider {
        url: "https://gitlab.example".to_owned(),
        client_ids: vec!["tidelock".to_owned()],
        thumbprints: Vec::new(),
        tags: Vec::new(),
    };
    server.ask(DEFAULT_ACCOUNT, provider).await;
    let token = issuer.token(json!({"iss": "https://gitlab.example", "aud": "tidelock"}));
    let refused = assume(&server, "arn:aws:iam::000000000000:role/ci", &token, &[]).await;
    let message = refused.refused(400, "IDPCommunicationError");
    assert!(message.contains("https://gitlab.example"), "{message}");
}

#[tokio::test]
async fn claims_are_condition_keys_and_tags_of_the_session() {
    let (server, issuer, _) = started().await;
    let trust = json!([{"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {"StringEquals": {format!("{HOST}:aud"): "sts.amazonaws.com", "aws:RequestTag/project": "app"}}}]);
    let by_claim = json!([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::tfstate/${aws:PrincipalTag/project}/*",
        "Condition": {"StringLike": {format!("{HOST}:sub"): "repo:org/app:*", "aws:FederatedProvider": PROVIDER}}}]);
    let role = server.role("tagged", trust, by_claim).await;
    assume(&server, &role, &issuer.token(json!({})), &[])
        .await
        .refused(403, "AccessDenied");
    let tags = json!({"https://aws.amazon.com/tags": {"principal_tags": {"project": ["app"]}, "transitive_tag_keys": ["project"]}});
    let session = assume(&server, &role, &issuer.token(tags), &[]).await.pair();
    assert_eq!(server.put(&session, "app/k", "x").await.status, 200);
    assert_eq!(server.put(&session, "other/k", "x").await.status, 403);
    let identity = json!({"https://aws.amazon.com/source_identity": "ann", "https://aws.amazon.com/tags": {"principal_tags": {"project": ["app"]}}});
    assume(&server, &role, &issuer.token(identity), &[])
        .await
        .refused(403, "AccessDenied");
}
