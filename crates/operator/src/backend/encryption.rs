//! How Terraform has S3 keep what it writes: with whose key, and who else may read it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::{Environment, Settings};

/// What `encrypt`, `kms_key_id`, `sse_customer_key` and `acl` say. Its `Debug` does not show the customer's key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// Whether Terraform asks for encryption at all (`encrypt`); without it no key is named either.
    pub encrypt: bool,
    /// The KMS key (`kms_key_id`).
    pub kms_key: Option<String>,
    /// A canned ACL (`acl`).
    pub acl: Option<String>,
    /// The key of SSE-C in base64 (`sse_customer_key`).
    customer_key: Option<Zeroizing<String>>,
}

impl Encryption {
    pub(super) fn of(settings: &Settings, environment: Environment<'_>) -> Encryption {
        let kms_key = settings.text("kms_key_id");
        let customer_key = settings
            .text("sse_customer_key")
            .or_else(|| environment("AWS_SSE_CUSTOMER_KEY"));
        Encryption {
            encrypt: settings.is_true("encrypt"),
            customer_key: customer_key.filter(|_| kms_key.is_none()).map(Zeroizing::new),
            kms_key,
            acl: settings.text("acl"),
        }
    }

    /// Whether S3 gives what is written only to who has the key (SSE-C).
    #[must_use]
    pub fn is_by_customer(&self) -> bool {
        self.encrypt && self.customer_key.is_some()
    }

    /// What Terraform says with each object that it writes, the lock file too.
    ///
    /// Source: `Put` and `lockWithFile` in `internal/backend/remote-state/s3/client.go` of Terraform.
    #[must_use]
    pub fn headers_of_put(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.headers_of_get();
        let named = "x-amz-server-side-encryption";
        match (&self.kms_key, self.encrypt) {
            (Some(key), true) => {
                headers.push((named, "aws:kms".to_owned()));
                headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
            }
            (None, true) if self.customer_key.is_none() => headers.push((named, "AES256".to_owned())),
            _ => {}
        }
        headers.extend(self.acl.clone().map(|acl| ("x-amz-acl", acl)));
        headers
    }

    /// What Terraform says when it reads.
    #[must_use]
    pub fn headers_of_get(&self) -> Vec<(&'static str, String)> {
        let Some(key) = self.customer_key.as_ref().filter(|_| self.encrypt) else {
            return Vec::new();
        };
        let bytes = Zeroizing::new(STANDARD.decode(key.as_str()).unwrap_or_default());
        let md5 = STANDARD.encode(Md5::digest(&*bytes));
        vec![
            (
                "x-amz-server-side-encryption-customer-algorithm",
                "AES256".to_owned(),
            ),
            ("x-amz-server-side-encryption-customer-key", key.to_string()),
            ("x-amz-server-side-encryption-customer-key-md5", md5),
        ]
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("encrypt", &self.encrypt)
            .field("kms_key", &self.kms_key)
            .field("acl", &self.acl)
            .finish_non_exhaustive()
    }
}
