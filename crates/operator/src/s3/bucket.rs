//! What a bucket is set to, read and written: for who sets one up, and for who says what is wrong with one.
//!
//! Source: the operations of these names in the Amazon S3 API Reference. None of them can be made conditional, so that
//! who changes a setting reads it again right before.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use md5::{Digest, Md5};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;

use super::{
    Client,
    error::Error,
    lifecycle::Lifecycle,
    request::Call,
    settings::{Encryption, PublicAccessBlock, encryption, location, ownership, public_access_block, tags},
};
use crate::aws::{Answer, Element};

/// The region that asks for no location constraint.
const FIRST_REGION: &str = "us-east-1";

/// Whether transitions move small objects too: without it a write of the rules would set it anew.
const TRANSITION_SIZE: &str = "x-amz-transition-default-minimum-object-size";

impl Client {
    /// Makes a bucket in this region.
    ///
    /// # Errors
    /// [`Error`]; `BucketAlreadyOwnedByYou` and, of somebody else's, `BucketAlreadyExists` among them.
    pub async fn create_bucket(&self, bucket: &str, region: &str) -> Result<(), Error> {
        let wanted = Element::leaf("LocationConstraint", region);
        let body = match region {
            FIRST_REGION => String::new(),
            _ => Element::of("CreateBucketConfiguration", vec![wanted]).document(),
        };
        let mut call = Call::of_bucket("CreateBucket", Method::PUT, bucket);
        call.body = Bytes::from(body);
        self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        Ok(())
    }

    /// The region that the bucket is in.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_location(&self, bucket: &str) -> Result<String, Error> {
        let call = Call::of_bucket("GetBucketLocation", Method::GET, bucket).query(vec![("location", "")]);
        let answer = self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        location(&answer.body).ok_or_else(|| self.foreign(&call, "its location cannot be read"))
    }

    /// Has every write make a version from now on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn enable_bucket_versioning(&self, bucket: &str) -> Result<(), Error> {
        let status = Element::leaf("Status", "Enabled");
        let body = Element::of("VersioningConfiguration", vec![status]).document();
        self.set("PutBucketVersioning", bucket, "versioning", body, &[])
            .await
    }

    /// How new objects are encrypted; `None` where nothing is set.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_encryption(&self, bucket: &str) -> Result<Option<Encryption>, Error> {
        let asked = ("encryption", "ServerSideEncryptionConfigurationNotFoundError");
        let read = |answer: &Answer| encryption(&answer.body);
        self.setting("GetBucketEncryption", bucket, asked, read).await
    }

    /// Sets how new objects are encrypted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_bucket_encryption(&self, bucket: &str, encryption: &Encryption) -> Result<(), Error> {
        let body = encryption.document();
        self.set("PutBucketEncryption", bucket, "encryption", body, &[])
            .await
    }

    /// What is blocked of public access; `None` where nothing is set, which blocks nothing.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_public_access_block(&self, bucket: &str) -> Result<Option<PublicAccessBlock>, Error> {
        let asked = ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration");
        let read = |answer: &Answer| public_access_block(&answer.body);
        self.setting("GetPublicAccessBlock", bucket, asked, read).await
    }

    /// Sets what is blocked of public access.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_public_access_block(&self, bucket: &str, block: PublicAccessBlock) -> Result<(), Error> {
        let body = block.document();
        self.set("PutPublicAccessBlock", bucket, "publicAccessBlock", body, &[])
            .await
    }

    /// The bucket's policy, as it was written; `None` where it has none.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_policy(&self, bucket: &str) -> Result<Option<String>, Error> {
        let text = |answer: &Answer| std::str::from_utf8(&answer.body).ok().map(str::to_owned);
        let asked = ("policy", "NoSuchBucketPolicy");
        self.setting("GetBucketPolicy", bucket, asked, text).await
    }

    /// Replaces the bucket's policy.
    ///
    /// # Errors
    /// [`Error`]; `MalformedPolicy` among them.
    pub async fn put_bucket_policy(&self, bucket: &str, policy: &str) -> Result<(), Error> {
        self.set("PutBucketPolicy", bucket, "policy", policy.to_owned(), &[])
            .await
    }

    /// The rules by which old objects and versions end; `None` where there are none.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_lifecycle(&self, bucket: &str) -> Result<Option<Lifecycle>, Error> {
        let asked = ("lifecycle", "NoSuchLifecycleConfiguration");
        let read = |answer: &Answer| {
            let size = answer.headers.get(TRANSITION_SIZE);
            let size = size.and_then(|size| size.to_str().ok()).map(str::to_owned);
            Lifecycle::parse(&answer.body, size)
        };
        self.setting("GetBucketLifecycleConfiguration", bucket, asked, read)
            .await
    }

    /// Replaces all lifecycle rules.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_bucket_lifecycle(&self, bucket: &str, lifecycle: &Lifecycle) -> Result<(), Error> {
        let size = lifecycle.transition_size.clone();
        let headers: Vec<_> = size.map(|size| (TRANSITION_SIZE, size)).into_iter().collect();
        let (call, body) = ("PutBucketLifecycleConfiguration", lifecycle.document());
        self.set(call, bucket, "lifecycle", body, &headers).await
    }

    /// The bucket's tags.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_tagging(&self, bucket: &str) -> Result<BTreeMap<String, String>, Error> {
        let read = |answer: &Answer| tags(&answer.body);
        let asked = ("tagging", "NoSuchTagSet");
        let found = self.setting("GetBucketTagging", bucket, asked, read).await?;
        Ok(found.unwrap_or_default())
    }

    /// Replaces all tags.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_bucket_tagging(
        &self,
        bucket: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let tag = |(key, value): (&String, &String)| {
            Element::of(
                "Tag",
                vec![Element::leaf("Key", key), Element::leaf("Value", value)],
            )
        };
        let set = Element::of("TagSet", tags.iter().map(tag).collect());
        let body = Element::of("Tagging", vec![set]).document();
        self.set("PutBucketTagging", bucket, "tagging", body, &[]).await
    }

    /// Who owns the objects, such as `BucketOwnerEnforced`, with which there are no access control lists; `None` where nothing is set.
    ///
    /// # Errors
    /// [`Error`]; `NoSuchBucket` among them.
    pub async fn get_bucket_ownership(&self, bucket: &str) -> Result<Option<String>, Error> {
        let asked = ("ownershipControls", "OwnershipControlsNotFoundError");
        let read = |answer: &Answer| ownership(&answer.body);
        self.setting("GetBucketOwnershipControls", bucket, asked, read)
            .await
    }

    /// Sets who owns the objects.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_bucket_ownership(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        let rule = Element::of("Rule", vec![Element::leaf("ObjectOwnership", owner)]);
        let body = Element::of("OwnershipControls", vec![rule]).document();
        self.set(
            "PutBucketOwnershipControls",
            bucket,
            "ownershipControls",
            body,
            &[],
        )
        .await
    }

    /// Asks for a setting; `None` when the answer is `missing`, the code of what was never set.
    async fn setting<T>(
        &self,
        name: &'static str,
        bucket: &str,
        (subresource, missing): (&'static str, &str),
        read: impl FnOnce(&Answer) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let call = Call::of_bucket(name, Method::GET, bucket).query(vec![(subresource, "")]);
        match self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await {
            Ok(answer) => {
                let found = read(&answer);
                let unread = || self.foreign(&call, &format!("its {subresource} cannot be read"));
                found.ok_or_else(unread).map(Some)
            }
            Err(why) if why.code() == Some(missing) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Writes a setting; the digest is what S3 demands of most of them.
    async fn set(
        &self,
        name: &'static str,
        bucket: &str,
        subresource: &'static str,
        body: String,
        headers: &[(&'static str, String)],
    ) -> Result<(), Error> {
        let mut call = Call::of_bucket(name, Method::PUT, bucket).query(vec![(subresource, "")]);
        call.headers = headers.to_vec();
        call.headers
            .push(("content-md5", STANDARD.encode(Md5::digest(&body))));
        call.body = Bytes::from(body);
        self.send(&call, CLIENT_DOCUMENT_BYTES_MAX).await?;
        Ok(())
    }
}
