//! Whether KMS keys may be used: by themselves, and through S3.

use tidelock_core::{Address, Body, Content, kms::KmsKey, policy::ResourceRule};
use tidelock_service::{Bucket, Error, Kms, forget_encryption};

use super::{Access, Ask, Denied, Owner, bucket_arn, object_arn};

/// Among a body's headers, that it shares a data key with others of its bucket.
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// Whose a key is, and what its policy says: without that nobody may do anything with it.
pub(crate) fn key_owner(kms: &Kms, key: &KmsKey) -> Owner {
    Owner {
        account: key.account.clone(),
        policy: kms.policy_of(key).cloned(),
        rule: ResourceRule::Required,
        absent: false,
    }
}

impl Access {
    /// Whether the caller may have the KMS key used that a body is sealed under, if it is under one.
    ///
    /// # Errors
    /// When the engine fails, or the key is gone for good.
    pub(crate) async fn may_open(&self, address: &Address, body: &Body) -> Result<Result<(), Denied>, Error> {
        let Some(key) = self.service.kms_key_of(body).await? else {
            return Ok(Ok(()));
        };
        let kms = self.service.kms().await?;
        let shared = body.content.headers.contains_key(BUCKET_KEY);
        Ok(self.may_through_s3("kms:Decrypt", (&kms, &key), address, shared))
    }

    /// Settles the KMS key that a body is to be sealed under, if it is to be, and says whether the caller may have it used.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be used now.
    pub(crate) async fn may_seal(
        &self,
        bucket: &Bucket,
        address: &Address,
        content: &mut Content,
    ) -> Result<Result<(), Denied>, Error> {
        let Some(key) = self.service.seal_under(bucket, content).await? else {
            return Ok(Ok(()));
        };
        let kms = self.service.kms().await?;
        let shared = content.headers.contains_key(BUCKET_KEY);
        Ok(self.may_through_s3("kms:GenerateDataKey", (&kms, &key), address, shared))
    }

    /// Whether the caller may have the KMS keys used under which a body is, and under which it comes when it is made current
    /// again.
    ///
    /// # Errors
    /// As those of [`Access::may_open`] and [`Access::may_seal`].
    pub(crate) async fn may_restore(
        &self,
        address: &Address,
        body: &Body,
    ) -> Result<Result<(), Denied>, Error> {
        if let Err(denied) = self.may_open(address, body).await? {
            return Ok(Err(denied));
        }
        let (bucket, mut content) = (self.service.bucket(address.bucket()).await?, body.content.clone());
        forget_encryption(&bucket, &mut content);
        self.may_seal(&bucket, address, &mut content).await
    }

    /// Refuses unless the caller may have S3 use this key: `kms:GenerateDataKey` to write, `kms:Decrypt` to read. The encryption
    /// context is S3's: the object, or its bucket when the bucket's objects share a key.
    ///
    /// # Errors
    /// [`Denied`].
    fn may_through_s3(
        &self,
        action: &'static str,
        (kms, key): (&Kms, &KmsKey),
        address: &Address,
        bucket_key: bool,
    ) -> Result<(), Denied> {
        let owner = key_owner(kms, key);
        let of = match bucket_key {
            true => bucket_arn(address.bucket()),
            false => object_arn(address.bucket(), address.key()),
        };
        let mut ask = Ask::new(action, key.arn(), &owner)
            .with("kms:calleraccount", self.account())
            .with("kms:viaservice", format!("s3.{}.amazonaws.com", key.region))
            .with("kms:encryptioncontext:aws:s3:arn", of)
            .with("kms:encryptioncontextkeys", "aws:s3:arn");
        for alias in key.aliases.keys() {
            ask = ask.with("kms:resourcealiases", alias);
        }
        self.may(&ask)
    }
}
