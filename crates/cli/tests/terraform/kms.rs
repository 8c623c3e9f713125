//! States under a KMS key, as Terraform's user meets them.

use serde_json::json;
use tidelock_testkit::{
    BUCKET,
    Backend::{self, Http, LockFile},
    BackendConfig, Request,
};

use crate::{THING, World};

impl World {
    /// Asks the KMS.
    pub(crate) fn kms(&self, operation: &str, fields: &serde_json::Value) -> serde_json::Value {
        let request = Request {
            service: "kms",
            ..Request::new("POST", "/", fields.to_string())
        };
        let request = request.header("x-amz-target", &format!("TrentService.{operation}"));
        let answer = self.server.client().send(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        if answer.body.is_empty() {
            json!({})
        } else {
            answer.json()
        }
    }

    /// A new key, by its ARN.
    pub(crate) fn kms_key(&self) -> String {
        let made = self.kms("CreateKey", &json!({}));
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    fn encrypt_bucket(&self, key: &str) {
        let rule = format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             <KMSMasterKeyID>{key}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>\
             </ServerSideEncryptionConfiguration>"
        );
        let request = Request::new("PUT", &format!("/{BUCKET}?encryption"), rule);
        let answer = self.server.client().send(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn a_disabled_key_closes_states_to_the_s3_backend_until_it_is_enabled() {
    closes(LockFile, "KMS.DisabledException");
}

#[test]
fn a_disabled_key_closes_states_to_the_http_backend_until_it_is_enabled() {
    closes(Http, "409");
}

fn closes(backend: Backend, told: &str) {
    let Some(world) = World::new() else { return };
    let key = world.kms_key();
    world.encrypt_bucket(&key);
    let config = BackendConfig::new(backend, "closed/a.tfstate");
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["apply", "-auto-approve"]);
    world.kms("DisableKey", &json!({ "KeyId": key }));
    for command in [&["plan"][..], &["apply", "-auto-approve"], &["output"]] {
        let refused = terraform.run(command).failed();
        assert!(refused.flowing().contains(told), "{}", refused.text());
    }
    assert!(world.is_unlocked(&config), "what failed has given the lock back");
    world.kms("EnableKey", &json!({ "KeyId": key }));
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "first");
    let applied = terraform.ok(&["apply", "-auto-approve"]).stdout;
    assert!(applied.contains("0 added, 0 changed, 0 destroyed"), "{applied}");
}
