//! A server, users on it who may do what a test says, and Terraform beside it.

use std::path::PathBuf;

use serde_json::{Value, json};
use tidelock_testkit::{
    BUCKET, BackendConfig, Client, Credentials, Hermetic, Request, Running, TABLE, Terraform, TestServer,
    hold_until_released,
};

const BINARY: &str = env!("CARGO_BIN_EXE_tidelock");

/// The state that the tests are about.
pub(crate) const KEY: &str = "app/terraform.tfstate";

/// A state, and what is in it that only outputs may show.
pub(crate) const THING: &str = r#"
resource "terraform_data" "thing" { input = "inside" }
output "name" { value = "outside" }
"#;

pub(crate) struct World {
    pub(crate) server: TestServer,
    hermetic: Hermetic,
    terraform: PathBuf,
}

impl World {
    /// `None` where there is no terraform and none is required.
    pub(crate) fn new() -> Option<World> {
        let terraform = Terraform::find()?;
        Some(World {
            server: TestServer::start(BINARY),
            hermetic: Hermetic::new(),
            terraform,
        })
    }

    /// A new user who may do this and nothing else.
    pub(crate) fn user(&self, name: &str, statements: &[Value]) -> Credentials {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        self.command(&json!({"CreateUser": {"path": "/", "name": name, "tags": []}}));
        self.command(&json!({"PutInline": {"of": {"User": name}, "name": "own", "document": document}}));
        let key = self.ask("POST", "/admin/iam/key", &json!({"user": name}).to_string());
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        Credentials {
            access_key_id: text("access_key_id"),
            secret_access_key: text("secret_access_key"),
        }
    }

    /// A new role that this user, and nobody else, may take.
    pub(crate) fn role(&self, name: &str, user: &str) {
        let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::000000000000:user/{user}")}}});
        self.command(
            &json!({"CreateRole": {"path": "/", "name": name, "trust": trust.to_string(), "description": "",
            "max_session_secs": 3600, "tags": []}}),
        );
    }

    fn command(&self, command: &Value) {
        self.ask(
            "POST",
            "/admin/iam/command",
            &json!({ "command": command }).to_string(),
        );
    }

    /// What the admin door answers the operator.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Value {
        let answer = self
            .server
            .client()
            .send_basic(&Request::new(method, target, body));
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.text());
        answer.json()
    }

    pub(crate) fn client(&self, pair: &Credentials) -> Client {
        Client::new(self.server.authority(), pair.clone())
    }

    /// A working directory of this user, not yet initialised.
    pub(crate) fn directory(
        &self,
        name: &str,
        pair: &Credentials,
        config: &BackendConfig,
        resources: &str,
    ) -> Terraform<'_> {
        let terraform = self.bare(name, pair);
        terraform.write("main.tf", config.hcl(&self.server) + resources);
        terraform
    }

    /// A working directory of this user without a configuration.
    pub(crate) fn bare(&self, name: &str, pair: &Credentials) -> Terraform<'_> {
        Terraform::new(&self.terraform, &self.hermetic, &self.server, name)
            .with_key(&pair.access_key_id, &pair.secret_access_key)
            .with("TF_HTTP_USERNAME", &pair.access_key_id)
            .with("TF_HTTP_PASSWORD", &pair.secret_access_key)
    }

    /// An apply of this user that holds the lock until the test writes the file `release`.
    pub(crate) fn holding(
        &self,
        name: &str,
        pair: &Credentials,
        config: &BackendConfig,
    ) -> (Terraform<'_>, Running) {
        let terraform = self.directory(name, pair, config, hold_until_released());
        terraform.ok(&["init"]);
        let running = terraform.start(&["apply", "-auto-approve"]);
        terraform.wait_for("started");
        (terraform, running)
    }

    /// The ID of the lock that is held, if one is.
    pub(crate) fn held(&self) -> Option<String> {
        let status = self.ask("GET", &format!("/admin/locks/{BUCKET}/{KEY}"), "");
        status["locks"][0]["id"].as_str().map(str::to_owned)
    }
}

/// What the documentation of `backend "s3"` says that Terraform needs for one state, whichever way it locks.
pub(crate) fn least() -> Vec<Value> {
    let object = |key: &str| format!("arn:aws:s3:::{BUCKET}/{key}");
    let table = format!("arn:aws:dynamodb:*:000000000000:table/{TABLE}");
    let lock = format!("{BUCKET}/{KEY}");
    vec![
        json!({"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{BUCKET}"),
            "Condition": {"StringEquals": {"s3:prefix": KEY}}}),
        json!({"Sid": "State", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": object(KEY)}),
        json!({"Sid": "LockFile", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": object(&format!("{KEY}.tflock"))}),
        json!({"Sid": "LockTable", "Effect": "Allow",
            "Action": ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
            "Resource": table,
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [lock, format!("{lock}-md5")]}}}),
    ]
}

/// The same without the statement of this `Sid`.
pub(crate) fn least_without(sid: &str) -> Vec<Value> {
    let mut statements = least();
    statements.retain(|statement| statement["Sid"] != sid);
    statements
}
