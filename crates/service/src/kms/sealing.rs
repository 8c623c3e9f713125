//! Which KMS key a body is sealed under: what its writer asked for, or the bucket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Body, Content,
    kms::{Command, KmsError, KmsKey, S3_ALIAS},
};

use crate::{Bucket, Error, KmsKeyWanted, Service, Upload};

/// How a body is encrypted, among the headers that are kept with it.
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// The region of a key that is made because S3 needs one: buckets are in no region.
const REGION: &str = "us-east-1";

/// The KMS key under which the bodies of a bucket are sealed whose writers say nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultKey {
    /// `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The key as the bucket's owner names it; `None` for that of S3 itself.
    pub key: Option<String>,
    /// Whether the objects say that they share a bucket key.
    pub bucket_key: bool,
}

impl Service {
    /// The KMS key of a body that is to be written: what `content` asks for, else the bucket. From then on `content` says which.
    ///
    /// # Errors
    /// [`Error::Kms`] for a key that does not exist or cannot be used now.
    pub async fn seal_under(
        &self,
        bucket: &Bucket,
        content: &mut Content,
    ) -> Result<Option<Arc<KmsKey>>, Error> {
        let headers = &mut content.headers;
        let is_said = headers.keys().any(|name| name.starts_with(ENCRYPTION));
        if let Some(default) = bucket.default_key.as_ref().filter(|_| !is_said) {
            headers.insert(ENCRYPTION.to_owned(), default.algorithm.clone());
            headers.extend(default.key.iter().map(|key| (KMS_KEY.to_owned(), key.clone())));
            if default.bucket_key {
                headers.insert(BUCKET_KEY.to_owned(), "true".to_owned());
            }
        }
        if !headers
            .get(ENCRYPTION)
            .is_some_and(|how| how.starts_with("aws:kms"))
        {
            return Ok(None);
        }
        let key = self
            .s3_key(bucket, headers.get(KMS_KEY).map(String::as_str))
            .await?;
        headers.insert(KMS_KEY.to_owned(), key.arn());
        key.check_usable()?;
        Ok(Some(key))
    }

    /// The KMS key of an upload's parts and of its body.
    pub(crate) async fn upload_key(&self, upload: &Upload) -> Result<Option<Arc<KmsKey>>, Error> {
        let arn = upload.content.headers.get(KMS_KEY);
        let id = arn.and_then(|arn| arn.rsplit_once('/')).map(|(_, id)| id);
        match id {
            Some(id) => Ok(Some(self.kms().await?.usable(id)?)),
            None => Ok(None),
        }
    }

    /// The key that is named to S3 (by ID or alias one of the account that the bucket belongs to), or S3's own, which is made when it is needed first.
    async fn s3_key(&self, bucket: &Bucket, name: Option<&str>) -> Result<Arc<KmsKey>, Error> {
        let name = name.unwrap_or(S3_ALIAS);
        let account = &bucket.owner;
        match self.kms().await?.keys().named(account, name) {
            Ok(key) => Ok(Arc::clone(key)),
            Err(_) if name == S3_ALIAS => self.make_s3_key(account, REGION).await,
            // S3 has no other word for what is no name of a key.
            Err(other) => Err(KmsError::NotFound(other.to_string()).into()),
        }
    }

    /// S3's own key of an account, which is made when it is needed first.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn make_s3_key(&self, account: &str, region: &str) -> Result<Arc<KmsKey>, Error> {
        let wanted = KmsKeyWanted {
            account: account.to_owned(),
            region: region.to_owned(),
            ..KmsKeyWanted::default()
        };
        let new = self.new_kms_key(wanted).await?;
        self.change_kms(Command::CreateForS3(new)).await
    }

    /// The KMS key that a body is sealed under, if it is under one: who reads it needs `kms:Decrypt` of that key.
    ///
    /// # Errors
    /// [`Error::Kms`] when the key is gone for good.
    pub async fn kms_key_of(&self, body: &Body) -> Result<Option<Arc<KmsKey>>, Error> {
        let Some(id) = &body.stored.key.kms else {
            return Ok(None);
        };
        let kms = self.kms().await?;
        let key = kms.keys().get(id);
        let missing = || KmsError::NotFound(format!("Key '{id}' does not exist"));
        Ok(Some(key.cloned().ok_or_else(missing)?))
    }

    /// Makes sure that a body's KMS key can be used now, if it has one.
    ///
    /// # Errors
    /// [`Error::Kms`].
    pub async fn check_readable(&self, body: &Body) -> Result<(), Error> {
        if let Some(id) = &body.stored.key.kms {
            self.kms().await?.usable(id)?;
        }
        Ok(())
    }
}

/// What an older body says of its encryption when it becomes current again: nothing where the bucket names a KMS key, so that the
/// bucket decides. A customer's key is the writer's own business.
pub fn forget_encryption(bucket: &Bucket, content: &mut Content) {
    if bucket.default_key.is_some() {
        content
            .headers
            .retain(|name, _| ![ENCRYPTION, KMS_KEY, BUCKET_KEY].contains(&name.as_str()));
    }
}
