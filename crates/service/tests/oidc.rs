//! Tokens of issuers: proven by the issuer's key and by nothing else, and what it costs to refuse one is bounded.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA512, RsaEncoding,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use common::{FakeWorld, over};
use serde_json::{Value, json};
use tidelock_core::{
    iam::{Account, OidcProvider},
    jwt::JwtError,
    limits::{OIDC_FETCH_PAUSE_MS, OIDC_KEYS_FRESH_MS, OIDC_KEYS_STALE_MS},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Issuer, KeyLocation, KeyReading, KeySource, OidcError, Service, WebIdentity};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const FAR: i64 = 4_000_000_000;

/// What is at which place, and how often it was asked for.
#[derive(Default)]
struct Documents {
    at: Mutex<HashMap<KeyLocation, String>>,
    reads: AtomicUsize,
}

impl KeySource for Documents {
    fn read<'a>(&'a self, location: &'a KeyLocation) -> KeyReading<'a> {
        Box::pin(async {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let at = self.at.lock().unwrap().get(location).cloned();
            at.map(Bytes::from).ok_or_else(|| "no route to host".to_owned())
        })
    }
}

impl Documents {
    fn put(&self, location: KeyLocation, document: &Value) {
        self.at.lock().unwrap().insert(location, document.to_string());
    }

    /// What an issuer shows on its site.
    fn publish(&self, keys: &Value) {
        let keys_at = format!("{ISSUER}/keys");
        let configuration = url(&format!("{ISSUER}/.well-known/openid-configuration"));
        self.put(configuration, &json!({"issuer": ISSUER, "jwks_uri": keys_at}));
        self.put(url(&keys_at), keys);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

fn url(text: &str) -> KeyLocation {
    KeyLocation::Url(text.to_owned())
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Signer {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding, &'static str),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn rsa() -> Signer {
        Signer::Rsa(
            RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            &RSA_PKCS1_SHA256,
            "RS256",
        )
    }

    fn ec() -> Signer {
        Signer::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_, _, algorithm) => algorithm,
            Signer::Ec(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
        }
    }

    fn key(&self, id: &str) -> Value {
        match self {
            Signer::Rsa(pair, _, _) => {
                // RFC 8017: a SEQUENCE of two INTEGERs, of 2048 and 17 bits.
                let der = pair.public_key().as_ref();
                let (n, e) = (b64(&der[9..265]), b64(&der[267..]));
                json!({"kty": "RSA", "kid": id, "use": "sig", "alg": self.algorithm(), "n": n, "e": e})
            }
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "kid": id, "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Signer::Ed(pair) => {
                json!({"kty": "OKP", "kid": id, "crv": "Ed25519", "x": b64(pair.public_key())})
            }
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let (bytes, random) = (text.as_bytes(), SystemRandom::new());
        match self {
            Signer::Rsa(pair, padding, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, bytes, &mut signature).unwrap();
                signature
            }
            Signer::Ec(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
        }
    }

    fn token(&self, id: &str) -> String {
        self.token_of(&json!({"alg": self.algorithm(), "kid": id}), &claims())
    }

    fn token_of(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = b64(self.sign(&signed));
        format!("{signed}.{signature}")
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "repo:org/app:ref:refs/heads/main", "aud": "sts.amazonaws.com", "iat": 0, "exp": FAR})
}

fn keys(all: &[Value]) -> Value {
    json!({ "keys": all })
}

/// An account with a provider of the issuer.
fn account() -> Account {
    let provider = OidcProvider {
        url: ISSUER.trim_start_matches("https://").to_owned(),
        client_ids: vec!["sts.amazonaws.com".to_owned()],
        thumbprints: Vec::new(),
        tags: Default::default(),
        created: Default::default(),
    };
    let mut account = Account::default();
    account.providers.insert(provider.url.clone(), Arc::new(provider));
    account
}

struct Fixture {
    service: Service,
    world: Arc<FakeWorld>,
    documents: Arc<Documents>,
}

impl Fixture {
    fn new(issuers: Vec<Issuer>) -> Fixture {
        let (world, documents) = (Arc::new(FakeWorld::default()), Arc::new(Documents::default()));
        let service = over(Arc::new(MemoryEngine::new()), world.clone());
        Fixture {
            service: service.with_oidc(issuers, documents.clone()),
            world,
            documents,
        }
    }

    async fn verify(&self, token: &str) -> Result<WebIdentity, OidcError> {
        self.service.web_identity(&account(), token).await
    }
}

#[tokio::test]
async fn each_kind_of_key_proves_its_own_tokens() {
    let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let signers = [
        Signer::rsa(),
        Signer::Rsa(rsa(), &RSA_PSS_SHA512, "PS512"),
        Signer::ec(),
        Signer::Ed(Ed25519KeyPair::generate().unwrap()),
    ];
    let fixture = Fixture::new(Vec::new());
    let all: Vec<Value> = signers
        .iter()
        .map(|signer| signer.key(signer.algorithm()))
        .collect();
    fixture.documents.publish(&keys(&all));
    for signer in &signers {
        let token = signer.token(signer.algorithm());
        let proven = fixture.verify(&token).await.unwrap();
        assert_eq!(proven.provider, "token.actions.githubusercontent.com");
        assert_eq!(proven.audience, "sts.amazonaws.com");
        assert_eq!(proven.claims["sub"], ["repo:org/app:ref:refs/heads/main"]);
    }
    assert_eq!(
        fixture.documents.reads(),
        2,
        "the configuration and the keys, once"
    );
}

#[tokio::test]
async fn a_signature_by_any_other_key_or_over_any_other_bytes_proves_nothing() {
    let (ours, theirs) = (Signer::rsa(), Signer::rsa());
    let fixture = Fixture::new(Vec::new());
    fixture.documents.publish(&keys(&[ours.key("k1")]));
    let refused = fixture.verify(&theirs.token("k1")).await;
    assert_eq!(refused, Err(OidcError::Signature));
    let token = ours.token("k1");
    let parts: Vec<&str> = token.split('.').collect();
    let mut other = claims();
    other["sub"] = json!("repo:org/other");
    let forged = format!("{}.{}.{}", parts[0], b64(other.to_string()), parts[2]);
    assert_eq!(fixture.verify(&forged).await, Err(OidcError::Signature));
    let empty = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(fixture.verify(&empty).await, Err(OidcError::Signature));
    fixture.verify(&token).await.unwrap();
}

#[tokio::test]
async fn a_key_is_used_for_its_own_algorithm_only() {
    let (rsa, ec) = (Signer::rsa(), Signer::ec());
    let fixture = Fixture::new(Vec::new());
    let [mut for_encryption, mut for_signing_only] = [rsa.key("enc"), rsa.key("ops")];
    for_encryption["use"] = json!("enc");
    for_signing_only["key_ops"] = json!(["sign"]);
    let secret = json!({"kty": "oct", "kid": "secret", "k": b64("secret")});
    fixture.documents.publish(&keys(&[
        rsa.key("rsa"),
        ec.key("ec"),
        for_encryption,
        for_signing_only,
        secret,
        json!("no key"),
    ]));
    for (algorithm, id) in [
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("ES256", "rsa"),
        ("ES384", "ec"),
        ("RS256", "ec"),
        ("RS256", "enc"),
        ("RS256", "ops"),
        ("RS256", "secret"),
    ] {
        let token = rsa.token_of(&json!({"alg": algorithm, "kid": id}), &claims());
        let refused = fixture.verify(&token).await;
        assert_eq!(refused, Err(OidcError::UnknownKey), "{algorithm} {id}");
    }
    // One RSA key and one EC key that may sign: of its kind each is the only one.
    let nameless = ec.token_of(&json!({"alg": "ES256"}), &claims());
    fixture.verify(&nameless).await.unwrap();
}

#[tokio::test]
async fn a_token_without_a_key_id_is_not_tried_against_several_keys() {
    let (one, two) = (Signer::rsa(), Signer::rsa());
    let fixture = Fixture::new(Vec::new());
    fixture.documents.publish(&keys(&[one.key("k1"), two.key("k2")]));
    let nameless = one.token_of(&json!({"alg": "RS256"}), &claims());
    assert_eq!(fixture.verify(&nameless).await, Err(OidcError::UnknownKey));
}

#[tokio::test]
async fn issuer_audience_and_time_are_judged_before_any_key_is_fetched() {
    let signer = Signer::rsa();
    let fixture = Fixture::new(Vec::new());
    fixture.documents.publish(&keys(&[signer.key("k1")]));
    let of = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        signer.token_of(&json!({"alg": "RS256", "kid": "k1"}), &claims)
    };
    for issuer in [
        "https://token.actions.githubusercontent.com/",
        "http://token.actions.githubusercontent.com",
        "token.actions.githubusercontent.com",
        "https://TOKEN.actions.githubusercontent.com",
        "https://evil.example",
    ] {
        let refused = fixture.verify(&of("iss", json!(issuer))).await;
        assert_eq!(refused, Err(OidcError::NoProvider(issuer.to_owned())));
    }
    let refused = fixture.verify(&of("aud", json!("https://github.com/org"))).await;
    assert_eq!(refused, Err(JwtError::Audience.into()));
    fixture.world.pass(1_000_000);
    let refused = fixture.verify(&of("exp", json!(900))).await;
    assert!(matches!(refused, Err(OidcError::Token(JwtError::Expired(_)))));
    let refused = fixture.verify(&of("nbf", json!(2_000))).await;
    assert_eq!(refused, Err(JwtError::TooEarly.into()));
    assert_eq!(fixture.documents.reads(), 0);
}

#[tokio::test]
async fn a_new_key_is_fetched_and_unknown_ones_do_not_fetch_again_and_again() {
    let (old, new) = (Signer::rsa(), Signer::rsa());
    let fixture = Fixture::new(Vec::new());
    fixture.documents.publish(&keys(&[old.key("old")]));
    fixture.verify(&old.token("old")).await.unwrap();
    fixture
        .documents
        .publish(&keys(&[old.key("old"), new.key("new")]));
    assert_eq!(
        fixture.verify(&new.token("new")).await,
        Err(OidcError::UnknownKey)
    );
    fixture.world.pass(OIDC_FETCH_PAUSE_MS);
    fixture.verify(&new.token("new")).await.unwrap();
    assert_eq!(fixture.documents.reads(), 4);
    for _ in 0..50 {
        let refused = fixture.verify(&new.token("made up")).await;
        assert_eq!(refused, Err(OidcError::UnknownKey));
    }
    assert_eq!(fixture.documents.reads(), 4, "within the pause");
}

#[tokio::test]
async fn a_key_that_its_issuer_takes_back_ends_and_an_outage_ends_none_for_a_day() {
    let signer = Signer::rsa();
    let fixture = Fixture::new(Vec::new());
    fixture.documents.publish(&keys(&[signer.key("k1")]));
    let token = signer.token("k1");
    fixture.verify(&token).await.unwrap();
    fixture.documents.at.lock().unwrap().clear();
    fixture.world.pass(OIDC_KEYS_FRESH_MS);
    fixture.verify(&token).await.unwrap();
    fixture.world.pass(OIDC_KEYS_STALE_MS);
    let refused = fixture.verify(&token).await;
    assert!(
        matches!(refused, Err(OidcError::Unreachable { .. })),
        "{refused:?}"
    );
    fixture.documents.publish(&keys(&[signer.key("k2")]));
    fixture.world.pass(OIDC_FETCH_PAUSE_MS);
    assert_eq!(fixture.verify(&token).await, Err(OidcError::UnknownKey));
}

#[tokio::test]
async fn a_configured_issuer_is_trusted_by_every_account_and_its_file_holds_as_it_is_now() {
    let (first, second) = (Signer::ec(), Signer::ec());
    let file = KeyLocation::File("keys.json".into());
    let issuer = "http://gitlab.internal/ci";
    let fixture = Fixture::new(vec![Issuer {
        url: issuer.to_owned(),
        audiences: vec!["tidelock".to_owned()],
        keys: Some(file.clone()),
    }]);
    let token = |signer: &Signer| {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        claims["aud"] = json!(["other", "tidelock"]);
        signer.token_of(&json!({"alg": "ES256", "kid": "k"}), &claims)
    };
    let verify = async |signer: &Signer| {
        fixture
            .service
            .web_identity(&Account::default(), &token(signer))
            .await
    };
    assert!(matches!(verify(&first).await, Err(OidcError::Unreachable { .. })));
    fixture.documents.put(file.clone(), &keys(&[first.key("k")]));
    assert_eq!(verify(&first).await.unwrap().provider, "gitlab.internal/ci");
    fixture.documents.put(file, &keys(&[second.key("k")]));
    assert_eq!(verify(&first).await, Err(OidcError::Signature));
    verify(&second).await.unwrap();
}

#[tokio::test]
async fn an_issuers_site_is_not_believed_about_others_nor_in_odd_forms() {
    let signer = Signer::rsa();
    for (issuer, jwks) in [
        (
            "https://evil.example",
            "https://token.actions.githubusercontent.com/keys",
        ),
        (ISSUER, "http://token.actions.githubusercontent.com/keys"),
        (ISSUER, "file:///etc/passwd"),
    ] {
        let fixture = Fixture::new(Vec::new());
        fixture.documents.publish(&keys(&[signer.key("k1")]));
        let configuration = url(&format!("{ISSUER}/.well-known/openid-configuration"));
        fixture
            .documents
            .put(configuration, &json!({"issuer": issuer, "jwks_uri": jwks}));
        fixture.documents.put(url(jwks), &keys(&[signer.key("k1")]));
        let refused = fixture.verify(&signer.token("k1")).await;
        assert!(
            matches!(refused, Err(OidcError::Unreachable { .. })),
            "{jwks}: {refused:?}"
        );
    }
}
