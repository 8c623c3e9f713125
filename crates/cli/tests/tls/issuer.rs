//! A job without any key: its issuer's token makes it a role, and the server fetches the issuer's keys over https.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs as crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use tidelock_testkit::{Hermetic, Output, Terraform};

use crate::{
    authority::{Authority, Pair},
    common::{Serving, command, tidelock},
};

/// An issuer on a port of its own.
struct Issuer {
    url: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    /// Answers over https, for as long as the test runs.
    fn start(pair: &Pair) -> Issuer {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let point = key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}]});
        let configuration = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let chain = vec![CertificateDer::from_pem_file(&pair.cert).unwrap()];
        let config = ServerConfig::builder_with_provider(crypto::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(&pair.key).unwrap());
        let config = Arc::new(config.unwrap());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                // Who does not trust us hangs up.
                let _ = answer(StreamOwned::new(session, socket.unwrap()), &configuration, &keys);
            }
        });
        Issuer { url, key }
    }

    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"iss": self.url, "aud": "tidelock", "sub": "repo:org/app:ref:refs/heads/main",
            "iat": now, "nbf": now - 5, "exp": now + 600});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn answer(
    mut stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    configuration: &Value,
    keys: &Value,
) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    let length = std::io::Read::read(&mut stream, &mut request)?;
    let is_keys = request[..length].starts_with(b"GET /keys ");
    let body = if is_keys { keys } else { configuration }.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())?;
    stream.flush()
}

/// A server that trusts `issuer`, with a role `ci` for its tokens, and the system's authorities in `roots`.
fn serving(hermetic: &Hermetic, issuer: &Issuer, roots: &Path) -> Serving {
    let work = hermetic.workdir("work");
    let settings = format!(
        "tls = {{ self_signed = true }}\n[[oidc]]\nissuer = '{}'\naudiences = ['tidelock']\n",
        issuer.url
    );
    fs::write(work.join("t.toml"), settings).unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--config",
        "t.toml",
        "--data",
        "data",
    ];
    let mut serve = command(hermetic, &arguments);
    serve.env("SSL_CERT_FILE", roots);
    let serving = Serving::of(serve, work.to_str().unwrap());
    let provider = issuer.url.trim_start_matches("https://");
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": format!("arn:aws:iam::000000000000:oidc-provider/{provider}")},
        "Condition": {"StringLike": {format!("{provider}:sub"): "repo:org/app:*"}}}});
    fs::write(work.join("trust.json"), trust.to_string()).unwrap();
    let own = |arguments: &[&str]| tidelock(hermetic, &[arguments, &["--data", "data"]].concat()).succeeded();
    let _ = own(&["roles", "create", "ci", "--trust", "trust.json"]);
    let _ = own(&["roles", "attach", "ci", "AmazonS3FullAccess"]);
    serving
}

/// `terraform init` and `apply` of somebody who has a token and nothing else.
fn run(hermetic: &Hermetic, terraform: &Path, serving: &Serving, token: &str) -> Output {
    let dir = hermetic.workdir("job");
    fs::write(dir.join("token"), token).unwrap();
    let main = "terraform {\n backend \"s3\" {\n bucket = \"tfstate\"\n key = \"job.tfstate\"\n region = \"us-east-1\"\n \
                use_lockfile = true\n assume_role_with_web_identity = {\n \
                role_arn = \"arn:aws:iam::000000000000:role/ci\"\n session_name = \"job-17\"\n \
                web_identity_token_file = \"token\"\n }\n }\n}\noutput \"x\" { value = 1 }\n";
    fs::write(dir.join("main.tf"), main).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = hermetic.command(terraform, &dir);
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &serving.endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_CA_BUNDLE", hermetic.workdir("work").join("data/tls/ca.pem"));
        Output::of(command)
    };
    let init = run(&["init"]);
    match init.status.success() {
        true => run(&["apply", "-auto-approve"]),
        false => init,
    }
}

#[test]
fn terraform_with_a_token_alone_applies_as_the_role() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let authority = Authority::new(&hermetic.workdir("tls"), "issuers");
    let issuer = Issuer::start(&authority.sign("issuer", &["localhost"]));
    let serving = serving(&hermetic, &issuer, &authority.ca());
    let _ = run(&hermetic, &terraform, &serving, &issuer.token()).succeeded();
    let history = tidelock(
        &hermetic,
        &["history", "tfstate/job.tfstate", "--data", "data", "--json"],
    )
    .succeeded();
    assert!(
        history.stdout.contains("assumed-role/ci/job-17"),
        "{}",
        history.stdout
    );
}

#[test]
fn an_issuer_that_cannot_prove_who_it_is_gives_no_keys() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let dir = hermetic.workdir("tls");
    let (issuers, others) = (Authority::new(&dir, "issuers"), Authority::new(&dir, "others"));
    let issuer = Issuer::start(&issuers.sign("issuer", &["localhost"]));
    let serving = serving(&hermetic, &issuer, &others.ca());
    let refused = run(&hermetic, &terraform, &serving, &issuer.token()).failed();
    let told = refused.flowing();
    assert!(told.contains("IDPCommunicationError"), "{told}");
    let log = serving.log();
    assert!(
        log.contains("cannot be had") && log.contains("UnknownIssuer"),
        "{log}"
    );
}
