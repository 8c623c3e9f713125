//! A server that trusts an issuer whose keys are in a file, users and roles on it, and Terraform beside it.

use std::{fs, path::PathBuf};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidelock_testkit::{BUCKET, Client, Credentials, Hermetic, Request, Terraform, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_tidelock");

/// What GitHub's tokens say they are from.
pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) hermetic: Hermetic,
    terraform: PathBuf,
    issuer: EcdsaKeyPair,
    _keys: TempDir,
}

impl World {
    /// `None` where there is no terraform and none is required.
    pub(crate) fn new() -> Option<World> {
        let terraform = Terraform::find()?;
        let issuer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("keys.json");
        let point = issuer.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}]});
        fs::write(&file, set.to_string()).unwrap();
        let settings = format!(
            "[[oidc]]\nissuer = '{ISSUER}'\naudiences = ['sts.amazonaws.com']\nkeys = {{ file = '{}' }}\n",
            file.display()
        );
        Some(World {
            server: TestServer::start_with(BINARY, &settings),
            hermetic: Hermetic::new(),
            terraform,
            issuer,
            _keys: keys,
        })
    }

    /// A token of the issuer for this subject, as GitHub's.
    pub(crate) fn token(&self, subject: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": subject, "iat": now, "nbf": now - 5, "exp": now + 300,
            "repository": "org/app"});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            encode(&json!({"alg": "ES256", "kid": "k1", "typ": "JWT"})),
            encode(&claims)
        );
        let signature = self.issuer.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// Asks IAM as this one.
    pub(crate) fn iam(&self, client: &mut Client, action: &str, fields: &[(&str, &str)]) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in fields {
            form += &format!("&{name}={}", encode(value));
        }
        let request =
            Request::new("POST", "/", form).header("content-type", "application/x-www-form-urlencoded");
        let answer = client.send(&Request {
            service: "iam",
            ..request
        });
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer.text()
    }

    /// A new user of the account of `by`, with these statements.
    pub(crate) fn user(&self, by: &mut Client, name: &str, statements: Value) -> Credentials {
        self.iam(by, "CreateUser", &[("UserName", name)]);
        let fields = [
            ("UserName", name),
            ("PolicyName", "own"),
            ("PolicyDocument", &document(statements)),
        ];
        self.iam(by, "PutUserPolicy", &fields);
        let key = self.iam(by, "CreateAccessKey", &[("UserName", name)]);
        Credentials {
            access_key_id: element(&key, "AccessKeyId"),
            secret_access_key: element(&key, "SecretAccessKey"),
        }
    }

    /// A new role with this trust, which may read, write and lock one key.
    pub(crate) fn role(&self, name: &str, trust: Value, key: &str) -> String {
        let mut operator = self.server.client();
        let trust = document(json!([trust]));
        let made = self.iam(
            &mut operator,
            "CreateRole",
            &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
        );
        let statements = json!([
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{BUCKET}")},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": format!("arn:aws:s3:::{BUCKET}/{key}")},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": format!("arn:aws:s3:::{BUCKET}/{key}.tflock")},
        ]);
        let fields = [
            ("RoleName", name),
            ("PolicyName", "state"),
            ("PolicyDocument", &document(statements)),
        ];
        self.iam(&mut operator, "PutRolePolicy", &fields);
        element(&made, "Arn")
    }

    /// A working directory with this key pair or none, and a backend for `key` with further settings.
    pub(crate) fn project(
        &self,
        name: &str,
        pair: Option<&Credentials>,
        key: &str,
        settings: &str,
    ) -> Terraform<'_> {
        let terraform = Terraform::new(&self.terraform, &self.hermetic, &self.server, name);
        let terraform = match pair {
            Some(pair) => terraform.with_key(&pair.access_key_id, &pair.secret_access_key),
            None => terraform.without_key(),
        };
        terraform.write(
            "main.tf",
            format!(
                "terraform {{\n  backend \"s3\" {{\n    bucket = \"{BUCKET}\"\n    key = \"{key}\"\n    region = \"us-east-1\"\n    \
                 use_lockfile = true\n{settings}\n  }}\n}}\nresource \"terraform_data\" \"it\" {{ input = \"{name}\" }}\n"
            ),
        );
        terraform
    }

    /// Who wrote the current state, as the history has it.
    pub(crate) fn writer(&self, key: &str) -> String {
        let history = format!("/admin/history/{BUCKET}/{key}");
        let answer = self
            .server
            .client()
            .send_basic(&Request::new("GET", &history, ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }
}

/// A policy of these statements.
fn document(statements: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// The text of the first element of this name.
pub(crate) fn element(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let text = xml
        .split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close));
    text.unwrap().0.to_owned()
}
